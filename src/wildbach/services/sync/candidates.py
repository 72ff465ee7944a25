"""Where one device may be met: endpoints in the order in which they are called, each with its own patience.

Times are those of a clock that never jumps, so a wrong date changes nothing here. What worked once is tried for ever,
ever more rarely; what others named is tried a few times, until it is named anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.runtime.rng import Rng

_FIRST: Final = 5.0
_MOST: Final = 300.0


class Source(IntEnum):
    """Who says that it is there, the better word first."""

    NEAR = 0
    "A neighbour announced it."
    WORKED = 1
    "The device was met there."
    RECORD = 2
    "Its record in the DHT."
    PASSED = 3
    "Its record, as another member passed it on."
    GIVEN = 4
    "A person or a link named it."


_LASTING: Final = (Source.WORKED, Source.GIVEN)


class _Candidate:
    __slots__ = ("calls", "due", "endpoint", "fails", "flying", "source")

    def __init__(self, endpoint: Endpoint, source: Source, now: float) -> None:
        self.endpoint = endpoint
        self.source = source
        self.calls = 0
        "Since it was named."
        self.fails = 0
        self.due = now
        self.flying = False

    @property
    def over(self) -> bool:
        return self.source not in _LASTING and self.calls >= limits.SYNC_CALLS_PER_NAMING


class Candidates:
    """Of one device; at most `SYNC_CANDIDATES`, of which the worst give way."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._all: dict[Endpoint, _Candidate] = {}

    def named(self, endpoints: Iterable[Endpoint], source: Source, now: float) -> None:
        """These are where it may be. What was called in vain may be called again."""
        for endpoint in endpoints:
            known = self._all.get(endpoint)
            if known is None:
                self._all[endpoint] = _Candidate(endpoint, source, now)
            else:
                known.source = min(known.source, source)
                if known.over or known.calls:
                    known.calls = 0
                    known.due = min(known.due, now + _FIRST)
        while len(self._all) > limits.SYNC_CANDIDATES:
            idle = [one for one in self._all.values() if not one.flying] or list(self._all.values())
            # Of equally good ones the older goes: a device that moves names new ones.
            worst = max(idle, key=lambda one: (one.over, one.source, one.fails))
            del self._all[worst.endpoint]

    def take(self, now: float) -> Endpoint | None:
        """The next to be called now, which counts as under way until `worked` or `failed`."""
        ready = [one for one in self._all.values() if not one.flying and not one.over and one.due <= now]
        if not ready:
            return None
        best = min(ready, key=lambda one: (one.fails > 0, one.source, one.due))
        best.flying = True
        best.calls += 1
        return best.endpoint

    def next_at(self) -> float | None:
        """When there is something to call; None: nothing until something is named."""
        return min((one.due for one in self._all.values() if not one.flying and not one.over), default=None)

    def worked(self, endpoint: Endpoint, now: float) -> None:
        """The device was met there, whoever called."""
        one = self._all.pop(endpoint, None) or _Candidate(endpoint, Source.WORKED, now)
        one.source = Source.WORKED
        one.flying = False
        one.calls = one.fails = 0
        one.due = now + _FIRST
        self._all = {endpoint: one, **self._all}
        self.named((), Source.WORKED, now)

    def failed(self, endpoint: Endpoint, now: float) -> None:
        one = self._all.get(endpoint)
        if one is not None:
            one.flying = False
            one.due = now + min(_MOST, _FIRST * 2 ** min(one.fails, 10)) * (0.75 + 0.5 * self._rng.random())
            one.fails += 1

    def soon(self, now: float) -> None:
        """The device was lost just now: what worked is called again at once."""
        for one in self._all.values():
            one.fails = 0
            if one.source in _LASTING:
                one.due = min(one.due, now)

    def lasting(self) -> tuple[Endpoint, ...]:
        """What to remember for the next run, the best first."""
        kept = [one for one in self._all.values() if one.source in _LASTING]
        return tuple(one.endpoint for one in sorted(kept, key=lambda one: (one.source, one.fails)))
