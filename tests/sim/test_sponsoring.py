"""A sponsor and the seeders he pays, over several periods, with a vault on a real machine."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from tests.seedbed import caller, giving, info_of
from tests.tillbed import Trade, Wishes
from tests.vaultbed import SELLER

from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.protocol.ext.pay import Terms
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import Voucher
from wildbach.runtime.tasks import Scope
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.store import Account, Ledger
from wildbach.services.pay.ledger.terms import UNIT, LaneId
from wildbach.services.pay.sponsor.errand import Came
from wildbach.services.pay.sponsor.sponsor import Sponsor
from wildbach.services.pay.sponsor.sponsoring import Agreement
from wildbach.services.pay.sponsor.store import SponsorStore
from wildbach.services.pay.till.till import Till
from wildbach.services.pay.wallet.policy import Refused, Share, Wanted
from wildbach.testing.content import content
from wildbach.testing.loop import sim, simloop
from wildbach.testing.peers import receive
from wildbach.testing.swarm import PORT, Link, Node, Swarm

MIB = 1 << 20
MADE = content(3 * MIB, 1 << 17, kind="v2")
INFO = info_of(MADE)
TORRENT = INFO.hashes.v2 or b""
PERIOD, PRICE, RATE = 1200, 100_000, 100_000
KEYS = [SecretKey(bytes([number]) * 32) for number in range(0x51, 0x57)]


async def seller(trade: Trade, scope: Scope, node: Node, name: str, key: SecretKey, price: int = 0) -> Till:
    """Takes vouchers for the torrent, and sells it where it has a price."""
    till = trade.seller(scope.child(name), name, key, price)
    assert till.seller is not None and isinstance(till.seller.market, Wishes)
    till.seller.market.taking, till.seller.market.hash = True, TORRENT
    await till.start()
    node.session.set_till(till)
    return till


def sponsor(trade: Trade, scope: Scope, swarm: Swarm, till: Till, store: SponsorStore, **other: bool) -> Sponsor:
    assert till.buyer is not None
    domain = trade.bed.domain
    return Sponsor(
        scope, trade.threads, store, till.buyer, Terms(domain.chain_id, domain.vault),
        caller(swarm.network.host()), {TORRENT: INFO}.get, Random(7), wall=trade.wall, clock=simloop().time, **other)


def agreed(trade: Trade, id_: int, key: SecretKey, at: Endpoint, periods: int = 3, probes: int = 3) -> Agreement:
    trade.reserve(periods * PRICE, key.address)
    return Agreement(
        id_, TORRENT, key.address, at, RATE, PRICE, PERIOD, periods, probes, int(trade.wall()), periods * PRICE)


def redeem(trade: Trade, till: Till, key: SecretKey) -> int:
    """What the vault pays for all that a seeder holds."""
    assert till.seller is not None
    for payer, known in till.seller.payers.items():
        for lane, held in known.books.lanes.items():
            signed = vault.SignedVoucher(Voucher(payer, lane.payee, lane.epoch, held.total), held.signature)
            assert trade.bed.call(SELLER.address, vault.redeem(signed)), trade.bed.why
    return trade.bed.credit(key.address)


def test_five_seeders_of_whom_one_is_slow_one_lies_and_one_goes(tmp_path: Path) -> None:
    async def main() -> None:
        trade = Trade(tmp_path, MADE)
        async with Swarm(MADE, watch=False) as swarm:
            good, other = await swarm.seed(Link(1e6)), await swarm.seed(Link(1e6))
            slow, goes = await swarm.seed(Link(2e4)), await swarm.seed(Link(1e6))
            await swarm.scripted_peer(giving(false=0.5), Link(1e6))
            named = dict(zip(("good", "other", "slow", "goes"), (good, other, slow, goes), strict=True))
            tills = {
                name: await seller(trade, swarm.scope, node, name, key)
                for (name, node), key in zip(named.items(), KEYS[:4], strict=True)}
            buying = trade.buyer(swarm.scope.child("sponsor-till"), "books")
            await buying.start()
            store = SponsorStore(tmp_path / "sponsor.db")
            paying = sponsor(trade, swarm.scope.child("sponsor"), swarm, buying, store)
            await paying.start()
            places = [*(node.endpoint for node in named.values()), swarm.scripted[0]]
            for id_, (key, at) in enumerate(zip(KEYS[:5], places, strict=True), 1):
                await paying.admit(agreed(trade, id_, key, at))
            await swarm.sleep(PERIOD + 60)
            await tills["goes"].close()
            await swarm.leave(goes)
            await swarm.sleep(2 * PERIOD + 120)
            running = [paying.sponsoring.running[id_] for id_ in range(1, 6)]
            assert [(one.good, one.bad) for one in running] == [(3, 0), (3, 0), (0, 3), (1, 2), (0, 3)]
            assert [one.paid for one in running] == [3 * PRICE, 3 * PRICE, 0, PRICE, 0]
            assert all(one.over and not one.owed and not one.paying for one in running)
            whys = [{entry.why for entry in await paying.log(id_)} for id_ in range(1, 6)]
            assert whys[0] == whys[1] == {"passed"} and whys[4] == {"false"}
            # Where two probes are close to each other, the narrow link is full of answers to the first one.
            assert "slow" in whys[2] <= {"slow", "unreachable"}
            assert whys[3] == {"passed", "unreachable"}
            assert paying.came[1] is Came.THERE and paying.came[2] is Came.THERE
            # To the SUN: what seeders hold, what the vault pays for it, and what the sponsor's ledger gave.
            held = [redeem(trade, tills[name], key) for name, key in zip(named, KEYS[:4], strict=True)]
            assert held == [3 * PRICE, 3 * PRICE, 0, PRICE]
            for name, till in tills.items():
                if name != "goes":
                    await till.close()
            await buying.close()
        store.close()
        trade.close()
        ledger = Ledger(tmp_path / "books.db")
        ledger.check()
        sums = ledger.balances()
        assert sums[Account.GIVEN] == -sums[Account.PROMISED] == 7 * PRICE
        ledger.close()

    sim(1).run(main())


@pytest.mark.parametrize("price", [0, 33_000])
def test_a_period_is_no_credit_for_blocks(tmp_path: Path, price: int) -> None:
    """Whether the seeder sells the torrent too or not; the second period comes in the same lane as the first."""
    async def main() -> None:
        trade = Trade(tmp_path, MADE)
        async with Swarm(MADE, watch=False) as swarm:
            node = await swarm.seed(Link(1e6))
            till = await seller(trade, swarm.scope, node, "seeder", KEYS[0], price)
            buying = trade.buyer(swarm.scope.child("sponsor-till"), "buyer")
            await buying.start()
            store = SponsorStore(tmp_path / "sponsor.db")
            paying = sponsor(trade, swarm.scope.child("sponsor"), swarm, buying, store)
            await paying.start()
            await paying.admit(agreed(trade, 1, KEYS[0], node.endpoint, periods=2))
            await swarm.sleep(2 * PERIOD + 300)
            assert till.seller is not None
            (known,) = till.seller.payers.values()
            books = known.books
            # With a price, what a broken connection may cost is all that he gets of it: a fiftieth.
            assert books.paid == 2 * PRICE and -UNIT * (2 + books.paid // 50) <= books.debt <= 0
            if not price:
                assert books.debt == 0 and books.bytes_billed == 0 and books.window == books.first
            await till.close()
            await buying.close()
        store.close()
        trade.close()
        ledger = Ledger(tmp_path / "buyer.db")
        ledger.check()
        sums = ledger.balances()
        assert sums[Account.GIVEN] == -sums[Account.PROMISED] == 2 * PRICE and not sums[Account.BOUGHT]
        ledger.close()

    sim(1).run(main())


def test_a_sponsor_who_starts_anew_pays_what_was_under_way_once_and_brings_it_again(tmp_path: Path) -> None:
    async def main() -> None:
        trade = Trade(tmp_path, MADE)
        async with Swarm(MADE, watch=False) as swarm:
            node = await swarm.seed(Link(1e6))
            till = await seller(trade, swarm.scope, node, "seeder", KEYS[0])
            signer = trade.signer("buyer")
            store = SponsorStore(tmp_path / "sponsor.db")
            buying = trade.buyer(swarm.scope.child("till-0"), "buyer", signer=signer)
            await buying.start()
            paying = sponsor(trade, swarm.scope.child("sponsor-0"), swarm, buying, store)
            await paying.start()
            one = await paying.admit(agreed(trade, 1, KEYS[0], node.endpoint))
            one.earned, one.good = PRICE, 1
            payment = paying.sponsoring.pay(1)
            assert payment is not None
            store.put([one])
            # It is signed and on the ledger, and the power goes before the sponsor hears of it.
            assert buying.buyer is not None
            await buying.buyer.give(payment.payee, TORRENT, payment.amount, payment.mark(store.salt))
            await paying._scope.close()
            await buying.close()
            for turn in (1, 2):
                buying = trade.buyer(swarm.scope.child(f"till-{turn}"), "buyer", signer=signer)
                await buying.start()
                paying = sponsor(trade, swarm.scope.child(f"sponsor-{turn}"), swarm, buying, store)
                await paying.start()
                assert paying.sponsoring.running[1].paid == PRICE and not paying.sponsoring.running[1].paying
                await swarm.sleep(60)
                assert paying.came[1] is Came.THERE
                await paying._scope.close()
                await buying.close()
            assert redeem(trade, till, KEYS[0]) == PRICE
            await till.close()
        store.close()
        trade.close()

    sim(1).run(main())


def test_what_the_wallet_counted_and_the_ledger_did_not_is_given_once(tmp_path: Path) -> None:
    """The power goes between the two; what was under way is given again before anything else is signed."""
    async def main() -> None:
        trade = Trade(tmp_path, MADE)
        async with Scope("test") as scope:
            trade.reserve(3 * PRICE, KEYS[0].address)
            signer = trade.signer("buyer")
            till = trade.buyer(scope.child("one"), "buyer", signer=signer)
            await till.start()
            desk = till.buyer
            assert desk is not None
            first = await desk.give(KEYS[0].address, TORRENT, PRICE, bytes([1]) * 32)
            lane = LaneId(first.voucher.payee, first.voucher.epoch)
            again = await desk.give(KEYS[0].address, TORRENT, PRICE, bytes([1]) * 32)
            assert again == first and await desk.newest(KEYS[0].address) == first
            signer.voucher(Wanted(
                Voucher(signer.payer, lane.payee, lane.epoch, 2 * PRICE), (Share(TORRENT, PRICE),)))
            await till.close()
            till = trade.buyer(scope.child("two"), "buyer", signer=signer)
            await till.start()
            assert till.buyer is not None
            second = await till.buyer.give(KEYS[0].address, TORRENT, PRICE, bytes([2]) * 32)
            assert second.voucher.cumulative == 2 * PRICE
            third = await till.buyer.give(KEYS[0].address, TORRENT, PRICE, bytes([3]) * 32)
            assert third.voucher.cumulative == 3 * PRICE
            with pytest.raises(Refused):
                await till.buyer.give(KEYS[0].address, TORRENT, 10**9, bytes([4]) * 32)
            await till.close()
        trade.close()
        ledger = Ledger(tmp_path / "buyer.db")
        ledger.check()
        assert ledger.balances()[Account.GIVEN] == 3 * PRICE
        ledger.close()

    sim(1).run(main())


@pytest.mark.parametrize("one_per_network", [True, False])
def test_a_hundred_sybils_of_one_network_earn_as_one(tmp_path: Path, *, one_per_network: bool) -> None:
    """One machine answers at a hundred addresses of a /24. With the rule it earns what one seeder does."""
    async def main() -> None:
        trade = Trade(tmp_path, MADE)
        async with Swarm(MADE, watch=False) as swarm:
            addresses = [f"45.6.7.{number}" for number in range(1, 101)]
            host = swarm.network.host(*addresses, up=4e6)
            scope = swarm.scope
            await receive(scope, host.transport, Endpoint("0.0.0.0", PORT), giving(), MADE, Random(2))
            buying = trade.buyer(scope.child("till"), "buyer")
            await buying.start()
            store = SponsorStore(tmp_path / "sponsor.db")
            paying = sponsor(trade, scope.child("sponsor"), swarm, buying, store, one_per_network=one_per_network)
            await paying.start()
            taken = 0
            most = 100 if one_per_network else 3
            for id_, address in enumerate(addresses[:most], 1):
                key = SecretKey(bytes([0x60]) * 31 + bytes([id_]))
                trade.reserve(PRICE, key.address)
                try:
                    await paying.admit(Agreement(
                        id_, TORRENT, key.address, Endpoint(address, PORT), RATE, PRICE, PERIOD, 1, 2,
                        int(trade.wall()), PRICE))
                except UsageError as error:
                    assert error.code == "network_taken"
                else:
                    taken += 1
            assert taken == (1 if one_per_network else 3)
            await swarm.sleep(PERIOD + 300)
            assert sum(one.paid for one in paying.sponsoring.running.values()) == taken * PRICE
            assert buying.buyer is not None
            assert sum(one.books.signed for one in buying.buyer.lanes.values()) == taken * PRICE
            await buying.close()
        store.close()
        trade.close()

    sim(1).run(main())
