"""What a peer owes, against a plain list of blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.geometry import BLOCK
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.requests import Outstanding, Run


def owed(pool: ChunkPool, *spans: tuple[int, int, int]) -> Outstanding:
    out = Outstanding()
    pieces: dict[int, OpenPiece] = {}
    for index, first, stop in spans:
        piece = pieces.setdefault(index, OpenPiece(index, 64 * BLOCK))
        piece.take(64, pool)
        out.add(Run(piece, first, stop, float(len(out.runs))))
    return out


def left(out: Outstanding) -> list[tuple[int, int]]:
    return [(run.index, block) for run in out.runs for block in range(run.block, run.stop)]


def test_a_block_is_found_wherever_it_stands() -> None:
    pool = ChunkPool(4 * SLAB)
    out = owed(pool, (5, 0, 4), (9, 10, 12))
    assert out.oldest == 0.0
    found = out.take(5, 2 * BLOCK)
    assert found is not None and found[0].index == 5 and found[1] == 2
    assert left(out) == [(5, 0), (5, 1), (5, 3), (9, 10), (9, 11)] and out.blocks == 5
    assert out.take(5, 2 * BLOCK) is None
    assert out.take(9, 11 * BLOCK) is not None and out.take(9, 10 * BLOCK) is not None
    assert left(out) == [(5, 0), (5, 1), (5, 3)]
    assert out.take(5, 1) is None and out.take(6, 0) is None
    pool.close()


def test_a_piece_can_be_dropped_and_all_can_be_cleared() -> None:
    pool = ChunkPool(4 * SLAB)
    out = owed(pool, (1, 0, 4), (2, 0, 3), (1, 8, 9))
    runs = out.runs
    assert out.mask(1) == 0b100001111
    assert out.drop_piece(1) == 5 and out.drop_piece(1) == 0
    assert out.runs is runs and left(out) == [(2, 0), (2, 1), (2, 2)]
    assert [run.index for run in out.clear()] == [2] and out.blocks == 0
    pool.close()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 14)), max_size=6),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 64))),
)
def test_it_agrees_with_a_plain_list(spans: list[tuple[int, int, int]], takes: list[tuple[int, int]]) -> None:
    pool = ChunkPool(8 * SLAB)
    seen: set[tuple[int, int]] = set()
    chosen = []
    for index, first, count in spans:
        blocks = {(index, block) for block in range(first, first + count)}
        if not blocks & seen:
            seen |= blocks
            chosen.append((index, first, first + count))
    out = owed(pool, *chosen)
    model = left(out)
    for index, block in takes:
        found = out.take(index, block * BLOCK)
        assert (found is not None) == ((index, block) in model)
        if found is not None:
            assert (found[0].index, found[1]) == (index, block)
            model.remove((index, block))
        assert left(out) == model and out.blocks == len(model)
        assert all(run.block < run.stop and run.offset == run.block * BLOCK for run in out.runs)
    pool.close()
