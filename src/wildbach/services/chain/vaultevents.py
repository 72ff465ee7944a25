"""What the vault says of each change (events), read from the logs of transactions.

Amounts are SUN, times seconds since 1970. A log is believed as far as the node is that gave it; what counts is asked
of the vault itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from wildbach.base.errors import FormatError
from wildbach.protocol.tron.abi import Value, decode, topic
from wildbach.protocol.tron.address import Address

_WORD: Final = 32
_LONGEST_REASON: Final = 40


@dataclass(frozen=True, slots=True)
class Deposited:
    payer: Address
    amount: int


@dataclass(frozen=True, slots=True)
class SignerAdded:
    payer: Address
    signer: Address


@dataclass(frozen=True, slots=True)
class SignerRemoved:
    """`end`: until when its vouchers are good as before."""

    payer: Address
    signer: Address
    end: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """`total`: what is reserved now."""

    payer: Address
    payee: Address
    total: int
    until: int


@dataclass(frozen=True, slots=True)
class Released:
    payer: Address
    payee: Address
    amount: int


@dataclass(frozen=True, slots=True)
class WithdrawRequested:
    """`start`: from when on it may be withdrawn; `lapses`: from when on no longer. Amount 0: taken back."""

    payer: Address
    amount: int
    start: int
    lapses: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    payer: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Redeemed:
    """`paid`: by this call; `cumulative`: what the voucher says."""

    payer: Address
    payee: Address
    epoch: int
    paid: int
    cumulative: int


@dataclass(frozen=True, slots=True)
class Bounced:
    """A good voucher met too little money. `missing`: what it says beyond what was paid."""

    payer: Address
    payee: Address
    missing: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """The voucher at this place of `redeemMany` paid nothing."""

    index: int
    why: str


@dataclass(frozen=True, slots=True)
class Claimed:
    payee: Address
    amount: int


VaultEvent: TypeAlias = (
    Deposited | SignerAdded | SignerRemoved | Reserved | Released | WithdrawRequested | Withdrawn | Redeemed | Bounced
    | Skipped | Claimed
)
_Kind: TypeAlias = tuple[type[VaultEvent], int, tuple[str, ...]]


def _kind(made: type[VaultEvent], addresses: int, *types: str) -> tuple[bytes, _Kind]:
    """`addresses`: how many of them lead, as topics; `types`: of what is in the data."""
    signature = f"{made.__name__}({','.join(('address',) * addresses + types)})"
    return topic(signature), (made, addresses, types)


_KINDS: Final[dict[bytes, _Kind]] = dict((
    _kind(Deposited, 1, "uint256"),
    _kind(SignerAdded, 2),
    _kind(SignerRemoved, 2, "uint256"),
    _kind(Reserved, 2, "uint256", "uint256"),
    _kind(Released, 2, "uint256"),
    _kind(WithdrawRequested, 1, "uint256", "uint256", "uint256"),
    _kind(Withdrawn, 1, "uint256"),
    _kind(Redeemed, 2, "uint64", "uint256", "uint256"),
    _kind(Bounced, 2, "uint256"),
    _kind(Skipped, 0, "uint256", "string"),
    _kind(Claimed, 1, "uint256"),
))


def topic_of(kind: type[VaultEvent]) -> bytes:
    """The first topic of its logs, 32 bytes."""
    return next(found for found, (made, _, _) in _KINDS.items() if made is kind)


def read_log(topics: Sequence[bytes], data: bytes) -> VaultEvent:
    """Of a log of the vault: topics of 32 bytes. Raises FormatError, also for a kind that no vault has."""
    kind = _KINDS.get(topics[0]) if topics else None
    if kind is None:
        raise FormatError("the vault has no such event")
    made, addresses, types = kind
    if len(topics) != 1 + addresses or any(len(one) != _WORD for one in topics):
        raise FormatError(f"this event has {addresses} addresses", where=made.__name__)
    values: tuple[Value, ...] = (*decode(["address"] * addresses, b"".join(topics[1:])), *decode(types, data))
    if made is Skipped:
        index, why = values
        # A node may make up a text; the vault's own are short.
        values = (index, "".join(one for one in str(why)[:_LONGEST_REASON] if one.isprintable()))
    return made(*values)  # type: ignore[arg-type]  # `types` are those of its fields; a test reads each from a vault
