"""Storage for swarms: a hundred nodes that download the same bytes hold them once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from wildbach.base.errors import StorageError
from wildbach.base.geometry import BLOCK
from wildbach.disk.storage import Target


class SharedStorage:
    """Knows the true content, and holds only what was written that differs from it.

    For torrents whose address space is their content (one file, or v1 without pad files). `complete` storages hold
    everything from the start.
    """

    def __init__(self, content: bytes, *, complete: bool = False) -> None:
        self._content = memoryview(content)
        self._blocks = bytearray(b"\1" if complete else b"\0") * -(-len(content) // BLOCK)
        "0: nothing written, 1: the truth, 2: see `_odd`."
        self._odd: dict[int, bytearray] = {}
        self._lock = threading.Lock()
        self.bytes_written = 0
        self.syncs = 0

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        for view in buffers:
            stop = offset + view.nbytes
            states = self._blocks[offset // BLOCK : -(-stop // BLOCK)]
            if stop > len(self._content) or 0 in states:
                raise StorageError("nothing was written here", code="missing")
            view[:] = self._content[offset:stop]
            if 2 in states:
                for block in range(offset // BLOCK, -(-stop // BLOCK)):
                    if block in self._odd:
                        first = block * BLOCK
                        start, end = max(offset, first), min(stop, first + BLOCK)
                        view[start - offset : end - offset] = self._odd[block][start - first : end - first]
            offset = stop

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        try:
            self.read_into(offset, buffers)
        except StorageError:
            return False
        return True

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        with self._lock:
            for view in buffers:
                self._write(offset, view)
                offset += view.nbytes
                self.bytes_written += view.nbytes

    def _write(self, offset: int, view: memoryview) -> None:
        stop = offset + view.nbytes
        if stop > len(self._content):
            raise IndexError(f"no file at byte {stop}")
        data = bytearray(view)  # compares like memory, which two views of this kind do not
        true = data == self._content[offset:stop]
        for block in range(offset // BLOCK, -(-stop // BLOCK)):
            first, last = block * BLOCK, min((block + 1) * BLOCK, len(self._content))
            start, end = max(offset, first), min(stop, last)
            part = view[start - offset : end - offset]
            if start == first and end == last and (true or part == self._content[first:last]):
                self._blocks[block] = 1
                self._odd.pop(block, None)
            elif self._blocks[block] == 1 and (true or part == self._content[start:end]):
                continue
            else:
                held = self._odd.get(block)
                if held is None:
                    old = self._content[first:last] if self._blocks[block] else bytes(last - first)
                    held = self._odd[block] = bytearray(old)
                held[start - first : end - first] = part
                self._blocks[block] = 2

    def targets(self, offset: int, length: int) -> list[Target] | None:
        return None

    def release(self, targets: Sequence[Target]) -> None:
        return

    def prepare(self) -> None:
        return

    def select(self, wanted: Iterable[int]) -> None:
        return

    def finish(self, files: Iterable[int]) -> None:
        return

    def found(self, offset: int, length: int) -> None:
        return

    def sync(self) -> None:
        self.syncs += 1

    def close(self) -> None:
        return

    @property
    def whole(self) -> bool:
        """Everything is here and true."""
        return self._blocks.count(1) == len(self._blocks)
