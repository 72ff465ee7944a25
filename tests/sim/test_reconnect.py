"""A network interface goes away and comes back: who was connected is connected again soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from nodes import PORT, Node, make, node, settings
from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.torrent import Torrent
from wildbach.net.transport import Connection
from wildbach.protocol.wire import handshake
from wildbach.protocol.wire.handshake import Handshake
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network
from wildbach.testing.wire import Wire

MADE = make("v1", {"file": 4_000_000})
GONE = NetworkError("the network interface is away")
SLOW = 40_000.0
"Bytes a second: the download lasts two minutes."


async def until(so: Callable[[], object], seconds: float = 300.0) -> float:
    """Wait in virtual time; returns the seconds that took."""
    began = simloop().time()
    async with asyncio.timeout(seconds):
        while not so():
            await asyncio.sleep(0.05)
    return simloop().time() - began


async def away(who: Node, seconds: float, address: str = "") -> None:
    """Its interface goes without a word to anybody, and comes back."""
    who.host.lose_connections(GONE)
    if address:
        who.host.move(address)
    network, others = who.host.network, [host for host in who.host.network.hosts if host is not who.host]
    for other in others:
        network.cut(who.host, other)
    who.session.network_went(GONE)
    await asyncio.sleep(seconds)
    for other in others:
        network.heal(who.host, other)
    await who.session.network_came()


def linked(one: Torrent, other: Torrent) -> bool:
    return one.connected == 1 and other.connected == 1 and not any(p.closing for p in one.swarm.peers.values())


@pytest.mark.parametrize("address", ["", "99.9.9.9"], ids=["the same address", "another address"])
@pytest.mark.parametrize("caller", ["leech", "seed"])
def test_peers_meet_again_within_seconds(caller: str, address: str) -> None:
    async def story() -> float:
        network = Network()
        async with node(network, 1, up=SLOW) as home, node(network, 2) as other:
            seeding = await home.seed(MADE)
            leech = await other.add(MADE.metainfo, *([home.at] if caller == "leech" else []))
            if caller == "seed":
                seeding.add_peer(other.at)
            await until(lambda: linked(seeding, leech))
            await asyncio.sleep(30)
            await away(other, 10, address)
            again = await until(lambda: linked(seeding, leech))
            await leech.complete()
            assert other.holds(MADE)
            return again

    assert sim(1, until=1e6).run(story()) < 8.0


def test_where_the_other_side_holds_the_dead_connection_until_it_misses_it_calls_go_on() -> None:
    """Some clients refuse us for two minutes; who was there is not given up, nor called all the time."""
    async def story() -> None:
        network = Network()
        calls: list[float] = []
        async with node(network, 2) as other:
            host = network.host()
            leech = await other.add(MADE.metainfo, Endpoint(host.address, PORT))
            theirs = Handshake(MADE.metainfo.info.hashes.swarms[0], Random(1).randbytes(20)).to_bytes()

            def accept(connection: Connection) -> None:
                calls.append(simloop().time())
                if len(calls) == 1 or simloop().time() > 150.0:
                    wire = Wire(connection)
                    wire.write(theirs)
                else:
                    connection.close()

            await host.transport.listen(Endpoint("0.0.0.0", PORT), accept)
            await until(lambda: leech.connected)
            await asyncio.sleep(20)
            await away(other, 5)
            await until(lambda: leech.connected)

        back = calls[1]
        assert calls[2] - back < 5.0 and calls[3] - back < 12.0
        assert len(calls) < 10 and calls[-1] - back < 150.0

    sim(1, until=1e6).run(story())


@pytest.mark.parametrize("idle", [False, True], ids=["busy", "idle"])
def test_nobody_is_put_out_by_who_knows_its_peer_id(idle: bool) -> None:
    """Also where the connection has had nothing to say for a while."""
    async def story() -> None:
        network = Network()
        async with (
            node(network, 1, settings(upload_slots=0 if idle else 4), up=SLOW) as home, node(network, 2) as other,
        ):
            seeding = await home.seed(MADE)
            leech = await other.add(MADE.metainfo, home.at)
            await until(lambda: linked(seeding, leech))
            (there,) = seeding.swarm.peers.values()
            await asyncio.sleep(30)
            known = Handshake(MADE.metainfo.info.hashes.swarms[0], there.peer_id).to_bytes()
            for turn in range(8):
                await asyncio.sleep(7)
                if idle:
                    await until(lambda: there.connection.silence > limits.DOUBT_SECONDS)
                wire = Wire(await network.host().transport.dial(home.at))
                wire.write(known)
                got = await wire.read_all()
                assert len(got) < handshake.LENGTH, turn  # sent away without an answer
                assert list(seeding.swarm.peers.values()) == [there] and not there.closing
            assert linked(seeding, leech)

    sim(1, until=1e6).run(story())
