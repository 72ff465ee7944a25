"""A paid download beside the same one for nothing: what offers, meters, vouchers and two ledgers cost.

Two processes over loopback: one seeds, and sells in every other round; the other downloads. The lane is reserved, so
nothing pauses for want of cover. Both have the same vault on py-evm, which is not called while bytes move. Budget: the
paid download has 0.97 times the speed of the free one, in the same run.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.harness import MIB, Report, fresh, make_content, make_torrent, workspace
from tests.evms import PyEvm
from tests.tillbed import BedSettlement, Wishes
from tests.vaultbed import HOT, PAYER, SELLER, Bed

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DhtSettings, DiscoverySettings, PeerSettings, Settings
from wildbach.runtime.rng import seeded
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.store import Ledger
from wildbach.services.pay.till.buying import BuyerDesk
from wildbach.services.pay.till.selling import SellerDesk
from wildbach.services.pay.till.till import Till
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.mirror import Mirror
from wildbach.services.pay.wallet.policy import SpendingLimits
from wildbach.services.pay.wallet.signer import HotSigner
from wildbach.services.pay.wallet.store import WalletStore

SIZE = 3072 * MIB
ROUNDS = 4
PRICE = 33_000
_MOST = 10**15
_SETTINGS = Settings(
    connections=ConnectionSettings(listen=("127.0.0.1:0",)), peers=PeerSettings(pex=False),
    dht=DhtSettings(enabled=False), discovery=DiscoverySettings(lsd=False, upnp=False, natpmp=False))


@dataclass
class Trade:
    """One side's money."""

    folder: Path
    threads: Threads

    def __post_init__(self) -> None:
        self.bed = Bed(PyEvm())
        assert self.bed.call(PAYER.address, vault.reserve(SELLER.address, 40_000_000, self.bed.now + 60 * 86400))
        self.settlement = BedSettlement(self.bed)
        self.ledger = Ledger(self.folder / "ledger.db")

    def wall(self) -> float:
        return float(self.bed.now)

    def seller(self, scope: Scope) -> Till:
        market = Wishes(SELLER.address, price=PRICE)
        desk = SellerDesk(
            scope, self.threads, self.ledger, self.settlement, self.bed.domain, market, seeded(),
            own=frozenset({SELLER.address}), wall=self.wall, clock=asyncio.get_running_loop().time)
        return Till(scope, self.bed.domain, market, seller=desk, buyer=None)

    def buyer(self, scope: Scope) -> Till:
        market = Wishes(PAYER.address, most=PRICE)
        counters = Counters(
            WalletStore(self.folder / "wallet.db"), Mirror(self.folder / "mirror", PAYER.address, "m"), PAYER.address,
            self.wall)
        counters.set_limits(SpendingLimits(_MOST, _MOST, _MOST, _MOST, _MOST, 10**9, 0))
        signer = HotSigner(HOT, PAYER.address, self.bed.domain, counters, self.wall)
        desk = BuyerDesk(
            scope, self.threads, self.ledger, self.settlement, self.bed.domain, signer, frozenset({HOT.address}),
            market, wall=self.wall, clock=asyncio.get_running_loop().time)
        return Till(scope, self.bed.domain, market, seller=None, buyer=desk)


async def serve(torrent: Path, folder: Path, *, paid: bool) -> None:
    """Seed until stdin ends; says where."""
    threads, waiting = Threads(1), Threads(1)
    with tempfile.TemporaryDirectory() as own:
        async with Session(_SETTINGS) as session, Scope("till") as scope:
            added = await session.add(torrent, AddOptions(save_path=folder, skip_check=True))
            till = Trade(Path(own), threads).seller(scope) if paid else None
            if till is not None:
                await till.start()
                session.set_till(till)
            await added.complete()
            print(json.dumps({"port": session.listening[0].port}), flush=True)
            await waiting.run(sys.stdin.read)
            scope.cancel()
    threads.close()
    waiting.close()


async def download(torrent: Path, folder: Path, port: int, *, paid: bool) -> tuple[float, int]:
    """Seconds, and SUN that were signed."""
    threads = Threads(1)
    with tempfile.TemporaryDirectory() as own:
        async with Session(_SETTINGS) as session, Scope("till") as scope:
            till = Trade(Path(own), threads).buyer(scope) if paid else None
            if till is not None:
                await till.start()
                session.set_till(till)
            began = time.perf_counter()
            added = await session.add(torrent, AddOptions(save_path=folder))
            added.add_peers([Endpoint("127.0.0.1", port)])
            await added.complete()
            seconds = time.perf_counter() - began
            signed = 0
            if till is not None and till.buyer is not None:
                signed = sum(one.books.total for one in till.buyer.lanes.values())
            scope.cancel()
    threads.close()
    return seconds, signed


def once(torrent: Path, content: Path, target: Path, *, paid: bool) -> tuple[float, int]:
    words = [sys.executable, "-m", "bench.paid", str(torrent), str(content.parent), "paid" if paid else "free"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as seed:
        assert seed.stdout is not None and seed.stdin is not None
        port = json.loads(seed.stdout.readline())["port"]
        found = asyncio.run(download(torrent, fresh(target), port, paid=paid))
        seed.stdin.close()
    return found


def run(report: Report, size: int = SIZE, rounds: int = ROUNDS) -> None:
    for kind in ("v1", "v2"):
        report.say(f"paid ({kind})")
        rates: dict[bool, list[float]] = {False: [], True: []}
        with workspace() as work:
            content = work / "content.bin"
            make_content(content, size)
            torrent = work / "content.torrent"
            make_torrent(content, torrent, kind, MIB)
            for number in range(rounds):
                for paid in ((False, True) if number % 2 else (True, False)):
                    seconds, signed = once(torrent, content, work / "copy", paid=paid)
                    rates[paid].append(size / seconds / MIB)
                    if paid:
                        report.say(f"  paid for {signed * (1 << 30) // PRICE // MIB} of {size // MIB} MiB")
        free, bought = statistics.median(rates[False]), statistics.median(rates[True])
        report.say(f"  free {free:.0f} MiB/s, paid {bought:.0f} MiB/s")
        report.verdict(f"a paid download ({kind})", bought / free, 0.97)
        report.facts[kind] = {"free": rates[False], "paid": rates[True]}


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2]), paid=sys.argv[3] == "paid"))
