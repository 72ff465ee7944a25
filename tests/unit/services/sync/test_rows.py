"""Rows on their way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.syncsim.made import entry

from wildbach.disk.spool import Spool
from wildbach.services.sync import rows as sync_rows
from wildbach.services.sync.rows import Arriving, Ranges


@given(st.sets(st.integers(1, 60)), st.integers(0, 60))
def test_numbers_of_ranges_are_left_out_and_no_others(numbers: set[int], start: int) -> None:
    ranges = Ranges()
    ranges.add(sorted(numbers))
    last, found, at = 60, set[int](), ranges.after(start)
    while at < last:
        end = ranges.before(last)
        found.update(range(at + 1, end + 1))
        at = ranges.after(end)
    assert found == set(range(start + 1, last + 1)) - numbers


def test_of_very_many_ranges_some_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_rows, "_RANGES", 2)
    ranges = Ranges()
    ranges.add([1, 2, 5, 9])
    assert (ranges.after(0), ranges.before(20), ranges.after(4), ranges.before(20)) == (2, 4, 5, 20)


def test_rows_are_the_same_from_memory_and_from_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [entry(f"{each}", "x", seq=each + 1) for each in range(20)]
    packed = [each.pack() for each in made]
    monkeypatch.setattr(sync_rows, "_MEMORY", len(packed[0]) * 8)
    found = Arriving(Spool(tmp_path))
    for at in range(0, 20, 5):
        found.add(packed[at : at + 5], made[at : at + 5], bytes([at % 2]) * 5)
    assert list(found.rows()) == [(packed[at], made[at], at // 5 % 2) for at in range(20)]
    found.clear()
    assert list(found.rows()) == [] and found.size == 0
    found.add(packed[:1], made[:1], b"\1")
    assert list(found.rows()) == [(packed[0], made[0], 1)]
    found.clear()
