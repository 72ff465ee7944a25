"""Where a fast peer's blocks land: straight in their chunks, without a copy and without a look at each.

A peer nearly always answers in the order it was asked. So the headers of the coming `piece` messages are known, and so
are the places of their data: one scattered read puts both where they belong, and one comparison of all headers says
whether it was right. What is anything else goes through the decoder. Only blocks that nobody else was asked for have
places, so nothing that came before can be overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from wildbach.base.geometry import BLOCK
from wildbach.disk.pool import ChunkPool
from wildbach.engine.openpiece import CHUNK_BLOCKS
from wildbach.engine.peer import Peer
from wildbach.engine.requests import Run
from wildbach.protocol.wire import codec

FRAME: Final = BLOCK + codec.BLOCK_HEADER
_MOST: Final = 128
"Frames in one read: 2 MiB, and well below the most places a system takes."
_LEAST: Final = 2
_HEADER: Final = codec.BLOCK_HEADER


class Planned(NamedTuple):
    """Blocks `first` <= b < `stop` of a run, which have places."""

    run: Run
    first: int
    stop: int


class Taker(Protocol):
    def landed(self, peer: Peer, plan: Sequence[Planned], headers: memoryview, frames: int) -> int:
        """Whole frames are in their places. Returns how many of them are what was planned."""
        ...


class Scratch:
    """Room for headers, shared by all peers of a session: it is used within one call."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_MOST * _HEADER))
        self.headers = [self.view[at : at + _HEADER] for at in range(0, _MOST * _HEADER, _HEADER)]


class Landing:
    """The places of one peer; `net.transport.Landing`."""

    __slots__ = ("_peer", "_plan", "_pool", "_scratch", "_taker")

    def __init__(self, peer: Peer, taker: Taker, pool: ChunkPool, scratch: Scratch) -> None:
        self._peer = peer
        self._taker = taker
        self._pool = pool
        self._scratch = scratch
        self._plan: list[Planned] = []

    def places(self, kept: bytes, most: int) -> Sequence[memoryview]:
        self._plan = plan = []
        peer = self._peer
        skip = 0
        if kept:
            runs = peer.owed.runs
            if not runs or kept[:_HEADER] != codec.block_headers(runs[0].index, runs[0].block, runs[0].block + 1):
                return ()  # any other block might belong in one of the places
            skip = 1
        room = min(most // FRAME, _MOST)
        slots: list[memoryview] = []
        for run in peer.owed.runs:
            piece = run.piece
            first = run.block + skip
            skip = 0
            stop = min(run.stop, first + room, piece.size // BLOCK)
            chunk = piece.chunks[first // CHUNK_BLOCKS] if first < stop else None
            if piece.duplicated:
                break
            if chunk is not None:
                at = first % CHUNK_BLOCKS
                slots += self._pool.blocks(chunk)[at : at + stop - first]
                plan.append(Planned(run, first, stop))
                room -= stop - first
            if stop < run.stop or not room:
                break
        if len(slots) < _LEAST:
            return ()
        out = self._scratch.headers[: len(slots)] * 2
        out[::2] = out[: len(slots)]
        out[1::2] = slots
        return out

    def landed(self, count: int) -> int:
        plan, self._plan = self._plan, []
        frames = count // FRAME
        if not frames or self._peer.closing:
            return 0
        taken = self._peer.guard(lambda: self._taker.landed(self._peer, plan, self._scratch.view, frames))
        return count if taken < 0 else taken * FRAME
