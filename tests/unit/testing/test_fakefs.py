"""What the file system in memory forgets, and how it fails."""

import errno
import random

import pytest

from wildbach.testing.fakefs import Crash, FakeFs


@pytest.fixture
def fs():
    return FakeFs(lambda: 1_700_000_000_000_000_000)


def write(fs, path, data, *, sync=True):
    handle = fs.open_new(path)
    fs.write(handle, 0, data)
    if sync:
        fs.fsync(handle)
    fs.close(handle)


def test_a_file_without_its_directory_synced_is_gone(fs):
    write(fs, "a", b"data")
    fs.power_cut()
    assert fs.tree() == {}


def test_a_file_whose_bytes_were_not_synced_is_empty(fs):
    write(fs, "a", b"data", sync=False)
    fs.fsync_dir("")
    fs.power_cut()
    assert fs.tree() == {"a": b""}


def test_a_rename_that_was_not_synced_did_not_happen(fs):
    write(fs, "a", b"a")
    fs.mkdir("d")
    fs.fsync_dir("")
    fs.rename("a", "d/b")
    fs.power_cut()
    assert fs.tree() == {"a": b"a", "d": None}
    fs.rename("a", "d/b")
    fs.fsync_dir("d")
    fs.power_cut()
    assert fs.tree() == {"d": None, "d/b": b"a"}


def test_with_chances_each_change_may_have_reached_the_disk(fs):
    seen = set()
    for seed in range(40):
        fs = FakeFs(lambda: 1)
        write(fs, "a", b"old")
        fs.fsync_dir("")
        write(fs, "b", b"new", sync=False)
        fs.rename("b", "a")
        fs.mkdir("d")
        fs.power_cut(random.Random(seed))
        seen.add((fs.tree().get("a"), "b" in fs.tree(), "d" in fs.tree()))
    assert {a for a, _, _ in seen} == {b"old", b"new", b""}
    assert {d for *_, d in seen} == {True, False}


def test_after_a_kill_all_is_there(fs):
    fs.put("d/a", b"a")
    fs.fail_at(0)
    with pytest.raises(Crash):
        fs.unlink("d/a")
    with pytest.raises(Crash):
        fs.lstat("d/a")
    fs.kill()
    assert fs.tree() == {"d": None, "d/a": b"a"}


def test_the_kth_call_fails_and_does_nothing(fs):
    fs.put("a", b"a")
    fs.fail_at(1, errno.EIO)
    fs.lstat("a")
    with pytest.raises(OSError) as error:
        fs.unlink("a")
    assert error.value.errno == errno.EIO
    assert fs.tree() == {"a": b"a"}
    fs.unlink("a")


def test_a_full_disk_is_full(fs):
    fs.capacity = 10
    write(fs, "a", b"12345")
    with pytest.raises(OSError) as error:
        write(fs, "b", b"123456")
    assert error.value.errno == errno.ENOSPC
    assert fs.space().free == 5
    fs.unlink("a")
    assert fs.space().free == 10


def test_a_read_only_one_only_reads(fs):
    fs.put("a", b"a")
    fs.read_only = True
    assert fs.lstat("a").size == 1
    with pytest.raises(OSError) as error:
        fs.unlink("a")
    assert error.value.errno == errno.EROFS


def test_names_fold_where_they_should(fs):
    folding = FakeFs(lambda: 1, folds=True)
    folding.put("File", b"1")
    assert folding.lstat("FILE").size == 1
    assert [name for name, _ in folding.scandir("")] == ["File"]
    folding.rename("File", "file")
    assert [name for name, _ in folding.scandir("")] == ["file"]
    apart = FakeFs(lambda: 1, decomposes=True)
    apart.put("\u00e9", b"1")
    assert [name for name, _ in apart.scandir("")] == ["e\u0301"]
    assert apart.lstat("\u00e9").size == 1


def test_inodes_come_again_where_they_should():
    fs = FakeFs(lambda: 1, reuse_inodes=True)
    fs.put("a", b"a")
    ino = fs.lstat("a").ino
    fs.unlink("a")
    fs.put("b", b"b")
    assert fs.lstat("b").ino == ino


def test_where_the_disk_was_there_is_an_empty_directory(fs):
    fs.put("a", b"a")
    device = fs.lstat("").dev
    fs.unmount()
    assert fs.tree() == {} and fs.lstat("").dev != device
    fs.mount()
    assert fs.tree() == {"a": b"a"} and fs.lstat("").dev == device
