"""The data base of a folder gives the same answers as the table in memory that the simulator of Sync runs on."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.syncsim.made import DEVICES, A, B, base, entry, seen
from tests.syncsim.memory import MemoryStore

from wildbach.base.errors import WildbachError
from wildbach.protocol.sync.entries import EntryKind
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync import store as stores
from wildbach.services.sync.conflicts import Conflict
from wildbach.services.sync.planner import Why
from wildbach.services.sync.seams import Store
from wildbach.services.sync.store import FolderStore, fold

PATHS = ("a", "A", "a/b", "a/B/c", "a.b", "a0", "ä", "Ä", "z", "a/b/c/d", "\U0001f600/x")
Act = tuple[object, ...]


@contextlib.contextmanager
def opened(*, folds: bool = False) -> Iterator[FolderStore]:
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder) / "x.db", folds=folds)
        try:
            yield store
        finally:
            store.close()


paths = st.sampled_from(PATHS)
contents = st.sampled_from(["y", "x", "longer"])
acts = st.one_of(
    st.tuples(st.just("heads"), paths, st.lists(
        st.tuples(st.sampled_from(DEVICES), contents, st.booleans(), st.sampled_from(list(EntryKind))), max_size=2,
        unique_by=lambda each: each[0])),
    st.tuples(st.just("seen"), paths, st.none() | st.tuples(contents, st.integers(0, (1 << 64) - 1))),
    st.tuples(st.just("base"), paths, st.none() | st.tuples(contents, st.booleans(), st.sampled_from(list(EntryKind)))),
    st.tuples(st.just("mark"), paths), st.tuples(st.just("unmark"), paths),
    st.tuples(st.just("hold"), paths, st.none() | st.sampled_from(list(Why))),
    st.tuples(st.just("note"), paths, st.booleans()),
    st.tuples(st.just("number"), st.sampled_from(["sequence", "mute"]), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.tuples(st.just("loss"), st.sampled_from(DEVICES), paths, st.none() | st.tuples(
        st.integers(0, 90), st.integers(0, 9))),
    st.tuples(st.just("trim"), st.sampled_from(DEVICES), st.integers(0, 90)),
    st.tuples(st.just("forgive"), st.sampled_from(DEVICES), st.integers(0, 9)),
    st.tuples(st.just("guard"), st.sampled_from(DEVICES), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("commit")), st.tuples(st.just("undo")),
)


def do(store: FolderStore | MemoryStore, act: Act, seq: int) -> None:
    match act:
        case ("heads", str(path), list(heads)):
            made = (
                entry(path, content, author, seq=seq, deleted=deleted, kind=kind, vector=VersionVector({author: seq}))
                for author, content, deleted, kind in heads)
            store.put_heads(path, tuple(sorted(made, key=lambda each: each.author)))
        case ("seen", str(path), given):
            store.put_seen(path, None if given is None else seen(entry(path, given[0]), given[1]))  # type: ignore[index]
        case ("base", str(path), None):
            store.put_base(path, None)
        case ("base", str(path), (content, deleted, kind)):
            store.put_base(path, base(entry(path, content, deleted=deleted, kind=kind), 7))
        case ("mark", str(path)):
            store.mark(path)
        case ("unmark", str(path)):
            store.unmark(path)
        case ("hold", str(path), why):
            store.hold(path, why)  # type: ignore[arg-type]  # one of them, or None
        case ("note", str(path), some):
            store.note(path, (Conflict(path, b"", b"w" * 32, b"l" * 32, path + " (copy)"),) if some else ())
        case ("number", str(name), int(value)):
            store.set_number(name, value)
        case ("loss", author, str(path), loss):
            store.put_loss(author, path, loss)  # type: ignore[arg-type]  # a device, and a loss
        case ("trim", author, int(since)):
            store.trim_losses(author, since, 50)  # type: ignore[arg-type]  # a device
        case ("forgive", author, int(upto)):
            store.forgive_losses(author, upto)  # type: ignore[arg-type]  # a device
        case ("guard", author, int(allowed), bool(paused)):
            store.put_guard(author, allowed, paused)  # type: ignore[arg-type]  # a device
        case ("commit",):
            store.commit()
        case ("undo",):
            store.undo() if isinstance(store, FolderStore) else store.crashed()


def answers(store: Store) -> dict[str, object]:
    """To every question of the seam."""
    found: dict[str, object] = {
        "files": store.files(), "marked": store.marked(5), "conflicted": store.conflicted(),
        "since": store.since(0, 1000)[0], "tombstones": list(store.tombstones()), "held": store.held(*Why),
        "coming": store.held(Why.COMING, Why.NOWHERE), "below": [list(tree.below("")) for tree in (
            store.world, store.local, store.synced)],
        "losses": [(store.losses(each), store.last_loss(each), store.guard(each)) for each in DEVICES],
        "guarded": store.guarded(),
        "numbers": [store.number("sequence"), store.number("mute"), store.number("never")],
    }
    for path in PATHS:
        found[path] = (
            store.world.get(path), store.local.get(path), store.synced.get(path), list(store.world.below(path)),
            list(store.local.below(path)), list(store.synced.below(path)), store.world.live_below(path),
            sorted(store.world.alike(path)), sorted(store.local.alike(path)), store.held_below(path))
    for content in ("x", "longer"):
        found["holding " + content] = list(store.local.holding(entry("p", content).root))
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(acts, max_size=30), st.booleans(), st.booleans())
def test_whatever_is_done_both_answer_alike(played: list[Act], folds: bool, remembers: bool) -> None:
    keys: Callable[[str], str] | None = fold if folds else None
    memory = MemoryStore(fold=keys)
    with opened(folds=folds) as store:
        if remembers:
            store.own()
        for seq, act in enumerate(played, 1):
            do(store, act, seq)
            do(memory, act, seq)
        assert answers(store) == answers(memory)
        assert store.totals() == lying(memory)
        do(store, ("undo",), 0)
        do(memory, ("undo",), 0)
        assert answers(store) == answers(memory)
        assert store.totals() == lying(memory)


def lying(memory: MemoryStore) -> tuple[int, int]:
    """Files in Local, and their bytes."""
    files = [each for each in memory.local.items.values() if each.kind is EntryKind.FILE]
    return len(files), sum(each.size for each in files)


@settings(max_examples=20, deadline=None)
@given(st.lists(acts, max_size=20))
def test_what_was_committed_is_there_after_a_start_and_nothing_else(played: list[Act]) -> None:
    memory = MemoryStore()
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder) / "x.db")
        for seq, act in enumerate(played, 1):
            do(store, act, seq)
            do(memory, act, seq)
        store.close()
        store = FolderStore(Path(folder) / "x.db")
        memory.crashed()
        try:
            assert answers(store) == answers(memory)
        finally:
            store.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(paths, st.booleans()), min_size=1, max_size=25), st.integers(1, 4))
def test_the_index_in_parts_is_the_whole_and_a_number_is_never_given_twice(
    played: list[tuple[str, bool]], limit: int,
) -> None:
    with opened() as store:
        for seq, (path, forget) in enumerate(played, 1):
            before = store.last()
            store.put_heads(path, () if forget else (entry(path, "x", seq=seq),))
            assert store.last() >= before if forget else store.last() == before + 1
        found, at = [], 0
        for _ in range(len(played) + 1):
            part, at = store.since(at, limit)
            found += part
            if at >= store.last():
                break
        assert found == store.since(0, 1000)[0]
        assert store.since(store.last(), 10) == ([], store.last())


def test_numbers_of_an_index_go_on_after_a_start_although_the_last_path_was_forgotten(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "x.db")
    store.put_heads("a", (entry("a", "x"),))
    store.put_heads("b", (entry("b", "x"),))
    store.put_heads("b", ())
    store.commit()
    store.close()
    store = FolderStore(tmp_path / "x.db")
    assert store.last() == 2
    store.put_heads("c", (entry("c", "x"),))
    assert store.last() == 3
    store.close()


def test_layers_stay_while_their_content_is_in_place() -> None:
    with opened() as store:
        one = entry("a", "x")
        store.put_seen("a", seen(one))
        store.put_layer(one.root, b"l" * 64)
        store.put_layer(b"r" * 32, b"m" * 64)
        store.trim_layers()
        assert store.layer(one.root) == b"l" * 64 and store.layer(b"r" * 32) is None


def test_facts_are_found_by_how_their_names_begin() -> None:
    with opened() as store:
        for name in ("roster a", "roster b", "rosters", "list c"):
            store.put_fact(name, name.encode())
        store.put_fact("roster b", None)
        assert store.facts("roster ") == {"roster a": b"roster a"}


def test_a_conflict_is_a_record_until_it_is_dropped() -> None:
    with opened() as store:
        one = Conflict("p", b"", b"w" * 32, b"l" * 32, "p (conflict)")
        store.note("p", (one,))
        store.note("p", ())
        assert store.conflicts() == [one] and store.conflicted() == []
        store.drop_conflict(one)
        assert store.conflicts() == []


def test_a_file_that_is_no_data_base_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no data base" * 1000)
    with pytest.raises(WildbachError):
        FolderStore(tmp_path / "x.db")


def test_authors_of_heads_stand_beside_each_other() -> None:
    with opened() as store:
        heads = (entry("p", "x", A), entry("p", "y", B))
        store.put_heads("p", heads)
        assert store.world.get("p") == heads


def test_a_deleted_directory_that_something_live_is_below_still_has_its_name() -> None:
    memory = MemoryStore(fold=fold)
    with opened(folds=True) as store:
        for each in (store, memory):
            each.put_heads("a", (entry("a", "", kind=EntryKind.DIR, deleted=True),))
            each.put_heads("a/b", (entry("a/b", "x"),))
        assert list(store.world.alike("A")) == list(memory.world.alike("A")) == ["a"]


def test_it_is_known_whose_change_replaced_what_until_that_is_forgotten() -> None:
    with opened() as store:
        store.put_replaced("a", 1000, A, deleted=False)
        store.put_replaced("a", 5000, B, deleted=True)
        store.commit()
        assert store.replaced("a", 900, 2000) == (A, False)
        assert store.replaced("a", 4000, 6000) == (B, True)
        assert store.replaced("a", 2000, 3000) is None and store.replaced("b", 0, 9000) is None
        store.trim_replaced(2000)
        assert store.replaced("a", 0, 2000) is None and store.replaced("a", 0, 9000) == (B, True)


def test_what_goes_back_is_known_after_a_start_and_not_where_it_was_not_written_down(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "x.db")
    store.put_back("a/b", (A, 7))
    store.put_back("z", (B, 1 << 50))
    store.commit()
    store.put_back("z", None)
    store.put_back("ä", (A, 1))
    store.undo()
    assert [store.back(path) for path in ("a/b", "z", "ä")] == [(A, 7), (B, 1 << 50), None]
    store.put_back("a/b", None)
    store.commit()
    store.close()
    store = FolderStore(tmp_path / "x.db")
    assert [store.back(path) for path in ("a/b", "z")] == [None, (B, 1 << 50)]
    store.close()


def test_heads_of_some_authors_are_found_also_where_their_entries_say_more_than_is_known() -> None:
    with opened() as store:
        more = replace(entry("a", "1", A), extra={b"A": 1})
        made = [more, entry("a", "2", B), *(entry(f"{at:05}", "x", A if at % 2 else B, seq=at + 1) for at in range(9))]
        for path in {each.path for each in made}:
            store.put_heads(path, tuple(each for each in made if each.path == path))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stores, "_SOME", 2)
            found = list(store.heads_by({A}))
        assert sorted(found, key=lambda each: each.path) == sorted(
            (each for each in made if each.author == A), key=lambda each: each.path)


def test_files_that_are_missing_and_those_that_wait_for_a_yes_are_counted_without_directories() -> None:
    with opened() as store:
        for name in ("a", "b", "c"):
            store.put_base(name, base(entry(name, "x")))
            store.put_seen(name, seen(entry(name, "x")))
        store.put_base("dir", base(entry("dir", "", kind=EntryKind.DIR)))
        store.put_base("gone", base(entry("gone", "x", deleted=True)))
        assert (store.missing(), store.guarded_files(), store.files()) == (0, 0, 3)
        store.put_seen("a", None)
        for name in ("b", "c", "dir"):
            store.hold(name, Why.GUARD)
        assert (store.missing(), store.guarded_files(), store.files()) == (1, 2, 3)
