"""Blocks that are given before their piece is whole: only those that their leaves prove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from wildbach.base import limits
from wildbach.base.geometry import BLOCK
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.pool import ChunkPool
from wildbach.engine.early import Early, Kept
from wildbach.engine.hashes import Fetched, FileTree
from wildbach.engine.openpiece import CHUNK_BLOCKS, OpenPiece
from wildbach.protocol.layers import leaf_hashes
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.testing.content import content

PIECE = 2 << 20
"Two chunks."


@dataclass
class FakeFetcher:
    peers: int = 1
    wanted: list[tuple[int, bool]] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)

    def want_leaves(self, tree: FileTree, piece: int, piece_hash: bytes, *, twice: bool = False) -> None:
        self.wanted.append((piece, twice))

    def forget_leaves(self, root: bytes, piece: int) -> None:
        self.forgotten.append(piece)


MADE = content(6 * PIECE - 5, PIECE, kind="v2")
INFO = Metainfo.parse(MADE.torrent)


class Bed:
    def __init__(self) -> None:
        self.fetcher = FakeFetcher()
        layers = INFO.piece_layers
        assert INFO.info.files[0].root is not None
        layer = layers[INFO.info.files[0].root]
        self.early = Early(INFO.info, {n: layer[n * 32 : n * 32 + 32] for n in range(6)}, self.fetcher)  # type: ignore[arg-type]  # only `get` is used
        self.pool = ChunkPool(8 << 20)
        self.opened: list[OpenPiece] = []

    def leaves(self, piece: int) -> None:
        root = INFO.info.files[0].root
        assert root is not None
        tree = FileTree(root, len(MADE.data), PIECE)
        data = MADE.data[piece * PIECE : (piece + 1) * PIECE]
        assert self.early.found(Fetched(tree, piece, leaf_hashes(memoryview(data))))

    def piece(self, index: int, blocks: range, *, bad: int = -1) -> OpenPiece:
        """Blocks of it have come; `bad` is not what it should be."""
        opened = OpenPiece(index, min(PIECE, len(MADE.data) - index * PIECE))
        self.opened.append(opened)
        for block in blocks:
            assert opened.take(1, self.pool, 1 << block) is not None
            size = opened.block_size(block)
            data = Random(1).randbytes(size) if block == bad else MADE.block(index, block * BLOCK, size)
            at = block % CHUNK_BLOCKS * BLOCK
            opened.memory(block)[at : at + size] = data
            opened.arrived(1, block, block + 1)
        return opened


@pytest.fixture
def bed() -> Iterator[Bed]:
    made = Bed()
    yield made
    made.opened.clear()
    made.pool.close()


def test_what_the_leaves_prove_is_given(bed: Bed) -> None:
    opened = bed.piece(1, range(3, 7))
    assert bed.early.good(opened, 3, 9) == (None, 0), "nothing is known of it"
    assert bed.early.want(1, 0.0, soon=True) and not bed.early.has(1)
    bed.leaves(1)
    assert bed.early.good(opened, 3, 9) == (MADE.block(1, 3 * BLOCK, 4 * BLOCK), 0)
    assert bed.early.good(opened, 5, 1) == (MADE.block(1, 5 * BLOCK, BLOCK), 0)
    assert bed.early.good(opened, 2, 9) == (None, 0), "the first has not come"


def test_the_short_last_block_is_given_too(bed: Bed) -> None:
    bed.early.want(5, 0.0, soon=False)
    bed.leaves(5)
    opened = bed.piece(5, range(126, 128))
    assert bed.early.good(opened, 126, 9) == (MADE.block(5, 126 * BLOCK, 2 * BLOCK - 5), 0)


def test_a_false_block_is_named_and_those_before_it_are_given(bed: Bed) -> None:
    bed.early.want(1, 0.0, soon=True)
    bed.leaves(1)
    assert bed.early.good(bed.piece(1, range(4), bad=2), 0, 9) == (MADE.block(1, 0, 2 * BLOCK), 1 << 2)
    assert bed.early.good(bed.piece(1, range(4), bad=0), 0, 9) == (None, 1)


def test_blocks_that_are_only_on_the_disk_are_read_and_checked_there(bed: Bed) -> None:
    bed.early.want(1, 0.0, soon=True)
    bed.leaves(1)
    opened = bed.piece(1, range(CHUNK_BLOCKS))
    chunk = opened.chunks[0]
    assert chunk is not None
    bed.pool.give(chunk)
    opened.chunks[0] = None
    assert bed.early.good(opened, 3, 2) == (None, 0), "it is on its way to the disk"
    opened.saved = opened.got
    found, false = bed.early.good(opened, 3, 2)
    assert isinstance(found, Kept) and not false
    storage = MemoryStorage(INFO.info)
    storage.write(PIECE, [memoryview(MADE.block(1, 0, CHUNK_BLOCKS * BLOCK))])
    assert found.load(storage, PIECE, PIECE) == (MADE.block(1, 3 * BLOCK, 2 * BLOCK), 0)
    storage.write(PIECE + 4 * BLOCK, [memoryview(b"other")])
    assert found.load(storage, PIECE, PIECE) == (MADE.block(1, 3 * BLOCK, BLOCK), 1 << 4), "the fifth is false"


def test_where_leaves_do_not_come_the_whole_piece_is_waited_for(bed: Bed) -> None:
    assert bed.early.want(1, 0.0, soon=True) and bed.early.want(1, 2.0, soon=True)
    assert not bed.early.want(1, 3.0, soon=True)
    assert bed.fetcher.wanted == [(1, True)], "asked once"
    bed.leaves(1)
    assert bed.early.want(1, 4.0, soon=True), "they came after all"


def test_leaves_of_few_pieces_are_asked_for_at_once_and_not_without_peers(bed: Bed) -> None:
    assert [bed.early.want(piece, 0.0, soon=False) for piece in range(6)] == [True] * 4 + [False] * 2
    bed.early.keep_only({2: 0.0})
    assert sorted(bed.fetcher.forgotten) == [0, 1, 3]
    assert bed.early.want(4, 0.0, soon=False)
    bed.fetcher.peers = 0
    assert not bed.early.want(5, 0.0, soon=True)


def test_a_whole_piece_needs_no_leaves(bed: Bed) -> None:
    bed.early.want(1, 0.0, soon=True)
    bed.early.done(1)
    assert bed.fetcher.forgotten == [1]
    bed.early.want(2, 0.0, soon=True)
    bed.leaves(2)
    bed.early.done(2)
    assert not bed.early.has(2) and limits.EARLY_PIECES > 1
