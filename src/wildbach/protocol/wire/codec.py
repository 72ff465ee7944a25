"""Peer messages, from bytes to events and back (BEP 3, 6, 10, 52).

`decode` makes one pass over what arrived and returns whole messages. Blocks and requests, which are nearly all of the
traffic, come as runs: one event for many messages in a row. Payloads are borrowed views of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import RemoteError
from wildbach.base.geometry import BLOCK

CHOKE: Final = 0
UNCHOKE: Final = 1
INTERESTED: Final = 2
NOT_INTERESTED: Final = 3
HAVE: Final = 4
BITFIELD: Final = 5
REQUEST: Final = 6
PIECE: Final = 7
CANCEL: Final = 8
PORT: Final = 9
SUGGEST: Final = 13
HAVE_ALL: Final = 14
HAVE_NONE: Final = 15
REJECT: Final = 16
ALLOWED_FAST: Final = 17
EXTENDED: Final = 20
HASH_REQUEST: Final = 21
HASHES: Final = 22
HASH_REJECT: Final = 23


@dataclass(frozen=True, slots=True)
class Blocks:
    """`piece` messages in a row."""

    items: list[tuple[int, int, memoryview]]
    "Piece index, offset in the piece, data (borrowed)."


@dataclass(frozen=True, slots=True)
class Requests:
    items: list[tuple[int, int, int]]
    "Piece index, offset, length."


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Requests for full blocks that follow each other in one piece."""

    piece: int
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Haves:
    items: list[int]


@dataclass(frozen=True, slots=True)
class Cancel:
    piece: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Reject:
    piece: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Choke:
    pass


@dataclass(frozen=True, slots=True)
class Unchoke:
    pass


@dataclass(frozen=True, slots=True)
class Interested:
    pass


@dataclass(frozen=True, slots=True)
class NotInterested:
    pass


@dataclass(frozen=True, slots=True)
class Bitfield:
    raw: bytes


@dataclass(frozen=True, slots=True)
class HaveAll:
    pass


@dataclass(frozen=True, slots=True)
class HaveNone:
    pass


@dataclass(frozen=True, slots=True)
class Suggest:
    piece: int


@dataclass(frozen=True, slots=True)
class AllowedFast:
    piece: int


@dataclass(frozen=True, slots=True)
class Port:
    port: int


@dataclass(frozen=True, slots=True)
class Extended:
    id: int
    "0 is the extension handshake; else a number that we announced (BEP 10)."
    payload: bytes


@dataclass(frozen=True, slots=True)
class HashMessage:
    """A BEP 52 message 21, 22 or 23; its body is decoded by `protocol.ext.hashes`."""

    id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class KeepAlive:
    pass


Event = (
    Blocks | Requests | RequestRow | Haves | Cancel | Reject | Choke | Unchoke | Interested | NotInterested | Bitfield
    | HaveAll | HaveNone | Suggest | AllowedFast | Port | Extended | HashMessage | KeepAlive
)

_HEAD = Struct(">IB")
_BLOCK = Struct(">IBII")
_REQUEST = Struct(">IBIII")
_THREE = Struct(">III")
_ONE = Struct(">I")

_WORTH: Final = 4 * _REQUEST.size
"From so many bytes on it pays to look for requests in a row."
_BLOCK_MESSAGE: Final = BLOCK + 9
BLOCK_HEADER: Final = _BLOCK.size
"Bytes before the data of a `piece` message: 13."

_PLAIN: dict[int, Event] = {
    CHOKE: Choke(), UNCHOKE: Unchoke(), INTERESTED: Interested(), NOT_INTERESTED: NotInterested(),
    HAVE_ALL: HaveAll(), HAVE_NONE: HaveNone(),
}


class Decoder:
    """Reads one peer's stream after the handshake.

    `missing` says how many more bytes finish the message that `decode` left behind.
    """

    __slots__ = ("_bitfield", "missing", "unknown")

    def __init__(self, pieces: int = 0) -> None:
        self.missing = 0
        self.unknown = 0
        "Messages with an id we do not know, passed over as BEP 4 asks, since `take_unknown`."
        self._bitfield = max(limits.MESSAGE_BYTES, 1 + ((pieces + 7) >> 3))

    def take_unknown(self) -> int:
        unknown, self.unknown = self.unknown, 0
        return unknown

    def expect_pieces(self, pieces: int) -> None:
        """The size of a bitfield is known now. Before, any bitfield up to the most pieces we accept may come."""
        self._bitfield = max(limits.MESSAGE_BYTES, 1 + ((pieces + 7) >> 3))

    def decode(self, view: memoryview) -> tuple[list[Event], int]:
        """All whole messages in `view`, and how many bytes they took. Raises RemoteError on a broken rule."""
        out: list[Event] = []
        blocks: list[tuple[int, int, memoryview]] | None = None
        requests: list[tuple[int, int, int]] | None = None
        haves: list[int] | None = None
        at = 0
        end = len(view)
        block_head = _BLOCK.unpack_from
        self.missing = 0
        one = _ONE.unpack_from
        while end - at >= 5:
            # The widest of the frequent headers has 13 bytes; what is shorter is read by its own branch.
            if end - at >= 13:
                length, kind, piece, offset = block_head(view, at)
                stop = at + 4 + length
                if stop <= end:
                    if kind == PIECE and 9 <= length <= _BLOCK_MESSAGE:
                        if blocks is None:
                            blocks = []
                            requests = haves = None
                            out.append(Blocks(blocks))
                        blocks.append((piece, offset, view[at + 13 : stop]))
                        at = stop
                        continue
                    if kind == REQUEST and length == 13:
                        count = _in_a_row(view, at, end, piece, offset) if end - at >= _WORTH else 1
                        if count > 1:
                            out.append(RequestRow(piece, offset, count))
                            blocks = requests = haves = None
                            at += count * _REQUEST.size
                            continue
                        if requests is None:
                            requests = []
                            blocks = haves = None
                            out.append(Requests(requests))
                        requests.append((piece, offset, one(view, at + 13)[0]))
                        at = stop
                        continue
            else:
                length, kind = _HEAD.unpack_from(view, at)
                stop = at + 4 + length
            if length == 0:
                out.append(_KEEP_ALIVE)
                at += 4
                continue
            self._check_length(kind, length)
            if stop > end:
                self.missing = stop - end
                return out, at
            if kind == HAVE and length == 5:
                if haves is None:
                    haves = []
                    blocks = requests = None
                    out.append(Haves(haves))
                haves.append(one(view, at + 5)[0])
            else:
                event = self._other(kind, view[at + 5 : stop])
                if event is not None:
                    blocks = requests = haves = None
                    out.append(event)
            at = stop
        if end - at == 4 and not any(view[at:end]):
            out.append(_KEEP_ALIVE)
            at = end
        if at < end:
            self.missing = 5 - (end - at)
        return out, at

    def _check_length(self, kind: int, length: int) -> None:
        if kind == PIECE and length > _BLOCK_MESSAGE:
            raise RemoteError("a block larger than 16 KiB", length=length)
        if kind == EXTENDED:
            most = limits.EXTENSION_MESSAGE_BYTES
        elif kind == BITFIELD:
            most = self._bitfield
        else:
            most = limits.MESSAGE_BYTES
        if length > most:
            raise RemoteError("a message over the size limit", id=kind, length=length)

    def _other(self, kind: int, body: memoryview) -> Event | None:
        size = len(body)
        plain = _PLAIN.get(kind)
        if plain is not None:
            if size:
                raise RemoteError("a message of the wrong length", id=kind, length=size + 1)
            return plain
        if kind == EXTENDED:
            if not size:
                raise RemoteError("an empty extension message", id=kind, length=1)
            return Extended(body[0], bytes(body[1:]))
        if kind == BITFIELD:
            return Bitfield(bytes(body))
        if kind in (CANCEL, REJECT):
            if size != 12:
                raise RemoteError("a message of the wrong length", id=kind, length=size + 1)
            three = _THREE.unpack(body)
            return Cancel(*three) if kind == CANCEL else Reject(*three)
        if kind in (SUGGEST, ALLOWED_FAST):
            if size != 4:
                raise RemoteError("a message of the wrong length", id=kind, length=size + 1)
            (piece,) = _ONE.unpack(body)
            return Suggest(piece) if kind == SUGGEST else AllowedFast(piece)
        if kind in (HASH_REQUEST, HASHES, HASH_REJECT):
            return HashMessage(kind, bytes(body))
        if kind == PORT:
            if size != 2:
                raise RemoteError("a message of the wrong length", id=kind, length=size + 1)
            return Port(int.from_bytes(body, "big"))
        if kind in (REQUEST, PIECE, HAVE):
            raise RemoteError("a message of the wrong length", id=kind, length=size + 1)
        self.unknown += 1
        return None


def _in_a_row(view: memoryview, at: int, end: int, piece: int, offset: int) -> int:
    """How many requests from `at` on are for full blocks one after the other; at least 1."""
    first, odd = divmod(offset, BLOCK)
    if odd or offset >= limits.PIECE_LENGTH:
        return 1
    stride = _REQUEST.size
    most = min((end - at) // stride, _KEPT - first % _KEPT)
    expected = full_requests(piece, first, first + most)
    raw = bytes(view[at : at + most * stride])
    if raw == expected:
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if raw.startswith(expected[: middle * stride]):
            low = middle
        else:
            high = middle
    return max(low, 1)


_KEEP_ALIVE = KeepAlive()

KEEP_ALIVE: Final = b"\0\0\0\0"


def plain(kind: int) -> bytes:
    """choke, unchoke, interested, not interested, have all, have none."""
    return _HEAD.pack(1, kind)


def have(piece: int) -> bytes:
    return _HEAD.pack(5, HAVE) + _ONE.pack(piece)


def haves(pieces: Iterable[int]) -> bytes:
    pack = _HAVE.pack
    return b"".join([pack(5, HAVE, piece) for piece in pieces])


_HAVE = Struct(">IBI")


def bitfield(raw: bytes) -> bytes:
    return _HEAD.pack(1 + len(raw), BITFIELD) + raw


def requests(piece: int, first: int, stop: int, size: int) -> bytes:
    """Requests for blocks `first` <= b < `stop` of a piece with `size` bytes, in one buffer."""
    offset = (stop - 1) * BLOCK
    if offset + BLOCK <= size:
        return full_requests(piece, first, stop)
    return full_requests(piece, first, stop - 1) + _REQUEST.pack(13, REQUEST, piece, offset, size - offset)


class _Row:
    """Messages for full blocks in a row. They are the same for every piece but for its index, so they are kept without
    it, `_KEPT` at a time, and it is filled in column by column: a few machine loops for a whole row.
    """

    def __init__(self, message: Callable[[int], bytes]) -> None:
        self._message = message
        self._stride = len(message(0))
        self._parts: dict[int, bytes] = {}

    def __call__(self, piece: int, first: int, stop: int) -> bytes:
        stride = self._stride
        if first // _KEPT == (stop - 1) // _KEPT:
            at = first % _KEPT
            out = bytearray(self._part(first // _KEPT)[at * stride : (at + stop - first) * stride])
        else:
            out = bytearray(b"".join([self._part(part) for part in range(first // _KEPT, (stop - 1) // _KEPT + 1)]))
            at = first % _KEPT
            out = out[at * stride : (at + stop - first) * stride]
        count = stop - first
        for place, byte in enumerate(piece.to_bytes(4, "big"), 5):
            if byte:
                out[place::stride] = bytes((byte,)) * count
        return bytes(out)

    def _part(self, part: int) -> bytes:
        found = self._parts.get(part)
        if found is None:
            if len(self._parts) >= _PARTS:
                self._parts.clear()
            start = part * _KEPT * BLOCK
            found = b"".join([self._message(offset) for offset in range(start, start + _KEPT * BLOCK, BLOCK)])
            self._parts[part] = found
        return found


_KEPT: Final = 64
_PARTS: Final = 1024

full_requests = _Row(lambda offset: _REQUEST.pack(13, REQUEST, 0, offset, BLOCK))
"Requests for the full blocks `first` <= b < `stop` of a piece."
block_headers = _Row(lambda offset: _BLOCK.pack(_BLOCK_MESSAGE, PIECE, 0, offset))
"The headers of the `piece` messages with these blocks."


def request(piece: int, offset: int, length: int) -> bytes:
    return _REQUEST.pack(13, REQUEST, piece, offset, length)


def cancel(piece: int, offset: int, length: int) -> bytes:
    return _REQUEST.pack(13, CANCEL, piece, offset, length)


def reject(piece: int, offset: int, length: int) -> bytes:
    return _REQUEST.pack(13, REJECT, piece, offset, length)


put_block_header = _BLOCK.pack_into
"Write the 13 bytes before a block's data: buffer, place, length + 9, `PIECE`, piece, offset."


def allowed_fast(piece: int) -> bytes:
    return _HAVE.pack(5, ALLOWED_FAST, piece)


def suggest(piece: int) -> bytes:
    return _HAVE.pack(5, SUGGEST, piece)


def extended(number: int, payload: bytes) -> bytes:
    return _HEAD.pack(2 + len(payload), EXTENDED) + bytes([number]) + payload


def hash_message(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(1 + len(payload), kind) + payload


def port(number: int) -> bytes:
    return _HEAD.pack(3, PORT) + number.to_bytes(2, "big")
