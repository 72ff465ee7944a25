"""Complete torrents sleep until somebody asks: restored without their files, woken by a caller, asleep again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
from tests.sim.test_dht import World

from nodes import Made, Node, done, make, node, settings
from wildbach.base import bitfield
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.resume import MemoryResume, Progress, ResumeRecord
from wildbach.disk.storage import Storage
from wildbach.engine.brief import FIELD, Brief
from wildbach.engine.session import Session
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.testing.loop import sim
from wildbach.testing.nat import NatKind
from wildbach.testing.network import Network

SIZES = {"a": 300_001, "b/c": 70_000}


def remembered(made: Sequence[Made], **facts: bool) -> MemoryResume:
    """The state of a run in which these were complete."""
    resume = MemoryResume()
    for one in made:
        info = one.metainfo.info
        count = info.geometry.piece_count
        record = ResumeRecord(
            info.hashes.key, name=info.name, save_path="/there", completed_at=1.0,
            progress=Progress(count, durable=bitfield.full(count)),
        )
        brief = Brief(info.name, info.size, count, tiers=(("http://tracker.example/announce",),), **facts)
        record.options[FIELD] = brief.to_json(info.hashes)
        resume.save(record, one.metainfo.to_bytes())
    return resume


@asynccontextmanager
async def sleeper(network: Network, made: Sequence[Made], resume: MemoryResume) -> AsyncIterator[Node]:
    """A machine whose session has a state of before; `stores` tells what was opened."""
    host = network.host()
    filled = {one.metainfo.info.hashes.key: one for one in made}
    stores: dict[str, MemoryStorage] = {}

    def open_storage(info: Info, _options: object) -> Storage:
        store = stores[info.hashes.key] = MemoryStorage(info)
        one = filled[info.hashes.key]
        for piece in range(info.geometry.piece_count):
            store.write(piece * info.piece_length, [memoryview(one.piece(piece))])
        return store

    rng = Random(hashlib.sha256(host.address.encode()).digest())
    chosen = replace(settings(), disk=replace(settings().disk, sleep_after=60.0))
    session = Session(
        chosen, transport=host.transport, storage=open_storage, rng=rng, announcers=(), resume=resume,
    )
    async with session:
        yield Node(host, session, filled, stores)
        assert session.internal_errors == 0


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
@pytest.mark.parametrize("magnet", [False, True])
def test_a_caller_wakes_a_torrent_and_gets_it(kind: Kind, magnet: bool) -> None:
    wanted, other = make(kind, SIZES), make(kind, {"x": 100_000}, seed=2)

    async def main() -> None:
        network = Network()
        resume = remembered([wanted, other])
        async with sleeper(network, [wanted, other], resume) as seed, node(network) as leech:
            assert await seed.session.restore() == 2
            assert [t.view().state for t in seed.session.torrents] == ["seeding", "seeding"]
            assert [t.view().progress for t in seed.session.torrents] == [1.0, 1.0]
            assert [t.view().name for t in seed.session.torrents] == ["made", "made"]
            await asyncio.sleep(600)
            assert not seed.stores
            hashes = wanted.metainfo.info.hashes
            torrent = await leech.add(Magnet(hashes).to_uri() if magnet else wanted.metainfo, seed.at)
            await done(torrent)
            assert leech.holds(wanted)
            assert list(seed.stores) == [hashes.key]
            assert [t.asleep for t in seed.session.torrents] == [False, True]

    sim().run(main())


def test_it_sleeps_again_and_can_be_woken_again() -> None:
    made = make("hybrid", SIZES)

    async def main() -> None:
        network = Network()
        async with sleeper(network, [made], remembered([made])) as seed:
            await seed.session.restore()
            (ours,) = seed.session.torrents
            for run in range(1, 4):
                async with node(network) as leech:
                    await done(await leech.add(made.metainfo, seed.at))
                    assert not ours.asleep
                await asyncio.sleep(120)
                assert ours.asleep and ours.metainfo is None and ours.holdings is None
                view = ours.view()
                assert view.uploaded == run * made.metainfo.info.size and view.state == "seeding"
                assert (view.done, view.pieces_have) == (view.size, ours.view().pieces_have)

    sim().run(main())


def test_many_callers_at_once_wake_it_once() -> None:
    made = make("v1", SIZES)

    async def main() -> None:
        network = Network()
        async with (
            sleeper(network, [made], remembered([made])) as seed,
            node(network) as one, node(network) as two, node(network) as three,
        ):
            await seed.session.restore()
            torrents = [await leech.add(made.metainfo, seed.at) for leech in (one, two, three)]
            await done(*torrents)
            assert len(seed.session.torrents[0].peers()) <= 3

    sim().run(main())


def test_what_the_user_asks_wakes_it_too() -> None:
    made = make("v1", SIZES)

    async def main() -> None:
        network = Network()
        async with sleeper(network, [made], remembered([made])) as seed, node(network) as leech:
            await seed.session.restore()
            (ours,) = seed.session.torrents
            await ours.complete()
            assert ours.asleep and ours.files() == () and ours.peers() == ()
            assert [view.url for view in ours.trackers()] == ["http://tracker.example/announce"]
            torrent = await leech.add(made.metainfo)
            ours.add_peer(leech.at)
            await done(torrent)
            assert (await ours.metadata()).name == "made"
            assert [file.have for file in ours.files()] == [300_001, 70_000]

    sim().run(main())


def test_a_paused_one_stays_paused_and_lets_nobody_in() -> None:
    made = make("v1", SIZES)

    async def main() -> None:
        network = Network()
        resume = remembered([made])
        async with sleeper(network, [made], resume) as seed:
            await seed.session.restore()
            await seed.session.torrents[0].pause()
            await asyncio.sleep(1)
        async with sleeper(network, [made], resume) as seed, node(network) as leech:
            await seed.session.restore()
            (ours,) = seed.session.torrents
            assert ours.view().state == "paused"
            torrent = await leech.add(made.metainfo, seed.at)
            await asyncio.sleep(60)
            assert torrent.view().done == 0 and not seed.stores
            await ours.resume()
            await done(torrent)

    sim().run(main())


def test_a_torrent_whose_metainfo_is_lost_stops_with_the_reason() -> None:
    made = make("v1", SIZES)

    async def main() -> None:
        network = Network()
        resume = remembered([made])
        async with sleeper(network, [made], resume) as seed, node(network) as leech:
            await seed.session.restore()
            resume._metainfo.clear()
            await leech.add(made.metainfo, seed.at)
            await asyncio.sleep(5)
            view = seed.session.torrents[0].view()
            assert (view.state, view.code) == ("stopped", "state_damaged")

    sim().run(main())


def test_removal_and_adding_again_know_a_sleeper() -> None:
    made = make("hybrid", SIZES)

    async def main() -> None:
        network = Network()
        async with sleeper(network, [made], remembered([made])) as seed:
            await seed.session.restore()
            (ours,) = seed.session.torrents
            assert await seed.session.add(made.metainfo) is ours and ours.asleep
            await seed.session.remove(ours)
            assert seed.session.torrents == ()

    sim().run(main())


def test_what_was_not_complete_goes_on() -> None:
    made = make("v2", SIZES)

    async def main() -> None:
        network = Network()
        resume = MemoryResume()
        info = made.metainfo.info
        resume.save(ResumeRecord(info.hashes.key, name=info.name, progress=Progress(info.geometry.piece_count)),
                    made.metainfo.to_bytes())
        async with sleeper(network, [made], resume) as behind, node(network) as seed:
            await seed.seed(made)
            assert await behind.session.restore() == 1
            (torrent,) = behind.session.torrents
            torrent.add_peer(seed.at)
            await done(torrent)
            await asyncio.sleep(200)
            assert torrent.asleep
        async with sleeper(network, [made], resume) as again:
            assert await again.session.restore() == 1
            assert again.session.torrents[0].asleep

    sim().run(main())


def test_who_is_behind_a_router_wakes_when_the_dht_names_somebody() -> None:
    """Nobody can call the sleeper, so it has to call; its next lookup names who came meanwhile."""
    made = make("v2", SIZES)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            home = await world.join(host=world.network.home(NatKind.PORT_RESTRICTED), resume=MemoryResume())
            ours = await home.seed(made)
            await asyncio.sleep(600)
            assert ours.asleep
            torrent = await world.nodes[9].add(Magnet(made.metainfo.info.hashes))
            await asyncio.sleep(120)
            assert torrent.view().done == 0 and ours.asleep
            await done(torrent, seconds=1000)
            assert world.nodes[9].holds(made)
            # It sleeps again, also while the DHT goes on to name those it was woken for.
            await torrent.pause()
            await asyncio.sleep(2000)
            assert ours.asleep

    sim(1).run(main())
