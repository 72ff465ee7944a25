"""Peers that flood with what changes nothing are sent away with a reason, and cost little until then."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from nodes import Node, done, make, node
from wildbach.engine import events
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.runtime.tasks import Scope
from wildbach.testing import peers
from wildbach.testing.content import content
from wildbach.testing.invariants import Watch
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network
from wildbach.testing.swarm import Link, Swarm

PIECE = 65536
NOISE = "sends nothing but noise"
OF_NEWCOMERS = (
    "unknown_ids", "have_flood", "keep_alive_flood", "cancel_flood", "hello_flood", "large_extension_flood",
    "hash_request_flood", "port_flood", "interest_flood", "request_flood",
)
OF_SEEDS = ("suggest_flood", "reject_flood", "choke_flood")
"These claim to have all, so another seed would not keep them."


async def _follow(of: Node, drops: Counter[str]) -> None:
    async for event in of.session.subscribe(events.PeerDropped, size=10_000):
        drops[event.reason] += 1


@pytest.mark.parametrize(("name", "side"), [
    *((name, side) for name in OF_NEWCOMERS for side in ("seed", "leech")), *((name, "leech") for name in OF_SEEDS),
])
def test_a_flood_ends_with_a_counted_reason(name: str, side: str) -> None:
    kind: Kind = "hybrid" if name == "hash_request_flood" else "v1"
    made = make(kind, {"a": 64 * PIECE}, piece_length=PIECE)
    drops: Counter[str] = Counter()
    tally: Counter[str] = Counter()

    async def main(flooded: bool) -> float:
        network = Network()
        async with Scope("crowd") as scope, node(network, up=1e6) as seed, node(network, 1) as leech:
            await seed.seed(made)
            victim = seed if side == "seed" else leech
            scope.spawn("watch", Watch(victim.session, 0.1).run())
            scope.spawn("follow", _follow(victim, drops))
            torrent = await leech.add(made.metainfo, seed.at)
            await asyncio.sleep(0.1)
            if flooded:
                await peers.visit(network.host().transport, victim.at, peers.HOSTILE[name], made.told, Random(1),
                                  tally=tally)
                assert simloop().time() < 60, "the flood was let go on"
            await done(torrent)
            took = simloop().time()
            await seed.session.close()
            await leech.session.close()
            await scope.close()
            return took

    clean = sim().run(main(False))
    drops.clear()
    tracemalloc.start()
    try:
        took = sim().run(main(True))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert drops[NOISE] == 1, (drops, tally)
    assert tally["flooded"] <= 6 << 20
    assert took <= 1.1 * clean + 1
    assert peak <= 64 << 20


def test_much_talk_of_an_honest_peer_is_no_noise() -> None:
    """Thousands of pieces told one by one as they come, and metadata of thousands of parts' hashes."""
    made = make("v1", {"a": 5000 * 16384}, piece_length=16384)

    async def main() -> int:
        network = Network()
        async with node(network) as seed, node(network, 1) as one, node(network, 2) as two:
            await seed.seed(made)
            first = await one.add(Magnet(made.metainfo.info.hashes), seed.at)
            second = await two.add(made.metainfo, seed.at, one.at)
            most = 0

            async def watch() -> None:
                nonlocal most
                while True:
                    await asyncio.sleep(0.05)
                    for each in (seed, one, two):
                        for peer in each.session.torrents[0].swarm.peers.values():
                            most = max(most, peer.noise)

            async with Scope("watch") as scope:
                scope.spawn("watch", watch())
                await done(first, second)
                await scope.close()
            return most

    assert sim().run(main()) < 400


def _lone_holder(script: peers.Script) -> Callable[[], float]:
    what = content(20 * PIECE, PIECE, seed=3)

    async def main() -> float:
        async with Swarm(what) as swarm:
            await swarm.scripted_peer(script, Link(1e6))
            ours = await swarm.leech(Link(1e6))
            await swarm.sleep(10)
            other = await swarm.seed(Link(1e6))
            ours.torrent.add_peer(other.endpoint)
            start = swarm.network.loop.time()
            await swarm.finished(120)
            return swarm.network.loop.time() - start

    return lambda: sim(3).run(main())


async def goes_silent(peer: peers.Peer) -> None:
    """Gives all but the last piece, then nothing any more, awake."""
    await peer.claim_all()
    while True:
        kind, body = await peer.message()
        if kind == peers.codec.INTERESTED:
            peer.wire.write(peers.codec.plain(peers.codec.UNCHOKE))
        elif kind == peers.codec.REQUEST:
            piece, offset = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
            if len(peer.tally) and peer.tally["blocks"] >= 19 * 4:
                continue
            peer.block(piece, offset, peer.content.block(piece, offset, int.from_bytes(body[8:], "big")))


@pytest.mark.parametrize("script", [goes_silent, peers.stall])
def test_where_the_one_holder_of_the_last_block_is_silent_another_is_asked_soon(script: peers.Script) -> None:
    assert _lone_holder(script)() < 25


def test_where_all_who_were_asked_are_silent_the_next_is_asked_at_once() -> None:
    what = content(8 * PIECE, PIECE, seed=4)

    async def main() -> float:
        async with Swarm(what) as swarm:
            for _ in range(6):
                await swarm.scripted_peer(peers.stall, Link(1e6))
            await swarm.seed(Link(1e6))
            await swarm.leech(Link(1e6))
            await swarm.finished(120)
            return max(each.seconds for each in swarm.nodes[1:])

    assert sim(4).run(main()) < 6
