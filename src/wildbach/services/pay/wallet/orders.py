"""What is to be sent, before it is a transaction: which kinds the cold key signs, and what is shown of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.tron.abi import Value, decode, encode, selector
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import Contract, CreateContract, RawTransaction, Transfer, TriggerContract
from wildbach.services.pay.wallet.book import Caution
from wildbach.services.pay.wallet.fees import Estimate
from wildbach.services.pay.wallet.seams import ChainReference
from wildbach.services.pay.wallet.signer import ATTENDED, is_call_of

_LASTS: Final = 300_000
"Milliseconds from the newest block until a transaction expires."
_LATE: Final = (1 << 42) - 1
"A time in ms that takes as many bytes as those of this century."


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent. `kind`: transfer, call or deploy. `hold`: SUN of the vault's free balance that it takes away
    (a reservation, a withdrawal that is asked for).
    """

    kind: str
    contract: Contract
    memo: bytes = b""
    hold: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """What is shown before anybody signs. `short`: SUN that the account lacks for it."""

    order: Order
    estimate: Estimate
    balance: int
    short: int
    cautions: tuple[Caution, ...]
    made: float


def transfer(owner: Address, to: Address, amount: int, memo: bytes = b"") -> Order:
    """`amount`: SUN. Raises UsageError."""
    if not 0 < amount <= limits.WALLET_AMOUNT:
        raise UsageError("a transfer is of more than nothing", code="bad_amount")
    if len(memo) > limits.WALLET_MEMO_BYTES:
        raise UsageError(f"a memo has {limits.WALLET_MEMO_BYTES} bytes at most", code="bad_memo")
    if to == owner:
        raise UsageError("this is the wallet's own address", code="own_address")
    return Order("transfer", Transfer(owner, to, amount), memo)


def call(owner: Address, vault: Address, data: bytes, value: int = 0) -> Order:
    """Of the vault. `data`: function and arguments; `value`: SUN that go with it. Raises UsageError."""
    name, values = asked(data)
    held = {"reserve": values[1:2], "requestWithdraw": values[:1]}.get(name, ())
    hold = next((one for one in held if isinstance(one, int)), 0)
    if not 0 <= value <= limits.WALLET_AMOUNT or hold > limits.WALLET_AMOUNT:
        raise UsageError("an amount is out of range", code="bad_amount")
    return Order("call", TriggerContract(owner, vault, data, value), hold=hold)


def asked(data: bytes) -> tuple[str, tuple[Value, ...]]:
    """Which function of the vault `data` calls and with what, to be shown. Raises UsageError where it is none that the
    cold key calls, or has something behind its arguments.
    """
    for signature in ATTENDED:
        if data[:4] == selector(signature):
            name, _, inner = signature[:-1].partition("(")
            types = [inner] if inner.startswith("(") else [one for one in inner.split(",") if one]
            try:
                values = decode(types, data[4:])
            except FormatError:
                break
            if data[4:] != encode(types, values):
                break
            return name, values
    raise UsageError("the wallet calls nothing but the vault that is configured", code="not_our_vault")


def deploy(new: CreateContract) -> Order:
    """A new contract: the vault of a chain that has none."""
    return Order("deploy", new)


def check(order: Order, owner: Address, vault: Address | None) -> None:
    """Whether the cold key of `owner` signs such a thing. Raises UsageError."""
    if order.contract.owner != owner:
        raise UsageError("this is of another account", code="foreign_account")
    match order.kind, order.contract:
        case "transfer", Transfer(to=to):
            if to == vault:
                raise UsageError("the vault takes deposits: sent this way it would be lost", code="use_deposit")
        case "call", TriggerContract():
            if not is_call_of(template(order), vault):
                raise UsageError("the wallet calls nothing but the vault that is configured", code="not_our_vault")
        case "deploy", CreateContract():
            pass
        case _:
            raise UsageError("this is not what the order says", code="not_as_meant")


def template(order: Order) -> RawTransaction:
    """To measure and to compare: no node takes it."""
    return RawTransaction(bytes([1] * 2), bytes([1] * 8), _LATE, order.contract, _LATE, 0, order.memo)


def raw(order: Order, reference: ChainReference, now: float, fee_limit: int) -> RawTransaction:
    """What is signed. `now`: seconds since 1970."""
    return RawTransaction(
        reference.block_bytes, reference.block_hash, reference.time + _LASTS, order.contract, int(now * 1000),
        fee_limit, order.memo)
