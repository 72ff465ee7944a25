"""Offers of a seller, one for each connection: made, taken once, ended.

An accept is looked at in two steps: `asked` says which signature it has to have, and once somebody has found out who
signed, `take` decides. So a signature over another offer, torrent or connection is nobody's, and bills no one.
"""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.protocol.ext.pay import Accepted, Offer, Why
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Accept
from wildbach.services.pay.ledger.selling import Selling
from wildbach.services.pay.ledger.terms import OFFER_SECONDS, LaneId


@dataclass(frozen=True, slots=True)
class Sale:
    """What is agreed with the peer of a connection."""

    offer: Offer
    payer: Address
    lane: LaneId


@dataclass(slots=True)
class _Open:
    offer: Offer
    infohash: bytes


class Offers:
    """`own`: addresses of this seller's wallet, which do not buy from themselves."""

    def __init__(self, own: frozenset[Address]) -> None:
        self._own = own
        self._open: dict[int, _Open] = {}

    def make(
        self, connection: int, infohash: bytes, *, price: int, window: int, payee: Address, least: int, now: int,
        id_: bytes,
    ) -> Offer:
        """In place of the one before, which is over, and with it what was agreed. `id_`: 8 random bytes. `infohash`:
        32 bytes. `now`: seconds since 1970.
        """
        offer = Offer(id_, price, window, payee, least, now + OFFER_SECONDS)
        self._open[connection] = _Open(offer, infohash)
        return offer

    def asked(self, connection: int, accepted: Accepted, now: int) -> Accept | None:
        """What its signature has to be of; None where there is no such offer, or none any more."""
        found = self._open.get(connection)
        if found is None or found.offer.id != accepted.id or now >= found.offer.expires:
            return None
        return Accept(accepted.payer, found.offer.payee, accepted.id, found.infohash, found.offer.expires)

    def take(self, connection: int, accepted: Accepted, selling: Selling, *, signed: bool, now: int) -> Sale | Why:
        """`signed`: by a key that this payer registered. A sale, or why not. Nothing is metered before it."""
        if self.asked(connection, accepted, now) is None:
            return Why.UNSUPPORTED
        if not signed:
            return Why.BAD_SIGNATURE
        offer = self._open[connection].offer
        if accepted.payer in self._own or accepted.payer == offer.payee:
            return Why.UNSUPPORTED
        lane = LaneId(offer.payee, accepted.epoch)
        if not selling.opens(lane):
            return Why.OLD_EPOCH
        del self._open[connection]
        selling.accept(lane, accepted.owed)
        return Sale(offer, accepted.payer, lane)

    def left(self, connection: int) -> None:
        """It is over, or nothing is sold on it any more."""
        self._open.pop(connection, None)
