"""Storages around a storage: slow, failing on purpose, or measured. For tests, and for `doctor`."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from wildbach.base.errors import StorageError
from wildbach.disk.storage import Storage, Target
from wildbach.disk.system import storage_error

READ, WRITE, SYNC = "read", "write", "sync"
FAULTS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE)


class Wrapper:
    """Passes everything on."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        self.inner.read_into(offset, buffers)

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        return self.inner.try_read(offset, buffers)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        self.inner.write(offset, buffers)

    def targets(self, offset: int, length: int) -> list[Target] | None:
        return self.inner.targets(offset, length)

    def release(self, targets: Sequence[Target]) -> None:
        self.inner.release(targets)

    def prepare(self) -> None:
        self.inner.prepare()

    def select(self, wanted: Iterable[int]) -> None:
        self.inner.select(wanted)

    def finish(self, files: Iterable[int]) -> None:
        self.inner.finish(files)

    def found(self, offset: int, length: int) -> None:
        self.inner.found(offset, length)

    def sync(self) -> None:
        self.inner.sync()

    def close(self) -> None:
        self.inner.close()


class Slow(Wrapper):
    """Each call costs `latency` seconds and its bytes at `rate` a second, spent by `pause`.

    Nothing is ever cached and nothing is lent to other processes, as with a network file system.
    """

    def __init__(
        self, inner: Storage, *, latency: float = 0.01, rate: float = 50e6,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self.latency = latency
        self.rate = rate
        self._pause = pause

    def _spend(self, buffers: Sequence[memoryview] = ()) -> None:
        self._pause(self.latency + sum(b.nbytes for b in buffers) / self.rate)

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        self._spend(buffers)
        super().read_into(offset, buffers)

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        return False

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        self._spend(buffers)
        super().write(offset, buffers)

    def targets(self, offset: int, length: int) -> list[Target] | None:
        return None

    def sync(self) -> None:
        self._spend()
        super().sync()


class Faulty(Wrapper):
    """Fails on purpose: the k-th call of a kind, once, for some calls or until `heal`.

    A write that fails for lack of space has written its first half, as a disk would.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()
        self._plans: dict[str, tuple[int, int, int]] = {}
        self._lock = threading.Lock()

    def fail(self, kind: str, number: int, *, after: int = 0, times: int = 1 << 30) -> None:
        """From the call of this kind that follows `after` more good ones, `times` calls fail with errno `number`."""
        first = self.calls[kind] + after
        self._plans[kind] = (first, first + times, number)

    def heal(self) -> None:
        """The fault is gone."""
        self._plans.clear()

    def _due(self, kind: str) -> int:
        first, stop, number = self._plans.get(kind, (0, 0, 0))
        return number if first <= self.calls[kind] < stop else 0

    def _count(self, kind: str) -> StorageError | None:
        with self._lock:
            number = self._due(kind)
            self.calls[kind] += 1
        return storage_error(OSError(number, os.strerror(number)), kind) if number else None

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        error = self._count(READ)
        if error is not None:
            raise error
        super().read_into(offset, buffers)

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        # The fault is left for the read in a worker, which can report it.
        return not self._due(READ) and super().try_read(offset, buffers)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        error = self._count(WRITE)
        if error is not None:
            if error.errno == errno.ENOSPC and buffers and buffers[0].nbytes > 1:
                super().write(offset, [buffers[0][: buffers[0].nbytes // 2]])
            raise error
        super().write(offset, buffers)

    def targets(self, offset: int, length: int) -> list[Target] | None:
        return None

    def sync(self) -> None:
        error = self._count(SYNC)
        if error is not None:
            raise error
        super().sync()


class Timed(Wrapper):
    """Counts calls, bytes and seconds by kind."""

    def __init__(self, inner: Storage, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self._clock = clock
        self._lock = threading.Lock()

    def _add(self, kind: str, begun: float, buffers: Sequence[memoryview] = ()) -> None:
        passed = self._clock() - begun
        with self._lock:
            self.calls[kind] += 1
            self.bytes[kind] += sum(b.nbytes for b in buffers)
            self.seconds[kind] += passed  # type: ignore[assignment]  # a Counter counts seconds as well

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        begun = self._clock()
        try:
            super().read_into(offset, buffers)
        finally:
            self._add(READ, begun, buffers)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        begun = self._clock()
        try:
            super().write(offset, buffers)
        finally:
            self._add(WRITE, begun, buffers)

    def sync(self) -> None:
        begun = self._clock()
        try:
            super().sync()
        finally:
            self._add(SYNC, begun)
