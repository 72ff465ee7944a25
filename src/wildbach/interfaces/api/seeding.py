"""Torrents that others pay us to seed."""

from __future__ import annotations

from wildbach.base.errors import FormatError, UsageError
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.earnings import counted
from wildbach.interfaces.promises import Seeding
from wildbach.interfaces.purse import Purse
from wildbach.interfaces.shop import Shop
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.sponsor.promise import Promise


class SeedingPart:
    """A part of the Api."""

    core: Core
    purse: Purse
    shop: Shop

    async def seeded_for(self) -> pm.PaySeedings:
        return pm.PaySeedings(tuple([await self._seeding(key, one) for key, one in self.shop.promises.running.items()]))

    async def seed_for(self, key: str, wanted: pm.PaySeedingWanted) -> pm.PaySeeding:
        torrent = self.core.session.torrent(key)
        if torrent is None:
            raise UsageError("there is no such torrent", code="not_found")
        if torrent.private or torrent.hashes.v2 is None:
            raise UsageError("only a torrent of v2 that is not private is sponsored", code="not_sponsored")
        if self.shop.licence(key) is None:
            raise UsageError(
                "the torrent is not marked as one that may be paid for: say first why that is right", code="not_marked")
        try:
            payer = Address.parse(wanted.payer.strip())
        except FormatError as error:
            raise UsageError(error.message, code="bad_address") from error
        if payer == (await self.purse.wallet()).facts.address:
            raise UsageError("this is our own address", code="own_payee")
        promise = Promise(payer, wanted.price, wanted.period, wanted.periods, int(self.purse.wall()))
        made = await self.shop.promises.put(key, promise)
        self.shop.changed()
        return await self._seeding(key, made)

    async def stop_seeding_for(self, key: str) -> None:
        await self.shop.promises.drop(key)
        self.shop.changed()

    async def _seeding(self, key: str, one: Seeding) -> pm.PaySeeding:
        promise, came = one.promise, 0
        if self.shop.till is not None:
            payer = await self.shop.look_up(lambda ledger: ledger.payer(promise.payer))
            came, _ = counted(payer.books, self.shop.good(promise.payer)) if payer is not None else (0, 0)
        torrent = self.core.session.torrent(key)
        return pm.PaySeeding(
            key, torrent.name if torrent is not None else key, str(promise.payer), promise.price, promise.period,
            promise.periods, promise.begins, promise.number(int(self.purse.wall())), one.found.amount, one.found.until,
            one.backing.value, came)
