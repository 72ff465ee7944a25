"""v1, v2 and hybrid torrents between sessions of this engine: by torrent, by magnet, across both swarms of a hybrid."""

from __future__ import annotations

import asyncio
import hashlib
from random import Random

import pytest

from nodes import PORT, Made, done, make, node, settings
from wildbach.base.errors import NetworkError, RemoteError, StorageError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine import events
from wildbach.protocol.bencode import encode
from wildbach.protocol.ext import metadata
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network
from wildbach.testing.peers import Peer, receive
from wildbach.testing.peers import seed as giving
from wildbach.testing.wire import Wire

PIECE = 65536
SIZES = {
    "empty": 0, "one": 1, "exact": PIECE, "more": 3 * PIECE + 1, "z/again empty": 0, "z/odd": 5 * PIECE - 3,
    "z/some": BLOCK + 7, "z/wide": 40 * PIECE + 12_345,
}
KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")
MAGNETS: list[tuple[Kind, str]] = [("v1", "v1"), ("v2", "v2"), ("hybrid", "v1"), ("hybrid", "v2"), ("hybrid", "v1 v2")]


def only(made: Made, names: str) -> InfoHashes:
    hashes = made.metainfo.info.hashes
    return InfoHashes(hashes.v1 if "v1" in names else None, hashes.v2 if "v2" in names else None)


def link(made: Made, names: str) -> str:
    return Magnet(only(made, names)).to_uri()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece_length", [BLOCK, PIECE, 1 << 21])
def test_a_folder_goes_from_one_to_another(kind: Kind, piece_length: int) -> None:
    made = make(kind, SIZES, piece_length=piece_length)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as leech:
            await seed.seed(made)
            torrent = await leech.add(made.metainfo, seed.at)
            await done(torrent)
            assert leech.holds(made)
            assert torrent.view().wasted == 0 and torrent.view().downloaded == made.metainfo.info.size

    sim().run(main())


@pytest.mark.parametrize(("kind", "names"), MAGNETS)
def test_a_magnet_brings_everything(kind: Kind, names: str) -> None:
    made = make(kind, SIZES)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as leech:
            await seed.seed(made)
            torrent = await leech.add(link(made, names), seed.at)
            key = torrent.key
            assert (await torrent.metadata()).raw == made.metainfo.info.raw
            await done(torrent)
            assert leech.stores[made.metainfo.info.hashes.key] and leech.holds(made)
            assert torrent.key == key and torrent.hashes == made.metainfo.info.hashes

    sim().run(main())


def test_a_hybrid_is_spoken_as_v2_and_once() -> None:
    made = make("hybrid", SIZES)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as leech:
            ours = await seed.seed(made)
            with leech.session.subscribe(events.PeerConnected) as connected:
                torrent = await leech.add(made.metainfo, seed.at)
                await anext(connected)
                assert [peer.v2 for peer in torrent.peers()] == [True]
            theirs = await seed.session.add(made.metainfo)
            assert theirs is ours
            ours.add_peer(leech.at)  # connected already: the second call comes to nothing
            await done(torrent)
            assert leech.holds(made)

    sim().run(main())


@pytest.mark.parametrize("seed_number", range(6))
def test_two_that_call_each_other_keep_one_connection(seed_number: int) -> None:
    made = make("hybrid", SIZES)

    async def main() -> float:
        network = Network(latency=0.05)
        async with node(network, seed_number) as seed, node(network, seed_number) as leech:
            ours = await seed.seed(made, leech.at)
            torrent = await leech.add(made.metainfo, seed.at)
            await done(torrent)
            assert len(torrent.peers()) <= 1 and len(ours.peers()) <= 1
            return simloop().time()

    assert sim(seed_number).run(main()) < 6


def test_both_swarms_of_a_hybrid_are_one() -> None:
    """One comes by the v1 hash, another by the v2 hash; what the first has got, the second gets from it."""
    made = make("hybrid", SIZES)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as first, node(network) as second:
            await seed.seed(made)
            one = await first.add(link(made, "v1"), seed.at)
            await done(one)
            await seed.session.remove(seed.session.torrents[0])
            two = await second.add(link(made, "v2"), first.at)
            await done(two)
            assert second.holds(made)

    sim().run(main())


def test_who_gets_the_metadata_tells_those_who_wait_for_it_too() -> None:
    """Both have only the link when they meet; the seed knows one of them."""
    made = make("hybrid", SIZES)
    hashes = made.metainfo.info.hashes

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as between, node(network, chosen=settings(pex=False)) as far:
            await seed.seed(made)
            first = await between.add(Magnet(hashes))
            torrent = await far.add(Magnet(hashes), between.at)
            await asyncio.sleep(10)
            assert first.connected == 1 and "no connected peer has the metadata" in torrent.view().reason
            first.add_peer(seed.at)
            await done(torrent)
            assert far.holds(made) and torrent.connected == 1

    sim().run(main())


def test_two_magnets_of_one_hybrid_become_one_torrent() -> None:
    made = make("hybrid", SIZES)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as leech:
            by_v1 = await leech.add(link(made, "v1"))
            by_v2 = await leech.add(link(made, "v2"))
            assert by_v1 is not by_v2
            await seed.seed(made)
            by_v2.add_peer(seed.at)
            await done(by_v2)
            assert leech.session.torrents == (by_v2,)
            with pytest.raises(StorageError) as raised:
                await by_v1.complete()
            assert raised.value.code == "duplicate"
            assert await leech.add(link(made, "v1")) is by_v2
            assert await leech.add(made.metainfo) is by_v2

    sim().run(main())


def test_a_caller_who_knew_only_v1_is_called_back_as_v2() -> None:
    """The magnet's holder cannot dial: the seed calls it, under the v1 hash, before it knows of v2."""
    made = make("hybrid", SIZES)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as leech:
            torrent = await leech.add(link(made, "v1"))
            ours = await seed.seed(made)
            ours.add_peer(leech.at)
            await done(torrent)
            assert leech.holds(made)

    sim().run(main())


def test_a_v1_peer_gets_whole_pieces_with_their_padding() -> None:
    made = make("hybrid", SIZES)
    info = made.metainfo.info
    assert info.pieces is not None and info.hashes.v1 is not None
    pieces, v1 = info.pieces, info.hashes.v1

    async def main() -> None:
        network = Network()
        async with node(network) as seed:
            await seed.seed(made)
            wire = Wire(await network.host().transport.dial(Endpoint(seed.host.address, PORT)))
            wire.write(Handshake(v1, b"-OLD001-abcdefghijkl", extension=False).to_bytes())
            answer = parse(await wire.read(LENGTH))
            assert answer.info_hash == v1 and answer.v2
            wire.write(codec.plain(codec.HAVE_NONE) + codec.plain(codec.INTERESTED))
            while (await wire.message())[0] != codec.UNCHOKE:
                pass
            for piece in range(info.geometry.piece_count):
                size = info.geometry.v1_piece_size(piece)
                blocks = [(at, min(BLOCK, size - at)) for at in range(0, size, BLOCK)]
                wire.write(b"".join(codec.request(piece, at, length) for at, length in blocks))
                got = b""
                while len(got) < size:
                    kind, body = await wire.message()
                    if kind == codec.PIECE:
                        assert body[:8] == piece.to_bytes(4, "big") + len(got).to_bytes(4, "big")
                        got += body[8:]
                assert hashlib.sha1(got).digest() == pieces[20 * piece : 20 * piece + 20]
            wire.close()

    sim().run(main())


def test_a_request_beyond_the_padding_is_against_the_rules() -> None:
    made = make("hybrid", SIZES)
    info = made.metainfo.info
    assert info.hashes.v1 is not None
    v1 = info.hashes.v1

    async def main() -> None:
        network = Network()
        async with node(network) as seed:
            await seed.seed(made)
            wire = Wire(await network.host().transport.dial(Endpoint(seed.host.address, PORT)))
            wire.write(Handshake(v1, b"-OLD001-abcdefghijkl", extension=False).to_bytes())
            await wire.read(LENGTH)
            wire.write(codec.plain(codec.HAVE_NONE) + codec.request(0, PIECE, BLOCK))
            with pytest.raises((NetworkError, RemoteError)):
                while True:
                    await wire.message()
            wire.close()

    sim().run(main())


async def old_seed(peer: Peer) -> None:
    """Has all, metadata too, and knows of v1 alone."""
    await peer.shake(extension=True)
    info = peer.content.info
    hello = encode({b"m": {b"ut_metadata": 7}, b"metadata_size": len(info)})
    peer.wire.write(codec.extended(0, hello) + codec.plain(codec.HAVE_ALL))
    while True:
        kind, body = await peer.message()
        if kind == codec.INTERESTED:
            peer.wire.write(codec.plain(codec.UNCHOKE))
        elif kind == codec.REQUEST:
            piece, offset, length = (int.from_bytes(body[at : at + 4], "big") for at in (0, 4, 8))
            peer.block(piece, offset, peer.content.block(piece, offset, length))
        elif kind == codec.EXTENDED and body[0] == 7:
            message = metadata.decode(body[1:])
            assert isinstance(message, metadata.MetadataRequest)
            part = info[message.piece * BLOCK : (message.piece + 1) * BLOCK]
            data = metadata.encode(metadata.MetadataData(message.piece, len(info), part))
            peer.wire.write(codec.extended(Extension.UT_METADATA, data))


def broken_layer(made: Made) -> Made:
    """The hybrid says false things in its v2 part of a file of several pieces."""
    info = made.metainfo.info
    root = next(file.root for file in info.files if file.root is not None and file.length > info.piece_length)
    raw = info.raw.replace(root, hashlib.sha256(root).digest())
    return Made(Metainfo.from_info(Info.parse(raw)), made.contents)


async def _from_an_old_seed(made: Made, names: str) -> None:
    network = Network()
    async with Scope("old") as scope, node(network) as leech, node(network) as late:
        host = network.host()
        listener = await receive(
            scope, host.transport, Endpoint(host.address, 7000), old_seed, made.told, Random(1))
        torrent = await leech.add(link(made, names), listener.endpoint)
        try:
            await done(torrent)
            assert leech.holds(made)
            # It made the piece layers itself and can give them now.
            second = await late.add(link(made, "v2"), leech.at)
            await done(second)
            assert late.holds(made)
        finally:
            await leech.session.close()
            await late.session.close()
            await scope.close()


def test_a_hybrid_comes_whole_from_peers_that_know_v1_alone() -> None:
    sim().run(_from_an_old_seed(make("hybrid", SIZES), "v1"))


def test_a_hybrid_that_contradicts_itself_is_never_complete() -> None:
    made = broken_layer(make("hybrid", SIZES))
    with pytest.raises(StorageError) as raised:
        sim().run(_from_an_old_seed(made, "v1"))
    assert raised.value.code == "hybrid_conflict"


def test_a_hybrid_whose_hashes_disagree_in_a_piece_stops() -> None:
    good = make("hybrid", SIZES)
    info = good.metainfo.info
    assert info.pieces is not None
    raw = info.raw.replace(info.pieces, info.pieces[:-20] + hashlib.sha1(b"else").digest())
    made = Made(Metainfo.from_info(Info.parse(raw), piece_layers=good.metainfo.piece_layers), good.contents)

    async def main() -> None:
        network = Network()
        async with Scope("seed") as scope, node(network) as leech:
            # One of ours would notice before it sent that piece.
            host = network.host()
            at = Endpoint(host.address, 7000)
            await receive(scope, host.transport, at, giving(), made.told, Random(1))
            with leech.session.subscribe(events.TorrentStopped, events.PeerBanned) as seen:
                torrent = await leech.add(made.metainfo, at)
                with pytest.raises(StorageError) as raised:
                    await torrent.complete()
                assert raised.value.code == "hybrid_conflict"
                event = await anext(seen)
                assert isinstance(event, events.TorrentStopped) and event.code == "hybrid_conflict"
            assert torrent.view().state == "stopped" and "disagree" in torrent.view().reason
            await scope.close()

    sim().run(main())
