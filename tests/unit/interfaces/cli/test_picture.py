from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import bitfield
from wildbach.interfaces.cli.picture import piece_row, row_of_states


def test_a_row_shows_which_part_is_there() -> None:
    half = bitfield.span(0, 50, bitfield.width_of(100))
    assert piece_row(half, 100, 10) == "█████·····"
    assert piece_row(half, 100, 10, ascii_only=True) == "#####....."
    every_second = bitfield.of(range(0, 100, 2), bitfield.width_of(100))
    assert piece_row(every_second, 100, 10) == "▒" * 10


def test_one_missing_piece_is_seen() -> None:
    width = bitfield.width_of(10_000)
    row = piece_row(bitfield.full(10_000) & ~bitfield.bit(5000, width), 10_000, 40)
    assert row.count("▓") == 1 and row.count("█") == 39


def test_fewer_pieces_than_characters() -> None:
    assert piece_row(bitfield.of([0], 8), 2, 6) == "███···"


def test_an_empty_torrent_is_complete() -> None:
    assert piece_row(0, 0, 4) == "████"


@given(st.integers(1, 300), st.integers(0, 120), st.data())
def test_shades_are_exact_at_both_ends(count: int, width: int, data: st.DataObject) -> None:
    held = data.draw(st.sets(st.integers(0, count - 1)))
    row = piece_row(bitfield.of(held, bitfield.width_of(count)), count, width)
    assert len(row) == width
    if width >= 1:
        if len(held) == count:
            assert set(row) == {"█"}
        if not held:
            assert set(row) == {"·"}


def test_a_string_of_pieces_is_drawn_like_a_set() -> None:
    assert row_of_states("##->", 4, ascii_only=True) == "##.."
    assert row_of_states("#" * 100 + "-" * 100, 10, ascii_only=True) == "#####....."
    assert row_of_states("", 10) == ""
