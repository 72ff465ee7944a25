from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.engine.eviction import Bounds, Need, Stock, choose, need, oldest

GB = 10**9


def stock(key: str, size: int, used_at: float, *, free: bool = True, device: int = 1, planned: int = 0) -> Stock:
    return Stock(key, size, planned or size, used_at, free, device)


def test_nothing_goes_while_there_is_room() -> None:
    there = [stock("a", 5 * GB, 1)]
    assert need(there, Bounds(20 * GB, 50, GB), 1, 100 * GB).met
    assert choose(there, Need(0, 0, 1)) == []


def test_the_quota_counts_what_is_still_to_come() -> None:
    there = [stock("old", 12 * GB, 1), stock("new", 0, 2, planned=10 * GB, free=False)]
    wanted = need(there, Bounds(20 * GB, 100, 0), 1, 100 * GB)
    assert wanted.anywhere == 2 * GB
    assert choose(there, wanted) == ["old"]


def test_of_a_disk_that_is_almost_full_the_cache_has_its_share_only() -> None:
    there = [stock("old", 6 * GB, 1), stock("older", 3 * GB, 0)]
    assert need(there, Bounds(20 * GB, 50, 0), 1, 3 * GB).there == 3 * GB
    assert choose(there, need(there, Bounds(20 * GB, 50, 0), 1, 3 * GB)) == ["older"]


def test_some_of_a_disk_stays_free_whatever_is_still_to_come() -> None:
    there = [stock("old", 6 * GB, 1), stock("new", GB, 2, planned=3 * GB, free=False)]
    assert need(there, Bounds(20 * GB, 100, 2 * GB), 1, 3 * GB).there == GB


def test_another_disk_helps_the_quota_alone() -> None:
    there = [stock("far", 6 * GB, 0, device=2), stock("near", 6 * GB, 1)]
    assert choose(there, Need(0, GB, 1)) == ["near"]
    assert choose(there, Need(GB, 0, 1)) == ["far"]


def test_what_is_pinned_or_in_use_stays_and_nothing_goes_in_vain() -> None:
    there = [stock("used", 6 * GB, 0, free=False), stock("small", GB, 1)]
    assert choose(there, Need(2 * GB, 0, 1)) is None
    assert choose(there, Need(GB, 0, 1)) == ["small"]


def test_what_nobody_used_for_longest_is_given_back_first() -> None:
    there = [
        stock("c", GB, 3), stock("a", GB, 1), stock("empty", 0, 0), stock("b", GB, 2), stock("p", GB, 0, free=False)]
    assert oldest(there, GB + 1) == ["a", "b"]
    assert oldest(there, 100 * GB) == ["a", "b", "c"]


_stocks = st.lists(st.builds(
    Stock, st.uuids().map(str), st.integers(0, 50), st.integers(0, 100), st.floats(0, 9), st.booleans(),
    st.integers(1, 2),
), max_size=12)


@given(_stocks, st.integers(-10, 300), st.integers(-10, 300))
def test_a_choice_is_enough_and_none_of_it_could_be_left_out_at_the_end(
    stocks: list[Stock], anywhere: int, there: int,
) -> None:
    by_key = {one.key: one for one in stocks}
    chosen = choose(stocks, Need(anywhere, there, 1))
    free = [one for one in stocks if one.free]
    if chosen is None:
        assert sum(one.planned for one in free) < anywhere \
            or sum(one.planned for one in free if one.device == 1) < there
        return
    assert all(by_key[key].free for key in chosen)
    for some, enough in ((chosen, True), (chosen[:-1], not chosen)):
        all_of = sum(by_key[key].planned for key in some)
        near = sum(by_key[key].planned for key in some if by_key[key].device == 1)
        assert (all_of >= anywhere and near >= there) is enough
