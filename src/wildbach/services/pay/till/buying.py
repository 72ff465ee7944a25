"""The buyer's desk: offers that are taken, and vouchers that are signed in threads, for all connections.

A voucher leaves after the wallet has counted it and the ledger has stored it. What the wallet refuses is not bought:
the connection goes on as one without money.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError, StorageError
from wildbach.protocol.ext import pay
from wildbach.protocol.ext.pay import Accepted, Held, Offer, Paid, Why
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Accept, Domain, Voucher
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.pay.ledger.buying import Buying
from wildbach.services.pay.ledger.seams import Settlement
from wildbach.services.pay.ledger.store import Ledger, Part
from wildbach.services.pay.ledger.terms import UNIT, LaneId
from wildbach.services.pay.till.buyside import BuySide, Gift, Purchase
from wildbach.services.pay.till.market import Market
from wildbach.services.pay.wallet.policy import Refused, Share, Wanted
from wildbach.services.pay.wallet.signer import HotSigner, SignedVoucher

COVER_SECONDS: Final = 15.0
"So often the vault is asked what it has for us."
_STALE_SECONDS: Final = 300.0
"Of a vault of which nobody says anything for so long nothing is signed."
_NEW_EPOCH: Final = ("epoch_closed", "restored")
_AHEAD: Final = ("below_signed", "bad_shares")
"The wallet counted a voucher of this lane that these books know nothing of, and that never left."
_PAYEES: Final = 32
"Payees without a lane whose reservations are asked for: those who came last."
_ASK_SECONDS: Final = 2.0
"Between two questions about payees that are new."
_WAIT_SECONDS: Final = 10.0
"Until an offer is looked at again that could not be taken because nothing is known of the vault."


@dataclass(frozen=True, slots=True)
class _Ask:
    """A voucher to be signed. `parts`: what it adds."""

    purchase: Purchase
    side: BuySide | None
    total: int
    parts: tuple[Share, ...]
    gift: Gift | None = None


class BuyerDesk:
    """`wall`: seconds since 1970; `clock`: of the loop."""

    def __init__(
        self, scope: Scope, threads: Threads, ledger: Ledger, settlement: Settlement, domain: Domain,
        signer: HotSigner, mine: frozenset[Address], market: Market, *, wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._scope = scope
        self._threads = threads
        self._ledger = ledger
        self._settlement = settlement
        self._domain = domain
        self._signer = signer
        self._mine = mine
        self.market = market
        self.wall = wall
        self.clock = clock
        self.failed: Callable[[Exception], None] | None = None
        "Takes what ends a task."
        self.epoch = 0
        self.lanes: dict[LaneId, Purchase] = {}
        self.refused: Refused | None = None
        "Why the wallet signed nothing last."
        self._queue: list[_Ask] = []
        self._work = asyncio.Event()
        self._covered = float("-inf")
        self.reserved: frozenset[Address] = frozenset()
        "Payees for whom the vault has something."
        self._known: dict[Address, bool] = {}
        "Payees whose reservations are asked for beside those of lanes, and whether they were."
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")

    async def load(self) -> None:
        """What the ledger has."""
        for lane, (books, paid) in (await self._threads.run(self._ledger.bought)).items():
            self.lanes[lane] = Purchase(lane, books, paid)
        # A lane's number is the time when its books began: those of a lost state are older.
        self.epoch = max((lane.epoch for lane in self.lanes), default=int(self.wall() * 1000))

    def begin_epoch(self, floor: int = 0) -> None:
        """These books are older than what was signed: all lanes begin anew, not below `floor`."""
        self.epoch = max(int(self.wall() * 1000), self.epoch + 1, floor)
        for purchase in list(self.lanes.values()):
            for side in list(purchase.sides.values()):
                side.stop(Why.OLD_EPOCH)

    def purchase(self, payee: Address) -> Purchase:
        lane = LaneId(payee, self.epoch)
        found = self.lanes.get(lane)
        if found is None:
            found = self.lanes[lane] = Purchase(lane, Buying(self.epoch))
        return found

    def lane(self, lane: LaneId) -> Purchase:
        """Of before, or as good as new."""
        return self.lanes.setdefault(lane, Purchase(lane, Buying(lane.epoch)))

    def ended(self, purchase: Purchase) -> None:
        """A connection buys no more in this lane. One in which nothing was ever owed need not be remembered."""
        books = purchase.books
        waits = purchase.signing or purchase.gifts
        if not (purchase.sides or waits or books.owed or books.signed or purchase.paid):
            self.lanes.pop(purchase.lane, None)

    # -- offers

    def accept(self, side: BuySide, offer: Offer) -> None:
        self._scope.spawn(f"take {side.line.number}", self._accept(side, offer), contain=self.failed)

    async def _accept(self, side: BuySide, offer: Offer) -> None:
        try:
            await self._agree(side, offer)
        finally:
            side.looked()

    async def _agree(self, side: BuySide, offer: Offer) -> None:
        infohash = self.market.infohash(side.line.torrent)
        accept = Accept(self._signer.payer, offer.payee, offer.id, infohash, offer.expires)
        await self._look_up(offer.payee)
        try:
            signature = await self._threads.run(self._signer.accept, accept, offer.price)
        except Refused as refused:
            self.refused = refused
            if refused.code == "no_cover":
                side.later(_WAIT_SECONDS)
                return
            side.stop(Why.PRICE if refused.code == "max_price" else Why.BUDGET)
            return
        if side.gone or side.offer is not offer:
            return
        purchase = self.purchase(offer.payee)
        purchase.sides[side.line.number] = side
        side.bought(purchase)
        side.line.tell(pay.encode(Accepted(
            offer.id, self._signer.payer, purchase.lane.epoch, purchase.books.bytes_owed, signature)))
        if purchase.books.signed:
            # The seller may have lost it.
            self._ask(_Ask(purchase, side, purchase.books.signed, ()))

    async def _look_up(self, payee: Address) -> None:
        """Something may be reserved for him. Those who come at once are asked about together."""
        if payee not in self._known:
            self._known[payee] = False
            while len(self._known) > _PAYEES:
                del self._known[next(iter(self._known))]
        async with self._asking:
            if self._known.get(payee, True):
                return
            await asyncio.sleep(max(0.0, self._asked_at + _ASK_SECONDS - self.clock()))
            self._asked_at = self.clock()
            await self.cover()

    async def take(self, offer: Offer, infohash: bytes) -> Accepted:
        """Take an offer outside of the swarms: what is said for it. Raises Refused and StorageError."""
        await self._look_up(offer.payee)
        accept = Accept(self._signer.payer, offer.payee, offer.id, infohash, offer.expires)
        signature = await self._threads.run(self._signer.accept, accept, offer.price)
        purchase = self.purchase(offer.payee)
        return Accepted(
            offer.id, self._signer.payer, purchase.lane.epoch, purchase.books.bytes_owed, signature)

    async def give(self, payee: Address, torrent: bytes, amount: int, mark: bytes) -> SignedVoucher:
        """A voucher that pays so much more for no blocks, or, where that was done for this mark, the newest of the
        lane. After a crash those that were under way are given again before anything else is signed, so before the till
        is set: else what the wallet has counted of them would count for something else. Raises Refused and
        StorageError.
        """
        await self._look_up(payee)
        done: asyncio.Future[SignedVoucher] = asyncio.get_running_loop().create_future()
        purchase = self.purchase(payee)
        purchase.gifts.append(Gift(mark, torrent, amount, done))
        if not purchase.signing:
            self._give(purchase)
        return await done

    async def newest(self, payee: Address) -> SignedVoucher | None:
        """Of our lane to him, once more; None where there is none. Raises Refused and StorageError."""
        if not self.purchase(payee).books.signed:
            return None
        return await self.give(payee, b"", 0, b"")

    def _give(self, purchase: Purchase) -> None:
        gift = purchase.gifts.popleft()
        purchase.signing = True
        parts = (Share(gift.torrent, gift.amount),) if gift.amount else ()
        self._ask(_Ask(purchase, None, purchase.books.signed + gift.amount, parts, gift))

    def look_at(self, payee: Address, held: Held) -> None:
        """A seller shows his best voucher outside of the swarms."""
        purchase = self.lanes.get(LaneId(payee, held.epoch))
        if purchase is not None and purchase.books.shown(held.total):
            self._scope.spawn(f"shown {payee}", self._shown(purchase, held), contain=self.failed)

    # -- vouchers

    def want(self, purchase: Purchase, side: BuySide) -> None:
        """Sign for all that is owed."""
        if purchase.signing:
            return
        total = purchase.books.total
        more = total - purchase.books.signed
        if more <= 0:
            return
        purchase.signing = True
        self._ask(_Ask(purchase, side, total, _shares(purchase, more)))

    def _ask(self, ask: _Ask) -> None:
        self._queue.append(ask)
        self._work.set()

    async def sign(self) -> None:
        """Forever: sign what is asked for."""
        while True:
            await self._work.wait()
            batch, self._queue = self._queue[: limits.WALLET_VOUCHERS], self._queue[limits.WALLET_VOUCHERS :]
            if not self._queue:
                self._work.clear()
            books = [replace(ask.purchase.books) for ask in batch]
            answers: Sequence[SignedVoucher | Refused]
            try:
                answers = await self._threads.run(self._sign, batch, books)
            except Refused as refused:
                answers = [refused] * len(batch)
            except StorageError as error:
                for ask in (*batch, *self._queue):
                    if ask.gift is not None and not ask.gift.done.done():
                        ask.gift.done.set_exception(error)
                raise
            for ask, answer in zip(batch, answers, strict=True):
                self._signed(ask, answer)

    def _sign(self, batch: Sequence[_Ask], books: Sequence[Buying]) -> Sequence[SignedVoucher | Refused]:
        """In a thread: counted by the wallet, then on the ledger."""
        had = [
            ask.gift is not None and (not ask.gift.amount or self._ledger.given(ask.gift.mark)) for ask in batch]
        wanted = [
            Wanted(
                Voucher(
                    self._signer.payer, ask.purchase.lane.payee, ask.purchase.lane.epoch,
                    ask.purchase.books.signed if was else ask.total),
                () if was else ask.parts)
            for ask, was in zip(batch, had, strict=True)]
        answers = self._signer.vouchers(wanted)
        at, ahead = int(self.wall()), set[LaneId]()
        for ask, was, answer, state in zip(batch, had, answers, books, strict=True):
            lane = ask.purchase.lane
            if isinstance(answer, SignedVoucher):
                if ask.gift is not None and not was:
                    owed = state.owed + ask.gift.amount * UNIT
                    self._ledger.signed(
                        at, lane, replace(state, signed=ask.total, owed=owed),
                        [Part(ask.gift.torrent, ask.gift.amount)], ask.gift.mark, gift=True)
                elif ask.parts and not was:
                    parts = [Part(one.torrent, one.amount) for one in ask.parts]
                    self._ledger.signed(
                        at, lane, replace(state, signed=ask.total), parts, answer.voucher.digest(self._domain))
                continue
            signed = _counted(answer)
            if signed > state.signed and lane not in ahead:
                # A crash came between the wallet and the ledger: the wallet has it right.
                ahead.add(lane)
                torrent = ask.parts[-1].torrent if ask.parts else b""
                self._ledger.signed(
                    at, lane, replace(state, signed=signed, owed=max(state.owed, signed * UNIT)),
                    [Part(torrent, signed - state.signed)], b"")
        return answers

    def _gave(self, ask: _Ask, gift: Gift, answer: SignedVoucher | Refused) -> None:
        purchase = ask.purchase
        purchase.signing = False
        if isinstance(answer, SignedVoucher):
            if answer.voucher.cumulative == ask.total:
                purchase.books.owed += gift.amount * UNIT
                purchase.books.sign(ask.total)
            if not gift.done.done():
                gift.done.set_result(answer)
        else:
            counted = _counted(answer)
            if counted > purchase.books.signed:
                self._below(purchase, counted)
                purchase.gifts.appendleft(gift)
            else:
                if answer.code in _NEW_EPOCH and purchase.lane.epoch == self.epoch:
                    self.begin_epoch(int(str(answer.facts.get("floor", 0))))
                if not gift.done.done():
                    gift.done.set_exception(answer)
        self._next(purchase)

    def _next(self, purchase: Purchase) -> None:
        if purchase.gifts and not purchase.signing:
            self._give(purchase)

    def _below(self, purchase: Purchase, counted: int) -> None:
        """A crash came between the wallet and the ledger: the wallet has it right."""
        purchase.books.sign(counted)
        purchase.books.owed = max(purchase.books.owed, counted * UNIT)

    def _signed(self, ask: _Ask, answer: SignedVoucher | Refused) -> None:
        purchase = ask.purchase
        if ask.gift is not None:
            self._gave(ask, ask.gift, answer)
            return
        if ask.parts:
            purchase.signing = False
        self._voucher(ask, purchase, answer)
        self._next(purchase)

    def _voucher(self, ask: _Ask, purchase: Purchase, answer: SignedVoucher | Refused) -> None:
        if isinstance(answer, SignedVoucher):
            purchase.books.sign(ask.total)
            for part in ask.parts:
                units, price = purchase.torrents.get(part.torrent, (0, 0))
                purchase.torrents[part.torrent] = units - part.amount * UNIT, price
            side = ask.side
            if side is None or side.gone:
                side = next(iter(purchase.sides.values()), None)
            if side is not None:
                side.line.tell(pay.encode(Paid(purchase.lane.epoch, ask.total, answer.signature)))
                side.grow()
            return
        counted = _counted(answer)
        if answer.code in _NEW_EPOCH:
            if purchase.lane.epoch == self.epoch:
                self.begin_epoch(int(str(answer.facts.get("floor", 0))))
        elif counted > purchase.books.signed or answer.code == "below_signed":
            self._below(purchase, counted)
            if purchase.books.total > counted and ask.side is not None:
                self.want(purchase, ask.side)
        else:
            self.refused = answer
            for side in list(purchase.sides.values()):
                side.stop(Why.BUDGET)

    async def _shown(self, purchase: Purchase, held: Held) -> None:
        voucher = Voucher(self._signer.payer, purchase.lane.payee, held.epoch, held.total)
        if await self._threads.run(self._signer.seen, voucher, held.signature):
            self.begin_epoch()

    def show(self, side: BuySide, purchase: Purchase, held: Held) -> None:
        """A seller shows a higher total than these books have."""
        self._scope.spawn(f"shown {side.line.number}", self._shown(purchase, held), contain=self.failed)

    # -- now and then

    async def refresh(self) -> None:
        """Where what is known of the vault is old."""
        if self.clock() - self._covered >= COVER_SECONDS:
            await self.cover()

    async def cover(self) -> None:
        """Ask the vault what it has for us."""
        lanes = [one for one in self.lanes.values() if one.sides or one.books.signed > one.paid][: limits.PAY_LANES]
        strangers = list(self._known)
        payees = list(dict.fromkeys((*(one.lane.payee for one in lanes), *strangers)))
        try:
            found = await self._settlement.cover(
                self._signer.payer, self._mine, payees, [one.lane for one in lanes])
        except (NetworkError, RemoteError):
            if self.clock() - self._covered > _STALE_SECONDS:
                self._signer.set_cover(None)
            return
        self._covered = self.clock()
        for one in strangers:
            if one in self._known:
                self._known[one] = True
        self.reserved = frozenset(payee for payee, amount in found.reservations.items() if amount)
        at = int(self.wall())
        for (payee, epoch), paid in found.paid.items():
            purchase = self.lanes.get(LaneId(payee, epoch))
            if purchase is not None and paid != purchase.paid:
                await self._threads.run(self._ledger.spent, at, purchase.lane, paid)
                purchase.paid = paid
        known = {(one.lane.payee, one.lane.epoch): one.paid for one in self.lanes.values()}
        await self._threads.run(self._signer.set_cover, replace(found, paid={**known, **found.paid}))

    async def save(self) -> None:
        dirty = [one for one in self.lanes.values() if one.dirty]
        if dirty:
            shots = [(one.lane, replace(one.books)) for one in dirty]
            for one in dirty:
                one.dirty = False
            await self._threads.run(self._ledger.owes, shots)


def _shares(purchase: Purchase, more: int) -> tuple[Share, ...]:
    """What a voucher adds, torrent by torrent; together `more` SUN."""
    owed = [(torrent, units, price) for torrent, (units, price) in purchase.torrents.items() if units > 0]
    together = sum(units for _, units, _ in owed)
    shares: list[Share] = []
    left, rest = more, together
    for torrent, units, price in owed[: limits.WALLET_SHARES]:
        amount = left * units // rest if rest > units else left
        left, rest = left - amount, rest - units
        if amount:
            shares.append(Share(torrent, amount, price))
    if left:
        # What was owed before a start is not known by torrents any more.
        torrent, _, price = owed[-1] if owed else (b"", 0, 0)
        shares.append(Share(torrent, left, price))
    return tuple(shares)


def _counted(answer: Refused) -> int:
    """SUN that the wallet has counted in a lane, where that is why it signs nothing."""
    return int(str(answer.facts.get("signed", 0))) if answer.code in _AHEAD else 0
