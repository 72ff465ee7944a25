"""The file system calls that a kept folder needs, all below one directory.

`Fs` is the seam: `RealFs` is the kernel, `testing.fakefs.FakeFs` lives in memory and loses what was not synced. Paths
are relative with `/`; `""` is the top. No symbolic link is ever followed. Everything blocks and raises OSError; names
that are not Unicode come with surrogates, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat as modes
import struct
import sys
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple, Protocol

from wildbach.base import limits
from wildbach.disk import system

if sys.platform != "win32":
    import fcntl


class Kind(Enum):
    FILE = "file"
    DIR = "dir"
    LINK = "link"
    OTHER = "other"
    "A socket, a device, a pipe."


class Stat(NamedTuple):
    """What lstat says. Times are in nanoseconds since 1970."""

    kind: Kind
    size: int
    mtime_ns: int
    ctime_ns: int
    dev: int
    ino: int
    mode: int
    nlink: int


class Space(NamedTuple):
    total: int
    free: int
    "Bytes that an ordinary user may write."


class Fs(Protocol):
    """See the module. A handle is an open file; who opened it closes it."""

    def attached(self) -> bool:
        """True while the path that was given still leads to the directory that is held."""
        ...

    def scandir(self, path: str) -> Iterator[tuple[str, Stat]]:
        """Names with their lstat, in no order; what vanishes meanwhile is left out."""
        ...

    def lstat(self, path: str) -> Stat: ...
    def open_read(self, path: str) -> int: ...
    def open_new(self, path: str) -> int:
        """A file to read and write that did not exist."""
        ...

    def open_write(self, path: str) -> int:
        """A file that exists, to read and write."""
        ...

    def close(self, handle: int) -> None: ...
    def fstat(self, handle: int) -> Stat: ...
    def read_into(self, handle: int, offset: int, view: memoryview) -> int:
        """The bytes read; fewer than the view holds only at the end of the file."""
        ...

    def write(self, handle: int, offset: int, data: bytes | memoryview) -> None:
        """All of `data`."""
        ...

    def truncate(self, handle: int, size: int) -> None: ...
    def copy_range(self, source: int, begin: int, target: int, to: int, length: int) -> None:
        """Between two open files; shared instead of copied where the file system can."""
        ...

    def set_times(self, handle: int, mtime_ns: int) -> None: ...
    def set_mode(self, handle: int, mode: int) -> None:
        """The permission bits."""
        ...

    def fsync(self, handle: int) -> None: ...
    def fsync_dir(self, path: str) -> None: ...
    def rename(self, path: str, to: str) -> None:
        """Over what is there."""
        ...

    def rename_new(self, path: str, to: str) -> None:
        """Raises FileExistsError where something is there; EINVAL where the file system cannot tell."""
        ...

    def exchange(self, path: str, other: str) -> None:
        """Both names change places in one step; EINVAL where the file system cannot."""
        ...

    def link(self, path: str, to: str) -> None:
        """A second name of a file or symbolic link."""
        ...

    def symlink(self, target: str, path: str) -> None: ...
    def readlink(self, path: str) -> str: ...
    def unlink(self, path: str) -> None: ...
    def mkdir(self, path: str, mode: int = 0o777) -> None: ...
    def rmdir(self, path: str) -> None: ...
    def space(self) -> Space: ...


NOT_ABLE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV, errno.EMLINK)
"Numbers by which file systems say that they have no hard links or no exchange."

_NOREPLACE, _EXCHANGE = 1, 2
_63_BITS = (1 << 63) - 1
_FICLONERANGE = 0x4020940D
_CLONE = struct.Struct("=qQQQ")
_KINDS = {modes.S_IFREG: Kind.FILE, modes.S_IFDIR: Kind.DIR, modes.S_IFLNK: Kind.LINK}


def with_bit(mode: int, executable: bool) -> int:
    """Permission bits with which who may read may also execute, or nobody may."""
    return mode & 0o777 | (mode & 0o444) >> 2 if executable else mode & 0o666


def _stat(raw: os.stat_result) -> Stat:
    """All numbers fit into 63 bits, which databases and entries take: times after 2262 are its end."""
    mode, mtime, ctime = raw.st_mode, raw.st_mtime_ns, raw.st_ctime_ns
    # Of each file that a scan passes: the calls of `max` and `min` for times that nobody has are a tenth of it.
    if not -limits.SYNC_MTIME_NS <= mtime <= limits.SYNC_MTIME_NS:
        mtime = limits.SYNC_MTIME_NS if mtime > 0 else -limits.SYNC_MTIME_NS
    if ctime > _63_BITS:
        ctime = _63_BITS
    return Stat(
        _KINDS.get(mode & 0o170000, Kind.OTHER), raw.st_size, mtime, ctime, raw.st_dev & _63_BITS,
        raw.st_ino & _63_BITS, mode & 0o7777, raw.st_nlink,
    )


class _Held:
    """The directory that holds a path, open for one call, and the path's last name."""

    def __init__(self, top: int, path: str) -> None:
        parts = path.split("/")
        self.name = parts[-1]
        if self.name in ("", ".", ".."):
            raise OSError(errno.EINVAL, "no file name", path)
        self._own = len(parts) > 1
        self.fd = system.open_beneath(top, parts[:-1], os.O_PATH | system.DIRECTORY) if self._own else top

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            os.close(self.fd)


class RealFs:
    """The directory `root` of this machine. `close_root` lets it go. For any thread."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._top = system.open_folder(root)
        self._libc = ctypes.CDLL(None, use_errno=True)

    def close_root(self) -> None:
        top, self._top = self._top, -1
        if top >= 0:
            os.close(top)

    def attached(self) -> bool:
        try:
            now = os.stat(self.root)
            # A mount whose server or process is gone does not even say what is held.
            held = os.fstat(self._top)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino)

    def open_dir(self, path: str) -> int:
        """A descriptor of a directory, which the caller closes with `os.close`."""
        if not path:
            return os.open(".", os.O_RDONLY | system.DIRECTORY | system.CLOEXEC, dir_fd=self._top)
        return system.open_beneath(self._top, path.split("/"), os.O_RDONLY | system.DIRECTORY)

    def scandir(self, path: str) -> Iterator[tuple[str, Stat]]:
        fd = self.open_dir(path)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield entry.name, _stat(found)
        finally:
            os.close(fd)

    def lstat(self, path: str) -> Stat:
        if not path:
            return _stat(os.fstat(self._top))
        with _Held(self._top, path) as held:
            return _stat(os.stat(held.name, dir_fd=held.fd, follow_symlinks=False))

    def open_read(self, path: str) -> int:
        # Without O_NONBLOCK a pipe that took the place of a file would hold the thread for ever.
        return system.open_beneath(self._top, path.split("/"), os.O_RDONLY | os.O_NONBLOCK)

    def open_new(self, path: str) -> int:
        return system.open_beneath(self._top, path.split("/"), os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def open_write(self, path: str) -> int:
        return system.open_beneath(self._top, path.split("/"), os.O_RDWR | os.O_NONBLOCK)

    def close(self, handle: int) -> None:
        os.close(handle)

    def fstat(self, handle: int) -> Stat:
        return _stat(os.fstat(handle))

    def read_into(self, handle: int, offset: int, view: memoryview) -> int:
        return system.read_fully(handle, [view], offset)

    def write(self, handle: int, offset: int, data: bytes | memoryview) -> None:
        system.write_fully(handle, [memoryview(data)], offset)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def copy_range(self, source: int, begin: int, target: int, to: int, length: int) -> None:
        if length and sys.platform == "linux":
            try:
                fcntl.ioctl(target, _FICLONERANGE, _CLONE.pack(source, begin, length, to))
                return
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                    raise
        system.copy_range(source, begin, target, to, length)

    def set_times(self, handle: int, mtime_ns: int) -> None:
        os.utime(handle, ns=(os.fstat(handle).st_atime_ns, mtime_ns))

    def set_mode(self, handle: int, mode: int) -> None:
        os.fchmod(handle, mode & 0o777)

    def fsync(self, handle: int) -> None:
        os.fsync(handle)

    def fsync_dir(self, path: str) -> None:
        fd = self.open_dir(path)
        try:
            system.sync_folder(fd)
        finally:
            os.close(fd)

    def rename(self, path: str, to: str) -> None:
        with _Held(self._top, path) as one, _Held(self._top, to) as two:
            os.rename(one.name, two.name, src_dir_fd=one.fd, dst_dir_fd=two.fd)

    def rename_new(self, path: str, to: str) -> None:
        self._rename2(path, to, _NOREPLACE)

    def exchange(self, path: str, other: str) -> None:
        self._rename2(path, other, _EXCHANGE)

    def _rename2(self, path: str, to: str, flags: int) -> None:
        if not hasattr(self._libc, "renameat2"):
            raise OSError(errno.EINVAL, "no renameat2")
        with _Held(self._top, path) as one, _Held(self._top, to) as two:
            if self._libc.renameat2(one.fd, os.fsencode(one.name), two.fd, os.fsencode(two.name), flags) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), path, None, to)

    def link(self, path: str, to: str) -> None:
        with _Held(self._top, path) as one, _Held(self._top, to) as two:
            os.link(one.name, two.name, src_dir_fd=one.fd, dst_dir_fd=two.fd, follow_symlinks=False)

    def symlink(self, target: str, path: str) -> None:
        with _Held(self._top, path) as held:
            os.symlink(target, held.name, dir_fd=held.fd)

    def readlink(self, path: str) -> str:
        with _Held(self._top, path) as held:
            return os.readlink(held.name, dir_fd=held.fd)

    def unlink(self, path: str) -> None:
        with _Held(self._top, path) as held:
            os.unlink(held.name, dir_fd=held.fd)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        with _Held(self._top, path) as held:
            os.mkdir(held.name, mode, dir_fd=held.fd)

    def rmdir(self, path: str) -> None:
        with _Held(self._top, path) as held:
            os.rmdir(held.name, dir_fd=held.fd)

    def space(self) -> Space:
        state = os.fstatvfs(self._top)
        return Space(state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize)
