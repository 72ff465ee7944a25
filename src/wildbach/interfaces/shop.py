"""What a daemon buys and sells: the till of its session, opened and closed as settings, wallet and chain allow.

Off until its owner says so, for buying and for selling by itself, and for each torrent. No node is asked before that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Final, Literal, TypeVar

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError, WildbachError
from wildbach.engine.session import Session
from wildbach.interfaces.earnings import Earnings, Ripe
from wildbach.interfaces.paychain import VaultSettlement
from wildbach.interfaces.promises import Promises
from wildbach.interfaces.purse import Purse
from wildbach.protocol.ext.pay import Terms
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import TriggerContract
from wildbach.protocol.tron.typed import Domain
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.reconciling import Difference, Moved, Observed, reconcile
from wildbach.services.pay.ledger.seams import Reserve, Standing
from wildbach.services.pay.ledger.store import Ledger
from wildbach.services.pay.settings import PaySettings
from wildbach.services.pay.sponsor.sponsor import Sponsor
from wildbach.services.pay.sponsor.store import SponsorStore
from wildbach.services.pay.till.buying import BuyerDesk
from wildbach.services.pay.till.selling import SellerDesk
from wildbach.services.pay.till.till import Till
from wildbach.services.pay.wallet.orders import asked
from wildbach.services.pay.wallet.sending import CONFIRMED, FAILED, Send
from wildbach.services.pay.wallet.wallet import Wallet

T = TypeVar("T")

AREA: Final = "pay"
"Of what is kept beside the torrents: which of them are for sale, and why that is right."
Licence = Literal["mine", "licensed", "public_domain"]
LICENCES: Final[tuple[Licence, ...]] = ("mine", "licensed", "public_domain")
REDEEM_ENERGY: Final = 62_000
"Of the first redemption of a lane; 32,000 of a later one."
CLAIM_ENERGY: Final = 14_100
_LOOK_SECONDS: Final = 20.0
_AGAIN_SECONDS: Final = 30.0
_SAMPLE_SECONDS: Final = 2.0


@dataclass(slots=True)
class Rates:
    """Of downloads that may be paid for: bytes and seconds while something was paid, and while nothing was."""

    paid_bytes: int = 0
    paid_seconds: float = 0.0
    free_bytes: int = 0
    free_seconds: float = 0.0


@dataclass(slots=True)
class _Open:
    till: Till
    ledger: Ledger
    wallet: Wallet
    settlement: VaultSettlement
    domain: Domain
    delay: int
    scope: Scope
    signer: Address
    "The key that signs for what is bought."
    sponsor: Sponsor | None
    "None where nothing is bought."

    @property
    def trades(self) -> bool:
        return self.till.seller is not None or self.till.buyer is not None


class Shop:
    """A `Market` of its session's torrents. `folder`: of the wallet. `threads`: one, for the ledger."""

    def __init__(
        self, session: Session, purse: Purse, settings: Callable[[], PaySettings], folder: Path, scope: Scope,
        threads: Threads, rng: Rng, report: Callable[[Exception], None],
    ) -> None:
        self._session = session
        self._purse = purse
        self._settings = settings
        self._folder = folder
        self._scope = scope.child("shop")
        self._threads = threads
        self._rng = rng
        self._report = report
        self._marks: dict[str, Licence] = {}
        self.promises = Promises(session, self._wall, report)
        "What others pay us to seed."
        self.earnings = Earnings(threads, self._wall)
        self._now: _Open | None = None
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._changing = asyncio.Lock()
        self.problem: WildbachError | None = None
        "Why nothing is bought or sold, though it should be."
        self.differences: list[Difference] = []
        "Where ledger and chain did not agree when they were last compared."
        self.rates = Rates()
        self.fee = 0
        "SUN that it costs to redeem and fetch one lane, as far as it was asked."

    def _wall(self) -> float:
        return self._purse.wall()

    async def begin(self) -> None:
        for key, value in (await self._session.kept(AREA)).items():
            found = next((one for one in LICENCES if one == value.decode(errors="replace")), None)
            if found is not None:
                self._marks[key] = found
        await self.promises.load()
        self._scope.spawn("shop", self._run(), contain=self._report)
        self._scope.spawn("shop:chain", self._watch(), contain=self._report)
        self._scope.spawn("shop:rates", self._measure(), contain=self._report)

    async def close(self) -> None:
        """Idempotent. Waits for no node."""
        self._session.set_till(None)
        await self._scope.close()
        async with self._changing:
            await self._shut()

    # -- Market

    def sells(self, torrent: str) -> int:
        chosen = self._settings()
        return chosen.price if chosen.sell and torrent in self._marks else 0

    def sponsored(self, torrent: str) -> bool:
        return self.sells(torrent) > 0 or (torrent in self._marks and self.promises.counts(torrent))

    def buys(self, torrent: str) -> int:
        chosen = self._settings()
        return chosen.most if chosen.buy and torrent in self._marks else 0

    def infohash(self, torrent: str) -> bytes:
        found = self._session.torrent(torrent)
        if found is None:
            return bytes(32)
        return found.hashes.v2 or (found.hashes.v1 or b"").ljust(32, b"\0")

    def payee(self, torrent: str) -> Address:
        return self._opened.wallet.facts.address

    def complete(self, torrent: str) -> bool:
        found = self._session.torrent(torrent)
        return found is None or found.whole

    # -- what the owner wants

    def licence(self, torrent: str) -> Licence | None:
        return self._marks.get(torrent)

    @property
    def marked(self) -> list[str]:
        return list(self._marks)

    async def mark(self, torrent: str, licence: Licence | None) -> None:
        """Whether this torrent may be bought and sold, and why that is right. Raises UsageError, StorageError."""
        found = self._session.torrent(torrent)
        if found is None:
            raise UsageError("there is no such torrent", code="not_found")
        if licence is not None and found.private:
            raise UsageError(
                "this torrent is private: what its tracker counts is not for sale", code="private_torrent")
        if licence is not None and torrent not in self._marks and len(self._marks) >= limits.PAY_MARKS:
            raise UsageError(f"{limits.PAY_MARKS} torrents are marked at most", code="too_many")
        await self._session.keep(AREA, {torrent: licence.encode() if licence is not None else None}, durable=True)
        if licence is None:
            self._marks.pop(torrent, None)
        else:
            self._marks[torrent] = licence
        if self._now is not None and self._now.trades and licence is None:
            self._session.set_till(self._now.till)  # what ran is over
        elif self.trades:
            self._session.terms_changed()

    def changed(self) -> None:
        """Settings, wallet or chain are others than before."""
        self._wake.set()
        self._news.set()

    # -- open and shut

    @property
    def wanted(self) -> bool:
        chosen = self._settings()
        return chosen.sell or chosen.buy or self.promises.live

    @property
    def _sells(self) -> bool:
        """Vouchers are taken: for blocks, or for seeding that somebody pays."""
        return self._settings().sell or self.promises.live

    @property
    def _opened(self) -> _Open:
        if self._now is None:
            why = self.problem.message if self.problem is not None else "neither pay.sell nor pay.buy is on"
            raise UsageError(f"nothing is bought or sold: {why}", code="not_open")
        return self._now

    @property
    def till(self) -> Till | None:
        """Also while nothing is bought or sold any more: what was earned before can be fetched."""
        return self._now.till if self._now is not None else None

    @property
    def trades(self) -> bool:
        """Peers that can are told."""
        return self._now is not None and self._now.trades

    @property
    def sponsor(self) -> Sponsor:
        """Who pays seeders by the period. Raises UsageError where nothing is bought."""
        found = self._opened.sponsor
        if found is None:
            raise UsageError("sponsoring pays seeders, and pay.buy is off", code="not_open")
        return found

    @property
    def delay(self) -> int:
        """Of the vault, in seconds; 0 while it is not known."""
        return self._now.delay if self._now is not None else 0

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause = None
            try:
                await self._review()
                if self._now is not None:
                    pause = _LOOK_SECONDS
            except WildbachError as error:
                self.problem = error
                pause = _AGAIN_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _watch(self) -> None:
        """By itself: a node that takes its time must not keep the owner from ending sales."""
        while True:
            self._news.clear()
            pause = _LOOK_SECONDS
            try:
                if self._now is not None:
                    await self._look()
            except WildbachError:
                # No node answers, or it was shut meanwhile.
                pause = _AGAIN_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    async def _review(self) -> None:
        async with self._changing:
            now = self._now
            fault = None
            if now is not None:
                fault = now.till.fault or (now.sponsor.fault if now.sponsor is not None else None)
            if fault is not None:
                await self._shut()
                raise fault
            chosen = self._settings()
            wanted = self.wanted or await self._threads.run(self._traded)
            if now is not None and now.wallet.facts.signer != now.signer:
                await self._shut()
                now = None
            both = (now.till.seller is not None, now.till.buyer is not None) if now is not None else (False, False)
            if both == (self._sells, chosen.buy) and (now is not None) == wanted:
                if now is not None:
                    # Prices may be others; deals keep theirs.
                    self._session.terms_changed()
                    if now.sponsor is not None:
                        now.sponsor.sponsoring.one_per_network = chosen.one_per_network
                return
            await self._shut()
            self.problem = None
            if wanted:
                await self._open(chosen)

    def _traded(self) -> bool:
        """There is a ledger of before. Blocks."""
        return any(self._folder.glob("*.ledger"))

    async def _shut(self) -> None:
        now, self._now = self._now, None
        if now is None:
            return
        self._session.set_till(None)
        try:
            await now.till.close()
        except StorageError as error:
            # What is not on the disk was owed by somebody, or billed; vouchers are.
            self._report(error)
        finally:
            await now.scope.close()
            now.ledger.close()
            if now.sponsor is not None:
                now.sponsor.close()

    async def _open(self, chosen: PaySettings) -> None:
        wallet = await self._purse.wallet()
        facts = wallet.facts
        if facts.signer is None:
            raise UsageError("this wallet only looks: it cannot be paid with", code="watch_only")
        client = self._purse.client()
        await client.start()
        delay = await client.check_vault()
        address = self._purse.choice().vault
        if address is None:
            raise UsageError("no vault is configured: chain.vault names one", code="no_vault")
        domain = Domain(client.chain_id, address)
        settlement = VaultSettlement(client, delay)
        name = f"{facts.address}-{client.chain_id:08x}.ledger"
        prices = await client.prices()
        self.fee = (REDEEM_ENERGY + CLAIM_ENERGY) * prices.energy
        async with contextlib.AsyncExitStack() as undo:
            scope = self._scope.child("till")
            undo.push_async_callback(scope.close)
            ledger = await self._threads.run(Ledger, self._folder / name)
            undo.callback(ledger.close)
            await self._threads.run(ledger.check)
            clock, wall = asyncio.get_running_loop().time, self._purse.wall
            seller = buyer = None
            if self._sells:
                seller = SellerDesk(
                    scope, self._threads, ledger, settlement, domain, self, self._rng,
                    own=frozenset({facts.address, *facts.mine}), wall=wall, clock=clock)
                seller.least = self.fee
            if chosen.buy:
                buyer = BuyerDesk(
                    scope, self._threads, ledger, settlement, domain, await wallet.signer(domain),
                    frozenset(facts.mine), self, wall=wall, clock=clock)
            till = Till(scope, domain, self, seller=seller, buyer=buyer)
            sponsor = None
            if buyer is not None:
                store = await self._threads.run(SponsorStore, self._folder / name.replace(".ledger", ".sponsor"))
                undo.callback(store.close)
                sponsor = Sponsor(
                    scope.child("sponsor"), self._threads, store, buyer, Terms(domain.chain_id, domain.vault),
                    self._session.call, self._info, SystemRandom(), wall=wall, clock=clock,
                    one_per_network=chosen.one_per_network)
            self._now = _Open(till, ledger, wallet, settlement, domain, delay, scope, facts.signer, sponsor)
            undo.callback(lambda: setattr(self, "_now", None))
            await till.start()
            if sponsor is not None:
                await sponsor.start()
            if self._now.trades:
                self._session.set_till(till)
            undo.pop_all()
        self._news.set()

    def _info(self, torrent: bytes) -> Info | None:
        found = self._session.called(torrent[:20])
        return found.info if found is not None and found.hashes.v2 == torrent else None

    async def _measure(self) -> None:
        """How fast what may be paid for comes, while it is paid and while it is not."""
        before: dict[str, int] = {}
        while True:
            await asyncio.sleep(_SAMPLE_SECONDS)
            till, now = self.till, {}
            for key in self._marks if till is not None and till.buyer is not None else ():
                torrent = self._session.torrent(key)
                if torrent is not None and not torrent.whole:
                    now[key] = torrent.received
            paid = {deal.line.torrent for deal in till.deals.values() if deal.line.on} if till is not None else set()
            for key, received in now.items():
                if key not in before:
                    continue
                if key in paid:
                    self.rates.paid_bytes += received - before[key]
                    self.rates.paid_seconds += _SAMPLE_SECONDS
                else:
                    self.rates.free_bytes += received - before[key]
                    self.rates.free_seconds += _SAMPLE_SECONDS
            before = now

    # -- money

    async def ripe(self) -> list[Ripe]:
        """All vouchers that were not redeemed, those first for which the vault has most."""
        now = self._opened
        held = await self._threads.run(now.ledger.unredeemed)
        return self.earnings.weigh(held, self._heard())

    def _heard(self) -> dict[Address, Standing]:
        """What the vault said of those who are connected."""
        till = self.till
        payers = till.seller.payers.values() if till is not None and till.seller is not None else ()
        return {one.payer: one.standing for one in payers if one.standing is not None}

    def good(self, payer: Address) -> int:
        """SUN that the vault could pay us of his vouchers, as far as it said."""
        return self.earnings.good(payer, self._heard().get(payer))

    async def standings(self) -> Mapping[Address, Standing]:
        """Ask what the vault has of everybody whose vouchers are held."""
        now = self._opened
        return await self.earnings.ask(now.ledger, now.settlement)

    async def _look(self) -> None:
        """Now and then: what the chain knows that the ledger does not, and what is to be fetched."""
        now = self._opened
        await self._look_at_promises(now)
        standings = await self.standings()
        await self.compare()
        if now.wallet.facts.fee is None:
            return
        due: list[Ripe] = []
        for one in await self.ripe():
            state = await self._threads.run(now.ledger.payer, one.payer)
            standing = standings.get(one.payer)
            if state is None or standing is None:
                continue
            known = now.till.seller.payers.get(one.payer) if now.till.seller is not None else None
            idle = known is None or not known.sides
            if one.good > self.fee and one.lane in state.books.ripe(
                    standing, self._settings().price, self.fee, done=idle):
                due.append(one)
        if due:
            data = vault.redeem_many([one.signed for one in due[: limits.VAULT_VOUCHERS]]).data
            await self._unattended(now, data, "redeem")
        credits = await now.settlement.credits([now.wallet.facts.address])
        for payee, credit in credits.items():
            if credit > self.fee:
                await self._unattended(now, vault.claim(payee).data, "claim")

    async def _look_at_promises(self, now: _Open) -> None:
        if not self.promises.running:
            return
        held: dict[Address, int] = {}
        for one in await self.ripe():
            held[one.payer] = held.get(one.payer, 0) + one.worth
        ours = now.wallet.facts.address

        async def reserved(payer: Address) -> Reserve:
            found = await self._purse.client().ask(vault.reservation(payer, ours))
            return Reserve(found.amount, found.until)

        if await self.promises.look(reserved, held, now.delay):
            self._session.terms_changed()

    async def _unattended(self, now: _Open, data: bytes, what: str) -> None:
        if await self._threads.run(now.wallet.sends.on_their_way):
            return
        minute = int(self._purse.wall() // 60)
        await now.wallet.send_unattended(self._purse.chain(), f"{what}-{minute}", data, now.domain)

    async def waiting_for(self, payee: Address) -> int:
        """SUN of vouchers that we signed for him and that were not redeemed: what is reserved for him is spent on them
        first. Raises UsageError while it is shut, and what the chain raises.
        """
        now = self._opened
        signed = {
            lane: books.signed for lane, (books, _) in (await self._threads.run(now.ledger.bought)).items()
            if lane.payee == payee}
        paid = await now.settlement.paid(now.wallet.facts.address, list(signed))
        return sum(max(0, total - paid[lane]) for lane, total in signed.items())

    async def compare(self) -> list[Difference]:
        """Take over what the chain knows of our money, and see where the ledger says something else."""
        now = self._opened
        client, facts = self._purse.client(), now.wallet.facts
        before = await self._threads.run(now.wallet.sends.on_their_way)
        # What was paid is read before what is left: where a block comes between, the ledger has more and not less.
        out = [lane for lane, (books, paid) in (await self._threads.run(now.ledger.bought)).items()
               if books.signed > paid][: limits.PAY_LANES]
        for lane, paid in (await now.settlement.paid(facts.address, out)).items():
            await self._threads.run(now.ledger.spent, int(self._purse.wall()), lane, paid)
        moved = [_moved(one) for one in await self._threads.run(now.wallet.sends.history)
            if one.state == CONFIRMED or (one.state == FAILED and one.block)]
        state = await client.ask(vault.payer(facts.address))
        credits = await now.settlement.credits([facts.address])
        balance = 0
        for one in (facts.address, *((facts.fee,) if facts.fee is not None else ())):
            balance += (await client.account(one)).balance
        way = await self._threads.run(now.wallet.sends.on_their_way)
        settled = not way and not before
        seen = Observed(balance, state.balance, sum(credits.values()), settled)
        found = await self._threads.run(reconcile, now.ledger, seen, moved, int(self._purse.wall()))
        if settled:
            # What is on its way is in one of the two and not yet in the other.
            self.differences = found
        return self.differences

    @property
    def wallet(self) -> Wallet:
        return self._opened.wallet

    @property
    def settlement(self) -> VaultSettlement:
        return self._opened.settlement

    async def look_up(self, call: Callable[[Ledger], T]) -> T:
        """In the ledger's thread. Raises UsageError while it is shut."""
        return await self._threads.run(call, self._opened.ledger)


def _moved(send: Send) -> Moved:
    contract = send.raw.contract
    what = send.kind
    if isinstance(contract, TriggerContract):
        what, _ = asked(contract.data)
    return Moved(what, send.txid, send.ended, send.amount, send.fee, send.recipient, send.state == CONFIRMED)
