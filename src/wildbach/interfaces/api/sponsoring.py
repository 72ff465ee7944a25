"""Seeders who are paid by the period."""

from __future__ import annotations

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.purse import Purse
from wildbach.interfaces.shop import Shop
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import vault
from wildbach.services.pay.sponsor.sponsoring import Agreement, Running

_DAY = 86_400


class SponsoringPart:
    """A part of the Api."""

    core: Core
    purse: Purse
    shop: Shop

    async def sponsored(self) -> pm.PaySponsoredList:
        running = self.shop.sponsor.sponsoring.running
        return pm.PaySponsoredList(tuple(self._sponsored(one) for one in running.values()))

    async def sponsor(self, wanted: pm.PaySponsoring) -> pm.PaySponsored:
        sponsor = self.shop.sponsor
        torrent = self.core.session.torrent(wanted.key)
        if torrent is None:
            raise UsageError("there is no such torrent", code="not_found")
        if self.shop.licence(wanted.key) is None:
            raise UsageError(
                "the torrent is not marked as one that may be paid for: say first why that is right", code="not_marked")
        try:
            payee = Address.parse(wanted.payee.strip())
        except FormatError as error:
            raise UsageError(error.message, code="bad_address") from error
        now, cost = int(self.purse.wall()), wanted.price * wanted.periods
        agreement = Agreement(
            sponsor.sponsoring.new_id(), torrent.hashes.v2 or b"", payee, Endpoint(wanted.host, wanted.port),
            wanted.rate, wanted.price, wanted.period, wanted.periods, wanted.probes, now, cost)
        found = await self.purse.client().ask(vault.reservation(self.shop.wallet.facts.address, payee))
        until = now + wanted.period * wanted.periods
        if found.amount < cost or found.until < until + self.shop.delay:
            days = -(-(until + self.shop.delay - now) // _DAY)
            raise UsageError(
                f"reserve {cost} SUN for {payee} first, for {days} days or more: "
                "till after the last period, and the time that the vault gives to redeem in", code="not_reserved")
        return self._sponsored(await sponsor.admit(agreement))

    async def stop_sponsoring(self, id: str) -> None:
        await self.shop.sponsor.stop(_number(id))

    async def sponsored_probes(self, id: str) -> pm.PayProbes:
        found = await self.shop.sponsor.log(_number(id))
        return pm.PayProbes(tuple(pm.PayProbe(one.at, one.period, one.why, one.size, one.rate) for one in found))

    def _sponsored(self, one: Running) -> pm.PaySponsored:
        a = one.agreement
        torrent = self.core.session.called(a.torrent[:20])
        came = self.shop.sponsor.came.get(a.id)
        return pm.PaySponsored(
            a.id, torrent.key if torrent is not None else "",
            torrent.name if torrent is not None else a.torrent.hex(), str(a.payee), str(a.endpoint), a.rate, a.price,
            a.period, a.periods, a.probes, a.begins, one.period, one.made, one.passed, one.good, one.bad, one.unseen,
            one.paid, a.reserved, one.over, came.value if came is not None else "")


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or len(word) > 18:
        raise UsageError("there is no such agreement", code="no_such_agreement")
    return int(word)
