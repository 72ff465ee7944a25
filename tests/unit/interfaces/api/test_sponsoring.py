"""Two clients and a chain: one pays the other to seed, is told why where that cannot be, and sees what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli_torrents import CONTENT, torrent_of, write_content
from clients import client
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.api.sponsoring import periods_of
from wildbach.interfaces.cli.devchain import feed
from wildbach.interfaces.cli.remote import earn
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import vault
from wildbach.services.devchain.chain import Options
from wildbach.services.devchain.server import DevNode
from wildbach.services.pay.sponsor.sponsoring import Agreement, Running
from wildbach.services.pay.sponsor.store import Entry
from wildbach.services.pay.wallet import keystore

PASS = "correct horse battery"
TRX = 1_000_000
PRICE = 50_000
MOST = wm.WalletLimits(TRX, TRX, TRX, TRX, TRX, TRX, 0)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)


async def settled(api: LocalApi, wanted: pm.PayOrder) -> None:
    quote = await api.quote_payment(wanted)
    request = wm.WalletSendRequest(quote.id, PASS)
    async with asyncio.timeout(20):
        while (one := await api.send_from_wallet(request)).state in ("prepared", "pending"):
            await (await api.purse.wallet()).sends.poll(api.purse.chain())
    assert one.state == "confirmed", one.note


async def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.05)


async def refused(api: LocalApi, wanted: pm.PaySponsoring) -> str:
    with pytest.raises(UsageError) as caught:
        await api.sponsor(wanted)
    return caught.value.code


def test_a_seeder_is_looked_at_and_paid_for_a_period(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    ahead = 0.0

    def wall() -> float:
        return time.time() + ahead

    async def main() -> None:
        nonlocal ahead
        async with DevNode(None, Options(instant=True, lag=0)) as node:
            planted = await node.run(lambda chain: chain.plant(lambda owner: vault.deployment(owner, 86_400)))
            at = await node.listen("127.0.0.1", 0)
            url = f"http://{at.host}:{at.port}"
            chain = {"chain__url": url, "chain__vault": str(planted)}
            torrent = torrent_of(name="things", kind="v2")
            write_content(tmp_path / "ada" / "downloads" / "things", CONTENT)
            async with client(tmp_path / "ada", chain__counters=str(tmp_path / "ca"), **chain) as ada, client(
                    tmp_path / "bob", chain__counters=str(tmp_path / "cb"), **chain) as bob:
                bob.purse.wall = wall
                payees = []
                for api in (ada, bob):
                    # Not one from words that exist: what that may spend today counts as spent.
                    words = await api.draft_wallet(wm.WalletWordsRequest())
                    answers = tuple(words.words[number - 1] for number in words.asked)
                    status = await api.create_wallet(wm.WalletMaking(words.id, answers, PASS))
                    payees.append(status.address)
                    await feed(url, Address.parse(status.address), 1000 * TRX)
                    (added,) = (await api.add_torrents(
                        m.AddRequest(files=(torrent.to_bytes(),), stopped=api is bob))).added
                    key = added.key
                seed = ada.core.session.torrent(key)
                assert seed is not None
                await seed.complete()
                port = ada.core.session.listening[0].port
                wanted = pm.PaySponsoring(
                    key, payees[0], "127.0.0.1", port, 100_000, PRICE, periods=2, period=1200, probes=1)
                assert await refused(bob, wanted) == "not_open"
                await bob.set_wallet_limits(wm.WalletLimitsChange(MOST, PASS))
                for order in (pm.PayOrder("deposit", amount=10 * TRX), pm.PayOrder("add_signer")):
                    await settled(bob, order)
                await ada.set_payment(key, pm.PayMark("mine"))
                await ada.change_settings(m.SettingsPatch({"pay.sell": True}))
                await bob.change_settings(m.SettingsPatch({"pay.buy": True}))
                await until(lambda: ada.shop.till is not None and bob.shop.till is not None)
                assert await refused(bob, wanted) == "not_marked"
                await bob.set_payment(key, pm.PayMark("mine"))
                with pytest.raises(UsageError) as lacking:
                    await bob.sponsor(wanted)
                assert lacking.value.code == "not_reserved"
                # 2,400 s and the day of the vault, in whole days, and one more.
                assert lacking.value.facts == {"payee": payees[0], "amount": 2 * PRICE, "days": 3}
                await settled(bob, pm.PayOrder("reserve", amount=2 * PRICE, who=payees[0], days=3))
                one = await bob.sponsor(wanted)
                assert (one.key, one.periods, one.reserved, one.over) == (key, 2, 2 * PRICE, False)
                assert await refused(bob, wanted) == "sponsored"
                sponsor = bob.shop.sponsor
                running = sponsor.sponsoring.running[one.id]
                await until(lambda: bool(running.times))
                ahead = running.times[0] - time.time() + 1
                sponsor._news.set()
                await until(lambda: running.made == 1)
                (probe,) = (await bob.sponsored_probes(str(one.id))).items
                assert probe.why == "passed" and probe.size > 0
                ahead = running.agreement.begins_at(1) - time.time() + 1
                sponsor._news.set()
                await until(lambda: running.paid == PRICE and bool(sponsor.came))
                (one,) = (await bob.sponsored()).items
                assert (one.good, one.paid, one.came) == (1, PRICE, "there")
                periods = (await bob.sponsored_periods(str(one.id))).items
                assert [(period.state, period.paid, period.probes) for period in periods] == [
                    ("passed", True, 1), ("running", False, 0)]
                assert (await ada.payments()).held == PRICE
                await earn.sponsor_list(bob, as_json=False)
                await earn.sponsor_log(bob, one.id, as_json=False)
                said = capsys.readouterr().out
                assert "1/0/0" in said and "2 of 2" in said and "passed" in said and "0.05" in said and "there" in said
                with pytest.raises(UsageError) as caught:
                    await earn.sponsor_start(bob, "things", wanted)
                assert caught.value.code == "sponsored"
                # What is signed and was not redeemed counts as gone. Until a new one is agreed the old one goes on.
                changed = replace(wanted, rate=200_000, instead_of=one.id)
                with pytest.raises(UsageError) as lacking:
                    await bob.sponsor(changed)
                assert (lacking.value.code, lacking.value.facts["amount"]) == ("not_reserved", PRICE)
                assert await refused(bob, replace(changed, instead_of=77)) == "no_such_agreement"
                assert not (await bob.sponsored()).items[0].over
                await settled(bob, pm.PayOrder("reserve", amount=PRICE, who=payees[0], days=4))
                other = await bob.sponsor(changed)
                one, other = (await bob.sponsored()).items
                assert one.over and one.paid == PRICE and not other.over and other.rate == 200_000
                await earn.sponsor_stop(bob, other.id)
                assert [period.state for period in (await bob.sponsored_periods("1")).items] == ["passed", "ended"]
                for number in ("77", "x", "-1"):
                    with pytest.raises(UsageError):
                        await bob.stop_sponsoring(number)
                    with pytest.raises(UsageError):
                        await bob.sponsored_periods(number)
    asyncio.run(main())


def test_periods_are_told_from_what_probes_found_and_paid_in_turn() -> None:
    agreement = Agreement(
        1, bytes(32), Address(bytes(20)), Endpoint("10.0.0.1", 1), 1000, PRICE, 1200, 10, 4, 0, 10 * PRICE)
    one = Running(agreement, period=5, good=3, bad=1, unseen=1, earned=3 * PRICE, paid=2 * PRICE)

    def probe(period: int, why: str, at: int | None = None) -> Entry:
        return Entry(1, period, 1200 * period + 10 if at is None else at, why, 10, 10)

    # Period 0 passed, 1 failed, 2 and 4 passed, 3 was not seen, 5 runs. The newest come first.
    # One of 1 ended too late to count.
    found = [
        probe(5, "choked"), probe(4, "passed"), probe(1, "passed", at=2400), probe(2, "passed"), probe(1, "ended"),
        probe(0, "passed")]
    told = periods_of(one, found, cut=False)
    assert [(period.number, period.state, period.paid) for period in told] == [
        (0, "passed", True), (1, "failed", False), (2, "passed", True), (3, "unseen", False), (4, "passed", False),
        (5, "running", False)]
    assert (told[1].probes, told[1].passed, told[3].begins) == (1, 0, 3600)
    # Where older probes were not read, their periods are not told, and the sums still say what is paid.
    assert [(period.number, period.paid) for period in periods_of(one, found[:-2], cut=True)] == [
        (3, False), (4, False), (5, False)]
    one.paid = 3 * PRICE
    assert [period.paid for period in periods_of(one, found[:-2], cut=True)] == [False, True, False]
    assert periods_of(Running(agreement), [], cut=False) == ()
