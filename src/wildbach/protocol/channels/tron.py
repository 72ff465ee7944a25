"""Addresses of TRON, to which tips go: base58check of a byte 0x41 and 20 more."""

from __future__ import annotations

import hashlib
from typing import Final

_DIGITS: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_LONGEST: Final = 40
_PREFIX: Final = 0x41


def is_address(text: str) -> bool:
    """One that is well formed: a slip of the pen is found by its check sum, with all but one chance of 2^32."""
    raw = _decoded(text)
    if raw is None or len(raw) != 25 or raw[0] != _PREFIX:
        return False
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def address_of(raw: bytes) -> str:
    """The address of 20 bytes."""
    body = bytes([_PREFIX]) + raw
    number = int.from_bytes(body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4], "big")
    out = ""
    while number:
        number, digit = divmod(number, 58)
        out = _DIGITS[digit] + out
    return out


def _decoded(text: str) -> bytes | None:
    if not 0 < len(text) <= _LONGEST:
        return None
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            return None
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
