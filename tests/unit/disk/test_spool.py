"""Rows that wait for each other."""

from __future__ import annotations

import errno
import tempfile
import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import StorageError
from wildbach.disk.spool import Spool, rows_of


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


@given(st.binary(max_size=60), st.integers(0, 70))
def test_what_a_damaged_disk_gives_is_rows_or_an_error(data: bytes, size: int) -> None:
    try:
        rows = list(rows_of(BytesIO(data), size))
    except StorageError as error:
        assert error.code == "damaged"
    else:
        assert b"".join(len(row).to_bytes(4, "big") + row for row in rows) == data[:size]


def test_a_length_that_cannot_be_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(StorageError):
            list(rows_of(BytesIO(b"\xff\xff\xff\xff" + bytes(100)), 104))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def _wrapped(spool: Spool) -> tempfile.SpooledTemporaryFile[bytes]:
    assert spool._file is not None
    return spool._file


def test_rows_of_which_the_disk_has_lost_some_are_not_taken_for_all(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add([bytes(1000)] * 1000)
    _wrapped(spool).truncate(500_000)
    with pytest.raises(StorageError) as damaged:
        list(spool.rows())
    assert damaged.value.code == "damaged"
    spool.clear()
    spool.add([b"again"])
    assert list(spool.rows()) == [b"again"]
    spool.clear()


def test_after_an_error_of_the_disk_nothing_of_before_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.add([b"r" * 1000] * 1000)

    def full(_: object) -> int:
        raise OSError(errno.ENOSPC, "no room")

    file = _wrapped(spool)
    monkeypatch.setattr(file, "write", full)
    with pytest.raises(StorageError) as caught:
        spool.add([b"more"])
    assert caught.value.code == "disk_full"
    assert list(spool.rows()) == [] and spool.size == 0
    spool.add([b"again"])
    assert list(spool.rows()) == [b"again"]
    spool.clear()
