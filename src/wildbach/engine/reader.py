"""A file of a torrent that is read while it comes: any part of it, in any order, and only what is verified.

What a reader waits for, and what it will read next, is what the torrent fetches first (`engine.reading`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.engine.timemap import TimeMap

_RATE: Final = 1_000_000.0
"Bytes a second that are taken for what is played while nothing is known of it."


@dataclass(frozen=True, slots=True)
class ReaderView:
    position: int
    "The byte that is read next."
    ready_until: int
    "From there on all is verified up to this byte."
    waiting_since: float | None
    "Seconds for which a read has been waiting; None where none is."
    waiting_piece: int
    "The piece it waits for; -1 where none is."
    reason: str
    "Why it waits, in plain words; empty where it does not."


class ReaderOwner(Protocol):
    def moved(self, reader: Reader) -> None:
        """It reads elsewhere now, or plays at another pace."""

    def closed(self, reader: Reader) -> None: ...

    async def take(self, start: int, limit: int) -> bytes:
        """Verified bytes at an address of the torrent, up to `limit` of them; nothing where the first is not here.
        Raises StorageError; UsageError where the torrent is gone.
        """
        ...

    def ready(self, start: int, stop: int) -> int:
        """Where what is verified from `start` on ends, at most `stop`."""
        ...

    def waits(self, address: int) -> tuple[int, str]:
        """The piece with this byte, and why it is not here."""
        ...


class Reader:
    """One reader of one file. Close it when done: it keeps the torrent awake, and decides what is fetched first."""

    def __init__(self, owner: ReaderOwner, file: int, base: int, size: int, tag: str, now: float) -> None:
        self.file = file
        self.base = base
        "Where the file begins in the torrent's address space."
        self.size = size
        "Bytes."
        self.tag = tag
        "Names the content: the `pieces root` in hexadecimal, or the v1 info hash and the number of the file."
        self.position = 0
        self.closed = False
        self.map: TimeMap | None = None
        self._owner = owner
        self._rate = 0.0
        self._news = asyncio.Event()
        self._waiting: dict[object, int] = {}
        "Reads that wait, with the byte they wait for."
        self._since = now
        self._anchor: tuple[float, float] | None = None
        "When something was played first after the last jump, and which second of the file that was."

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for nothing any more. Reads that wait end with UsageError."""
        if not self.closed:
            self.closed = True
            self._news.set()
            self._owner.closed(self)

    # -- reading

    async def read(self, offset: int, limit: int) -> bytes:
        """Verified bytes of the file from `offset` on: at least one, at most `limit` (and `limits.READ_BYTES`); none
        at the end. Waits for them. Raises StorageError where the torrent stopped, UsageError where it is gone.
        """
        limit = min(limit, self.size - offset, limits.READ_BYTES)
        if offset < 0:
            raise UsageError("a file has no bytes before its first")
        if limit <= 0:
            return b""
        self._go_to(offset)
        me = object()
        try:
            while True:
                if self.closed:
                    raise UsageError("the reader was closed", code="reader_closed")
                self._news.clear()
                data = await self._owner.take(self.base + offset, limit)
                if data:
                    self.position = offset + len(data)
                    return data
                if me not in self._waiting:
                    loop = asyncio.get_running_loop()
                    if not self._waiting:
                        self._since = loop.time()
                    self._waiting[me] = offset
                    self._owner.moved(self)
                await self._news.wait()
        finally:
            if self._waiting.pop(me, None) is not None and not self.closed:
                self._owner.moved(self)

    def _go_to(self, offset: int) -> None:
        if offset != self.position:
            if not self.position <= offset <= self.position + limits.READ_BYTES:
                self._anchor = None
            self.position = offset

    def news(self) -> None:
        """Something has come, or has changed."""
        self._news.set()

    def delivered(self, offset: int, now: float) -> None:
        """A byte of the file is given: from here on it can be played."""
        due = self.due(offset, now)
        if self._anchor is None or due < now:
            self._anchor = now, self.seconds(offset)

    # -- when what is due

    @property
    def rate(self) -> float:
        """Bytes a second that are played, on average."""
        if self._rate:
            return self._rate
        if self.map is not None and self.map.duration > 0:
            return self.size / self.map.duration
        return _RATE

    @property
    def pending(self) -> int | None:
        """The byte that a read waits for, the first where several wait."""
        return min(self._waiting.values()) if self._waiting else None

    def seconds(self, offset: int) -> float:
        """Which second of what it plays a byte belongs to."""
        return self.map.seconds(offset) if self.map is not None else offset / self.rate

    def offset(self, seconds: float) -> int:
        found = self.map.offset(seconds) if self.map is not None else int(seconds * self.rate)
        return min(max(found, 0), self.size)

    def due(self, offset: int, now: float) -> float:
        """When a byte has to be here, if it is played from the last jump on without a stop."""
        if self._anchor is None:
            return now + self.seconds(offset) - self.seconds(self.position)
        return self._anchor[0] + self.seconds(offset) - self._anchor[1]

    def set_map(self, time_map: TimeMap | None) -> None:
        """The index of the file is known: deadlines follow it from now on."""
        self.map = time_map
        self._anchor = None
        self._owner.moved(self)

    def playing(self, offset: int, rate: float | None = None) -> None:
        """Something is played from this byte on, at `rate` bytes a second where no map is known: fetch from there."""
        if rate is not None:
            self._rate = max(rate, 0.0)
        if not 0 <= offset <= self.size:
            raise UsageError("there is no such byte in the file")
        self._anchor = None
        self.position = offset
        self._owner.moved(self)

    def view(self) -> ReaderView:
        pending = self.pending
        at = self.position if pending is None else pending
        ready = self._owner.ready(self.base + at, self.base + self.size) - self.base
        if pending is None:
            return ReaderView(at, ready, None, -1, "")
        piece, reason = self._owner.waits(self.base + pending)
        return ReaderView(at, ready, asyncio.get_running_loop().time() - self._since, piece, reason)
