"""What somebody who means harm can say to the till, message by message, and what it costs."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.stallbed import BLOCK, THIEF, Stall, offer, purchase, stall
from tests.tillbed import PRICE, Trade
from tests.vaultbed import HOT, PAYER, SELLER

from wildbach.protocol.ext import pay
from wildbach.protocol.ext.pay import Accepted, Due, Paid, Stop, Why
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher
from wildbach.runtime.tasks import Scope
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.store import Ledger
from wildbach.services.pay.ledger.terms import FIRST_WINDOW, MIB, UNIT, sun
from wildbach.services.pay.wallet.policy import Share, Wanted
from wildbach.testing.content import content
from wildbach.testing.loop import sim, simloop


def test_a_voucher_for_more_than_there_is_ends_nothing(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        for total in ((1 << 63) - 1, 10**17 + 1, 10**17, 10**15):
            at.pay(deal, 7, total)
        await at.rest(5)
        assert at.till.fault is None
        at.trade.open[0][1].check()  # type: ignore[union-attr]  # the seller's ledger is opened first
        # Nothing that the vault does not cover is given for them.
        assert at.take(wire, deal) == 0
        # Somebody else is served.
        await at.rest()

    stall(tmp_path, then)


def test_an_accept_in_the_name_of_a_payer_does_not_end_what_he_buys(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        assert at.take(wire, deal, BLOCK)
        other, bad = at.connect(piece_length=8 * MIB)
        at.accept(other, bad, 7, key=THIEF)
        await at.rest()
        stop = other.last(Stop)
        assert isinstance(stop, Stop) and stop.code == Why.BAD_SIGNATURE
        at.tick()
        assert deal.sell is not None and deal.sell.metering
        books = deal.sell.books
        assert books is not None and books.window == books.first == FIRST_WINDOW

    stall(tmp_path, then, reserve=0)


def test_lanes_of_which_nothing_was_paid_are_forgotten(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        metered = 0
        for epoch in range(1, 60):
            at.accept(wire, deal, epoch)
            await at.rest()
            metered += at.take(wire, deal, BLOCK)
            deal.received(pay.encode(Stop(Why.OLD_EPOCH, 0)))
            await at.rest()
            at.tick()
            await at.rest(4)
        (known,) = at.till.seller.payers.values()  # type: ignore[union-attr]  # it sells
        assert len(known.books.lanes) == 1
        assert known.books.bytes_billed == metered <= FIRST_WINDOW
        ledger = at.trade.open[0][1]
        assert isinstance(ledger, Ledger)
        await at.till._save()
        stored = ledger.payer(PAYER.address)
        assert stored is not None and len(stored.books.lanes) == 1
        ledger.check()

    stall(tmp_path, then)


def test_a_payer_has_one_window_however_many_connections_epochs_and_reconnects(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        metered = 0
        for epoch in (3, 3, 4, 5, 5):
            pairs = [at.connect() for _ in range(4)]
            for wire, deal in pairs:
                at.accept(wire, deal, epoch, owed=0)
            await at.rest()
            for wire, deal in pairs:
                metered += at.take(wire, deal)
            for _, deal in pairs[:2]:
                deal.left()
            for _, deal in pairs[2:]:
                deal.received(pay.encode(Stop(Why.OLD_EPOCH, 0)))
            at.tick()
            await at.rest()
        assert metered <= FIRST_WINDOW + BLOCK

    stall(tmp_path, then)


def test_books_that_are_forgotten_while_the_vault_is_asked_are_not_there_twice(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        seller = at.till.seller
        assert seller is not None
        slow = asyncio.Event()
        standing = at.trade.settlement.standing

        async def later(*args: Any) -> Any:
            await slow.wait()
            return await standing(*args)

        at.trade.settlement.standing = later  # type: ignore[method-assign]  # a node that takes its time
        (one, deal), (two, other) = at.connect(), at.connect()
        at.accept(one, deal, 7)
        await at.rest()
        for number in range(2100):
            await seller._known(Address(number.to_bytes(20, "big")))
        at.accept(two, other, 7)
        await at.rest()
        slow.set()
        await at.rest()
        assert at.take(one, deal) + at.take(two, other) == FIRST_WINDOW
        assert deal.sell is not None and other.sell is not None and deal.sell.books is other.sell.books

    stall(tmp_path, then)


def test_a_voucher_that_comes_after_stop_is_money_still(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        owed = sun(at.take(wire, deal, 512 * 1024) * PRICE)
        deal.received(pay.encode(Stop(Why.BUDGET, 0)))
        at.pay(deal, 7, owed)
        await at.rest()
        (known,) = at.till.seller.payers.values()  # type: ignore[union-attr]  # it sells
        assert known.books.paid == owed and known.books.debt <= 0

    stall(tmp_path, then)


def test_a_flood_of_vouchers_is_looked_at_once_in_a_while_and_the_best_one_counts(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        seller, ledger = at.till.seller, at.trade.open[0][1]
        assert seller is not None and isinstance(ledger, Ledger)
        for total in range(1, 400):
            at.pay(deal, 7, total)
        for epoch in range(100, 400):
            at.pay(deal, epoch, 5)
        assert len(seller._queue) <= 8
        await at.rest()
        (known,) = seller.payers.values()
        assert max(lane.total for lane in known.books.lanes.values()) == 399
        assert len(ledger.rows()) <= 8
        # One that is bad ends the sale, and takes nothing that is good with it.
        ledger.check()

    stall(tmp_path, then)


def test_two_hundred_connections_that_flood_are_answered_little_and_take_no_room(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        pairs = [at.connect() for _ in range(200)]
        good, deal = at.connect()
        at.accept(good, deal, 7)
        began, tasks, rounds = simloop().time(), 0, 60
        for number in range(rounds):
            for wire, bad in pairs:
                if number == 0:
                    at.accept(wire, bad, 7, key=THIEF)
                else:
                    bad.received(pay.encode(Accepted(number.to_bytes(8, "big"), PAYER.address, 7, 0, bytes(65))))
                    at.pay(bad, number, 10**6, key=THIEF)
            tasks = max(tasks, len(at.scope.tasks))
            await at.rest(0.1)
        most = 8 + (simloop().time() - began) + 1
        assert all(sum(isinstance(one, Stop) for one in wire.said) <= most for wire, _ in pairs)
        assert tasks <= len(pairs) + 5
        seller, ledger = at.till.seller, at.trade.open[0][1]
        assert seller is not None and isinstance(ledger, Ledger)
        assert not seller._queue and list(seller.payers) == [PAYER.address] and ledger.rows() == []
        # Who pays is served meanwhile.
        assert deal.sell is not None and deal.sell.metering and at.take(good, deal, BLOCK)

    stall(tmp_path, then)


def test_bad_vouchers_of_a_deal_that_is_over_are_not_answered(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        for number in range(1, 30):
            at.pay(deal, 7, number, key=THIEF)
            await at.rest()
        (stop,) = [one for one in wire.said if isinstance(one, Stop)]
        assert stop.code == Why.BAD_SIGNATURE

    stall(tmp_path, then)


def test_a_key_that_was_removed_gets_nothing_more_on_a_reservation_made_later(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        bed = at.trade.bed
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()
        assert at.take(wire, deal, BLOCK)
        assert bed.call(PAYER.address, vault.remove_signer(HOT.address))
        bed.wait(8 * 86400)
        at.trade.reserve(2_000_000)
        await at.rest(20)
        assert deal.sell is not None and not deal.sell.metering

    stall(tmp_path, then, reserve=0)


def test_a_kill_between_the_wallet_and_the_ledger_costs_a_step_and_no_more(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        offer(at, deal)
        await at.rest()
        desk, ledger = at.till.buyer, at.trade.open[0][1]
        assert desk is not None and isinstance(ledger, Ledger)
        deal.verified(512 * 1024)
        await at.rest()
        (bought,) = desk.lanes.values()
        first = bought.books.signed
        assert first > 0
        # The wallet counts, the ledger never hears of it, and the books are as they were then.
        later = bought.books.total + 10
        wanted = Wanted(
            Voucher(PAYER.address, SELLER.address, bought.lane.epoch, later), (Share(bytes(32), later - first, PRICE),))
        desk._signer.voucher(wanted)
        for size in (64 * 1024, FIRST_WINDOW, FIRST_WINDOW):
            deal.verified(size)
            await at.rest(8)
            at.tick()
            await at.rest()
        paid = wire.last(Paid)
        assert isinstance(paid, Paid) and paid.total == bought.books.signed == bought.books.total > later
        await at.till._save()
        ledger.check()

    purchase(tmp_path, then)


def test_a_seller_of_many_names_is_asked_about_for_a_few(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        asked = 0
        cover = at.trade.settlement.cover

        async def counted(*args: Any) -> Any:
            nonlocal asked
            asked += len(args[2]) + len(args[3])
            return await cover(*args)

        at.trade.settlement.cover = counted  # type: ignore[method-assign]  # counts what a node is asked
        desk = at.till.buyer
        assert desk is not None
        _, deal = at.connect()
        for number in range(1, 101):
            offer(at, deal, number, Address(number.to_bytes(20, "big")))
            await at.rest(1.1)
        assert len(desk.lanes) <= 2 and asked < 100 * 36
        await at.till._save()
        ledger = at.trade.open[0][1]
        assert isinstance(ledger, Ledger) and not ledger.bought()

    purchase(tmp_path, then)


def test_a_flood_of_due_is_answered_once_a_second(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        offer(at, deal)
        await at.rest()
        for _ in range(50):
            deal.verified(64 * 1024)
            deal.received(pay.encode(Due(1, 1)))
            await at.rest(0.02)
        await at.rest(10)
        at.tick()
        await at.rest()
        vouchers = [one for one in wire.said if isinstance(one, Paid)]
        assert len(vouchers) <= 14 + 3
        (bought,) = at.till.buyer.lanes.values()  # type: ignore[union-attr]  # it buys
        assert vouchers[-1].total == bought.books.total == sun(50 * 64 * 1024 * PRICE)

    purchase(tmp_path, then)


def test_books_begin_anew_above_what_the_wallet_closed_whatever_the_clock_says(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        desk = at.till.buyer
        assert desk is not None
        wire, deal = at.connect()
        offer(at, deal)
        await at.rest()
        # A clock that ran a day ahead had signed; another state of the wallet is here now.
        ahead = desk.epoch + 86_400_000
        signature = HOT.sign(Voucher(PAYER.address, SELLER.address, ahead, 50).digest(at.trade.bed.domain))
        assert desk._signer.seen(Voucher(PAYER.address, SELLER.address, ahead, 50), signature)
        desk._signer.counters.reopen_day()
        for number in range(2, 6):
            deal.verified(512 * 1024)
            await at.rest(2)
            offer(at, deal, number)
            await at.rest(2)
        assert desk.epoch > ahead
        deal.verified(512 * 1024)
        await at.rest(2)
        assert desk.purchase(SELLER.address).books.signed > 0 and isinstance(wire.last(Paid), Paid)

    purchase(tmp_path, then)


def test_a_vault_that_is_not_known_yet_is_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        trade = Trade(tmp_path, content(MIB))
        trade.reserve()
        with closing(trade):
            async with Scope("root") as scope:
                till = trade.buyer(scope.child("till"))
                trade.settlement.down = True
                await till.start()
                at = Stall(trade, till, scope)
                wire, deal = at.connect()
                offer(at, deal)
                await at.rest()
                trade.settlement.down = False
                for _ in range(30):
                    await at.rest()
                    at.tick()
                assert isinstance(wire.last(Accepted), Accepted)
                await till.close()

    sim(1).run(main())


def test_a_node_that_never_answers_does_not_keep_books_from_the_disk(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        wire, deal = at.connect()
        at.accept(wire, deal, 7)
        await at.rest()

        async def never(*_: Any) -> Any:
            await asyncio.Event().wait()

        at.trade.settlement.standing = never  # type: ignore[method-assign]  # a node that hangs
        await at.rest(20)
        given = at.take(wire, deal, 512 * 1024)
        await at.rest(5)
        ledger = at.trade.open[0][1]
        assert isinstance(ledger, Ledger)
        stored = ledger.payer(PAYER.address)
        assert stored is not None and stored.books.bytes_billed == given

    stall(tmp_path, then)


def test_an_accept_that_takes_long_is_sent_once(tmp_path: Path) -> None:
    async def then(at: Stall) -> None:
        cover = at.trade.settlement.cover

        async def slow(*args: Any) -> Any:
            await asyncio.sleep(5)
            return await cover(*args)

        at.trade.settlement.cover = slow  # type: ignore[method-assign]  # a node that takes its time
        wire, deal = at.connect()
        offer(at, deal)
        for _ in range(12):
            await at.rest()
            at.tick()
        assert len([one for one in wire.said if isinstance(one, Accepted)]) == 1

    purchase(tmp_path, then)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_payer_says_in_any_order_he_owes_a_window_at_most(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)

    async def then(at: Stall) -> None:
        seller, ledger = at.till.seller, at.trade.open[0][1]
        assert seller is not None and isinstance(ledger, Ledger)
        given = 0
        lanes: dict[int, int] = {}
        for _ in range(250):
            here = [one for one in at.wires if one[1].sell is not None and not one[1].sell.gone]
            if not here or (len(here) < 5 and rng.random() < 0.1):
                here.append(at.connect(rng.choice((16384, 256 * 1024))))
            wire, deal = rng.choice(here)
            match rng.randrange(10):
                case 0 | 1:
                    key = THIEF if rng.random() < 0.2 else HOT
                    at.accept(wire, deal, rng.randrange(1, 6), key=key, owed=rng.choice((0, 1 << 62)))
                case 2 | 3:
                    epoch, key = rng.randrange(1, 6), THIEF if rng.random() < 0.1 else HOT
                    total = lanes.get(epoch, 0) + rng.choice((-1, 0, 1, 9, 33))
                    if total > 0:
                        at.pay(deal, epoch, total, key)
                        lanes[epoch] = max(lanes.get(epoch, 0), total) if key is HOT else lanes.get(epoch, 0)
                case 4:
                    deal.received(pay.encode(Stop(rng.randrange(12), 1)))
                case 5 | 6:
                    given += at.take(wire, deal, rng.choice((BLOCK, MIB)))
                case 7:
                    deal.again()
                    at.tick()
                case 8 if rng.random() < 0.4:
                    deal.left()
                case _:
                    at.trade.settlement.down = rng.random() < 0.1
                    await at.rest(rng.choice((0, 0.01, 0.1, 1, 20)))
            known = seller.payers.get(PAYER.address)
            if known is not None:
                books = known.books
                assert books.debt <= (books.window + BLOCK) * PRICE
                # What he got is paid, written off for what he paid, or within a window.
                assert given * PRICE <= books.paid * UNIT + books.units_off + (books.window + BLOCK) * PRICE
                assert books.off <= max(FIRST_WINDOW, books.bytes_billed // 50)
        await at.rest(30)
        assert all(one.uses == 0 for one in seller.payers.values()) and at.till.fault is None
        await at.till._save()
        ledger.check()
        stored = ledger.payer(PAYER.address)
        assert given == 0 or (stored is not None and stored.books.bytes_billed >= given)

    stall(tmp_path, then)
