from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import UsageError
from wildbach.base.geometry import BLOCK
from wildbach.engine.contentid import ContentId, piece_length_for

PIECES = st.sampled_from([BLOCK, 4 * BLOCK, 16 * BLOCK])


def contents(size: int, piece_length: int) -> ContentId:
    return ContentId(bytes(range(32)), size, piece_length)


@given(st.integers(1, 60 * BLOCK), PIECES, st.binary(max_size=12))
def test_a_set_of_blocks_is_the_same_by_pieces_and_by_ranges(size: int, piece_length: int, raw: bytes) -> None:
    content = contents(size, piece_length)
    by_piece = content.by_piece(raw)
    blocks = [
        block for block in range(content.blocks) if block < 8 * len(raw) and raw[block >> 3] & (0x80 >> (block & 7))]
    assert blocks == [
        piece * content.piece_blocks + bit
        for piece, mask in by_piece.items() for bit in range(content.piece_blocks) if mask >> bit & 1]
    again = content.joined(by_piece)
    assert len(again) == -(-content.blocks // 8) and content.by_piece(again) == by_piece
    covered: list[int] = []
    end = -1
    for at, length in content.ranges(raw):
        assert at % BLOCK == 0 and at > end and length > 0 and at + length <= size
        end = at + length
        assert end % BLOCK == 0 or end == size
        covered += range(at // BLOCK, -(-end // BLOCK))
    assert covered == blocks


@given(st.integers(1, 60 * BLOCK), PIECES)
def test_all_blocks_are_the_whole_of_every_piece(size: int, piece_length: int) -> None:
    content = contents(size, piece_length)
    everything = content.by_piece(b"\xff" * content.blocks)
    assert everything == {piece: content.whole(piece) for piece in range(content.pieces)}
    assert content.ranges(content.joined(everything)) == [(0, size)]


@given(st.integers(1, 1 << 50))
def test_all_devices_agree_on_the_piece_length(size: int) -> None:
    length = piece_length_for(size)
    assert length & (length - 1) == 0 and length >= 256 << 10
    assert length == 256 << 10 or length // 2 * 32768 < size


def test_both_sides_make_the_same_torrent() -> None:
    content = contents(3 * BLOCK + 1, BLOCK)
    info = content.info
    assert info.hashes == contents(3 * BLOCK + 1, BLOCK).info.hashes and info.hashes.v1 is None
    assert info.size == content.size and info.files[0].root == content.root and not info.multi_file
    assert info.geometry.piece_count == content.pieces == 4
    assert content.info is info


@given(st.binary(min_size=31, max_size=33), st.integers(-1, 1 << 60), st.integers(0, 1 << 31) | PIECES)
def test_what_can_be_named_is_a_torrent(root: bytes, size: int, piece_length: int) -> None:
    try:
        content = ContentId(root, size, piece_length)
    except UsageError:
        return
    assert content.info.size == size and content.info.geometry.piece_count == content.pieces
