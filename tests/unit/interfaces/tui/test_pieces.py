from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.tui import pieces


@given(st.text("#->123456789", max_size=300), st.integers(1, 30), st.integers(1, 20))
def test_a_map_keeps_to_its_room_in_pairs_of_rows_and_shows_each_cell_once(
    cells: str, width: int, height: int,
) -> None:
    rows = pieces.grid(cells, width, height)
    assert len(rows) <= height and len(rows) % 2 == 0
    assert all(len(row) <= width for row in rows)
    assert "".join(rows) == cells[: width * (height - height % 2)]


def test_what_is_full_and_what_is_begun() -> None:
    assert [cell for cell in "#->19" if pieces.full(cell)] == ["#"]
    assert [cell for cell in "#->19" if pieces.begun(cell)] == [">", "1", "9"]
