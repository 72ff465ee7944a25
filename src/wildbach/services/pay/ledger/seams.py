"""What the books need of a vault. Whoever wires them hands in a client that has checked the chain and the vault's code,
and whose answers are typed and bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.terms import LaneId
from wildbach.services.pay.wallet.policy import Cover


@dataclass(frozen=True, slots=True)
class Reserve:
    """`amount`: SUN, for one payee. `until`: seconds since 1970."""

    amount: int
    until: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What the vault has of a payer at one solidified block. Amounts in SUN, times in seconds since 1970."""

    block: int
    "Its height."
    block_time: int
    balance: int
    reserved: int = 0
    "For all payees; a part of the balance."
    asked: int = 0
    "A withdrawal that was asked for, until it lapses."
    bounced_at: int = 0
    "When a good voucher last met too little money; 0 for never."
    delay: int = 7 * 86400
    "How long removals and withdrawals take."
    registered: bool = True
    "The key that signs was added by this payer."
    leaving: bool = False
    "The key that signs is being removed."
    reserves: Mapping[Address, Reserve] = field(default_factory=dict)
    "Of the payees that were asked about."
    paid: Mapping[LaneId, int] = field(default_factory=dict)
    "What was redeemed of the lanes that were asked about."

    @property
    def free(self) -> int:
        """What is neither reserved nor asked to be withdrawn."""
        return max(0, self.balance - self.reserved - self.asked)


class Settlement(Protocol):
    """Raises NetworkError where no node answers or two do not agree, FormatError where an answer makes no sense."""

    async def standing(
        self, payer: Address, signer: Address, payees: Sequence[Address], lanes: Sequence[LaneId],
    ) -> Standing:
        """What somebody has in the vault, and of these lanes of his. What was paid is read first: where a block comes
        between, a seller is careful.
        """
        ...

    async def cover(
        self, payer: Address, signers: Collection[Address], payees: Sequence[Address], lanes: Sequence[LaneId],
    ) -> Cover:
        """What we have there ourselves. `signers`: those that are ours; whether there are others is told."""
        ...

    async def credits(self, payees: Sequence[Address]) -> Mapping[Address, int]:
        """What was redeemed for each, and waits to be claimed (SUN)."""
        ...
