from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.tui import pieces

STATES = st.text("#->", max_size=300)


def test_a_cell_is_full_or_empty_only_where_all_its_pieces_are() -> None:
    assert pieces.cells("####--->#-", 5) == ["all", "all", "none", "now", "some"]
    assert pieces.cells("#-", 10) == ["all", "none"]


@given(STATES, st.integers(1, 30), st.integers(1, 20))
def test_a_map_keeps_to_its_room_in_pairs_of_rows(states: str, width: int, height: int) -> None:
    rows = pieces.grid(states, width, height)
    assert len(rows) <= height and len(rows) % 2 == 0
    assert all(len(row) <= width for row in rows)
    if height >= 2 and states:
        assert sum(map(len, rows)) == min(len(states), width * (height - height % 2))


@given(STATES, st.integers(1, 400))
def test_there_are_no_more_cells_than_pieces(states: str, count: int) -> None:
    made = pieces.cells(states, count)
    assert len(made) == min(len(states), count)
    assert ("all" in made and set(made) == {"all"}) == (bool(states) and set(states) == {"#"})
