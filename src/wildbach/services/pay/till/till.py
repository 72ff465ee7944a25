"""The till of a session: what the engine asks of who buys and sells, for all torrents and connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.engine.choker import Standing
from wildbach.engine.paying import Line
from wildbach.protocol import bencode
from wildbach.protocol.ext import pay
from wildbach.protocol.ext.pay import Accepted, Due, Held, Meter, Offer, Paid, Stop, Why
from wildbach.protocol.tron.typed import Domain
from wildbach.runtime.tasks import Scope
from wildbach.services.pay.till.buying import BuyerDesk
from wildbach.services.pay.till.buyside import BuySide
from wildbach.services.pay.till.market import Market
from wildbach.services.pay.till.selling import SellerDesk, SellSide

_TURN_SECONDS: Final = 3.0
"Books are saved, and the vault is asked where what is known grows old."


class Till:
    """`seller`, `buyer`: None where nothing is sold, or bought. Ends with `close`, and by itself where the disk fails:
    `fault` says why.
    """

    def __init__(
        self, scope: Scope, domain: Domain, market: Market, *, seller: SellerDesk | None, buyer: BuyerDesk | None,
    ) -> None:
        self._scope = scope
        self._terms = pay.Terms(domain.chain_id, domain.vault)
        self._market = market
        self.seller = seller
        self.buyer = buyer
        self.deals: dict[int, Deal] = {}
        self.fault: StorageError | None = None

    async def start(self) -> None:
        """Raises StorageError."""
        if self.seller is not None:
            self.seller.failed = self._failed
            self._scope.spawn("vouchers", self.seller.look(), contain=self._failed)
        if self.buyer is not None:
            self.buyer.failed = self._failed
            await self.buyer.load()
            await self.buyer.cover()
            self._scope.spawn("signatures", self.buyer.sign(), contain=self._failed)
        self._scope.spawn("books", self._turns(self._save), contain=self._failed)
        # A node that takes its time must not keep books from the disk, nor a buyer from what a seller asks.
        for desk in (self.seller, self.buyer):
            if desk is not None:
                self._scope.spawn("vault", self._turns(desk.refresh), contain=self._failed)

    async def close(self) -> None:
        """Idempotent; what is owed and billed is on the disk then. Whoever has set it takes it off the session first.
        Raises StorageError where the disk takes it no more; all the rest is closed then too.
        """
        await self._scope.close()
        if self.fault is None:
            await self._save()

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, StorageError):
            raise error
        self.fault = error
        for deal in list(self.deals.values()):
            deal.over()
            deal.close()
        self._scope.cancel()

    async def _turns(self, turn: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(_TURN_SECONDS)
            await turn()

    async def _save(self) -> None:
        if self.seller is not None:
            await self.seller.save()
        if self.buyer is not None:
            await self.buyer.save()

    # -- engine.paying.Till

    def terms(self, torrent: str) -> bencode.Value | None:
        if self.fault is not None or not (self._sells(torrent) or self._buys(torrent)):
            return None
        return pay.encode_terms(self._terms)

    def opens(self, line: Line, theirs: bencode.Value) -> Deal | None:
        found = pay.decode_terms(theirs)
        if self.fault is not None or found is None or not found.fits or not line.fast:
            return None
        if (found.chain_id, found.vault) != (self._terms.chain_id, self._terms.vault):
            return None
        sells, buys = self._sells(line.torrent), self._buys(line.torrent)
        if not sells and not buys:
            return None
        sell = SellSide(self.seller, line) if self.seller is not None and sells else None
        buy = BuySide(self.buyer, line) if self.buyer is not None and buys else None
        deal = Deal(self, line, sell, buy)
        self.deals[line.number] = deal
        if sell is not None:
            sell.offer()
        return deal

    def _sells(self, torrent: str) -> bool:
        return self.seller is not None and (self._market.sells(torrent) > 0 or self._market.sponsored(torrent))

    def _buys(self, torrent: str) -> bool:
        return self.buyer is not None and self._market.buys(torrent) > 0 and not self._market.complete(torrent)


class Deal:
    """One connection: an `engine.peer.Bargain`."""

    def __init__(self, till: Till, line: Line, sell: SellSide | None, buy: BuySide | None) -> None:
        self._till = till
        self.line = line
        self.sell = sell
        self.buy = buy

    @property
    def paying(self) -> bool:
        return self.line.on

    @property
    def most_unverified(self) -> int:
        return self.buy.most_unverified if self.buy is not None else 0

    @property
    def unverified(self) -> int:
        return self.line.unverified

    @property
    def price(self) -> int:
        return self.sell.price if self.sell is not None and self.sell.metering else 0

    @property
    def unsettled(self) -> bool:
        return (self.sell is not None and self.sell.unsettled) or (self.buy is not None and self.buy.unsettled)

    def standing(self, now: float) -> Standing:
        return Standing.PAID if self.sell is not None and self.sell.metering else Standing.GUEST

    def received(self, payload: bytes) -> None:
        """Raises RemoteError."""
        message = pay.decode(payload)
        match message:
            case Accepted() if self.sell is not None:
                self.sell.accepted(message)
            case Paid() if self.sell is not None:
                self.sell.voucher(message)
            case Offer() if self.buy is not None:
                self.buy.offered(message)
            case Meter() if self.buy is not None:
                self.buy.metered(message)
            case Due() if self.buy is not None:
                self.buy.due(message)
            case Held() if self.buy is not None:
                self.buy.held(message)
            case Stop():
                # Each side hears it of the other's part.
                if self.sell is not None and self.sell.payer is not None:
                    self.sell.stopped(message)
                if self.buy is not None:
                    self.buy.stopped(message)
            case _:
                pass

    def gave(self, size: int) -> None:
        if self.sell is not None:
            self.sell.gave(size)

    def verified(self, size: int) -> None:
        if self.buy is not None:
            self.buy.verified(size)

    def tick(self, now: float) -> None:
        if self.sell is not None:
            self.sell.tick(now)
        if self.buy is not None:
            self.buy.tick(now)

    def again(self) -> None:
        if self.sell is not None:
            self.sell.again()

    def over(self) -> None:
        if self.sell is not None:
            self.sell.stop(Why.DONE)
        if self.buy is not None:
            self.buy.stop(Why.DONE)

    def left(self) -> None:
        self._till.deals.pop(self.line.number, None)
        self.close()

    def close(self) -> None:
        if self.sell is not None:
            self.sell.left()
        if self.buy is not None:
            self.buy.left()
