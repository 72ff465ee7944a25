"""Storage in memory, with a model of what a power cut takes: whatever was not synced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from wildbach.base.errors import StorageError
from wildbach.disk.storage import Content, Target
from wildbach.disk.system import cut


class MemoryStorage:
    """One bytearray a file, created by the first write, as a file would be."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._files: dict[int, bytearray] = {}
        self._durable: set[int] = set()
        self._unsynced: list[tuple[int, int, bytes, bytes]] = []
        "Writes since the last sync as (file, offset, bytes before, bytes after), oldest first."
        self._dirty: set[int] = set()
        "Files the next sync covers: those that were written to since the last one, as this process knows."
        self._lock = threading.Lock()
        self.writes = 0
        self.syncs = 0
        self.closed = False

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        extents = self._content.geometry.extents(offset, sum(b.nbytes for b in buffers))
        for extent, group in zip(extents, cut(buffers, [e.length for e in extents]), strict=True):
            if self._content.files[extent.file].pad:
                for view in group:
                    view[:] = bytes(view.nbytes)
                continue
            data = self._files.get(extent.file)
            if data is None:
                raise StorageError("no such file", path=self._path(extent.file), code="missing")
            at = extent.offset
            for view in group:
                view[:] = data[at : at + view.nbytes]
                at += view.nbytes

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        try:
            self.read_into(offset, buffers)
        except StorageError:
            return False
        return True

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        extents = self._content.geometry.extents(offset, sum(b.nbytes for b in buffers))
        with self._lock:
            self.writes += 1
            for extent, group in zip(extents, cut(buffers, [e.length for e in extents]), strict=True):
                if self._content.files[extent.file].pad:
                    continue
                data = self._files.get(extent.file)
                if data is None:
                    data = self._files[extent.file] = bytearray(self._content.files[extent.file].length)
                stop = extent.offset + extent.length
                self._dirty.add(extent.file)
                new = b"".join(group)
                self._unsynced.append((extent.file, extent.offset, bytes(data[extent.offset : stop]), new))
                data[extent.offset : stop] = new

    def targets(self, offset: int, length: int) -> list[Target] | None:
        return None

    def release(self, targets: Sequence[Target]) -> None:
        return

    def prepare(self) -> None:
        for number, file in enumerate(self._content.files):
            if not file.length and not file.pad:
                self._files.setdefault(number, bytearray())
                self._dirty.add(number)

    def select(self, wanted: Iterable[int]) -> None:
        return

    def finish(self, files: Iterable[int]) -> None:
        return

    def found(self, offset: int, length: int) -> None:
        self._dirty.update(extent.file for extent in self._content.geometry.extents(offset, length))

    def sync(self) -> None:
        with self._lock:
            self.syncs += 1
            self._unsynced = [write for write in self._unsynced if write[0] not in self._dirty]
            self._durable.update(file for file in self._files if file in self._dirty)
            self._dirty.clear()

    def close(self) -> None:
        self.closed = True

    def restart(self) -> None:
        """The process died and another one opens the files: the system still has its writes, nobody knows of them."""
        self._dirty.clear()
        self.closed = False

    def lose_unsynced(self, survives: Callable[[], bool] = lambda: False) -> None:
        """A power cut: each write since the last sync is lost unless `survives()` says that it got out in time.

        A file whose creation was not synced is gone as a whole.
        """
        with self._lock:
            for file, at, old, _ in reversed(self._unsynced):
                self._files[file][at : at + len(old)] = old
            for file, at, _, new in self._unsynced:
                if survives():
                    self._files[file][at : at + len(new)] = new
            self._unsynced.clear()
            self._dirty.clear()
            for file in [f for f in self._files if f not in self._durable]:
                del self._files[file]

    def file(self, number: int) -> bytes:
        """A copy of one file's bytes, for tests; empty where it does not exist."""
        return bytes(self._files.get(number, b""))

    def _path(self, number: int) -> str:
        return "/".join(self._content.files[number].path.parts)
