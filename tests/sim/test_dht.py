"""Sessions that find each other in a DHT of their own, in the simulator."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from tests.nodes import Node, done, make, node, settings

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.disk.resume import MemoryResume, ResumeStore
from wildbach.engine.dht import ItemRefused
from wildbach.engine.settings import DhtSettings, Settings
from wildbach.protocol.dht.items import immutable, public_key, signed
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.testing.loop import sim
from wildbach.testing.network import Host, Network

SECRET = bytes(range(32))


def chosen(*bootstrap: Endpoint, **dht: object) -> Settings:
    section = DhtSettings(bootstrap=tuple(map(str, bootstrap)))
    return replace(settings(), dht=replace(section, **dht))  # type: ignore[arg-type]


class World:
    """Sessions whose first one the others begin with."""

    def __init__(self, stack: AsyncExitStack, network: Network | None = None) -> None:
        self.network = network if network is not None else Network()
        self.nodes: list[Node] = []
        self._stack = stack

    async def join(
        self, *, host: Host | None = None, resume: ResumeStore | None = None, first: bool = True, **dht: object
    ) -> Node:
        routers = [self.nodes[0].at] if self.nodes and first else []
        one = await self._stack.enter_async_context(node(
            self.network, len(self.nodes), chosen(*routers, **dht), host=host, udp=True, resume=resume
        ))
        self.nodes.append(one)
        return one

    async def grow(self, count: int) -> None:
        for _ in range(count):
            await self.join()
        for one in self.nodes[1:]:
            assert await one.session.dht.ready(60.0)
        await asyncio.sleep(30)


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_a_magnet_without_a_tracker_is_downloaded(kind: Kind) -> None:
    made = make(kind, {"a": 300_000})

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            await world.nodes[3].seed(made)
            await asyncio.sleep(30)
            leech = world.nodes[9]
            torrent = await leech.add(Magnet(made.metainfo.info.hashes))
            await done(torrent, seconds=60)
            assert leech.holds(made)
            await asyncio.sleep(30)
            view = torrent.dht()
            assert view is not None and view.announced and view.replied >= 8

    sim(1).run(main())


def test_what_a_torrent_waits_for_is_said() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            alone = await world.join()
            torrent = await alone.add(InfoHashes(bytes(20)))
            await asyncio.sleep(5)
            assert "the DHT has 0 nodes yet" in torrent.view().reason
            assert alone.session.dht.view().reason
            await world.grow(10)
            late = await world.nodes[5].add(InfoHashes(bytes(range(20))))
            await asyncio.sleep(40)
            assert "knows nobody" in late.view().reason
            view = alone.session.dht.view()
            assert (view.nodes_v4 >= 8, view.reason, view.torrents) == (True, "", 1)

    sim(1).run(main())


def test_private_and_paused_torrents_are_not_looked_up() -> None:
    private = make("v1", {"a": 70_000}, private=True)
    public = make("v1", {"b": 70_000})

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(10)
            one = await world.nodes[2].seed(private)
            two = await world.nodes[2].seed(public, paused=False)
            assert one.dht() is None and two.dht() is not None
            await two.pause()
            assert two.dht() is None
            await two.resume()
            assert two.dht() is not None
            await asyncio.sleep(60)
            stranger = await world.nodes[5].add(private.metainfo.info.hashes)
            await asyncio.sleep(120)
            assert not stranger.view().known_peers and not stranger.connected

    sim(1).run(main())


def test_downloads_are_announced_before_the_many_that_wait() -> None:
    """A session with many complete torrents and few bytes a second: who downloads does not wait for them."""
    many = [make("v1", {f"s{number}": 20_000}, seed=number) for number in range(60)]
    made = make("v1", {"a": 100_000}, seed=1000)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            await world.nodes[4].seed(made)
            busy = await world.join(upload_rate=1000)
            assert await busy.session.dht.ready(60)
            seeds = [await busy.seed(one) for one in many]
            await asyncio.sleep(5)
            assert busy.session.dht.view().waiting > 30
            assert any("waiting" in seed.dht_part.reason for seed in seeds)
            torrent = await busy.add(Magnet(made.metainfo.info.hashes))
            await done(torrent, seconds=30)
            assert busy.session.dht.view().waiting > 20
            await asyncio.sleep(600)
            assert busy.session.dht.view().waiting == 0
            assert all((view := seed.dht()) is not None and view.announced for seed in seeds)

    sim(1).run(main())


def test_a_session_starts_quickly_from_the_nodes_of_its_last_run() -> None:
    made = make("v1", {"a": 100_000})

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(20)
            await world.nodes[3].seed(made)
            host, store = world.network.host(), MemoryResume()
            async with node(world.network, 99, chosen(world.nodes[0].at), host=host, udp=True, resume=store) as first:
                assert await first.session.dht.ready(60)
                await asyncio.sleep(60)
                ids = first.session.dht.ids
            await asyncio.sleep(3600)
            # No node of the settings this time.
            began = loop.time()
            async with node(world.network, 100, chosen(), host=host, udp=True, resume=store) as again:
                assert await again.session.dht.ready(10)
                assert again.session.dht.ids == ids
                torrent = await again.add(Magnet(made.metainfo.info.hashes))
                await done(torrent, seconds=10)
                assert loop.time() - began < 10

    sim(1).run(main())


def test_nodes_are_met_through_a_torrent_file_and_through_peers() -> None:
    made = make("v1", {"a": 100_000})
    other = make("v1", {"b": 100_000}, seed=2)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(10)
            peer = await world.nodes[2].seed(made)
            assert peer.dht() is not None
            by_file = await world.join(first=False)
            at = world.nodes[4].at
            await by_file.add(replace(other.metainfo, nodes=((at.host, at.port), ("10.0.0.1", 5000))))
            assert await by_file.session.dht.ready(30)
            by_peer = await world.join(first=False)
            torrent = await by_peer.add(made.metainfo, world.nodes[2].at)
            await done(torrent)
            assert await by_peer.session.dht.ready(60)

    sim(1).run(main())


def test_without_a_dht_nothing_is_said_of_it_on_the_wire() -> None:
    made = make("v1", {"a": 100_000})

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(10)
            await world.nodes[2].seed(made)
            off = await world.join(enabled=False)
            torrent = await off.add(made.metainfo, world.nodes[2].at)
            await done(torrent)
            assert torrent.dht() is None and not torrent.dht_part.reason
            assert off.session.dht.view().reason == "the DHT is switched off"
            with pytest.raises(NetworkError, match="no DHT"):
                await off.session.dht.get(bytes(20))

    sim(1).run(main())


def test_lookups_succeed_where_datagrams_are_lost_doubled_and_late_and_nodes_vanish() -> None:
    made = make("v1", {"a": 200_000})

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack, Network(loss=0.15, duplicate=0.05, jitter=0.3))
            await world.grow(24)
            await world.nodes[3].seed(made)
            await asyncio.sleep(60)
            for gone in world.nodes[10:16]:
                gone.host.crash()
            torrent = await world.nodes[20].add(Magnet(made.metainfo.info.hashes))
            await done(torrent, seconds=120)

    sim(1).run(main())


def test_items_are_put_and_found_by_others() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            one, two = world.nodes[2].session.dht, world.nodes[7].session.dht
            stored = await one.put(immutable(b"hello"))
            assert stored.nodes >= 8
            found = await two.get(stored.target)
            assert found is not None and found.value == b"hello"
            assert await two.get(bytes(20)) is None
            first = signed(SECRET, [1, b"x"], 5, b"salt")
            assert (await one.put(first)).nodes >= 8
            assert await two.get_mutable(first.key, b"salt") == first
            assert await two.get_mutable(first.key) is None
            second = signed(SECRET, b"next", 6, b"salt")
            with pytest.raises(ItemRefused):
                await two.put(second, cas=4)
            await two.put(second, cas=5)
            assert await one.get_mutable(first.key, b"salt") == second
            with pytest.raises(ItemRefused):
                await one.put(first)

    sim(1).run(main())


@pytest.mark.slow
def test_an_item_that_is_kept_outlives_the_two_hours_of_nodes_and_a_restart() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            reader = world.nodes[7].session.dht
            host, store = world.network.host(), MemoryResume()
            kept, lost = signed(SECRET, b"kept", 1), immutable(b"lost")
            async with node(world.network, 99, chosen(world.nodes[0].at), host=host, udp=True, resume=store) as first:
                await first.session.dht.put(kept, keep=True)
                await first.session.dht.put(lost)
                await asyncio.sleep(3 * 3600)
                assert await reader.get_mutable(kept.key) == kept
                assert await reader.get(lost.target) is None
            await asyncio.sleep(3 * 3600)
            assert await reader.get_mutable(kept.key) is None
            async with node(world.network, 98, chosen(world.nodes[0].at), host=host, udp=True, resume=store) as again:
                await asyncio.sleep(120)
                assert await reader.get_mutable(kept.key) == kept
                again.session.dht.forget(kept.target)
            assert store.kept("dht_items") == {}

    sim(1).run(main())


def test_a_kept_item_gives_way_to_a_newer_one() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            one, two = world.nodes[2].session.dht, world.nodes[7].session.dht
            old, new = signed(SECRET, b"old", 1), signed(SECRET, b"new", 2)
            await one.put(old, keep=True)
            await two.put(new)
            await asyncio.sleep(4000)
            assert one.kept(old.target) == new
            assert await two.get_mutable(old.key) == new

    sim(1).run(main())


def test_two_nodes_that_know_only_each_other_find_what_one_of_them_published() -> None:
    """Who looks for an item is the only other node there is, so it is stored with nobody else."""
    secret = bytes(range(32))

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            one, two = await world.join(), await world.join()
            assert await one.session.dht.ready(60.0) and await two.session.dht.ready(60.0)
            assert (await one.session.dht.put(signed(secret, b"news", 5, b"s"))).nodes == 1
            found = await two.session.dht.ask(public_key(secret), b"s")
            assert found.item is not None and (found.item.seq, found.replied, found.copies) == (5, 1, 1)
            assert await two.session.dht.get_mutable(public_key(secret), b"s") == found.item
            fixed = immutable(b"what never changes")
            await one.session.dht.put(fixed)
            assert await two.session.dht.get(fixed.target) == fixed
            # The one that put it hears of it from the other, and not from itself.
            assert (await one.session.dht.ask(public_key(secret), b"s")).copies == 1
    sim(9).run(main())


def test_two_nodes_that_know_only_each_other_find_each_others_torrents() -> None:
    """The seed announced itself to the only node there is, which is the one that looks for it."""
    made = make("v2", {"a": 300_000})

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            one, two = await world.join(), await world.join()
            assert await one.session.dht.ready(60.0) and await two.session.dht.ready(60.0)
            await one.seed(made)
            await asyncio.sleep(60)
            torrent = await two.add(Magnet(made.metainfo.info.hashes))
            await done(torrent, seconds=30)
            assert two.holds(made)
    sim(10).run(main())
