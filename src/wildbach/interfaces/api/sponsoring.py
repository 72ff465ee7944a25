"""Seeders who are paid by the period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.engine.probing import Why
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.purse import Purse
from wildbach.interfaces.shop import Shop
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import vault
from wildbach.services.pay.sponsor.sponsoring import Agreement, Running, passes
from wildbach.services.pay.sponsor.store import Entry

_DAY = 86_400
_PERIODS: Final = 100
"That are shown of an agreement,"
_PROBES: Final = 2000
"and probes that are read for them."


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
        if torrent.hashes.v2 is None or torrent.private:
            raise UsageError("only a torrent of v2 that is here, and not private, is sponsored", code="not_sponsored")
        now, cost = int(self.purse.wall()), wanted.price * wanted.periods
        agreement = Agreement(
            sponsor.sponsoring.new_id(), torrent.hashes.v2, payee, Endpoint(wanted.host, wanted.port),
            wanted.rate, wanted.price, wanted.period, wanted.periods, wanted.probes, now, cost)
        # What stands against it is said before anybody reserves money for it.
        sponsor.sponsoring.check(agreement, wanted.instead_of)
        # What was signed for him before is read first, as a block in between makes both less.
        waiting = await self.shop.waiting_for(payee)
        found = await self.purse.client().ask(vault.reservation(self.shop.wallet.facts.address, payee))
        left = max(0, found.amount - waiting)
        until = now + wanted.period * wanted.periods
        if left < cost or found.until < until + self.shop.delay:
            # A day more, as the reservation takes its time, and what is agreed begins after it.
            days = -(-(until + self.shop.delay - now) // _DAY) + 1
            raise UsageError(
                f"reserve {cost} SUN for {payee} first, for {days} days or more: "
                "till after the last period, and the time that the vault gives to redeem in", code="not_reserved",
                payee=str(payee), amount=max(0, cost - left), days=days)
        return self._sponsored(await sponsor.admit(agreement, wanted.instead_of))

    async def stop_sponsoring(self, id: str) -> None:
        await self.shop.sponsor.stop(_number(id))

    async def sponsored_periods(self, id: str) -> pm.PayPeriods:
        number, sponsor = _number(id), self.shop.sponsor
        one = sponsor.sponsoring.running.get(number)
        if one is None:
            raise UsageError("there is no such agreement", code="no_such_agreement")
        most = min(_PERIODS * one.agreement.probes, _PROBES)
        found = await sponsor.log(number, most)
        return pm.PayPeriods(periods_of(one, found, cut=len(found) == most))

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


def periods_of(one: Running, found: Sequence[Entry], *, cut: bool) -> tuple[pm.PayPeriod, ...]:
    """`found`: what its last probes found, the newest first; `cut`: there may be older ones."""
    agreement = one.agreement
    made: dict[int, list[bool]] = {}
    for entry in found:
        # One that ended late counted in no period.
        if entry.at < agreement.begins_at(entry.period + 1):
            made.setdefault(entry.period, []).append(entry.why == Why.PASSED)
    last = min(one.period, agreement.periods - 1)
    first = max(0, last + 1 - _PERIODS, found[-1].period + 1 if cut and found else 0)
    states = {number: _state(one, number, made.get(number, [])) for number in range(first, last + 1)}
    # They are paid in turn, so those that are paid are the first of the good ones.
    unpaid = one.good - one.paid // agreement.price
    good = [number for number, state in states.items() if state == "passed"]
    paid = set(good[: max(0, len(good) - unpaid)])
    return tuple(
        pm.PayPeriod(
            number, agreement.begins_at(number), len(made.get(number, ())), sum(made.get(number, ())), state,
            number in paid)
        for number, state in states.items())


def _state(
    one: Running, number: int, probes: Sequence[bool],
) -> Literal["passed", "failed", "unseen", "running", "ended"]:
    if number >= one.period:
        return "ended" if one.stopped else "running"
    if not probes:
        return "unseen"
    return "passed" if passes(len(probes), sum(probes)) else "failed"


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or len(word) > 18:
        raise UsageError("there is no such agreement", code="no_such_agreement")
    return int(word)
