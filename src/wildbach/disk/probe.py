"""What a folder's disk can do: room, speed with and without flushing, and whether cached data is read without waiting.

Blocking, for worker threads. What is written is removed again.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from wildbach.disk.system import Mounts, drop_cache, fdatasync, free_space, read_fully, storage_error, write_fully

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class DiskProbe:
    """What was measured below one folder."""

    path: str
    free: int
    "Bytes."
    write_rate: float
    "Bytes a second, with the flush at the end."
    read_rate: float
    "Bytes a second, after the system was asked to forget them."
    flush_seconds: float
    "For one small write: what a durable piece waits for at least."
    inline: bool
    "Data in memory is read without a detour over worker threads."


def probe(path: Path, size: int = 32 << 20) -> DiskProbe:
    """Measure with a file of `size` bytes in a folder, which is made where it does not exist. Raises StorageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        free = free_space(str(path))
        size = max(_CHUNK, min(size, free // 4) // _CHUNK * _CHUNK)
        fd, name = tempfile.mkstemp(prefix=".wildbach-probe-", dir=path)
    except OSError as error:
        raise storage_error(error, "make a file", str(path)) from error
    try:
        return _measure(fd, str(path), free, size)
    except OSError as error:
        raise storage_error(error, "write and read a file", str(path)) from error
    finally:
        os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(name)


def _measure(fd: int, path: str, free: int, size: int) -> DiskProbe:
    data = memoryview(os.urandom(_CHUNK))
    start = time.perf_counter()
    for offset in range(0, size, _CHUNK):
        write_fully(fd, [data], offset)
    fdatasync(fd)
    written = time.perf_counter() - start
    start = time.perf_counter()
    write_fully(fd, [data[:4096]], 0)
    fdatasync(fd)
    flushed = time.perf_counter() - start
    drop_cache(fd)
    place = memoryview(bytearray(_CHUNK))
    start = time.perf_counter()
    for offset in range(0, size, _CHUNK):
        read_fully(fd, [place], offset)
    read = time.perf_counter() - start
    return DiskProbe(
        path, free, size / max(written, 1e-9), size / max(read, 1e-9), flushed, Mounts().flags(fd) is not None)
