"""How much may be said on one connection."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.protocol.sync.messages import Entries, Hello, Status, Whereabouts
from wildbach.services.sync.patience import Patience, cost_of


def test_what_a_folder_takes_in_costs_nothing_here_and_the_rest_does() -> None:
    tag = b"t" * 8
    assert cost_of(Entries(tag, 0, 1, ()), 1 << 20, known=True) == 0
    assert cost_of(Entries(tag, 0, 1, ()), 1 << 20, known=False) > 30
    assert cost_of(None, 5, known=False) == 1
    assert 0 < cost_of(Status(tag, "idle", 0, 0), 50, known=True) == cost_of(Whereabouts(tag, ()), 50, known=True)
    assert cost_of(Hello(()), 50, known=False) > cost_of(Status(tag, "idle", 0, 0), 50, known=True)


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0, 100)), max_size=60))
def test_who_waits_as_long_as_it_is_told_says_no_more_than_the_limits(said: list[tuple[int, float]]) -> None:
    now, total = 50.0, 0
    patience = Patience(now)
    for cost, pause in said:
        total += cost
        now += patience.said(cost, now)
        assert total <= limits.SYNC_WORDS + (now - 50.0 + 0.001) * limits.SYNC_WORDS_PER_SECOND
        now += pause


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1000)), max_size=60))
def test_records_beyond_the_limits_are_dropped_and_others_are_not(said: list[tuple[int, float]]) -> None:
    now, total = 0.0, 0
    patience = Patience(now)
    for count, pause in said:
        taken = patience.records(count, now)
        most = limits.SYNC_RECORDS + now * limits.SYNC_RECORDS_PER_SECOND
        assert 0 <= taken <= count and total + taken <= most
        assert taken == count or now or total + count > limits.SYNC_RECORDS
        total += taken
        now += pause
