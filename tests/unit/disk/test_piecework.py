"""Hashing and writing chunk by chunk: v1, v2, hybrid, in any order, good and bad."""

from __future__ import annotations

import hashlib
from random import Random

import pytest

from wildbach.base.geometry import BLOCK
from wildbach.disk.piecework import ChunkJob, ChunkResult, PieceSpec, PieceWork
from wildbach.disk.pool import SLAB
from wildbach.protocol import layers

SIZES = [1, BLOCK, BLOCK + 1, 3 * BLOCK, SLAB, SLAB + 1, 3 * SLAB - 7, 4 * SLAB]


class Disk:
    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.writes = 0

    def write(self, offset: int, view: memoryview) -> None:
        self.data[offset : offset + len(view)] = view
        self.writes += 1

    def read(self, offset: int, view: memoryview) -> None:
        view[:] = self.data[offset : offset + len(view)]


def spec(data: bytes, kind: str, *, tail: int = 0) -> PieceSpec:
    """As of the last piece of a file of several: its v2 hash stands at the piece layer."""
    height = layers.piece_level(4 * SLAB)
    v1 = hashlib.sha1(data + bytes(tail)).digest() if kind != "v2" else None
    v2 = layers.layer_root(layers.leaf_hashes(data), 0, height) if kind != "v1" else None
    return PieceSpec(len(data), v1, tail if kind == "hybrid" else 0, v2, height if v2 else 0, v2 is not None)


def run(
    data: bytes, what: PieceSpec, order: list[int], disk: Disk, *, digests: bool = False, work: PieceWork | None = None,
) -> list[ChunkResult]:
    work = work or PieceWork()
    out = []
    for at, number in enumerate(order):
        start = number * SLAB
        job = ChunkJob(1, 0, number, start, at == len(order) - 1, digests, what)
        view = memoryview(bytearray(data[start : start + SLAB]))
        out.append(work.run(job, view, disk.write, disk.read))
    return out


def orders(size: int) -> list[list[int]]:
    count = -(-size // SLAB)
    forward = list(range(count))
    shuffled = forward[:]
    Random(size).shuffle(shuffled)
    return [forward, forward[::-1], shuffled]


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
@pytest.mark.parametrize("size", SIZES)
def test_a_good_piece_is_written_and_good_in_any_order(kind: str, size: int) -> None:
    data = Random(size).randbytes(size)
    for order in orders(size):
        disk = Disk(size)
        results = run(data, spec(data, kind, tail=100 if kind == "hybrid" else 0), order, disk)
        assert [result.good for result in results] == [None] * (len(order) - 1) + [True]
        assert bytes(disk.data) == data and not any(result.digests for result in results)


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
@pytest.mark.parametrize("size", SIZES)
def test_a_bad_piece_is_bad_with_the_digests_of_all_its_blocks(kind: str, size: int) -> None:
    data = Random(size).randbytes(size)
    false = bytes([data[0] ^ 1]) + data[1:]
    for order in orders(size):
        disk = Disk(size)
        last = run(false, spec(data, kind), order, disk)[-1]
        assert last.good is False and not last.conflict
        if kind == "v1":
            one = [hashlib.sha1(false[at : at + BLOCK]).digest() for at in range(0, size, BLOCK)]
        else:
            one = [hashlib.sha256(false[at : at + BLOCK]).digest() for at in range(0, size, BLOCK)]
        assert last.digests == b"".join(one)
        if size <= SLAB:
            assert not disk.writes, "what fits in a chunk is hashed before it is written"


@pytest.mark.parametrize("size", [BLOCK, 3 * SLAB])
def test_a_hybrid_whose_hashes_disagree_is_a_conflict(size: int) -> None:
    data = Random(1).randbytes(size)
    good = spec(data, "hybrid")
    for wrong in (good._replace(v1=bytes(20)), good._replace(v2=bytes(32))):
        last = run(data, wrong, orders(size)[0], Disk(size))[-1]
        assert last.good is False and last.conflict


@pytest.mark.parametrize(("kind", "width"), [("v1", 20), ("v2", 32), ("hybrid", 32)])
def test_digests_come_when_asked_for_chunk_by_chunk(kind: str, width: int) -> None:
    data = Random(1).randbytes(2 * SLAB + 5)
    results = run(data, spec(data, kind), [2, 0, 1], Disk(len(data)), digests=True)
    assert [len(result.digests) // width for result in results] == [1, SLAB // BLOCK, SLAB // BLOCK]


def test_a_hybrid_checked_by_v1_alone_has_leaves_for_digests() -> None:
    data = Random(1).randbytes(2 * BLOCK)
    what = spec(data, "hybrid")._replace(v2=None)
    (result,) = run(data, what, [0], Disk(len(data)), digests=True)
    assert result.good and result.digests == layers.leaf_hashes(data)


def test_a_forgotten_piece_begins_anew() -> None:
    data = Random(1).randbytes(2 * SLAB)
    what = spec(data, "hybrid")
    work, disk = PieceWork(), Disk(len(data))
    false = memoryview(bytearray(SLAB))
    work.run(ChunkJob(1, 0, 0, 0, False, False, what), false, disk.write, disk.read)
    work.forget(1, 0)
    assert run(data, what, [0, 1], disk, work=work)[-1].good
    work.run(ChunkJob(1, 0, 0, 0, False, False, what), false, disk.write, disk.read)
    work.forget_torrent(1)
    assert run(data, what, [1, 0], disk, work=work)[-1].good


def test_another_worker_can_finish_what_one_began() -> None:
    """A worker that has seen only the last chunk reads the others back."""
    data = Random(1).randbytes(3 * SLAB)
    for kind in ("v1", "v2", "hybrid"):
        disk = Disk(len(data))
        disk.data[: 2 * SLAB] = data[: 2 * SLAB]
        job = ChunkJob(1, 0, 2, 2 * SLAB, True, False, spec(data, kind))
        result = PieceWork().run(job, memoryview(bytearray(data[2 * SLAB :])), disk.write, disk.read)
        assert result.good
