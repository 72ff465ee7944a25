"""A paid download beside the same one for nothing: what offers, meters, vouchers and two ledgers cost.

Two processes over loopback: one seeds, and sells in every other round; the other downloads. The lane is reserved, so
nothing pauses for want of cover. Both have the same vault on py-evm, which is not called while bytes move. Budget: the
paid download has 0.97 times the speed of the free one, in the same run. The processor time of both sides is told with
it: on a machine that has other things to do it says more than the speed.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.harness import GIB, MIB, Report, fresh, make_content, make_torrent, tree_cpu, workspace
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


@dataclass
class Round:
    """One download. `signed`: SUN in vouchers. `buyer`, `seller`: processor seconds, workers included."""

    seconds: float
    signed: int
    buyer: float
    seller: float


def used() -> float:
    return tree_cpu(os.getpid())


async def serve(torrent: Path, folder: Path, *, paid: bool) -> None:
    """Seed until stdin ends; says where, and then what it cost."""
    threads, waiting = Threads(1), Threads(1)
    with tempfile.TemporaryDirectory() as own:
        async with Session(_SETTINGS) as session, Scope("till") as scope:
            added = await session.add(torrent, AddOptions(save_path=folder, skip_check=True))
            till = Trade(Path(own), threads).seller(scope) if paid else None
            if till is not None:
                await till.start()
                session.set_till(till)
            await added.complete()
            before = used()
            print(json.dumps({"port": session.listening[0].port}), flush=True)
            await waiting.run(sys.stdin.read)
            print(json.dumps({"used": used() - before}), flush=True)
            scope.cancel()
    threads.close()
    waiting.close()


async def download(torrent: Path, folder: Path, port: int, *, paid: bool) -> None:
    """Says how many seconds it took, what was signed, and what it cost."""
    threads = Threads(1)
    with tempfile.TemporaryDirectory() as own:
        async with Session(_SETTINGS) as session, Scope("till") as scope:
            till = Trade(Path(own), threads).buyer(scope) if paid else None
            if till is not None:
                await till.start()
                session.set_till(till)
            began, before = time.perf_counter(), used()
            added = await session.add(torrent, AddOptions(save_path=folder))
            added.add_peers([Endpoint("127.0.0.1", port)])
            await added.complete()
            found = {"seconds": time.perf_counter() - began, "signed": 0, "used": used() - before}
            if till is not None and till.buyer is not None:
                found["signed"] = sum(one.books.total for one in till.buyer.lanes.values())
            scope.cancel()
    threads.close()
    print(json.dumps(found), flush=True)


def once(torrent: Path, content: Path, target: Path, *, paid: bool) -> Round:
    kind = "paid" if paid else "free"
    module = [sys.executable, "-m", "bench.paid"]
    with subprocess.Popen(
        [*module, "serve", str(torrent), str(content.parent), kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as seed:
        assert seed.stdout is not None and seed.stdin is not None
        port = json.loads(seed.stdout.readline())["port"]
        done = subprocess.run(
            [*module, "download", str(torrent), str(fresh(target)), kind, str(port)], stdout=subprocess.PIPE, text=True,
            check=True)
        seed.stdin.close()
        seller = json.loads(seed.stdout.readline())["used"]
    found = json.loads(done.stdout)
    return Round(found["seconds"], found["signed"], found["used"], seller)


def run(
    report: Report, size: int = SIZE, rounds: int = ROUNDS, kinds: tuple[str, ...] = ("v1", "v2"),
) -> None:
    for kind in kinds:
        report.say(f"paid ({kind})")
        found: dict[bool, list[Round]] = {False: [], True: []}
        with workspace() as work:
            content = work / "content.bin"
            make_content(content, size)
            torrent = work / "content.torrent"
            make_torrent(content, torrent, kind, MIB)
            for number in range(rounds):
                for paid in ((False, True) if number % 2 else (True, False)):
                    one = once(torrent, content, work / "copy", paid=paid)
                    found[paid].append(one)
                    if paid:
                        report.say(f"  paid for {one.signed * (1 << 30) // PRICE // MIB} of {size // MIB} MiB")
        rates = {paid: [size / one.seconds / MIB for one in found[paid]] for paid in found}
        free, bought = statistics.median(rates[False]), statistics.median(rates[True])
        report.say(f"  free {free:.0f} MiB/s, paid {bought:.0f} MiB/s")
        for side in ("seller", "buyer"):
            cost = {
                paid: statistics.median(getattr(one, side) for one in found[paid]) * GIB / size for paid in found}
            report.say(
                f"  processor time of the {side}: free {cost[False]:.2f} s a GiB, paid {cost[True]:.2f} s"
                f" ({cost[True] / cost[False]:.2f})")
        report.verdict(f"a paid download ({kind})", bought / free, 0.97)
        report.facts[kind] = {
            name: [asdict(one) for one in found[paid]] for name, paid in (("free", False), ("paid", True))}


def main() -> None:
    what, torrent, folder, kind, *rest = sys.argv[1:]
    paid = kind == "paid"
    if what == "serve":
        asyncio.run(serve(Path(torrent), Path(folder), paid=paid))
    else:
        asyncio.run(download(Path(torrent), Path(folder), int(rest[0]), paid=paid))


if __name__ == "__main__":
    main()
