"""The few system calls the disk layer stands on, each with a plain fallback.

Everything here blocks and raises OSError; `storage_error` translates at the edge. Opening goes through the folder's
file descriptor and never follows a symbolic link below it, so a link planted inside a download cannot lead outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import sys
from collections.abc import Sequence

from wildbach.base.errors import StorageError

if sys.platform != "win32":
    import fcntl

IOV_MAX = 512
"Buffers handed to one vectored call."

_CODES = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "no_permission",
    errno.EPERM: "no_permission",
    errno.EMFILE: "too_many_files",
    errno.ENFILE: "too_many_files",
    errno.EIO: "io_error",
    errno.ENOENT: "missing",
    errno.ELOOP: "unsafe_path",
    errno.ENOTDIR: "unsafe_path",
    errno.EXDEV: "unsafe_path",
    errno.EISDIR: "unsafe_path",
    errno.EFBIG: "file_too_large",
    errno.EEXIST: "target_exists",
    errno.ESTALE: "changed",
}

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
CLOEXEC = getattr(os, "O_CLOEXEC", 0)
DIRECTORY = getattr(os, "O_DIRECTORY", 0)
BINARY = getattr(os, "O_BINARY", 0)
HAS_DIR_FD = os.open in os.supports_dir_fd and os.mkdir in os.supports_dir_fd and os.rename in os.supports_dir_fd


def storage_error(error: OSError, doing: str, path: str = "") -> StorageError:
    """The StorageError for a failed call: `doing` is a verb phrase, the code follows from the system's number."""
    number = error.errno or 0
    reason = os.strerror(number) if number else str(error)
    where = f" {path}" if path else ""
    return StorageError(f"cannot {doing}{where}: {reason}", path=path, errno=number, code=_CODES.get(number))


# opening below a folder

_OPENAT2 = 437
_RESOLVE_BENEATH_NO_SYMLINKS = 0x08 | 0x04 | 0x02


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _Kernel:
    """Calls of the Linux C library that Python does not wrap. What is missing is found out once."""

    def __init__(self) -> None:
        self.libc: ctypes.CDLL | None = None
        if sys.platform == "linux":
            self.libc = ctypes.CDLL(None, use_errno=True)
        self.openat2 = self.libc is not None

    def open(self, folder: int, path: str, flags: int, mode: int) -> int:
        """openat2(2) held below `folder`, no symbolic links; ENOSYS where the kernel or a sandbox has none."""
        if self.libc is None:
            raise OSError(errno.ENOSYS, "no openat2")
        how = _OpenHow(flags | CLOEXEC, mode if flags & os.O_CREAT else 0, _RESOLVE_BENEATH_NO_SYMLINKS)
        while True:
            fd = int(self.libc.syscall(_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)))
            if fd >= 0:
                return fd
            number = ctypes.get_errno()
            if number not in (errno.EINTR, errno.EAGAIN):
                raise OSError(number, os.strerror(number), path)

    def syncfs(self, fd: int) -> bool:
        """Flush the whole file system of `fd`; False where there is no such call."""
        if self.libc is None or not hasattr(self.libc, "syncfs"):
            return False
        if self.libc.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return True

    def in_memory(self, fd: int) -> bool:
        """True for tmpfs and ramfs, where a read never waits for a device."""
        if self.libc is None:
            return False
        raw = ctypes.create_string_buffer(512)
        if self.libc.fstatfs(fd, raw) != 0:
            return False
        return ctypes.c_long.from_buffer(raw).value & 0xFFFFFFFF in (0x01021994, 0x858458F6)


kernel = _Kernel()


def open_folder(path: str) -> int:
    """A descriptor of a folder named by the user; links in *this* path are the user's own and are followed."""
    return os.open(path, os.O_RDONLY | DIRECTORY | CLOEXEC)


def open_beneath(folder: int, parts: Sequence[str], flags: int, mode: int = 0o666) -> int:
    """Open a file by its components below `folder`. Raises ELOOP, ENOTDIR or EXDEV where a link or `..` is met."""
    _check_parts(parts)
    flags |= BINARY
    if kernel.openat2:
        try:
            return kernel.open(folder, "/".join(parts), flags | NOFOLLOW, mode)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG):
                raise
            # A sandbox may answer EPERM for the call itself: walk instead, which fails again where EPERM was meant.
            if error.errno == errno.ENOSYS:
                kernel.openat2 = False
    return walk_open(folder, parts, flags, mode)


def walk_open(folder: int, parts: Sequence[str], flags: int, mode: int = 0o666) -> int:
    """`open_beneath` one component at a time, for systems without openat2."""
    _check_parts(parts)
    holder = walk(folder, parts[:-1])
    try:
        return os.open(parts[-1], flags | NOFOLLOW | CLOEXEC, mode, dir_fd=holder)
    finally:
        os.close(holder)


def walk(folder: int, parts: Sequence[str], *, create: list[tuple[str, ...]] | None = None) -> int:
    """A descriptor of the folder at `parts` below `folder`, which the caller closes.

    With `create`, missing folders are made and each folder that got a new entry is appended to it, as its
    components below `folder`.
    """
    _check_parts(parts, empty=True)
    at = os.dup(folder)
    try:
        for depth, part in enumerate(parts):
            try:
                below = os.open(part, os.O_RDONLY | DIRECTORY | NOFOLLOW | CLOEXEC, dir_fd=at)
            except FileNotFoundError:
                if create is None:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=at)
                create.append(tuple(parts[:depth]))
                below = os.open(part, os.O_RDONLY | DIRECTORY | NOFOLLOW | CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
    except OSError:
        os.close(at)
        raise
    return at


def _check_parts(parts: Sequence[str], *, empty: bool = False) -> None:
    if not parts and not empty:
        raise OSError(errno.EISDIR, "no file name")
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\0" in part or os.sep in part:
            raise OSError(errno.EXDEV, "unsafe path", "/".join(parts))


def make_root(path: str) -> list[str]:
    """Create the user's folder with its parents; the folders that got a new entry, topmost first."""
    missing = []
    at = os.path.abspath(path)
    while not os.path.isdir(at):
        missing.append(at)
        above = os.path.dirname(at)
        if above == at:
            break
        at = above
    changed = []
    for folder in reversed(missing):
        try:
            os.mkdir(folder)
        except FileExistsError:
            if not os.path.isdir(folder):
                raise
        changed.append(os.path.dirname(folder))
    return changed


def sync_folder(fd: int) -> None:
    """Make the entries of a folder durable. File systems that cannot are taken at their word."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def sync_path(path: str) -> None:
    """`sync_folder` by name."""
    fd = open_folder(path)
    try:
        sync_folder(fd)
    finally:
        os.close(fd)


# reading and writing


def fdatasync(fd: int) -> None:
    """Make a file's bytes and length durable."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def drop_cache(fd: int) -> None:
    """Ask the kernel to forget clean cached pages, so that the next read shows what the device holds."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def read_fully(fd: int, buffers: Sequence[memoryview], offset: int) -> int:
    """Fill the buffers from `offset`; the bytes read, fewer only at the end of the file."""
    total = 0
    rest = [b for b in buffers if b.nbytes]
    while rest:
        got = os.preadv(fd, rest[:IOV_MAX], offset + total)
        if got == 0:
            break
        total += got
        rest = after(rest, got)
    return total


def read_now(fd: int, buffers: Sequence[memoryview], offset: int, flags: int) -> bool:
    """Fill the buffers without waiting for a device; False where a part is not cached or the file is shorter."""
    total = 0
    rest = [b for b in buffers if b.nbytes]
    while rest:
        try:
            got = os.preadv(fd, rest[:IOV_MAX], offset + total, flags)
        except BlockingIOError:
            return False
        if got == 0:
            return False
        total += got
        rest = after(rest, got)
    return True


def write_fully(fd: int, buffers: Sequence[memoryview], offset: int) -> None:
    """Write all of the buffers at `offset`."""
    total = 0
    rest = [b for b in buffers if b.nbytes]
    while rest:
        put = os.pwritev(fd, rest[:IOV_MAX], offset + total)
        if put == 0:
            raise OSError(errno.EIO, "nothing was written")
        total += put
        rest = after(rest, put)


def after(buffers: list[memoryview], count: int) -> list[memoryview]:
    """What is left of `buffers` behind the first `count` bytes."""
    for i, buffer in enumerate(buffers):
        if count < buffer.nbytes:
            return [buffer[count:], *buffers[i + 1 :]] if count else buffers[i:]
        count -= buffer.nbytes
    return []


def cut(buffers: Sequence[memoryview], lengths: Sequence[int]) -> list[list[memoryview]]:
    """`buffers` regrouped: one list a length, together covering as many bytes. Views, no copies."""
    out: list[list[memoryview]] = []
    at, inner = 0, 0
    for length in lengths:
        group: list[memoryview] = []
        while length:
            buffer = buffers[at]
            take = min(length, buffer.nbytes - inner)
            if take:
                group.append(buffer if take == buffer.nbytes else buffer[inner : inner + take])
            inner += take
            length -= take
            if inner == buffer.nbytes:
                at, inner = at + 1, 0
        out.append(group)
    return out


def free_space(path: str) -> int:
    """Bytes an ordinary user may still write to the file system of `path`."""
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize


def has_entry(folder: int, name: str) -> bool:
    """True where the folder has an entry of that name, of any kind."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


_NO_KERNEL_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM)


def copy_range(source: int, begin: int, target: int, to: int, length: int) -> None:
    """Copy bytes between files, inside the kernel (shared where the file system can) or through a buffer."""
    in_kernel = hasattr(os, "copy_file_range")
    while length:
        if in_kernel:
            try:
                done = os.copy_file_range(source, target, length, begin, to)
            except OSError as error:
                if error.errno not in _NO_KERNEL_COPY:
                    raise
                in_kernel = False
                continue
        else:
            block = os.pread(source, min(length, 1 << 20), begin)
            write_fully(target, [memoryview(block)], to)
            done = len(block)
        if done == 0:
            raise OSError(errno.EIO, "the source ended early")
        begin, to, length = begin + done, to + done, length - done


def lock(fd: int, *, shared: bool = False, wait: bool = False) -> bool:
    """Lock an open file against other processes (advisory); False where another one has it. Ends with `fd`."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


# what a mount can do

NOWAIT = getattr(os, "RWF_NOWAIT", 0)


class Mounts:
    """How a read that must not block is done, found out once a mount: with RWF_NOWAIT, plainly, or not at all."""

    def __init__(self) -> None:
        self._flags: dict[int, int | None] = {}

    def flags(self, fd: int) -> int | None:
        """Flags for `read_now`: RWF_NOWAIT, 0 on memory file systems, None where reads belong in a worker."""
        device = os.fstat(fd).st_dev
        if device not in self._flags:
            self._flags[device] = self._probe(fd)
        return self._flags[device]

    @staticmethod
    def _probe(fd: int) -> int | None:
        if kernel.in_memory(fd):
            return 0
        if not NOWAIT:
            return None
        try:
            os.preadv(fd, [bytearray(1)], 0, NOWAIT)
        except BlockingIOError:
            return NOWAIT
        except OSError:
            return None
        return NOWAIT


def is_regular(fd: int) -> bool:
    return stat.S_ISREG(os.fstat(fd).st_mode)
