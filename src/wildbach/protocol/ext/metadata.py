"""ut_metadata (BEP 9): the info dictionary in pieces of 16 KiB. A `data` message is a dictionary and then raw bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.geometry import BLOCK
from wildbach.protocol import bencode

_REQUEST: Final = 0
_DATA: Final = 1
_REJECT: Final = 2
_TOP_PIECE = -(-limits.METADATA_BYTES // BLOCK)


@dataclass(frozen=True, slots=True)
class MetadataRequest:
    """Asks for one piece of the info dictionary."""

    piece: int


@dataclass(frozen=True, slots=True)
class MetadataData:
    """One piece; `total` is the size of the whole info dictionary as this peer has it."""

    piece: int
    total: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MetadataReject:
    """The peer does not serve that piece."""

    piece: int


MetadataMessage = MetadataRequest | MetadataData | MetadataReject


def piece_count(size: int) -> int:
    """Pieces of an info dictionary of `size` bytes."""
    return -(-size // BLOCK)


def encode(message: MetadataMessage) -> bytes:
    """The payload of a message, without the extended header."""
    if isinstance(message, MetadataData):
        head = bencode.encode({b"msg_type": _DATA, b"piece": message.piece, b"total_size": message.total})
        return head + message.data
    kind = _REQUEST if isinstance(message, MetadataRequest) else _REJECT
    return bencode.encode({b"msg_type": kind, b"piece": message.piece})


def decode(payload: bytes | memoryview) -> MetadataMessage | None:
    """Read a payload; None for a message type that BEP 9 does not name, which must be ignored.

    Raises FormatError where a key is missing or a data piece has the wrong length for its place.
    """
    raw = bytes(payload)
    value, end = bencode.decode_prefix(raw, strict=False, depth=4, tokens=100)
    if not isinstance(value, dict):
        raise FormatError("not a dictionary", where="ut_metadata")
    kind = value.get(b"msg_type")
    if not isinstance(kind, int):
        raise FormatError("not an integer", where="ut_metadata.msg_type")
    if kind not in (_REQUEST, _DATA, _REJECT):
        return None
    piece = value.get(b"piece")
    if not isinstance(piece, int) or not 0 <= piece < _TOP_PIECE:
        raise FormatError("not a piece number", where="ut_metadata.piece")
    if kind == _REQUEST:
        return MetadataRequest(piece)
    if kind == _REJECT:
        return MetadataReject(piece)
    total = value.get(b"total_size")
    if not isinstance(total, int) or not 0 < total <= limits.METADATA_BYTES:
        raise FormatError("not a size up to METADATA_BYTES", where="ut_metadata.total_size")
    data = raw[end:]
    expected = min(BLOCK, total - piece * BLOCK)
    if len(data) != expected:
        raise FormatError(f"{len(data)} bytes instead of {max(expected, 0)}", where=f"ut_metadata piece {piece}")
    return MetadataData(piece, total, data)
