"""What the hot signer may sign, as a decision over numbers."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher
from wildbach.services.pay.wallet.policy import Cover, Refused, Share, SpendingLimits, Spent, Wanted, check, check_price

PAYER, PAYEE = Address(b"p" * 20), Address(b"q" * 20)
TORRENT = b"t" * 32
WIDE = SpendingLimits(**{one.name: 10**9 for one in fields(SpendingLimits)})
NOTHING = Spent(
    lane=0, peer=0, torrents={}, today=0, total=0, closed_today=False, epoch_floor=0, lanes=0, beyond=0, adrift=0,
    own_outstanding=0, reservation=0, free=10**9)


def wanted(amount: int, *, epoch: int = 5, before: int = 0, price: int = 0) -> Wanted:
    return Wanted(Voucher(PAYER, PAYEE, epoch, before + amount), (Share(TORRENT, amount, price),))


def refusal(allowed: SpendingLimits, asked: Wanted, spent: Spent = NOTHING) -> str:
    try:
        check(allowed, asked, spent)
    except Refused as refused:
        return refused.code
    return ""


def test_without_limits_nothing_is_allowed() -> None:
    assert refusal(SpendingLimits(), wanted(1)) == "per_voucher"
    assert refusal(WIDE, wanted(1)) == ""


@pytest.mark.parametrize(("limit", "spent"), [
    ("per_voucher", NOTHING), ("per_peer", replace(NOTHING, peer=60)),
    ("per_torrent", replace(NOTHING, torrents={TORRENT: 60})),
    ("per_day", replace(NOTHING, today=60)), ("total", replace(NOTHING, total=60)),
])
def test_each_limit_holds_to_the_sun(limit: str, spent: Spent) -> None:
    already = 0 if limit == "per_voucher" else 60
    allowed = replace(WIDE, **{limit: 100})
    assert refusal(allowed, wanted(100 - already), spent) == ""
    assert refusal(allowed, wanted(101 - already), spent) == limit


def test_shares_of_one_torrent_count_together() -> None:
    allowed = replace(WIDE, per_torrent=100)
    asked = Wanted(Voucher(PAYER, PAYEE, 5, 120), (Share(TORRENT, 60), Share(TORRENT, 60)))
    assert refusal(allowed, asked) == "per_torrent"
    apart = Wanted(Voucher(PAYER, PAYEE, 5, 120), (Share(TORRENT, 60), Share(b"u" * 32, 60)))
    assert refusal(allowed, apart) == ""


def test_a_price_above_the_highest_is_not_paid() -> None:
    allowed = replace(WIDE, max_price=33_000)
    assert refusal(allowed, wanted(1, price=33_000)) == ""
    assert refusal(allowed, wanted(1, price=33_001)) == "max_price"
    with pytest.raises(Refused):
        check_price(SpendingLimits(), 1)


def test_a_lower_total_is_not_signed() -> None:
    assert refusal(WIDE, wanted(5), replace(NOTHING, lane=6)) == "below_signed"


def test_shares_add_up_to_what_is_new() -> None:
    assert refusal(WIDE, Wanted(Voucher(PAYER, PAYEE, 5, 10), (Share(TORRENT, 9),))) == "bad_shares"
    assert refusal(WIDE, Wanted(Voucher(PAYER, PAYEE, 5, 10), ())) == "bad_shares"
    assert refusal(WIDE, wanted(4, before=6), replace(NOTHING, lane=6)) == ""


def test_closed_lanes_and_closed_days_are_refused() -> None:
    assert refusal(WIDE, wanted(1, epoch=4), replace(NOTHING, epoch_floor=5)) == "epoch_closed"
    assert refusal(WIDE, wanted(1, epoch=5), replace(NOTHING, epoch_floor=5)) == ""
    assert refusal(WIDE, wanted(1), replace(NOTHING, closed_today=True)) == "day_closed"
    assert refusal(WIDE, wanted(1, epoch=1 << 63)) == "too_much"


def test_free_balance_covers_once() -> None:
    assert refusal(WIDE, wanted(100), replace(NOTHING, free=100)) == ""
    assert refusal(WIDE, wanted(101), replace(NOTHING, free=100)) == "beyond_deposit"
    assert refusal(WIDE, wanted(41), replace(NOTHING, free=100, beyond=60)) == "beyond_deposit"


def test_a_reservation_covers_its_payee_before_free_balance() -> None:
    reserved = replace(NOTHING, free=0, beyond=500, reservation=100, own_outstanding=60)
    assert refusal(WIDE, wanted(40), reserved) == ""
    assert refusal(WIDE, wanted(41), reserved) == "beyond_deposit"


def test_what_is_adrift_may_be_anywhere() -> None:
    lost = replace(NOTHING, adrift=60, free=100)
    assert refusal(WIDE, wanted(40), lost) == "" and refusal(WIDE, wanted(41), lost) == "beyond_deposit"
    # More than is free was lost, so a part of it is on reservations: maybe on this one.
    reserved = replace(NOTHING, adrift=150, free=100, reservation=200)
    assert refusal(WIDE, wanted(50), reserved) == "" and refusal(WIDE, wanted(51), reserved) == "beyond_deposit"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), max_size=30), st.integers(0, 300),
    st.dictionaries(st.integers(0, 3), st.integers(0, 80)))
def test_whatever_is_asked_for_what_is_out_stays_within_the_deposit(
    asked: list[tuple[int, int]], free: int, reserved: dict[int, int],
) -> None:
    out = dict.fromkeys(range(4), 0)

    def beyond() -> int:
        return sum(max(0, out[payee] - reserved.get(payee, 0)) for payee in out)

    for payee, amount in asked:
        spent = replace(
            NOTHING, lane=out[payee], beyond=beyond(), own_outstanding=out[payee], reservation=reserved.get(payee, 0),
            free=free)
        if refusal(WIDE, wanted(amount, before=out[payee]), spent) == "":
            out[payee] += amount
    assert beyond() <= free
    assert sum(out.values()) <= free + sum(reserved.values())


def test_limits_say_what_they_loosen() -> None:
    before = SpendingLimits(per_day=10, total=100)
    assert replace(before, per_day=11, total=99).loosens(before) == ("per_day",)
    assert before.loosens(before) == ()
    for wrong in (-1, limits.WALLET_AMOUNT + 1):
        with pytest.raises(UsageError):
            SpendingLimits(per_day=wrong)


def test_what_a_withdrawal_asks_for_is_not_free() -> None:
    assert Cover(1, balance=100, reserved=30, asked=50).free == 20
    assert Cover(1, balance=100, reserved=30, asked=90).free == 0


@pytest.mark.parametrize(("torrent", "amount", "price"), [
    (b"x", 1, 0), (TORRENT, 0, 0), (TORRENT, -1, 0), (TORRENT, 1, -1)])
def test_a_share_is_of_something(torrent: bytes, amount: int, price: int) -> None:
    with pytest.raises(UsageError):
        Share(torrent, amount, price)
