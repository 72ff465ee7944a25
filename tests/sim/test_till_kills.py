"""Buyers and sellers that end at any moment, without a word: afterwards their ledgers and the chain agree."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from tests.tillbed import PRICE, Trade
from tests.vaultbed import PAYER, SELLER

from wildbach.base.errors import StorageError
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.reconciling import Observed, reconcile
from wildbach.services.pay.ledger.store import Account, Ledger
from wildbach.services.pay.ledger.terms import MIB, sun
from wildbach.services.pay.till.till import Till
from wildbach.testing.content import content
from wildbach.testing.loop import sim
from wildbach.testing.swarm import Link, Node, Swarm

RATE = 300_000.0


def play(root: Path, kills: int, seed: int) -> None:
    async def main() -> None:
        rng = Random(seed)
        made = content((kills // 4 + 10) * MIB, kind="v2")
        trade = Trade(root, made)
        trade.reserve(40_000_000)
        async with Swarm(made) as swarm:
            seller, buyer = await swarm.seed(Link(RATE)), await swarm.leech(Link(RATE))
            tills: dict[str, Till] = {}

            async def start(name: str, node: Node, number: int) -> None:
                scope = swarm.scope.child(f"{name}-{number}")
                tills[name] = trade.seller(scope) if name == "seller" else trade.buyer(scope)
                await tills[name].start()
                node.session.set_till(tills[name])

            async def kill(name: str, node: Node) -> None:
                """What is not on the disk is lost, and the peer hears nothing."""
                till = tills.pop(name)
                till.fault = StorageError("killed")
                await till._scope.close()
                trade.close_files(name)
                node.session.set_till(None)

            await start("seller", seller, 0)
            await start("buyer", buyer, 0)
            for number in range(1, kills + 1):
                await swarm.sleep(rng.uniform(0.05, 0.8))
                name, node = rng.choice((("seller", seller), ("buyer", buyer)))
                await kill(name, node)
                await swarm.sleep(rng.uniform(0.0, 0.2))
                await start(name, node, number)
            await swarm.finished(600)
            await swarm.sleep(15)
            assert tills["seller"].seller is not None and tills["buyer"].buyer is not None
            sold = next(iter(tills["seller"].seller.payers.values())).books
            bought = list(tills["buyer"].buyer.lanes.values())
            signed = sum(one.books.signed for one in bought)
            assert sold.paid == signed > 0, (sold, bought)
            # What was given and not paid for went down with kills: a window each at most, and far less.
            lost = sun(sold.billed) - signed
            assert lost <= sun(sold.window * PRICE) + sold.off * PRICE, (sold, lost)
            assert len(bought) == 1, "a kill is no restored back-up, and begins no lane"
            trade.redeem(tills["seller"])
            await swarm.sleep(20)
            for till in tills.values():
                await till.close()
        trade.close()
        _reconciles(trade)

    sim(seed).run(main())


def _reconciles(trade: Trade) -> None:
    """Both ledgers say of the vault what the vault says."""
    ask = trade.bed.ask
    seller, buyer = Ledger(trade.root / "seller.db"), Ledger(trade.root / "buyer.db")
    for ledger in (seller, buyer):
        ledger.check()
    ((lane, (books, _)),) = buyer.bought().items()
    paid = ask(vault.paid(vault.lane_id(PAYER.address, lane.payee, lane.epoch)))
    assert paid == books.signed
    seller.redeemed(1, PAYER.address, lane, paid)
    buyer.spent(1, lane, paid)
    buyer.post(1, "deposit", Account.DEPOSIT, Account.WALLET, 50_000_000, mark=b"d" * 32)
    state = ask(vault.payer(PAYER.address))
    credit = ask(vault.credit(SELLER.address))
    wallet = buyer.balances()[Account.WALLET]
    assert reconcile(buyer, Observed(wallet, state.balance, 0, True), [], 1) == []
    assert reconcile(seller, Observed(0, 0, credit, True), [], 1) == []
    assert buyer.balances()[Account.PROMISED] == 0 == seller.balances()[Account.HELD]
    assert seller.balances()[Account.CREDIT] == credit == paid == buyer.balances()[Account.BOUGHT]
    for ledger in (seller, buyer):
        assert sum(ledger.balances().values()) == 0
        ledger.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_reconcile_after_twenty_kills(tmp_path: Path, seed: int) -> None:
    play(tmp_path, 20, seed)


@pytest.mark.slow
def test_the_books_reconcile_after_two_hundred_kills(tmp_path: Path) -> None:
    play(tmp_path, 200, 3)
