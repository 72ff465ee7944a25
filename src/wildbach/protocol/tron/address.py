"""Addresses of TRON: 20 bytes of the hash of a public key, written as base58check of a byte 0x41 and these."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from wildbach.base.errors import FormatError

PREFIX: Final = b"\x41"
_DIGITS: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_LONGEST: Final = 40
_HEX_DIGITS: Final = 42


class BadAddress(FormatError):
    """It is no address of TRON. A slip of the pen is found by the check sum, with all but one chance of 2^32."""

    code = "bad_address"


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An account or a contract. `raw`: 20 bytes. `str` gives what people see, T and 33 more characters."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 20:
            raise BadAddress("an address has 20 bytes")

    @property
    def full(self) -> bytes:
        """21 bytes, as they stand in transactions."""
        return PREFIX + self.raw

    def __str__(self) -> str:
        return _written(self.full + _checksum(self.full))

    @classmethod
    def of(cls, full: bytes) -> Address:
        """Of 21 bytes, 0x41 first. Raises BadAddress."""
        if len(full) != 21 or full[:1] != PREFIX:
            raise BadAddress("an address is the byte 0x41 and 20 more")
        return cls(full[1:])

    @classmethod
    def parse(cls, text: str) -> Address:
        """What people write, or 42 hex digits as nodes do. Raises BadAddress."""
        if len(text) == _HEX_DIGITS and text[:2] == "41":
            try:
                return cls.of(bytes.fromhex(text))
            except ValueError:
                raise BadAddress("an address in hex has 42 hex digits") from None
        raw = _read(text)
        if len(raw) != 25 or raw[:1] != PREFIX or _checksum(raw[:21]) != raw[21:]:
            raise BadAddress(
                "this is not an address of TRON: it has 34 characters, T first, and one wrong character is noticed")
        return cls(raw[1:21])


NOBODY: Final = Address(bytes(20))
"Nobody has its key: what is sent there is lost."


def is_address(text: str) -> bool:
    """One that is well formed, as people write it."""
    try:
        return len(text) <= _LONGEST and str(Address.parse(text)) == text
    except BadAddress:
        return False


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]


def _written(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    out = ""
    while number:
        number, digit = divmod(number, 58)
        out = _DIGITS[digit] + out
    return out


def _read(text: str) -> bytes:
    if len(text) > _LONGEST:
        return b""
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            return b""
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
