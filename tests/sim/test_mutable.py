"""Torrents that are published under a key, followed and updated through the DHT alone (BEP 46), in the simulator."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.nodes import Made, Node, done, make, node
from tests.sim.test_dht import World, chosen

from wildbach.base.errors import UsageError
from wildbach.disk.keys import Keys
from wildbach.disk.resume import MemoryResume
from wildbach.engine import events
from wildbach.engine.torrent import Torrent
from wildbach.protocol.dht.items import public_key, signed
from wildbach.protocol.heads import hashes_of, value_of
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.magnet import Magnet, MutableLink
from wildbach.testing.loop import sim

SECRET = bytes(range(32))
LINK = MutableLink(public_key(SECRET), b"tunes")
OLD, NEW = make("v1", {"a": 200_000, "b": 90_000}, seed=1), make("v1", {"a": 200_000, "c": 50_000}, seed=2)


async def publish(one: Node, made: Made, seq: int) -> None:
    await one.session.dht.put(signed(SECRET, value_of(made.metainfo.info.hashes), seq, b"tunes"))


async def updated(one: Node, key: str, seconds: float = 600.0) -> events.MutableUpdated:
    """The event that the torrent `key` took over. To be asked for before it happens."""
    async with asyncio.timeout(seconds):
        with one.session.subscribe(events.MutableUpdated) as changes:
            async for event in changes:
                if isinstance(event, events.MutableUpdated) and event.torrent == key:
                    return event
    raise AssertionError("no update")


async def newest(one: Node, made: Made) -> Torrent:
    """The follower's torrent, once it is the one that was made, and complete."""
    key = made.metainfo.info.hashes.key
    if not any(view.torrent == key for view in one.session.mutables.followed):
        await updated(one, key)
    torrent = one.session.torrent(key)
    assert torrent is not None
    await done(torrent)
    assert one.holds(made)
    return torrent


async def begun(world: World) -> tuple[Node, Node]:
    """A DHT with somebody who seeds OLD and has published it as number 1, and one who can follow that."""
    await world.grow(12)
    publisher = world.nodes[2]
    follower = await world.join(follow_seconds=60.0)
    await publisher.seed(OLD)
    await publish(publisher, OLD, 1)
    return publisher, follower


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_a_torrent_is_published_and_followed_across_an_update(kind: Kind, tmp_path: Path) -> None:
    old, new = make(kind, {"a": 200_000}, seed=1), make(kind, {"a": 210_000}, seed=2)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(9)
            publisher, follower = world.nodes[2], await world.join(follow_seconds=200.0)
            publisher.session.mutables.use_keys(Keys(tmp_path))
            one = await publisher.seed(old)
            told = await publisher.session.mutables.publish(one, key="tunes", salt=b"s")
            assert told.link.salt == b"s" and told.nodes >= 8 and told.confirmed
            assert 0 <= publisher.session._wall() - told.seq < 60
            first = await follower.add(told.link.to_uri())
            assert first.hashes.matches(old.metainfo.info.hashes)
            await newest(follower, old)

            two = await publisher.seed(new)
            again = await publisher.session.mutables.publish(two, key="tunes", salt=b"s")
            assert again.seq > told.seq and again.link == told.link
            event = await updated(follower, new.metainfo.info.hashes.key, 5000)
            assert (event.seq, event.former, event.public_key) == (again.seq, first.key, told.link.public_key.hex())
            torrent = await newest(follower, new)
            assert follower.session.torrents == (torrent,)
            # The same torrent again is no news.
            assert (await publisher.session.mutables.publish(two, key="tunes", salt=b"s")).seq == again.seq

    sim(1).run(main())


def test_an_older_number_and_a_wrong_signature_change_nothing() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            publisher, follower = await begun(world)
            await publisher.seed(NEW)
            await publish(publisher, NEW, 7)
            await follower.add(LINK)
            await newest(follower, NEW)
            # All nodes forget it, and somebody has kept what was the newest before.
            for home in [home for one in world.nodes for home in one.session.dht._nodes.homes.values()]:
                home.node._items._items.clear()
            follower.session.dht.forget(signed(SECRET, b"", 0, b"tunes").target)
            await publish(publisher, OLD, 6)
            await asyncio.sleep(300)
            (view,) = follower.session.mutables.followed
            assert (view.seq, view.torrent) == (7, NEW.metainfo.info.hashes.key)
            # Something that is no torrent is no news either.
            await publisher.session.dht.put(signed(SECRET, [b"x"], 8, b"tunes"))
            await asyncio.sleep(300)
            (view,) = follower.session.mutables.followed
            assert (view.seq, view.torrent) == (7, NEW.metainfo.info.hashes.key)
            assert "no torrent" in view.reason

    sim(1).run(main())


def test_following_goes_on_after_a_restart() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            publisher = world.nodes[2]
            await publisher.seed(OLD)
            await publish(publisher, OLD, 1)
            host, store = world.network.host(), MemoryResume()
            settings = chosen(world.nodes[0].at)
            async with node(world.network, 99, settings, host=host, udp=True, resume=store) as first:
                await first.add(LINK)
                await newest(first, OLD)
            await publisher.seed(NEW)
            await publish(publisher, NEW, 2)
            async with node(world.network, 98, settings, host=host, udp=True, resume=store) as again:
                assert await again.session.restore() == 1
                assert len(again.session.mutables.followed) == 1
                await newest(again, NEW)
                assert [torrent.key for torrent in again.session.torrents] == [NEW.metainfo.info.hashes.key]
                await again.session.mutables.unfollow(LINK)
            async with node(world.network, 97, settings, host=host, udp=True, resume=store) as last:
                assert await last.session.restore() == 1
                assert last.session.mutables.followed == ()

    sim(1).run(main())


def test_a_newer_one_takes_the_place_of_one_that_nobody_has() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            publisher, follower = await begun(world)
            await follower.add(LINK)
            await newest(follower, OLD)
            lost = make("v1", {"x": 20_000}, seed=9)
            await publish(publisher, lost, 2)
            await asyncio.sleep(200)
            (view,) = follower.session.mutables.followed
            assert (view.seq, view.torrent) == (1, OLD.metainfo.info.hashes.key)
            assert view.next_torrent == lost.metainfo.info.hashes.key
            await publisher.seed(NEW)
            await publish(publisher, NEW, 3)
            torrent = await newest(follower, NEW)
            assert follower.session.torrents == (torrent,)

    sim(1).run(main())


def test_a_torrent_that_is_removed_is_followed_no_more() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            await world.nodes[2].seed(OLD)
            await publish(world.nodes[2], OLD, 1)
            follower = world.nodes[8]
            torrent = await follower.add(LINK)
            await follower.session.remove(torrent)
            assert follower.session.mutables.followed == ()
            assert len(follower.session.torrents) == 0

    sim(1).run(main())


def test_a_paused_torrent_is_updated_and_stays_paused() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            publisher, follower = await begun(world)
            torrent = await follower.add(LINK)
            await done(torrent)
            await torrent.pause()
            await publisher.seed(NEW)
            await publish(publisher, NEW, 2)
            await updated(follower, NEW.metainfo.info.hashes.key)
            (new,) = follower.session.torrents
            await asyncio.sleep(5)
            (new,) = follower.session.torrents
            assert new.state == "paused" and new.key == NEW.metainfo.info.hashes.key

    sim(1).run(main())


def test_a_link_that_names_a_torrent_too_begins_with_that() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(12)
            publisher, follower = world.nodes[2], world.nodes[8]
            await publisher.seed(OLD)
            torrent = await follower.add(MutableLink(LINK.public_key, b"tunes", first=Magnet(OLD.metainfo.info.hashes)))
            await done(torrent)
            await publisher.seed(NEW)
            await publish(publisher, NEW, 1)
            await newest(follower, NEW)

    sim(1).run(main())


def test_what_cannot_be_published_is_refused(tmp_path: Path) -> None:
    private = make("v1", {"a": 20_000}, private=True)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(9)
            one = world.nodes[2]
            torrent = await one.seed(OLD)
            with pytest.raises(UsageError, match="data directory"):
                await one.session.mutables.publish(torrent)
            one.session.mutables.use_keys(Keys(tmp_path))
            with pytest.raises(UsageError, match="private"):
                await one.session.mutables.publish(await one.seed(private))

    sim(1).run(main())


def test_values_lead_to_torrents_of_every_kind_and_others_to_none() -> None:
    for kind in ("v1", "v2", "hybrid"):
        hashes = make(kind, {"a": 20_000}).metainfo.info.hashes  # type: ignore[arg-type]  # the three kinds
        assert hashes_of(signed(SECRET, value_of(hashes), 1)) == hashes
    for odd in (b"x", 1, [], {}, {b"ih": b"short"}, {b"ih": 1}, {b"ih2": bytes(32)}):
        assert hashes_of(signed(SECRET, odd, 1)) is None  # type: ignore[arg-type]  # values of several types
