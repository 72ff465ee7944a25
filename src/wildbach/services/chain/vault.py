"""The vault (contracts/PayVault.sol), as it is called and as its answers are read; docs/vault.md says what it does.

Nothing here asks a node. A `Call` goes into a transaction; a `Question` is data to ask a node with, and the reader of
its answer. Nodes may lie, so every answer is checked for its form, and against what a vault cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Generic, TypeVar

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, RemoteError
from wildbach.protocol.tron.abi import Value, decode, encode, selector
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.protocol.tron.keys import SIGNATURE_BYTES, keccak
from wildbach.protocol.tron.transaction import CreateContract, Entry, abi_of
from wildbach.protocol.tron.typed import Voucher

T = TypeVar("T")

LONGEST_DELAY: Final = 60 * 86_400
"Seconds, of the vault's delay."
LONGEST_RESERVATION: Final = 366 * 86_400
"Seconds from now, of the end of a reservation."
ACTIVE: Final = (1 << 64) - 1
"The end of a signer who was not removed."
_ENERGY_LIMIT: Final = 10_000_000
"Never used where callers pay all; nodes want a number."
_VOUCHERS: Final = "(address,address,uint64,uint256,bytes)[]"
_METHODS: Final = {selector(signature): signature for signature in (
    "deposit()", "addSigner(address)", "removeSigner(address)", "reserve(address,uint128,uint64)", "release(address)",
    "waive(address)", "requestWithdraw(uint128)", "withdraw()", "redeem(address,address,uint64,uint256,bytes)",
    f"redeemMany({_VOUCHERS})", "claim(address)",
)}
_ERROR: Final = selector("Error(string)")
_PANIC: Final = selector("Panic(uint256)")
_WORD: Final = 32
_LONGEST_REASON: Final = 200


class NotTheVault(RemoteError):
    """What lies at this address is no vault whose rules are known here. Nothing is to be sent there."""

    code = "not_the_vault"


# -- what was compiled


class _Artefact(msgspec.Struct):
    name: str
    bytecode: str
    runtime: str
    runtime_sha256: str
    runtime_keccak: str
    abi: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Code:
    """The vault as it was compiled. `creation` runs once, `runtime` is what then lies on the chain."""

    name: str
    creation: bytes
    runtime: bytes
    sha256: str
    "Of `runtime`, in hex; for people to compare."
    keccak: bytes
    "Of `runtime`, 32 bytes."
    entries: tuple[Entry, ...]


@cache
def committed() -> Code:
    """The one vault that is known here."""
    raw = files(__package__).joinpath("payvault.json").read_bytes()
    made = msgspec.json.decode(raw, type=_Artefact)
    return Code(
        made.name, bytes.fromhex(made.bytecode), bytes.fromhex(made.runtime), made.runtime_sha256,
        bytes.fromhex(made.runtime_keccak), abi_of(made.abi))


def deployment(owner: Address, delay: int) -> CreateContract:
    """A new vault. `delay`: seconds. Its callers pay for their calls; `owner` pays for this one and has no rights."""
    if not 0 < delay <= LONGEST_DELAY:
        raise ValueError(f"the delay of a vault is 1 to {LONGEST_DELAY} seconds")
    code = committed()
    creation = code.creation + encode(["uint64"], [delay])
    return CreateContract(owner, creation, code.name, code.entries, percent=100, energy_limit=_ENERGY_LIMIT)


def check(runtime: bytes, delay: int, least: int) -> None:
    """`runtime`: the code that lies at an address; `delay`: what is answered there, in seconds; `least`: the shortest
    that this network allows. Raises NotTheVault.
    """
    if keccak(runtime) != committed().keccak:
        raise NotTheVault("the contract at this address is not the vault that is known here: its code is another one")
    if not least <= delay <= LONGEST_DELAY:
        raise NotTheVault(
            f"this vault gives {delay} seconds to redeem in before money leaves; here it is {least} at least",
            delay=delay, least=least)


# -- calls


@dataclass(frozen=True, slots=True)
class Call:
    """Of the vault. `value`: SUN that go with it."""

    data: bytes
    value: int = 0


@dataclass(frozen=True, slots=True)
class SignedVoucher:
    """`signature`: r, s and v, 65 bytes."""

    voucher: Voucher
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.signature) != SIGNATURE_BYTES:
            raise ValueError(f"a signature has {SIGNATURE_BYTES} bytes")

    @property
    def values(self) -> tuple[Value, ...]:
        one = self.voucher
        return one.payer, one.payee, one.epoch, one.cumulative, self.signature


def deposit(amount: int) -> Call:
    """By the payer. Raises ValueError for what is no amount, as all calls do."""
    if not 0 < amount < 1 << 63:
        raise ValueError("a deposit is one SUN at least")
    return _call("deposit()", value=amount)


def add_signer(signer: Address) -> Call:
    """By the payer: vouchers of this key are good from now on."""
    return _call("addSigner(address)", _somebody(signer))


def remove_signer(signer: Address) -> Call:
    """By the payer; it takes effect one delay later."""
    return _call("removeSigner(address)", signer)


def reserve(payee: Address, amount: int, until: int) -> Call:
    """By the payer. Adds `amount` (SUN, may be 0) to what is reserved; `until`: seconds since 1970, no earlier than
    before.
    """
    return _call("reserve(address,uint128,uint64)", _somebody(payee), amount, until)


def release(payee: Address) -> Call:
    """By the payer, once the reservation's time is over."""
    return _call("release(address)", payee)


def waive(payer: Address) -> Call:
    """By the payee: what is reserved for him is free again."""
    return _call("waive(address)", payer)


def request_withdraw(amount: int) -> Call:
    """By the payer. `amount`: SUN; 0 takes an earlier request back."""
    return _call("requestWithdraw(uint128)", amount)


def withdraw() -> Call:
    """By the payer, one to two delays after the request."""
    return _call("withdraw()")


def redeem(one: SignedVoucher) -> Call:
    """By anyone; fails where nothing is paid."""
    return _call("redeem(address,address,uint64,uint256,bytes)", *one.values)


def redeem_many(vouchers: Sequence[SignedVoucher]) -> Call:
    """By anyone; skips those for which nothing is paid. At most `limits.VAULT_VOUCHERS`."""
    if not 0 < len(vouchers) <= limits.VAULT_VOUCHERS:
        raise ValueError(f"one call redeems 1 to {limits.VAULT_VOUCHERS} vouchers")
    return _call(f"redeemMany({_VOUCHERS})", tuple(one.values for one in vouchers))


def claim(payee: Address) -> Call:
    """By anyone: sends the payee all that was redeemed for him."""
    return _call("claim(address)", payee)


def method(data: bytes) -> tuple[str, tuple[Value, ...]]:
    """What a call of the vault does, read from what would be signed: the name of the function, and its values. Raises
    FormatError where the vault has no such call, or it is written in another way than here.
    """
    signature = _METHODS.get(data[:4])
    if signature is None:
        raise FormatError("the vault has no such call")
    name, types = signature[: signature.index("(")], _types(signature)
    values = decode(types, data[4:])
    if encode(types, values) != data[4:]:
        raise FormatError("a call is written in an odd way", where=name)
    return name, values


# -- questions


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """`data`: what a node is asked with. `read`: of its answer; raises FormatError."""

    data: bytes
    read: Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class Payer:
    """Amounts in SUN, times in seconds since 1970. `bounced_at`: when a good voucher last met too little money; 0 for
    never.
    """

    balance: int
    reserved: int
    asked: int
    asked_at: int
    bounced_at: int

    @property
    def free(self) -> int:
        """What is not reserved."""
        return self.balance - self.reserved

    def leaving(self, now: int, delay: int) -> int:
        """What of it a withdrawal has been asked for, and may take: a request counts until it lapses."""
        return min(self.asked, self.free) if now < self.asked_at + 2 * delay else 0


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of a payer. `end`: seconds since 1970 when it ends; 0 where it was never added."""

    end: int

    @property
    def active(self) -> bool:
        """It was added, and no removal runs."""
        return self.end == ACTIVE

    def signs(self, now: int) -> bool:
        """Its vouchers are good for money that is not reserved."""
        return now < self.end


@dataclass(frozen=True, slots=True)
class Reservation:
    """`amount`: SUN, for one payee. `until`: seconds since 1970. `since`: when it last grew from nothing."""

    amount: int
    until: int
    since: int

    def covers(self, signer: Signer, now: int) -> int:
        """SUN that vouchers of this key can draw from here."""
        good = signer.signs(now) or (self.since < signer.end and now < self.until)
        return self.amount if good else 0


def lane_id(payer: Address, payee: Address, epoch: int) -> bytes:
    """32 bytes that a vault counts what it paid by."""
    return keccak(encode(["address", "address", "uint64"], [payer, payee, epoch]))


def payer(of: Address) -> Question[Payer]:
    def read(answer: bytes) -> Payer:
        state = Payer(*_numbers(answer, 128, 128, 128, 64, 64))
        if state.reserved > state.balance:
            raise FormatError("more is reserved than there is", where="payers")
        return state

    return _question("payers(address)", read, of)


def signer(of: Address, key: Address) -> Question[Signer]:
    return _question("signers(address,address)", lambda answer: Signer(*_numbers(answer, 64)), of, key)


def signer_at(of: Address, index: int) -> Question[Address]:
    """Of all that this payer ever added, from 0 on. A node refuses the first that is not there."""
    def read(answer: bytes) -> Address:
        (value,) = _values(["address"], answer)
        return _address(value)

    return _question("signerList(address,uint256)", read, of, index)


def reservation(of: Address, payee: Address) -> Question[Reservation]:
    return _question(
        "reservations(address,address)", lambda answer: Reservation(*_numbers(answer, 128, 64, 64)), of, payee)


def paid(lane: bytes) -> Question[int]:
    """SUN that were redeemed of a lane (`lane_id`)."""
    return _question("paid(bytes32)", _number_of(128), lane)


def credit(payee: Address) -> Question[int]:
    """SUN that were redeemed and wait to be claimed."""
    return _question("credit(address)", _number_of(128), payee)


def delay() -> Question[int]:
    """Seconds."""
    return _question("delay()", _number_of(64))


def digest(of: Voucher) -> Question[bytes]:
    """What the vault takes a voucher's signature to be of. Only to compare: what is signed is made here
    (`protocol.tron.typed`).
    """
    def read(answer: bytes) -> bytes:
        if len(answer) != _WORD:
            raise FormatError("an answer has one word", where="digest")
        return answer

    return _question(
        "digest(address,address,uint64,uint256)", read, of.payer, of.payee, of.epoch, of.cumulative)


# -- failures


def reason(output: bytes) -> str:
    """Why a call failed, in the contract's words: short, and safe to show. Empty where it says nothing."""
    if output[:4] == _PANIC:
        return "a number is too large, or there is nothing at this place"
    if output[:4] != _ERROR:
        return ""
    try:
        (text,) = decode(["string"], output[4:])
    except FormatError:
        return ""
    return "".join(character for character in str(text)[:_LONGEST_REASON] if character.isprintable())


# -- inside


def _call(signature: str, *values: Value, value: int = 0) -> Call:
    return Call(_data(signature, values), value)


def _question(signature: str, read: Callable[[bytes], T], *values: Value) -> Question[T]:
    return Question(_data(signature, values), read)


def _data(signature: str, values: Sequence[Value]) -> bytes:
    return selector(signature) + encode(_types(signature), values)


def _types(signature: str) -> list[str]:
    inner = signature[signature.index("(") + 1 : -1]
    return [inner] if inner.startswith("(") else inner.split(",") if inner else []


def _somebody(address: Address) -> Address:
    if address == NOBODY:
        raise ValueError("this address is nobody's")
    return address


def _values(types: Sequence[str], answer: bytes) -> tuple[Value, ...]:
    if len(answer) != _WORD * len(types):
        raise FormatError(f"an answer of {_WORD * len(types)} bytes is wanted; where no contract is, it is empty")
    return decode(types, answer)


def _numbers(answer: bytes, *bits: int) -> list[int]:
    return [int(value) for value in _values([f"uint{size}" for size in bits], answer) if isinstance(value, int)]


def _number_of(bits: int) -> Callable[[bytes], int]:
    return lambda answer: _numbers(answer, bits)[0]


def _address(value: Value) -> Address:
    if not isinstance(value, Address):
        raise FormatError("this is no address")
    return value
