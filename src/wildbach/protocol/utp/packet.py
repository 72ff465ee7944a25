"""Packets of uTP (BEP 29): one at a time, and whole trains of plain data packets that came in one go.

What is not exactly a packet is a FormatError; a packet never has more in it than its datagram.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

DATA: Final = 0
FIN: Final = 1
STATE: Final = 2
RESET: Final = 3
SYN: Final = 4

HEADER: Final = struct.Struct(">BBHIIIHH")
HEADER_BYTES: Final = HEADER.size
SACK: Final = 1
_VERSION: Final = 1
_PLAIN_DATA: Final = DATA << 4 | _VERSION
_ROW: Final = 128
"Packets a train may have, at most."
_HIGH: Final = bytes((seq >> 8) & 0xFF for seq in range(65536 + _ROW))
_LOW: Final = bytes(seq & 0xFF for seq in range(65536 + _ROW))


class Packet(NamedTuple):
    """One packet. `sack`: bit i says that packet ack + 2 + i is there; 0 where nothing was said."""

    kind: int
    id: int
    timestamp: int
    difference: int
    window: int
    seq: int
    ack: int
    sack: int
    payload: memoryview


def plausible(first: int, size: int) -> bool:
    """Whether a datagram whose first byte is this can be a packet at all."""
    return first & 15 == _VERSION and first <= (SYN << 4 | _VERSION) and size >= HEADER_BYTES


def parse(data: bytes | bytearray | memoryview) -> Packet:
    """Read one packet; the payload is a view into `data`. Raises FormatError."""
    size = len(data)
    if size < HEADER_BYTES:
        raise FormatError("shorter than a uTP header", size=size)
    first, extension, id, timestamp, difference, window, seq, ack = HEADER.unpack_from(data)
    if first & 15 != _VERSION:
        raise FormatError("not uTP of version 1", version=first & 15)
    kind = first >> 4
    if kind > SYN:
        raise FormatError("no such uTP packet", kind=kind)
    at = HEADER_BYTES
    sack = 0
    count = 0
    while extension:
        count += 1
        if count > limits.UTP_EXTENSIONS:
            raise LimitError("more than UTP_EXTENSIONS extensions in a packet")
        if at + 2 > size:
            raise FormatError("cut off in an extension", where=str(at))
        following, length = data[at], data[at + 1]
        at += 2
        if at + length > size:
            raise FormatError("an extension longer than its packet", where=str(at))
        if extension == SACK:
            # BEP 29 asks for a multiple of four bytes; libtorrent sends as many as there is something to tell in.
            if not length:
                raise FormatError("a selective ack of odd length", length=length)
            sack = int.from_bytes(data[at : at + length], "little")
        at += length
        extension = following
    return Packet(kind, id, timestamp, difference, window, seq, ack, sack, memoryview(data)[at:])


def header(
    kind: int, id: int, timestamp: int, difference: int, window: int, seq: int, ack: int, extension: int = 0,
) -> bytes:
    return HEADER.pack(kind << 4 | _VERSION, extension, id, timestamp, difference, window, seq, ack)


def state(id: int, timestamp: int, difference: int, window: int, seq: int, ack: int, sack: int = 0) -> bytes:
    """A packet that only acknowledges. Of a longer `sack` its first UTP_SACK_BYTES are told."""
    if not sack:
        return HEADER.pack(STATE << 4 | _VERSION, 0, id, timestamp, difference, window, seq, ack)
    length = min(-(-sack.bit_length() // 32) * 4, limits.UTP_SACK_BYTES)
    mask = sack & ((1 << length * 8) - 1)
    return (
        HEADER.pack(STATE << 4 | _VERSION, SACK, id, timestamp, difference, window, seq, ack)
        + bytes((0, length)) + mask.to_bytes(length, "little")
    )


def row(buffer: bytearray, start: int, stop: int, segment: int) -> int:
    """How many packets of `segment` bytes fill `buffer` from `start` to `stop`, where all of them are plain data of one
    connection, numbered one after the other, and with a payload. 0: look at each of them.

    The last packet may be shorter. A few comparisons say it for all at once, which is what makes trains cheap.
    """
    size = stop - start
    count = -(-size // segment)
    if count > _ROW or segment <= HEADER_BYTES or size - (count - 1) * segment <= HEADER_BYTES:
        return 0
    seq = buffer[start + 16] << 8 | buffer[start + 17]
    if (
        buffer[start + 16 : stop : segment] != _HIGH[seq : seq + count]
        or buffer[start + 17 : stop : segment] != _LOW[seq : seq + count]
        or buffer[start:stop:segment].count(_PLAIN_DATA) != count
        or buffer[start + 1 : stop : segment].count(0) != count
        or buffer[start + 2 : stop : segment].count(buffer[start + 2]) != count
        or buffer[start + 3 : stop : segment].count(buffer[start + 3]) != count
    ):
        return 0
    return count


def number(buffer: bytearray, count: int, segment: int, seq: int) -> None:
    """Write the numbers seq, seq + 1, ... into the headers of `count` packets of `segment` bytes."""
    seq &= 0xFFFF
    buffer[16::segment] = _HIGH[seq : seq + count]
    buffer[17::segment] = _LOW[seq : seq + count]


def ahead(value: int, of: int) -> int:
    """How far one 16-bit number is ahead of another, from -32768 to 32767."""
    return (value - of + 32768 & 0xFFFF) - 32768


def ahead32(value: int, of: int) -> int:
    """As `ahead`, for the 32 bits of a clock."""
    return (value - of + 0x80000000 & 0xFFFFFFFF) - 0x80000000
