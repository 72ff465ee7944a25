from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.api_fakes import row

from wildbach.interfaces.cli import table
from wildbach.interfaces.cli.remote import listing
from wildbach.interfaces.cli.table import Cell, Column

COLUMNS = (Column("ID"), Column("NAME", flexible=True), Column("SIZE", right=True, rank=2), Column("NOTE", rank=1))


def lines(rows: list[tuple[str, ...]], width: int | None) -> list[str]:
    return [line.plain for line in table.lines(COLUMNS, rows, width)]


def test_columns_stand_below_their_titles_and_numbers_on_the_right() -> None:
    assert lines([("1", "one", "5", "a"), ("22", "twenty-two", "12345", "")], None) == [
        "ID  NAME         SIZE  NOTE", "1   one             5  a", "22  twenty-two  12345"]


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert lines([("1", "one", "", "")], None) == ["ID  NAME", "1   one"]


def test_a_narrow_terminal_loses_the_columns_that_matter_least_then_the_end_of_names() -> None:
    rows = [("1", "a name of thirty characters ...", "12345", "a note")]
    assert lines(rows, 60)[0].split() == ["ID", "NAME", "SIZE", "NOTE"]
    assert lines(rows, 36)[0].split() == ["ID", "NAME", "NOTE"]
    assert lines(rows, 28) == ["ID  NAME", "1   a name of thirty charac…"]
    assert lines(rows, 10) == ["ID  NAME", "1   a nam…"]


def test_no_terminal_cuts_nothing() -> None:
    assert "x" * 500 in lines([("1", "x" * 500, "", "")], None)[1]


@given(st.lists(st.tuples(*[st.text(max_size=40) for _ in range(4)]), max_size=5), st.integers(30, 200))
def test_no_line_is_longer_than_the_terminal_whatever_the_names(rows: list[tuple[str, ...]], width: int) -> None:
    shown = [("1", *(part.strip() for part in one[1:])) for one in rows]
    for line in table.lines(COLUMNS, shown, width):
        assert cell_len(line.plain) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_list_of_torrents_fits_and_keeps_key_name_state_and_progress(width: int) -> None:
    rows = [
        row(1, name="debian-13.1.0-amd64-netinst.iso", state="downloading", complete=False, progress=0.4567, eta=34,
            size=783_000_000, down_rate=11_234_567, up_rate=120_000, ratio=0.01, uploaded=10, peers=43,
            category="linux/iso", tags=("big", "new")),
        row(2, name="日本語のとても長い名前のトレント 2026 [1080p]", up_rate=3.4e6, ratio=12.345, uploaded=1 << 40),
    ]
    drawn = [line.plain for line in table.lines(listing.COLUMNS, [listing.line_of(one) for one in rows], width)]
    assert max(map(cell_len, drawn)) <= width
    assert drawn[0].split()[:4] == ["KEY", "NAME", "STATE", "DONE"]
    assert ("45.6%" in drawn[1] and "…" in drawn[2]) or width == 120
    assert ("11M" in drawn[1]) == (width >= 60) and ("linux/iso" in drawn[1]) == (width >= 100)


def test_a_cell_may_have_a_colour_of_its_own() -> None:
    (_, line) = table.lines((Column("A"),), [(Cell("x", "red"),)], None)
    assert [(span.start, span.end, span.style) for span in line.spans] == [(0, 1, "red")]
