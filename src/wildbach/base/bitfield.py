"""Sets of pieces as one integer each.

Piece 0 is the highest bit of the wire's bitfield (BEP 3). With `width` = 8 x bytes of that bitfield, piece *i* is bit
`width - 1 - i`. So the lowest piece of a set is found by `bit_length()`, in constant time, union and difference are
single operations, and going to or from the wire is one call.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from sys import byteorder

from wildbach.base.errors import FormatError


def width_of(count: int) -> int:
    """Bits in the wire's bitfield for `count` pieces: `count` rounded up to whole bytes."""
    return (count + 7) & ~7


def full(count: int) -> int:
    """The set of all `count` pieces."""
    return ((1 << count) - 1) << (width_of(count) - count)


def bit(index: int, width: int) -> int:
    """The set that holds only piece `index`."""
    return 1 << (width - 1 - index)


def first(mask: int, width: int) -> int:
    """The lowest piece of a set that is not empty."""
    return width - mask.bit_length()


def first_from(mask: int, start: int, width: int) -> int:
    """The lowest piece at or above `start`, or -1."""
    rest = mask & ((1 << (width - start)) - 1)
    return width - rest.bit_length() if rest else -1


def has(mask: int, index: int, width: int) -> bool:
    return (mask >> (width - 1 - index)) & 1 == 1


def of(indices: Iterable[int], width: int) -> int:
    """The set of the given pieces."""
    raw = bytearray(width >> 3)
    for index in indices:
        raw[index >> 3] |= 0x80 >> (index & 7)
    return int.from_bytes(raw, "big")


def span(start: int, stop: int, width: int) -> int:
    """The set of pieces `start` <= i < `stop`."""
    if stop <= start:
        return 0
    return ((1 << (stop - start)) - 1) << (width - stop)


def longest_row(mask: int, width: int) -> tuple[int, int]:
    """Where the longest row of pieces that follow each other begins, and how many they are; the set is not empty."""
    rows = [mask]
    "At i: the pieces where a row of 2 ** i begins."
    while longer := rows[-1] & rows[-1] << (1 << (len(rows) - 1)):
        rows.append(longer)
    found, length = rows[-1], 1 << (len(rows) - 1)
    for step in reversed(range(len(rows) - 1)):
        longer = found & rows[step] << length
        if longer:
            found, length = longer, length + (1 << step)
    return first(found, width), length


def indices(mask: int, width: int) -> Iterator[int]:
    """The pieces of a set, ascending. Linear in the bytes of the set and in its members."""
    raw = mask.to_bytes(width >> 3, "big")
    for at, byte in enumerate(raw):
        if byte:
            base = at << 3
            for offset in _OFFSETS[byte]:
                yield base + offset


_OFFSETS = tuple(tuple(i for i in range(8) if byte & (0x80 >> i)) for byte in range(256))


def to_wire(mask: int, count: int) -> bytes:
    """The payload of a `bitfield` message."""
    return mask.to_bytes((count + 7) >> 3, "big")


def from_wire(raw: bytes | memoryview, count: int) -> int:
    """Read the payload of a `bitfield` message.

    Raises FormatError where its length is wrong or a spare bit is set (BEP 3).
    """
    if len(raw) != (count + 7) >> 3:
        raise FormatError(f"a bitfield of {len(raw)} bytes for {count} pieces", where="bitfield")
    mask = int.from_bytes(raw, "big")
    spare = width_of(count) - count
    if spare and mask & ((1 << spare) - 1):
        raise FormatError("spare bits are set", where="bitfield")
    return mask



def flags(mask: int, count: int) -> str:
    """A set of `count` pieces as text: `1` for each that is in it, `0` for each that is not."""
    return f"{mask >> (width_of(count) - count):0{count}b}" if count else ""


def of_flags(flags: bytes) -> int:
    """The set that is written as bytes `0` and `1`, one a piece."""
    return int(flags, 2) << (width_of(len(flags)) - len(flags)) if flags else 0


class Sums:
    """A number below 2 ** 32 for each piece, so kept that the sum over a set is a few operations on integers: plane *k*
    is the set of the pieces whose number has bit *k*.
    """

    __slots__ = ("_planes",)

    def __init__(self, numbers: array[int]) -> None:
        """`numbers` has the type code `I`."""
        raw, size = numbers.tobytes(), numbers.itemsize
        self._planes: list[tuple[int, int]] = []
        for place in range(size):
            column = raw[place if byteorder == "little" else size - 1 - place :: size]
            if any(column):
                for bit in range(8):
                    plane = of_flags(column.translate(_BIT_FLAGS[bit]))
                    if plane:
                        self._planes.append((place * 8 + bit, plane))

    def over(self, mask: int) -> int:
        return sum((plane & mask).bit_count() << k for k, plane in self._planes)


_BIT_FLAGS = tuple(bytes(0x30 + (byte >> bit & 1) for byte in range(256)) for bit in range(8))
