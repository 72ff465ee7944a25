"""What a process that ended leaves of large files: it is gone on with, or goes, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wildbach.disk.folder.fs import RealFs
from wildbach.disk.folder.local import Blocked
from wildbach.disk.folder.staging import Staging, partial

FILM, OTHER = partial(b"\xab" * 32, 5000), partial(b"\xcd" * 32, 1 << 60)


class Bed:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tmp = folder / ".wildbach" / "tmp"
        self.fs = RealFs(str(folder))
        self.staging = Staging(self.fs)
        self.staging.prepare()

    def left(self) -> set[str]:
        return set(os.listdir(self.tmp))


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    yield made
    made.fs.close_root()


def test_a_file_that_came_in_part_is_found_again(bed: Bed) -> None:
    assert bed.staging.begun(FILM) == 0
    (bed.tmp / FILM).write_bytes(b"part")
    assert bed.staging.begun(FILM) == 4
    (bed.tmp / "0123456789abcdef").write_bytes(b"of a small file")
    (bed.tmp / "folder").mkdir()
    assert bed.staging.recover(keep={FILM}) == 1 and bed.left() == {FILM}
    assert bed.staging.begun(FILM) == 4
    assert bed.staging.recover() == 1 and bed.left() == set()
    assert bed.staging.begun(FILM) == 0


def test_what_came_and_is_not_wanted_any_more_goes_while_others_are_at_work(bed: Bed) -> None:
    for name in (FILM, OTHER, "0123456789abcdef", "text-01234567", OTHER + "x"):
        (bed.tmp / name).write_bytes(b"x")
    assert bed.staging.sweep({FILM}) == 1
    assert bed.left() == {FILM, "0123456789abcdef", "text-01234567", OTHER + "x"}


def test_a_file_that_was_exchanged_when_the_process_died_is_neither_kept_nor_written_into(bed: Bed) -> None:
    version = bed.folder / ".wildbach" / "version"
    version.write_bytes(b"what stood there before")
    os.link(version, bed.tmp / FILM)
    assert bed.staging.begun(FILM) == 0
    (bed.tmp / FILM).write_bytes(b"other")
    assert version.read_bytes() == b"what stood there before"
    (bed.tmp / FILM).unlink()
    os.link(version, bed.tmp / FILM)
    assert bed.staging.recover(keep={FILM}) == 1 and bed.left() == set()
    assert version.read_bytes() == b"what stood there before"


def test_nothing_is_cleaned_through_a_link_or_outside(bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    os.symlink(tmp_path / "mine", bed.tmp / FILM)
    os.symlink(tmp_path, bed.tmp / "up")
    assert bed.staging.begun(FILM) == 0 and not (bed.tmp / FILM).is_symlink()
    assert bed.staging.recover() == 2 and bed.left() == set()
    bed.tmp.rmdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / FILM).write_bytes(b"x")
    os.symlink("../photos", bed.tmp)
    with pytest.raises(Blocked):
        bed.staging.recover()
    assert (tmp_path / "photos" / FILM).read_bytes() == (tmp_path / "mine").read_bytes() == b"x"


class Stuck(RealFs):
    """Its files cannot be removed."""

    def unlink(self, path: str) -> None:
        raise PermissionError(1, "not permitted", path)


def test_what_cannot_be_removed_is_no_reason_to_stop(bed: Bed) -> None:
    (bed.tmp / FILM).write_bytes(b"x")
    fs = Stuck(str(bed.folder))
    assert Staging(fs).recover() == 0 and bed.left() == {FILM}
    fs.close_root()
