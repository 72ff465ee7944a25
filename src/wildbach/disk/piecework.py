"""Checking and writing what was received, one chunk at a time: the work that threads and worker processes do.

A piece of at most one chunk is hashed first and written only when it is good. A larger one is written chunk by chunk:
SHA-1 runs along over the chunks that come in order, and only what came out of order is read back at the end; SHA-256
leaves are hashed at once and folded per chunk (BEP 52).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Final, NamedTuple

from wildbach.base.geometry import BLOCK
from wildbach.disk.pool import SLAB
from wildbach.protocol import layers

_CHUNK_LEVEL: Final = (SLAB // BLOCK).bit_length() - 1


class PieceSpec(NamedTuple):
    """What a piece must hash to. A hybrid's piece has both hashes and counts only when both agree."""

    size: int
    "Bytes of content."
    v1: bytes | None
    v1_tail: int
    "Zeros that the v1 hash covers after the content."
    v2: bytes | None
    v2_height: int
    "Levels from the leaves to the v2 hash."

    leaves: bool = False
    "The digests of its blocks are their v2 leaves, 32 bytes each; else their SHA-1, 20 bytes. One kind a torrent."

    def digests(self, view: memoryview, leaves: bytes) -> bytes:
        """The digests of the blocks in a view; `leaves` are its leaves, where they were hashed already."""
        return leaves or layers.leaf_hashes(view) if self.leaves else block_digests(view)


class ChunkJob(NamedTuple):
    torrent: int
    piece: int
    number: int
    "Which chunk of the piece."
    offset: int
    "Where the chunk begins in the torrent's address space."
    last: bool
    "All other chunks of the piece were handed in before."
    digests: bool
    "Return a digest of each block, to compare them with another version of the piece."
    spec: PieceSpec


class ChunkResult(NamedTuple):
    good: bool | None
    "The verdict on the piece; None where it is not whole yet."
    conflict: bool = False
    "SHA-1 and SHA-256 disagree: the hybrid torrent itself is inconsistent."
    digests: bytes = b""
    "Of the blocks of the chunk, given when asked for. When the piece is bad: of all its blocks, asked for or not."
    errno: int = 0
    error: str = ""
    "The disk failed; nothing is claimed."
    code: str = ""


Write = Callable[[int, memoryview], None]
"Write a view at an address."
Read = Callable[[int, memoryview], None]


class _Running:
    __slots__ = ("next", "roots", "sha1")

    def __init__(self) -> None:
        self.next = 0
        self.sha1 = sha1(usedforsecurity=False)
        self.roots: dict[int, bytes] = {}


class PieceWork:
    """The open hashes of one worker. All chunks of a piece go to the same one, one after the other."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, int], _Running] = {}

    def forget(self, torrent: int, piece: int) -> None:
        self._running.pop((torrent, piece), None)

    def forget_torrent(self, torrent: int) -> None:
        for key in [key for key in self._running if key[0] == torrent]:
            del self._running[key]

    def run(self, job: ChunkJob, view: memoryview, write: Write, read: Read) -> ChunkResult:
        """Hash and write one chunk. What `write` and `read` raise goes through."""
        spec = job.spec
        if spec.size <= SLAB:
            return self._single(job, view, write)
        key = (job.torrent, job.piece)
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = _Running()
        if spec.v1 is not None and job.number == running.next:
            running.sha1.update(view)
            running.next += 1
        leaves = b""
        if spec.v2 is not None:
            leaves = layers.leaf_hashes(view)
            running.roots[job.number] = layers.layer_root(leaves, 0, _CHUNK_LEVEL)
        write(job.offset, view)
        if not job.last:
            return ChunkResult(None, digests=spec.digests(view, leaves) if job.digests else b"")
        del self._running[key]
        v1_good = v2_good = True
        if spec.v1 is not None:
            self._rest(running, job, read)
            if spec.v1_tail:
                _zeros(running.sha1.update, spec.v1_tail)
            v1_good = running.sha1.digest() == spec.v1
        if spec.v2 is not None:
            row = b"".join([
                running.roots.get(number) or self._root(job, number, read) for number in range(-(-spec.size // SLAB))
            ])
            v2_good = layers.layer_root(row, _CHUNK_LEVEL, spec.v2_height) == spec.v2
        if v1_good and v2_good:
            return ChunkResult(True, digests=spec.digests(view, leaves) if job.digests else b"")
        conflict = v1_good != v2_good and spec.v1 is not None and spec.v2 is not None
        return ChunkResult(False, conflict, self._all_digests(job, read))

    def _all_digests(self, job: ChunkJob, read: Read) -> bytes:
        """The digests of all blocks of a bad piece, from the disk: who sent which is asked only now."""
        start = job.offset - job.number * SLAB
        buffer = memoryview(bytearray(SLAB))
        out = []
        for at in range(0, job.spec.size, SLAB):
            part = buffer[: min(SLAB, job.spec.size - at)]
            read(start + at, part)
            out.append(job.spec.digests(part, b""))
        return b"".join(out)

    def _single(self, job: ChunkJob, view: memoryview, write: Write) -> ChunkResult:
        spec = job.spec
        v1_good = v2_good = True
        leaves = b""
        if spec.v1 is not None:
            hasher = sha1(view, usedforsecurity=False)
            if spec.v1_tail:
                _zeros(hasher.update, spec.v1_tail)
            v1_good = hasher.digest() == spec.v1
        if spec.v2 is not None:
            leaves = layers.leaf_hashes(view)
            v2_good = layers.layer_root(leaves, 0, spec.v2_height) == spec.v2
        if v1_good and v2_good:
            write(job.offset, view)
            return ChunkResult(True, digests=spec.digests(view, leaves) if job.digests else b"")
        conflict = v1_good != v2_good and spec.v1 is not None and spec.v2 is not None
        return ChunkResult(False, conflict, spec.digests(view, leaves))

    def _root(self, job: ChunkJob, number: int, read: Read) -> bytes:
        """The v2 hash over a chunk that another worker took, from the disk."""
        buffer = memoryview(bytearray(min(SLAB, job.spec.size - number * SLAB)))
        read(job.offset + (number - job.number) * SLAB, buffer)
        return layers.layer_root(layers.leaf_hashes(buffer), 0, _CHUNK_LEVEL)

    def _rest(self, running: _Running, job: ChunkJob, read: Read) -> None:
        """Hash what came out of order, from the disk."""
        start = job.offset - job.number * SLAB
        buffer = bytearray(SLAB)
        at = running.next * SLAB
        while at < job.spec.size:
            part = memoryview(buffer)[: min(SLAB, job.spec.size - at)]
            read(start + at, part)
            running.sha1.update(part)
            at += len(part)


def block_digests(view: memoryview) -> bytes:
    """The SHA-1 of each block."""
    return b"".join(
        [sha1(view[at : at + BLOCK], usedforsecurity=False).digest() for at in range(0, len(view), BLOCK)]
    )


_ZEROS = bytes(1 << 20)


def _zeros(update: Callable[[memoryview], None], count: int) -> None:
    view = memoryview(_ZEROS)
    while count > 0:
        take = min(count, len(view))
        update(view[:take])
        count -= take
