"""The till of a daemon while its chain hangs or its disk is full: nothing waits, all is said, and it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clients import client
from wildbach.base.errors import StorageError
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.api.models import SettingsPatch
from wildbach.interfaces.api.paymodels import PayRowsQuery
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import vault
from wildbach.services.chain.client import ChainClient
from wildbach.services.devchain.chain import Options
from wildbach.services.devchain.server import DevNode
from wildbach.services.pay.ledger.store import Account, Ledger, Taken
from wildbach.services.pay.ledger.terms import LaneId
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.phrase import Phrase

PHRASE = Phrase(bytes(range(100, 116)))


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)


async def so(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.02)


def shop(
    tmp_path: Path, then: Callable[[LocalApi], Awaitable[None]], before: Callable[[], None] = lambda: None,
) -> float:
    """How long it took to close (seconds)."""
    async def main() -> float:
        async with DevNode(None, Options(instant=True, lag=0)) as node:
            at = await node.listen("127.0.0.1", 0)
            there = await node.run(lambda chain: chain.plant(lambda owner: vault.deployment(owner, 60)))
            async with client(
                tmp_path, chain__url=f"http://{at.host}:{at.port}", chain__counters=str(tmp_path / "counters"),
                chain__vault=str(there), pay__sell=True, pay__buy=True,
            ) as api:
                before()
                await api.import_wallet(wm.WalletImport(words=" ".join(PHRASE.words()), passphrase="horse battery"))
                api.shop.changed()
                await then(api)
                began = time.monotonic()
            return time.monotonic() - began

    return asyncio.run(main())


def test_a_node_that_hangs_delays_neither_a_look_nor_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: ChainClient, question: object) -> None:
        await asyncio.Event().wait()

    async def then(api: LocalApi) -> None:
        await so(lambda: api.shop.till is not None and not api.shop._changing.locked())
        assert (await api.payments()).deposit is not None
        monkeypatch.setattr(ChainClient, "ask", never)
        began = time.monotonic()
        status = await api.payments()
        assert time.monotonic() - began < 8
        assert status.open and status.deposit is None and status.code == "node_slow" and status.today is not None

    assert shop(tmp_path, then) < 5


def test_a_node_that_hangs_while_it_opens_does_not_delay_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered = asyncio.Event()

    async def never(self: ChainClient) -> int:
        entered.set()
        await asyncio.Event().wait()
        return 0

    async def then(api: LocalApi) -> None:
        async with asyncio.timeout(20):
            await entered.wait()
        status = await api.payments()
        assert not status.open

    assert shop(tmp_path, then, lambda: monkeypatch.setattr(ChainClient, "check_vault", never)) < 5


def test_a_full_disk_is_said_and_it_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wildbach.interfaces.shop._AGAIN_SECONDS", 0.2)

    async def then(api: LocalApi) -> None:
        await so(lambda: api.shop.till is not None and not api.shop._changing.locked())
        shop_ = api.shop
        assert shop_._now is not None
        first, ledger = shop_._now, shop_._now.ledger

        def fill(most: int) -> None:
            ledger._store._db.execute(f"PRAGMA max_page_count={most}")
            for number in range(1000):
                ledger.post(number, "arrived", Account.WALLET, Account.OUTSIDE, 1, mark=number.to_bytes(32, "big"))

        with pytest.raises(Exception, match="full"):
            await shop_._threads.run(fill, 1)
        # What the till has to say is not written any more.
        desk = first.till.buyer
        assert desk is not None
        bought = desk.purchase(shop_.wallet.facts.address)
        bought.dirty = True
        books = [bought.books]
        for number in range(1, 400):
            other = desk.lane(type(bought.lane)(bought.lane.payee, number))
            other.dirty = True
            books.append(other.books)
        await so(lambda: first.till.fault is not None)
        shop_.changed()
        await so(lambda: shop_._now is not None and shop_._now is not first)
        assert (await api.payments()).open

    assert shop(tmp_path, then) < 5


def test_sales_end_at_once_though_a_node_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered = asyncio.Event()

    async def never(self: ChainClient, question: object) -> None:
        entered.set()
        await asyncio.Event().wait()

    async def then(api: LocalApi) -> None:
        await so(lambda: api.shop.till is not None and not api.shop._changing.locked())
        monkeypatch.setattr(ChainClient, "ask", never)
        api.shop.changed()
        async with asyncio.timeout(20):
            await entered.wait()
        await api.change_settings(SettingsPatch({"pay": {"sell": False, "buy": False}}))
        await so(lambda: api.shop.till is None)
        assert not (await api.payments()).open

    assert shop(tmp_path, then) < 5


def test_switches_that_are_toggled_fast_end_as_they_were_left(tmp_path: Path) -> None:
    async def then(api: LocalApi) -> None:
        for number in range(12):
            await api.change_settings(SettingsPatch({"pay": {"sell": number % 2 == 0, "buy": number % 3 == 0}}))
            await asyncio.sleep(0.01 * (number % 4))
        await api.change_settings(SettingsPatch({"pay": {"sell": True, "buy": False}}))
        await so(lambda: api.shop.till is not None and api.shop.till.seller is not None
                 and api.shop.till.buyer is None)
        assert api.shop.problem is None

    assert shop(tmp_path, then) < 5


def test_a_disk_that_is_full_at_the_end_is_said_and_all_is_closed(tmp_path: Path) -> None:
    ledgers: list[Ledger] = []
    said: list[Exception] = []

    async def then(api: LocalApi) -> None:
        await so(lambda: api.shop.till is not None and not api.shop._changing.locked())
        now = api.shop._now
        assert now is not None and now.till.buyer is not None
        ledgers.append(now.ledger)
        api.shop._report = said.append  # type: ignore[method-assign]  # what the daemon would write to its log
        await api.shop._threads.run(now.ledger._store._db.execute, "PRAGMA query_only=1")
        for number in range(1, 3):
            now.till.buyer.lane(LaneId(api.shop.wallet.facts.address, number)).dirty = True

    assert shop(tmp_path, then) < 5
    assert [one.code for one in said if isinstance(one, StorageError)] == ["read_only"]
    with pytest.raises(StorageError, match="closed"):
        ledgers[0].balances()


def test_what_was_earned_can_be_fetched_after_sales_have_ended(tmp_path: Path) -> None:
    async def then(api: LocalApi) -> None:
        await so(lambda: api.shop.trades and not api.shop._changing.locked())
        payee, payer = api.shop.wallet.facts.address, Address(b"p" * 20)
        await api.shop.look_up(lambda ledger: ledger.held(
            [Taken(payer, LaneId(payee, 7), 40, b"s" * 65, b"m" * 32, b"", 1)]))
        await api.change_settings(SettingsPatch({"pay": {"sell": False, "buy": False}}))
        await so(lambda: api.shop.till is not None and not api.shop.trades and not api.shop._changing.locked())
        status = await api.payments()
        # Who has nothing in the vault can sign any sum.
        assert not status.open and (status.held, status.uncovered) == (0, 40) and not status.problem
        assert status.ever is not None and status.ever.earned == 0
        assert api.core.session._shared.till is None, "no peer hears of it"
        assert (await api.payment_rows(PayRowsQuery())).balances["held"] == 40

    assert shop(tmp_path, then) < 5
