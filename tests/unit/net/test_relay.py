"""A connection through a relay keeps the contract of every connection, in the simulator and over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from wildbach.base.ids import Endpoint
from wildbach.net.relay import meet
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection, Transport
from wildbach.protocol.sync.relay import Caps
from wildbach.runtime.tasks import Scope
from wildbach.services.relay.server import RelayServer
from wildbach.testing import contracts
from wildbach.testing.contracts import TRANSPORT, TransportCheck, TransportPair
from wildbach.testing.loop import sim
from wildbach.testing.network import Network

TOKENS = [bytes([number]) * 32 for number in range(3)]
NOT_OF_STREAMS = (
    contracts.both_ends_name_each_other, contracts.a_port_nobody_listens_on_refuses,
    contracts.a_port_is_listened_on_once, contracts.a_dial_can_be_cancelled,
)
"These are about addresses, and a relay has none of the other side."
CHECKS = [check for check in TRANSPORT if check not in NOT_OF_STREAMS]


class Side:
    """One side: who listens waits at the relay, and who dials comes there too."""

    def __init__(self, scope: Scope, transport: Transport, relay: Endpoint) -> None:
        self._scope = scope
        self._transport = transport
        self.endpoint = relay

    async def dial(self, remote: Endpoint) -> Connection:
        return await meet(self._transport, self.endpoint, TOKENS, 0)

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Side:
        async def wait() -> None:
            accept(await meet(self._transport, self.endpoint, TOKENS, 1))

        self._scope.spawn("wait", wait())
        return self

    def close(self) -> None:
        pass


async def through(check: TransportCheck, server: RelayServer, relay: Endpoint, near: Transport, far: Transport) -> None:
    async with server, Scope("sides") as scope:
        at = await server.start("127.0.0.1" if relay.host == "127.0.0.1" else "0.0.0.0", relay.port)
        there = Endpoint(relay.host, at.port)
        await check(TransportPair(Side(scope, near, there), Side(scope, far, there), there))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_through_a_relay_of_the_simulator(check: TransportCheck) -> None:
    async def story() -> None:
        network = Network()
        middle, near, far = (network.host() for _ in range(3))
        await through(
            check, RelayServer(Caps(rate=0, pair_rate=0), transport=middle.transport), Endpoint(middle.address, 6990),
            near.transport, far.transport)

    sim(1).run(story())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_through_a_relay_over_real_sockets(check: TransportCheck) -> None:
    async def story() -> None:
        await through(
            check, RelayServer(Caps(rate=0, pair_rate=0)), Endpoint("127.0.0.1", 0), TcpTransport(), TcpTransport())

    asyncio.run(story())
