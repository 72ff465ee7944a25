"""How contracts are called, and what they answer (the ABI of Solidity): values in words of 32 bytes.

Values of types: an `Address` for `address`, an int for `uint8` to `uint256`, a bool, bytes for `bytes` and `bytes1` to
`bytes32`, a str for `string`, a tuple for `T[]` and for `(T, U)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from wildbach.base.errors import FormatError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import keccak

Value: TypeAlias = "Address | int | bool | bytes | str | tuple[Value, ...]"

_WORD: Final = 32
_DEEPEST: Final = 4
_MOST_VALUES: Final = 4096
"Of one answer, so that lists of lists that share their bytes cannot grow it."
_UINT: Final = re.compile(r"uint([1-9][0-9]{0,2})")
_FIXED: Final = re.compile(r"bytes([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class _Type:
    kind: str
    size: int = 0
    "Bits of a number, bytes of a fixed string."
    parts: tuple[_Type, ...] = ()
    "Of a tuple; of a list, the one of its items."

    @property
    def dynamic(self) -> bool:
        return self.kind in ("bytes", "string", "list") or any(part.dynamic for part in self.parts)

    @property
    def head(self) -> int:
        """Bytes in the row of its neighbours."""
        if self.dynamic or self.kind != "tuple":
            return _WORD
        return sum(part.head for part in self.parts)


def selector(signature: str) -> bytes:
    """Which function is called: four bytes, of `name(type,type)`."""
    return keccak(signature.encode())[:4]


def topic(signature: str) -> bytes:
    """Which event this is: 32 bytes."""
    return keccak(signature.encode())


def encode(types: Sequence[str], values: Sequence[Value]) -> bytes:
    """Raises ValueError where a value is not of its type."""
    return _encode_row([_parsed(one) for one in types], values)


def decode(types: Sequence[str], data: bytes) -> tuple[Value, ...]:
    """Raises FormatError where it is cut off, or a value is not of its type. What follows the last value is ignored, as
    contracts do.
    """
    reader = _Reader(data)
    return reader.row([_parsed(one) for one in types], 0, 0)


def _encode_row(types: Sequence[_Type], values: Sequence[Value]) -> bytes:
    if len(types) != len(values):
        raise ValueError(f"{len(types)} values are wanted, not {len(values)}")
    place = sum(one.head for one in types)
    heads: list[bytes] = []
    tails: list[bytes] = []
    for one, value in zip(types, values, strict=True):
        written = _encode(one, value)
        if one.dynamic:
            heads.append(place.to_bytes(_WORD, "big"))
            tails.append(written)
            place += len(written)
        else:
            heads.append(written)
    return b"".join(heads + tails)


def _encode(wanted: _Type, value: Value) -> bytes:
    match wanted.kind, value:
        case "address", Address():
            return bytes(12) + value.raw
        case "bool", bool():
            return int(value).to_bytes(_WORD, "big")
        case "uint", int() if not isinstance(value, bool) and 0 <= value < 1 << wanted.size:
            return value.to_bytes(_WORD, "big")
        case "fixed", bytes() if len(value) == wanted.size:
            return value.ljust(_WORD, b"\0")
        case "bytes", bytes():
            return _sized(value)
        case "string", str():
            return _sized(value.encode())
        case "list", tuple():
            return len(value).to_bytes(_WORD, "big") + _encode_row(wanted.parts * len(value), value)
        case "tuple", tuple():
            return _encode_row(wanted.parts, value)
        case _:
            raise ValueError(f"{type(value).__name__} is no value of {wanted.kind}{wanted.size or ''}")


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(_WORD, "big") + value + bytes(-len(value) % _WORD)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MOST_VALUES
        self._bytes_left = len(data)

    def row(self, types: Sequence[_Type], start: int, depth: int) -> tuple[Value, ...]:
        if depth > _DEEPEST:
            raise FormatError("values are nested too deep")
        values: list[Value] = []
        place = start
        for one in types:
            where = place
            if one.dynamic:
                where = start + self._number(place, len(self._data))
            values.append(self._value(one, where, depth))
            place += one.head
        return tuple(values)

    def _value(self, wanted: _Type, where: int, depth: int) -> Value:
        self._left -= 1
        if self._left < 0:
            raise FormatError(f"there are more than {_MOST_VALUES} values")
        match wanted.kind:
            case "address":
                word = self._word(where)
                if any(word[:12]):
                    raise FormatError("an address has 20 bytes", where=str(where))
                return Address(word[12:])
            case "bool":
                return bool(self._number(where, 1))
            case "uint":
                return self._number(where, (1 << wanted.size) - 1)
            case "fixed":
                word = self._word(where)
                if any(word[wanted.size :]):
                    raise FormatError(f"there are more than {wanted.size} bytes", where=str(where))
                return word[: wanted.size]
            case "bytes":
                return self._sized(where)
            case "string":
                try:
                    return self._sized(where).decode()
                except UnicodeDecodeError:
                    raise FormatError("a string is not UTF-8", where=str(where)) from None
            case "list":
                count = self._number(where, min(self._left, len(self._data) // _WORD))
                return self.row(wanted.parts * count, where + _WORD, depth + 1)
            case _:
                return self.row(wanted.parts, where, depth + 1)

    def _word(self, where: int) -> bytes:
        if where + _WORD > len(self._data):
            raise FormatError("values are cut off", where=str(where))
        return self._data[where : where + _WORD]

    def _number(self, where: int, most: int) -> int:
        number = int.from_bytes(self._word(where), "big")
        if number > most:
            raise FormatError(f"a number is above {most}", where=str(where))
        return number

    def _sized(self, where: int) -> bytes:
        # Strings that share their bytes, too, must not grow the answer.
        size = self._number(where, self._bytes_left)
        self._bytes_left -= size
        start = where + _WORD
        if start + size > len(self._data):
            raise FormatError("bytes are cut off", where=str(where))
        return self._data[start : start + size]


@lru_cache(256)
def _parsed(text: str) -> _Type:
    if text.endswith("[]"):
        return _Type("list", parts=(_parsed(text[:-2]),))
    if text.startswith("(") and text.endswith(")"):
        return _Type("tuple", parts=tuple(_parsed(part) for part in _split(text[1:-1])))
    if text in ("address", "bool", "bytes", "string"):
        return _Type(text)
    if (found := _UINT.fullmatch(text)) and (bits := int(found[1])) <= 256 and not bits % 8:
        return _Type("uint", bits)
    if (found := _FIXED.fullmatch(text)) and int(found[1]) <= _WORD:
        return _Type("fixed", int(found[1]))
    raise ValueError(f"{text} is no type that is known here")


def _split(text: str) -> list[str]:
    parts: list[str] = []
    depth = start = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]] if text else []
