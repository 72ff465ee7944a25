"""Blocks for money between real sessions, with books, ledgers, a wallet's counters and a vault on a real machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.tillbed import LIMITS, PRICE, Trade
from tests.vaultbed import PAYER, SELLER, Bed

from wildbach.base.geometry import BLOCK
from wildbach.protocol.ext.pay import Why
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.wire import codec
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.buying import Buying
from wildbach.services.pay.ledger.selling import Selling
from wildbach.services.pay.ledger.store import Account, Ledger
from wildbach.services.pay.ledger.terms import CREDIT, FIRST_WINDOW, MIB, sun
from wildbach.services.pay.till.buying import BuyerDesk
from wildbach.services.pay.till.selling import SellerDesk
from wildbach.services.pay.till.till import Till
from wildbach.testing.content import Kind, content
from wildbach.testing.loop import sim
from wildbach.testing.swarm import Link, Node, Swarm

SIZE = 12 * MIB + 12_345


@dataclass
class Pair:
    """A seed that sells and a leech that buys."""

    swarm: Swarm
    trade: Trade
    seed: Node
    leech: Node
    selling: Till
    buying: Till

    @property
    def desk(self) -> SellerDesk:
        assert self.selling.seller is not None
        return self.selling.seller

    @property
    def counter(self) -> BuyerDesk:
        assert self.buying.buyer is not None
        return self.buying.buyer

    @property
    def sold(self) -> Selling:
        (known,) = self.desk.payers.values()
        return known.books

    @property
    def bought(self) -> Buying:
        """In the newest lane."""
        return max(self.counter.lanes.values(), key=lambda one: one.lane.epoch).books

    async def done(self, seconds: float = 240) -> None:
        await self.swarm.finished(seconds)
        await self.swarm.sleep(12)
        await self.selling.close()
        await self.buying.close()

    def ledgers(self) -> tuple[dict[Account, int], dict[Account, int]]:
        """Of the seller and of the buyer, after their own check."""
        found = []
        for name in ("seller", "buyer"):
            ledger = Ledger(self.trade.root / f"{name}.db")
            ledger.check()
            found.append(ledger.balances())
            ledger.close()
        return found[0], found[1]


def play(
    tmp_path: Path, then: Callable[[Pair], Awaitable[None]], *, kind: Kind = "v2", reserve: int = 10_000_000,
    size: int = SIZE, before: Callable[[Trade], None] = lambda trade: None, rate: float = 4e6, **sells: int,
) -> None:
    async def main() -> None:
        made = content(size, kind=kind)
        trade = Trade(tmp_path, made)
        if reserve:
            trade.reserve(reserve)
        before(trade)
        async with Swarm(made) as swarm:
            one, other = await swarm.seed(Link(rate)), await swarm.leech(Link(rate))
            selling = trade.seller(swarm.scope.child("seller"), **sells)
            buying = trade.buyer(swarm.scope.child("buyer"))
            await selling.start()
            await buying.start()
            one.session.set_till(selling)
            other.session.set_till(buying)
            await then(Pair(swarm, trade, one, other, selling, buying))
            trade.close()
    sim(1).run(main())


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_a_download_is_paid_to_the_sun_and_redeemed(tmp_path: Path, kind: Kind) -> None:
    async def then(pair: Pair) -> None:
        await pair.done()
        bought, sold = pair.bought, pair.sold
        assert bought.signed == sold.paid == sun(bought.owed) == sun(sold.billed)
        assert bought.bytes_owed == sold.bytes_billed > SIZE * 8 // 10
        assert pair.trade.redeem(pair.selling) == sold.paid
        seller, buyer = pair.ledgers()
        assert seller[Account.HELD] == -seller[Account.EARNED] == sold.paid
        assert buyer[Account.BOUGHT] == -buyer[Account.PROMISED] == sold.paid

    play(tmp_path, then, kind=kind)


def test_a_stranger_is_lent_a_window_and_gets_the_rest_as_anybody_does(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        await pair.done()
        first = sun(FIRST_WINDOW * PRICE)
        assert 0 < pair.sold.paid <= first + sun(256 * 1024 * PRICE)
        assert pair.trade.redeem(pair.selling) == pair.sold.paid

    play(tmp_path, then, reserve=0)


def test_credit_grows_with_what_was_redeemed(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        while not (pair.desk.payers and pair.sold.paid >= sun(FIRST_WINDOW * PRICE)):
            await pair.swarm.sleep(0.1)
        before = pair.sold.bytes_billed
        pair.trade.redeem(pair.selling)
        await pair.swarm.sleep(40)
        await pair.done()
        assert pair.sold.redeemed and pair.sold.bytes_billed > before
        assert pair.sold.held <= CREDIT

    play(tmp_path, then, reserve=0, size=40 * MIB, rate=5e5)


def test_where_redeeming_costs_more_than_credit_only_reservations_are_taken(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        pair.desk.least = 5_000_000
        await pair.done()
        assert pair.sold.bytes_billed == 0 and not any(one.books.owed for one in pair.counter.lanes.values())

    play(tmp_path, then, reserve=0)


def test_what_is_too_dear_is_not_bought_and_comes_all_the_same(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        await pair.swarm.sleep(2)
        (deal,) = pair.buying.deals.values()
        assert deal.buy is not None and deal.buy.why is Why.PRICE
        await pair.done()
        assert not pair.desk.payers and not pair.counter.lanes

    play(tmp_path, then, price=PRICE + 1)


def test_a_wallet_at_its_limit_pays_so_far_and_no_further(tmp_path: Path) -> None:
    limited = 100

    async def then(pair: Pair) -> None:
        signer = pair.trade.signer("poor", limits=replace(LIMITS, per_day=limited))
        buying = pair.trade.buyer(pair.swarm.scope.child("poor"), "poor-books", signer=signer)
        await buying.start()
        pair.leech.session.set_till(None)
        pair.leech.session.set_till(buying)
        pair.buying = buying
        await pair.swarm.finished(240)
        await pair.swarm.sleep(12)
        assert pair.counter.refused is not None and pair.counter.refused.code == "per_day"
        assert 0 < pair.sold.paid <= limited
        assert pair.sold.debt <= pair.sold.window * PRICE
        await pair.selling.close()
        await buying.close()

    play(tmp_path, then)


def test_nobody_sells_while_no_node_answers(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        pair.trade.settlement.down = True
        await pair.done()
        assert not pair.desk.payers or not pair.sold.billed

    play(tmp_path, then)


def test_a_key_that_was_never_registered_buys_nothing(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        signer = pair.trade.signer("thief", key=SecretKey(b"\x66" * 32))
        buying = pair.trade.buyer(pair.swarm.scope.child("thief"), "thief-books", signer=signer)
        await buying.start()
        pair.leech.session.set_till(None)
        pair.leech.session.set_till(buying)
        await pair.swarm.sleep(3)
        (deal,) = buying.deals.values()
        assert deal.buy is not None and deal.buy.why == Why.BAD_SIGNATURE
        await pair.done()
        assert not any(known.books.billed for known in pair.desk.payers.values())
        await buying.close()

    play(tmp_path, then)


def test_peers_of_another_vault_see_no_offer(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        other = Trade(tmp_path / "other", pair.trade.content, Bed(pair.trade.bed.evm, deposit=0))
        other.bed.domain = replace(other.bed.domain, chain_id=7)
        other.root.mkdir()
        buying = other.buyer(pair.swarm.scope.child("other"), "books", signer=pair.trade.signer("x"))
        pair.leech.session.set_till(None)
        pair.leech.session.set_till(buying)
        await pair.done()
        assert not buying.deals and not pair.desk.payers

    play(tmp_path, then)


def test_a_payer_who_withdraws_gets_no_credit_and_his_reservation_stays(tmp_path: Path) -> None:
    def before(trade: Trade) -> None:
        assert trade.bed.call(PAYER.address, vault.request_withdraw(49_000_000))

    async def then(pair: Pair) -> None:
        await pair.done()
        assert pair.sold.paid > 0
        assert pair.trade.redeem(pair.selling) == pair.sold.paid

    play(tmp_path, then, before=before, reserve=1_000_000)


def test_a_seller_that_lost_his_disk_gets_the_newest_voucher_again(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        while not (pair.desk.payers and pair.sold.paid > 100):
            await pair.swarm.sleep(0.1)
        before = pair.sold.paid
        pair.seed.session.set_till(None)
        await pair.selling.close()
        pair.selling = pair.trade.seller(pair.swarm.scope.child("again"), "fresh")
        await pair.selling.start()
        pair.seed.session.set_till(pair.selling)
        await pair.swarm.finished(240)
        await pair.swarm.sleep(12)
        assert pair.sold.paid == pair.bought.signed > before
        assert pair.sold.debt <= 0
        await pair.selling.close()
        await pair.buying.close()

    play(tmp_path, then, size=40 * MIB)


def test_a_buyer_that_lost_his_books_signs_nothing_today_and_none_of_the_old_lane_ever(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        while not (pair.desk.payers and pair.sold.paid > 100):
            await pair.swarm.sleep(0.1)
        pair.leech.session.set_till(None)
        await pair.buying.close()
        (old,) = pair.counter.lanes
        signed = pair.bought.signed
        # The whole data directory is of before the first voucher: books and counters, but not the mirror.
        for path in (*tmp_path.glob("buyer*"),):
            path.unlink()
        signer = pair.trade.signer()
        pair.buying = pair.trade.buyer(pair.swarm.scope.child("again"), signer=signer)
        await pair.buying.start()
        pair.counter.epoch = old.epoch
        pair.leech.session.set_till(pair.buying)
        await pair.swarm.sleep(5)
        assert pair.counter.refused is not None and pair.counter.refused.code == "day_closed"
        assert not pair.counter.lanes
        # Its owner opens the day; the seller shows what he holds.
        signer.counters.reopen_day()
        pair.seed.session.set_till(None)
        pair.seed.session.set_till(pair.selling)
        await pair.swarm.finished(300)
        await pair.swarm.sleep(12)
        assert pair.counter.epoch > old.epoch and pair.bought.signed > 0
        assert pair.sold.lanes[old].total == signed
        assert pair.sold.paid == signed + pair.bought.signed
        await pair.selling.close()
        await pair.buying.close()

    play(tmp_path, then, size=40 * MIB, rate=1e6)


def test_who_pays_nothing_in_the_same_swarm_is_served(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        plain = await pair.swarm.leech(Link(4e6))
        await pair.done(400)
        assert plain.finished > 0 and pair.sold.paid == pair.bought.signed > 0
        assert pair.sold.lanes.keys() == {one for one in pair.counter.lanes if one.payee == SELLER.address}

    play(tmp_path, then)


def test_a_seller_who_bills_twice_what_he_sends_is_paid_for_what_came_and_has_to_give_the_rest(tmp_path: Path) -> None:
    async def then(pair: Pair) -> None:
        while not pair.selling.deals:
            await pair.swarm.sleep(0.1)
        (deal,) = pair.selling.deals.values()
        honest = deal.gave
        deal.gave = lambda size: honest(2 * size)  # type: ignore[method-assign]  # a seller who cheats
        await pair.done()
        # He stops at his window, with what he made up as debt; the buyer has all, as a guest where nothing is metered.
        assert pair.sold.debt >= pair.sold.window * PRICE // 2 and pair.sold.bytes_billed > pair.bought.bytes_owed
        assert pair.bought.signed == sun(pair.bought.owed) <= sun(SIZE * PRICE)
        assert pair.bought.bytes_owed <= SIZE and pair.trade.redeem(pair.selling) == pair.bought.signed

    play(tmp_path, then)


@pytest.mark.parametrize("often", [2, 40])
def test_blocks_that_nobody_asked_for_are_paid_by_nobody(tmp_path: Path, often: int) -> None:
    """A seller sends the same block again and again while it is metered."""
    async def then(pair: Pair) -> None:
        while not (pair.desk.payers and pair.sold.paid):
            await pair.swarm.sleep(0.05)
        (peer,) = pair.seed.torrent.swarm.peers.values()
        assert peer.bargain is not None
        header = bytearray(codec.BLOCK_HEADER)
        codec.put_block_header(header, 0, BLOCK + 9, codec.PIECE, 0, 0)
        for _ in range(often):
            peer.connection.send(bytes(header) + pair.trade.content.block(0, 0, BLOCK))
            peer.shipped += BLOCK
            peer.bargain.gave(BLOCK)
        await pair.done()
        assert pair.bought.signed == sun(pair.bought.owed) == pair.sold.paid
        assert pair.bought.bytes_owed <= pair.sold.bytes_billed - often * BLOCK
        # A few may be a slip; who goes on is sent away, and then called as a guest.
        assert bool(pair.leech.drops["sends blocks that were not asked for"]) == (often > 32)

    play(tmp_path, then)
