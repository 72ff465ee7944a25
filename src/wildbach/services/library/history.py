"""How fast it was: bytes a second over the last minute up to the last day, of all torrents and of each that moved.

A ring has a row of values for each resolution; what came in one stretch of time is shared out over the slots it covers,
so nothing is lost or counted twice however unevenly the clock ticks. Slots in which nothing happened are filled when
somebody looks, so a torrent that rests costs no time, and one that never moved costs nothing.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError

Span = Literal[60, 300, 1800, 10800, 86400]
"Seconds."

_LEVELS: Final = ((1, 300), (15, 120), (60, 180), (300, 288))
"Seconds of a slot, and how many are kept: 7 KiB in all."
_MOST: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Rates:
    """Bytes a second, oldest first."""

    step: int
    "Seconds of a value."
    until: float
    "When the last value ends, in the time that was asked with."
    down: tuple[int, ...]
    up: tuple[int, ...]


class _Saved(msgspec.Struct):
    at: float
    "Unix time."
    levels: list[tuple[int, list[int], list[int]]]
    "Step, down and up; the last values are those before `at`."


class _Level:
    """One resolution. A slot has the number that time has in steps."""

    __slots__ = ("came", "count", "down", "slot", "step", "up", "went")

    def __init__(self, step: int, count: int) -> None:
        self.step, self.count = step, count
        self.down, self.up = array("I", bytes(4 * count)), array("I", bytes(4 * count))
        self.slot = -1
        "The one that is running."
        self.came = self.went = 0.0
        "Bytes in it so far."

    def move(self, slot: int) -> None:
        """Time is in this slot now."""
        if slot <= self.slot:
            return
        if self.slot >= 0:
            self._put(self.slot, self.came / self.step, self.went / self.step)
            for skipped in range(max(self.slot + 1, slot - self.count), slot):
                self._put(skipped, 0, 0)
        self.slot, self.came, self.went = slot, 0.0, 0.0

    def _put(self, slot: int, down: float, up: float) -> None:
        at = slot % self.count
        self.down[at], self.up[at] = min(_MOST, round(down)), min(_MOST, round(up))

    def add(self, began: float, ended: float, down: float, up: float) -> None:
        """`down` and `up` are bytes a second."""
        edges = [began]
        first, last = math.floor(began / self.step), math.floor(ended / self.step)
        edges += [slot * self.step for slot in range(max(first + 1, last - self.count), last + 1)]
        edges.append(ended)
        for start, end in pairwise(edges):
            self.move(math.floor(start / self.step))
            self.came += down * max(0.0, end - start)
            self.went += up * max(0.0, end - start)

    def read(self, count: int, now: float) -> Rates:
        """The last values, that of the slot which runs among them once a part of it is over."""
        self.move(math.floor(now / self.step))
        over = now - self.slot * self.step
        runs = over >= max(1, self.step / 10)
        slots = range(self.slot - count + runs, self.slot)
        down, up = ([values[slot % self.count] for slot in slots] for values in (self.down, self.up))
        if runs:
            down.append(min(_MOST, round(self.came / over)))
            up.append(min(_MOST, round(self.went / over)))
        return Rates(self.step, now if runs else self.slot * self.step, tuple(down), tuple(up))


class Ring:
    """One history. Time is seconds of a clock that never goes back."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels = [_Level(step, count) for step, count in _LEVELS]

    def add(self, began: float, ended: float, down: int, up: int) -> None:
        """So many bytes came and went in this time."""
        seconds = max(ended - began, 1e-3)
        for level in self._levels:
            level.add(ended - seconds, ended, down / seconds, up / seconds)

    def read(self, span: int, now: float) -> Rates:
        """Of the last `span` seconds, as fine as they are known."""
        level = next((one for one in self._levels if one.step * one.count >= span), self._levels[-1])
        return level.read(min(span // level.step, level.count), now)

    def save(self, now: float, wall: float) -> bytes:
        levels = []
        for level in self._levels:
            found = level.read(level.count, now)
            levels.append((level.step, list(found.down), list(found.up)))
        return msgspec.msgpack.encode(_Saved(wall, levels))

    def load(self, raw: bytes, now: float, wall: float) -> None:
        """Go on with what was saved; the time since then has zeros. Raises FormatError."""
        try:
            saved = msgspec.msgpack.decode(raw, type=_Saved)
            rows = {step: (array("I", down), array("I", up)) for step, down, up in saved.levels}
        except (msgspec.MsgspecError, OverflowError, ValueError) as error:
            raise FormatError("the saved history of speeds cannot be read") from error
        # A wall clock that was put back makes what was saved as new as it can be.
        age = max(0.0, wall - saved.at) if math.isfinite(saved.at) else math.inf
        for level in self._levels:
            down, up = rows.get(level.step, (array("I"), array("I")))
            if len(down) != level.count or len(up) != level.count or age >= level.step * level.count:
                continue
            here = math.floor(now / level.step)
            end = math.floor((now - age) / level.step)
            # The clock may have begun a moment ago: these are slots below 0 then.
            for back in range(1, level.count + 1):
                at = (end - back) % level.count
                level.down[at], level.up[at] = down[-back], up[-back]
            for slot in range(end, here):
                at = slot % level.count
                level.down[at] = level.up[at] = 0
            level.slot, level.came, level.went = here, 0.0, 0.0


class History:
    """Of all torrents, and of those that moved lately."""

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self._until = clock()
        "What came and went is known up to here."
        self._all = Ring()
        self._each: dict[str, Ring] = {}
        "Who moved last is last."

    def feed(self, moved: Mapping[str, tuple[int, int]]) -> None:
        """Bytes that came and went since the last time, by torrent."""
        began, self._until = self._until, self._clock()
        down = up = 0
        for key, (came, went) in moved.items():
            came, went = max(0, came), max(0, went)
            if not came and not went:
                continue
            down, up = down + came, up + went
            ring = self._each.pop(key, None) or Ring()
            self._each[key] = ring
            ring.add(began, self._until, came, went)
        self._all.add(began, self._until, down, up)
        while len(self._each) > limits.HISTORIES:
            del self._each[next(iter(self._each))]

    def read(self, key: str, span: Span) -> Rates:
        """Of a torrent, or of all for an empty key. `until` is Unix time."""
        ring = self._each.get(key) or Ring() if key else self._all
        found = ring.read(span, self._until)
        return Rates(found.step, self._wall() - (self._clock() - found.until), found.down, found.up)

    def forget(self, key: str) -> None:
        self._each.pop(key, None)

    def save(self) -> bytes:
        """That of all torrents."""
        return self._all.save(self._until, self._wall())

    def load(self, raw: bytes) -> None:
        """Go on with what was saved. Raises FormatError."""
        self._all.load(raw, self._until, self._wall())
