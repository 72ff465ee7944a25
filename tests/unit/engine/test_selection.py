from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_torrents import torrent_of
from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.engine.selection import Selection
from wildbach.protocol.metainfo.builder import Kind

INFO = torrent_of({("a",): b"a" * 40_000, ("b",): b"b" * 40_000, ("c",): b"c" * 40_000}, name="x").info
WIDTH = bitfield.width_of(INFO.geometry.piece_count)


def pieces(*files: int) -> int:
    out = 0
    for file in files:
        inside = INFO.geometry.file_pieces(file)
        out |= bitfield.span(inside.start, inside.stop, WIDTH)
    return out


def content(selection: Selection) -> list[int]:
    return [p for p, file in zip(selection.priorities, INFO.files, strict=True) if not file.pad]


def test_all_files_are_wanted_where_nobody_chose() -> None:
    assert content(Selection(INFO, None)) == [1, 1, 1]


def test_pad_files_are_never_wanted_for_themselves() -> None:
    selection = Selection(INFO, None)
    assert not any(p for p, file in zip(selection.priorities, INFO.files, strict=True) if file.pad)


def test_what_was_remembered_counts_more_than_the_chooser() -> None:
    remembered = [0] * len(INFO.files)
    assert Selection(INFO, lambda index, file: True, remembered).priorities == remembered
    assert content(Selection(INFO, lambda index, file: file.path.parts[-1] == "b", [0])) == [0, 1, 0]


def test_levels_are_disjoint_and_the_highest_comes_first() -> None:
    numbers = [i for i, file in enumerate(INFO.files) if not file.pad]
    selection = Selection(INFO, None)
    selection.change({numbers[1]: 7, numbers[2]: 0})
    assert selection.levels() == [pieces(numbers[1]), pieces(numbers[0]) & ~pieces(numbers[1])]
    assert selection.wanted == numbers[:2]


@pytest.mark.parametrize("bad", [{99: 1}, {-1: 1}, {0: 8}, {0: -1}, {0: 0, 99: 1}])
def test_a_change_that_cannot_be_changes_nothing(bad: dict[int, int]) -> None:
    selection = Selection(INFO, None)
    before = list(selection.priorities)
    with pytest.raises(UsageError):
        selection.change(bad)
    assert selection.priorities == before


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 7)), min_size=1, max_size=8), st.booleans(),
       st.sampled_from(["v1", "v2"]))
def test_a_piece_is_of_the_highest_level_that_a_file_in_it_has(
    files: list[tuple[int, int]], ends_first: bool, kind: Kind,
) -> None:
    sizes = [max(size, number == 0) for number, (size, _) in enumerate(files)]
    info = torrent_of({(f"f{number:02}",): b"x" * size for number, size in enumerate(sizes)}, kind=kind).info
    selection = Selection(info, None)
    for number, (_, priority) in enumerate(files):
        selection.change({number: priority})
    count = info.geometry.piece_count
    best, ends = [0] * count, set()
    for number, (_, priority) in enumerate(files):
        inside = info.geometry.file_pieces(number)
        for piece in inside:
            best[piece] = max(best[piece], priority)
        if priority and inside:
            ends |= {inside[0], inside[-1]}
    order = sorted({priority for _, priority in files if priority}, reverse=True)
    width = bitfield.width_of(count)
    found = [list(bitfield.indices(level, width)) for level in selection.levels(ends_first=ends_first)]
    ends = ends if ends_first else set()
    assert found == ([sorted(ends)] if ends_first else []) + [
        [piece for piece in range(count) if best[piece] == priority and piece not in ends] for priority in order]
    assert selection.pieces == bitfield.of([p for p in range(count) if best[p]], width)


def test_the_wanted_pieces_follow_a_change() -> None:
    selection = Selection(INFO, None)
    assert selection.pieces == pieces(0, *[i for i, file in enumerate(INFO.files) if not file.pad])
    selection.change({index: 0 for index, file in enumerate(INFO.files) if file.path.parts[-1] != "b"})
    wanted = next(index for index, file in enumerate(INFO.files) if file.path.parts[-1] == "b")
    assert selection.pieces == pieces(wanted)
