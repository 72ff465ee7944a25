from __future__ import annotations

from tests.syncsim.made import A, B, C, entry
from tests.syncsim.memory import GlobalTree

from wildbach.services.sync import conflicts


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
