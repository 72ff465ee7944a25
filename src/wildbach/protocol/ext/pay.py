"""Blocks for money: the codec of `wb_pay` (docs/paying.md).

Bencoded dictionaries, `t` tells the kind. Keys that are unknown here are passed over. One of an unknown kind is read as
None, so that later versions can say more. Who signs what, `protocol.tron.typed` has.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import bencode
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SIGNATURE_BYTES

VERSION: Final = 1
SCHEME: Final = b"vch1"
"Vouchers on a shared vault."
OFFER_BYTES: Final = 8
_CHAIN: Final = b"tron:0x"
_WHERE: Final = "wb_pay"
_MOST: Final = (1 << 63) - 1
_TOKENS: Final = 64


class Why(IntEnum):
    """Codes of `Stop`."""

    PRICE = 1
    BUDGET = 2
    BAD_SIGNATURE = 3
    OLD_EPOCH = 4
    INSOLVENT = 5
    WINDOW = 6
    UNSUPPORTED = 7
    DONE = 8
    METER = 9


@dataclass(frozen=True, slots=True)
class Terms:
    """What the extension handshake says (`wbp`): where the sender's money is."""

    chain_id: int
    vault: Address
    schemes: tuple[bytes, ...] = (SCHEME,)

    @property
    def fits(self) -> bool:
        """They know a way of paying that is known here."""
        return SCHEME in self.schemes


@dataclass(frozen=True, slots=True)
class Offer:
    """Terms of a sale. `price`: SUN a GiB; `window`: bytes; `least`: SUN a voucher is worth at least; `expires`:
    seconds since 1970, by the seller's clock.
    """

    id: bytes
    price: int
    window: int
    payee: Address
    least: int
    expires: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A buyer takes an offer. `owed`: metered bytes that he counts as owed in this lane. `signature`: of
    `typed.Accept`.
    """

    id: bytes
    payer: Address
    epoch: int
    owed: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Paid:
    """A voucher: all that is owed in this lane so far, SUN. `signature`: of `typed.Voucher`."""

    epoch: int
    total: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """The seller counts so many bytes, and expects such a total, SUN."""

    owed: int
    total: int


@dataclass(frozen=True, slots=True)
class Held:
    """The best voucher the seller holds, with the buyer's own signature."""

    epoch: int
    total: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Stop:
    """One side buys or sells no more. `code`: a `Why`, or one that is unknown here; `total`: SUN."""

    code: int
    total: int


@dataclass(frozen=True, slots=True)
class Meter:
    """What follows is billed, or is not. `at`: payload bytes of `piece` messages sent on this connection before it."""

    on: bool
    at: int


Message: TypeAlias = Offer | Accepted | Paid | Due | Held | Stop | Meter


def encode_terms(terms: Terms) -> bencode.Value:
    """For the extension handshake."""
    return {
        b"v": VERSION, b"s": list(terms.schemes), b"c": _CHAIN + b"%08x" % terms.chain_id, b"x": terms.vault.raw}


def decode_terms(value: bencode.Value) -> Terms | None:
    """None for what is none, or of a version that is unknown here: such a peer is one like any other."""
    if not isinstance(value, dict) or value.get(b"v") != VERSION:
        return None
    chain, vault, schemes = value.get(b"c"), value.get(b"x"), value.get(b"s")
    if not isinstance(chain, bytes) or not isinstance(vault, bytes) or not isinstance(schemes, list):
        return None
    digits = chain.removeprefix(_CHAIN)
    if len(vault) != 20 or len(digits) != 8 or len(chain) == len(digits) or len(schemes) > limits.PAY_SCHEMES:
        return None
    if digits.strip(b"0123456789abcdef") or not int(digits, 16):
        return None
    known = tuple(one for one in schemes if isinstance(one, bytes) and 0 < len(one) <= limits.PAY_SCHEME_BYTES)
    return Terms(int(digits, 16), Address(vault), known)


def encode(message: Message) -> bytes:
    """The payload, without the extended header."""
    match message:
        case Offer():
            fields: dict[bytes, bencode.Value] = {
                b"t": 0, b"id": message.id, b"price": message.price, b"win": message.window,
                b"pay": message.payee.raw, b"min": message.least, b"exp": message.expires,
            }
        case Accepted():
            fields = {
                b"t": 1, b"id": message.id, b"payer": message.payer.raw, b"ep": message.epoch, b"b": message.owed,
                b"s": message.signature,
            }
        case Paid():
            fields = {b"t": 2, b"ep": message.epoch, b"c": message.total, b"s": message.signature}
        case Due():
            fields = {b"t": 3, b"b": message.owed, b"c": message.total}
        case Held():
            fields = {b"t": 4, b"ep": message.epoch, b"c": message.total, b"s": message.signature}
        case Stop():
            fields = {b"t": 5, b"code": int(message.code), b"c": message.total}
        case Meter():
            fields = {b"t": 6, b"on": int(message.on), b"at": message.at}
    return bencode.encode(fields)


def decode(payload: bytes | memoryview) -> Message | None:
    """None for a kind that is unknown here. Raises FormatError or LimitError. Signatures are not looked at."""
    if len(payload) > limits.PAY_MESSAGE_BYTES:
        raise LimitError(f"longer than PAY_MESSAGE_BYTES = {limits.PAY_MESSAGE_BYTES}", where=_WHERE)
    value = bencode.decode(bytes(payload), depth=3, tokens=_TOKENS)
    if not isinstance(value, dict):
        raise FormatError("is no dictionary", where=_WHERE)
    match _number(value, b"t"):
        case 0:
            return Offer(
                _bytes(value, b"id", OFFER_BYTES), _number(value, b"price"), _number(value, b"win"),
                Address(_bytes(value, b"pay", 20)), _number(value, b"min"), _number(value, b"exp"),
            )
        case 1:
            return Accepted(
                _bytes(value, b"id", OFFER_BYTES), Address(_bytes(value, b"payer", 20)), _number(value, b"ep"),
                _number(value, b"b"), _bytes(value, b"s", SIGNATURE_BYTES),
            )
        case 2:
            return Paid(_number(value, b"ep"), _number(value, b"c"), _bytes(value, b"s", SIGNATURE_BYTES))
        case 3:
            return Due(_number(value, b"b"), _number(value, b"c"))
        case 4:
            return Held(_number(value, b"ep"), _number(value, b"c"), _bytes(value, b"s", SIGNATURE_BYTES))
        case 5:
            return Stop(_number(value, b"code"), _number(value, b"c"))
        case 6:
            on = _number(value, b"on")
            if on > 1:
                raise FormatError("is neither 0 nor 1", where=f"{_WHERE}.on")
            return Meter(on == 1, _number(value, b"at"))
        case _:
            return None


def _number(value: dict[bytes, bencode.Value], key: bytes) -> int:
    number = value.get(key)
    if not isinstance(number, int) or not 0 <= number <= _MOST:
        raise FormatError("is missing, negative or has more than 63 bits", where=f"{_WHERE}.{key.decode()}")
    return number


def _bytes(value: dict[bytes, bencode.Value], key: bytes, size: int) -> bytes:
    data = value.get(key)
    if not isinstance(data, bytes) or len(data) != size:
        raise FormatError(f"has not {size} bytes", where=f"{_WHERE}.{key.decode()}")
    return data
