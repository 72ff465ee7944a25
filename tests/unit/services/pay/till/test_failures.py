"""What goes wrong between a buyer and a seller, and what becomes of the money (docs/paying.md, "What goes wrong")."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.stallbed import BLOCK, THIEF, Between, Stall, between, offer, purchase, stall
from tests.tillbed import PRICE
from tests.vaultbed import DELAY, HOT, PAYER, SELLER, TRX

from wildbach.protocol.ext import pay
from wildbach.protocol.ext.pay import Accepted, Due, Held, Message, Meter, Offer, Paid, Stop, Why
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.selling import Selling
from wildbach.services.pay.ledger.terms import FIRST_WINDOW, LAST_EPOCH, MIB, sun
from wildbach.services.pay.till.buyside import Purchase

MAN = THIEF.address


def owed(at: Stall) -> int:
    """Bytes that a buyer owes, over all lanes."""
    assert at.till.buyer is not None
    return sum(one.books.bytes_owed for one in at.till.buyer.lanes.values())


def lane(at: Stall, payee: Address = SELLER.address) -> Purchase:
    assert at.till.buyer is not None
    return at.till.buyer.purchase(payee)


def books(at: Stall) -> Selling:
    assert at.till.seller is not None
    (known,) = at.till.seller.payers.values()
    return known.books


def why(wire_said: list[Message]) -> int | None:
    found = [one.code for one in wire_said if isinstance(one, Stop)]
    return found[-1] if found else None


# -- the seller claims more than he sent


def test_a_seller_who_claims_more_than_he_sent_is_paid_for_what_came(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        offer(at, deal)
        await at.rest()
        deal.received(pay.encode(Meter(True, 0)))
        wire.received = 300_000
        deal.verified(300_000)
        for _ in range(5):
            deal.received(pay.encode(Due(1 << 60, 1 << 60)))
            await at.rest(2)
            at.tick()
        await at.rest()
        paid = [one for one in wire.said if isinstance(one, Paid)]
        assert max(one.total for one in paid) == lane(at).books.signed == sun(300_000 * PRICE)
        assert wire.on and why(wire.said) is None

    purchase(tmp_path, then)


def test_who_meters_from_a_byte_that_never_came_is_stopped_and_is_owed_what_came_before(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        offer(at, deal)
        await at.rest()
        deal.received(pay.encode(Meter(True, 0)))
        wire.received = 64 * BLOCK
        deal.verified(48 * BLOCK)
        wire.unverified = 16 * BLOCK
        deal.received(pay.encode(Meter(False, 65 * BLOCK)))
        assert why(wire.said) == Why.METER and not wire.on
        # What was on its way then is owed once it is right; what comes now is a guest's.
        deal.verified(16 * BLOCK)
        wire.unverified = 0
        deal.verified(100 * BLOCK)
        assert owed(at) == 64 * BLOCK

    purchase(tmp_path, then)


# -- bytes that nobody wanted to pay


def test_nothing_is_owed_before_an_accept_and_after_a_stop(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        deal.received(pay.encode(Meter(True, 0)))
        assert not wire.on
        deal.verified(MIB)
        assert owed(at) == 0
        offer(at, deal)
        await at.rest()
        deal.received(pay.encode(Meter(True, 0)))
        assert wire.on and deal.buy is not None
        deal.verified(32 * BLOCK)
        deal.buy.stop(Why.BUDGET)
        deal.received(pay.encode(Meter(True, 0)))
        deal.verified(MIB)
        deal.received(pay.encode(Due(1 << 60, 1 << 60)))
        await at.rest(10)
        at.tick()
        await at.rest()
        assert not wire.on and owed(at) == 32 * BLOCK
        assert all(one.total <= sun(32 * BLOCK * PRICE) for one in wire.said if isinstance(one, Paid))

    purchase(tmp_path, then)


def test_who_stops_is_metered_no_more_and_has_cost_a_window_at_most(tmp_path: Path) -> None:
    async def then(both: Between) -> None:
        both.meet()
        await both.go_on()
        assert both.here.on
        both.to_seller = lambda message: None if isinstance(message, Paid) else message
        await both.go_on(20)
        assert both.buying.buy is not None
        both.buying.buy.stop(Why.BUDGET)
        await both.go_on(200)
        assert not both.here.on and both.selling.sell is not None and not both.selling.sell.metering
        assert books(both.sells).bytes_billed <= 20 * BLOCK and books(both.sells).debt <= FIRST_WINDOW * PRICE

    between(tmp_path, then)


# -- somebody on the line between the two


def test_a_man_between_them_who_has_himself_paid_has_to_deliver_and_gets_nothing_lent(tmp_path: Path) -> None:
    async def then(both: Between) -> None:
        def mine(message: Message) -> Message:
            return replace(message, payee=MAN) if isinstance(message, Offer) else message

        both.to_buyer = mine
        both.meet()
        await both.go_on(80)
        # The seller finds another hand under the accept: nothing is metered, so nothing is lost.
        assert why(both.there.said) == Why.BAD_SIGNATURE
        assert both.sells.till.seller is not None
        assert all(not one.books.billed for one in both.sells.till.seller.payers.values())
        assert owed(both.buys) == 0
        # He meters by himself: the buyer pays what he agreed to, for blocks that are here and right, and no more.
        both.buying.received(pay.encode(Meter(True, both.here.received)))
        await both.go_on(40)
        at = lane(both.buys, MAN).books
        assert at.bytes_owed == 40 * BLOCK and at.signed == sun(40 * BLOCK * PRICE)
        assert lane(both.buys).books.signed == 0

    between(tmp_path, then, reserve=0)


@pytest.mark.parametrize("change", [
    lambda offer: replace(offer, id=bytes(8)), lambda offer: replace(offer, expires=offer.expires + 1)])
def test_an_offer_that_was_changed_on_the_way_is_no_deal(tmp_path: Path, change: object) -> None:
    async def then(both: Between) -> None:
        both.to_buyer = lambda message: change(message) if isinstance(message, Offer) else message  # type: ignore[operator]  # one of the above
        both.meet()
        await both.go_on(80)
        assert why(both.there.said) in (Why.BAD_SIGNATURE, Why.UNSUPPORTED)
        assert owed(both.buys) == 0 and both.sells.till.seller is not None
        assert all(not one.books.billed for one in both.sells.till.seller.payers.values())

    between(tmp_path, then)


@pytest.mark.parametrize(("change", "most"), [(2, 2 * PRICE), (0.5, PRICE)])
def test_a_price_that_was_changed_on_the_way_is_paid_to_the_seller_and_within_the_buyers_own(
    tmp_path: Path, change: float, most: int,
) -> None:
    async def then(both: Between) -> None:
        def other(message: Message) -> Message:
            return replace(message, price=int(message.price * change)) if isinstance(message, Offer) else message

        both.to_buyer = other
        both.meet()
        await both.go_on(300)
        signed = lane(both.buys).books.signed
        assert 0 < signed == books(both.sells).paid <= sun(owed(both.buys) * most)
        # Who is paid less than he asked for stops at his window.
        assert books(both.sells).debt <= (books(both.sells).window + BLOCK) * PRICE
        assert all(key.payee == SELLER.address for key in books(both.sells).lanes)

    between(tmp_path, then)


def test_an_epoch_that_was_changed_on_the_way_shuts_nobody_out(tmp_path: Path) -> None:
    async def then(both: Between) -> None:
        both.to_seller = lambda message: (
            replace(message, epoch=LAST_EPOCH) if isinstance(message, Accepted) else message)
        both.meet()
        await both.go_on(20)
        assert max(one.epoch for one in books(both.sells).lanes) == LAST_EPOCH
        both.selling.left()
        both.buying.left()
        both.to_seller = lambda message: message
        both.meet()
        await both.go_on(40)
        assert why(both.there.said) is None and books(both.sells).paid == lane(both.buys).books.signed > 0

    between(tmp_path, then)


# -- another chain, another vault

ELSEWHERE = [
    pytest.param(lambda domain: replace(domain, chain_id=domain.chain_id ^ 1), id="another chain"),
    pytest.param(lambda domain: replace(domain, vault=MAN), id="another vault"),
]


def other(at: Stall, change: object) -> Domain:
    assert callable(change)
    found = change(at.trade.bed.domain)
    assert isinstance(found, Domain)
    return found


@pytest.mark.parametrize("change", ELSEWHERE)
def test_who_has_his_money_elsewhere_sees_no_offer(tmp_path: Path, change: object) -> None:
    async def then(at: Stall) -> None:
        wire, _ = at.connect()
        found = other(at, change)
        assert at.till.opens(wire, pay.encode_terms(pay.Terms(found.chain_id, found.vault))) is None  # type: ignore[arg-type]  # as much of a line as is looked at

    stall(tmp_path, then)


@pytest.mark.parametrize("change", ELSEWHERE)
def test_an_accept_signed_for_elsewhere_is_nobodys(tmp_path: Path, change: object) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7, domain=other(at, change))
        await at.rest()
        assert why(wire.said) == Why.BAD_SIGNATURE and at.take(wire, deal) == 0

    stall(tmp_path, then)


@pytest.mark.parametrize("change", ELSEWHERE)
def test_a_voucher_signed_for_elsewhere_is_no_money(tmp_path: Path, change: object) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        given = at.take(wire, deal, 512 * 1024)
        at.pay(deal, 7, sun(given * PRICE), domain=other(at, change))
        await at.rest()
        assert why(wire.said) == Why.BAD_SIGNATURE
        assert books(at).paid == 0 and books(at).debt == given * PRICE <= FIRST_WINDOW * PRICE
        assert at.take(wire, deal) == 0

    stall(tmp_path, then)


@pytest.mark.parametrize("change", ELSEWHERE)
def test_our_own_signature_from_elsewhere_closes_nothing(tmp_path: Path, change: object) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        offer(at, deal)
        await at.rest()
        epoch = lane(at).lane.epoch
        digest = Voucher(PAYER.address, SELLER.address, epoch, 10**6).digest(other(at, change))
        deal.received(pay.encode(Held(epoch, 10**6, HOT.sign(digest))))
        await at.rest(3)
        assert lane(at).lane.epoch == epoch and why(wire.said) is None
        deal.verified(MIB)
        await at.rest()
        assert isinstance(wire.last(Paid), Paid)

    purchase(tmp_path, then)


# -- a withdrawal that was asked for before


def test_a_withdrawal_armed_before_buying_is_seen_and_nothing_is_lent_on_what_may_leave(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        bed = at.trade.bed
        assert bed.call(PAYER.address, vault.request_withdraw(50 * TRX))
        bed.wait(DELAY)
        # Ripe: from now on it takes one call to be gone.
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        assert at.take(wire, deal) == 0 and books(at).billed == 0
        assert bed.call(PAYER.address, vault.withdraw())
        assert bed.ask(vault.payer(PAYER.address)).balance == 0

    stall(tmp_path, then, reserve=0)


def test_a_withdrawal_armed_before_the_deposit_is_seen_as_well(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        bed = at.trade.bed
        assert bed.call(PAYER.address, vault.request_withdraw(1000 * TRX))
        assert bed.call(PAYER.address, vault.deposit(20 * TRX))
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        assert at.take(wire, deal) == 0
        # It lapses, and he is trusted as anybody is.
        bed.wait(2 * DELAY)
        await at.rest(20)
        at.tick()
        assert at.take(wire, deal) == FIRST_WINDOW

    stall(tmp_path, then, reserve=0)


def test_who_withdraws_while_he_buys_takes_no_more_than_was_lent(tmp_path: Path) -> None:
    reserved = 20

    async def then(at: Stall) -> None:
        bed = at.trade.bed
        assert bed.call(PAYER.address, vault.request_withdraw(50 * TRX))
        bed.wait(DELAY)
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        total = 0
        for _ in range(10):
            given = at.take(wire, deal, 128 * BLOCK)
            total += sun(given * PRICE)
            if given:
                at.pay(deal, 7, total)
            await at.rest()
        assert bed.call(PAYER.address, vault.withdraw())
        await at.rest(20)
        held = books(at).paid
        assert 0 < held <= reserved + sun(BLOCK * PRICE)
        assert at.trade.redeem(at.till) == min(held, reserved)
        assert books(at).debt <= FIRST_WINDOW * PRICE

    stall(tmp_path, then, reserve=reserved)
