from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.syncsim.device import Device
from tests.syncsim.disk import Node, root_of
from tests.syncsim.made import A, B, C, base, entry, seen
from tests.syncsim.memory import MemoryStore

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync import conflicts
from wildbach.services.sync.merge import merged, wanted
from wildbach.services.sync.planner import Act, Op, Plan, View, Why, plan
from wildbach.services.sync.trees import Policy, ancestors

PATHS = ("a", "b", "a/a", "a/b", "b/a", "a/a/a")
CONTENTS = {root_of(each.encode()): each.encode() for each in ("x", "y", "z", "mine")}
KINDS = (EntryKind.FILE, EntryKind.FILE, EntryKind.DIR, EntryKind.LINK)
NOW = 1_790_000_000.0

one_path = st.tuples(
    st.sampled_from(("none", "same", "edited", "deleted", "new")),
    st.lists(st.tuples(st.sampled_from((B, C)), st.booleans(), st.sampled_from("xyz"), st.sampled_from(KINDS),
                       st.booleans(), st.integers(0, 2)), max_size=3),
    st.sampled_from(KINDS), st.sampled_from("xy"))
trees = st.fixed_dictionaries(dict.fromkeys(PATHS, one_path))


def _device(drawn: dict[str, tuple[object, ...]], *, writes: bool = True) -> Device:
    """What the device had in step, what others signed since, and what its user did since."""
    device = Device(9, Random(1), policy=Policy(writes=writes))
    store, disk = device.store, device.disk
    bases: dict[str, Entry] = {}
    for nth, (path, (state, remote, kind, content)) in enumerate(drawn.items()):
        assert isinstance(remote, list) and isinstance(kind, EntryKind) and isinstance(content, str)
        if state in ("same", "edited", "deleted") and all(
                each in bases and bases[each].kind is EntryKind.DIR for each in ancestors(path)):
            bases[path] = entry(path, content if kind is not EntryKind.DIR else "", B, seq=nth + 1, kind=kind)
            disk.put(path, _node(bases[path]))
            store.put_heads(path, (bases[path],))
            store.put_seen(path, disk.seen(path))
            store.put_base(path, Base_of(bases[path], device, path))
        for count, (author, knew, what, other, deleted, mtime) in enumerate(remote):
            before = bases[path].vector if knew and path in bases else VersionVector()
            made = entry(
                path, what if other is not EntryKind.DIR else "", author, seq=100 + nth * 10 + count, kind=other,
                deleted=deleted, mtime_ns=mtime, vector=before.bumped(author, 100 + nth * 10 + count))
            store.put_heads(path, merged(store.world.get(path), made))
        store.mark(path)
    for path, (state, _, _, _) in drawn.items():
        above = [disk.get(each) for each in ancestors(path)]
        if any(each is None or each.kind is not EntryKind.DIR for each in above):
            continue
        if state == "new" and not disk.taken(path):
            disk.put(path, Node(EntryKind.FILE, b"mine", 5))
        node = disk.get(path)
        if state == "edited" and node is not None and node.kind is EntryKind.FILE:
            disk.put(path, replace(node, data=b"mine", mtime_ns=1))
        if state == "deleted" and node is not None and not disk.children(path):
            disk.remove(path)
    store.commit()
    return device


def Base_of(each: Entry, device: Device, path: str) -> object:  # noqa: N802  # reads as the class it stands for
    return replace(base(each), seen=device.disk.seen(path))


def _node(each: Entry) -> Node:
    data = next((data for root, data in CONTENTS.items() if root == each.root), b"")
    return Node(each.kind, data, each.mtime_ns, each.executable, each.target)


def _settle(device: Device, *, limit: int = 10_000) -> None:
    device.scan(NOW)
    for _ in range(200):
        if not device.work(NOW, CONTENTS.get, limit):
            return
    raise AssertionError(f"no end: {device.ops[-12:]}")


def _tree(device: Device) -> dict[str, tuple[object, ...]]:
    return {path: (node.kind, node.data, node.target) for path, node in device.disk.walk()}


def _in_step(device: Device) -> None:
    world, local, synced = device.store.world, device.store.local, device.store.synced
    for path in {*world.items, *local.items, *synced.items}:
        want, there, before = wanted(world, path), local.get(path), synced.get(path)
        assert (there.kind if there else None) is want.kind, path
        assert (before.kind if before is not None and not before.deleted else None) is want.kind, path
        if want.entry is not None and there is not None:
            assert there.same_bytes(want.entry) and there.same_bytes(before)
        assert there == device.disk.seen(path)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_three_trees_end_equal_and_nothing_is_lost(drawn: dict[str, tuple[object, ...]]) -> None:
    device = _device(drawn)
    before = {node.data for _, node in device.disk.walk()}
    _settle(device)
    _in_step(device)
    assert not device.store.held(*Why)
    assert before <= {node.data for _, node in device.disk.walk()} | set(device.disk.versions.values()) | {b""}
    writes, last = device.disk.writes, device.store.last()
    _settle(device)
    assert (device.disk.writes, device.store.last()) == (writes, last), "it did not rest"


@settings(max_examples=100, deadline=None)
@given(trees)
def test_the_order_and_the_size_of_steps_do_not_matter(drawn: dict[str, tuple[object, ...]]) -> None:
    whole, small = _device(drawn), _device(drawn)
    _settle(whole)
    _settle(small, limit=1)
    assert _tree(whole) == _tree(small)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_a_device_that_only_reads_signs_nothing_and_keeps_what_its_user_changed(
    drawn: dict[str, tuple[object, ...]]
) -> None:
    device = _device(drawn, writes=False)
    heads = dict(device.store.world.items)
    mine = {path for path, node in device.disk.walk() if node.data == b"mine"}
    _settle(device)
    assert device.store.world.items == heads
    assert mine <= {path for path, node in device.disk.walk() if node.data == b"mine"}


@settings(max_examples=100, deadline=None)
@given(trees)
def test_no_operation_comes_before_its_directory_or_over_what_it_does_not_name(
    drawn: dict[str, tuple[object, ...]]
) -> None:
    device = _device(drawn)
    device.scan(NOW)
    for _ in range(200):
        ops = device.core.step(NOW)
        if not ops:
            return
        for op in ops:
            assert device._do(op, CONTENTS.get) is None, f"{op.act} {op.path} in {[(o.act, o.path) for o in ops]}"
            device.core.done(op, device.disk.seen(op.path), NOW)
    raise AssertionError("no end")


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(PATHS)), st.sampled_from("xyz"))
def test_what_others_only_add_takes_nothing_away(added: set[str], content: str) -> None:
    device = Device(9, Random(1))
    device.disk.put("a", Node(EntryKind.DIR))
    device.disk.put("a/b", Node(EntryKind.FILE, b"mine", 5))
    _settle(device)
    tree = _tree(device)
    device.core.merge([entry(each, content, B, kind=EntryKind.DIR if each in ("a", "b", "a/a") else EntryKind.FILE)
                       for each in sorted(added) if each != "a/b"], NOW)
    _settle(device)
    assert tree.items() <= _tree(device).items()
    assert not device.disk.versions and not any(each.startswith(("delete", "rmdir")) for each in device.ops)


# --- single rules

ME = DeviceId(bytes(16))


def _view(policy: Policy | None = None, **paths: tuple[tuple[Entry, ...], Entry | None]) -> View:
    """Path → heads, and what is in place in step; `/` is spelt `__`."""
    store = MemoryStore()
    for name, (heads, placed) in paths.items():
        path = name.replace("__", "/")
        store.put_heads(path, heads)
        if placed is not None:
            store.put_seen(path, seen(placed))
            store.put_base(path, base(placed))
    return View(ME, store.world, store.local, store.synced, policy or Policy())


def _acts(made: Plan) -> list[tuple[Act, str]]:
    return [(each.act, each.path) for each in made.ops]


def _dir(path: str, *, deleted: bool = False, seq: int = 1) -> Entry:
    return entry(path, "", A, kind=EntryKind.DIR, deleted=deleted, seq=seq)


def test_a_new_file_comes_after_its_directories() -> None:
    view = _view(a=((_dir("a"),), None), a__b=((_dir("a/b"),), None), a__b__c=((entry("a/b/c", "x"),), None))
    assert _acts(plan(["a/b/c", "a/b", "a"], view)) == [
        (Act.MKDIR, "a"), (Act.MKDIR, "a/b"), (Act.INSTALL, "a/b/c")]


def test_a_file_that_moved_is_renamed_and_not_fetched() -> None:
    old, gone = entry("a", "x", lineage=b"l" * 16), entry("a", "x", seq=3, deleted=True, lineage=b"l" * 16)
    new = entry("b", "x", seq=2, lineage=b"l" * 16)
    made = plan(["a", "b"], _view(a=((gone,), old), b=((new,), None)))
    assert [(each.act, each.path, each.source) for each in made.ops] == [(Act.RENAME, "b", "a")]


def test_a_chain_of_renames_reads_each_file_before_it_is_overwritten() -> None:
    """a → b → c at once: c takes what b had, and b what a had."""
    a, b = entry("a", "x"), entry("b", "y")
    view = _view(a=((entry("a", "x", seq=5, deleted=True),), a), b=((entry("b", "x", seq=4),), b),
                 c=((entry("c", "y", seq=3),), None))
    assert [(each.act, each.path, each.source) for each in plan(["a", "b", "c"], view).ops] == [
        (Act.INSTALL, "c", "b"), (Act.RENAME, "b", "a")]


def test_two_files_that_change_places_need_no_device() -> None:
    device = Device(9, Random(1))
    for path, data in (("a", b"x"), ("b", b"y")):
        device.disk.put(path, Node(EntryKind.FILE, data, 5))
    _settle(device)
    for path, content in (("a", "y"), ("b", "x")):
        head = device.store.world.get(path)[0]
        device.core.merge([entry(path, content, B, seq=7, vector=head.vector.bumped(B, 7))], NOW)
    for _ in range(9):
        device.work(NOW, lambda root: pytest.fail("was fetched"))
    assert {path: node.data for path, node in device.disk.walk()} == {"a": b"y", "b": b"x"}


def test_a_loser_in_place_is_copied_and_nothing_goes_over_it_before_that_is_signed() -> None:
    mine, other = entry("a.txt", "x", A), entry("a.txt", "y", B, mtime_ns=60_000_000_000)
    made = plan(["a.txt"], _view(**{"a.txt": ((mine, other), mine)}))
    assert _acts(made) == [(Act.COPY, "a (conflict 010101 1970-01-01 0000).txt")]
    assert made.ops[0].source == "a.txt"


def test_a_device_that_only_reads_makes_no_copy_and_takes_the_winner() -> None:
    mine, other = entry("a", "x", A), entry("a", "y", B, mtime_ns=9)
    assert _acts(plan(["a"], _view(Policy(writes=False), a=((mine, other), mine)))) == [(Act.INSTALL, "a")]


def test_an_edit_of_the_winner_does_not_make_an_uncopied_loser_vanish() -> None:
    loser, best = entry("a", "x", A), entry("a", "y", B, mtime_ns=9)
    made = plan(["a"], _view(a=((loser, best), None)))
    install = next(each for each in made.ops if each.act is Act.INSTALL)
    assert install.vector == best.vector
    copied = conflicts.copy_path(_view(a=((loser, best), None)).world, loser)[0]
    settled = _view(a=((loser, best), None), **{copied: ((replace(loser, path=copied),), None)})
    install = next(each for each in plan(["a"], settled).ops if each.act is Act.INSTALL)
    assert install.vector == best.vector.union(loser.vector)


def test_what_this_device_leaves_out_is_neither_fetched_nor_deleted() -> None:
    policy = Policy(excluded=("a",))
    there = entry("a/x", "x")
    view = _view(policy, a__x=((entry("a/x", "x", seq=2, deleted=True),), there), a__y=((entry("a/y", "y"),), None))
    assert plan(["a", "a/x", "a/y"], view) == Plan([], {})


@pytest.mark.parametrize(("policy", "why"), [
    (Policy(applies=False), Why.SEND_ONLY), (Policy(cautious=True), Why.SUSPENDED)])
def test_a_deletion_waits(policy: Policy, why: Why) -> None:
    made = plan(["a"], _view(policy, a=((entry("a", "x", seq=2, deleted=True),), entry("a", "x"))))
    assert made == Plan([], {"a": why})


def test_a_change_that_was_not_scanned_is_not_touched() -> None:
    view = _view(a=((entry("a", "x", seq=2, deleted=True),), entry("a", "x")))
    view.local.put("a", seen(entry("a", "mine")))  # type: ignore[attr-defined]  # the store's own tree
    assert plan(["a"], view).held == {"a": Why.NOT_SCANNED}


def test_an_operation_says_what_must_still_be_in_place() -> None:
    before = entry("a", "x")
    after = entry("a", "y", seq=2)
    (op,) = plan(["a"], _view(a=((after,), before))).ops
    assert op == Op(Act.INSTALL, "a", after, after.vector, seen(before))
