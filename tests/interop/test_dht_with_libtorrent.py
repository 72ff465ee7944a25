"""One DHT on loopback, of nodes of this engine and of libtorrent's: peers, items and magnets both ways."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.folders import make_folder, make_torrent, same
from tests.interop.engines import address, settings, until
from tests.interop.peers import lt
from tests.interop.peers.process import JsonProcess, lt_process

from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.disk.keys import Keys
from wildbach.engine import events
from wildbach.engine.mutable import HeadAhead
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import DhtSettings
from wildbach.engine.torrent import Torrent
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import immutable, public_key, signed
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]
SECONDS = 40.0
SECRET = bytes(range(32))
HASH = bytes(range(100, 120))


def expanded(seed: bytes) -> bytes:
    """The 64 bytes libtorrent knows a secret key by."""
    raw = bytearray(hashlib.sha512(seed).digest())
    raw[0] &= 248
    raw[31] = raw[31] & 63 | 64
    return bytes(raw)


@pytest.fixture
def theirs() -> Iterator[list[JsonProcess]]:
    """Three nodes of libtorrent that know each other."""
    nodes: list[JsonProcess] = []
    try:
        for _ in range(3):
            nodes.append(lt_process(lt.DHT))
        ports = [node.wait("ready")["port"] for node in nodes]
        for node, port in zip(nodes, [*ports[1:], ports[0]], strict=True):
            node.send(cmd="dht_node", host="127.0.0.1", port=port)
        yield nodes
    finally:
        for node in nodes:
            node.close()


def ports(nodes: list[JsonProcess]) -> list[int]:
    return [event["port"] for node in nodes for event in node.events if event["event"] == "ready"]


async def heard(node: JsonProcess, *names: str, **match: object) -> dict[str, Any]:
    """The next event of such a name from libtorrent."""
    return await asyncio.to_thread(node.wait, *names, seconds=SECONDS, **match)


async def repeated(node: JsonProcess, command: dict[str, object], name: str, wanted: str) -> dict[str, Any]:
    """Have libtorrent ask until its answer has something under `wanted`: its table fills in its own time."""
    async with asyncio.timeout(SECONDS):
        while True:
            node.send(**command)
            answer = await heard(node, name)
            if answer[wanted]:
                return answer


@asynccontextmanager
async def ours(
    count: int, theirs: list[JsonProcess], *, nodes: int = 3, **dht: object,
) -> AsyncIterator[list[Session]]:
    """Sessions that begin with libtorrent's nodes, and know so many before anything begins."""
    bootstrap = tuple(f"127.0.0.1:{port}" for port in ports(theirs))
    section = replace(DhtSettings(bootstrap=bootstrap), **dht)  # type: ignore[arg-type]
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS):
        sessions = [
            await stack.enter_async_context(Session(replace(settings(), dht=section))) for _ in range(count)
        ]
        for session in sessions:
            await until(lambda s=session: s.dht.view().nodes_v4 >= nodes)  # type: ignore[misc]  # bound at once
        yield sessions
        assert [session.internal_errors for session in sessions] == [0] * count


async def looked_up(torrent: Torrent) -> None:
    """Look the torrent up once more."""
    torrent.reannounce()
    await until(lambda: (view := torrent.dht()) is not None and not view.looking and not view.waiting)


async def finished(torrent: Torrent) -> None:
    try:
        async with asyncio.timeout(SECONDS):
            await torrent.complete()
    except TimeoutError:
        pytest.fail(f"{torrent.view()} {torrent.peers()} {torrent.dht()}")


def test_peers_are_found_both_ways(theirs: list[JsonProcess], tmp_path: Path) -> None:
    async def main() -> None:
        async with ours(3, theirs) as (one, two, three):
            # libtorrent announces, we find it.
            theirs[0].send(cmd="dht_announce", info_hash=HASH.hex(), port=12345)
            torrent = await one.add(InfoHashes(HASH), AddOptions(save_path=tmp_path))
            while Endpoint("127.0.0.1", 12345) not in torrent.links.known.endpoints():
                # It may be a moment until libtorrent has announced.
                await looked_up(torrent)
            # We announced ourselves, and libtorrent finds us.
            await until(lambda: (view := torrent.dht()) is not None and view.announced >= 3, story=torrent.dht)
            async with asyncio.timeout(SECONDS):
                found: list[list[object]] = []
                while ["127.0.0.1", address(one).port] not in found:
                    theirs[2].send(cmd="dht_peers", info_hash=HASH.hex())
                    found = (await heard(theirs[2], "dht_peers", info_hash=HASH.hex()))["peers"]
            # libtorrent's nodes tell the others of us.
            await until(lambda: two.dht.view().nodes_v4 >= 4 and three.dht.view().nodes_v4 >= 4)

    asyncio.run(main())


def test_the_size_of_a_swarm_is_counted(theirs: list[JsonProcess], tmp_path: Path) -> None:
    async def main() -> None:
        async with ours(2, theirs) as (one, two):
            torrent = await one.add(InfoHashes(HASH), AddOptions(save_path=tmp_path))
            await until(lambda: (view := torrent.dht()) is not None and view.announced >= 3, story=torrent.dht)
            other = await two.add(InfoHashes(HASH), AddOptions(save_path=tmp_path))
            async with asyncio.timeout(SECONDS):
                while (view := other.dht()) is None or not view.leeches:
                    other.scrape()
                    await looked_up(other)
            assert (view.seeds, view.leeches) == (0, 1)

    asyncio.run(main())


def test_immutable_items_are_found_both_ways(theirs: list[JsonProcess]) -> None:
    async def main() -> None:
        async with ours(2, theirs) as (one, two):
            theirs[0].send(cmd="dht_put", value=b"from libtorrent".hex())
            target = bytes.fromhex((await heard(theirs[0], "dht_target"))["target"])
            assert (await heard(theirs[0], "dht_put"))["nodes"] >= 1
            found = await one.dht.get(target)
            assert found is not None and found.value == b"from libtorrent"
            stored = await two.dht.put(immutable(b"from here"))
            assert stored.nodes >= 3
            answer = await repeated(theirs[1], {"cmd": "dht_get", "target": stored.target.hex()}, "dht_item", "value")
            assert bytes.fromhex(answer["value"]) == bencode.encode(b"from here")

    asyncio.run(main())


@pytest.mark.parametrize("salt", [b"", b"with salt"])
def test_mutable_items_are_found_and_replaced_both_ways(theirs: list[JsonProcess], salt: bytes) -> None:
    key = public_key(SECRET)

    async def main() -> None:
        async with ours(2, theirs) as (one, two):
            theirs[0].send(
                cmd="dht_put_mutable", secret=expanded(SECRET).hex(), key=key.hex(), salt=salt.hex(),
                value=b"first".hex(),
            )
            assert (await heard(theirs[0], "dht_put"))["nodes"] >= 1
            first = await one.dht.get_mutable(key, salt)
            assert first is not None and first.value == b"first"
            second = signed(SECRET, b"second", first.seq + 1, salt)
            assert (await two.dht.put(second, cas=first.seq)).nodes >= 3
            async with asyncio.timeout(SECONDS):
                answer: dict[str, Any] = {"seq": 0}
                while answer["seq"] < second.seq:
                    theirs[1].send(cmd="dht_get_mutable", key=key.hex(), salt=salt.hex())
                    answer = await heard(theirs[1], "dht_mutable", authoritative=True)
            assert bytes.fromhex(answer["value"]) == bencode.encode(b"second")
            assert await one.dht.get_mutable(key, salt) == second

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_a_magnet_without_a_tracker_is_downloaded_through_the_dht_only(
    theirs: list[JsonProcess], tmp_path: Path, kind: Kind,
) -> None:
    """libtorrent seeds for us, then we seed for another libtorrent."""
    folder = make_folder(tmp_path / "source", "dht", {"a.bin": 300_000, "b.bin": 5})
    torrent = tmp_path / "t.torrent"
    metainfo = make_torrent(folder, kind)
    torrent.write_bytes(metainfo.to_bytes())
    hashes = metainfo.info.hashes

    async def main() -> None:
        async with ours(2, theirs) as (one, _):
            theirs[0].send(cmd="add", id="s", torrent=str(torrent), save=str(folder.parent), dht=True)
            await heard(theirs[0], "finished")
            mine = await one.add(Magnet(hashes), AddOptions(save_path=tmp_path / "ours"))
            await finished(mine)
            assert not same(folder, tmp_path / "ours" / "dht")
            assert not mine.trackers() and (view := mine.dht()) is not None and view.replied
            theirs[0].send(cmd="remove", id="s")
            await until(lambda: (seen := mine.dht()) is not None and seen.announced >= 3, story=mine.dht)
            theirs[1].send(cmd="add", id="l", magnet=Magnet(hashes).to_uri(), save=str(tmp_path / "lt"), dht=True)
            await heard(theirs[1], "finished")
            theirs[1].send(cmd="flush", id="l")
            await heard(theirs[1], "flushed")
            assert not same(folder, tmp_path / "lt" / "dht")

    asyncio.run(main())


def test_a_magnet_is_downloaded_through_a_dht_over_ipv6(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "source", "six", {"a.bin": 200_000})
    metainfo = make_torrent(folder, "v1")
    (tmp_path / "t.torrent").write_bytes(metainfo.to_bytes())

    async def main(nodes: list[JsonProcess]) -> None:
        first, second = (f"[::1]:{port}" for port in ports(nodes))
        nodes[1].send(cmd="dht_node", host="::1", port=ports(nodes)[0])
        nodes[0].send(cmd="add", id="s", torrent=str(tmp_path / "t.torrent"), save=str(folder.parent), dht=True)
        await heard(nodes[0], "finished")
        chosen = replace(settings("[::1]:0"), dht=DhtSettings(bootstrap=(first, second)))
        async with Session(chosen) as session, asyncio.timeout(SECONDS):
            torrent = await session.add(Magnet(metainfo.info.hashes), AddOptions(save_path=tmp_path / "out"))
            await finished(torrent)
            assert not same(folder, tmp_path / "out" / "six")
            assert session.dht.view().nodes_v6 >= 1 and session.dht.view().nodes_v4 == 0

    with (
        lt_process({**lt.DHT, "listen_interfaces": "[::1]:0"}) as one,
        lt_process({**lt.DHT, "listen_interfaces": "[::1]:0"}) as two,
    ):
        for process in (one, two):
            process.wait("ready")
        asyncio.run(main([one, two]))


def test_a_read_only_node_asks_libtorrent_and_is_not_kept_by_it() -> None:
    async def main(node: JsonProcess) -> None:
        async with ours(1, [node], nodes=1, read_only=True) as (quiet,):
            # Only asking: libtorrent takes everybody in who brings a good write token.
            assert await quiet.dht.get(bytes(20)) is None
            node.send(cmd="dht_nodes")
            assert (await heard(node, "dht_nodes"))["count"] == 0
        async with ours(1, [node], nodes=1) as (loud,):
            await loud.dht.get(bytes(20))
            answer = await repeated(node, {"cmd": "dht_nodes"}, "dht_nodes", "count")
            assert answer["count"] == 1

    with lt_process(lt.DHT) as one:
        one.wait("ready")
        asyncio.run(main(one))


def test_nodes_meet_through_a_connection_of_peers(theirs: list[JsonProcess], tmp_path: Path) -> None:
    """Only the PORT messages of BEP 5 tell the two of each other's nodes."""
    folder = make_folder(tmp_path / "source", "port", {"a.bin": 100_000})
    metainfo = make_torrent(folder, "v1")
    (tmp_path / "t.torrent").write_bytes(metainfo.to_bytes())

    async def main() -> None:
        theirs[0].send(cmd="add", id="s", torrent=str(tmp_path / "t.torrent"), save=str(folder.parent), dht=True)
        await heard(theirs[0], "finished")
        chosen = replace(settings(), dht=DhtSettings(bootstrap=()))
        async with Session(chosen) as session, asyncio.timeout(SECONDS):
            peer = Endpoint("127.0.0.1", ports(theirs)[0])
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path / "out", peers=(peer,)))
            await finished(torrent)
            assert await session.dht.ready(SECONDS)
            known = [endpoint for _, endpoint in session.dht.nodes]
            assert peer in known

    asyncio.run(main())


def test_a_mutable_torrent_is_published_and_followed_through_libtorrents_nodes(
    theirs: list[JsonProcess], tmp_path: Path,
) -> None:
    """Publisher and follower are ours; what they know of each other went through libtorrent's nodes. The files that did
    not change are taken over from what the follower has.
    """
    shared = {"same.bin": 400_000}
    make_folder(tmp_path / "source", "tunes", shared, seed=1)
    old = make_torrent(make_folder(tmp_path / "source", "tunes", {"change.bin": 90_000}, seed=2), "v1")
    make_folder(tmp_path / "next", "tunes", shared, seed=1)
    new = make_torrent(make_folder(tmp_path / "next", "tunes", {"change.bin": 120_000}, seed=3), "v1")

    async def main() -> None:
        bootstrap = tuple(f"127.0.0.1:{port}" for port in ports(theirs))
        chosen = replace(settings(), dht=DhtSettings(bootstrap=bootstrap, follow_seconds=1.0))
        async with (
            asyncio.timeout(2 * SECONDS), Session(chosen, data_dir=tmp_path / "publisher") as publisher,
            Session(chosen, data_dir=tmp_path / "follower") as follower,
        ):
            await _follow(publisher, follower, old, new, tmp_path)
            assert follower.internal_errors == publisher.internal_errors == 0

    asyncio.run(main())


async def _follow(publisher: Session, follower: Session, old: Metainfo, new: Metainfo, tmp_path: Path) -> None:
    seeded = await publisher.add(old, AddOptions(save_path=tmp_path / "source", seed_only=True))
    await finished(seeded)
    told = await publisher.mutables.publish(seeded, key="tunes")
    assert told.nodes >= 3 and told.confirmed
    first = await follower.add(told.link.to_uri(), AddOptions(save_path=tmp_path / "out"))
    await finished(first)
    assert not same(tmp_path / "source" / "tunes", tmp_path / "out" / "tunes")
    with follower.subscribe(events.MutableUpdated) as changes:
        fresh = await publisher.add(new, AddOptions(save_path=tmp_path / "next", seed_only=True))
        await finished(fresh)
        assert (await publisher.mutables.publish(fresh, key="tunes")).seq > told.seq
        event = await anext(changes)
    assert isinstance(event, events.MutableUpdated)
    assert (event.torrent, event.former) == (new.info.hashes.key, old.info.hashes.key)
    (second,) = follower.torrents
    await finished(second)
    assert not same(tmp_path / "next" / "tunes", tmp_path / "out" / "tunes")
    assert second.view().downloaded < 250_000, "what had not changed was fetched again"


def test_a_head_that_libtorrent_put_is_not_written_over_and_libtorrent_gets_ours(
    theirs: list[JsonProcess], tmp_path: Path,
) -> None:
    keys, salt = Keys(tmp_path), b"wb-ch"
    secret = keys.get("k")
    key, hashes = public_key(secret), InfoHashes(HASH, bytes(range(32)))
    put = {"cmd": "dht_put_mutable", "secret": expanded(secret).hex(), "key": key.hex(), "salt": salt.hex()}

    async def main() -> None:
        async with ours(2, theirs) as (publisher, reader):
            publisher.mutables.use_keys(keys)
            theirs[0].send(**put, value=b"by another machine".hex())
            assert (await heard(theirs[0], "dht_put"))["nodes"] >= 1
            with pytest.raises(HeadAhead) as caught:
                await publisher.mutables.publish(hashes, key="k", salt=salt)
            assert caught.value.facts["torrent"] == ""
            told = await publisher.mutables.publish(hashes, key="k", salt=salt, adopt=True, extra={b"n": 3})
            assert told.confirmed and told.seq > 1_700_000_000
            async with asyncio.timeout(SECONDS):
                answer: dict[str, Any] = {"seq": 0}
                while answer["seq"] < told.seq:
                    theirs[1].send(cmd="dht_get_mutable", key=key.hex(), salt=salt.hex())
                    answer = await heard(theirs[1], "dht_mutable", authoritative=True)
            value = bencode.decode(bytes.fromhex(answer["value"]))
            assert value == {b"ih": HASH, b"ih2": bytes(range(32)), b"n": 3, b"rk": told.link.recovery}
            one = await reader.mutables.watch(told.link)
            await reader.mutables.refresh(one)
            assert (one.hashes, one.seq, one.value, one.heard) == (hashes, told.seq, {b"n": 3}, True)
            # A thief with another program: what it puts is no torrent, so readers stay, and the owner is told.
            theirs[2].send(**put, value=b"by a thief".hex())
            assert (await heard(theirs[2], "dht_put"))["nodes"] >= 1
            await reader.mutables.refresh(one)
            assert one.odd and (one.hashes, one.seq) == (hashes, told.seq)
            with pytest.raises(HeadAhead):
                await publisher.mutables.publish(hashes, key="k", salt=salt, extra={b"n": 4})

    asyncio.run(main())
