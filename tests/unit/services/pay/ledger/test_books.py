"""The books of a buyer and a seller, row by row of what can go wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.ext.pay import Why
from wildbach.services.pay.ledger import terms
from wildbach.services.pay.ledger.buying import Buying, takes
from wildbach.services.pay.ledger.selling import Facts, Selling
from wildbach.services.pay.ledger.terms import CREDIT, FIRST_WINDOW, LARGEST_WINDOW, MIB, UNIT, sun

PRICE = 33_000
DAY = 86400
NOW = 1_800_000_000
RICH = Facts(NOW, free=50_000_000)
RESERVED = Facts(NOW, free=0, reserved=1_000_000, until=NOW + 30 * DAY)


def seller(first: int = FIRST_WINDOW) -> Selling:
    return Selling(first, first, LARGEST_WINDOW)


@given(st.integers(0, 1 << 40), st.integers(1, 1 << 30))
def test_sums_are_rounded_up_once(size: int, price: int) -> None:
    books = Buying(1)
    for part in (size // 3, size // 3, size - 2 * (size // 3)):
        books.verified(part, price, 0.0)
    exact = size * price
    assert books.total * UNIT - exact < UNIT and books.total * UNIT >= exact


@pytest.mark.parametrize(
    ("piece", "first", "largest"),
    [(16 << 10, MIB, 16 * MIB), (4 * MIB, 8 * MIB, 16 * MIB), (8 * MIB, 16 * MIB, 16 * MIB),
     (16 * MIB, 32 * MIB, 32 * MIB), (32 * MIB, 0, 32 * MIB)],
)
def test_a_window_holds_two_pieces_or_nothing_is_sold(piece: int, first: int, largest: int) -> None:
    assert (terms.first_window(piece), terms.largest_window(piece)) == (first, largest)


def test_a_seller_stops_at_the_window_and_goes_on_when_it_is_paid() -> None:
    books = seller()
    books.bill(MIB - 1, PRICE, 1)
    assert books.refuses(RESERVED, PRICE) is None and books.due(PRICE)
    books.bill(1, PRICE, 1)
    assert books.refuses(RESERVED, PRICE) is Why.WINDOW
    books.count(1, sun(MIB * PRICE), b"s", PRICE)
    assert books.refuses(RESERVED, PRICE) is None and books.window == 2 * MIB and not books.due(PRICE)


def test_windows_grow_by_what_is_paid_and_not_above_the_largest() -> None:
    books, total = seller(), 0
    for _ in range(100):
        books.bill(books.window, PRICE, 1)
        total += sun(books.window * PRICE)
        books.count(1, total, b"s", PRICE)
    assert books.window == LARGEST_WINDOW


def test_a_lower_or_equal_total_is_passed_over() -> None:
    books = seller()
    assert books.better(1, 5)
    books.count(1, 5, b"good", PRICE)
    assert not books.better(1, 5) and not books.better(1, 4)
    books.count(1, 4, b"late", PRICE)
    assert (books.paid, books.lanes[1].signature) == (5, b"good")


def test_an_accept_of_an_old_epoch_is_refused_and_its_vouchers_are_money_still() -> None:
    books = seller()
    books.accept(7, 0, PRICE)
    assert books.opens(7) and books.opens(8) and not books.opens(6)
    assert books.better(6, 10)
    books.count(6, 10, b"s", PRICE)
    assert books.paid == 10 and books.epoch == 7


def test_no_more_than_four_lanes_wait_to_be_redeemed() -> None:
    books = seller()
    for epoch in range(1, 5):
        books.count(epoch, 10, b"s", PRICE)
    assert not books.opens(5) and not books.better(5, 10) and books.better(4, 11)
    books.redeem(1, 10)
    assert books.opens(5)


def test_a_new_epoch_is_no_new_window() -> None:
    books = seller()
    books.accept(1, 0, PRICE)
    books.bill(MIB, PRICE, 1)
    books.accept(2, 0, PRICE)
    assert books.refuses(RICH, PRICE) is Why.WINDOW


def test_a_stranger_is_lent_the_first_window_and_then_what_was_really_redeemed() -> None:
    books = seller()
    first = sun(MIB * PRICE)
    assert books.credit(RICH, PRICE) == first
    books.bill(MIB, PRICE, 1)
    books.count(1, first, b"s", PRICE)
    assert books.refuses(RICH, PRICE) is Why.INSOLVENT
    books.redeem(1, first)
    assert books.credit(RICH, PRICE) == 2 * first and books.refuses(RICH, PRICE) is None
    books.count(1, 10 * CREDIT, b"s", PRICE)
    books.redeem(1, 10 * CREDIT)
    assert books.credit(RICH, PRICE) == CREDIT


@pytest.mark.parametrize(
    "change", [{"leaving": True}, {"bounced_at": NOW - 29 * DAY}, {"free": 0}])
def test_who_leaves_bounced_or_has_nothing_gets_no_credit(change: dict[str, int]) -> None:
    facts = replace(RICH, **change)  # type: ignore[arg-type]  # fields of it
    assert seller().credit(facts, PRICE) == 0 and seller().refuses(facts, PRICE) is Why.INSOLVENT
    assert seller().refuses(replace(facts, reserved=1000, until=NOW + 30 * DAY), PRICE) is None


def test_a_bounce_is_forgiven_after_a_month() -> None:
    assert seller().credit(replace(RICH, bounced_at=NOW - 30 * DAY), PRICE) > 0


def test_a_reservation_that_ends_within_the_delay_is_no_cover() -> None:
    late = replace(RESERVED, until=NOW + 7 * DAY)
    assert seller().cover(late, PRICE) == 0
    assert seller().cover(replace(late, until=NOW + 7 * DAY + 1), PRICE) == 1_000_000


def test_bytes_of_a_broken_connection_are_written_off_within_bounds() -> None:
    books = seller()
    books.accept(1, 0, PRICE)
    books.bill(MIB, PRICE, 1)
    assert books.accept(1, 0, PRICE) == 0, "a pair that never paid"
    books.count(1, sun(MIB * PRICE), b"s", PRICE)
    books.bill(100_000, PRICE, 1)
    assert books.accept(1, MIB, PRICE) == 100_000 and books.debt <= 0
    assert books.accept(1, MIB, PRICE) == 0, "once"
    books.bill(2 * MIB, PRICE, 1)
    assert books.accept(1, MIB, PRICE) == MIB - 100_000
    assert books.off == MIB


def test_a_buyer_pays_for_a_step_or_when_no_more_comes() -> None:
    books = Buying(1)
    assert not books.due(MIB, PRICE, 100.0, complete=True)
    books.verified(terms.STEP - 1, PRICE, 100.0)
    assert not books.due(MIB, PRICE, 101.0)
    assert books.due(MIB, PRICE, 105.0) and books.due(MIB, PRICE, 101.0, complete=True)
    assert books.due(MIB, PRICE, 101.0, asked=True)
    books.verified(1, PRICE, 101.0)
    assert books.due(MIB, PRICE, 101.0) and not books.due(16 * MIB, PRICE, 101.0)
    books.sign(books.total)
    assert not books.due(MIB, PRICE, 200.0, complete=True)


def test_a_shown_signature_above_our_total_means_that_our_books_are_old() -> None:
    books = Buying(1)
    books.sign(10)
    assert not books.shown(10) and books.shown(11)


def test_offers_are_taken_within_the_price_and_where_a_piece_can_be_paid() -> None:
    assert takes(PRICE, MIB, PRICE, MIB) is None
    assert takes(PRICE + 1, MIB, PRICE, MIB) is Why.PRICE and takes(0, MIB, PRICE, MIB) is Why.PRICE
    assert takes(PRICE, MIB - 1, PRICE, MIB) is Why.WINDOW


def test_a_reorganisation_takes_back_what_was_redeemed() -> None:
    books = seller()
    books.count(1, 100, b"s", PRICE)
    books.redeem(1, 100)
    books.redeem(1, 0)
    assert (books.redeemed, books.held) == (0, 100)
    books.redeem(1, 1000)
    assert books.redeemed == 100
