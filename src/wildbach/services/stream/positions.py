"""How far each file was played, and how: durable, and the same for a file in whichever torrent it is.

A file is named by its tag, as the reader and the media host name it: the `pieces root`, or the v1 info hash and the
number of the file. What was told is kept when `put` returns. So many are kept at most; the oldest are forgotten.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError

AREA: Final = "stream_positions"
DONE: Final = 0.95
"The share of its length at which something counts as seen: what is left are credits."
BEGUN_SECONDS: Final = 5.0
"Who stops before that has not begun."
_TAG_CHARS: Final = 100


class Keeper(Protocol):
    """Keeps values by area and name; the session."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None: ...


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one file."""

    torrent: str = ""
    "The key of the torrent it was last played from."
    index: int = 0
    seconds: float = 0.0
    byte: int = 0
    "Where players that tell no time are; 0 where the seconds say it."
    duration: float = 0.0
    "Seconds; 0 where it is not known."
    done: bool = False
    audio: str = ""
    "The audio track, as the player names it."
    subtitle: str = ""
    "The subtitle: a file or a track, as the player names it; `none` for none."
    subtitle_offset: float = 0.0
    "Seconds by which it is shown later."
    speed: float = 1.0
    delete_after: bool = False
    "Remove it once it was seen."
    updated_at: int = 0
    "Seconds since 1970."

    @property
    def begun(self) -> bool:
        return self.done or self.seconds >= BEGUN_SECONDS or self.byte > 0

    @property
    def resume(self) -> float:
        """The second to go on at: the beginning of what was seen to its end."""
        return 0.0 if self.done or self.seconds < BEGUN_SECONDS else self.seconds


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Position)


def checked(position: Position, size: int = 0) -> Position:
    """With `done` as the numbers say, or as somebody said. Raises UsageError for numbers that cannot be."""
    for name, value, least, most in (
        ("seconds", position.seconds, 0.0, limits.PLAY_SECONDS), ("duration", position.duration, 0.0,
                                                                  limits.PLAY_SECONDS),
        ("subtitle_offset", position.subtitle_offset, -3600.0, 3600.0), ("speed", position.speed, 0.05, 20.0),
    ):
        if not math.isfinite(value) or not least <= value <= most:
            raise UsageError(f"{name} is from {least:g} to {most:g}")
    if position.byte < 0 or position.index < 0 or max(
            len(position.audio), len(position.subtitle), len(position.torrent)) > limits.PLAY_TEXT_CHARS:
        raise UsageError("this is no position in a file")
    seen = position.duration > 0 and position.seconds >= DONE * position.duration
    seen = seen or (size > 0 and position.byte >= DONE * size)
    return msgspec.structs.replace(position, done=position.done or seen)


class Positions:
    """All of them. `wall`: seconds since 1970."""

    def __init__(self, keeper: Keeper, wall: Callable[[], float], report: Callable[[Exception], None]) -> None:
        self._keeper = keeper
        self._wall = wall
        self._report = report
        self._found: dict[str, Position] = {}
        "The one that was told of last is last."
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Take what earlier runs kept. What cannot be read is passed over, and told of."""
        kept: list[tuple[str, Position]] = []
        for tag, raw in (await self._keeper.kept(AREA)).items():
            try:
                kept.append((tag, _decoder.decode(raw)))
            except msgspec.MsgspecError as error:
                self._report(FormatError(str(error), where=f"position {tag[:_TAG_CHARS]}"))
        kept.sort(key=lambda one: one[1].updated_at)
        self._found = dict(kept)

    def get(self, tag: str) -> Position | None:
        return self._found.get(tag)

    def recent(self) -> list[tuple[str, Position]]:
        """Tags and positions, the latest first."""
        return list(reversed(self._found.items()))

    async def put(self, tag: str, position: Position, size: int = 0) -> Position:
        """Durable when this returns. `size`: bytes of the file, where they are known. Raises UsageError,
        StorageError; then nothing changed.
        """
        if not 0 < len(tag) <= _TAG_CHARS:
            raise UsageError("this is no file")
        async with self._writing:
            made = msgspec.structs.replace(checked(position, size), updated_at=int(self._wall()))
            others = [other for other in self._found if other != tag]
            gone = others[:max(0, len(others) + 1 - limits.PLAY_POSITIONS)]
            changes: dict[str, bytes | None] = dict.fromkeys(gone)
            await self._keeper.keep(AREA, {**changes, tag: _encoder.encode(made)}, durable=True)
            for other in (*gone, tag):
                self._found.pop(other, None)
            self._found[tag] = made
        return made

    async def forget(self, tags: list[str]) -> None:
        """They were never played. Durable when this returns."""
        async with self._writing:
            known = [tag for tag in tags if tag in self._found]
            if known:
                await self._keeper.keep(AREA, dict.fromkeys(known), durable=True)
                for tag in known:
                    del self._found[tag]
