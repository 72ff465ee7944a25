from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.doors.transmission.priorities import (
    HIGH,
    LOW,
    NORMAL,
    Wish,
    choose,
    priorities_of,
    wishes_of,
)

wishes = st.lists(st.builds(Wish, st.booleans(), st.sampled_from((LOW, NORMAL, HIGH))), max_size=8)


@given(wishes)
def test_what_is_wished_can_be_read_again_where_something_is_to_come_before_the_low_ones(given: list[Wish]) -> None:
    again = wishes_of(priorities_of(given))
    assert [one.wanted for one in again] == [one.wanted for one in given]
    wanted = [(now.priority, then.priority) for now, then in zip(given, again, strict=True) if now.wanted]
    if any(now == NORMAL for now, _ in wanted) or all(now != LOW for now, _ in wanted):
        assert all(now == then for now, then in wanted)


@given(st.lists(st.integers(0, 7), max_size=8))
def test_any_of_our_priorities_is_one_of_theirs_in_the_same_order(given: list[int]) -> None:
    seen = wishes_of(given)
    for one, other in zip(given, seen, strict=True):
        assert other.wanted is (one > 0)
    order = [wish.priority for value, wish in sorted(zip(given, seen, strict=True), key=lambda pair: pair[0]) if value]
    assert order == sorted(order)


def test_files_are_chosen_by_place_and_no_place_is_all_of_them() -> None:
    three = [Wish()] * 3
    assert [one.wanted for one in choose(three, unwanted=[], wanted=[1])] == [False, True, False]
    assert [one.priority for one in choose(three, priorities={LOW: [0], HIGH: []})] == [HIGH] * 3
    for place in (-1, 3):
        with pytest.raises(IndexError):
            choose(three, wanted=[place])
