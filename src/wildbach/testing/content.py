"""Small torrents made up on the spot, for tests and scripted peers."""

from __future__ import annotations

import random
from dataclasses import dataclass

from wildbach.base.geometry import BLOCK
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile, hash_pieces


@dataclass(frozen=True)
class Content:
    """A torrent of one file: its bytes and its description."""

    data: bytes
    piece_length: int
    info: bytes
    "The info dictionary, encoded."
    torrent: bytes
    "A .torrent file without trackers."
    swarm: bytes
    "The info hash as in a handshake: that of v1 where there is one."

    @property
    def pieces(self) -> int:
        return -(-len(self.data) // self.piece_length)

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


def content(
    size: int = 1 << 20, piece_length: int = 1 << 16, *, seed: int = 0, name: str = "content.bin", kind: Kind = "v1",
    data: bytes | None = None,
) -> Content:
    """`size` bytes drawn from `seed`, or `data`, and the torrent of them."""
    data = random.Random(seed).randbytes(size) if data is None else data
    size = len(data)
    plan = BuildPlan(name, [SourceFile((name,), size)], kind=kind, piece_length=piece_length, single=True)
    pieces = range(plan.geometry.piece_count)
    plan.add(pieces, *hash_pieces(plan, pieces, lambda _file, offset, length: data[offset : offset + length]))
    made = plan.finish()
    return Content(data, piece_length, made.info.raw, made.to_bytes(), made.info.hashes.swarms[0])
