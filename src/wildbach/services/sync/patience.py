"""How much one other device may say that costs us work at once: who says more is read more slowly, and loses nothing.

What takes its turn in a folder (rosters, rows, acknowledgements) waits there, and is counted there. This is the rest:
greetings, how folders stand, where members are, and what is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.protocol.sync.messages import Hello, Message, Status, Whereabouts

_HELLO: Final = 50
"All folders are gone through with their keys."
_SHOWN: Final = 4
"What is shown to people anew."
_PART: Final = 32 * 1024
"Bytes that cost as much as a message."


def cost_of(message: Message | None, size: int, *, known: bool) -> int:
    """What a message of so many bytes costs. `known`: it is of a folder that both have."""
    if isinstance(message, Hello):
        return _HELLO + size // _PART
    if not known:
        return 1 + size // _PART
    if isinstance(message, Status | Whereabouts):
        return _SHOWN + size // _PART
    return 0


@dataclass(slots=True)
class _Allowance:
    """`most` at once, and so many a second after that."""

    rate: float
    most: float
    left: float
    at: float

    def refill(self, now: float) -> None:
        self.left = min(self.most, self.left + (now - self.at) * self.rate)
        self.at = now


class Patience:
    """With one connection. `now`: seconds of a clock that never jumps."""

    __slots__ = ("_records", "_words")

    def __init__(self, now: float) -> None:
        words, records = float(limits.SYNC_WORDS), float(limits.SYNC_RECORDS)
        self._words = _Allowance(limits.SYNC_WORDS_PER_SECOND, words, words, now)
        self._records = _Allowance(limits.SYNC_RECORDS_PER_SECOND, records, records, now)

    def said(self, cost: int, now: float) -> float:
        """Something was said; returns the seconds that nothing more is read for."""
        self._words.refill(now)
        self._words.left -= cost
        return max(0.0, -self._words.left / self._words.rate)

    def records(self, count: int, now: float) -> int:
        """So many records came; returns how many of them are looked at."""
        self._records.refill(now)
        taken = min(count, int(self._records.left))
        self._records.left -= taken
        return taken
