"""Where bytes lie: v1 packed, v2 aligned, hybrids with both ways of padding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import bitfield
from wildbach.base.geometry import BLOCK, Extent, Geometry

LENGTHS = st.lists(st.integers(0, 90), min_size=1, max_size=8).filter(any)
PIECES = st.sampled_from([1, 7, 16, 32])


@given(PIECES, LENGTHS)
def test_packed_files_follow_each_other(piece_length: int, lengths: list[int]) -> None:
    geometry = Geometry.packed(piece_length, lengths)
    stream = [(i, at) for i, n in enumerate(lengths) for at in range(n)]
    assert geometry.size == geometry.v1_size == len(stream)
    assert geometry.piece_count == -(-len(stream) // piece_length)
    rebuilt = []
    for piece in range(geometry.piece_count):
        size = geometry.piece_size(piece)
        assert geometry.v1_piece_size(piece) == size
        assert geometry.v1_tail(piece) == 0
        extents = geometry.extents(piece * piece_length, size)
        assert all(extent.length > 0 for extent in extents)
        rebuilt += [(e.file, e.offset + k) for e in extents for k in range(e.length)]
    assert rebuilt == stream
    with pytest.raises(IndexError):
        geometry.extents(len(stream), 1)


@given(PIECES, LENGTHS, st.data())
def test_aligned_files_begin_on_pieces(piece_length: int, lengths: list[int], data: st.DataObject) -> None:
    rest = -[n for n in lengths if n][-1] % piece_length
    last_pad = data.draw(st.integers(0, rest))
    geometry = Geometry.aligned(piece_length, lengths, hybrid=True, last_pad=last_pad)
    assert geometry.size == sum(lengths)
    pads = [-n % piece_length for n in lengths if n]
    assert geometry.v1_size == sum(lengths) + sum(pads[:-1]) + last_pad
    last = max(i for i, n in enumerate(lengths) if n)
    number = 0
    for file, length in enumerate(lengths):
        pieces = geometry.file_pieces(file)
        assert list(pieces) == list(range(number, number - (-length // piece_length)))
        for piece in pieces:
            size = min(piece_length, length - (piece - number) * piece_length)
            assert geometry.piece_size(piece) == size
            assert geometry.extents(piece * piece_length, size) == [
                Extent(file, (piece - number) * piece_length, size)
            ]
            tail = last_pad if (file, piece) == (last, pieces[-1]) else piece_length - size
            assert geometry.v1_tail(piece) == tail
            assert geometry.v1_piece_size(piece) == size + tail
            if size < piece_length:
                with pytest.raises(IndexError):
                    geometry.extents(piece * piece_length, size + 1)
        number = pieces.stop
    assert geometry.piece_count == number


def test_v2_alone_has_no_tails() -> None:
    geometry = Geometry.aligned(16, [5, 5])
    assert [geometry.v1_tail(i) for i in range(2)] == [0, 0]


def test_a_read_over_the_gap_behind_a_file_is_refused() -> None:
    geometry = Geometry.aligned(16, [5, 5])
    for offset, length in ((0, 6), (0, 21), (5, 1), (15, 2), (21, 1), (32, 1)):
        with pytest.raises(IndexError):
            geometry.extents(offset, length)


def test_pad_files_are_not_content() -> None:
    geometry = Geometry.packed(16, [5, 11, 5], [False, True, False])
    assert geometry.size == 10
    assert geometry.v1_size == 21
    assert [span.pad for span in geometry.files] == [False, True, False]


def test_blocks_of_a_piece() -> None:
    geometry = Geometry.packed(3 * BLOCK, [4 * BLOCK + 1])
    assert [geometry.block_count(i) for i in range(2)] == [3, 2]


@given(PIECES, LENGTHS, st.integers(0, (1 << 64) - 1), st.booleans())
def test_the_bytes_of_a_set_of_pieces_are_those_of_its_pieces(
    piece_length: int, lengths: list[int], mask: int, packed: bool
) -> None:
    geometry = (Geometry.packed if packed else Geometry.aligned)(piece_length, lengths)
    width = bitfield.width_of(geometry.piece_count)
    pieces = mask & bitfield.full(geometry.piece_count)
    assert geometry.bytes_in(pieces) == sum(geometry.piece_size(p) for p in bitfield.indices(pieces, width))


@given(PIECES, LENGTHS, st.integers(0, (1 << 64) - 1), st.booleans())
def test_the_bytes_of_a_file_in_a_set_of_pieces_are_those_of_its_extents(
    piece_length: int, lengths: list[int], mask: int, packed: bool
) -> None:
    geometry = (Geometry.packed if packed else Geometry.aligned)(piece_length, lengths)
    width = bitfield.width_of(geometry.piece_count)
    pieces = mask & bitfield.full(geometry.piece_count)
    found = [0] * len(lengths)
    for piece in bitfield.indices(pieces, width):
        for extent in geometry.extents(piece * piece_length, geometry.piece_size(piece)):
            found[extent.file] += extent.length
    assert [geometry.file_bytes_in(file, pieces) for file in range(len(lengths))] == found
