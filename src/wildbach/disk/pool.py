"""The memory that blocks are received into: one shared mapping, cut into chunks.

The mapping is a memfd where the system has it, so that worker processes see the same bytes without a copy. A chunk is
reserved when its first block is requested; where none is left, nothing more is requested. Slabs of 1 MiB are split
into one power-of-two size each, so torrents with small pieces share the same budget.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import Final

from wildbach.base.geometry import BLOCK

SLAB: Final = 1 << 20
"Bytes in a slab, and in the largest chunk."


class Chunk:
    """Reserved memory for a part of one piece. `start` is its place in the pool, for other processes."""

    __slots__ = ("length", "start", "view")

    def __init__(self, start: int, length: int, view: memoryview) -> None:
        self.start = start
        self.length = length
        self.view = view


class ChunkPool:
    """Hands out chunks up to `budget` bytes. Not thread-safe: only the loop's thread calls it."""

    def __init__(self, budget: int) -> None:
        slabs = max(1, budget // SLAB)
        size = slabs * SLAB
        self.fd = -1
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("wildbach-pool", os.MFD_CLOEXEC)
            os.ftruncate(self.fd, size)
            self._map = mmap.mmap(self.fd, size)
        else:
            self._map = mmap.mmap(-1, size)
        self.size = size
        self._view = memoryview(self._map)
        self._slabs = list(range(slabs - 1, -1, -1))
        self._free: dict[int, list[int]] = {}
        self._used = [0] * slabs
        self._class = [0] * slabs
        self._blocks: dict[int, list[memoryview]] = {}
        self.reserved = 0

    def take(self, length: int) -> Chunk | None:
        """A chunk of `length` bytes (at most a slab), or None when the budget is used up."""
        size = _size_class(length)
        free = self._free.get(size)
        if not free:
            if not self._slabs:
                return None
            slab = self._slabs.pop()
            self._class[slab] = size
            free = self._free.setdefault(size, [])
            free.extend(range((slab + 1) * SLAB - size, slab * SLAB - 1, -size))
        start = free.pop()
        self._used[start // SLAB] += 1
        self.reserved += size
        return Chunk(start, length, self._view[start : start + length])

    def blocks(self, chunk: Chunk) -> list[memoryview]:
        """The memory of a chunk, block by block; kept for whole slabs, as they are used over and over."""
        slab = chunk.start // SLAB
        if self._class[slab] == SLAB == chunk.length:
            kept = self._blocks.get(slab)
            if kept is None:
                kept = self._blocks[slab] = _cut(chunk.view)
            return kept
        return _cut(chunk.view)

    def give(self, chunk: Chunk) -> None:
        """Return a chunk; its view must not be used any more."""
        slab = chunk.start // SLAB
        size = self._class[slab]
        self._used[slab] -= 1
        self.reserved -= size
        free = self._free[size]
        free.append(chunk.start)
        if not self._used[slab] and size != SLAB:
            # The whole slab is free again: it may become another size.
            low, high = slab * SLAB, (slab + 1) * SLAB
            self._free[size] = [at for at in free if not low <= at < high]
            self._slabs.append(slab)
        elif size == SLAB:
            free.pop()
            self._slabs.append(slab)

    def close(self) -> None:
        self._blocks.clear()
        self._view.release()
        with contextlib.suppress(BufferError):  # a chunk's view is still held; the mapping goes with the last of them
            self._map.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _cut(view: memoryview) -> list[memoryview]:
    return [view[at : at + BLOCK] for at in range(0, len(view), BLOCK)]


def _size_class(length: int) -> int:
    size = BLOCK
    while size < length:
        size <<= 1
    return size
