from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disk_content import Content, File, content, fill, read
from disk_content import Path as Names
from wildbach.base.errors import StorageError
from wildbach.disk import system
from wildbach.disk.files import FileOptions, FileStorage
from wildbach.disk.handles import OpenFiles
from wildbach.disk.layout import Layout
from wildbach.disk.memory import MemoryStorage

ODD = content(("a", 10), ("sub/b", 40_000), ("empty", 0), ("sub/deep/c", 70_001), ("d", 1))


def whole(what: Content) -> bytes:
    return what.linear(0, sum(f.length for f in what.geometry.files))


def check_files(root: Path, what: Content) -> None:
    for file, data in zip(what.files, what.data, strict=True):
        if not file.pad and file.length:
            assert (root / what.name).joinpath(*file.path.parts).read_bytes() == data


def test_what_was_written_is_read_back_across_files(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path)
    fill(storage, ODD)
    assert read(storage, 0, 110_012) == whole(ODD)
    assert read(storage, 9, 3) == ODD.linear(9, 3)
    storage.sync()
    storage.close()
    check_files(tmp_path, ODD)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 50_000), min_size=1, max_size=6), v2=st.booleans(), memory=st.booleans(),
    cuts=st.lists(st.integers(1, 20_000), min_size=1, max_size=4), data=st.data(),
)
def test_any_split_into_buffers_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], v2: bool, memory: bool, cuts: list[int],
    data: st.DataObject,
) -> None:
    what = content(*((f"f{i}", n) for i, n in enumerate(lengths)), v2=v2)
    storage = MemoryStorage(what) if memory else FileStorage(what, tmp_path_factory.mktemp("s"))
    with contextlib.closing(storage):
        fill(storage, what)
        for piece in range(what.geometry.piece_count):
            offset, right = what.piece(piece)
            start = data.draw(st.integers(0, len(right) - 1))
            buffers, left = [], len(right) - start
            for size in cuts:
                buffers.append(bytearray(min(size, left)))
                left -= len(buffers[-1])
            storage.read_into(offset + start, [memoryview(b) for b in buffers])
            assert b"".join(buffers) == right[start : len(right) - left]


def test_pad_files_read_as_zeros_and_are_never_made(tmp_path: Path) -> None:
    pad = File(Names((".pad", "100")), 100, pad=True)
    what = content(("a", 16_284), pad, ("b", 5))
    storage = FileStorage(what, tmp_path)
    fill(storage, what)
    assert read(storage, 16_284, 105) == bytes(100) + what.data[2]
    lent = storage.targets(16_280, 109)
    assert lent is not None
    assert [(t.fd == -1, t.offset, t.length) for t in lent] == [(False, 16_280, 4), (True, 0, 100), (False, 0, 5)]
    storage.release(lent)
    assert sorted(p.name for p in (tmp_path / "thing").iterdir()) == ["a", "b"]
    storage.close()


def test_files_are_sparse_and_have_their_full_length_at_once(tmp_path: Path) -> None:
    what = content(("big", 64 << 20))
    storage = FileStorage(what, tmp_path)
    storage.write(0, [memoryview(bytes(10))])
    state = (tmp_path / "thing" / "big").stat()
    assert state.st_size == 64 << 20
    assert state.st_blocks * 512 < 1 << 20
    storage.close()


def test_preallocation_reserves_the_space(tmp_path: Path) -> None:
    what = content(("big", 1 << 20), ("zero", 0))
    storage = FileStorage(what, tmp_path, options=FileOptions(preallocate=True))
    storage.prepare()
    assert (tmp_path / "thing" / "big").stat().st_blocks * 512 >= 1 << 20
    assert (tmp_path / "thing" / "zero").stat().st_size == 0
    storage.close()


def test_preallocation_refuses_what_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "free_space", lambda path: 1000)
    storage = FileStorage(content(("big", 1 << 20)), tmp_path, options=FileOptions(preallocate=True))
    with pytest.raises(StorageError) as caught:
        storage.prepare()
    assert caught.value.code == "disk_full"
    assert not (tmp_path / "thing").exists()


def test_reading_what_is_not_there_says_missing_or_short(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path)
    with pytest.raises(StorageError) as caught:
        read(storage, 0, 5)
    assert caught.value.code == "missing"
    assert not storage.try_read(0, [memoryview(bytearray(5))])
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "a").write_bytes(b"123")
    assert read(storage, 0, 3) == b"123"
    with pytest.raises(StorageError) as caught:
        read(storage, 0, 5)
    assert caught.value.code == "short_file"
    assert not storage.try_read(0, [memoryview(bytearray(5))])
    storage.close()


def test_try_read_serves_cached_data_once_a_file_is_open(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path)
    fill(storage, ODD)
    buffer = bytearray(1000)
    handle = storage._table[0]
    if handle.now_flags is None:
        assert not storage.try_read(0, [memoryview(buffer)])
    else:
        assert storage.try_read(5, [memoryview(buffer)[:400], memoryview(buffer)[400:]])
        assert bytes(buffer) == ODD.linear(5, 1000)
    storage.close()


@pytest.mark.parametrize("kernel", [True, False])
def test_a_link_below_the_folder_is_never_followed(
    tmp_path: Path, kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system.kernel, "openat2", system.kernel.openat2 and kernel)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b").write_bytes(b"x" * 40_000)
    root = tmp_path / "root"
    (root / "thing").mkdir(parents=True)
    (root / "thing" / "sub").symlink_to(outside)
    (root / "thing" / "a").symlink_to(outside / "b")
    storage = FileStorage(ODD, root)
    for offset in (0, 20):
        for access in (lambda at: read(storage, at, 5), lambda at: storage.write(at, [memoryview(b"evil!")])):
            with pytest.raises(StorageError) as caught:
                access(offset)
            assert caught.value.code == "unsafe_path"
    assert (outside / "b").read_bytes() == b"x" * 40_000
    storage.close()


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\0b"])
def test_unsafe_components_are_refused_even_where_metainfo_let_them_pass(tmp_path: Path, name: str) -> None:
    what = Content("thing", ODD.geometry, tuple(File(Names(("x", name)), f.length) for f in ODD.files), True, ODD.data)
    storage = FileStorage(what, tmp_path / "in")
    with pytest.raises(StorageError) as caught:
        storage.write(0, [memoryview(b"12345")])
    assert caught.value.code == "unsafe_path"
    assert not any(p.is_file() for p in tmp_path.rglob("*"))


def test_something_else_in_place_of_a_file_is_an_error_and_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    os.mkfifo(tmp_path / "thing" / "a")
    (tmp_path / "thing" / "sub").write_bytes(b"")
    storage = FileStorage(ODD, tmp_path)
    for offset in (0, 20):
        with pytest.raises(StorageError) as caught:
            storage.write(offset, [memoryview(b"12345")])
        assert caught.value.code == "unsafe_path"


def test_open_files_are_bounded_over_all_torrents(tmp_path: Path) -> None:
    pool = OpenFiles(limit=4)
    what = content(*((f"f{i}", 100) for i in range(50)))
    storages = [FileStorage(what, tmp_path / str(i), files=pool) for i in range(3)]
    for storage in storages:
        fill(storage, what)
        assert len(pool) <= 4
    for storage in storages:
        assert read(storage, 0, 5000) == whole(what)
        storage.sync()
        storage.close()
    assert len(pool) == 0


def test_targets_stay_open_while_lent_and_keep_their_number(tmp_path: Path) -> None:
    retired: list[int] = []
    pool = OpenFiles(limit=1)
    storage = FileStorage(ODD, tmp_path, files=pool, options=FileOptions(retired=retired.append))
    lent = storage.targets(5, 20)
    assert lent is not None
    assert [(t.offset, t.length) for t in lent] == [(5, 5), (0, 15)]
    read_later = ODD.linear(100_000, 5)
    storage.write(100_000, [memoryview(read_later)])
    for target, part in zip(lent, (ODD.linear(5, 5), ODD.linear(10, 15)), strict=True):
        os.pwrite(target.fd, part, target.offset)
    storage.release(lent)
    assert read(storage, 5, 20) == ODD.linear(5, 20)
    storage.write(100_000, [memoryview(read_later)])
    again = storage.targets(0, 1)
    assert again is not None
    assert again[0].file == lent[0].file
    storage.release(again)
    storage.sync()
    assert retired == []
    storage.close()
    assert sorted(retired) == sorted(t.file for t in lent)
    with pytest.raises(StorageError):
        read(storage, 0, 1)


def test_the_incomplete_suffix_goes_when_a_file_is_finished(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path, options=FileOptions(suffix=".!wb"))
    storage.prepare()
    fill(storage, ODD)
    names = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {"a.!wb", "b.!wb", "c.!wb", "d.!wb", "empty"}
    storage.finish([0, 3])
    storage.sync()
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"a", "b.!wb", "c", "d.!wb", "empty"}
    storage.close()
    later = FileStorage(ODD, tmp_path, options=FileOptions(suffix=".!wb"))
    assert read(later, 0, 110_012) == whole(ODD)
    later.finish(range(5))
    later.close()
    check_files(tmp_path, ODD)


def test_finishing_never_replaces_a_file_that_is_in_the_way(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path, options=FileOptions(suffix=".!wb"))
    fill(storage, ODD)
    (tmp_path / "thing" / "a").write_bytes(b"mine")
    with pytest.raises(StorageError) as caught:
        storage.finish([0])
    assert caught.value.code == "target_exists"
    assert (tmp_path / "thing" / "a").read_bytes() == b"mine"
    storage.close()


def test_executable_files_and_links_inside_the_torrent(tmp_path: Path) -> None:
    what = content(
        File(Names(("bin", "run")), 5, executable=True),
        File(Names(("lib", "link")), 0, symlink=Names(("bin", "run"))),
        File(Names(("dangling",)), 0, symlink=Names(("nowhere",))),
        File(Names(("dir",)), 0, symlink=Names(("bin",))),
    )
    storage = FileStorage(what, tmp_path)
    storage.prepare()
    assert not (tmp_path / "thing" / "lib").exists()
    fill(storage, what)
    storage.finish(range(4))
    top = tmp_path / "thing"
    assert stat.S_IMODE((top / "bin" / "run").stat().st_mode) & 0o100
    assert os.readlink(top / "lib" / "link") == "../bin/run"
    assert (top / "lib" / "link").read_bytes() == what.data[0]
    assert not os.path.lexists(top / "dangling")
    assert os.readlink(top / "dir") == "bin"
    storage.finish(range(4))
    storage.close()


def test_layouts(tmp_path: Path) -> None:
    single = content(("film.mkv", 10), name="film.mkv", multi_file=False)
    for what, kind, path in (
        (ODD, "original", "thing/a"), (ODD, "none", "a"), (ODD, "subfolder", "thing/a"),
        (single, "original", "film.mkv"), (single, "none", "film.mkv"), (single, "subfolder", "film/film.mkv"),
    ):
        root = tmp_path / kind / what.name
        storage = FileStorage(what, root, options=FileOptions(layout=kind))
        fill(storage, what, [0])
        assert (root / path).is_file()
        storage.close()


def test_renamed_files_are_found(tmp_path: Path) -> None:
    storage = FileStorage(ODD, Layout(str(tmp_path), renames={1: ("new", "place")}))
    fill(storage, ODD)
    assert (tmp_path / "new" / "place").read_bytes() == ODD.data[1]
    assert read(storage, 0, 110_012) == whole(ODD)
    storage.close()


def test_a_file_that_vanished_before_the_sync_is_reported(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path)
    fill(storage, ODD)
    (tmp_path / "thing" / "a").unlink()
    with pytest.raises(StorageError) as caught:
        storage.sync()
    assert caught.value.code == "missing"
    storage.close()


def test_a_file_that_became_shorter_before_the_sync_is_reported(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path)
    fill(storage, ODD)
    storage.sync()
    os.truncate(tmp_path / "thing" / "sub" / "b", 0)
    storage.write(10, [memoryview(ODD.linear(10, 16_384))])
    with pytest.raises(StorageError, match="became shorter") as caught:
        storage.sync()
    assert caught.value.code == "changed"
    storage.rest()
    storage.write(10, [memoryview(ODD.linear(10, 40_000))])
    storage.sync()
    check_files(tmp_path, ODD)
    storage.close()


def test_many_dirty_files_are_synced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(system, "fdatasync", calls.append)
    what = content(*((f"f{i}", 100) for i in range(200)))
    storage = FileStorage(what, tmp_path)
    fill(storage, what)
    storage.sync()
    assert calls == []
    storage.write(0, [memoryview(b"1")])
    storage.sync()
    assert len(calls) == 1
    storage.sync()
    assert len(calls) == 1
    storage.close()


def test_too_many_open_files_closes_others_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileStorage(ODD, tmp_path)
    storage.write(0, [memoryview(b"1")])
    real, failures = system.open_beneath, [True]

    def scarce(*args: object, **kwargs: object) -> int:
        if failures:
            failures.pop()
            raise OSError(24, "Too many open files")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(system, "open_beneath", scarce)
    storage.write(100_000, [memoryview(b"1")])
    storage.close()


def test_a_file_with_another_name_is_copied_before_it_is_written_to(tmp_path: Path) -> None:
    storage = FileStorage(ODD, tmp_path)
    fill(storage, ODD)
    storage.close()
    other = tmp_path / "other name"
    os.link(tmp_path / "thing" / "sub" / "b", other)
    storage = FileStorage(ODD, tmp_path)
    assert read(storage, 10, 40_000) == ODD.data[1]
    lent = storage.targets(0, 10)
    assert lent is not None, "a file of its own is lent at once"
    storage.release(lent)
    assert storage.targets(10, 5) is None, "the copy is made in a worker"
    storage.write(10, [memoryview(b"fresh")])
    lent = storage.targets(10, 5)
    assert lent is not None
    storage.release(lent)
    assert read(storage, 10, 40_000) == b"fresh" + ODD.data[1][5:]
    assert other.read_bytes() == ODD.data[1]
    assert other.stat().st_nlink == 1
    storage.close()
