"""What a sponsor promised, seen from who seeds, and whether the vault has it: without a reservation it is air."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.protocol.tron.address import Address, BadAddress
from wildbach.services.pay.ledger.seams import Reserve
from wildbach.services.pay.sponsor.sponsoring import LEAST_PERIOD, LONGEST_PERIOD

_GRACE: Final = 7 * 86_400
"Seconds after the last period in which a voucher may still come."


class Backing(StrEnum):
    """What the vault has for a promise."""

    UNKNOWN = "unknown"
    "Nobody has said yet."
    NOTHING = "nothing"
    TOO_LITTLE = "too_little"
    "Less than the periods that are left, beyond what is held already."
    TOO_SHORT = "too_short"
    "It ends before the last period could be redeemed."
    COVERED = "covered"
    OVER = "over"
    "No period is left."


@dataclass(frozen=True, slots=True)
class Promise:
    """`price`: SUN for a period of `period` seconds, `periods` of them from `begins` on (seconds since 1970)."""

    payer: Address
    price: int
    period: int
    periods: int
    begins: int

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("price", self.price, 1, limits.WALLET_AMOUNT), ("period", self.period, LEAST_PERIOD, LONGEST_PERIOD),
            ("periods", self.periods, 1, limits.SPONSORED_PERIODS), ("begins", self.begins, 0, 1 << 40),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} is {least} to {most}", code="bad_agreement", name=name)

    @property
    def ends(self) -> int:
        return self.begins + self.period * self.periods

    def number(self, now: int) -> int:
        """Of the period that runs; -1 before the first, `periods` after the last."""
        return max(-1, min(self.periods, (now - self.begins) // self.period))

    def left(self, now: int) -> int:
        """Periods that are not over."""
        return self.periods - max(0, self.number(now))

    def live(self, now: int) -> bool:
        """A voucher may still come."""
        return now < self.ends + _GRACE

    def backing(self, found: Reserve, held: int, delay: int, now: int) -> Backing:
        """`found`: what the vault has reserved for us of this payer; `held`: SUN of it that vouchers of his use up
        already; `delay`: of the vault, in seconds.
        """
        left = self.left(now)
        if not left:
            return Backing.OVER
        if not found.amount:
            return Backing.NOTHING
        if found.until < self.ends + delay:
            return Backing.TOO_SHORT
        return Backing.COVERED if found.amount - held >= self.price * left else Backing.TOO_LITTLE

    def encode(self) -> bytes:
        return msgspec.json.encode((str(self.payer), self.price, self.period, self.periods, self.begins))

    @classmethod
    def decode(cls, data: bytes) -> Promise:
        """Raises StorageError."""
        try:
            payer, *numbers = msgspec.json.decode(data, type=tuple[str, int, int, int, int])
            return cls(Address.parse(payer), *numbers)
        except (msgspec.MsgspecError, UnicodeDecodeError, BadAddress, UsageError) as error:
            raise StorageError(f"what was agreed on is damaged: {error}", code="seeding_damaged") from error
