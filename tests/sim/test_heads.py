"""Heads under attack and under stress: old answers, silence, two machines, thieves and rotations, in the simulator."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.nodes import EPOCH, Node, done, make, node
from tests.sim.test_dht import World, chosen

from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.disk.keys import Keys
from wildbach.disk.resume import MemoryResume
from wildbach.engine import events
from wildbach.engine.mutable import Following, HeadAhead
from wildbach.protocol.dht.items import Item, public_key, signed
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.ext.head import HeadMessage, encode
from wildbach.protocol.heads import LAST_SEQ, ROTATION, Head, Rotation
from wildbach.protocol.metainfo.magnet import MutableLink
from wildbach.testing.loop import sim

SECRET, RECOVERY = bytes([1]) * 32, bytes([2]) * 32
NEXT, NEXT_RECOVERY = bytes([3]) * 32, bytes([4]) * 32
SALT = b"wb-ch"
LINK = MutableLink(public_key(SECRET), SALT, recovery=public_key(RECOVERY))
BARE = MutableLink(public_key(SECRET), SALT)
ONE, TWO, EVIL, MOVED = (make("hybrid", {"a": 100_000 + 10_000 * number}, seed=number) for number in range(4))


def hashes(made: object) -> InfoHashes:
    return made.metainfo.info.hashes  # type: ignore[attr-defined,no-any-return]  # of a `Made`


def head(made: object, seq: int, secret: bytes = SECRET, recovery: bytes = RECOVERY, **extra: int) -> Item:
    said = {name.encode(): value for name, value in extra.items()}
    value = Head(hashes(made), public_key(recovery) if recovery else b"", said)
    return signed(secret, value.value(), seq, SALT)


def rotation(good: object | None = None, *, former: bytes = SECRET, to: bytes = NEXT, by: bytes = RECOVERY,
             then: bytes = NEXT_RECOVERY, seq: int = 1) -> Item:
    named = {SALT: hashes(good)} if good is not None else {}
    value = Rotation(public_key(former), public_key(to), public_key(then), named)
    return signed(by, value.value(), seq, ROTATION)


def forget_all(world: World) -> None:
    """Every node of the DHT loses the items it keeps for others."""
    for one in world.nodes:
        for home in one.session.dht._nodes.homes.values():
            home.node._items._items.clear()


async def where(follower: Node, made: object, link: MutableLink = LINK, seconds: float = 900.0) -> Following:
    """Wait until the link leads to this torrent."""
    one = await follower.session.mutables.follow(link)
    until = asyncio.get_running_loop().time() + seconds
    while one.torrent != hashes(made).key or one.pending is not None:
        assert asyncio.get_running_loop().time() < until, one.view()
        await asyncio.sleep(1)
    return one


async def world_of(stack: AsyncExitStack, *made: object) -> tuple[World, Node, Node]:
    """A DHT, somebody who seeds all of this, and a follower who asks every minute."""
    world = World(stack)
    await world.grow(10)
    publisher = world.nodes[2]
    for each in made:
        await publisher.seed(each)  # type: ignore[arg-type]  # of `Made`
    return world, publisher, await world.join(follow_seconds=60.0)


def test_what_a_publisher_says_besides_is_read_and_when_it_was_heard() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            _, publisher, follower = await world_of(stack, ONE)
            await publisher.session.dht.put(head(ONE, 5, n=3))
            one = await where(follower, ONE, BARE)
            assert (one.value, one.seq, one.recovery) == ({b"n": 3}, 5, public_key(RECOVERY))
            first = one.heard_at
            assert 0 <= EPOCH + asyncio.get_running_loop().time() - first < 60
            await asyncio.sleep(200)
            assert one.heard_at > first and one.reason == ""

    sim(1).run(main())


def test_silence_is_not_taken_for_no_change() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, publisher, follower = await world_of(stack, ONE)
            await publisher.session.dht.put(head(ONE, 5))
            one = await where(follower, ONE)
            await asyncio.sleep(100)
            forget_all(world)
            await asyncio.sleep(70)
            heard = one.heard_at
            await asyncio.sleep(200)
            view = one.view()
            assert (view.heard_at, view.seq) == (heard, 5)
            assert "does not mean that nothing has changed" in view.reason

    sim(1).run(main())


def test_what_was_the_newest_once_is_known_after_unfollowing_and_a_restart() -> None:
    """An old head never comes back: not by a DHT that was rolled back, nor by following anew."""
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, publisher, _ = await world_of(stack, ONE, TWO)
            host, store = world.network.host(), MemoryResume()
            settings = chosen(world.nodes[0].at, follow_seconds=60.0)
            await publisher.session.dht.put(head(TWO, 7))
            async with node(world.network, 99, settings, host=host, udp=True, resume=store) as first:
                await where(first, TWO)
                await first.session.mutables.unfollow(LINK)
            forget_all(world)
            await publisher.session.dht.put(head(ONE, 6))
            async with node(world.network, 98, settings, host=host, udp=True, resume=store) as again:
                assert (await again.session.restore(), again.session.mutables.followed) == (1, ())
                one = await where(again, TWO)
                await asyncio.sleep(30)
                assert (one.seq, one.torrent) == (7, hashes(TWO).key)
                assert "number 6 only" in one.reason

    sim(1).run(main())


def test_two_machines_with_one_key_do_not_undo_each_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, here, follower = await world_of(stack, ONE, TWO)
            there = world.nodes[4]
            for machine in (here, there):
                machine.session.mutables.use_keys(Keys(tmp_path))
            told = await here.session.mutables.publish(hashes(ONE), key="k", salt=SALT, extra={b"n": 1})
            one = await where(follower, ONE, told.link)
            with pytest.raises(HeadAhead):
                await there.session.mutables.publish(hashes(TWO), key="k", salt=SALT)
            seen = await there.session.mutables.head(key="k", salt=SALT)
            assert (seen.seq, seen.hashes, seen.ours, seen.value[b"n"]) == (told.seq, hashes(ONE), False, 1)
            assert one.seq == told.seq
            again = await there.session.mutables.publish(hashes(TWO), key="k", salt=SALT, adopt=True)
            assert again.seq > told.seq and again.confirmed and again.adopted == hashes(ONE)
            await where(follower, TWO, told.link)

    sim(1).run(main())


def test_a_rotation_outranks_the_highest_number_of_a_thief_and_leads_back_to_the_last_good_head() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, publisher, follower = await world_of(stack, ONE, EVIL, MOVED)
            await publisher.session.dht.put(head(ONE, 5))
            one = await where(follower, ONE)
            thief = world.nodes[5]
            await thief.session.dht.put(head(EVIL, LAST_SEQ, recovery=NEXT))
            await where(follower, EVIL)
            assert (one.seq, one.recovery_differs) == (LAST_SEQ, public_key(NEXT))
            with follower.session.subscribe(events.KeyRotated) as changes:
                await publisher.session.dht.put(rotation(ONE))
                event = await anext(changes)
            assert isinstance(event, events.KeyRotated)
            assert (event.public_key, event.next_key, event.torrent) == (
                LINK.public_key.hex(), public_key(NEXT).hex(), "")
            await where(follower, ONE)
            assert one.rotated_to == public_key(NEXT) and one.recovery == public_key(NEXT_RECOVERY)
            # The thief goes on, and nobody listens; the owner goes on under the other key.
            await thief.session.dht.put(head(EVIL, LAST_SEQ, recovery=NEXT))
            await publisher.session.dht.put(head(MOVED, 1, NEXT, NEXT_RECOVERY))
            await where(follower, MOVED)
            assert (one.seq, one.recovery_differs) == (1, b"")
            await done(*follower.session.torrents)
            assert [torrent.key for torrent in follower.session.torrents] == [hashes(MOVED).key]

    sim(1).run(main())


def test_every_follower_moves_also_by_an_old_link_and_after_a_restart() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, publisher, follower = await world_of(stack, ONE, MOVED)
            store, host = MemoryResume(), world.network.host()
            settings = chosen(world.nodes[0].at, follow_seconds=60.0)
            await publisher.session.dht.put(head(ONE, 5))
            one = await where(follower, ONE)
            async with node(world.network, 99, settings, host=host, udp=True, resume=store) as other:
                await where(other, ONE, BARE)
            await publisher.session.dht.put(rotation(ONE))
            await publisher.session.dht.put(head(MOVED, 1, NEXT, NEXT_RECOVERY))
            await where(follower, MOVED, seconds=3000)
            async with node(world.network, 98, settings, host=host, udp=True, resume=store) as other:
                await other.session.restore()
                two = await where(other, MOVED, BARE, seconds=3000)
                assert two.rotated_to == one.rotated_to == public_key(NEXT)
            # The rotation is known from now on: nobody needs the DHT for it.
            forget_all(world)
            async with node(world.network, 97, settings, host=host, udp=True, resume=store) as other:
                await other.session.restore()
                (view,) = other.session.mutables.followed
                assert (view.rotated_to, view.torrent) == (public_key(NEXT).hex(), hashes(MOVED).key)
            stranger = world.nodes[7]
            await publisher.session.dht.put(rotation(ONE))
            await publisher.session.dht.put(head(MOVED, 1, NEXT, NEXT_RECOVERY))
            await where(stranger, MOVED)

    sim(1).run(main())


@pytest.mark.parametrize("odd", [
    rotation(TWO, by=NEXT), rotation(TWO, former=NEXT, to=SECRET), signed(RECOVERY, [b"x"], 1, ROTATION),
])
def test_what_is_no_rotation_of_this_key_moves_nobody(odd: Item) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            _, publisher, follower = await world_of(stack, ONE)
            await publisher.session.dht.put(odd)
            await publisher.session.dht.put(head(ONE, 5))
            one = await where(follower, ONE)
            await asyncio.sleep(3000)
            assert (one.rotated_to, one.seq, one.torrent) == (b"", 5, hashes(ONE).key)

    sim(1).run(main())


def test_the_first_rotation_counts_and_a_stolen_recovery_key_moves_no_one_who_moved_already() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, publisher, follower = await world_of(stack, ONE, MOVED, EVIL)
            await publisher.session.dht.put(head(ONE, 5))
            await publisher.session.dht.put(rotation(ONE))
            await publisher.session.dht.put(head(MOVED, 1, NEXT, NEXT_RECOVERY))
            one = await where(follower, MOVED)
            await world.nodes[5].session.dht.put(rotation(EVIL, to=bytes([9]) * 32, seq=9))
            await world.nodes[5].session.dht.put(head(EVIL, 9, bytes([9]) * 32, bytes([8]) * 32))
            await asyncio.sleep(9000)
            assert (one.rotated_to, one.torrent) == (public_key(NEXT), hashes(MOVED).key)
            # Nor does anyone who moved keep the false one alive.
            assert follower.session.dht.kept(rotation().target) in (None, rotation(ONE))

    sim(1).run(main())


def test_a_key_gives_way_to_another_twice() -> None:
    last, its = bytes([5]) * 32, bytes([6]) * 32

    async def main() -> None:
        async with AsyncExitStack() as stack:
            _, publisher, follower = await world_of(stack, ONE, TWO)
            await publisher.session.dht.put(head(ONE, 5))
            await publisher.session.dht.put(rotation(ONE))
            await publisher.session.dht.put(rotation(ONE, former=NEXT, to=last, by=NEXT_RECOVERY, then=its))
            await publisher.session.dht.put(head(TWO, 1, last, its))
            one = await where(follower, TWO)
            assert (one.rotated_to, one.recovery) == (public_key(last), public_key(its))

    sim(1).run(main())


def test_a_recovery_key_that_differs_is_asked_about_and_the_users_word_counts() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            _, publisher, follower = await world_of(stack, ONE, TWO)
            await publisher.session.dht.put(head(ONE, 5))
            one = await where(follower, ONE, BARE)
            assert await follower.session.mutables.names_recovery(one, public_key(RECOVERY))
            with follower.session.subscribe(events.RecoveryDiffers) as changes:
                assert not await follower.session.mutables.names_recovery(one, public_key(NEXT_RECOVERY))
                event = await anext(changes)
            assert isinstance(event, events.RecoveryDiffers) and event.recovery == public_key(NEXT_RECOVERY).hex()
            assert (one.recovery, one.recovery_differs) == (public_key(RECOVERY), public_key(NEXT_RECOVERY))
            await publisher.session.dht.put(rotation(ONE, by=NEXT_RECOVERY, then=bytes([7]) * 32))
            await asyncio.sleep(3000)
            assert one.rotated_to == b""
            await follower.session.mutables.pin(BARE, public_key(NEXT_RECOVERY))
            await asyncio.sleep(100)
            assert one.rotated_to == public_key(NEXT)

    sim(1).run(main())


async def stolen(world: World, tmp_path: Path) -> tuple[Node, Keys, MutableLink]:
    """The owner has published ONE as a channel and as a site under one key, which a thief has copied."""
    owner, keys = world.nodes[2], Keys(tmp_path)
    owner.session.mutables.use_keys(keys)
    told = await owner.session.mutables.publish(hashes(ONE), key="k", salt=SALT, extra={b"n": 4})
    await owner.session.mutables.publish(hashes(TWO), key="k")
    thief = keys.get("k")
    value = Head(hashes(EVIL), public_key(bytes([9]) * 32)).value()
    await world.nodes[5].session.dht.put(signed(thief, value, LAST_SEQ, SALT))
    return owner, keys, told.link


def test_an_owner_whose_key_was_stolen_rotates_it_and_all_followers_move(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, _, follower = await world_of(stack, ONE, TWO, EVIL, MOVED)
            second = await world.join(follow_seconds=100.0)
            owner, keys, link = await stolen(world, tmp_path)
            site = MutableLink(link.public_key, recovery=link.recovery)
            await where(follower, EVIL, link)
            await where(second, TWO, site)
            with pytest.raises(HeadAhead):
                await owner.session.mutables.publish(hashes(ONE), key="k", salt=SALT)
            recovery = keys.recovery("k")
            keys.erase_recovery("k")
            with pytest.raises(UsageError) as caught:
                await owner.session.mutables.rotate("k")
            assert caught.value.code == "recovery_needed"
            with pytest.raises(UsageError) as caught:
                await owner.session.mutables.rotate("k", recovery=bytes(32))
            assert caught.value.code == "wrong_recovery"

            done = await owner.session.mutables.rotate("k", recovery=recovery or b"")
            assert done.confirmed and done.nodes >= 8 and done.unpublished == ()
            assert done.good == {b"": hashes(TWO), SALT: hashes(ONE)}
            assert [one.salt for one in done.links] == [b"", SALT]
            assert (keys.facts("k").public, keys.facts("k").recovery) == (done.key.hex(), done.recovery.hex())
            with pytest.raises(UsageError) as caught:
                await owner.session.mutables.publish(hashes(ONE), key="k.former-1", salt=SALT)
            assert caught.value.code == "key_rotated"

            one = await where(follower, ONE, link, seconds=3000)
            assert one.value == {b"n": 4} and one.rotated_to == done.key
            await asyncio.sleep(3000)  # nothing new was published: it is asked for once in 24 rounds
            assert (await where(second, TWO, site)).rotated_to == done.key
            told = await owner.session.mutables.publish(hashes(MOVED), key="k", salt=SALT)
            assert told.link in done.links
            await where(follower, MOVED, link)
            await where(world.nodes[7], MOVED, link)

    sim(1).run(main())


def test_a_rotation_that_the_dht_did_not_take_is_gone_on_with(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, _, follower = await world_of(stack, ONE, TWO, EVIL)
            owner, keys, link = await stolen(world, tmp_path)
            before, put = keys.facts("k"), owner.session.dht.put

            async def fail(*_: object, **__: object) -> None:
                raise NetworkError("no node of the DHT took the item")

            owner.session.dht.put = fail  # type: ignore[assignment,method-assign]  # the network goes away right then
            with pytest.raises(NetworkError):
                await owner.session.mutables.rotate("k")
            assert keys.facts("k") == before
            owner.session.dht.put = put  # type: ignore[method-assign]
            done = await owner.session.mutables.rotate("k")
            assert keys.facts("k").public == done.key.hex()
            await where(follower, ONE, link, seconds=3000)

    sim(1).run(main())


def test_a_recovery_key_that_a_thief_used_first_cannot_be_used_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, _, _ = await world_of(stack, ONE, TWO, EVIL)
            owner, keys, _ = await stolen(world, tmp_path)
            theirs = Rotation(bytes.fromhex(keys.facts("k").public), public_key(NEXT), public_key(NEXT_RECOVERY))
            await world.nodes[5].session.dht.put(signed(keys.recovery("k") or b"", theirs.value(), 1, ROTATION))
            with pytest.raises(UsageError) as caught:
                await owner.session.mutables.rotate("k")
            assert caught.value.code == "already_rotated"
            assert keys.names() == ["k"]

    sim(1).run(main())


def silence(*followers: Node) -> None:
    """The DHT gives these no answer from now on."""
    async def ask(_key: bytes, _salt: bytes = b"") -> None:
        raise NetworkError("no node of the DHT replied")

    for one in followers:
        one.session.dht.ask = ask  # type: ignore[assignment,method-assign]  # an eclipse


def test_where_the_dht_is_silent_peers_tell_each_other_of_a_new_head(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, owner, first = await world_of(stack, ONE, TWO)
            owner.session.mutables.use_keys(Keys(tmp_path))
            told = await owner.session.mutables.publish(hashes(ONE), key="k", salt=SALT)
            others = [await world.join(follow_seconds=60.0) for _ in range(4)]
            followers = [first, *others]
            for one in followers:
                await where(one, ONE, told.link)
            await done(*(torrent for one in followers for torrent in one.session.torrents))
            await asyncio.sleep(60)
            silence(*followers)
            await asyncio.sleep(200)
            await owner.session.mutables.publish(hashes(TWO), key="k", salt=SALT)
            for one in followers:
                following = await where(one, TWO, told.link, seconds=60)
                assert 0 <= EPOCH + asyncio.get_running_loop().time() - following.heard_at < 60

    sim(1).run(main())


def test_peers_tell_each_other_of_a_rotation_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, _, follower = await world_of(stack, ONE, TWO, EVIL)
            second = await world.join(follow_seconds=60.0)
            owner, _, link = await stolen(world, tmp_path)
            for one in (follower, second):
                await where(one, EVIL, link)
            await done(*follower.session.torrents, *second.session.torrents)
            silence(second)
            done_ = await owner.session.mutables.rotate("k")
            # Only one of the two hears of it from the DHT, as the owner is not in the torrent of the thief.
            follower.session.mutables.look(link)
            await asyncio.sleep(3000)
            for one in (follower, second):
                (view,) = one.session.mutables.followed
                assert view.rotated_to == done_.key.hex()

    sim(1).run(main())


def test_a_peer_that_forges_a_head_is_dropped_and_nothing_changes() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, publisher, follower = await world_of(stack, ONE)
            await publisher.session.dht.put(head(ONE, 5))
            one = await where(follower, ONE)
            await done(*follower.session.torrents)
            liar = await world.join(follow_seconds=60.0)
            await where(liar, ONE)
            await done(*liar.session.torrents)
            await asyncio.sleep(30)
            (torrent,) = liar.session.torrents
            assert torrent.connected
            genuine = head(EVIL, 9, secret=NEXT)
            forged = Item(genuine.raw, public_key(SECRET), SALT, 9, genuine.signature)
            for peer in list(torrent.swarm.peers.values()):
                peer.extend(Extension.WB_HEAD, encode(HeadMessage(items=(forged,))))
            with follower.session.subscribe(events.PeerDropped) as drops:
                async with asyncio.timeout(10):
                    event = await anext(drops)
            assert isinstance(event, events.PeerDropped) and "signature" in event.reason
            assert (one.seq, one.torrent) == (5, hashes(ONE).key)

    sim(1).run(main())


def test_who_fetches_on_its_own_watches_the_head_alone() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            world, publisher, reader = await world_of(stack, ONE)
            mutables = reader.session.mutables
            one = await mutables.watch(BARE)
            await mutables.refresh(one)
            assert (one.hashes, one.seq, one.heard, one.failure) == (None, -1, False, None)
            await publisher.session.dht.put(head(ONE, 5, n=3))
            await mutables.refresh(one)
            assert (one.hashes, one.seq, one.heard, one.key) == (hashes(ONE), 5, True, BARE.public_key)
            assert one.value == {b"n": 3} and mutables.followed == () and reader.session.torrents == ()
            # A thief, an old answer, a rotation, silence.
            forget_all(world)
            reader.session.dht.forget(head(ONE, 5).target)
            await world.nodes[5].session.dht.put(head(TWO, 4))
            await mutables.refresh(one)
            assert (one.hashes, one.heard) == (hashes(ONE), False) and "number 4 only" in one.reason
            await world.nodes[5].session.dht.put(head(EVIL, LAST_SEQ))
            await mutables.refresh(one)
            assert (one.hashes, one.seq) == (hashes(EVIL), LAST_SEQ)
            await publisher.session.dht.put(rotation(ONE))
            one.rotation_at = 0.0
            await mutables.refresh(one)
            assert (one.hashes, one.seq, one.key) == (hashes(ONE), -1, public_key(NEXT))
            await publisher.session.dht.put(head(MOVED, 1, NEXT, NEXT_RECOVERY))
            await mutables.refresh(one)
            assert (one.hashes, one.seq, one.heard) == (hashes(MOVED), 1, True)
            silence(reader)
            await mutables.refresh(one)
            assert (one.hashes, one.heard, one.failure is not None) == (hashes(MOVED), False, True)
            again = await mutables.watch(BARE)
            assert again is one
            mutables.unwatch(one)
            assert reader.session.dht.kept(head(MOVED, 1, NEXT, NEXT_RECOVERY).target) is None
            fresh = await mutables.watch(BARE)
            assert fresh is not one and (fresh.hashes, fresh.seq) == (hashes(MOVED), 1)

    sim(1).run(main())


def test_a_watched_head_that_comes_from_a_peer_is_told_of(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            _, owner, reader = await world_of(stack, ONE, TWO)
            owner.session.mutables.use_keys(Keys(tmp_path))
            link = (await owner.session.mutables.publish(hashes(ONE), key="k", salt=SALT)).link
            one = await reader.session.mutables.watch(link)
            await reader.session.mutables.refresh(one)
            await done(await reader.add(ONE.metainfo))
            silence(reader)
            told = asyncio.Event()
            one.told = told.set
            await owner.session.mutables.publish(hashes(TWO), key="k", salt=SALT)
            async with asyncio.timeout(10):
                await told.wait()
            await reader.session.mutables.refresh(one)
            assert (one.hashes, one.heard) == (hashes(TWO), True)

    sim(1).run(main())
