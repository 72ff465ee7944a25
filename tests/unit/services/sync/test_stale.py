"""What is planned again after the disk was another one than was known."""

from __future__ import annotations

from dataclasses import replace

from wildbach.services.sync.planner import Act, Op
from wildbach.services.sync.stale import Stale

COPY = Op(Act.INSTALL, "new", source="old")


def test_it_is_planned_again_once_it_was_looked_at_and_not_for_ever() -> None:
    stale = Stale()
    assert stale.failed(COPY) == ["new", "old"]
    assert stale.looked_at({"old"}) == []
    assert stale.looked_at({"new", "old"}) == ["new"]
    assert stale.failed(COPY) == ["new", "old"]
    assert stale.looked_at({"new"}) == []
    stale.clear()
    stale.failed(COPY)
    assert stale.looked_at({""}) == ["new"]


def test_both_names_of_a_rename_are_planned_again() -> None:
    stale = Stale()
    rename = replace(COPY, act=Act.RENAME, old=Op(Act.DELETE, "old"))
    assert set(stale.failed(rename)) == {"new", "old"}
    assert stale.looked_at(["new", "old"]) == ["new", "old"]
