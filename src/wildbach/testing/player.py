"""Somebody who watches a film: what a player reads for a picture, and when it has to stop and wait.

    player = Player(reader, index)
    seconds = await player.show(picture)
    played = await player.play(0.0, 60.0)

Time is that of the running loop, so in a simulation it is exact.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.engine.timemap import TimeMap

BEGIN_SECONDS: Final = 1.0
"A player goes on when so much of the film is buffered."
AHEAD_SECONDS: Final = 30.0
"It reads no further ahead than this."
_AT_ONCE: Final = 64 << 10


class ReadsFile(Protocol):
    """An `engine.reader.Reader`, or somebody else's in its place."""

    @property
    def size(self) -> int: ...

    async def read(self, offset: int, limit: int) -> bytes:
        """1 … limit bytes from there on, which it waits for; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """What it takes to show the picture at some second of a film."""

    seconds: float
    "Of the film: where the player was sent."
    reads: tuple[tuple[int, int], ...]
    "The ranges that are read for it, offset and length, one after the other."
    cpu: float = 0.0
    "Seconds of decoding."


@dataclass(frozen=True, slots=True)
class Played:
    """Seconds."""

    begin: float
    "Until it began."
    film: float
    "How much of the film was shown."
    stalled: float
    "How long it stood still after it had begun."
    stops: int

    @property
    def share(self) -> float:
        """Of the time since it began, how much it stood still."""
        return self.stalled / (self.film + self.stalled) if self.stalled else 0.0


class Player:
    def __init__(self, reader: ReadsFile, index: TimeMap) -> None:
        self._reader = reader
        self._map = index

    async def show(self, picture: Picture) -> float:
        """Read and decode one picture; how many seconds that took."""
        time = asyncio.get_running_loop().time
        start = time()
        for offset, length in picture.reads:
            await self._read(offset, length)
        await asyncio.sleep(picture.cpu)
        return time() - start

    async def _read(self, offset: int, length: int) -> None:
        while length > 0:
            data = await self._reader.read(offset, min(length, _AT_ONCE))
            if not data:
                return
            offset += len(data)
            length -= len(data)

    async def play(self, start: float, seconds: float) -> Played:
        """Play from the keyframe at or before `start`. It begins, and goes on after a stop, when BEGIN_SECONDS are
        buffered.
        """
        time, film, size = asyncio.get_running_loop().time, self._map, self._reader.size
        at = film.keyframe(start)
        end = min(at + seconds, film.duration)
        offset, stop = film.offset(at), film.offset(end) if end < film.duration else size
        begun, last, shown, stalled, stops = 0.0, time(), at, 0.0, 0
        running = False
        while offset < stop:
            buffered = film.seconds(offset)
            if running and buffered - shown > AHEAD_SECONDS:
                await asyncio.sleep(buffered - shown - AHEAD_SECONDS + 0.5)
            else:
                offset += len(await self._reader.read(offset, min(_AT_ONCE, stop - offset)))
            now = time()
            if running and shown + now - last > buffered:
                running, stops = False, stops + 1
                stalled += shown + now - last - buffered  # it ran dry on the way
                shown = max(shown, buffered)
            elif running:
                shown += now - last
            elif begun:
                stalled += now - last
            last = now
            if not running and (film.seconds(offset) - shown >= BEGIN_SECONDS or offset >= stop):
                running = True
                begun = begun or now
        return Played(begun, end - at, stalled, stops)
