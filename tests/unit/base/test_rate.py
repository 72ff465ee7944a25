"""A limit knows whether it is what holds things up; a pace is how fast somebody is, not how much was asked."""

from __future__ import annotations

import pytest

from wildbach.base.rate import Pace, TokenBucket

LIMIT = 1_000_000
BLOCK = 16_384


def used(bucket: TokenBucket, wish: float, seconds: float = 5.0) -> TokenBucket:
    """Blocks are taken at `wish` bytes a second, as far as they may be."""
    want = 0.0
    for tick in range(int(seconds * 20)):
        bucket.refill(tick / 20)
        want = min(want + wish / 20, 10 * BLOCK)
        while want >= BLOCK and bucket.open:
            bucket.take(BLOCK)
            want -= BLOCK
    return bucket


@pytest.mark.parametrize(("wish", "tight"), [(0, False), (LIMIT / 2, False), (LIMIT * 2, True), (LIMIT * 100, True)])
def test_it_is_tight_where_more_would_be_taken(wish: float, tight: bool) -> None:
    assert used(TokenBucket(LIMIT), wish).tight is tight


def test_none_is_never_tight() -> None:
    bucket = used(TokenBucket(LIMIT), LIMIT * 2)
    bucket.limit = 0
    assert not bucket.tight
    assert not used(TokenBucket(), LIMIT).tight


def test_a_pace_is_that_of_the_time_in_which_there_was_something_to_wait_for() -> None:
    pace = Pace(3.0)
    assert pace.rate == 0.0
    pace.see(0.0, 0, busy=True)
    pace.see(1.0, 100, busy=True)
    assert pace.rate == pytest.approx(100.0)
    pace.see(2.0, 200, busy=False)
    for second in range(3, 60):
        pace.see(float(second), 200, busy=False)
    assert pace.rate == pytest.approx(100.0), "nothing was asked of it meanwhile"
    pace.see(60.0, 200, busy=True)
    pace.see(61.0, 200, busy=True)
    assert 50.0 < pace.rate < 100.0, "now it is slow"
    for second in range(62, 80):
        pace.see(float(second), 200 + (second - 61) * 300, busy=True)
    assert pace.rate == pytest.approx(300.0, rel=0.05)


def test_a_pace_is_right_at_once() -> None:
    pace = Pace(3.0)
    pace.see(5.0, 1000, busy=True)
    pace.see(5.1, 1050, busy=True)
    assert pace.rate == pytest.approx(500.0)
