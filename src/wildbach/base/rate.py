"""Speeds: a meter that forgets, and a bucket that limits. Time is an argument, in seconds of a monotonic clock."""

from __future__ import annotations


class RateMeter:
    """Bytes a second over the last `window` seconds or so; at first, since bytes came. Costs one addition a call, as
    `rate` folds lazily.
    """

    __slots__ = ("_age", "_at", "_pending", "_rate", "_window", "total")

    def __init__(self, window: float = 5.0) -> None:
        self.total = 0
        self._pending = 0
        self._rate = 0.0
        self._at = -1.0
        self._age = 0.0
        "Seconds since the first bytes."
        self._window = window

    def add(self, amount: int) -> None:
        self.total += amount
        self._pending += amount

    def rate(self, now: float) -> float:
        """Bytes a second at `now`. Folds at most four times a second, so asking often is free."""
        if self._at < 0:
            self._at = now
            return self._rate
        passed = now - self._at
        if passed >= 0.25:
            if self._age or self._pending:
                self._age += passed
            share = min(1.0, passed / min(self._window, self._age or self._window))
            self._rate += (self._pending / passed - self._rate) * share
            self._pending = 0
            self._at = now
            if self._rate < 1.0:
                self._rate = 0.0
        return self._rate


class Pace:
    """Bytes a second while there is something to wait for: how fast somebody is, and not how much was asked of it."""

    __slots__ = ("_age", "_at", "_rate", "_total", "_window")

    def __init__(self, window: float = 3.0) -> None:
        self._window = window
        self._rate = 0.0
        self._age = 0.0
        self._at = -1.0
        "When it was last seen at work; -1 where it had nothing to do."
        self._total = 0

    def see(self, now: float, total: int, *, busy: bool) -> None:
        """So many bytes have come in all; `busy`: more of them are due."""
        passed = now - self._at
        if self._at >= 0 and passed > 0:
            self._age += passed
            share = min(1.0, passed / min(self._window, self._age))
            self._rate += ((total - self._total) / passed - self._rate) * share
        self._at = now if busy else -1.0
        self._total = total

    @property
    def rate(self) -> float:
        """0 while nothing is known."""
        return self._rate


class TokenBucket:
    """A limit in bytes a second, 0 for none. It may go into debt once, by the last thing taken, and then says no."""

    __slots__ = ("_at", "_limit", "_short", "tokens")

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self._at = -1.0
        self.tokens = 0.0
        self._short = 0.0
        "The share of the last second in which next to nothing was left."

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self.tokens = min(self.tokens, limit * self.BURST_SECONDS)

    BURST_SECONDS = 0.1
    "How much unused time is kept: short, so that a limit stays smooth."

    def refill(self, now: float) -> None:
        if self._at >= 0 and now > self._at:
            short = self.tokens <= self._limit * self.BURST_SECONDS / 4
            self._short += (short - self._short) * min(1.0, now - self._at)
            self.tokens = min(self.tokens + (now - self._at) * self._limit, self._limit * self.BURST_SECONDS)
        self._at = now

    @property
    def tight(self) -> bool:
        """More would be taken if the limit were higher."""
        return self._limit > 0 and self._short > 0.75

    @property
    def open(self) -> bool:
        """True where something may be taken now."""
        return self._limit == 0 or self.tokens > 0

    def take(self, amount: int) -> None:
        if self._limit:
            self.tokens -= amount
