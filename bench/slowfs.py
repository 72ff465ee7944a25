"""A file system, by FUSE, that passes everything on to a folder and takes its time for each call about content.

    python slowfs.py FOLDER MOUNTPOINT SECONDS
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import mfusepy as fuse


class Slow(fuse.Operations):
    use_ns = True

    def __init__(self, root: str, seconds: float) -> None:
        self.root = root
        self.seconds = seconds

    def _at(self, path: str) -> str:
        return self.root + path

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._at(path))
        return {name: getattr(found, name) for name in ("st_mode", "st_size", "st_nlink", "st_uid", "st_gid")} | {
            "st_mtime": found.st_mtime_ns, "st_atime": found.st_atime_ns, "st_ctime": found.st_ctime_ns}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._at(path))]

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._at(path))
        return {name: getattr(found, name) for name in (
            "f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize", "f_namemax")}

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._at(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._at(path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._at(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._at(old), self._at(new))
        return 0

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: str, flags: int) -> int:
        time.sleep(self.seconds)
        return os.open(self._at(path), flags & ~os.O_APPEND)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        time.sleep(self.seconds)
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        time.sleep(self.seconds)
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._at(path), mode)
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        os.utime(self._at(path), ns=times)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        time.sleep(self.seconds)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0


if __name__ == "__main__":
    fuse.FUSE(Slow(sys.argv[1], float(sys.argv[3])), sys.argv[2], foreground=True, big_writes=True)
