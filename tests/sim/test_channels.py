"""A channel made on one machine, followed, searched and watched on another, both behind routers; in the simulator."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.nodes import EPOCH, PORT, make, node, settings
from tests.sim.test_dht import World

from clients import layers_for
from wildbach.base.ids import Endpoint
from wildbach.disk.inplace import InPlaceFiles
from wildbach.disk.layout import Layout
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.storage import Storage
from wildbach.engine.options import AddOptions
from wildbach.engine.reader import Reader
from wildbach.engine.session import Session
from wildbach.engine.settings import DhtSettings, RateSettings
from wildbach.interfaces.api import channelmodels as chm
from wildbach.interfaces.api.local import LocalApi, open_api
from wildbach.interfaces.settings import ClientSettings
from wildbach.net.utp import UtpTransport
from wildbach.protocol.metainfo import Magnet
from wildbach.protocol.metainfo.info import Info
from wildbach.testing.loop import sim
from wildbach.testing.nat import NatKind
from wildbach.testing.network import Host, MemoryDatagrams, Network

FILM = Random(1).randbytes(300_000)


class Machine:
    """One machine with a client, whose downloads are in memory; what it publishes lies on a real disk."""

    def __init__(self, network: Network, folder: Path, contact: Endpoint, behind: NatKind) -> None:
        self.host: Host = network.home(behind)
        self.folder = folder
        self.contact = contact
        self.stores: dict[str, MemoryStorage] = {}
        self.road: UtpTransport

    def _storage(self, info: Info, options: AddOptions) -> Storage:
        if options.in_place:
            return InPlaceFiles(info, Layout(str(options.save_path)))
        there = self.stores.get(info.hashes.key)
        if there is None:
            there = self.stores[info.hashes.key] = MemoryStorage(info)
        return there

    def _session(self, chosen: ClientSettings) -> Session:
        datagrams = MemoryDatagrams(self.host)
        datagrams.open([Endpoint("0.0.0.0", PORT)])
        self.road = road = UtpTransport(datagrams, rng=Random(self.host.address))
        return Session(
            chosen, transport=road, utp=road, storage=self._storage, rng=Random(self.host.address),
            announcers=(), data_dir=self.folder / "data", datagrams=datagrams,
            wall=lambda: EPOCH + asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def on(self) -> AsyncIterator[LocalApi]:
        self.folder.mkdir(exist_ok=True)
        layers = layers_for(
            self.folder, connections__listen=["0.0.0.0:6881"], dht__enabled=True, dht__bootstrap=[str(self.contact)],
            peers__encryption="off", disk__memory=8 << 20)
        async with open_api(layers, self.folder / "data", make_session=self._session) as api:
            await api.core.restored.wait()
            yield api
            assert api.core.session.internal_errors == 0
        self.road.close()


async def job(api: LocalApi, started: Any) -> dict[str, Any]:
    done = await api.core.jobs.wait(started.id)
    assert done.state == "done", done.message
    return done.result


async def shown(api: LocalApi, key: str, seq: int, seconds: float = 3000.0) -> None:
    until = asyncio.get_running_loop().time() + seconds
    while (channel := await api.channel(key)).shown != seq:
        assert asyncio.get_running_loop().time() < until, (channel, api.core.session.torrents)
        await asyncio.sleep(5)


async def read(film: Reader, offset: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        got = await film.read(offset + len(data), size - len(data))
        assert got
        data += got
    return bytes(data)


@pytest.mark.parametrize(("author_behind", "reader_behind"), [
    (NatKind.PORT_RESTRICTED, NatKind.ADDRESS_RESTRICTED), (NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED),
])
def test_a_channel_goes_from_home_to_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, author_behind: NatKind, reader_behind: NatKind,
) -> None:
    # The simulated network has no HTTP, and no feed is fetched here.
    monkeypatch.setattr(Session, "http", None)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            contact = world.nodes[0].at
            one = Machine(world.network, tmp_path / "one", contact, author_behind)
            two = Machine(world.network, tmp_path / "two", contact, reader_behind)
            films = tmp_path / "one" / "films"
            films.mkdir(parents=True)
            (films / "owl.mp4").write_bytes(FILM)
            async with one.on() as author, AsyncExitStack() as meanwhile:
                await author.create_channel(chm.ChannelMaking("Birds", "birds"))
                await job(author, await author.add_channel_items("Birds", chm.ItemMaking((str(films / "owl.mp4"),))))
                first = await job(author, await author.publish_channel("Birds", chm.Publishing()))
                # Somebody on the open Internet whom both find, and who gives nothing: routers are opened by its help.
                # Its line is full of something else, so it stays a leech (two seeds would part).
                middle = await meanwhile.enter_async_context(node(
                    world.network, 77, replace(
                        settings(upload_slots=0), rates=RateSettings(down=1),
                        dht=DhtSettings(bootstrap=(str(contact),))),
                    utp="real", udp=True))
                filler = await meanwhile.enter_async_context(node(world.network, 78, utp="real"))
                busy = make("v1", {"busy": 500_000})
                await filler.seed(busy)
                filling = await middle.add(busy.metainfo, filler.at)
                await asyncio.sleep(60)
                assert 0 < filling.received < 100_000
                for torrent in author.core.session.torrents:
                    await middle.session.add(Magnet(torrent.hashes))
                await asyncio.sleep(60)
                async with two.on() as reader:
                    followed = await reader.follow_channel(chm.ChannelFollowing(first["link"]))
                    # It goes out in the middle.
                    await asyncio.sleep(1)
                async with two.on() as reader:
                    await shown(reader, followed.key, first["seq"])
                    (found,) = (await reader.channel_items(chm.ItemQuery("owl"))).items
                    key = (await reader.download_item(followed.key, chm.ItemWord(found.item.guid))).torrent
                    torrent = reader.core.session.torrent(key)
                    assert torrent is not None
                    async with asyncio.timeout(3000):
                        # It is watched while it comes, by who jumps to the end first, as players do.
                        await torrent.metadata()
                        async with torrent.open(0) as film:
                            assert film.size == len(FILM) and not torrent.life.whole
                            assert await read(film, len(FILM) - 1000, 1000) == FILM[-1000:]
                            assert not torrent.life.whole
                            assert await read(film, 0, len(FILM)) == FILM
                        await torrent.complete()
                    buffer = bytearray(len(FILM))
                    two.stores[key].read_into(0, [memoryview(buffer)])
                    assert buffer == FILM
            # The author is offline: what is here stays, and silence is not that nothing changed.
            async with two.on() as reader:
                await asyncio.sleep(3700)
                channel = await reader.channel(followed.key)
                assert channel.shown == first["seq"] and channel.heard_at
                assert [one.item.title for one in (await reader.channel_items(chm.ItemQuery())).items] == ["owl"]

    sim(1, until=1e6).run(main())


