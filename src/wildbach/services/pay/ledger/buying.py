"""A buyer's books of one seller: what is owed for what has proved right, and what was signed for it.

What is owed is stored together with what is to be signed before the voucher leaves, so a crash costs a step at most and
never signs less than before.
"""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.protocol.ext.pay import Why
from wildbach.services.pay.ledger.terms import PATIENCE_SECONDS, UNIT, step, sun


@dataclass(slots=True)
class Buying:
    """One lane."""

    epoch: int
    owed: int = 0
    "In units: verified bytes, each at the price it was bought for."
    bytes_owed: int = 0
    signed: int = 0
    "SUN of the last voucher."
    last_at: float = 0.0
    "When something verified last."

    @property
    def total(self) -> int:
        """SUN that a voucher for all that is owed has: rounded up once, and not in each step."""
        return max(self.signed, sun(self.owed))

    def verified(self, size: int, price: int, now: float) -> None:
        """So many metered bytes are right."""
        self.owed += size * price
        self.bytes_owed += size
        self.last_at = now

    def due(self, window: int, price: int, now: float, *, complete: bool = False, asked: bool = False) -> bool:
        """A voucher is to be signed: a step is owed, or anything once no more comes or the seller asks."""
        if self.total <= self.signed:
            return False
        unpaid = self.owed - self.signed * UNIT
        waited = now - self.last_at >= PATIENCE_SECONDS
        return complete or asked or waited or unpaid >= step(window) * price

    def sign(self, total: int) -> None:
        """It is stored that a voucher of this total may be out."""
        self.signed = max(self.signed, total)

    def shown(self, total: int) -> bool:
        """The seller shows our own signature below a total. True where we never signed so much by these books: they are
        older than what was signed, and a new epoch has to begin.
        """
        return total > self.signed


def takes(price: int, window: int, most_price: int, least_window: int) -> Why | None:
    """Why an offer is not taken; None where it is. `least_window`: bytes below which no piece could be paid."""
    if not 0 < price <= most_price:
        return Why.PRICE
    return Why.WINDOW if window < least_window else None
