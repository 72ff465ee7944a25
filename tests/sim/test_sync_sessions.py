"""Whole sessions in a DHT of their own: devices of a folder find and reach each other through it alone."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.nodes import Node, node
from tests.sim.test_dht import World, chosen

from wildbach.base.ids import DeviceId, Endpoint
from wildbach.runtime.tasks import Scope
from wildbach.services.sync import sought
from wildbach.services.sync.finding import Finder, Found
from wildbach.testing.loop import sim, simloop
from wildbach.testing.nat import NatKind

SECRET = bytes(range(32))


class Taker:
    """Counts what is found."""

    def __init__(self) -> None:
        self.found: list[Endpoint | None] = []
        self.news = asyncio.Event()

    async def take(self, found: Found) -> bool:
        self.found.append(found.endpoint)
        self.news.set()
        found.connection.close()
        return True


def named(number: int) -> tuple[DeviceId, Ed25519PrivateKey, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    public = key.public_key().public_bytes_raw()
    return DeviceId(hashlib.sha256(public).digest()[:16]), key, public


def finder(scope: Scope, one: Node, number: int, taker: Taker, errors: list[Exception]) -> Finder:
    name, key, public = named(number)
    rng = Random(number)
    return Finder(
        scope, taker, one.session.devices, one.session.dht, sought.of_member(public, key.sign, [SECRET], name),
        clock=simloop().time, wall=one.session._wall, rng=rng, chance=rng.randbytes, report=errors.append)


@pytest.mark.parametrize("kind", [None, NatKind.ADDRESS_RESTRICTED, NatKind.PORT_RESTRICTED])
def test_two_sessions_that_know_only_a_secret_reach_each_other(kind: NatKind | None) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            await world.grow(10)
            first = world.nodes[0].at
            homes = [
                await stack.enter_async_context(node(
                    world.network, 20 + number, chosen(first), behind=kind, udp=True, utp="real" if kind else ""))
                for number in range(2)
            ]
            for home in homes:
                assert await home.session.dht.ready(60.0)
            await asyncio.sleep(60)
            scope = await stack.enter_async_context(Scope("finders"))
            takers = [Taker(), Taker()]
            errors: list[Exception] = []
            finders = [finder(scope, home, number, takers[number], errors) for number, home in enumerate(homes)]
            for number, each in enumerate(finders):
                name, _, public = named(1 - number)
                each.seek(sought.member([SECRET], named(number)[0], name, public))
                each.start()
            async with asyncio.timeout(900):
                while not any(taker.found for taker in takers):
                    await asyncio.wait(
                        [scope.spawn("news", _wait(taker.news)) for taker in takers],
                        return_when=asyncio.FIRST_COMPLETED)
            for home, other, taker in zip(homes, reversed(homes), takers, strict=True):
                host = other.host.nat.address if other.host.nat is not None else other.host.address
                assert all(at is not None and at.host == host for at in taker.found)
                assert home.session.devices.places()
            for each in finders:
                await each.close()
            assert errors == []

    sim(3, until=1e5).run(story())


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
