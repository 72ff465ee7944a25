"""What the hot signer may sign: a decision over numbers, without files and clocks.

Nothing is allowed until limits are set, and nothing is signed beyond what the vault has: over all lanes, what was
signed and not yet redeemed is covered by the reservation of its payee or by free balance, and each SUN covers once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher

LAST_EPOCH: Final = (1 << 58) - 1
"In ms since 1970; a later one cannot be counted."
CLOSED: Final = (
    "another copy of this wallet signed, or it was put back or imported: it pays nothing before tomorrow (UTC). If no "
    "other copy pays any more, `wildbach wallet reopen` lets it pay today")
"Said of a day that counts as spent."


class Refused(UsageError):
    """The limits of the wallet do not allow it. `code` says which."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message, code=code, **facts)


@dataclass(frozen=True, slots=True)
class SpendingLimits:
    """SUN, but for `max_price`: SUN for a GiB. Nothing is allowed where one is zero."""

    per_voucher: int = 0
    "What one voucher adds to the total of its lane."
    per_peer: int = 0
    "What one payee gets, in all."
    per_torrent: int = 0
    per_day: int = 0
    "By the calendar of UTC."
    total: int = 0
    "Of everything that is ever signed; it is raised for more."
    max_price: int = 0
    fees_per_day: int = 0
    "What the fee key may burn."

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0 <= value <= limits.WALLET_AMOUNT:
                raise UsageError(f"{one.name} is 0 to {limits.WALLET_AMOUNT} SUN", code="bad_limit")

    def loosens(self, before: SpendingLimits) -> tuple[str, ...]:
        """Which of them allow more than before."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) > getattr(before, one.name))


@dataclass(frozen=True, slots=True)
class Cover:
    """What the vault had for us at one solidified block. `paid` is read before the balance where they are not read at
    once: a redeem between them then makes us careful, and not careless.
    """

    block: int
    balance: int
    reserved: int
    "Over all reservations that are not released."
    asked: int = 0
    "A withdrawal that was asked for and has not lapsed."
    reservations: Mapping[Address, int] = field(default_factory=dict)
    "What is left of each."
    paid: Mapping[tuple[Address, int], int] = field(default_factory=dict)
    "What of each payee and epoch was redeemed."
    strangers: bool = False
    "Another signer than ours is registered for us, or its removal is not complete."

    @property
    def free(self) -> int:
        return max(0, self.balance - self.reserved - self.asked)


@dataclass(frozen=True, slots=True)
class Share:
    """What part of a voucher pays for. `torrent`: 32 bytes, empty for none (a tip, a period of seeding). `price`: SUN
    for a GiB as it was accepted, 0 for what is not paid by size.
    """

    torrent: bytes
    amount: int
    price: int = 0

    def __post_init__(self) -> None:
        if len(self.torrent) not in (0, 32) or not 0 < self.amount <= limits.WALLET_AMOUNT or self.price < 0:
            raise UsageError("a share has a torrent of 32 bytes, and an amount above zero", code="bad_share")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A voucher to be signed. `shares` add up to what it has more than the one before it in its lane."""

    voucher: Voucher
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """The counters that a voucher meets."""

    lane: int
    "What was signed in its lane."
    peer: int
    torrents: Mapping[bytes, int]
    today: int
    total: int
    closed_today: bool
    "The counters were restored: today counts as spent."
    epoch_floor: int
    "Lanes that began before this are closed."
    lanes: int
    "How many there are."
    beyond: int
    "SUN over all payees that no reservation covers, signed and not redeemed."
    adrift: int
    "SUN that a lost state of the wallet signed, nobody knows to whom."
    own_outstanding: int
    "Of this payee, signed and not redeemed."
    reservation: int
    "Of this payee."
    free: int


def check_price(allowed: SpendingLimits, price: int) -> None:
    """Raises Refused."""
    if price > allowed.max_price:
        raise Refused("max_price", f"{price} SUN/GiB is more than the wallet pays: {allowed.max_price}", price=price)


def added(wanted: Wanted, spent: Spent) -> int:
    """How much more the voucher is worth than the last one of its lane; 0 for that one again. Raises Refused for one
    below it, which nobody needs.
    """
    more = wanted.voucher.cumulative - spent.lane
    if more < 0:
        raise Refused("below_signed", "a voucher of a higher total was signed in this lane", signed=spent.lane)
    return more


def check(allowed: SpendingLimits, wanted: Wanted, spent: Spent) -> None:
    """Whether a voucher that adds something may be signed. Raises Refused."""
    more = added(wanted, spent)
    if wanted.voucher.epoch < spent.epoch_floor:
        raise Refused(
            "epoch_closed", "lanes that began before the counters were restored are closed", floor=spent.epoch_floor)
    if wanted.voucher.epoch > LAST_EPOCH or wanted.voucher.cumulative > limits.WALLET_AMOUNT:
        raise Refused("too_much", "no voucher is for so much")
    if len(wanted.shares) > limits.WALLET_SHARES:
        raise Refused("bad_shares", "limits.WALLET_SHARES torrents are the most that one voucher pays for")
    if more != sum(share.amount for share in wanted.shares):
        raise Refused(
            "bad_shares", "the shares do not add up to what the voucher adds", signed=spent.lane)
    if spent.lane == 0 and spent.lanes >= limits.WALLET_LANES:
        raise Refused("too_many_lanes", "limits.WALLET_LANES payees and epochs were paid")
    _check_limits(allowed, wanted, spent, more)
    before = max(0, spent.own_outstanding - spent.reservation)
    after = max(0, spent.own_outstanding + more - spent.reservation)
    together = spent.beyond - before + after + spent.adrift <= spent.free
    # What is adrift may be on this very reservation.
    alone = spent.own_outstanding + more + spent.adrift <= spent.reservation if spent.adrift else after == before
    if not (together or alone):
        raise Refused(
            "beyond_deposit", "the vault does not have so much for us that is neither reserved nor promised",
            free=max(0, spent.free - spent.beyond - spent.adrift), more=more)


def _check_limits(allowed: SpendingLimits, wanted: Wanted, spent: Spent, more: int) -> None:
    if spent.closed_today:
        raise Refused("day_closed", CLOSED)
    torrents: dict[bytes, int] = {}
    for share in wanted.shares:
        check_price(allowed, share.price)
        if share.torrent:
            torrents[share.torrent] = torrents.get(share.torrent, 0) + share.amount
    for code, now, most in (
        ("per_voucher", more, allowed.per_voucher), ("per_peer", spent.peer + more, allowed.per_peer),
        ("per_day", spent.today + more, allowed.per_day), ("total", spent.total + more, allowed.total),
        *(("per_torrent", spent.torrents.get(one, 0) + more_, allowed.per_torrent) for one, more_ in torrents.items()),
    ):
        if now > most:
            raise Refused(
                code, f"this would be {now} SUN of the {most} that the limit {code} allows", now=now, most=most)
