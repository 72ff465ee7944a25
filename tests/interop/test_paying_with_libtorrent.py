"""A swarm in which one peer buys and another sells, with libtorrent in it: to libtorrent nothing is different."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.oracle import libtorrent
from tests.tillbed import PRICE, BedSettlement, Wishes
from tests.vaultbed import HOT, PAYER, SELLER, TRX, Bed

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DhtSettings, DiscoverySettings, RateSettings, Settings
from wildbach.protocol.metainfo.builder import Kind
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
from wildbach.testing.content import content

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.foreign("libtorrent")]

SIZE = 24 << 20
RATE = 16 << 20
MOST = 10**12
NAME = "content.bin"


def settings(up: int = 0) -> Settings:
    return Settings(
        connections=ConnectionSettings(listen=("127.0.0.1:0",)), dht=DhtSettings(enabled=False),
        discovery=DiscoverySettings(lsd=False, upnp=False, natpmp=False), rates=RateSettings(up=up, limit_local=True))


def plain(folder: Path, torrent: bytes, port: int) -> tuple[Any, Any]:
    """A libtorrent that downloads from a port of this machine."""
    session = libtorrent.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "allow_multiple_connections_per_ip": True})
    params = libtorrent.add_torrent_params()
    params.ti = libtorrent.torrent_info(libtorrent.bdecode(torrent))
    params.save_path = str(folder)
    handle = session.add_torrent(params)
    handle.connect_peer(("127.0.0.1", port))
    return session, handle


@pytest.mark.parametrize("kind", ["v1", "hybrid"])
def test_libtorrent_downloads_as_ever_beside_a_peer_that_pays(tmp_path: Path, kind: Kind) -> None:
    made = content(SIZE, kind=kind)
    torrent = tmp_path / "content.torrent"
    torrent.write_bytes(made.torrent)
    for name in ("seed", "buyer", "plain"):
        (tmp_path / name).mkdir()
    (tmp_path / "seed" / NAME).write_bytes(made.data)

    async def main() -> None:
        bed, threads = Bed(), Threads(2)
        assert bed.call(PAYER.address, vault.reserve(SELLER.address, 10 * TRX, bed.now + 60 * 86400))
        settlement, loop = BedSettlement(bed), asyncio.get_running_loop()
        ledgers = [Ledger(tmp_path / f"{name}.db") for name in ("seed", "buyer")]
        store = WalletStore(tmp_path / "wallet.db")

        def wall() -> float:
            return float(bed.now)

        counters = Counters(store, Mirror(tmp_path / "mirror", PAYER.address, "m"), PAYER.address, wall)
        counters.set_limits(SpendingLimits(MOST, MOST, MOST, MOST, MOST, 10**9, 0))
        async with Scope("tills") as scope, Session(settings(RATE)) as seed, Session(settings()) as buyer:
            selling = Till(scope.child("s"), bed.domain, Wishes(SELLER.address, price=PRICE), seller=SellerDesk(
                scope, threads, ledgers[0], settlement, bed.domain, Wishes(SELLER.address, price=PRICE), seeded(),
                own=frozenset({SELLER.address}), wall=wall, clock=loop.time), buyer=None)
            buying = Till(scope.child("b"), bed.domain, Wishes(PAYER.address, most=PRICE), seller=None, buyer=BuyerDesk(
                scope, threads, ledgers[1], settlement, bed.domain,
                HotSigner(HOT, PAYER.address, bed.domain, counters, wall), frozenset({HOT.address}),
                Wishes(PAYER.address, most=PRICE), wall=wall, clock=loop.time))
            for till, session in ((selling, seed), (buying, buyer)):
                await till.start()
                session.set_till(till)
            given = await seed.add(torrent, AddOptions(save_path=tmp_path / "seed"))
            await given.complete()
            port = seed.listening[0].port
            other, handle = plain(tmp_path / "plain", made.torrent, port)
            taken = await buyer.add(torrent, AddOptions(save_path=tmp_path / "buyer"))
            taken.add_peers([Endpoint("127.0.0.1", port)])
            async with asyncio.timeout(120):
                await taken.complete()
                while not handle.status().is_seeding:
                    await threads.run(other.wait_for_alert, 50)
                    other.pop_alerts()
            assert selling.seller is not None
            (known,) = selling.seller.payers.values()
            assert known.books.bytes_billed > SIZE // 4
            for till in (selling, buying):
                await till.close()
            other.pause()
        store.close()
        for ledger in ledgers:
            ledger.check()
            ledger.close()
        threads.close()

    asyncio.run(main())
    for name in ("buyer", "plain"):
        assert (tmp_path / name / NAME).read_bytes() == made.data
