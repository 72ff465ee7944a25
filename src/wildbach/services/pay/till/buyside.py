"""One connection on which we may buy: the offer that stands, what is owed for what proved right, and when it is signed
for. Its desk looks and signs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from wildbach.engine.paying import Line
from wildbach.protocol.ext import pay
from wildbach.protocol.ext.pay import Due, Held, Meter, Offer, Stop, Why
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.buying import Buying, takes
from wildbach.services.pay.ledger.terms import SETTLE_SECONDS, UNIT, LaneId, first_window, largest_window
from wildbach.services.pay.till.market import Market
from wildbach.services.pay.wallet.signer import SignedVoucher


@dataclass(slots=True)
class Purchase:
    """A lane to a payee. `torrents`: units that are owed and not signed for, by torrent, and the last price there."""

    lane: LaneId
    books: Buying
    paid: int = 0
    "SUN of it that were redeemed."
    torrents: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    sides: dict[int, BuySide] = field(default_factory=dict)
    signing: bool = False
    dirty: bool = False
    gifts: deque[Gift] = field(default_factory=deque)
    "They wait for a voucher of their own."


@dataclass(frozen=True, slots=True)
class Gift:
    """To be paid for no blocks: a period of seeding. `mark`: 32 bytes that name it; it is paid once. `torrent`: 32
    bytes. `amount`: SUN. `done` gets the voucher, or StorageError or Refused.
    """

    mark: bytes
    torrent: bytes
    amount: int
    done: asyncio.Future[SignedVoucher]


class Desk(Protocol):
    """Of all connections: takes offers, keeps the lanes, has vouchers signed."""

    market: Market
    clock: Callable[[], float]
    reserved: frozenset[Address]

    def accept(self, side: BuySide, offer: Offer) -> None: ...

    def lane(self, lane: LaneId) -> Purchase: ...

    def ended(self, purchase: Purchase) -> None: ...

    def want(self, purchase: Purchase, side: BuySide) -> None: ...

    def show(self, side: BuySide, purchase: Purchase, held: Held) -> None: ...


class BuySide:
    """One connection on which we may buy."""

    def __init__(self, desk: Desk, line: Line) -> None:
        self._desk = desk
        self.line = line
        self.gone = False
        self.offer: Offer | None = None
        self.why: Why | int | None = None
        "Why nothing is bought."
        self.purchase: Purchase | None = None
        self._price = 0
        self._before: deque[tuple[int, int, LaneId]] = deque()
        "Metered bytes that are not verified yet, at which price and in which lane, from before the offer of now."
        self._window = 0
        self._grown_at = 0
        self._asked = False
        self._taking = False
        "An accept is being signed."
        self._taken_at = self._shown_at = self._due_at = float("-inf")

    @property
    def most_unverified(self) -> int:
        return max(self._window // 2, self.line.piece_length)

    @property
    def price(self) -> int:
        """Of the offer that was taken last."""
        return self._price

    @property
    def reserved(self) -> bool:
        """The vault has something for this payee alone, as far as is known."""
        return self.purchase is not None and self.purchase.lane.payee in self._desk.reserved

    @property
    def unsettled(self) -> bool:
        """Something that proved right a moment ago is not signed for."""
        purchase = self.purchase
        if purchase is None or purchase.books.total <= purchase.books.signed:
            return False
        return self._desk.clock() - purchase.books.last_at < SETTLE_SECONDS

    def offered(self, offer: Offer) -> None:
        """In place of the one before."""
        self._end()
        most = self._desk.market.buys(self.line.torrent)
        if not most or self._desk.market.complete(self.line.torrent):
            return
        self.why = takes(offer.price, offer.window, most, first_window(self.line.piece_length))
        if self.why is not None:
            self.stop(Why(self.why))
            return
        self.offer = offer
        self._take()

    def _take(self) -> None:
        """Once a second at most: each is a signature."""
        now = self._desk.clock()
        if self.offer is None or self.purchase is not None or self._taking or now - self._taken_at < 1.0:
            return
        self._taken_at, self._taking = now, True
        self._desk.accept(self, self.offer)

    def looked(self) -> None:
        """Whatever became of it, an offer may be taken again."""
        self._taking = False

    def later(self, seconds: float) -> None:
        """The offer stands, and cannot be taken yet."""
        self._taken_at = self._desk.clock() + seconds - 1.0

    def bought(self, purchase: Purchase) -> None:
        """The accept is signed, and leaves now."""
        self.purchase = purchase
        self._price = self.offer.price if self.offer is not None else 0
        # What a seller lends beyond what he ever may is not for us to count on.
        self._window = min(self.offer.window, largest_window(self.line.piece_length)) if self.offer is not None else 0
        self._grown_at = purchase.books.signed

    def grow(self) -> None:
        """The seller's window doubles with each one that is paid."""
        if self.purchase is None or self.offer is None:
            return
        signed = self.purchase.books.signed
        if (signed - self._grown_at) * UNIT >= self._window * self.offer.price:
            self._window = min(2 * self._window, largest_window(self.line.piece_length))
            self._grown_at = signed

    def stop(self, why: Why) -> None:
        if self.gone:
            return
        total = self.purchase.books.signed if self.purchase is not None else 0
        self._end()
        self.why = why
        self.line.tell(pay.encode(Stop(why, total)))

    def _end(self) -> None:
        purchase = self.purchase
        if purchase is not None:
            purchase.sides.pop(self.line.number, None)
            # It is owed still once it verifies.
            size = self.line.unverified - sum(size for size, _, _ in self._before)
            if size > 0:
                self._before.append((size, self._price, purchase.lane))
            self._desk.ended(purchase)
        self.purchase = self.offer = None
        self.line.meter(False)

    def metered(self, message: Meter) -> None:
        if self.purchase is None:
            return
        if message.at != self.line.received:
            self.stop(Why.METER)
            return
        self.line.meter(message.on)

    def due(self, message: Due) -> None:
        now = self._desk.clock()
        if now - self._due_at >= 1.0:
            self._due_at, self._asked = now, True
            self._pay()

    def held(self, message: Held) -> None:
        purchase, now = self.purchase, self._desk.clock()
        if purchase is None or message.epoch != purchase.lane.epoch or not purchase.books.shown(message.total):
            return
        if now - self._shown_at >= 1.0:
            self._shown_at = now
            self._desk.show(self, purchase, message)

    def stopped(self, message: Stop) -> None:
        """The seller says why he meters no more; that he does not, his meter said before."""
        self.why = message.code

    def verified(self, size: int) -> None:
        """So many metered bytes are right."""
        while size and self._before:
            left, price, lane = self._before.popleft()
            part = min(size, left)
            if left > part:
                self._before.appendleft((left - part, price, lane))
            self._owe(self._desk.lane(lane), part, price)
            size -= part
        if size and self.purchase is not None:
            self._owe(self.purchase, size, self._price)
        self._pay()

    def _owe(self, purchase: Purchase, size: int, price: int) -> None:
        purchase.books.verified(size, price, self._desk.clock())
        purchase.dirty = True
        torrent = self._desk.market.infohash(self.line.torrent)
        units, _ = purchase.torrents.get(torrent, (0, 0))
        purchase.torrents[torrent] = units + size * price, price

    def tick(self, now: float) -> None:
        if not self.line.unverified:
            self._before.clear()  # what failed is owed by nobody
        self._take()
        self._pay()

    def _pay(self) -> None:
        purchase = self.purchase
        if purchase is None:
            return
        complete = self._desk.market.complete(self.line.torrent)
        if purchase.books.due(
                self._window, self._price, self._desk.clock(), complete=complete, asked=self._asked):
            self._asked = False
            self._desk.want(purchase, self)

    def left(self) -> None:
        self.gone = True
        self._end()
