"""What is known of a chain from what nodes answer: types that cannot be wrong, and what follows from java-tron's words.

`reading` makes them of bytes. Words and shapes: java-tron's Tron.proto and api.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.protocol.tron.address import Address


class NodeRefused(NetworkError):
    """A node does not answer this question: it is switched off there, or the node has not got what it needs for it."""

    code = "node_refused"


class NodeBusy(NodeRefused):
    """A node has too much to do; later it may answer."""

    code = "node_busy"


@dataclass(frozen=True, slots=True)
class Block:
    """The head of a block. `id` and `parent`: 32 bytes, of which the first eight of an id are the number. `time`: ms
    since 1970.
    """

    number: int
    id: bytes
    parent: bytes
    time: int
    witness: bytes
    "The address of who made it, 21 bytes; a first block has something else there."
    hashed: bool
    "Its id is the hash of its head, as java-tron makes it. This proves nothing of who made it."

    @property
    def chain_id(self) -> int:
        """Of the chain of which this is the first block (TIP-474)."""
        return int.from_bytes(self.id[-4:], "big")


@dataclass(frozen=True, slots=True)
class Account:
    """`exists`: it was funded once. `balance`: SUN."""

    exists: bool
    balance: int


@dataclass(frozen=True, slots=True)
class Resources:
    """What an account has left of today. Bandwidth in bytes; `energy`: of stakes."""

    free_bandwidth: int
    staked_bandwidth: int
    energy: int


@dataclass(frozen=True, slots=True)
class Prices:
    """SUN: a byte, a unit of energy, the bandwidth of a transfer that makes an account, what that costs besides, a
    transaction with a memo.
    """

    bandwidth: int
    energy: int
    create_account: int
    create_account_system: int
    memo: int


class Code(StrEnum):
    """What java-tron says of a transaction, or of a call (api.proto, Return.response_code)."""

    SUCCESS = "SUCCESS"
    SIGERROR = "SIGERROR"
    CONTRACT_VALIDATE_ERROR = "CONTRACT_VALIDATE_ERROR"
    CONTRACT_EXE_ERROR = "CONTRACT_EXE_ERROR"
    BANDWITH_ERROR = "BANDWITH_ERROR"
    DUP_TRANSACTION_ERROR = "DUP_TRANSACTION_ERROR"
    TAPOS_ERROR = "TAPOS_ERROR"
    TOO_BIG_TRANSACTION_ERROR = "TOO_BIG_TRANSACTION_ERROR"
    TRANSACTION_EXPIRATION_ERROR = "TRANSACTION_EXPIRATION_ERROR"
    SERVER_BUSY = "SERVER_BUSY"
    NO_CONNECTION = "NO_CONNECTION"
    NOT_ENOUGH_EFFECTIVE_CONNECTION = "NOT_ENOUGH_EFFECTIVE_CONNECTION"
    BLOCK_UNSOLIDIFIED = "BLOCK_UNSOLIDIFIED"
    OTHER_ERROR = "OTHER_ERROR"


class Verdict(StrEnum):
    """What follows from a code for the bytes that were sent."""

    TAKEN = "taken"
    "The node has them, from us now or from before. Whether a block will is told by solid blocks alone."
    LATER = "later"
    "The node could not pass them on just now: the same bytes again, here or elsewhere."
    STATE = "state"
    "They do not fit what the chain is like now; that may change until they expire."
    NEVER = "never"
    "They will not be taken: a new transaction is needed."


_VERDICTS: Final[Mapping[Code, Verdict]] = {
    Code.SUCCESS: Verdict.TAKEN,
    Code.SIGERROR: Verdict.NEVER,
    Code.CONTRACT_VALIDATE_ERROR: Verdict.STATE,
    Code.CONTRACT_EXE_ERROR: Verdict.STATE,
    Code.BANDWITH_ERROR: Verdict.STATE,
    Code.DUP_TRANSACTION_ERROR: Verdict.TAKEN,
    Code.TAPOS_ERROR: Verdict.NEVER,
    Code.TOO_BIG_TRANSACTION_ERROR: Verdict.NEVER,
    Code.TRANSACTION_EXPIRATION_ERROR: Verdict.NEVER,
    Code.SERVER_BUSY: Verdict.LATER,
    Code.NO_CONNECTION: Verdict.LATER,
    Code.NOT_ENOUGH_EFFECTIVE_CONNECTION: Verdict.LATER,
    Code.BLOCK_UNSOLIDIFIED: Verdict.LATER,
    Code.OTHER_ERROR: Verdict.STATE,
}


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What a node said of a transaction. `message` is its own, short and safe to show."""

    code: Code
    message: str = ""

    @property
    def verdict(self) -> Verdict:
        return _VERDICTS[self.code]

    @property
    def accepted(self) -> bool:
        return self.verdict is Verdict.TAKEN


@dataclass(frozen=True, slots=True)
class Simulation:
    """A call that was tried, without a transaction. `output`: what it returns, or why it failed (`vault.reason`).
    `code`: SUCCESS where it could be tried at all; `failed`: it was, and went wrong. `energy`: what it used.
    """

    code: Code
    output: bytes
    energy: int
    failed: bool
    message: str


@dataclass(frozen=True, slots=True)
class Log:
    """An event as a contract wrote it. `topics`: 32 bytes each."""

    contract: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction in a block. `time`: of the block, ms since 1970; `fee`: SUN burnt; `energy`: used
    in all; `word`: java-tron's, such as SUCCESS, REVERT or OUT_OF_ENERGY, empty for what calls no contract. Logs of one
    that did not succeed are nothing that happened.
    """

    txid: bytes
    block: int
    time: int
    fee: int
    succeeded: bool
    word: str
    message: str
    contract: Address | None
    "That was called or made."
    output: bytes
    energy: int
    logs: tuple[Log, ...]


def clean(text: str) -> str:
    """What a node says in words, short and safe to show."""
    return "".join(one if one.isprintable() else " " for one in text[: limits.CHAIN_MESSAGE_CHARS]).strip()
