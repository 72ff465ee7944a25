"""The seller's desk: offers for connections, accepts and vouchers that are looked at in threads, and the meter.

A voucher counts once it is stored. A payer whose vault cannot be asked is a guest like any other, and so is who owes a
window: nobody is choked out or slowed down here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.engine.paying import Line
from wildbach.protocol.ext import pay
from wildbach.protocol.ext.pay import Accepted, Due, Held, Meter, Paid, Stop, Why
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import BadSignature, recover
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.pay.ledger.offers import Offers, Sale
from wildbach.services.pay.ledger.seams import Settlement, Standing
from wildbach.services.pay.ledger.selling import Lane, Selling
from wildbach.services.pay.ledger.store import Ledger, Payer, Taken
from wildbach.services.pay.ledger.terms import (
    FIRST_WINDOW,
    LANES,
    LARGEST_WINDOW,
    OFFER_SECONDS,
    PATIENCE_SECONDS,
    SETTLE_SECONDS,
    STEP,
    UNIT,
    LaneId,
    first_window,
    largest_window,
    sun,
)
from wildbach.services.pay.till.market import Market

REFRESH_SECONDS: Final = 15.0
"So old may be what is known of a payer who buys."
_BATCH: Final = 256
_PAUSE_SECONDS: Final = 0.05
"Between two looks at vouchers: of a flood only the best one of each connection and lane is stored."
_ASKS: Final = 4
"Payers of whom the vault is asked at once, for accepts."
_ACCEPTS: Final = 8.0
"Accepts of a connection that are looked at, at once; one more each second. A buyer sends one a second at most."
_AGAIN_SECONDS: Final = 60.0
"After an accept that could not be looked at there is a new offer."


_OF_SELLERS: Final = (Why.BAD_SIGNATURE, Why.INSOLVENT, Why.UNSUPPORTED)
"What a peer says that sells to us too, of that."


@dataclass(slots=True)
class Known:
    """A payer. `asked_at`: the loop's time at which the vault was asked last."""

    payer: Address
    state: Payer
    standing: Standing | None = None
    asked_at: float = float("-inf")
    dirty: bool = False
    turn: int = 0
    "How often the vault was asked, or a voucher counted."
    uses: int = 0
    "Accepts and vouchers of his that are being looked at: these books are not to be there twice."
    sides: dict[int, SellSide] = field(default_factory=dict)

    @property
    def books(self) -> Selling:
        return self.state.books

    def snapshot(self) -> Payer:
        """As it is now, for a thread."""
        lanes = {one: replace(lane) for one, lane in self.books.lanes.items()}
        return Payer(replace(self.books, lanes=lanes), self.state.signer)


@dataclass(frozen=True, slots=True)
class _Voucher:
    """To be looked at. `signer`: whose signature it has to have. `price`: of the sale that it is for."""

    side: SellSide
    known: Known
    lane: LaneId
    paid: Paid
    signer: Address
    torrent: bytes
    price: int


class SellerDesk:
    """`wall`: seconds since 1970; `clock`: of the loop. `own`: addresses that do not buy from us."""

    def __init__(
        self, scope: Scope, threads: Threads, ledger: Ledger, settlement: Settlement, domain: Domain, market: Market,
        rng: Rng, *, own: frozenset[Address], wall: Callable[[], float], clock: Callable[[], float],
    ) -> None:
        self._scope = scope
        self._threads = threads
        self._ledger = ledger
        self._settlement = settlement
        self._domain = domain
        self.market = market
        self._rng = rng
        self.offers = Offers(own)
        self.wall = wall
        self.clock = clock
        self.failed: Callable[[Exception], None] | None = None
        "Takes what ends a task."
        self.least = 0
        "SUN of credit below which only reservations are taken: what it costs to redeem."
        self.payers: dict[Address, Known] = {}
        self._queue: dict[int, dict[LaneId, _Voucher]] = {}
        "By connection: the best voucher of each lane."
        self._asks = asyncio.Semaphore(_ASKS)
        self._work = asyncio.Event()

    def offer_id(self) -> bytes:
        return self._rng.randbytes(pay.OFFER_BYTES)

    # -- accepts

    def asked(self, side: SellSide, accepted: Accepted) -> None:
        self._scope.spawn(f"accept {side.line.number}", self._take(side, accepted), contain=self.failed)

    async def _take(self, side: SellSide, accepted: Accepted) -> None:
        accept = self.offers.asked(side.line.number, accepted, int(self.wall()))
        if accept is None:
            side.stop(Why.UNSUPPORTED)
            return
        try:
            signer = await self._threads.run(recover, accept.digest(self._domain), accepted.signature)
        except BadSignature:
            side.stop(Why.BAD_SIGNATURE)
            return
        known = await self._known(accepted.payer)
        known.uses += 1
        try:
            await self._sell(side, accepted, known, signer, LaneId(accept.payee, accepted.epoch))
        finally:
            known.uses -= 1

    async def _sell(
        self, side: SellSide, accepted: Accepted, known: Known, signer: Address, lane: LaneId,
    ) -> None:
        try:
            async with self._asks:
                standing = await self._ask(known, signer, lane)
        except (NetworkError, RemoteError):
            side.wait(_AGAIN_SECONDS)
            return
        if side.gone:
            return
        first = first_window(side.line.piece_length)
        if standing.registered:
            known.books.widen(first, largest_window(side.line.piece_length))
        answer = self.offers.take(
            side.line.number, accepted, known.books, signed=standing.registered, now=int(self.wall()))
        if not isinstance(answer, Sale):
            side.stop(answer)
            return
        known.books.forget({answer.lane, *(one.lane for one in known.sides.values() if one.lane is not None)})
        known.state.signer = signer
        known.dirty = True
        side.sold(known, answer)

    async def _known(self, payer: Address) -> Known:
        found = self.payers.get(payer)
        if found is None:
            state = await self._threads.run(self._ledger.payer, payer)
            if state is None:
                state = Payer(Selling(FIRST_WINDOW, FIRST_WINDOW, LARGEST_WINDOW))
            found = self.payers.setdefault(payer, Known(payer, state))
            self._forget(found)
        return found

    def _forget(self, keep: Known) -> None:
        """Payers who are not here, the oldest first: what is stored of them is read again when they come."""
        if len(self.payers) <= limits.PAY_PAYERS:
            return
        idle = [
            one for one in self.payers.values()
            if one is not keep and not one.sides and not one.dirty and not one.uses]
        for one in idle[: max(0, len(self.payers) - limits.PAY_PAYERS)]:
            del self.payers[one.payer]

    async def _ask(self, known: Known, signer: Address, lane: LaneId | None = None) -> Standing:
        lanes = [*known.books.lanes, *([lane] if lane is not None and lane not in known.books.lanes else ())]
        payees = list(dict.fromkeys(one.payee for one in lanes))
        standing = await self._settlement.standing(known.payer, signer, payees, lanes)
        if standing.registered or signer == known.state.signer:
            # What somebody else signed in this payer's name says nothing of him.
            known.standing, known.asked_at = standing, self.clock()
            known.turn += 1
        at = int(self.wall())
        for one, paid in standing.paid.items():
            held = known.books.lanes.get(one)
            if held is not None and held.redeemed != min(paid, held.total):
                await self._threads.run(self._ledger.redeemed, at, known.payer, one, paid)
                known.books.redeem(one, paid)
        return standing

    # -- vouchers

    def voucher(self, side: SellSide, known: Known, lane: LaneId, paid: Paid, price: int) -> None:
        signer = known.state.signer
        if signer is None or not known.books.better(lane, paid.total):
            return
        waiting = self._queue.setdefault(side.line.number, {})
        before = waiting.get(lane)
        if before is None and len(waiting) >= 2 * LANES:
            return
        if before is None:
            known.uses += 1
        elif before.paid.total >= paid.total:
            return
        waiting[lane] = _Voucher(side, known, lane, paid, signer, self.market.infohash(side.line.torrent), price)
        self._work.set()

    def _next(self) -> list[_Voucher]:
        """Those that are looked at now."""
        batch: list[_Voucher] = []
        while self._queue and len(batch) < _BATCH:
            number = next(iter(self._queue))
            batch += self._queue.pop(number).values()
        return batch

    async def look(self) -> None:
        """Forever: look at vouchers that came."""
        while True:
            await self._work.wait()
            batch = self._next()
            if not self._queue:
                self._work.clear()
            good = await self._threads.run(self._store, batch)
            touched: dict[Address, Known] = {}
            worth = False
            for one, is_good in zip(batch, good, strict=True):
                one.known.uses -= 1
                if not is_good:
                    if one.side.payer is not None:
                        # Of a deal that is over nothing is said: who sends many and reads nothing would fill memory.
                        one.side.stop(Why.BAD_SIGNATURE)
                    continue
                known = one.known
                before = known.books.lanes.get(one.lane)
                more = one.paid.total - (before.total if before is not None else 0)
                worth = worth or more * UNIT >= STEP * max(one.price, 1)
                known.books.count(one.lane, one.paid.total, one.paid.signature, one.price)
                known.turn += 1
                known.dirty = True
                touched[known.payer] = known
            for known in touched.values():
                for side in list(known.sides.values()):
                    side.review()
            if not worth:
                # Many small ones are to be few rows; who pays for a step waits for its window.
                await asyncio.sleep(_PAUSE_SECONDS)

    def _store(self, batch: Sequence[_Voucher]) -> list[bool]:
        """In a thread: who signed, and on the disk what counts."""
        good: list[bool] = []
        taken: list[Taken] = []
        at = int(self.wall())
        for one in batch:
            digest = Voucher(one.known.payer, one.lane.payee, one.lane.epoch, one.paid.total).digest(self._domain)
            try:
                good.append(recover(digest, one.paid.signature) == one.signer)
            except BadSignature:
                good.append(False)
            if good[-1]:
                taken.append(Taken(
                    one.known.payer, one.lane, one.paid.total, one.paid.signature, digest, one.torrent, at))
        self._ledger.held(taken)
        return good

    # -- now and then

    async def refresh(self) -> None:
        """Ask the vault about who buys."""
        now = self.clock()
        for known in list(self.payers.values()):
            signer = known.state.signer
            if known.sides and signer is not None and now - known.asked_at >= REFRESH_SECONDS:
                try:
                    await self._ask(known, signer)
                except (NetworkError, RemoteError):
                    # What is known grows old; a window is lent on it at most.
                    continue
                for side in list(known.sides.values()):
                    side.review()

    async def save(self) -> None:
        dirty = [one for one in self.payers.values() if one.dirty]
        if dirty:
            shots = [(one.payer, one.snapshot()) for one in dirty]
            for one in dirty:
                one.dirty = False
            await self._threads.run(self._ledger.billed, shots)


class SellSide:
    """One connection on which we may sell."""

    def __init__(self, desk: SellerDesk, line: Line) -> None:
        self._desk = desk
        self.line = line
        self.gone = False
        self.metering = False
        self.price = 0
        self.why: Why | None = None
        "Why nothing is metered."
        self._known: Known | None = None
        self._sale: Sale | None = None
        self._was: tuple[Known, Sale] | None = None
        "What ended last: a voucher for it may be on its way."
        self._busy = False
        self._accepts = _ACCEPTS
        "So many are looked at still,"
        self._accepts_at = desk.clock()
        "as was counted then."
        self._offer_at = 0.0
        "When there is a new offer, if nobody has taken the one before."
        self._turn = -1
        self._quiet = 0
        "While it is this turn, nothing changes before so much is billed: units."
        self._due_at = 0.0
        self._gave_at = float("-inf")
        self._owing_since: float | None = None

    @property
    def payer(self) -> Address | None:
        return self._known.payer if self._known is not None else None

    @property
    def books(self) -> Selling | None:
        """Of whoever took the offer."""
        return self._known.books if self._known is not None else None

    @property
    def lane(self) -> LaneId | None:
        """What is billed in."""
        return self._sale.lane if self._sale is not None else None

    @property
    def unsettled(self) -> bool:
        """Something was billed a moment ago, and is not paid."""
        known = self._known
        if known is None or known.books.debt <= 0:
            return False
        return self._desk.clock() - self._gave_at < SETTLE_SECONDS

    # -- what it says

    def offer(self) -> None:
        desk, torrent = self._desk, self.line.torrent
        price, window = desk.market.sells(torrent), first_window(self.line.piece_length)
        self._end()
        if not (price or desk.market.sponsored(torrent)) or not window or self.gone:
            self._offer_at = desk.clock() + OFFER_SECONDS
            return
        offer = desk.offers.make(
            self.line.number, desk.market.infohash(torrent), price=price, window=window,
            payee=desk.market.payee(torrent), least=desk.least, now=int(desk.wall()), id_=desk.offer_id())
        self.price, self.why = price, None
        self._offer_at = desk.clock() + OFFER_SECONDS
        self.line.tell(pay.encode(offer))

    def again(self) -> None:
        """The peer may have changed its mind."""
        if self._known is None and not self._busy:
            self._offer_at = min(self._offer_at, self._desk.clock() + 1.0)

    def stop(self, why: Why) -> None:
        """It is over until there is a new offer."""
        if self.gone:
            return
        total = self._lane.total if self._lane is not None else 0
        self._end()
        self.why = why
        self._desk.offers.left(self.line.number)
        self.line.tell(pay.encode(Stop(why, total)))

    def wait(self, seconds: float) -> None:
        """Nobody could be asked: a new offer comes later."""
        self._end()
        self.why = Why.INSOLVENT
        self._offer_at = self._desk.clock() + seconds

    def _end(self) -> None:
        self._busy = False
        self._meter(False)
        if self._known is not None and self._sale is not None:
            self._known.sides.pop(self.line.number, None)
            self._was = self._known, self._sale
        self._known = self._sale = None

    # -- what it hears

    def accepted(self, message: Accepted) -> None:
        now = self._desk.clock()
        self._accepts, self._accepts_at = min(_ACCEPTS, self._accepts + now - self._accepts_at), now
        if self._busy or self._accepts < 1:
            return
        self._accepts -= 1
        self._end()
        self._busy = True
        self._desk.asked(self, message)

    def sold(self, known: Known, sale: Sale) -> None:
        """The accept was good."""
        self._busy = False
        self._known, self._sale = known, sale
        known.sides[self.line.number] = self
        lane = known.books.lanes.get(sale.lane)
        if not self.price:
            # Who pays for no blocks hears that vouchers are taken now.
            self.line.tell(pay.encode(Meter(False, self.line.sent)))
        if lane is not None and lane.total:
            self.line.tell(pay.encode(Held(sale.lane.epoch, lane.total, lane.signature)))
        self.review()

    def voucher(self, message: Paid) -> None:
        found = self._was
        if self._known is not None and self._sale is not None:
            found = self._known, self._sale
        if found is not None and self._desk.payers.get(found[0].payer) is found[0]:
            known, sale = found
            self._desk.voucher(self, known, LaneId(sale.lane.payee, message.epoch), message, sale.offer.price)

    def stopped(self, message: Stop) -> None:
        """The buyer pays no more; where his books begin anew, there is a new offer for them."""
        if message.code in _OF_SELLERS:
            return
        self._end()
        self._desk.offers.left(self.line.number)
        self._offer_at = self._desk.clock() + (0.0 if message.code == Why.OLD_EPOCH else OFFER_SECONDS)

    # -- the meter

    def gave(self, size: int) -> None:
        metering, known, sale = self.metering, self._known, self._sale
        if not metering or known is None or sale is None:
            return
        known.books.bill(size, self.price, sale.lane)
        known.dirty = True
        self._gave_at = self._desk.clock()
        if self._turn == known.turn and known.books.billed < self._quiet:
            return
        self.review()
        if self.why is not None:
            # The window is of all his connections.
            for side in list(known.sides.values()):
                side.review()

    def review(self) -> None:
        """Whether what follows is metered."""
        known, sale = self._known, self._sale
        if known is None or sale is None or known.standing is None:
            return
        standing = known.standing
        if not standing.registered:
            # The key has ended. Of what is reserved from now on, its vouchers get nothing.
            self.stop(Why.BAD_SIGNATURE)
            return
        if not self.price:
            return
        if known.books.credit(standing, self.price) < self._desk.least:
            # To redeem what is lent would cost more than it is: nothing is.
            standing = replace(standing, balance=standing.reserved + standing.asked)
        self.why = known.books.refuses(standing, self.price, sale.lane.payee)
        lane = known.books.lanes[sale.lane]
        if self.why is None:
            self._meter(True)
            self._turn = known.turn
            self._quiet = known.books.billed + known.books.room(standing, self.price, sale.lane.payee)
        elif self.metering:
            self._meter(False)
            if self.why is Why.INSOLVENT:
                self.line.tell(pay.encode(Stop(Why.INSOLVENT, lane.total)))
        if known.books.due(self.price) and self._desk.clock() - self._due_at >= 1.0:
            self._due(known, lane)

    def _meter(self, on: bool) -> None:
        if on != self.metering:
            self.metering = on
            if not self.gone:
                self.line.tell(pay.encode(Meter(on, self.line.sent)))

    def _due(self, known: Known, lane: Lane) -> None:
        self._due_at = self._desk.clock()
        self.line.tell(pay.encode(Due(lane.sent, lane.total + sun(max(0, known.books.debt)))))

    @property
    def _lane(self) -> Lane | None:
        if self._known is None or self._sale is None:
            return None
        return self._known.books.lanes.get(self._sale.lane)

    def tick(self, now: float) -> None:
        if self._known is None and not self._busy and self._offer_at <= self._desk.clock():
            self.offer()
        known, lane = self._known, self._lane
        if known is None or lane is None:
            return
        self.review()
        if known.books.debt <= 0 or not self.price:
            self._owing_since = None
        elif self._owing_since is None:
            self._owing_since = now
        elif now - self._owing_since >= PATIENCE_SECONDS and self._desk.clock() - self._due_at >= PATIENCE_SECONDS:
            self._due(known, lane)

    def left(self) -> None:
        self.gone = True
        self._end()
        self._desk.offers.left(self.line.number)
