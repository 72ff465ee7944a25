"""lt_donthave (BEP 54): a peer takes back a piece it had announced. The payload is the piece's index."""

from __future__ import annotations

from wildbach.base.errors import FormatError


def encode(piece: int) -> bytes:
    """The payload of a DontHave message, without the extended header."""
    return piece.to_bytes(4, "big")


def decode(payload: bytes | memoryview, pieces: int) -> int:
    """The piece that the peer no longer has. Raises FormatError where it is no piece of a torrent with `pieces`."""
    if len(payload) != 4:
        raise FormatError(f"{len(payload)} bytes instead of 4", where="lt_donthave")
    piece = int.from_bytes(payload, "big")
    if piece >= pieces:
        raise FormatError(f"piece {piece} of {pieces}", where="lt_donthave")
    return piece
