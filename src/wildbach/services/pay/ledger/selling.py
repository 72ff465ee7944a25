"""A seller's books of one payer: what was billed, what is paid, and how much more he may owe.

Debt, window and credit belong to the pair, over all its lanes, connections and torrents. A voucher counts once it is
stored, never before: `better` says that it is to be stored, `count` that it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wildbach.protocol.ext.pay import Why
from wildbach.services.pay.ledger.terms import BOUNCED_SECONDS, CREDIT, LANES, UNIT, sun

_SHARE: Final = 50
"A fiftieth of what was paid may be written off for broken connections."


@dataclass(frozen=True, slots=True)
class Facts:
    """What the chain says of a payer at one solidified block. Amounts in SUN, times in seconds since 1970."""

    block_time: int
    free: int
    "What is neither reserved nor asked to be withdrawn."
    reserved: int = 0
    "For us."
    until: int = 0
    "When the reservation ends."
    bounced_at: int = 0
    delay: int = 7 * 86400
    "Of the vault: how long removals and withdrawals take."
    leaving: bool = False
    "The key that signs is being removed."


@dataclass(slots=True)
class Lane:
    total: int = 0
    "SUN of the best voucher."
    signature: bytes = b""
    redeemed: int = 0
    "SUN of it that the vault has paid us."
    sent: int = 0
    "Metered bytes that were sent while it was the lane, less those that were written off."


@dataclass(slots=True)
class Selling:
    """`window`: bytes that may be owed; `first`: what it was at first."""

    window: int
    first: int
    most: int
    billed: int = 0
    "In units."
    bytes_billed: int = 0
    off: int = 0
    "Bytes that were written off."
    units_off: int = 0
    lanes: dict[int, Lane] = field(default_factory=dict)
    grown_at: int = 0
    "SUN that were paid when the window grew last."

    # -- sums

    @property
    def paid(self) -> int:
        """SUN in vouchers that are stored."""
        return sum(lane.total for lane in self.lanes.values())

    @property
    def redeemed(self) -> int:
        return sum(lane.redeemed for lane in self.lanes.values())

    @property
    def held(self) -> int:
        """SUN in vouchers that the vault has not paid."""
        return self.paid - self.redeemed

    @property
    def debt(self) -> int:
        """What is billed and neither paid nor written off, in units; below zero after a rounding."""
        return self.billed - self.units_off - self.paid * UNIT

    @property
    def epoch(self) -> int:
        """The highest there is a voucher or an accept of."""
        return max(self.lanes, default=0)

    # -- cover

    def credit(self, facts: Facts, price: int) -> int:
        """SUN that are lent above the reservation: the price of the first window, and what was really redeemed."""
        bounced = facts.bounced_at and facts.block_time - facts.bounced_at < BOUNCED_SECONDS
        if facts.leaving or bounced:
            return 0
        return max(0, min(sun(self.first * price) + self.redeemed, CREDIT, facts.free))

    def reservation(self, facts: Facts) -> int:
        """SUN of the reservation that can still be redeemed in time, by a machine that sleeps for days too."""
        return facts.reserved if facts.until - facts.block_time > facts.delay else 0

    def cover(self, facts: Facts, price: int) -> int:
        """SUN in further vouchers that would be good."""
        return self.credit(facts, price) + self.reservation(facts) - self.held

    def refuses(self, facts: Facts, price: int) -> Why | None:
        """Why nothing is metered; None where it is."""
        if self.debt >= self.window * price:
            return Why.WINDOW
        if self.cover(facts, price) * UNIT <= max(0, self.debt):
            return Why.INSOLVENT
        return None

    def due(self, price: int) -> bool:
        """Half of the window is owed."""
        return 2 * self.debt >= self.window * price

    # -- what happens

    def opens(self, epoch: int) -> bool:
        """An accept of this epoch is taken: the highest that is known, or a later one."""
        return epoch == self.epoch if epoch in self.lanes else epoch > self.epoch and self._roomy

    @property
    def _roomy(self) -> bool:
        """There are few lanes that cost a redemption."""
        return sum(lane.total > lane.redeemed for lane in self.lanes.values()) < LANES

    def bill(self, size: int, price: int, epoch: int) -> None:
        """So many metered bytes were sent, in the lane of this epoch."""
        self.billed += size * price
        self.bytes_billed += size
        self.lanes.setdefault(epoch, Lane()).sent += size

    def better(self, epoch: int, total: int) -> bool:
        """A voucher with a good signature is to be stored. One that is not above the best came late, and is no fault.
        Those of an older epoch are money as well.
        """
        lane = self.lanes.get(epoch)
        return total > (lane.total if lane is not None else 0) and (lane is not None or self._roomy)

    def count(self, epoch: int, total: int, signature: bytes, price: int) -> None:
        """It is stored. A window that is paid for is doubled."""
        lane = self.lanes.setdefault(epoch, Lane())
        if total <= lane.total:
            return
        lane.total, lane.signature = total, signature
        if (self.paid - self.grown_at) * UNIT >= self.window * price:
            self.window = min(2 * self.window, self.most)
            self.grown_at = self.paid

    def redeem(self, epoch: int, paid: int) -> None:
        """The vault has paid us so much of a lane in all, at a solidified block. After a reorganisation it may be
        less.
        """
        lane = self.lanes.get(epoch)
        if lane is not None:
            lane.redeemed = min(paid, lane.total)

    def accept(self, epoch: int, owed: int, price: int) -> int:
        """The buyer begins a connection, and counts so many bytes as owed in this lane. What he counts less than we
        billed went under with a connection. Written off are at most a fiftieth of what was paid, or the first window,
        whichever is more, but never more than was paid: a pair that never paid gets nothing. Returns how many bytes.
        """
        lane = self.lanes.setdefault(epoch, Lane())
        paid = min(self.bytes_billed, self.paid * UNIT // price)
        room = max(paid // _SHARE, min(self.first, paid)) - self.off
        size = max(0, min(lane.sent - owed, room))
        lane.sent -= size
        self.off += size
        self.units_off += size * price
        return size
