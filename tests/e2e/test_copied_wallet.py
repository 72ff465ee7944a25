"""A data directory is copied, and both go on, as processes of their own: no SUN is paid twice, and the copy says why it
pays nothing and what to do.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.devnode import in_process
from tests.tradebed import TRX, Chain, Person, daemon, until

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import devchain
from wildbach.protocol.tron.address import Address
from wildbach.testing.content import Content, content

pytestmark = [
    pytest.mark.slow, pytest.mark.skipif(find_spec("eth") is None, reason="py-evm (the extra devchain) is missing")]

PHRASE = "correct horse battery"
SIZE = 2 << 20
PRICE = 1000 * TRX
DEPOSIT = 100 * TRX
MOST = wm.WalletLimits(DEPOSIT, DEPOSIT, DEPOSIT, DEPOSIT, DEPOSIT, PRICE)


def with_money(who: Person, url: str) -> None:
    """A new wallet, and play money in it."""
    async def make(api: Api) -> str:
        words = await api.draft_wallet(wm.WalletWordsRequest())
        answers = tuple(words.words[number - 1] for number in words.asked)
        return (await api.create_wallet(wm.WalletMaking(words.id, answers, PHRASE))).address

    who.address = who.ask(make)
    asyncio.run(devchain.feed(url, Address.parse(who.address), 1000 * TRX))


def carry_out(who: Person, *wanted: pm.PayOrder) -> None:
    async def send(api: Api) -> None:
        for one in wanted:
            sending = wm.WalletSendRequest((await api.quote_payment(one)).id, PHRASE)
            sent = await api.send_from_wallet(sending)
            while sent.state in ("prepared", "pending"):
                await asyncio.sleep(0.1)  # another process makes the block
                sent = await api.send_from_wallet(sending)
            assert sent.state == "confirmed", sent.note

    who.ask(send)


def add(who: Person, made: Content, *, stopped: bool) -> str:
    async def add_marked(api: Api) -> str:
        (added,) = (await api.add_torrents(m.AddRequest(files=(made.torrent,), stopped=stopped))).added
        await api.set_payment(added.key, pm.PayMark("mine"))
        return added.key

    return who.ask(add_marked)


def has(who: Person, key: str) -> bool:
    return who.ask(lambda api: api.torrent(key)).row.progress == 1


def change(who: Person, **changes: object) -> None:
    patch = m.SettingsPatch({one.replace("_", "."): to for one, to in changes.items()})
    who.ask(lambda api: api.change_settings(patch))


def download(who: Person, made: Content, seller: Person, agreed: Callable[[Person], bool]) -> None:
    """However slow the machine is: most of it comes once the two have said what there is to say."""
    key = add(who, made, stopped=True)

    async def begin(api: Api) -> None:
        await api.act(m.Action("start", keys=(key,)))
        await api.add_peers(key, m.PeerList((f"127.0.0.1:{seller.port}",)))

    change(seller, rates_up=65536)
    who.ask(begin)
    until(lambda: agreed(who))
    change(seller, rates_up=0)
    until(partial(has, who, key))
    until(who.signed_all)


def lanes(who: Person) -> Counter[int]:
    """SUN in vouchers, by epoch."""
    found: Counter[int] = Counter()
    for row in who.ledger():
        if row["what"] == "voucher":
            found[int(row["epoch"])] += int(row["amount_sun"])
    return found


def status(who: Person) -> pm.PayStatus:
    return who.ask(lambda api: api.payments())


def metered(who: Person) -> bool:
    return any(one.metering for one in status(who).purchases)


def outdated(who: Person) -> bool:
    return any("later payments of this wallet" in one.why for one in status(who).purchases)


def closed(who: Person) -> bool:
    return who.ask(lambda api: api.wallet_limits()).used.closed_today


def test_of_two_copies_of_a_data_directory_one_pays(tmp_path: Path) -> None:
    with ExitStack() as stack:
        told = stack.enter_context(in_process(tmp_path / "chain", "--instant", "--vault", "3600"))
        chain = Chain(told["url"], Address.parse(told["vault"]))
        ada = stack.enter_context(
            daemon(tmp_path / "ada", told, "--set", "rates.limit_local=true"))
        with_money(ada, told["url"])
        keys = []
        made = [content(SIZE, kind="hybrid", name=f"{number}.bin", seed=number) for number in range(3)]
        for number, one in enumerate(made):
            (ada.cli.folder / "downloads" / f"{number}.bin").write_bytes(one.data)
            keys.append(add(ada, one, stopped=False))
        change(ada, pay_sell=True, pay_price=PRICE)
        with daemon(tmp_path / "bob", told) as bob:
            with_money(bob, told["url"])
            bob.ask(lambda api: api.set_wallet_limits(wm.WalletLimitsChange(MOST, PHRASE)))
            carry_out(
                bob, pm.PayOrder("deposit", amount=DEPOSIT), pm.PayOrder("add_signer"),
                pm.PayOrder("reserve", amount=60 * TRX, who=ada.address))
            change(bob, pay_buy=True, pay_most=PRICE)
            until(lambda: status(ada).open and status(bob).open and has(ada, keys[2]))
            download(bob, made[0], ada, metered)
            until(lambda: 0 < lanes(bob).total() == lanes(ada).total())
        # All of it is copied to another machine, or all but the counters that lie outside of the data directory.
        shutil.copytree(tmp_path / "bob", tmp_path / "twin")
        shutil.copytree(tmp_path / "bob", tmp_path / "late", ignore=shutil.ignore_patterns("counters"))
        bob = stack.enter_context(daemon(tmp_path / "bob", told))
        twin = stack.enter_context(daemon(tmp_path / "twin", told))
        assert bob.address == twin.address
        until(lambda: status(bob).open and status(twin).open)
        assert not closed(bob) and not closed(twin)

        # The first one goes on. The copy is shown what it never signed: it pays nothing, has all, and says what to do.
        download(bob, made[1], ada, metered)
        until(lambda: lanes(bob) == lanes(ada))
        signed = lanes(bob)
        download(twin, made[1], ada, closed)
        assert not closed(bob)
        assert lanes(ada) == signed and len(signed) == 1
        assert "another copy of this wallet signed" in status(twin).refused
        assert "wildbach wallet reopen" in status(twin).refused

        # Without the counters a copy sees by itself what it is.
        with daemon(tmp_path / "late", told) as late:
            until(lambda: status(late).open)
            assert closed(late) and "wildbach wallet reopen" in status(late).refused

        # Whose owner opens the day all the same signs in a lane of its own, and the other one is told of it.
        twin.ask(lambda api: api.reopen_wallet_day(wm.WalletPassphrase(PHRASE)))
        download(twin, made[2], ada, metered)
        until(lambda: len(lanes(ada)) == 2)
        download(bob, made[2], ada, outdated)
        assert lanes(bob) == signed

        # The vault pays each SUN once.
        until(lambda: lanes(ada) == lanes(bob) | lanes(twin))
        paid = lanes(ada)
        carry_out(ada, pm.PayOrder("redeem"))
        assert all(chain.paid(bob.address, ada.address, epoch) == amount for epoch, amount in paid.items())
        assert chain.deposit(bob.address) == DEPOSIT - paid.total()
