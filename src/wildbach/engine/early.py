"""Blocks of pieces that are not whole yet and are known to be good: the leaves of a v2 tree prove each by itself (BEP
52), so a reader need not wait for megabytes.

Leaves come from peers, proven by the hash of the piece. A block that is not what its leaf says is not given; whoever
sent it is named.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.geometry import BLOCK
from wildbach.disk.storage import Storage
from wildbach.engine.hashes import Fetched, FileTree
from wildbach.engine.openpiece import CHUNK_BLOCKS, OpenPiece
from wildbach.protocol.layers import HASH, PieceHashes, leaf_hashes
from wildbach.protocol.metainfo.info import Info

_AT_ONCE: Final = 4
"Pieces whose leaves are asked for and have not come."
_PATIENCE: Final = 2.5
"Seconds. Where leaves do not come the whole piece is waited for."


class Fetcher(Protocol):
    """`engine.hashes.HashFetcher`."""

    @property
    def peers(self) -> int: ...

    def want_leaves(self, tree: FileTree, piece: int, piece_hash: bytes, *, twice: bool = False) -> None: ...

    def forget_leaves(self, root: bytes, piece: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """Blocks `first` to `stop` of a piece are on the disk, and are good where they hash to `leaves`."""

    piece: int
    first: int
    stop: int
    leaves: bytes

    def load(self, storage: Storage, base: int, size: int) -> tuple[bytes, int]:
        """Read them: the bytes of those before the first that is not good, and those that are not, as bits of the
        piece. `base` is where the piece begins, `size` its bytes. Blocks. Raises StorageError.
        """
        begin = self.first * BLOCK
        data = bytearray(min(self.stop * BLOCK, size) - begin)
        storage.read_into(base + begin, [memoryview(data)])
        found = leaf_hashes(memoryview(data))
        bad = [at for at in range(0, len(found), HASH) if found[at : at + HASH] != self.leaves[at : at + HASH]]
        good = bad[0] // HASH * BLOCK if bad else len(data)
        return bytes(data[:good]), sum(1 << self.first + at // HASH for at in bad)


class Early:
    """The leaves of one torrent that readers wait for. Pieces are counted within the torrent."""

    def __init__(self, info: Info, hashes: PieceHashes | None, fetcher: Fetcher) -> None:
        self._hashes = hashes
        self._fetcher = fetcher
        self._starts: list[int] = []
        self._trees: list[FileTree] = []
        for number, file in enumerate(info.files if hashes is not None else ()):
            if file.root is not None and file.length:
                self._starts.append(info.geometry.file_pieces(number).start)
                self._trees.append(FileTree(file.root, file.length, info.piece_length))
        self._leaves: dict[int, bytes] = {}
        self._asked: dict[int, float] = {}
        "Since when."

    def has(self, piece: int) -> bool:
        return piece in self._leaves

    def want(self, piece: int, now: float, *, soon: bool) -> bool:
        """Ask for the leaves of a piece, two peers where they are needed `soon`: they are few bytes. False where they
        are not to be counted on.
        """
        if piece in self._leaves:
            return True
        if piece in self._asked:
            return now - self._asked[piece] < _PATIENCE
        expected = self._hashes.get(piece) if self._hashes is not None else None
        if expected is None or not self._fetcher.peers or len(self._asked) >= _AT_ONCE:
            return False
        tree, within = self._place(piece)
        self._asked[piece] = now
        self._fetcher.want_leaves(tree, within, expected, twice=soon)
        return True

    def found(self, found: Fetched) -> bool:
        """Leaves have come, for us or for somebody else. Files with equal contents share them. True where they were
        asked for here.
        """
        ours = False
        for start, tree in zip(self._starts, self._trees, strict=True):
            if tree.root == found.tree.root and start + found.piece in self._asked:
                del self._asked[start + found.piece]
                self._keep(start + found.piece, found.hashes)
                ours = True
        return ours

    def done(self, piece: int) -> None:
        """The piece is whole and good: its leaves are of no use any more."""
        self._leaves.pop(piece, None)
        if piece in self._asked:
            del self._asked[piece]
            tree, within = self._place(piece)
            self._fetcher.forget_leaves(tree.root, within)

    def keep_only(self, pieces: Mapping[int, object]) -> None:
        """Nobody waits for the leaves of others than these."""
        for piece in [piece for piece in self._asked if piece not in pieces]:
            self.done(piece)

    def good(self, piece: OpenPiece, block: int, most: int) -> tuple[bytes | Kept | None, int]:
        """What is known to be good of a piece from a block on, at most so many blocks: bytes from memory, or blocks
        that are on the disk. With that the blocks, as bits, that are proven false.
        """
        leaves = self._leaves.get(piece.index)
        if leaves is None or piece.doubtful:
            return None, 0
        parts: list[bytes] = []
        stop = min(block + most, piece.blocks, (block // CHUNK_BLOCKS + 1) * CHUNK_BLOCKS)
        chunk = piece.chunks[block // CHUNK_BLOCKS]
        if chunk is None:
            last = block
            while last < stop and (piece.got & piece.saved) >> last & 1:
                last += 1
            return (Kept(piece.index, block, last, leaves[block * HASH : last * HASH]) if last > block else None), 0
        at = block
        while at < stop and piece.got >> at & 1:
            begin = at % CHUNK_BLOCKS * BLOCK
            data = bytes(chunk.view[begin : begin + piece.block_size(at)])
            if sha256(data).digest() != leaves[at * HASH : (at + 1) * HASH]:
                return (b"".join(parts) or None), 1 << at
            parts.append(data)
            at += 1
        return (b"".join(parts) or None), 0

    def _place(self, piece: int) -> tuple[FileTree, int]:
        at = bisect_right(self._starts, piece) - 1
        return self._trees[at], piece - self._starts[at]

    def _keep(self, piece: int, hashes: bytes) -> None:
        self._leaves[piece] = hashes
        while len(self._leaves) > limits.EARLY_PIECES:
            del self._leaves[next(iter(self._leaves))]
