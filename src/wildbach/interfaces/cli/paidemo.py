"""`wildbach demo --paid`: three daemons and a chain on this machine; one earns what another pays, to the SUN."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from wildbach.base.errors import UsageError
from wildbach.base.settings import Layers
from wildbach.base.words import size
from wildbach.interfaces import scan, scenery
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.local import LocalApi, open_api
from wildbach.interfaces.cli import create, devchain, output, running
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.maker import Recipe
from wildbach.interfaces.settings import ClientSettings
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.amounts import TRX
from wildbach.protocol.tron.amounts import shown as trx
from wildbach.runtime.workers import Threads
from wildbach.services.chain import vault

_PRICE: Final = 1_000 * TRX
"SUN a GiB: dear enough that what is paid can be seen beside the fees."
_FUNDS: Final = 500 * TRX
_DEPOSIT: Final = 200 * TRX
_RESERVE: Final = 150 * TRX
_DELAY: Final = 600
_PATIENCE_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.5
_SHARES: Final = {"ada": 1.8, "bob": 0.2, "cyd": 0.2}
"What each uploads, in sizes of the content in the time that it shall take: nobody but ada has much to give."
_LIMITS: Final = wm.WalletLimits(
    per_voucher=_DEPOSIT, per_peer=_DEPOSIT, per_torrent=_DEPOSIT, per_day=_DEPOSIT, total=_DEPOSIT, max_price=_PRICE)


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds`: about how long the transfer shall take."""

    size: int
    seconds: float
    keep: Path | None
    as_json: bool


@dataclass(slots=True)
class Person:
    """A daemon, without its HTTP."""

    name: str
    api: LocalApi
    folder: Path
    passphrase: str
    address: str = ""
    before: int = 0
    "SUN on the chain when all are ready."


@dataclass(slots=True)
class Stage:
    plan: Plan
    work: Path
    node: Any
    "The chain; its package is there with the extra alone."
    url: str
    vault: str

    def tell(self, words: str, **facts: object) -> None:
        if self.plan.as_json:
            output.record({"event": "step", "words": words, **facts})
        else:
            output.line(words)


def check() -> None:
    """Raises UsageError where the chain is not installed."""
    if find_spec("eth") is None:
        raise UsageError(
            "the chain for development needs the extra `devchain`: pip install 'wildbach[devchain]'",
            code="extra_missing")


async def perform(plan: Plan, stop: Stop) -> Exit:
    """Make the chain and the people, let them deal, settle, and compare with the chain."""
    check()
    server = import_module("wildbach.services.devchain.server")
    with contextlib.ExitStack() as stack:
        if plan.keep is not None:
            work = plan.keep
            work.mkdir(parents=True, exist_ok=True)
        else:
            work = Path(tempfile.mkdtemp(prefix="wildbach-demo-"))
            stack.callback(shutil.rmtree, work, ignore_errors=True)
        async with server.DevNode(None, server.Options(instant=True, lag=0)) as node:
            planted = await node.run(lambda chain: chain.plant(lambda owner: vault.deployment(owner, _DELAY)))
            at = await node.listen("127.0.0.1", 0)
            stage = Stage(plan, work, node, f"http://127.0.0.1:{at.port}", str(planted))
            chain_id = await node.run(lambda chain: chain.chain_id)
            stage.tell(f"chain     0x{chain_id:08x} of play money, with the vault {planted}", chain_id=chain_id)
            code = await running.unless_stopped(stop, lambda: _play(stage))
    return code if code is not None else stop.code


async def _play(stage: Stage) -> Exit:
    threads = Threads(1)
    try:
        original = stage.work / "ada" / "downloads" / "a mountain stream"
        await threads.run(scenery.make_content, original, stage.plan.size)
    finally:
        threads.close()
    async with _people(stage) as (ada, bob, cyd):
        torrent = await _torrent(original)
        for person in (ada, bob, cyd):
            await _fund(stage, person)
        await _deposit(stage, bob, ada)
        stage.tell(f"ada       sells upload for {trx(_PRICE)} TRX a GiB; she is paid to {ada.address}")
        stage.tell(f"bob       pays: {trx(_DEPOSIT)} TRX in the vault, {trx(_RESERVE)} of it reserved for ada")
        stage.tell("cyd       pays nobody, and is served as in any swarm")
        for person in (ada, bob):
            person.before = await _balance(stage, person)
        _, seconds = await _swarm(stage, (ada, bob, cyd), torrent)
        return await _settle(stage, ada, bob, seconds)


@contextlib.asynccontextmanager
async def _people(stage: Stage) -> AsyncIterator[tuple[Person, Person, Person]]:
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for name in ("ada", "bob", "cyd"):
            home = stage.work / name
            layers = Layers(ClientSettings, flags={
                "downloads.folder": str(home / "downloads"), "connections.listen": ("127.0.0.1:0",),
                "dht.enabled": False, "discovery.lsd": False, "discovery.upnp": False, "discovery.natpmp": False,
                "rates.limit_local": True,
                "rates.up": int(_SHARES[name] * stage.plan.size / max(1.0, stage.plan.seconds)),
                "chain.url": stage.url, "chain.vault": stage.vault,
                "chain.counters": str(stage.work / f"{name}-counters"),
            })
            (home / "downloads").mkdir(parents=True, exist_ok=True)
            api = await stack.enter_async_context(open_api(layers, home / "state"))
            made.append(Person(name, api, home / "downloads", secrets.token_urlsafe(12)))
        ada, bob, cyd = made
        yield ada, bob, cyd


async def _torrent(content: Path) -> Metainfo:
    torrent = await create.make(scan.scan(content), Recipe(comment="the wildbach demo"), Stop(), quiet=True)
    if torrent is None:
        raise UsageError("the torrent was not made")
    return torrent


async def _fund(stage: Stage, person: Person) -> None:
    """A wallet, and play money in it."""
    words = await person.api.draft_wallet(wm.WalletWordsRequest())
    answers = tuple(words.words[number - 1] for number in words.asked)
    status = await person.api.create_wallet(wm.WalletMaking(words.id, answers, person.passphrase))
    person.address = status.address
    await devchain.feed(stage.url, Address.parse(person.address), _FUNDS)


async def _deposit(stage: Stage, bob: Person, ada: Person) -> None:
    await bob.api.set_wallet_limits(wm.WalletLimitsChange(_LIMITS, bob.passphrase))
    for wanted in (
        pm.PayOrder("deposit", amount=_DEPOSIT), pm.PayOrder("add_signer"),
        pm.PayOrder("reserve", amount=_RESERVE, who=ada.address, days=30),
    ):
        await _carry_out(bob, wanted)


async def _carry_out(person: Person, wanted: pm.PayOrder) -> wm.WalletSend:
    quote = await person.api.quote_payment(wanted)
    sending = wm.WalletSendRequest(quote.id, person.passphrase)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        sent = await person.api.send_from_wallet(sending)
        while sent.state in ("prepared", "pending"):
            await asyncio.sleep(_LOOK_SECONDS / 2)
            sent = await person.api.send_from_wallet(sending)
    if sent.state != "confirmed":
        raise UsageError(f"{wanted.action} of {person.name} {sent.state}: {sent.note}", code="not_settled")
    return sent


async def _swarm(stage: Stage, people: Sequence[Person], torrent: Metainfo) -> tuple[str, float]:
    """Until everybody has everything and all is paid: the torrent's key, and the seconds that it took."""
    ada, bob, cyd = people
    raw, key = torrent.to_bytes(), ""
    for one in people:
        (added,) = (await one.api.add_torrents(m.AddRequest(files=(raw,), stopped=one is not ada))).added
        key = added.key
    for one in (ada, bob):
        await one.api.set_payment(key, pm.PayMark("mine"))
    await ada.api.change_settings(m.SettingsPatch({"pay.sell": True, "pay.price": _PRICE}))
    await bob.api.change_settings(m.SettingsPatch({"pay.buy": True, "pay.most": _PRICE}))
    seed = ada.api.core.session.torrent(key)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await asyncio.gather(_open(ada), _open(bob))
        if seed is not None:
            await seed.complete()
    peers = m.PeerList(tuple(str(one) for one in ada.api.core.session.listening))
    began = time.monotonic()
    for one in (bob, cyd):
        await one.api.act(m.Action("start", keys=(key,)))
        await one.api.add_peers(key, peers)
    await _watch(stage, people, key, began)
    return key, time.monotonic() - began


async def _open(person: Person) -> None:
    """Wait until it buys or sells."""
    while not (await person.api.payments()).open:  # noqa: ASYNC110  (another task opens it, after several questions)
        await asyncio.sleep(_LOOK_SECONDS)


async def _watch(stage: Stage, people: Sequence[Person], key: str, began: float) -> None:
    """Tell how it goes, until both have everything and nothing is owed."""
    ada, bob, cyd = people
    told = 0.0
    moved, moved_at = 0.0, began
    while True:
        rows = {one.name: await one.api.torrent(key) for one in (bob, cyd)}
        earned, paid = await ada.api.payments(), await bob.api.payments()
        share = sum(row.row.progress for row in rows.values())
        now = time.monotonic()
        done = share >= 2 and not any(deal.metering for deal in paid.purchases)
        if done or now - told >= 1.0:
            told = now
            stage.tell(
                f"{now - began:6.1f} s  bob {rows['bob'].row.progress:4.0%}  cyd {rows['cyd'].row.progress:4.0%}   bob "
                f"paid {trx(paid.ever.bought if paid.ever else 0)} TRX, ada holds {trx(earned.held)}",
                seconds=round(now - began, 2), bob=rows["bob"].row.progress, cyd=rows["cyd"].row.progress,
                paid=paid.ever.bought if paid.ever else 0, held=earned.held)
        if share != moved:
            moved, moved_at = share, now
        if done and paid.ever is not None and earned.held == paid.ever.bought:
            return
        if now - moved_at > _PATIENCE_SECONDS:
            raise UsageError("nothing moves any more", code="stuck")
        await asyncio.sleep(_LOOK_SECONDS)


async def _settle(stage: Stage, ada: Person, bob: Person, seconds: float) -> Exit:
    """Redeem, claim, and see whether books and chain say the same."""
    held = (await ada.api.payments()).held
    books = (await bob.api.payments()).ever
    paid = books.bought if books is not None else 0
    redeem = await _carry_out(ada, pm.PayOrder("redeem"))
    claim = await _carry_out(ada, pm.PayOrder("claim"))
    fees = redeem.fee + claim.fee
    got = await _balance(stage, ada) - ada.before
    left = await _deposited(stage, bob)
    stage.tell(f"settled   ada redeemed {trx(held)} TRX and fetched it; the chain burnt {trx(fees)} TRX in fees")
    for words, ledger, chain in (
        ("bob's vouchers, and what the vault paid of his deposit", paid, _DEPOSIT - left),
        ("ada's vouchers, and what came to her, with the fees", held, got + fees),
    ):
        sign = "✓" if ledger == chain else "✗"
        stage.tell(f"{sign} {words}: {ledger:,} SUN in the books, {chain:,} on the chain", books=ledger, chain=chain)
    good = paid == held == _DEPOSIT - left == got + fees and paid > 0
    for person in (ada, bob):
        await person.api.shop.compare()
        for one in person.api.shop.differences:
            good = False
            stage.tell(f"✗ {person.name}: {one.account.value} is {one.ledger} in the ledger, {one.chain} on the chain")
    end = f"ada earned {trx(got)} TRX after fees" if good else "the books do NOT agree"
    stage.tell(f"{size(2 * stage.plan.size)} in {seconds:.1f} s; {end}", good=good)
    if good and got <= 0:
        stage.tell("(the fees were more than she earned: redeeming is worth it for larger sums)")
    if stage.plan.as_json:
        output.record({"event": "finished", "paid": paid, "fees": fees, "earned": got, "good": good})
    return Exit.OK if good else Exit.FAILED


async def _balance(stage: Stage, person: Person) -> int:
    """What the chain says, and nobody else."""
    return (await person.api.purse.client().account(Address.parse(person.address))).balance


async def _deposited(stage: Stage, person: Person) -> int:
    return (await person.api.purse.client().ask(vault.payer(Address.parse(person.address)))).balance
