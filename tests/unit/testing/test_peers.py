import asyncio
import hashlib
import random
from collections import Counter

import pytest

from wildbach.base.ids import Endpoint
from wildbach.net.tcp import TcpTransport
from wildbach.protocol.bencode import decode
from wildbach.protocol.wire import codec
from wildbach.runtime.tasks import Scope
from wildbach.testing.content import content
from wildbach.testing.loop import sim
from wildbach.testing.network import Network
from wildbach.testing.peers import HOSTILE, Peer, leech, metadata, poison, receive, seed, visit
from wildbach.testing.wire import Wire

SMALL = content(300_001, 65536)


def in_simulation(main):
    async def run():
        network = Network()
        near, far = network.host(up=1e6), network.host(up=1e6)
        async with Scope("test") as scope:
            return await main(scope, near.transport, far.transport, Endpoint(far.address, 6881))

    return sim(until=4000).run(run())


def on_loopback(main):
    async def run():
        transport = TcpTransport()
        async with Scope("test") as scope:
            return await main(scope, transport, transport, Endpoint("127.0.0.1", 0))

    return asyncio.run(run())


@pytest.mark.parametrize("run", [in_simulation, on_loopback])
def test_a_leech_gets_all_from_a_seed(run):
    async def main(scope, near, far, at):
        listener = await receive(scope, far, at, seed(), SMALL, random.Random(1))
        tally = await visit(near, listener.endpoint, leech(), SMALL, random.Random(2))
        listener.close()
        return tally

    tally = run(main)
    assert tally["complete"] == 1
    assert tally["good_blocks"] == 19
    assert tally["received"] == 300_001


def test_poison_is_seen_by_a_leech():
    async def main(scope, near, far, at):
        listener = await receive(scope, far, at, poison(0.5), SMALL, random.Random(1))
        await visit(near, listener.endpoint, leech(), SMALL, random.Random(2))

    with pytest.raises(AssertionError):
        in_simulation(main)


@pytest.mark.parametrize("name", HOSTILE)
def test_every_hostile_script_plays_against_a_patient_listener(name):
    """It talks to something that shakes hands, unchokes, asks, and never hangs up for 20 s."""

    async def main(scope, near, far, at):
        async def patient(peer):
            await peer.claim_all()
            peer.wire.write(codec.plain(codec.INTERESTED) + codec.plain(codec.UNCHOKE))
            peer.wire.write(codec.extended(0, b"d1:md11:ut_metadatai3eee") + codec.request(0, 0, 16384))
            peer.wire.write(codec.extended(7, b"d8:msg_typei0e5:piecei0ee"))
            while True:
                await peer.wire.read(1)
                peer.wire.forget()

        async def accept(connection):
            try:
                async with asyncio.timeout(20):
                    await patient(Peer(connection, SMALL, random.Random(3), tallies))
            except TimeoutError:
                connection.close()

        tallies = Counter()
        listener = await far.listen(at, lambda connection: scope.spawn(
            "p", accept(connection), contain=lambda error: connection.close()))
        await visit(near, listener.endpoint, HOSTILE[name], SMALL, random.Random(2))
        listener.close()

    in_simulation(main)


def test_metadata_is_served_in_parts():
    async def main(scope, near, far, at):
        listener = await receive(scope, far, at, metadata(), SMALL, random.Random(1))
        wire = Wire(await near.dial(listener.endpoint))
        wire.write(b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100004") + SMALL.swarm + bytes(20))
        wire.write(codec.extended(0, b"d1:md11:ut_metadatai3eee"))
        await wire.read(68)
        kind, body = await wire.message()
        size = decode(body[1:])[b"metadata_size"]
        wire.write(codec.extended(7, b"d8:msg_typei0e5:piecei0ee"))
        while kind != codec.EXTENDED or body[0] != 3:
            kind, body = await wire.message()
        wire.close()
        return size, body

    size, body = in_simulation(main)
    info = body[-size:]
    assert hashlib.sha1(info).digest() == SMALL.swarm
