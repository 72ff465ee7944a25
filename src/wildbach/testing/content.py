"""Small torrents made up on the spot, for tests and scripted peers."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from wildbach.base.geometry import BLOCK
from wildbach.protocol.bencode import encode


@dataclass(frozen=True)
class Content:
    """A v1 torrent of one file: its bytes and its description."""

    data: bytes
    piece_length: int
    info: bytes
    "The info dictionary, encoded."

    @property
    def swarm(self) -> bytes:
        """The info hash."""
        return hashlib.sha1(self.info).digest()

    @property
    def pieces(self) -> int:
        return -(-len(self.data) // self.piece_length)

    @property
    def torrent(self) -> bytes:
        """A .torrent file without trackers."""
        return b"d4:info" + self.info + b"e"

    def piece_size(self, piece: int) -> int:
        return min(self.piece_length, len(self.data) - piece * self.piece_length)

    def block(self, piece: int, offset: int, length: int) -> bytes:
        start = piece * self.piece_length + offset
        return self.data[start : start + length]

    def blocks(self, piece: int) -> list[tuple[int, int]]:
        """Offset and length of every block of a piece."""
        size = self.piece_size(piece)
        return [(offset, min(BLOCK, size - offset)) for offset in range(0, size, BLOCK)]

    @property
    def bitfield(self) -> bytes:
        """That of a seed."""
        spare = -self.pieces % 8
        return (((1 << self.pieces) - 1) << spare).to_bytes((self.pieces + 7) // 8, "big")


def content(size: int = 1 << 20, piece_length: int = 1 << 16, *, seed: int = 0, name: str = "content.bin") -> Content:
    """`size` bytes drawn from `seed`, and the torrent of them."""
    data = random.Random(seed).randbytes(size)
    pieces = b"".join(
        hashlib.sha1(data[start : start + piece_length]).digest() for start in range(0, size, piece_length))
    info = encode({b"length": size, b"name": name.encode(), b"piece length": piece_length, b"pieces": pieces})
    return Content(data, piece_length, info)
