from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.services.library.queue import Candidate, plan, reordered
from wildbach.services.library.settings import QueueSettings


def one(key: str, place: int, *, complete: bool = False, forced: bool = False, slow: bool = False) -> Candidate:
    return Candidate(key, place, complete, forced, slow)


def test_the_first_places_run() -> None:
    queue = [one("c", 3), one("a", 1), one("b", 2)]
    assert plan(queue, QueueSettings(downloads=2)) == {"a", "b"}


def test_without_a_queue_everybody_runs() -> None:
    assert plan([one("a", 1), one("b", 2)], QueueSettings(enabled=False, downloads=1)) == {"a", "b"}


def test_what_is_forced_runs_and_takes_nobodys_place() -> None:
    assert plan([one("a", 1), one("b", 9, forced=True)], QueueSettings(downloads=1)) == {"a", "b"}


def test_what_is_slow_lets_another_run_beside_it() -> None:
    assert plan([one("a", 1, slow=True), one("b", 2), one("c", 3)], QueueSettings(downloads=1)) == {"a", "b"}


def test_downloads_go_before_seeds_where_all_together_are_limited() -> None:
    queue = [one("seed", 1, complete=True), one("a", 2), one("b", 3)]
    assert plan(queue, QueueSettings(downloads=0, seeds=0, total=2)) == {"a", "b"}
    assert plan(queue, QueueSettings(downloads=1, seeds=0, total=2)) == {"a", "seed"}


candidates = st.lists(
    st.builds(Candidate, st.text("abcdef", min_size=1, max_size=3), st.integers(-5, 5), st.booleans(), st.booleans(),
              st.booleans()), max_size=12, unique_by=lambda c: c.key)


@given(candidates, st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_no_limit_is_passed_and_none_waits_while_there_is_room(
    queue: list[Candidate], downloads: int, seeds: int, total: int,
) -> None:
    run = plan(queue, QueueSettings(downloads=downloads, seeds=seeds, total=total))
    counted = [c for c in queue if c.key in run and not c.forced and not c.slow]
    for complete, most in ((False, downloads), (True, seeds)):
        of_kind = [c for c in counted if c.complete is complete]
        assert not most or len(of_kind) <= most
        waiting = [c for c in queue if c.key not in run and c.complete is complete]
        if waiting:
            assert (most and len(of_kind) == most) or (total and len(counted) == total)
            assert all(mine.place <= other.place for mine in of_kind for other in waiting)
    assert not total or len(counted) <= total


@pytest.mark.parametrize(("act", "after"), [
    ("top", "bdeac"), ("bottom", "acbde"), ("up", "badec"), ("down", "acbde"),
])
def test_those_that_are_picked_move_together(act: str, after: str) -> None:
    assert reordered("abcde", set("bde"), act) == list(after)


@given(st.sets(st.integers(0, 9)), st.sampled_from(["top", "bottom", "up", "down"]))
def test_moving_loses_nobody_and_keeps_the_order_of_both_kinds(picked: set[int], act: str) -> None:
    order = [str(number) for number in range(10)]
    chosen = {str(number) for number in picked}
    after = reordered(order, chosen, act)
    for kind in (chosen, set(order) - chosen):
        assert [key for key in after if key in kind] == [key for key in order if key in kind]


class _Counted(str):
    looks = 0

    def __hash__(self) -> int:
        _Counted.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        _Counted.looks += 1
        return super().__eq__(other)


@pytest.mark.parametrize("act", ["top", "bottom", "up", "down"])
def test_a_long_queue_is_moved_in_linear_time(act: str) -> None:
    order = [_Counted(number) for number in range(2000)]
    picked = set(order[1:])
    _Counted.looks = 0
    reordered(order, picked, act)
    assert _Counted.looks <= 10 * len(order)
