"""What every `disk.folder.fs.Fs` must do. A test runs each check on each implementation, on an empty directory."""

from __future__ import annotations

import errno
from collections.abc import Callable

from wildbach.disk.folder.fs import Fs, Kind


def _put(fs: Fs, path: str, data: bytes) -> None:
    handle = fs.open_new(path)
    fs.write(handle, 0, data)
    fs.close(handle)


def _get(fs: Fs, path: str) -> bytes:
    handle = fs.open_read(path)
    view = memoryview(bytearray(1 << 16))
    got = fs.read_into(handle, 0, view)
    fs.close(handle)
    return bytes(view[:got])


def _fails(number: int, call: Callable[[], object]) -> None:
    try:
        call()
    except OSError as error:
        assert error.errno == number, f"errno {error.errno} instead of {number}"
        return
    raise AssertionError("it did not fail")


def files_hold_what_was_written(fs: Fs) -> None:
    handle = fs.open_new("a")
    fs.write(handle, 3, b"defg")
    assert fs.fstat(handle).size == 7
    fs.truncate(handle, 5)
    view = memoryview(bytearray(9))
    assert fs.read_into(handle, 1, view) == 4
    assert bytes(view[:4]) == b"\0\0de"
    fs.fsync(handle)
    fs.close(handle)
    fs.fsync_dir("")
    assert _get(fs, "a") == b"\0\0\0de"
    again = fs.open_write("a")
    fs.write(again, 0, b"abc")
    fs.close(again)
    assert _get(fs, "a") == b"abcde"


def ranges_are_copied(fs: Fs) -> None:
    _put(fs, "a", bytes(range(200)) * 200)
    source, target = fs.open_read("a"), fs.open_new("b")
    fs.copy_range(source, 16384, target, 4096, 8192)
    fs.close(source)
    fs.close(target)
    assert _get(fs, "b") == bytes(4096) + (bytes(range(200)) * 200)[16384 : 16384 + 8192]


def stat_tells_kinds_and_changes(fs: Fs) -> None:
    _put(fs, "f", b"12")
    fs.mkdir("d")
    fs.symlink("no/where", "l")
    file, folder, link = fs.lstat("f"), fs.lstat("d"), fs.lstat("l")
    assert [file.kind, folder.kind, link.kind] == [Kind.FILE, Kind.DIR, Kind.LINK]
    assert (file.size, link.size, file.nlink) == (2, 8, 1)
    assert len({file.ino, folder.ino, link.ino}) == 3
    assert file.dev == folder.dev == link.dev == fs.lstat("").dev
    assert fs.readlink("l") == "no/where"
    handle = fs.open_write("f")
    fs.set_times(handle, 1_234_567_890_123_456_789)
    fs.set_mode(handle, 0o740)
    assert fs.fstat(handle) == fs.lstat("f")
    fs.close(handle)
    now = fs.lstat("f")
    assert now.mtime_ns == 1_234_567_890_123_456_789
    assert now.mode == 0o740 and not file.mode & 0o100
    fs.mkdir("own", 0o700)
    assert fs.lstat("own").mode == 0o700
    assert now.ctime_ns >= file.ctime_ns


def directories_list_what_is_in_them(fs: Fs) -> None:
    fs.mkdir("d")
    fs.mkdir("d/e")
    _put(fs, "d/f", b"x")
    found = dict(fs.scandir("d"))
    assert found == {"e": fs.lstat("d/e"), "f": fs.lstat("d/f")}
    assert dict(fs.scandir("")) == {"d": fs.lstat("d")}


def a_rename_replaces_and_a_new_one_does_not(fs: Fs) -> None:
    _put(fs, "a", b"a")
    _put(fs, "b", b"b")
    _fails(errno.EEXIST, lambda: fs.rename_new("a", "b"))
    ino = fs.lstat("a").ino
    fs.rename("a", "b")
    assert _get(fs, "b") == b"a" and fs.lstat("b").ino == ino
    fs.mkdir("d")
    fs.rename_new("b", "d/c")
    assert [name for name, _ in fs.scandir("")] == ["d"]
    fs.rename("d", "e")
    assert _get(fs, "e/c") == b"a"
    _fails(errno.EINVAL, lambda: fs.rename("e", "e/below"))


def two_names_change_places(fs: Fs) -> None:
    _put(fs, "a", b"a")
    fs.mkdir("d")
    _put(fs, "d/b", b"b")
    fs.exchange("a", "d/b")
    assert (_get(fs, "a"), _get(fs, "d/b")) == (b"b", b"a")
    _fails(errno.ENOENT, lambda: fs.exchange("a", "none"))


def a_second_name_is_the_same_file(fs: Fs) -> None:
    _put(fs, "a", b"a")
    fs.link("a", "b")
    assert fs.lstat("a") == fs.lstat("b") and fs.lstat("a").nlink == 2
    fs.unlink("a")
    assert _get(fs, "b") == b"a" and fs.lstat("b").nlink == 1
    fs.symlink("x", "l")
    fs.link("l", "m")
    assert fs.readlink("m") == "x"
    _fails(errno.EEXIST, lambda: fs.link("b", "l"))


def what_is_missing_or_in_the_way_is_said(fs: Fs) -> None:
    _put(fs, "f", b"")
    fs.mkdir("d")
    _put(fs, "d/x", b"")
    _fails(errno.ENOENT, lambda: fs.lstat("none"))
    _fails(errno.ENOENT, lambda: fs.open_read("none/below"))
    _fails(errno.ENOTDIR, lambda: fs.lstat("f/below"))
    _fails(errno.ENOTDIR, lambda: list(fs.scandir("f")))
    _fails(errno.EEXIST, lambda: fs.open_new("f"))
    _fails(errno.EEXIST, lambda: fs.mkdir("f"))
    _fails(errno.ENOTEMPTY, lambda: fs.rmdir("d"))
    _fails(errno.ENOTDIR, lambda: fs.rmdir("f"))
    _fails(errno.EISDIR, lambda: fs.unlink("d"))
    _fails(errno.EISDIR, lambda: fs.open_write("d"))
    _fails(errno.EISDIR, lambda: fs.rename("f", "d"))
    _fails(errno.ENAMETOOLONG, lambda: fs.open_new("n" * 256))
    fs.unlink("d/x")
    fs.rmdir("d")
    assert [name for name, _ in fs.scandir("")] == ["f"]


def links_are_never_followed(fs: Fs) -> None:
    fs.mkdir("d")
    _put(fs, "d/x", b"secret")
    fs.symlink("d", "l")
    fs.symlink("d/x", "m")
    _fails(errno.ELOOP, lambda: fs.open_read("m"))
    _fails(errno.ELOOP, lambda: fs.open_write("m"))
    for path in ("l/x", "l/new"):
        for call in (fs.open_read, fs.open_new, fs.lstat, fs.unlink, fs.mkdir):
            _not_through(lambda call=call, path=path: call(path))  # type: ignore[misc]  # bound early
    _not_through(lambda: fs.rename("d/x", "l/y"))
    _not_through(lambda: list(fs.scandir("l")))
    assert _get(fs, "d/x") == b"secret"


def _not_through(call: Callable[[], object]) -> None:
    try:
        call()
    except OSError as error:
        assert error.errno in (errno.ELOOP, errno.ENOTDIR)
        return
    raise AssertionError("a link was followed")


def nothing_above_the_top_is_reached(fs: Fs) -> None:
    for path in ("..", "../x", "a/../../x", ".", "a//b"):
        for call in (fs.lstat, fs.open_new, fs.unlink):
            try:
                call(path)
            except OSError:
                continue
            raise AssertionError(f"{path} was reached")


def the_disk_has_a_size(fs: Fs) -> None:
    space = fs.space()
    assert 0 < space.free <= space.total
    assert fs.attached()


FS: tuple[Callable[[Fs], None], ...] = (
    files_hold_what_was_written,
    ranges_are_copied,
    stat_tells_kinds_and_changes,
    directories_list_what_is_in_them,
    a_rename_replaces_and_a_new_one_does_not,
    two_names_change_places,
    a_second_name_is_the_same_file,
    what_is_missing_or_in_the_way_is_said,
    links_are_never_followed,
    nothing_above_the_top_is_reached,
    the_disk_has_a_size,
)
