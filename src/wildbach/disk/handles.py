"""Open files of all torrents together, bounded: the one not used for longest is closed first.

A handle that is pinned is in use by a call, or by another process, and stays open; so the bound is exceeded only by
what is in use at the same moment.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

from wildbach.base.errors import StorageError

OPEN_FILES = 256
"Descriptors kept open by default."
WRITERS_SECONDS = 60.0
"How long a change of place waits for writes another process was trusted with."


class Handle:
    """One open file. `table` is the owner's map it stands in, under `index`."""

    __slots__ = ("fd", "index", "now_flags", "pins", "table", "writable")

    def __init__(self, table: dict[int, Handle], index: int, fd: int, writable: bool, now_flags: int | None) -> None:
        self.table = table
        self.index = index
        self.fd = fd
        self.writable = writable
        self.now_flags = now_flags
        "Flags for a read that does not wait, None where this mount has none."
        self.pins = 0


class OpenFiles:
    """The open files of one session. `lock` also guards the owners' tables."""

    def __init__(self, limit: int = OPEN_FILES) -> None:
        self.limit = limit
        self.lock = threading.Lock()
        self._order: OrderedDict[Handle, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._order)

    def pin(self, table: dict[int, Handle], index: int, write: bool) -> Handle | None:
        """The open handle for a file, pinned; None where it must be opened (for writing)."""
        with self.lock:
            handle = table.get(index)
            if handle is None or (write and not handle.writable):
                return None
            handle.pins += 1
            self._order.move_to_end(handle)
            return handle

    def add(self, handle: Handle) -> None:
        """Take in a handle just opened, pinned once. One for the same file that it replaces goes when unpinned."""
        doomed = []
        with self.lock:
            old = handle.table.get(handle.index)
            if old is not None:
                doomed += self._drop(old)
            handle.pins += 1
            handle.table[handle.index] = handle
            self._order[handle] = None
            doomed += self._evict(len(self._order) - self.limit)
        _close(doomed)

    def unpin(self, handle: Handle) -> None:
        doomed = []
        with self.lock:
            handle.pins -= 1
            if not handle.pins and handle not in self._order:
                doomed.append(handle.fd)
        _close(doomed)

    def discard(self, table: dict[int, Handle], index: int) -> None:
        """Close the handle of a file as soon as nobody uses it; the next use opens the file anew."""
        with self.lock:
            handle = table.get(index)
            doomed = self._drop(handle) if handle is not None else []
        _close(doomed)

    def discard_all(self, table: dict[int, Handle]) -> None:
        with self.lock:
            doomed = [fd for handle in list(table.values()) for fd in self._drop(handle)]
        _close(doomed)

    def make_room(self) -> bool:
        """Close what is not in use, after the system said there are too many; False where all is in use."""
        with self.lock:
            doomed = self._evict(max(1, len(self._order) // 2))
        _close(doomed)
        return bool(doomed)

    def _evict(self, count: int) -> list[int]:
        doomed: list[int] = []
        if count > 0:
            free = (h for h in self._order if not h.pins)
            for handle in list(itertools.islice(free, count)):
                doomed += self._drop(handle)
        return doomed

    def _drop(self, handle: Handle) -> list[int]:
        self._order.pop(handle, None)
        if handle.table.get(handle.index) is handle:
            del handle.table[handle.index]
        return [] if handle.pins else [handle.fd]


def _close(fds: list[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):  # what was written is proven by a sync, never by a close
            os.close(fd)


class Gate:
    """Writes pass together; a change of place waits for them, and they for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def enter(self, *, wait: bool = True) -> bool:
        with self._changed:
            while self._closed:
                if not wait:
                    return False
                self._changed.wait()
            self._inside += 1
            return True

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            if not self._inside:
                self._changed.notify_all()

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """Nobody writes inside this block."""
        with self._changed:
            while self._closed:
                self._changed.wait()
            self._closed = True
            until = time.monotonic() + WRITERS_SECONDS
            while self._inside and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._inside:
                self._closed = False
                self._changed.notify_all()
                raise StorageError("writes to these files do not end", code="busy")
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()
