"""Blocks of pieces that are not whole: put on the disk when they get old, found again by the next run.

A restart then fetches little again, however large the pieces are. Such blocks are verified with their piece and never
claimed before; where one is wrong, nobody is blamed. One job of a piece runs at a time, and its chunks go to the
writer only after it: a late write of an old block cannot hit a piece that was verified since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.base.geometry import BLOCK
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.disk.storage import Storage
from wildbach.engine.openpiece import CHUNK_BLOCKS, OpenPiece, senders_of
from wildbach.engine.picker import Picker

_KEEP_SECONDS: Final = 2.0
"Blocks that wait longer for the rest of their chunk are written without it."

Submit = Callable[[Callable[[], None], Callable[[BaseException | None], None]], None]
"Runs a blocking call and hands what it raised, or None, to the second one on the loop."


class PartialsOwner(Protocol):
    def job(self, step: int) -> None:
        """One job more (1) or less (-1) uses the storage."""

    def ready(self, index: int) -> None:
        """No job of this piece runs any more."""

    def failed_to_keep(self, error: StorageError) -> None:
        """The disk failed."""


class Partials:
    """The unfinished pieces of one torrent on its disk."""

    def __init__(
        self, owner: PartialsOwner, picker: Picker, pool: ChunkPool, storage: Storage, submit: Submit,
        note: Callable[[int, int], None],
    ) -> None:
        self._owner = owner
        self._picker = picker
        self._pool = pool
        self._storage = storage
        self._submit = submit
        self.note = note
        "Remember which blocks of a piece are on the disk; 0 forgets them."
        self._jobs: dict[int, OpenPiece] = {}

    def under_way(self, index: int) -> bool:
        """A job of this piece runs: its chunks must wait."""
        return index in self._jobs

    def tick(self, now: float) -> None:
        """Once a second: write what waits for long."""
        for piece in list(self._picker.open.values()):
            if piece.got == piece.saved:
                piece.news_at = None
            elif piece.news_at is None:
                piece.news_at = now
            elif now - piece.news_at >= _KEEP_SECONDS:
                self.keep(piece)

    def keep(self, piece: OpenPiece) -> None:
        """Write the blocks of a piece that are in memory only. The bytes are copied, so the memory may go at once."""
        blocks = piece.unsaved
        piece.news_at = None
        if not blocks or piece.index in self._jobs:
            return
        base = piece.index * self._picker.geometry.piece_length
        parts = []
        for number, chunk in enumerate(piece.chunks):
            if chunk is None:
                blocks &= ~piece.chunk_mask(number)
                continue
            start = number * CHUNK_BLOCKS
            for first, stop in _rows((blocks & piece.chunk_mask(number)) >> start):
                data = bytes(chunk.view[first * BLOCK : stop * BLOCK])
                parts.append((base + number * SLAB + first * BLOCK, data))

        def work() -> None:
            for offset, data in parts:
                self._storage.write(offset, [memoryview(data)])

        def ended(error: BaseException | None) -> None:
            # What was given up meanwhile is not in `got` any more.
            kept = blocks & piece.got
            if error is None and kept:
                piece.saved |= kept
                self.note(piece.index, piece.saved)
            self._end(piece, error)
            if isinstance(error, StorageError):
                self._owner.failed_to_keep(error)

        self._begin(piece, work, ended)

    def restore(self, found: Mapping[int, int], senders: Sequence[tuple[int, int, int]] = ()) -> None:
        """Go on with pieces that were left: piece to the blocks of it that are on the disk. `senders` is who sent
        them, as `OpenPiece.from_` has it; without, they are of an earlier run.
        """
        picker = self._picker
        for index, blocks in sorted(found.items()):
            if not bitfield.has(picker.missing, index, picker.width) or index in picker.open:
                continue
            piece = picker.start(index)
            piece.restored = not senders
            kept = self._restore(piece, blocks & piece.all)
            piece.from_ = senders_of(senders, kept)
            picker.note_asked(piece)

    def _restore(self, piece: OpenPiece, blocks: int) -> int:
        """Which of the blocks need not be fetched again."""
        loads: list[tuple[int, int, bytearray]] = []
        # The writer gives its verdict with the last chunk, so one always goes through it.
        final = len(piece.chunks) - 1 if blocks == piece.all else -1
        for number in range(len(piece.chunks)):
            mask = piece.chunk_mask(number)
            part = blocks & mask
            if part == mask and number != final:
                piece.got |= mask
                piece.handed += 1
            elif part and self._pool.reserved < self._pool.size // 2:
                length = min(SLAB, piece.size - number * SLAB)
                piece.chunks[number] = self._pool.take(length)
                if piece.chunks[number] is not None:
                    piece.asked |= mask
                    loads.append((number, part, bytearray(length)))
        piece.asked |= piece.got
        piece.saved = piece.got
        if loads:
            self._load(piece, loads)
        return piece.got | sum(part for _, part, _ in loads)

    def _load(self, piece: OpenPiece, loads: list[tuple[int, int, bytearray]]) -> None:
        base = piece.index * self._picker.geometry.piece_length

        def work() -> None:
            for number, _, data in loads:
                self._storage.read_into(base + number * SLAB, [memoryview(data)])

        def ended(error: BaseException | None) -> None:
            if self._picker.open.get(piece.index) is piece:
                for number, part, data in loads:
                    piece.asked &= ~piece.chunk_mask(number) | piece.got
                    if error is None:
                        _fill(piece, number, part & ~piece.got, data)
                self._picker.note_asked(piece)
            self._end(piece, error)

        self._begin(piece, work, ended)

    def _begin(self, piece: OpenPiece, work: Callable[[], None], ended: Callable[[BaseException | None], None]) -> None:
        self._jobs[piece.index] = piece
        self._owner.job(1)
        self._submit(work, ended)

    def _end(self, piece: OpenPiece, error: BaseException | None) -> None:
        del self._jobs[piece.index]
        self._owner.ready(piece.index)
        self._owner.job(-1)
        if error is not None and not isinstance(error, StorageError):
            raise error


def _fill(piece: OpenPiece, number: int, blocks: int, data: bytearray) -> None:
    """Put blocks read from the disk into a chunk."""
    chunk = piece.chunks[number]
    if chunk is None or not blocks:
        return
    for first, stop in _rows(blocks >> (number * CHUNK_BLOCKS)):
        chunk.view[first * BLOCK : stop * BLOCK] = memoryview(data)[first * BLOCK : stop * BLOCK]
    piece.got |= blocks
    piece.saved |= blocks
    piece.asked |= blocks
    if piece.chunk_whole(number) and number not in piece.queue:
        piece.queue.append(number)


def _rows(blocks: int) -> list[tuple[int, int]]:
    """The rows of ones in a set of blocks, as first and stop."""
    rows = []
    at = 0
    while blocks:
        skip = (blocks & -blocks).bit_length() - 1
        blocks >>= skip
        length = ((blocks + 1) & ~blocks).bit_length() - 1
        rows.append((at + skip, at + skip + length))
        at += skip + length
        blocks >>= length
    return rows
