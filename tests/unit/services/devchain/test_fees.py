import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.services.devchain.fees import DAY_SLOTS, FREE_BYTES, Usage, charge, energy_cap

slots = st.integers(0, 10 * DAY_SLOTS)


def test_the_first_transfers_of_a_day_are_free_and_the_next_is_paid_whole() -> None:
    usage, prices = Usage(), []
    for _ in range(3):
        paid = charge(usage, 204, slot=5)
        usage = paid.usage
        prices.append(paid.sun)
    assert prices == [0, 0, 268_000]
    assert usage.used == 536


def test_a_new_account_costs_one_trx_and_a_tenth_and_no_bandwidth() -> None:
    paid = charge(Usage(), 204, slot=5, creates=True)
    assert (paid.sun, paid.free_bytes, paid.usage) == (1_100_000, 0, Usage())


def test_a_memo_costs_one_trx_more() -> None:
    assert charge(Usage(), 204, slot=5, memo=True).sun == 1_000_000


def test_half_a_day_gives_back_half_and_a_day_all() -> None:
    usage = Usage(used=600, slot=10)
    assert usage.at(10 + DAY_SLOTS // 2) == 300
    assert usage.at(10 + DAY_SLOTS) == 0


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        Usage(slot=9).at(8)


def test_energy_is_bounded_by_the_limit_and_by_the_balance() -> None:
    assert energy_cap(1_000, 10_000) == 10
    assert energy_cap(10_000, 1_099) == 10
    assert energy_cap(-1, 10) == 0


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, DAY_SLOTS)), max_size=30))
def test_what_is_used_never_passes_the_free_bytes(steps: list[tuple[int, int]]) -> None:
    usage, now = Usage(), 0
    for size, passed in steps:
        now += passed
        usage = usage.take(size, now) or usage
        assert 0 <= usage.at(now) <= FREE_BYTES


@given(st.integers(0, FREE_BYTES), slots, slots)
def test_usage_only_fades_while_nothing_is_sent(used: int, first: int, second: int) -> None:
    early, late = sorted((first, second))
    assert Usage(used).at(late) <= Usage(used).at(early) <= used
