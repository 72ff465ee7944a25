"""Rows that wait for each other."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import StorageError
from wildbach.disk.spool import Spool


@given(st.lists(st.lists(st.binary(max_size=40) | st.just(b"r" * 100_000), max_size=8), max_size=8))
def test_rows_come_back_as_they_were_added(runs: list[list[bytes]]) -> None:
    spool = Spool(Path("."))
    there: list[bytes] = []
    for run in runs:
        spool.add(run)
        there += run
        assert list(spool.rows()) == there == list(spool.rows())
        next(iter(spool.rows()), None)
    assert spool.size == sum(4 + len(row) for row in there)
    spool.clear()
    assert list(spool.rows()) == [] and spool.size == 0
    spool.add([b"again"])
    assert list(spool.rows()) == [b"again"]
    spool.clear()


def test_many_rows_are_not_in_memory_and_leave_no_file(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        spool = Spool(tmp_path)
        for _ in range(320):
            spool.add([bytes(1000)] * 100)
        assert sum(map(len, spool.rows())) == 32_000_000
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert list(tmp_path.iterdir()) == []
    spool.clear()


def test_a_folder_that_is_away_is_an_error_of_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "nowhere")
    spool.add([b"few"])
    with pytest.raises(StorageError):
        spool.add([bytes(1 << 20)])
    spool.clear()
