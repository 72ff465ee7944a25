"""The engine's peers on channels between devices: whole torrents go through Noise and a mux."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from nodes import EPOCH, Made, Node, done, make, settings
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.storage import Storage
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.protocol.metainfo.info import Info
from wildbach.testing.loop import sim, simloop
from wildbach.testing.meeting import MuxTransport, NoiseTransport
from wildbach.testing.network import Network


@asynccontextmanager
async def device(network: Network, seed: int, **link: float) -> AsyncIterator[Node]:
    """A session all of whose connections are channels, with other channels beside them."""
    host = network.host(**link)  # type: ignore[arg-type]  # rates alone are given
    transport = MuxTransport(NoiseTransport(host.transport, Random(seed)), others=2)
    stores: dict[str, MemoryStorage] = {}
    filled: dict[str, Made] = {}

    def open_storage(info: Info, _options: AddOptions) -> Storage:
        store = stores[info.hashes.key] = MemoryStorage(info)
        made = filled.get(info.hashes.key)
        if made is not None:
            for piece in range(info.geometry.piece_count):
                store.write(piece * info.piece_length, [memoryview(made.piece(piece))])
        return store

    session = Session(
        settings(encryption="off"), transport=transport, storage=open_storage, rng=Random(seed), announcers=(),
        wall=lambda: EPOCH + asyncio.get_running_loop().time())
    async with session:
        yield Node(host, session, filled, stores)
        assert session.internal_errors == 0
    await transport.close()


def test_a_torrent_goes_through_channels() -> None:
    async def main() -> None:
        network = Network()
        made = make("v2", {"a": 3_000_000, "sub/b": 700_000, "c": 3})
        async with device(network, 1, up=4e6) as seed, device(network, 2, down=8e6, up=4e6) as one, device(
            network, 3, down=8e6, up=4e6
        ) as other:
            await seed.seed(made)
            torrents = [await one.add(made.metainfo, seed.at), await other.add(made.metainfo, seed.at, one.at)]
            await done(*torrents, seconds=120)
            assert one.holds(made) and other.holds(made)
            assert {peer.kind for peer in torrents[0].peers()} == {"memory+noise+mux"}

    sim(1, until=600).run(main())


def test_a_way_that_breaks_is_called_anew() -> None:
    async def main() -> None:
        network = Network()
        made = make("hybrid", {"a": 3_000_000})
        async with device(network, 1, up=1e6) as seed, device(network, 2, down=8e6) as other:
            await seed.seed(made)
            torrent = await other.add(made.metainfo, seed.at)
            for _ in range(2):
                await asyncio.sleep(1.0)
                while not network.connections or not torrent.peers():
                    await asyncio.sleep(0.1)
                network.reset(network.connections[0])
            await done(torrent, seconds=120)
            assert other.holds(made) and simloop().time() > 5.0

    sim(2, until=600).run(main())
