"""New flows are counted, and fewer are opened where a router is overwhelmed."""

from __future__ import annotations

from collections import deque
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from wildbach.engine.flows import FlowBudget


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    budget = FlowBudget(lambda: 10.0)
    assert sum(budget.take(0.0) for _ in range(100)) == 30
    assert sum(budget.take(1.0) for _ in range(100)) == 10
    assert sum(budget.take(1.05) for _ in range(100)) == 0
    assert budget.opened == 40 and budget.refused == 260


def test_without_a_limit_nothing_waits() -> None:
    budget = FlowBudget(lambda: 0.0)
    assert all(budget.take(0.0) for _ in range(10_000))


def test_a_new_limit_counts_at_once() -> None:
    limit = [1.0]
    budget = FlowBudget(lambda: limit[0])
    assert sum(budget.take(0.0) for _ in range(10)) == 3
    limit[0] = 50.0
    assert sum(budget.take(1.0) for _ in range(200)) == 50


def test_what_may_not_wait_is_counted_all_the_same() -> None:
    budget = FlowBudget(lambda: 10.0)
    budget.take(0.0)
    for _ in range(60):
        budget.count()
    assert not budget.room(1.0) and budget.room(4.5)


def _calls(budget: FlowBudget, rng: Random, start: float, seconds: int, share: float) -> float:
    """So many seconds of calls, as many as may be made, of which a share is answered. Returns the end."""
    for second in range(seconds):
        now = start + second
        while budget.take(now):
            budget.ended(rng.random() < share, now)
        budget.look(now)
    return start + seconds


def test_that_few_answer_is_usual_and_costs_nothing() -> None:
    budget = FlowBudget(lambda: 20.0)
    _calls(budget, Random(1), 0.0, 600, 0.15)
    assert budget.pace == 1.0


def test_when_nobody_answers_any_more_the_pace_falls_and_comes_back_with_the_answers() -> None:
    budget = FlowBudget(lambda: 20.0)
    now = _calls(budget, Random(1), 0.0, 120, 0.3)
    now = _calls(budget, Random(1), now, 60, 0.0)
    low = budget.pace
    assert low <= 0.25 and budget.view().guarded
    now = _calls(budget, Random(1), now, 300, 0.3)
    assert budget.pace == 1.0 and not budget.view().guarded


def test_a_line_that_was_down_for_an_hour_is_not_taken_for_usual() -> None:
    budget = FlowBudget(lambda: 20.0)
    now = _calls(budget, Random(1), 0.0, 120, 0.3)
    usual = budget.view().usual
    _calls(budget, Random(1), now, 3600, 0.0)
    assert usual is not None and (budget.view().usual or 0) > usual / 2


def _house(limit: float, *, guarded: bool) -> float:
    """A router that keeps 512 flows, each for two minutes, and drops new ones when it is full. Somebody else in the
    house opens a flow every second: the share of them that gets through, after five minutes of our calling."""
    rng = Random(7)
    budget = FlowBudget(lambda: limit)
    table: deque[float] = deque()
    through = tries = 0

    def open_one(now: float) -> bool:
        while table and table[0] <= now:
            table.popleft()
        if len(table) >= 512:
            return False
        table.append(now + 120.0)
        return True

    for tick in range(9000):
        now = tick / 10
        if budget.take(now):
            budget.ended(open_one(now) and rng.random() < 0.3, now)
        budget.look(now)
        if not guarded:
            budget.pace = 1.0
        if rng.random() < 0.1 and now >= 300:
            tries += 1
            through += open_one(now)
    return through / tries


def test_a_small_router_survives() -> None:
    assert _house(9.0, guarded=False) < 0.1 and _house(6.0, guarded=False) < 0.1
    assert _house(9.0, guarded=True) > 0.4 and _house(6.0, guarded=True) > 0.4
    assert _house(2.0, guarded=True) == 1.0


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=200), st.floats(0, 1000))
def test_the_pace_stays_within_bounds_whatever_comes(happens: list[tuple[float, bool]], limit: float) -> None:
    budget = FlowBudget(lambda: limit)
    now = 0.0
    for wait, answered in happens:
        now += wait
        if budget.take(now):
            budget.ended(answered, now)
        assert 1 / 16 <= budget.pace <= 1.0
