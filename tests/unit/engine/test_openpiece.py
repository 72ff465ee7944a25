"""Blocks of a piece on its way, against plain sets of block numbers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.geometry import BLOCK
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.engine.openpiece import CHUNK_BLOCKS, OpenPiece


@pytest.fixture
def pool() -> Iterator[ChunkPool]:
    made = ChunkPool(8 * SLAB)
    yield made
    made.close()


def bits(mask: int) -> set[int]:
    return {at for at in range(mask.bit_length()) if mask >> at & 1}


def test_blocks_are_taken_in_a_row_within_one_chunk(pool: ChunkPool) -> None:
    piece = OpenPiece(0, 2 * SLAB + 5)
    assert piece.blocks == 2 * CHUNK_BLOCKS + 1 and piece.block_size(2 * CHUNK_BLOCKS) == 5
    assert piece.take(10, pool) == (0, 10)
    assert piece.take(1000, pool) == (10, CHUNK_BLOCKS)
    assert piece.take(1000, pool) == (CHUNK_BLOCKS, 2 * CHUNK_BLOCKS)
    assert piece.take(1000, pool) == (2 * CHUNK_BLOCKS, 2 * CHUNK_BLOCKS + 1)
    assert piece.take(1, pool) is None and not piece.unasked
    # The last chunk is as small as what it holds.
    assert pool.reserved == 2 * SLAB + BLOCK


def test_without_memory_nothing_is_taken() -> None:
    small = ChunkPool(SLAB)
    piece = OpenPiece(0, 3 * SLAB)
    assert piece.take(CHUNK_BLOCKS, small) == (0, CHUNK_BLOCKS)
    assert piece.take(1, small) is None and piece.unasked
    small.close()


def test_what_is_released_may_be_asked_again_but_not_what_came(pool: ChunkPool) -> None:
    piece = OpenPiece(0, 8 * BLOCK)
    piece.take(8, pool)
    piece.arrived(1, 2, 4)
    piece.release(0, 8)
    assert bits(piece.asked) == {2, 3} and bits(piece.missing) == {0, 1, 4, 5, 6, 7}
    assert piece.take(8, pool) == (0, 2)
    assert piece.take(8, pool) == (4, 8)


def test_senders_are_noted_in_rows(pool: ChunkPool) -> None:
    piece = OpenPiece(0, 8 * BLOCK)
    piece.take(8, pool)
    for first, stop, peer in ((0, 2, 7), (2, 3, 7), (4, 5, 7), (3, 4, 9)):
        piece.arrived(peer, first, stop)
    assert piece.from_ == [(7, 0, 3), (7, 4, 5), (9, 3, 4)]
    assert not piece.whole and not piece.chunk_whole(0)
    piece.arrived(9, 5, 8)
    assert piece.whole and piece.chunk_whole(0)


def test_what_a_liar_sent_is_fetched_again_unless_it_is_gone_to_the_disk(pool: ChunkPool) -> None:
    piece = OpenPiece(0, 2 * SLAB)
    for number in range(2):
        first = number * CHUNK_BLOCKS
        piece.take(CHUNK_BLOCKS, pool)
        piece.arrived(1, first, first + 10)
        piece.arrived(2, first + 10, first + 20)
    piece.arrived(1, 20, CHUNK_BLOCKS)
    piece.queue.append(0)  # the first chunk is whole and with the writer
    assert piece.distrust(1)
    assert bits(piece.got) == set(range(CHUNK_BLOCKS)) | set(range(CHUNK_BLOCKS + 10, CHUNK_BLOCKS + 20))
    assert set(range(CHUNK_BLOCKS, CHUNK_BLOCKS + 10)) & bits(piece.asked) == set()
    assert not piece.distrust(3)


Step = tuple[str, int, int]
steps = st.lists(st.tuples(st.sampled_from(["take", "arrive", "release"]), st.integers(0, 99), st.integers(1, 40)))


@given(st.integers(1, 130 * BLOCK), steps)
def test_it_agrees_with_plain_sets(size: int, steps: list[Step]) -> None:
    pool = ChunkPool(4 * SLAB)
    piece = OpenPiece(0, size)
    asked: set[int] = set()
    got: set[int] = set()
    for what, start, count in steps:
        stop = min(start + count, piece.blocks)
        if what == "take":
            span = piece.take(count, pool)
            free = sorted(set(range(piece.blocks)) - asked)
            assert (span is None) == (not free)
            if span is not None:
                first, end = span
                assert first == free[0] and end - first <= count
                assert not set(range(first, end)) & asked
                asked |= set(range(first, end))
        elif what == "arrive" and start < stop:
            come = set(range(start, stop)) & asked - got
            for block in sorted(come):
                piece.arrived(1, block, block + 1)
            got |= come
        elif start < stop:
            piece.release(start, stop)
            asked -= set(range(start, stop)) - got
        assert bits(piece.asked) == asked and bits(piece.got) == got
    pool.close()
