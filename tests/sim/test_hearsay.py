"""What peers say of others cannot be turned against those others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from nodes import PORT, make, settings
from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.net.transport import Connection, Listener
from wildbach.protocol.ext import handshake, pex
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import Handshake
from wildbach.testing.loop import sim
from wildbach.testing.network import Host, Network

VICTIMS = 100_000
MADE = make("v1", {"file": 300_000})


class Watched:
    """A transport that writes down whom it was told to call, and reaches nobody."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.calls: list[tuple[float, Endpoint]] = []

    async def dial(self, remote: Endpoint) -> Connection:
        self.calls.append((asyncio.get_running_loop().time(), remote))
        await asyncio.sleep(1.0)
        raise NetworkError("timed out")

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        return await self._host.transport.listen(at, accept)


class Liar:
    """Greets, then tells of fifty victims a minute."""

    missing = 0

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        connection.start(self)

    def received(self, data: memoryview) -> int:
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        pass

    def greet(self, number: int) -> None:
        hello = Handshake(MADE.metainfo.info.hashes.swarms[0], b"-LI0001-" + number.to_bytes(12, "big"))
        self.connection.send(hello.to_bytes())
        self.connection.send(codec.extended(0, handshake.build()))

    def tell(self, victims: list[Endpoint]) -> None:
        message = pex.PexMessage(tuple(pex.PexPeer(victim, pex.HOLEPUNCH) for victim in victims))
        self.connection.send(codec.extended(handshake.Extension.UT_PEX, pex.encode(message)))


def victim(number: int) -> Endpoint:
    """Every third is at a port of another service; some are in networks that only we can reach."""
    host = f"{60 + number // 65536}.{number // 256 % 256}.{number % 256}.9"
    if number % 50 == 7:
        host = f"192.168.{number // 256 % 256}.{number % 256}"
    return Endpoint(host, 80 if number % 3 == 0 else 1024 + number % 60_000)


@pytest.mark.slow
def test_a_hundred_thousand_victims_of_peer_exchange_are_hardly_called() -> None:
    """At most fifty calls a minute in all, none to another service's port, none into a private network."""
    async def story() -> list[tuple[float, Endpoint]]:
        network = Network()
        host = network.host()
        road = Watched(host)
        async with Session(settings(), transport=road, announcers=()) as session:
            await session.add(MADE.metainfo, AddOptions(metadata_only=False))
            named = 0
            callers = 100
            liars = []
            for number in range(callers):
                liar = Liar(await network.host().transport.dial(Endpoint(host.address, PORT)))
                liar.greet(number)
                liars.append(liar)
            await asyncio.sleep(1)
            while named < VICTIMS:
                for liar in liars:
                    liar.tell([victim(named + number) for number in range(50)])
                    named += 50
                await asyncio.sleep(60)
            await asyncio.sleep(120)
            assert session.internal_errors == 0
        return road.calls

    calls = sim(1, until=1e6).run(story())
    assert calls
    times = sorted(at for at, _ in calls)
    for start in times:
        assert sum(start <= at < start + 60 for at in times) <= limits.DIALS_HEARSAY_PER_MINUTE
    assert not [at for _, at in calls if at.port < 1024 or at.host.startswith("192.168.")]
    assert max(Counter(at for _, at in calls).values()) <= limits.DIAL_TRIES
