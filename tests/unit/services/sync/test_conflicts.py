from __future__ import annotations

from pathlib import Path

from tests.syncsim.made import A, B, C, entry
from tests.syncsim.memory import GlobalTree

from wildbach.services.sync import conflicts
from wildbach.services.sync.store import FolderStore


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
