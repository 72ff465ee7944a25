"""A folder's disk is measured, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from wildbach.base.errors import StorageError
from wildbach.disk.probe import probe


def test_a_folder_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    found = probe(tmp_path / "new", 1 << 20)
    assert found.free > 0 and found.write_rate > 0 and found.read_rate > 0 and found.flush_seconds >= 0
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_cannot_be_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        probe(tmp_path / "file" / "below")
