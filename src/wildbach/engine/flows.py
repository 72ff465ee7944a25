"""A polite node: how many calls to peers begin a second, and fewer where the way out is overwhelmed.

A home router keeps an entry for every flow, for minutes after its last packet, and many keep no more than a few
thousand: a client that calls everybody it hears of fills the table, and then nobody in the house gets through. So the
calls of all torrents have one budget; the DHT has its own, in bytes (`dht.upload_rate`).

The *guard* measures. It knows what share of calls is answered as a rule (most calls to strangers are not). Where far
fewer are than that, and chance does not explain it, the table is full or the line is down: the budget is halved, and
comes back as answers do. Called on the loop, with `now` in seconds of its clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_BURST_SECONDS: Final = 3.0
"Unused time that is kept: one lookup in the DHT, or the first peers of a torrent, need not wait."
_WINDOW_SECONDS: Final = 10.0
_WINDOW_MOST: Final = 60.0
_ENOUGH: Final = 8.0
"Answers that must have been expected before as many as usual mean that all is well."
_SURPRISE: Final = 3.5
"Standard deviations (of a count that is expected) that chance does not explain: once in some thousand windows."
_LEAST: Final = 1 / 16
_MEMORY: Final = 0.1
"Weight of one window in what is usual."


@dataclass(frozen=True, slots=True)
class FlowView:
    """The budget as people see it."""

    limit: float
    "New flows a second that the settings allow; 0: no limit."
    pace: float
    "Share of it that the guard allows now."
    usual: float | None
    "Share of calls that are answered as a rule; None while too few were made."
    opened: int
    refused: int
    "How often something had to wait."

    @property
    def guarded(self) -> bool:
        return self.pace < 1.0


class FlowBudget:
    """`take` before a new flow; tell what became of it."""

    __slots__ = ("_answered", "_asked", "_at", "_limit", "_since", "_tokens", "_usual", "opened", "pace", "refused")

    def __init__(self, limit: Callable[[], float]) -> None:
        """`limit`: flows a second, 0 for no limit; asked each time, so a change counts at once."""
        self._limit = limit
        self._tokens = 0.0
        self._at: float | None = None
        self._usual: float | None = None
        self._since: float | None = None
        self._asked = 0
        self._answered = 0
        self.pace = 1.0
        self.opened = 0
        self.refused = 0

    def room(self, now: float) -> bool:
        """One more flow may be opened now."""
        limit = self._limit()
        if not limit:
            return True
        rate = limit * self.pace
        most = max(1.0, rate * _BURST_SECONDS)
        if self._at is None:
            self._tokens = most
        else:
            self._tokens = min(most, self._tokens + (now - self._at) * rate)
        self._at = now
        return self._tokens >= 1.0

    def take(self, now: float) -> bool:
        """Count a flow; False where it must wait."""
        if not self.room(now):
            self.refused += 1
            return False
        self.count()
        return True

    def count(self) -> None:
        """Count a flow that is not to wait, as a call that the user asked for."""
        self._tokens -= 1.0
        self.opened += 1

    def ended(self, answered: bool, now: float) -> None:
        """A flow was answered, or was not in time. A refusal is an answer: it came all the way back."""
        if self._since is None:
            self._since = now
        self._asked += 1
        self._answered += answered
        self.look(now)

    def look(self, now: float) -> None:
        """Judge the window that is over."""
        if self._since is None or now - self._since < _WINDOW_SECONDS:
            return
        if self._usual is None:
            if self._asked >= _ENOUGH:
                self._usual = self._answered / self._asked
                self._begin(now)
            return
        expected = self._asked * self._usual
        missing = expected - self._answered
        if missing >= max(expected / 2, _SURPRISE * expected**0.5) and expected:
            self.pace = max(_LEAST, self.pace / 2)
        elif (missing < expected / 2 and expected >= _ENOUGH) or now - self._since >= _WINDOW_MOST:
            if self.pace == 1.0 and self._asked:
                self._usual += _MEMORY * (self._answered / self._asked - self._usual)
            self.pace = min(1.0, self.pace * 1.5)
        else:
            return  # too little to tell: the window stays open
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._since = now
        self._asked = self._answered = 0

    def view(self) -> FlowView:
        return FlowView(self._limit(), self.pace, self._usual, self.opened, self.refused)
