"""Blocks for money between real sessions, with books, ledgers, a wallet's counters and a vault on a real machine."""

from __future__ import annotations

from pathlib import Path

from tests.tillbed import PRICE, Trade

from wildbach.services.pay.ledger.store import Account
from wildbach.services.pay.ledger.terms import MIB, UNIT, sun
from wildbach.testing.content import content
from wildbach.testing.loop import sim
from wildbach.testing.swarm import Link, Swarm

SIZE = 24 * MIB + 12_345


def test_a_download_is_paid_to_the_sun_and_redeemed(tmp_path: Path) -> None:
    async def main() -> None:
        made = content(SIZE, kind="v2")
        trade = Trade(tmp_path, made)
        trade.reserve()
        async with Swarm(made) as swarm:
            seed, leech = await swarm.seed(Link(4e6)), await swarm.leech(Link(4e6))
            selling, buying = trade.seller(swarm._scope.child("s")), trade.buyer(swarm._scope.child("b"))
            await selling.start()
            await buying.start()
            seed.session.set_till(selling)
            leech.session.set_till(buying)
            await swarm.finished(120)
            await swarm.sleep(10)
            assert buying.buyer is not None and selling.seller is not None
            (purchase,) = buying.buyer.lanes.values()
            (known,) = selling.seller.payers.values()
            print(purchase.books, known.books, buying.buyer.refused)
            assert purchase.books.signed == known.books.paid == sun(purchase.books.owed)
            assert purchase.books.bytes_owed == known.books.bytes_billed > SIZE * 9 // 10
            assert trade.redeem(selling) == known.books.paid
            await selling.close()
            await buying.close()
    sim(1).run(main())
