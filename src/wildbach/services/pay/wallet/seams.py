"""What a wallet needs of a chain. Whoever wires it hands in a client that has checked the chain's first block, and
whose answers are typed and bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import Contract


@dataclass(frozen=True, slots=True)
class ChainAccount:
    """`exists`: it was funded once; the first transfer to one that was not costs more. `balance`: SUN."""

    exists: bool
    balance: int


@dataclass(frozen=True, slots=True)
class ChainResources:
    """What is left of today. `free_bandwidth` and `staked_bandwidth`: bytes; `energy`: of stakes."""

    free_bandwidth: int
    staked_bandwidth: int
    energy: int


@dataclass(frozen=True, slots=True)
class ChainPrices:
    """SUN, of the chain's parameters (`getchainparameters`)."""

    bandwidth: int = 1000
    "A byte (getTransactionFee)."
    energy: int = 100
    "A unit (getEnergyFee)."
    create_account: int = 100_000
    "Of bandwidth (getCreateAccountFee), where none is staked,"
    create_account_system: int = 1_000_000
    "and in any case (getCreateNewAccountFeeInSystemContract)."
    memo: int = 1_000_000
    "(getMemoFee)"


@dataclass(frozen=True, slots=True)
class ChainReference:
    """A block that a transaction holds on to. `block_bytes`: bytes 6 and 7 of its height; `block_hash`: bytes 8 to 15
    of its id; `time`: ms since 1970.
    """

    block_bytes: bytes
    block_hash: bytes
    time: int


@dataclass(frozen=True, slots=True)
class ChainAnswer:
    """What a node said to a transaction. `accepted`: it has it, from us now or from before. `message` is the node's."""

    accepted: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class ChainOutcome:
    """What became of a transaction that cannot be undone any more. `fee`: SUN burnt."""

    block: int
    succeeded: bool
    fee: int
    message: str = ""


class Chain(Protocol):
    """Raises NetworkError where no node answers, FormatError where an answer makes no sense."""

    async def account(self, address: Address) -> ChainAccount: ...

    async def resources(self, address: Address) -> ChainResources: ...

    async def prices(self) -> ChainPrices: ...

    async def energy_of(self, contract: Contract) -> int:
        """How much a call or a new contract would use now; 0 for a transfer. Raises UsageError where it would fail."""

    async def reference(self) -> ChainReference: ...

    async def broadcast(self, transaction: bytes) -> ChainAnswer:
        """`transaction`: with its signature, as nodes take it."""

    async def outcome(self, txid: bytes) -> ChainOutcome | None:
        """Of solidified blocks alone; None where none has it."""

    async def solid_time(self) -> int:
        """Of the newest solidified block: ms since 1970."""
