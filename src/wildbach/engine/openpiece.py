"""A piece on its way: which of its blocks were asked for, which came and from whom.

Blocks are bits of small integers, block 0 the lowest. A block that is received counts as asked. The data lies in
chunks of at most 1 MiB, reserved when their first block is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wildbach.base.geometry import BLOCK
from wildbach.disk.pool import SLAB, Chunk, ChunkPool

CHUNK_BLOCKS: Final = SLAB // BLOCK


_NOTHING = memoryview(b"")


class OpenPiece:
    __slots__ = (
        "all", "asked", "blocks", "busy", "chunks", "doubled", "doubtful", "duplicated", "from_", "got", "handed",
        "index", "news_at", "queue", "restored", "saved", "size", "sole",
    )

    def __init__(self, index: int, size: int) -> None:
        self.index = index
        self.size = size
        self.blocks = -(-size // BLOCK)
        self.all = (1 << self.blocks) - 1
        self.asked = 0
        self.got = 0
        self.queue: list[int] = []
        "Whole chunks that wait for the writer: one job of a piece runs at a time."
        self.handed = 0
        "Chunks the writer has got."
        self.doubled = 0
        "Blocks asked from a second peer."
        self.duplicated = False
        "True once a block was asked from two peers: then every block is looked at before it is taken."
        self.from_: list[tuple[int, int, int]] = []
        "Who sent what: peer number, first block, stop block."
        self.chunks: list[Chunk | None] = [None] * -(-self.blocks // CHUNK_BLOCKS)
        self.sole: int | None = None
        "Only this peer may be asked: it is on parole, and must be provable."
        self.busy = False
        "The writer has a chunk of it."
        self.saved = 0
        "Blocks that are on the disk: they need not be fetched again by another run."
        self.restored = False
        "Some blocks are from an earlier run: nobody is to blame for them."
        self.doubtful = False
        "It did not verify, and which of its blocks are false is being found out."
        self.news_at: float | None = None
        "When blocks were first seen that are not on the disk."

    def block_size(self, block: int) -> int:
        return BLOCK if block + 1 < self.blocks else self.size - block * BLOCK

    @property
    def unasked(self) -> int:
        return self.all & ~self.asked

    @property
    def missing(self) -> int:
        return self.all & ~self.got

    @property
    def whole(self) -> bool:
        return self.got == self.all

    def take(self, want: int, pool: ChunkPool, among: int | None = None) -> tuple[int, int] | None:
        """Mark up to `want` blocks in a row as asked, within one chunk; None: nothing left, or no memory.

        `among` narrows the choice to a set of blocks (those missing, in the end game); else the unasked ones.
        """
        free = self.all & ~self.asked if among is None else among
        if not free:
            return None
        first = (free & -free).bit_length() - 1
        number = first // CHUNK_BLOCKS
        if self.chunks[number] is None:
            start = number * SLAB
            chunk = pool.take(min(SLAB, self.size - start))
            if chunk is None:
                return None
            self.chunks[number] = chunk
        most = min(want, (number + 1) * CHUNK_BLOCKS - first)
        row = free >> first
        # Length of the row of ones at the bottom.
        length = ((row + 1) & ~row).bit_length() - 1
        stop = first + min(length, most)
        self.asked |= (1 << stop) - (1 << first)
        return first, stop

    def release(self, first: int, stop: int) -> None:
        """Blocks will not come from whom they were asked: they may be asked elsewhere."""
        self.asked &= ~((1 << stop) - (1 << first)) | self.got

    def memory(self, block: int) -> memoryview:
        """The memory of the chunk that holds a block; its chunk must be reserved."""
        chunk = self.chunks[block // CHUNK_BLOCKS]
        return chunk.view if chunk is not None else _NOTHING

    def chunk_mask(self, number: int) -> int:
        """The blocks of a chunk."""
        first = number * CHUNK_BLOCKS
        return (1 << min(first + CHUNK_BLOCKS, self.blocks)) - (1 << first)

    @property
    def roomy(self) -> int:
        """Unasked blocks whose memory is reserved already."""
        free = self.all & ~self.asked
        for number in range(len(self.chunks)) if free else ():
            if self.chunks[number] is None:
                free &= ~self.chunk_mask(number)
        return free

    @property
    def unsaved(self) -> int:
        """Received blocks that are in memory only, in chunks the writer will not get yet."""
        fresh = 0 if self.doubtful else self.got & ~self.saved
        for number in self.queue if fresh else ():
            fresh &= ~self.chunk_mask(number)
        return fresh

    def arrived(self, peer: int, first: int, stop: int) -> None:
        self.got |= (1 << stop) - (1 << first)
        last = self.from_[-1] if self.from_ else None
        if last is not None and last[0] == peer and last[2] == first:
            self.from_[-1] = (peer, last[1], stop)
        else:
            self.from_.append((peer, first, stop))

    def distrust(self, peer: int) -> bool:
        """Forget the blocks that a liar sent, as far as they are still in memory; True where there were any."""
        gone = 0
        for sender, first, stop in self.from_ if not self.doubtful else ():
            for block in range(first, stop) if sender == peer else ():
                number = block // CHUNK_BLOCKS
                if self.chunks[number] is not None and number not in self.queue:
                    gone |= 1 << block
        gone &= self.got
        if gone:
            self.lose(gone)
        return bool(gone)

    def refetch(self, false: int) -> None:
        """These blocks are proven false, the others true; the writer is to get all of them again."""
        self.lose(false)
        self.handed = 0

    def lose(self, gone: int) -> None:
        """Forget these blocks: they are to come again."""
        self.from_ = senders_of(self.from_, self.all & ~gone)
        self.got &= ~gone
        self.asked &= ~gone
        self.doubled &= ~gone
        self.saved &= ~gone

    def chunk_whole(self, number: int) -> bool:
        mask = self.chunk_mask(number)
        return self.got & mask == mask


def senders_of(from_: Sequence[tuple[int, int, int]], blocks: int) -> list[tuple[int, int, int]]:
    """Who sent what of a set of blocks, of a record of who sent what."""
    kept: list[tuple[int, int, int]] = []
    for sender, first, stop in from_:
        start = first
        for block in range(first, stop + 1):
            if block == stop or not blocks >> block & 1:
                if start < block:
                    kept.append((sender, start, block))
                start = block + 1
    return kept
