"""Files that are replaced in one step."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from wildbach.base.errors import StorageError
from wildbach.disk.shelf import Kept, Shelf


def test_what_is_put_there_is_there_with_its_time_and_for_its_owner_only(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "data" / "filters")
    assert shelf.get("one", 100) is None
    shelf.put("one", b"old", 5.0)
    shelf.put("one", b"new", 1000.5)
    assert Shelf(shelf.folder).get("one", 3) == Kept(b"new", 1000.5)
    assert os.listdir(shelf.folder) == ["one"]
    assert stat.S_IMODE((shelf.folder / "one").stat().st_mode) == 0o600


def test_more_than_is_wanted_is_not_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("one", b"1234", 5.0)
    assert shelf.get("one", 3) is None


def test_what_is_kept_gets_another_time_or_goes(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("one", b"x", 5.0)
    shelf.touch("one", 77.0)
    assert shelf.get("one", 10) == Kept(b"x", 77.0)
    shelf.remove("one")
    shelf.remove("one")
    shelf.touch("one", 78.0)
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("one", b"old", 5.0)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError) as caught:
        shelf.put("one", b"new", 6.0)
    assert caught.value.code == "disk_full"
    assert os.listdir(tmp_path) == ["one"] and shelf.get("one", 10) == Kept(b"old", 5.0)


def test_what_the_system_refuses_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        Shelf(tmp_path / "file").put("one", b"x", 5.0)
    for call in (lambda: Shelf(tmp_path / "file").touch("one", 5.0), lambda: Shelf(tmp_path).remove("folder"),
                 lambda: Shelf(tmp_path).get("folder", 5)):
        with pytest.raises(StorageError):
            call()
