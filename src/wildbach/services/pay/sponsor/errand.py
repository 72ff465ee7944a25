"""How a voucher reaches a seeder of whom nothing is downloaded: his offer is taken on a call of its own.

What he holds he shows with his next answer, so whether it came is seen in a second call, and a voucher that was lost is
made good by the next one: it has the sum of all.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from wildbach.base.errors import FormatError, LimitError, NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.engine.visiting import Call, Visit
from wildbach.protocol.ext import pay
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.ext.pay import Accepted, Held, Message, Meter, Offer, Paid, Stop
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.tron.address import Address
from wildbach.protocol.wire import codec
from wildbach.runtime.rng import Rng
from wildbach.services.pay.wallet.signer import SignedVoucher

_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 10.0
_LINGER_SECONDS: Final = 2.0
_BYTES: Final = 1 << 20


class Came(StrEnum):
    """What became of a voucher."""

    THERE = "there"
    "The seeder has shown it."
    SENT = "sent"
    "It left; whether it is there is not known."
    UNREACHABLE = "unreachable"
    NO_OFFER = "no_offer"
    "He takes no vouchers for this torrent."
    OTHER_PAYEE = "other_payee"
    "His offer is for somebody who is not the payee of the agreement."
    REFUSED = "refused"
    "He does not take it."
    BROKE = "broke"


class Taker(Protocol):
    """Who takes offers: the buyer's desk."""

    async def take(self, offer: Offer, infohash: bytes) -> Accepted: ...

    def look_at(self, payee: Address, held: Held) -> None: ...


@dataclass(frozen=True, slots=True)
class Errand:
    """To a seeder, of a torrent. `terms`: of the chain and vault."""

    endpoint: Endpoint
    info: Info
    payee: Address
    terms: pay.Terms

    async def deliver(self, call: Call, desk: Taker, voucher: SignedVoucher, rng: Rng) -> Came:
        """Ends in bounded time. Raises Refused and StorageError of the desk."""
        came = Came.SENT
        for _ in range(2):
            came = await self._once(call, desk, voucher, rng)
            if came is not Came.SENT:
                break
        return came

    async def _once(self, call: Call, desk: Taker, voucher: SignedVoucher, rng: Rng) -> Came:
        pieces = self.info.geometry.piece_count
        visit = Visit(
            call, self.endpoint, self.info.hashes.swarms[-1], rng, pieces=pieces, most=_BYTES + pieces,
            pays=pay.encode_terms(self.terms))
        met = False
        try:
            async with asyncio.timeout(_SECONDS), visit:
                met = True
                return await self._talk(visit, desk, voucher)
        except (NetworkError, TimeoutError):
            return Came.NO_OFFER if met else Came.UNREACHABLE
        except (FormatError, LimitError):
            return Came.BROKE
        except RemoteError:
            return Came.BROKE if met else Came.UNREACHABLE

    async def _talk(self, visit: Visit, desk: Taker, voucher: SignedVoucher) -> Came:
        while True:
            offer = await _said(visit)
            if isinstance(offer, Offer):
                break
        if offer.payee != self.payee:
            return Came.OTHER_PAYEE
        infohash = self.info.hashes.v2 or bytes(32)
        accepted = await desk.take(offer, infohash)
        _tell(visit, accepted)
        one = voucher.voucher
        answer = await self._answer(visit, desk)
        if isinstance(answer, Stop):
            return Came.REFUSED
        if isinstance(answer, Held) and (answer.epoch, answer.total) >= (one.epoch, one.cumulative):
            return Came.THERE
        _tell(visit, Paid(one.epoch, one.cumulative, voucher.signature))
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while True:
                    if isinstance(await _said(visit), Stop):
                        return Came.REFUSED
        except (NetworkError, TimeoutError):
            return Came.SENT

    async def _answer(self, visit: Visit, desk: Taker) -> Held | Stop | None:
        """To an accept. None where he holds nothing, or says nothing of it."""
        seconds = _ANSWER_SECONDS
        while True:
            try:
                async with asyncio.timeout(seconds):
                    answer = await _said(visit)
            except TimeoutError:
                return None
            if isinstance(answer, Held):
                desk.look_at(self.payee, answer)
            if isinstance(answer, Held | Stop):
                return answer
            if isinstance(answer, Meter):
                # What he holds comes at once, if he holds something.
                seconds = _LINGER_SECONDS


def _tell(visit: Visit, message: Message) -> None:
    number = visit.says.id_of(Extension.WB_PAY) if visit.says is not None else 0
    if number:
        visit.send(codec.extended(number, pay.encode(message)))


async def _said(visit: Visit) -> Message | None:
    """The next message of `wb_pay`. Raises NetworkError, RemoteError, FormatError or LimitError."""
    while True:
        event = await visit.next()
        if isinstance(event, codec.Extended) and event.id == Extension.WB_PAY:
            return pay.decode(event.payload)
