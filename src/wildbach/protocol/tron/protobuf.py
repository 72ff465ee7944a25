"""As much of protocol buffers (proto3) as transactions of TRON are made of: numbers, and strings of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wildbach.base.errors import FormatError

_MASK: Final = (1 << 64) - 1
_NUMBER: Final = 0
_BYTES: Final = 2
_LONGEST_NUMBER: Final = 10
_FIELDS: Final = 4096
"Of one message. A transaction has eight; an interface with hundreds of functions stays below this."


def varint(number: int) -> bytes:
    """A number as groups of seven bits; negative ones as their 64-bit complement."""
    number &= _MASK
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field with a number of 64 bits; nothing for 0, which is what is not there."""
    if not -1 << 63 <= value < 1 << 63:
        raise ValueError("a number has at most 64 bits")
    return varint(field << 3 | _NUMBER) + varint(value) if value else b""


def data(field: int, value: bytes) -> bytes:
    """A field with bytes; nothing for none."""
    return message(field, value) if value else b""


def message(field: int, value: bytes) -> bytes:
    """A field with a message, which is there even if it is empty."""
    return varint(field << 3 | _BYTES) + varint(len(value)) + value


def fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field and its value, in the order in which they stand. Numbers have 64 bits and a sign.
    Raises FormatError.
    """
    position = 0
    for _ in range(_FIELDS):
        if position == len(raw):
            return
        tag, position = _varint(raw, position)
        kind = tag & 7
        if kind == _NUMBER:
            value, position = _varint(raw, position)
            yield tag >> 3, value - (1 << 64) if value >> 63 else value
        elif kind == _BYTES:
            size, position = _varint(raw, position)
            if size > len(raw) - position:
                raise FormatError("a field ends after its message", where=str(position))
            yield tag >> 3, raw[position : position + size]
            position += size
        else:
            raise FormatError("a field is neither a number nor bytes", where=str(position))
    if position != len(raw):
        raise FormatError(f"a message has more than {_FIELDS} fields")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_NUMBER):
        if position >= len(raw):
            raise FormatError("a number is cut off", where=str(position))
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            if value > _MASK:
                break
            return value, position
    raise FormatError("a number has more than 64 bits", where=str(position))
