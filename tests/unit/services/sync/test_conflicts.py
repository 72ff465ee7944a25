from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.syncsim.made import A, B, C, entry
from tests.syncsim.memory import GlobalTree

from wildbach.protocol import bencode
from wildbach.protocol.sync.entries import Entry, check_path
from wildbach.services.sync import conflicts
from wildbach.services.sync.store import FolderStore

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1).map(
    lambda text: unicodedata.normalize("NFC", text)
).filter(lambda text: text not in (".", "..") and len(text.encode()) <= 255)


def test_a_record_names_who_wrote_the_loser_whoever_keeps_its_copy() -> None:
    winner, loser = entry("a.txt", "newer", A, mtime_ns=9), entry("a.txt", "older", B, mtime_ns=3)
    tree = GlobalTree({"a.txt": (winner, loser)})
    before = conflicts.record(tree, "a.txt", loser, None)
    assert (before.winner, before.loser, before.by) == (winner.root, loser.root, bytes(B))
    kept = entry(before.copy, "older", C, lineage=conflicts.lineage(loser))
    tree = GlobalTree({"a.txt": (winner, loser), before.copy: (kept,)})
    assert conflicts.record(tree, "a.txt", loser, None) == before
    assert conflicts.is_open(tree, before)
    assert not conflicts.is_open(GlobalTree({"a.txt": (winner,)}), before)


def test_a_conflict_counts_as_open_while_its_copy_is_there(tmp_path: Path) -> None:
    winner, loser = entry("a.txt", "newer", A, mtime_ns=9), entry("a.txt", "older", B, mtime_ns=3)
    store = FolderStore(tmp_path / "folder.db")
    try:
        store.put_heads("a.txt", (winner, loser))
        noted = conflicts.record(store.world, "a.txt", loser, None)
        store.note("a.txt", (noted,))
        assert (store.conflicts(), store.open_conflicts()) == ([noted], 0)
        for deleted, count in ((False, 1), (True, 0)):
            store.put_heads(noted.copy, (entry(noted.copy, "older", C, seq=2 + deleted, deleted=deleted),))
            assert store.open_conflicts() == count == conflicts.is_open(store.world, noted)
    finally:
        store.close()


def test_a_copy_says_of_what_it_is_to_devices_that_never_saw_both(tmp_path: Path) -> None:
    loser = entry("a.txt", "older", B, mtime_ns=3)
    copy = replace(entry("a (copy).txt", "older", C), extra=conflicts.marked("a.txt", loser))
    copy = Entry.unpack(replace(copy, signature=bytes(64)).pack())
    told = conflicts.told(copy)
    assert told == conflicts.Conflict("a.txt", b"", b"", loser.root, "a (copy).txt", bytes(B))
    store = FolderStore(tmp_path / "folder.db")
    try:
        store.put_heads(copy.path, (copy,))
        assert (store.conflicts(), store.open_conflicts()) == ([told], 1)
        store.put_heads(copy.path, (replace(copy, deleted=True, seq=copy.seq + 1),))
        assert store.open_conflicts() == 0
    finally:
        store.close()


@pytest.mark.parametrize("extra", [
    {}, {b"c": b"a.txt"}, {b"c": b"a.txt", b"w": b"short"}, {b"c": b"../a", b"w": bytes(B)},
    {b"c": b"\xff", b"w": bytes(B)}, {b"c": 7, b"w": bytes(B)}, {b"c": b"", b"w": bytes(B)},
])
def test_what_a_hostile_author_says_there_is_passed_over(extra: dict[bytes, bencode.Value]) -> None:
    assert conflicts.told(replace(entry("b.txt", "x", A), extra=extra)) is None


@given(NAMES, st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_copy_has_a_name_that_can_be(name: str, mtime_ns: int) -> None:
    for path in conflicts.names(entry(f"d/{name}", "x", A, mtime_ns=mtime_ns)):
        assert check_path(path) == path
        assert path != f"d/{name}"


def test_a_copy_that_stays_is_called_after_its_device_and_never_climbs() -> None:
    made = conflicts.Conflict("a/b.txt", b"", b"w" * 32, b"l" * 32, "a/b (conflict X).txt")
    assert list(conflicts.kept_names(made, "phone"))[:2] == ["a/b (phone).txt", "a/b (phone 2).txt"]
    for odd in ("../..", "x/y", "\x1b[2J", "", " . "):
        found = list(conflicts.kept_names(made, odd))
        assert all(path.startswith("a/b (") and path.count("/") == 1 and path.isprintable() for path in found)
        assert len(set(found)) == len(found)
