"""A seeder who sells nothing is paid by the period: his daemon looks into the vault before it counts on that."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cli_torrents import CONTENT, torrent_of, write_content
from clients import client
from unit.interfaces.api.test_sponsoring import MOST, PASS, PRICE, TRX, settled, until
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.cli.devchain import feed
from wildbach.interfaces.cli.remote import seedfor
from wildbach.interfaces.promises import Promises
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import vault
from wildbach.services.devchain.chain import Options
from wildbach.services.devchain.server import DevNode
from wildbach.services.pay.ledger.seams import Reserve
from wildbach.services.pay.sponsor.promise import Backing, Promise
from wildbach.services.pay.wallet import keystore


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)


async def backing(api: LocalApi, wanted: str) -> pm.PaySeeding:
    async with asyncio.timeout(30):
        while (one := (await api.seeded_for()).items[0]).backing != wanted:
            api.shop.changed()
            await asyncio.sleep(0.05)
    return one


def test_vouchers_are_taken_where_nothing_is_sold_once_the_vault_has_what_was_promised(
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
                wallets = []
                for api in (ada, bob):
                    words = await api.draft_wallet(wm.WalletWordsRequest())
                    answers = tuple(words.words[number - 1] for number in words.asked)
                    wallets.append((await api.create_wallet(wm.WalletMaking(words.id, answers, PASS))).address)
                    await feed(url, Address.parse(wallets[-1]), 1000 * TRX)
                    (added,) = (await api.add_torrents(
                        m.AddRequest(files=(torrent.to_bytes(),), stopped=api is bob))).added
                    key = added.key
                payee, payer = wallets
                seed = ada.core.session.torrent(key)
                assert seed is not None
                await seed.complete()
                await bob.set_wallet_limits(wm.WalletLimitsChange(MOST, PASS))
                for order in (pm.PayOrder("deposit", amount=10 * TRX), pm.PayOrder("add_signer")):
                    await settled(bob, order)
                await bob.change_settings(m.SettingsPatch({"pay.buy": True}))
                await bob.set_payment(key, pm.PayMark("mine"))

                wanted = pm.PaySeedingWanted(payer, PRICE, 2, 1200)
                for given, code in ((wanted, "not_marked"), (pm.PaySeedingWanted(payee, PRICE, 2), "own_payee"),
                                    (pm.PaySeedingWanted("T", PRICE, 2), "bad_address")):
                    with pytest.raises(UsageError) as caught:
                        await ada.seed_for(key, given)
                    assert caught.value.code == code
                    await ada.set_payment(key, pm.PayMark("mine"))
                await seedfor.start(ada, "things", wanted)
                assert (await backing(ada, "nothing")).reserved == 0
                assert not ada.core.settings.pay.sell and not ada.shop.sponsored(key)
                await settled(bob, pm.PayOrder("reserve", amount=2 * PRICE - 1, who=payee, days=2))
                await backing(ada, "too_little")
                assert not ada.shop.sponsored(key), "that is not what was agreed"
                await settled(bob, pm.PayOrder("reserve", amount=1, who=payee, days=2))
                one = await backing(ada, "covered")
                assert one.reserved == 2 * PRICE and ada.shop.sponsored(key) and not ada.shop.sells(key)

                port = ada.core.session.listening[0].port
                made = await bob.sponsor(pm.PaySponsoring(
                    key, payee, "127.0.0.1", port, 100_000, PRICE, periods=2, period=1200, probes=1))
                sponsor = bob.shop.sponsor
                running = sponsor.sponsoring.running[made.id]
                await until(lambda: bool(running.times))
                ahead = running.times[0] - time.time() + 1
                sponsor._news.set()
                await until(lambda: running.made == 1)
                ahead = running.agreement.begins_at(1) - time.time() + 1
                sponsor._news.set()
                await until(lambda: bool(sponsor.came))
                (there,) = (await bob.sponsored()).items
                assert (there.paid, there.came) == (PRICE, "there")
                assert (await ada.payments()).held == PRICE and (await ada.seeded_for()).items[0].came == PRICE
                capsys.readouterr()
                await seedfor.listed(ada, as_json=False)
                said = capsys.readouterr().out
                assert "1 of 2" in said and payer in said and "0.05" in said
                await seedfor.stop(ada, "things")
                assert (await ada.seeded_for()).items == () and not ada.shop.sponsored(key)
                with pytest.raises(UsageError):
                    await ada.stop_seeding_for(key)

    asyncio.run(main())


class Kept:
    """A `Keeper` in memory."""

    def __init__(self, **values: bytes) -> None:
        self.values = dict(values)

    async def kept(self, area: str) -> dict[str, bytes]:
        return dict(self.values)

    async def keep(self, area: str, changes: object, *, durable: bool = False) -> None:
        assert durable and isinstance(changes, dict)
        for name, value in changes.items():
            self.values.pop(name, None)
            if value is not None:
                self.values[name] = value


def test_one_reservation_does_not_stand_behind_two_promises_and_what_was_seen_once_is_relied_on() -> None:
    async def main() -> None:
        now, payer, there = [1_000_000], Address(b"p" * 20), Reserve(300, 1 << 40)
        keeper, damaged = Kept(), list[Exception]()
        promises = Promises(keeper, lambda: now[0], damaged.append)

        async def reserved(who: Address) -> Reserve:
            assert who == payer
            return there

        for key in ("one", "two"):
            await promises.put(key, Promise(payer, 100, 1200, 2, now[0]))
        assert not promises.counts("one")
        assert await promises.look(reserved, {}, 60)
        assert [one.backing for one in promises.running.values()] == [Backing.COVERED, Backing.TOO_LITTLE]
        assert promises.counts("one") and not promises.counts("two")
        there = Reserve(0, 0)  # all of it was redeemed
        assert not await promises.look(reserved, {}, 60)
        assert promises.counts("one"), "what comes late is taken"
        now[0] += 8 * 86_400
        assert not promises.counts("one") and not promises.live

        keeper.values["bad"] = b"{"
        again = Promises(keeper, lambda: now[0], damaged.append)
        await again.load()
        assert list(again.running) == ["one", "two"] and len(damaged) == 1
        await again.drop("one")
        assert list(keeper.values) == ["two", "bad"]

    asyncio.run(main())
