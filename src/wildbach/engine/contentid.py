"""What a content is named by: its `pieces root`, bytes and piece length (BEP 52); and sets of its blocks.

Both sides make the same info dictionary of that, a v2 torrent of one file with a constant name. It never travels, and
its hash names nothing on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.geometry import BLOCK
from wildbach.engine.hashes import FileTree
from wildbach.protocol import layers
from wildbach.protocol.bencode import encode
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.sync.pieces import piece_length_for

__all__ = ["ContentId", "piece_length_for"]

_NAME: Final = b"content"


@dataclass(frozen=True)
class ContentId:
    """One content. Raises UsageError for what cannot be one. An empty file has no root: there is nothing to send."""

    root: bytes
    "32 bytes."
    size: int
    "Bytes, 1 or more."
    piece_length: int
    "A power of two of 16 KiB or more; see `piece_length_for`."

    def __post_init__(self) -> None:
        length = self.piece_length
        if len(self.root) != layers.HASH:
            raise UsageError(f"a root has {layers.HASH} bytes, not {len(self.root)}")
        if not any(self.root):
            raise UsageError("a root of zeros is the hash of nothing")
        if self.size < 1:
            raise UsageError(f"a content of {self.size} bytes has no root: there is nothing to send")
        if not BLOCK <= length <= limits.PIECE_LENGTH or length & (length - 1):
            raise UsageError(f"a piece length is a power of two from {BLOCK} to {limits.PIECE_LENGTH}, not {length}")
        if -(-self.size // length) > limits.PIECES:
            raise UsageError(f"{self.size} bytes have more than {limits.PIECES} pieces of {length}")

    @property
    def key(self) -> str:
        return self.root.hex()

    @property
    def tree(self) -> FileTree:
        return FileTree(self.root, self.size, self.piece_length)

    @property
    def pieces(self) -> int:
        return -(-self.size // self.piece_length)

    @property
    def blocks(self) -> int:
        return -(-self.size // BLOCK)

    @property
    def piece_blocks(self) -> int:
        """Blocks of a full piece."""
        return self.piece_length // BLOCK

    @cached_property
    def info(self) -> Info:
        """As a torrent of one file."""
        return Info.parse(encode({
            b"file tree": {_NAME: {b"": {b"length": self.size, b"pieces root": self.root}}},
            b"meta version": 2, b"name": _NAME, b"piece length": self.piece_length,
        }))

    # -- sets of blocks, as they are kept: a bit for each, the first the highest of the first byte

    def by_piece(self, blocks: bytes) -> dict[int, int]:
        """The blocks of each piece that has some in a set, as integers with the first block lowest. Bits beyond the
        end are ignored, and what is short counts as not there.
        """
        if not any(blocks):
            return {}
        raw = blocks[: -(-self.blocks // 8)].ljust(-(-self.blocks // 8), b"\0")
        text = f"{int.from_bytes(raw, 'big'):0{8 * len(raw)}b}"[: self.blocks]
        step = self.piece_blocks
        found = {piece: int(text[piece * step : (piece + 1) * step][::-1], 2) for piece in range(self.pieces)}
        return {piece: mask for piece, mask in found.items() if mask}

    def joined(self, by_piece: Mapping[int, int]) -> bytes:
        """The opposite of `by_piece`."""
        step = self.piece_blocks
        size = -(-self.blocks // 8)
        if not by_piece:
            return bytes(size)
        text = ["0" * step] * self.pieces
        for piece, mask in by_piece.items():
            if mask:
                text[piece] = f"{mask & (1 << step) - 1:0{step}b}"[::-1]
        return int("".join(text)[: self.blocks].ljust(8 * size, "0"), 2).to_bytes(size, "big")

    def whole(self, piece: int) -> int:
        """All blocks of a piece, as an integer."""
        return (1 << layers.level_count(min(self.piece_length, self.size - piece * self.piece_length), 0)) - 1

    def ranges(self, blocks: bytes) -> list[tuple[int, int]]:
        """A set of blocks as rows of bytes: where each begins, and how long it is."""
        out: list[tuple[int, int]] = []
        for piece, mask in self.by_piece(blocks).items():
            block = piece * self.piece_blocks
            while mask:
                skip = (mask & -mask).bit_length() - 1
                row = mask >> skip
                length = ((row + 1) & ~row).bit_length() - 1
                start = (block + skip) * BLOCK
                end = min((block + skip + length) * BLOCK, self.size)
                if out and out[-1][0] + out[-1][1] == start:
                    out[-1] = (out[-1][0], end - out[-1][0])
                else:
                    out.append((start, end - start))
                mask = row >> length
                block += skip + length
        return out
