"""Chunks of shared memory: the budget holds, nothing overlaps, and what comes back can become another size."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.geometry import BLOCK
from wildbach.disk.pool import SLAB, Chunk, ChunkPool


@pytest.fixture
def pool() -> Iterator[ChunkPool]:
    made = ChunkPool(2 * SLAB)
    yield made
    made.close()


def test_the_budget_holds(pool: ChunkPool) -> None:
    first, second = pool.take(SLAB), pool.take(SLAB)
    assert first is not None and second is not None and pool.take(1) is None
    assert pool.reserved == 2 * SLAB
    pool.give(first)
    small = [pool.take(BLOCK) for _ in range(SLAB // BLOCK)]
    assert all(small) and pool.take(BLOCK) is None
    for chunk in small:
        assert chunk is not None
        pool.give(chunk)
    again = pool.take(SLAB - 5)
    assert again is not None and again.length == len(again.view) == SLAB - 5
    again.view.release()
    for chunk in (first, second, again, *small):
        if chunk is not None:
            chunk.view.release()


def test_other_processes_see_the_same_bytes(pool: ChunkPool) -> None:
    if pool.fd < 0:
        pytest.skip("this system has no memfd")
    chunk = pool.take(100)
    assert chunk is not None
    chunk.view[:3] = b"abc"
    with mmap.mmap(pool.fd, pool.size, access=mmap.ACCESS_READ) as other:
        assert other[chunk.start : chunk.start + 3] == b"abc"
    chunk.view.release()


def test_a_budget_below_a_slab_is_a_slab() -> None:
    pool = ChunkPool(1)
    assert pool.size == SLAB
    pool.close()
    pool.close()


@given(st.lists(st.tuples(st.booleans(), st.integers(1, SLAB), st.integers(0, 99)), max_size=120))
def test_chunks_never_overlap(acts: list[tuple[bool, int, int]]) -> None:
    pool = ChunkPool(4 * SLAB)
    held: list[Chunk] = []
    for take, length, which in acts:
        if take:
            chunk = pool.take(length)
            if chunk is not None:
                held.append(chunk)
        elif held:
            chunk = held.pop(which % len(held))
            chunk.view.release()
            pool.give(chunk)
        spans = sorted((chunk.start, chunk.start + chunk.length) for chunk in held)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
        assert all(start >= 0 and stop <= pool.size and start // SLAB == (stop - 1) // SLAB for start, stop in spans)
        assert sum(chunk.length for chunk in held) <= pool.reserved <= pool.size
    for chunk in held:
        chunk.view.release()
        pool.give(chunk)
    assert pool.reserved == 0
    whole = [pool.take(SLAB) for _ in range(4)]
    assert all(whole), "all of it can be had again"
    for each in whole:
        if each is not None:
            each.view.release()
    pool.close()
