"""What was promised for seeding, beside what the vault has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import StorageError, UsageError
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.seams import Reserve
from wildbach.services.pay.sponsor.promise import Backing, Promise

DAY = 86_400
BEGINS = 1_800_000_000
PROMISE = Promise(Address(b"p" * 20), 100, DAY, 5, BEGINS)
DELAY = 7 * DAY
UNTIL = PROMISE.ends + DELAY


@pytest.mark.parametrize(("amount", "until", "held", "days", "wanted"), [
    (0, 0, 0, 0, Backing.NOTHING),
    (499, UNTIL, 0, 0, Backing.TOO_LITTLE),
    (500, UNTIL - 1, 0, 0, Backing.TOO_SHORT),
    (500, UNTIL, 0, 0, Backing.COVERED),
    (500, UNTIL, 1, 0, Backing.TOO_LITTLE),
    (500, UNTIL, 100, 1, Backing.COVERED),  # the voucher of the first period is held
    (400, UNTIL, 0, 1, Backing.COVERED),  # and was redeemed
    (399, UNTIL, 0, 1, Backing.TOO_LITTLE),
    (0, 0, 0, 5, Backing.OVER),
])
def test_it_is_covered_while_the_vault_has_all_that_is_to_come_and_time_to_redeem_it(
    amount: int, until: int, held: int, days: int, wanted: Backing,
) -> None:
    assert PROMISE.backing(Reserve(amount, until), held, DELAY, BEGINS + days * DAY) is wanted


def test_vouchers_may_come_for_a_week_after_the_last_period() -> None:
    assert PROMISE.live(PROMISE.ends + 7 * DAY - 1) and not PROMISE.live(PROMISE.ends + 7 * DAY)
    assert [PROMISE.number(BEGINS + days * DAY) for days in (-9, 0, 4, 5, 99)] == [-1, 0, 4, 5, 5]


@pytest.mark.parametrize("change", [
    {"price": 0}, {"period": 1199}, {"period": 32 * DAY}, {"periods": 0}, {"periods": 10_001}, {"begins": -1}])
def test_what_makes_no_sense_is_not_promised(change: dict[str, int]) -> None:
    with pytest.raises(UsageError) as caught:
        replace(PROMISE, **change)  # type: ignore[arg-type]  # a test changes any field
    assert caught.value.facts["name"] in change


def test_it_is_read_as_it_was_written() -> None:
    assert Promise.decode(PROMISE.encode()) == PROMISE


@given(st.one_of(st.binary(max_size=200), st.integers(0, 60).map(lambda cut: PROMISE.encode()[cut:]), st.tuples(
    st.text(max_size=40), st.integers(), st.integers(), st.integers(), st.integers()).map(
        lambda values: str(list(values)).replace("'", '"').encode())))
def test_what_is_damaged_is_an_error_of_the_disk(data: bytes) -> None:
    try:
        assert Promise.decode(Promise.decode(data).encode()) == Promise.decode(data)
    except StorageError as error:
        assert error.code == "seeding_damaged"
