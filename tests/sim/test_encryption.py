"""Encrypted swarms: what the policies mean to each other, and that knocking without end costs honest peers nothing."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from random import Random

import pytest

from fakes import Deaf
from nodes import Made, Node, done, make, node, settings
from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.engine.torrent import Torrent
from wildbach.net.transport import Connection
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network

KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")


def policy(
    network: Network, *, up: float = 0.0, **peers: object
) -> AbstractAsyncContextManager[Node]:
    return node(network, len(network.hosts), settings(**peers), up=up)


def kinds(torrent: Torrent) -> set[str]:
    return {peer.kind for peer in torrent.peers()}


async def fetch(
    made: Made, seeds: dict[str, str], leech: dict[str, str], *, magnet: bool = False,
) -> tuple[set[str], float]:
    """One download under two policies: the kinds of its connections, and the seconds."""
    network = Network()
    async with policy(network, close_redundant=False, **seeds) as seed, policy(
        network, close_redundant=False, **leech
    ) as other:
        await seed.seed(made)
        began = simloop().time()
        torrent = await other.add(Magnet(made.metainfo.info.hashes) if magnet else made.metainfo, seed.at)
        await done(torrent, seconds=90)
        assert other.holds(made)
        return kinds(torrent), simloop().time() - began


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("payload", ["rc4", "plain", "either"])
def test_where_both_require_it_everything_is_encrypted(kind: Kind, payload: str) -> None:
    made = make(kind, {"a": 300_000, "b": 5})
    both = {"encryption": "require", "encryption_payload": payload}
    found, _ = sim().run(fetch(made, both, both, magnet=kind != "v1"))
    assert found == {"memory+handshake" if payload == "plain" else "memory+rc4"}


@pytest.mark.parametrize(("seed", "leech", "kind"), [
    ("prefer", "prefer", "memory+rc4"), ("require", "prefer", "memory+rc4"), ("prefer", "require", "memory+rc4"),
    ("off", "prefer", "memory"), ("prefer", "off", "memory"),
])
def test_policies_meet(seed: str, leech: str, kind: str) -> None:
    made = make("v1", {"a": 200_000})
    found, seconds = sim().run(fetch(made, {"encryption": seed}, {"encryption": leech}))
    assert found == {kind} and seconds < 20


def test_who_requires_it_and_who_does_not_know_it_do_not_meet() -> None:
    made = make("v1", {"a": 200_000})

    async def main() -> None:
        network = Network()
        for seeds, leeches in (("require", "off"), ("off", "require")):
            async with policy(network, encryption=seeds) as seed, policy(network, encryption=leeches) as other:
                await seed.seed(made)
                torrent = await other.add(made.metainfo, seed.at)
                with pytest.raises(AssertionError, match="the only known peer does not answer"):
                    await done(torrent, seconds=60)
                assert torrent.view().done == 0

    sim().run(main())


def test_what_worked_is_tried_first_the_next_time() -> None:
    made = make("v1", {"a": 200_000})

    async def main() -> None:
        network = Network()
        async with policy(network, encryption="off") as seed, policy(network, encryption="prefer") as other:
            await seed.seed(made)
            torrent = await other.add(made.metainfo, seed.at)
            await done(torrent)
            flows = len(network.hosts)
            again = make("v1", {"b": 100_000}, seed=2)
            await seed.seed(again)
            began = simloop().time()
            await done(await other.add(again.metainfo, seed.at))
            assert simloop().time() - began < 2.0 and flows == 2

    sim().run(main())


def test_a_swarm_with_mixed_policies_finishes() -> None:
    made = make("hybrid", {"a": 400_000, "b/c": 70_001})

    async def main() -> None:
        network = Network()
        async with AsyncExitStack() as stack:
            seed = await stack.enter_async_context(policy(network, encryption="prefer", up=1e6))
            await seed.seed(made)
            others: list[Node] = []
            torrents = []
            for wish in ("require", "prefer", "off", "require", "prefer", "off"):
                leech = await stack.enter_async_context(policy(network, encryption=wish))
                torrents.append(await leech.add(made.metainfo, seed.at, *[other.at for other in others]))
                others.append(leech)
            await done(*torrents, seconds=180)
            assert all(leech.holds(made) for leech in others)

    sim().run(main())


def test_a_flood_of_keys_waits_behind_itself_and_honest_peers_do_not() -> None:
    made = make("v1", {"a": 200_000})

    async def main() -> None:
        network = Network()
        async with policy(network, encryption="prefer") as seed, Scope("flood") as scope:
            await seed.seed(made)
            open_: list[Connection] = []

            async def flood(number: int) -> None:
                host = network.host()
                rng = Random(number)
                for _ in range(200):
                    try:
                        connection = await host.transport.dial(seed.at)
                    except NetworkError:
                        continue
                    connection.start(Deaf())
                    connection.send(rng.randbytes(96 + rng.randrange(400)))
                    open_.append(connection)
                    await asyncio.sleep(0.25)

            for number in range(10):
                scope.spawn("flood", flood(number))
            await asyncio.sleep(5)
            async with policy(network, encryption="require") as leech:
                began = simloop().time()
                await done(await leech.add(made.metainfo, seed.at), seconds=60)
                assert leech.holds(made) and simloop().time() - began < 15
            assert seed.session.internal_errors == 0
            await scope.close()

    sim().run(main())


def test_half_a_handshake_is_ended_in_time() -> None:
    made = make("v1", {"a": 20_000})

    async def main() -> None:
        network = Network()
        async with policy(network, encryption="require") as seed:
            await seed.seed(made)
            connection = await network.host().transport.dial(seed.at)
            connection.start(Deaf())
            connection.send(Random(1).randbytes(120))
            await asyncio.sleep(limits.HANDSHAKE_SECONDS + 2)
            assert connection.closing and not seed.session.torrents[0].peers()

    sim().run(main())
