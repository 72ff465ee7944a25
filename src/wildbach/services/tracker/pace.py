"""How long peers wait between two announces: longer while the tracker has more to do than it wants, never in step."""

from __future__ import annotations

from wildbach.runtime.rng import Rng

_STRETCH = 8.0
"The interval becomes at most so many times the wished one."
SPREAD = 0.1
"Intervals differ by this share to either side, so that peers that came together do not return together."
_WEIGHT = 0.1


class Pace:
    """`interval`: seconds wished. `target`: announces a second above which it grows, 0 for never. `spread`: a share."""

    def __init__(self, rng: Rng, *, interval: int, target: float = 0.0, spread: float = SPREAD) -> None:
        self._random = rng.random
        self._wished = interval
        self._target = target
        self._spread = spread
        self._rate = 0.0
        self._seen = 0
        self._looked: float | None = None
        self._low = 0
        self._range = 0
        self.current = 0
        self._set(interval)

    @property
    def rate(self) -> float:
        """Announces a second, smoothed over some ten seconds."""
        return self._rate

    def interval(self) -> int:
        """Seconds for one peer."""
        return self._low + int(self._random() * self._range)

    def tick(self, announces: int, now: float) -> None:
        """How many announces there were in all; to be told about once a second."""
        if self._looked is None:
            self._looked, self._seen = now, announces
            return
        passed = now - self._looked
        if passed < 1.0:
            return
        self._rate += (1 - (1 - _WEIGHT) ** passed) * ((announces - self._seen) / passed - self._rate)
        self._looked, self._seen = now, announces
        if self._target:
            self._set(int(self._wished * min(_STRETCH, max(1.0, self._rate / self._target))))

    def _set(self, seconds: int) -> None:
        self.current = seconds
        self._low = round(seconds * (1 - self._spread))
        self._range = int(2 * seconds * self._spread) + 1
