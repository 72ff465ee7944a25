from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.tui import chart

RATES = st.lists(st.floats(0, 1e12), max_size=80)


@given(RATES, st.integers(1, 40), st.integers(1, 6))
def test_a_picture_has_its_size(values: list[float], width: int, height: int) -> None:
    lines = chart.columns(values, width, height, chart.ceiling(values))
    assert [len(line) for line in lines] == [width] * height


@given(RATES)
def test_nothing_is_above_the_top(values: list[float]) -> None:
    assert chart.ceiling(values) >= max(values, default=0)


def test_the_newest_is_at_the_right_and_the_least_is_seen() -> None:
    assert chart.columns([0, 0, 0, 8], 2, 1, 8) == [" ⢸"]
    assert chart.columns([0.001], 1, 1, 1000) == ["⢀"]
    assert chart.columns([4, 8], 1, 2, 8) == ["⢸", "⣿"]


def test_only_what_is_complete_is_a_full_bar() -> None:
    assert chart.bar(1, 6) == ("━━━━━━", "")
    assert chart.bar(0.9999, 6) == ("━━━━━╸", "")
    assert chart.bar(0.5, 6) == ("━━━", "───")
    assert chart.bar(0, 3) == ("", "───")
