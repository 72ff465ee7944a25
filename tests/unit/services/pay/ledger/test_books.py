"""The books of a buyer and a seller, row by row of what can go wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.ext.pay import Why
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger import terms
from wildbach.services.pay.ledger.buying import Buying, takes
from wildbach.services.pay.ledger.seams import Reserve, Standing
from wildbach.services.pay.ledger.selling import Selling
from wildbach.services.pay.ledger.terms import CREDIT, FIRST_WINDOW, LARGEST_WINDOW, LAST_EPOCH, MIB, UNIT, LaneId, sun

PRICE = 33_000
DAY = 86400
NOW = 1_800_000_000
PAYEE, OTHER = Address(bytes(19) + b"\1"), Address(bytes(19) + b"\2")
RICH = Standing(1, NOW, 50_000_000)


def reserved(amount: int = 1_000_000, until: int = NOW + 30 * DAY, payee: Address = PAYEE) -> Standing:
    return Standing(1, NOW, amount, amount, reserves={payee: Reserve(amount, until)})


RESERVED = reserved()


def lane(epoch: int, payee: Address = PAYEE) -> LaneId:
    return LaneId(payee, epoch)


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
    books.bill(MIB - 1, PRICE, lane(1))
    assert books.refuses(RESERVED, PRICE, PAYEE) is None and books.due(PRICE)
    books.bill(1, PRICE, lane(1))
    assert books.refuses(RESERVED, PRICE, PAYEE) is Why.WINDOW
    books.count(lane(1), sun(MIB * PRICE), b"s", PRICE)
    assert books.refuses(RESERVED, PRICE, PAYEE) is None and books.window == 2 * MIB and not books.due(PRICE)


def test_windows_grow_by_what_is_paid_and_not_above_the_largest() -> None:
    books, total = seller(), 0
    for _ in range(100):
        books.bill(books.window, PRICE, lane(1))
        total += sun(books.window * PRICE)
        books.count(lane(1), total, b"s", PRICE)
    assert books.window == LARGEST_WINDOW


def test_a_lower_or_equal_total_is_passed_over() -> None:
    books = seller()
    assert books.better(lane(1), 5)
    books.count(lane(1), 5, b"good", PRICE)
    assert not books.better(lane(1), 5) and not books.better(lane(1), 4)
    books.count(lane(1), 4, b"late", PRICE)
    assert (books.paid, books.lanes[lane(1)].signature) == (5, b"good")


def test_an_accept_of_an_old_epoch_is_refused_and_its_vouchers_are_money_still() -> None:
    books = seller()
    books.accept(lane(7), 0)
    books.count(lane(7), 5, b"s", PRICE)
    assert books.opens(lane(7)) and books.opens(lane(8)) and not books.opens(lane(6))
    assert books.better(lane(6), 10)
    books.count(lane(6), 10, b"s", PRICE)
    assert books.paid == 15 and books.epoch == 7


def test_an_epoch_in_which_nothing_was_paid_shuts_no_other() -> None:
    books = seller()
    books.accept(lane(LAST_EPOCH), 0)
    books.bill(MIB, PRICE, lane(LAST_EPOCH))
    assert books.opens(lane(7)) and books.debt == MIB * PRICE


def test_no_more_than_four_lanes_wait_to_be_redeemed() -> None:
    books = seller()
    for epoch in range(1, 5):
        books.count(lane(epoch), 10, b"s", PRICE)
    assert not books.opens(lane(5)) and not books.better(lane(5), 10) and books.better(lane(4), 11)
    books.redeem(lane(1), 10)
    assert books.opens(lane(5))


def test_a_new_epoch_is_no_new_window() -> None:
    books = seller()
    books.accept(lane(1), 0)
    books.bill(MIB, PRICE, lane(1))
    books.accept(lane(2), 0)
    assert books.refuses(RICH, PRICE, PAYEE) is Why.WINDOW


def test_a_stranger_is_lent_the_first_window_and_then_what_was_really_redeemed() -> None:
    books = seller()
    first = sun(MIB * PRICE)
    assert books.credit(RICH, PRICE) == first
    books.bill(MIB, PRICE, lane(1))
    books.count(lane(1), first, b"s", PRICE)
    assert books.refuses(RICH, PRICE, PAYEE) is Why.INSOLVENT
    books.redeem(lane(1), first)
    assert books.credit(RICH, PRICE) == 2 * first and books.refuses(RICH, PRICE, PAYEE) is None
    books.count(lane(1), 10 * CREDIT, b"s", PRICE)
    books.redeem(lane(1), 10 * CREDIT)
    assert books.credit(RICH, PRICE) == CREDIT


@pytest.mark.parametrize(
    "change", [{"leaving": True}, {"bounced_at": NOW - 29 * DAY}, {"asked": 50_000_000}])
def test_who_leaves_bounced_or_has_nothing_gets_no_credit(change: dict[str, int]) -> None:
    facts = replace(RICH, **change)  # type: ignore[arg-type]  # fields of it
    assert seller().credit(facts, PRICE) == 0 and seller().refuses(facts, PRICE, PAYEE) is Why.INSOLVENT
    covered = replace(facts, reserved=1000, reserves={PAYEE: Reserve(1000, NOW + 30 * DAY)})
    assert seller().refuses(covered, PRICE, PAYEE) is None


def test_a_bounce_is_forgiven_after_a_month() -> None:
    assert seller().credit(replace(RICH, bounced_at=NOW - 30 * DAY), PRICE) > 0


def test_a_reservation_that_ends_within_the_delay_is_no_cover() -> None:
    late = reserved(until=NOW + 7 * DAY)
    assert seller().cover(late, PRICE, PAYEE) == 0
    assert seller().cover(reserved(until=NOW + 7 * DAY + 1), PRICE, PAYEE) == 1_000_000


def test_bytes_of_a_broken_connection_are_written_off_within_bounds() -> None:
    books = seller()
    books.accept(lane(1), 0)
    books.bill(MIB, PRICE, lane(1))
    assert books.accept(lane(1), 0) == 0, "a pair that never paid"
    books.count(lane(1), sun(MIB * PRICE), b"s", PRICE)
    books.bill(100_000, PRICE, lane(1))
    assert books.accept(lane(1), MIB) == 100_000 and books.debt <= 0
    assert books.accept(lane(1), MIB) == 0, "once"
    books.bill(2 * MIB, PRICE, lane(1))
    assert books.accept(lane(1), MIB) == MIB - 100_000
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
    books.count(lane(1), 100, b"s", PRICE)
    books.redeem(lane(1), 100)
    books.redeem(lane(1), 0)
    assert (books.redeemed, books.held) == (0, 100)
    books.redeem(lane(1), 1000)
    assert books.redeemed == 100


def test_two_payees_of_one_payer_are_two_lanes_of_one_pair() -> None:
    books = seller()
    books.bill(MIB, PRICE, lane(7))
    books.count(lane(7), 500, b"to one", PRICE)
    assert books.better(lane(7, OTHER), 300)
    books.count(lane(7, OTHER), 300, b"to the other", PRICE)
    assert books.paid == 800 and books.held_of(OTHER) == 300


def test_what_is_reserved_for_one_payee_covers_no_other() -> None:
    books = seller()
    assert books.cover(reserved(payee=OTHER), PRICE, PAYEE) == 0
    assert books.cover(reserved(payee=OTHER), PRICE, OTHER) == 1_000_000


def test_who_lost_his_books_gives_nothing_away_again_for_what_was_paid_before() -> None:
    books, owed = seller(), 10 << 30
    books.accept(lane(7), owed)
    books.count(lane(7), sun(owed * PRICE), b"s", PRICE)
    given = 0
    while books.refuses(reserved(10**9), PRICE, PAYEE) is None:
        books.bill(MIB, PRICE, lane(7))
        given += MIB
    assert given <= books.window + MIB


def test_what_is_written_off_costs_what_it_was_sold_for() -> None:
    books = seller()
    books.accept(lane(1), 0)
    books.bill(64 * MIB, 1000, lane(1))
    books.count(lane(1), sun(64 * MIB * 1000), b"s", 50_000)
    books.bill(MIB, 1000, lane(1))
    assert books.accept(lane(1), 64 * MIB) == MIB
    assert books.units_off == MIB * 1000


def test_what_was_written_off_and_is_paid_after_all_is_not_given_again() -> None:
    books = seller()
    books.accept(lane(1), 0)
    books.bill(64 * MIB, PRICE, lane(1))
    books.count(lane(1), sun(64 * MIB * PRICE), b"s", PRICE)
    books.bill(MIB, PRICE, lane(1))
    assert books.accept(lane(1), 64 * MIB) == MIB
    books.count(lane(1), sun(65 * MIB * PRICE), b"s", PRICE)
    assert books.off <= UNIT // PRICE and -UNIT <= books.debt <= 0


def test_money_is_fetched_when_it_is_worth_it_and_has_to_be() -> None:
    books = seller()
    books.count(lane(1), 1000, b"s", PRICE)
    at = reserved(5000)
    assert books.ripe(at, PRICE, 100) == ()
    assert books.ripe(at, PRICE, 100, done=True) == (lane(1),)
    assert books.ripe(at, PRICE, 1000, done=True) == (), "too small"
    assert books.ripe(replace(at, leaving=True), PRICE, 100) == (lane(1),)
    assert books.ripe(reserved(5000, until=NOW + 7 * DAY), PRICE, 100) == (lane(1),)
    assert books.ripe(reserved(900), PRICE, 100) == (lane(1),), "credit is used up"


def test_what_is_paid_for_no_blocks_covers_none_and_grows_no_window() -> None:
    books = seller()
    at = lane(1)
    books.accept(at, 0)
    books.count(at, 5_000_000, b"s", 0)
    assert books.paid == books.held == 5_000_000 and books.debt == 0 and books.bytes_billed == 0
    assert books.window == FIRST_WINDOW
    books.bill(FIRST_WINDOW, PRICE, lane)
    assert books.refuses(RESERVED, PRICE, PAYEE) is Why.WINDOW
    books.count(at, 5_000_000 + sun(FIRST_WINDOW * PRICE), b"t", PRICE)
    assert books.window == 2 * FIRST_WINDOW
    assert books.accept(at, 0) <= FIRST_WINDOW


@given(st.integers(0, 4 * MIB), st.integers(0, 200), st.integers(1, 100_000), st.integers(1, 2000))
def test_before_the_room_is_used_nothing_changes(billed: int, paid: int, price: int, covered: int) -> None:
    books, at = seller(), reserved(covered)
    books.accept(lane(1), 0)
    books.bill(billed, price, lane(1))
    books.count(lane(1), paid, b"s", price)
    if books.refuses(at, price, PAYEE) is not None:
        return
    room, due = books.room(at, price, PAYEE), books.due(price)
    books.bill(max(0, room - 1) // price, price, lane(1))
    assert books.refuses(at, price, PAYEE) is None and books.due(price) == due
