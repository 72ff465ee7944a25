"""A seller's books of one payer: what was billed, what is paid, and how much more he may owe.

Debt, window and credit belong to the pair, over all its lanes, connections and torrents. A voucher counts once it is
stored, never before: `better` says that it is to be stored, `count` that it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from wildbach.protocol.ext.pay import Why
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.seams import Standing
from wildbach.services.pay.ledger.terms import (
    BOUNCED_SECONDS,
    CREDIT,
    LANES,
    LARGEST_TOTAL,
    LAST_EPOCH,
    UNIT,
    LaneId,
    sun,
)

_SHARE: Final = 50
"A fiftieth of what was paid may be written off for broken connections."
_MOST_BYTES: Final = 1 << 62
"What is paid ahead may be for more bytes than a ledger counts."


@dataclass(slots=True)
class Lane:
    total: int = 0
    "SUN of the best voucher."
    signature: bytes = b""
    redeemed: int = 0
    "SUN of it that the vault has paid us."
    sent: int = 0
    "Metered bytes that were sent while it was the lane, less those that were written off,"
    units: int = 0
    "and what was billed for them."

    @property
    def held(self) -> int:
        """SUN that the vault has not paid."""
        return self.total - self.redeemed


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
    lanes: dict[LaneId, Lane] = field(default_factory=dict)
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
        """The highest there is a voucher of. An accept does not sign for its epoch, so somebody on the way can change
        it: alone it shuts no lane.
        """
        return max((one.epoch for one, lane in self.lanes.items() if lane.total), default=0)

    def held_of(self, payee: Address) -> int:
        """SUN in vouchers for one payee that the vault has not paid."""
        return sum(lane.held for one, lane in self.lanes.items() if one.payee == payee)

    @property
    def payees(self) -> tuple[Address, ...]:
        return tuple(dict.fromkeys(one.payee for one in self.lanes))

    # -- cover

    def credit(self, at: Standing, price: int) -> int:
        """SUN that are lent above the reservations: the price of the first window, and what was really redeemed."""
        bounced = at.bounced_at and at.block_time - at.bounced_at < BOUNCED_SECONDS
        if at.leaving or bounced:
            return 0
        return max(0, min(sun(self.first * price) + self.redeemed, CREDIT, at.free))

    def reservation(self, at: Standing, payee: Address) -> int:
        """SUN of the reservation that can still be redeemed in time, by a machine that sleeps for days too."""
        found = at.reserves.get(payee)
        return found.amount if found is not None and found.until - at.block_time > at.delay else 0

    def cover(self, at: Standing, price: int, payee: Address) -> int:
        """SUN in further vouchers to this payee that would be good."""
        beyond = 0
        for one in self.payees:
            beyond += max(0, self.held_of(one) - self.reservation(at, one))
        return max(0, self.reservation(at, payee) - self.held_of(payee)) + self.credit(at, price) - beyond

    def refuses(self, at: Standing, price: int, payee: Address) -> Why | None:
        """Why nothing is metered; None where it is."""
        if self.debt >= self.window * price:
            return Why.WINDOW
        if self.cover(at, price, payee) * UNIT <= max(0, self.debt):
            return Why.INSOLVENT
        return None

    def room(self, at: Standing, price: int, payee: Address) -> int:
        """Units that can be billed before anything changes: half of the window is owed, or all of it, or what covers it
        is used up.
        """
        half = self.window * price // 2
        most = min(self.window * price, self.cover(at, price, payee) * UNIT)
        return max(0, (min(half, most) if self.debt < half else most) - self.debt)

    def due(self, price: int) -> bool:
        """Half of the window is owed."""
        return 2 * self.debt >= self.window * price

    # -- what happens

    def widen(self, first: int, most: int) -> None:
        """A torrent with larger pieces is sold too."""
        self.first, self.most = max(self.first, first), max(self.most, most)
        self.window = max(self.window, first)

    def opens(self, lane: LaneId) -> bool:
        """An accept of this lane is taken: its epoch is the highest that was paid in, or a later one."""
        if not self.epoch <= lane.epoch <= LAST_EPOCH:
            return False
        return lane in self.lanes or self._roomy

    def forget(self, but: Collection[LaneId]) -> None:
        """Lanes that nothing was ever paid in, and that are over: what was billed there is the pair's debt."""
        self.lanes = {one: lane for one, lane in self.lanes.items() if lane.total or one in but}

    @property
    def _roomy(self) -> bool:
        """There are few lanes that cost a redemption."""
        return sum(lane.held > 0 for lane in self.lanes.values()) < LANES

    def bill(self, size: int, price: int, lane: LaneId) -> None:
        """So many metered bytes were sent, in this lane."""
        self.billed += size * price
        self.bytes_billed += size
        at = self.lanes.setdefault(lane, Lane())
        at.sent += size
        at.units += size * price

    def better(self, lane: LaneId, total: int) -> bool:
        """A voucher with a good signature is to be stored. One that is not above the best came late, and is no fault.
        Those of an older epoch are money as well.
        """
        if total > LARGEST_TOTAL:
            return False
        at = self.lanes.get(lane)
        if at is not None and at.held > 0:
            return total > at.total
        return lane.epoch <= LAST_EPOCH and total > (at.total if at is not None else 0) and self._roomy

    def count(self, lane: LaneId, total: int, signature: bytes, price: int) -> None:
        """It is stored. A window that is paid for is doubled. `price`: 0 where it is for no blocks: then it pays for no
        debt, and earns no credit.
        """
        at = self.lanes.setdefault(lane, Lane())
        if total <= at.total:
            return
        more = total - at.total
        at.total, at.signature = total, signature
        if not price:
            self.billed += more * UNIT
            at.units += more * UNIT
            self.grown_at += more
            return
        self._recall(at, price)
        if (self.paid - self.grown_at) * UNIT >= self.window * price:
            self.window = min(2 * self.window, self.most)
            self.grown_at = self.paid

    def _recall(self, at: Lane, price: int) -> None:
        """More is paid than these books billed: they are older than the sale, or what was written off was right after
        all. Both were given before, so nothing is given for it again.
        """
        excess = -self.debt - UNIT * len(self.lanes)
        if excess <= 0:
            return
        units = min(self.units_off, excess)
        size = self.off * units // self.units_off if units else 0
        self.units_off -= units
        self.off -= size
        more = excess - units
        self.billed += more
        self.bytes_billed = min(self.bytes_billed + more // price, _MOST_BYTES)
        at.sent = min(at.sent + size + more // price, _MOST_BYTES)
        at.units += excess

    def redeem(self, lane: LaneId, paid: int) -> None:
        """The vault has paid us so much of a lane in all, at a solidified block. After a reorganisation it may be
        less.
        """
        at = self.lanes.get(lane)
        if at is not None:
            at.redeemed = min(paid, at.total)

    def accept(self, lane: LaneId, owed: int) -> int:
        """The buyer begins a connection, and counts so many bytes as owed in this lane. What he counts less than we
        billed went under with a connection. Written off are at most a fiftieth of what was paid, or the first window,
        whichever is more, but never more than was paid: a pair that never paid gets nothing. Returns how many bytes.
        """
        at = self.lanes.setdefault(lane, Lane())
        paid = min(self.bytes_billed, self.bytes_billed * self.paid * UNIT // self.billed) if self.billed else 0
        room = max(paid // _SHARE, min(self.first, paid)) - self.off
        size = max(0, min(at.sent - owed, room))
        units = at.units * size // at.sent if size else 0
        at.sent -= size
        at.units -= units
        self.off += size
        self.units_off += units
        return size

    # -- when money is fetched

    def ripe(self, at: Standing, price: int, fee: int, *, done: bool = False) -> tuple[LaneId, ...]:
        """Lanes that are to be redeemed now: what they hold is worth more than it costs (`fee`, SUN, for each), and
        credit is used up, the payer leaves or withdraws, the reservation ends soon, or nothing more is bought.
        """
        leaves = at.leaving or at.asked > 0
        return tuple(
            one for one, lane in self.lanes.items()
            if lane.held > fee and (done or leaves or self._ends(at, one) or self.cover(at, price, one.payee) <= 0))

    def _ends(self, at: Standing, lane: LaneId) -> bool:
        found = at.reserves.get(lane.payee)
        return found is not None and found.amount > 0 and self.reservation(at, lane.payee) == 0
