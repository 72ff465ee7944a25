"""A till whose connections end in the test: what is said to it, and what it says, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tests.tillbed import PRICE, Trade
from tests.vaultbed import HOT, PAYER, SELLER

from wildbach.engine.paying import Line
from wildbach.protocol.ext import pay
from wildbach.protocol.ext.pay import Accepted, Message, Offer, Paid
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import Accept, Domain, Voucher
from wildbach.runtime.tasks import Scope
from wildbach.services.pay.ledger.terms import FIRST_WINDOW, MIB
from wildbach.services.pay.till.till import Deal, Till
from wildbach.testing.content import content
from wildbach.testing.loop import sim, simloop

THIEF = SecretKey(b"\x66" * 32)
BLOCK = 16384


@dataclass
class Wire:
    """A connection whose other end is the test."""

    number: int
    torrent: str = "t"
    piece_length: int = 256 * 1024
    fast: bool = True
    on: bool = False
    sent: int = 0
    received: int = 0
    unverified: int = 0
    remote: str = "203.0.113.1:6881"
    said: list[Message] = field(default_factory=list)

    def tell(self, payload: bytes) -> None:
        message = pay.decode(payload)
        assert message is not None
        self.said.append(message)

    def meter(self, on: bool) -> None:
        self.on = on

    def last(self, kind: type[Message]) -> Message | None:
        return next((one for one in reversed(self.said) if isinstance(one, kind)), None)


@dataclass
class Stall:
    """A seller, and connections of whoever wants something of it."""

    trade: Trade
    till: Till
    scope: Scope
    wires: list[tuple[Wire, Deal]] = field(default_factory=list)

    def connect(self, piece_length: int = 256 * 1024) -> tuple[Wire, Deal]:
        wire = Wire(len(self.wires) + 1, piece_length=piece_length)
        theirs = pay.encode_terms(pay.Terms(self.trade.bed.domain.chain_id, self.trade.bed.domain.vault))
        deal = self.till.opens(cast(Line, wire), theirs)
        assert deal is not None
        self.wires.append((wire, deal))
        return wire, deal

    def accept(
        self, wire: Wire, deal: Deal, epoch: int, *, key: SecretKey = HOT, payer: Address = PAYER.address,
        owed: int = 0, domain: Domain | None = None,
    ) -> None:
        """`domain`: the chain and the vault it is signed for, where that is not the seller's."""
        offer = wire.last(Offer)
        assert isinstance(offer, Offer)
        digest = Accept(payer, offer.payee, offer.id, bytes(32), offer.expires).digest(
            domain or self.trade.bed.domain)
        deal.received(pay.encode(Accepted(offer.id, payer, epoch, owed, key.sign(digest))))

    def pay(
        self, deal: Deal, epoch: int, total: int, key: SecretKey = HOT, domain: Domain | None = None,
    ) -> None:
        digest = Voucher(PAYER.address, SELLER.address, epoch, total).digest(domain or self.trade.bed.domain)
        deal.received(pay.encode(Paid(epoch, total, key.sign(digest))))

    def take(self, wire: Wire, deal: Deal, most: int = 64 * MIB) -> int:
        """Have blocks until they are not metered any more; how many bytes were."""
        metered = 0
        while deal.sell is not None and deal.sell.metering and metered < most:
            wire.sent += BLOCK
            metered += BLOCK
            deal.gave(BLOCK)
        return metered

    def tick(self) -> None:
        for _, deal in self.wires:
            deal.tick(simloop().time())

    async def rest(self, seconds: float = 1.0) -> None:
        await asyncio.sleep(seconds)


def stall(tmp_path: Path, then: Callable[[Stall], Awaitable[None]], reserve: int = 10_000_000) -> None:
    """The test buys."""
    _played(tmp_path, then, reserve, Trade.seller)


def purchase(tmp_path: Path, then: Callable[[Stall], Awaitable[None]], reserve: int = 10_000_000) -> None:
    """The test sells."""
    _played(tmp_path, then, reserve, Trade.buyer)


def _played(
    tmp_path: Path, then: Callable[[Stall], Awaitable[None]], reserve: int, made: Callable[[Trade, Scope], Till],
) -> None:
    async def main() -> None:
        trade = Trade(tmp_path, content(MIB))
        if reserve:
            trade.reserve(reserve)
        with closing(trade):
            async with Scope("root") as scope:
                till = made(trade, scope.child("till"))
                await till.start()
                await then(Stall(trade, till, scope))
                await till.close()

    sim(1).run(main())


def offer(at: Stall, deal: Deal, number: int = 1, payee: Address = SELLER.address) -> None:
    deal.received(pay.encode(
        Offer(number.to_bytes(8, "big"), PRICE, FIRST_WINDOW, payee, 0, int(at.trade.wall()) + 3600)))


@dataclass
class Between:
    """A seller and a buyer, and somebody who has the line between them. He passes on what `to_buyer` and `to_seller`
    make of each message, and all blocks.
    """

    sells: Stall
    buys: Stall
    to_buyer: Callable[[Message], Message | None] = lambda message: message
    to_seller: Callable[[Message], Message | None] = lambda message: message

    def meet(self) -> None:
        self.there, self.selling = self.sells.connect()
        self.here, self.buying = self.buys.connect()
        self._heard = [0, 0]

    def pass_on(self) -> None:
        """What was said since the last time."""
        for number, (wire, deal, change) in enumerate((
                (self.there, self.buying, self.to_buyer), (self.here, self.selling, self.to_seller))):
            said, self._heard[number] = wire.said[self._heard[number]:], len(wire.said)
            for one in said:
                changed = change(one)
                if changed is not None:
                    deal.received(pay.encode(changed))

    def block(self) -> None:
        """One leaves the seller, arrives in its place among what is said, and is right."""
        self.pass_on()
        self.there.sent += BLOCK
        self.selling.gave(BLOCK)
        self.here.received += BLOCK
        if self.here.on:
            self.buying.verified(BLOCK)

    async def go_on(self, blocks: int = 0, seconds: float = 8.0) -> None:
        """Blocks, as fast as they are metered or not, and all that is said about them."""
        for number in range(blocks):
            self.block()
            if number % 8 == 0:
                await self.sells.rest(0.1)
        for _ in range(int(seconds)):
            self.pass_on()
            await self.sells.rest()
            self.sells.tick()
            self.buys.tick()
        self.pass_on()


def between(tmp_path: Path, then: Callable[[Between], Awaitable[None]], reserve: int = 10_000_000) -> None:
    async def main() -> None:
        trade = Trade(tmp_path, content(MIB))
        if reserve:
            trade.reserve(reserve)
        with closing(trade):
            async with Scope("root") as scope:
                selling, buying = trade.seller(scope.child("seller")), trade.buyer(scope.child("buyer"), most=2 * PRICE)
                for till in (selling, buying):
                    await till.start()
                await then(Between(Stall(trade, selling, scope), Stall(trade, buying, scope)))
                for till in (selling, buying):
                    await till.close()

    sim(1).run(main())
