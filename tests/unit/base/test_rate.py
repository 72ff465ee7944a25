"""A limit knows whether it is what holds things up."""

from __future__ import annotations

import pytest

from wildbach.base.rate import TokenBucket

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
