import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folderbed import Bed
from wildbach.base.errors import FormatError, StorageError
from wildbach.base.ids import FolderId
from wildbach.disk.folder import marker
from wildbach.disk.folder.marker import Finding, Marker
from wildbach.testing.fakefs import Crash

FOLDER = FolderId(bytes(range(32)))


@pytest.fixture
def bed():
    made = Bed()
    made.marker = marker.reserve(made.fs, Marker.fresh(FOLDER, made.fs.lstat("").dev), 100)
    return made


def test_the_marker_is_read_as_it_was_written(bed):
    assert marker.read(bed.fs) == bed.marker
    assert marker.compare(bed.fs, bed.marker, used=100) is Finding.SAME
    marker.verify(bed.fs, bed.marker)


def test_two_markers_are_of_two_databases():
    assert Marker.fresh(FOLDER).epoch != Marker.fresh(FOLDER).epoch


def test_an_unplugged_disk_is_no_empty_folder(bed):
    bed.fs.unmount()
    assert marker.compare(bed.fs, bed.marker) is Finding.MISSING
    with pytest.raises(StorageError) as error:
        marker.verify(bed.fs, bed.marker)
    assert error.value.code == "missing"
    bed.fs.mount()
    assert marker.compare(bed.fs, bed.marker) is Finding.SAME


def test_another_folder_or_database_is_told(bed):
    marker.write(bed.fs, Marker(FolderId(bytes(32)), bed.marker.epoch))
    assert marker.compare(bed.fs, bed.marker) is Finding.OTHER_FOLDER
    marker.write(bed.fs, Marker.fresh(FOLDER))
    assert marker.compare(bed.fs, bed.marker) is Finding.OTHER_DATABASE
    with pytest.raises(StorageError):
        marker.verify(bed.fs, bed.marker)


def test_what_was_brought_back_from_a_copy_is_told(bed):
    later = marker.reserve(bed.fs, bed.marker, 200)
    assert marker.compare(bed.fs, bed.marker, used=100) is Finding.DATABASE_IS_OLDER
    assert marker.compare(bed.fs, bed.marker, used=100, most=200) is Finding.SAME
    assert marker.compare(bed.fs, later, used=150) is Finding.SAME
    assert marker.compare(bed.fs, later, used=201) is Finding.DISK_IS_OLDER
    marker.write(bed.fs, bed.marker)
    assert marker.compare(bed.fs, later, used=150) is Finding.DISK_IS_OLDER


def test_another_file_system_is_told(bed):
    bed.fs.device += 1
    assert marker.compare(bed.fs, bed.marker) is Finding.OTHER_DEVICE


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[]", b'{"folder":"00","epoch":"","sequence":1}', b"x" * 5000])
def test_a_broken_marker_is_told(bed, data):
    with bed.fs.quietly():
        bed.fs.unlink(marker.PLACE)
    bed.fs.put(marker.PLACE, data)
    assert marker.compare(bed.fs, bed.marker) is Finding.BROKEN
    with bed.fs.quietly():
        bed.fs.unlink(marker.PLACE)
        bed.fs.mkdir(marker.PLACE)
    assert marker.compare(bed.fs, bed.marker) is Finding.BROKEN


def test_a_lower_sequence_is_not_written(bed):
    calls = bed.fs.calls
    assert marker.reserve(bed.fs, bed.marker, 100) is bed.marker and bed.fs.calls == calls


@pytest.mark.parametrize("chances", [None, 1, 2])
def test_after_a_crash_in_any_call_the_old_or_the_new_is_there(bed, chances):
    bed.fs.sync_all()
    before = bed.fs.calls
    later = marker.reserve(bed.fs, bed.marker, 200)
    calls = bed.fs.calls - before
    for call in range(calls):
        bed = Bed()
        marker.write(bed.fs, later)
        bed.fs.sync_all()
        bed.fs.fail_at(call)
        with pytest.raises(Crash):
            marker.reserve(bed.fs, later, 300)
        bed.fs.power_cut(None if chances is None else random.Random(chances))
        bed.start()
        assert marker.compare(bed.fs, later, used=200, most=300) in (Finding.SAME, Finding.OTHER_DEVICE)
        assert bed.left() == []


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_marker_or_an_error(data):
    try:
        found = marker.parse(data)
    except FormatError:
        return
    assert isinstance(found, Marker)
