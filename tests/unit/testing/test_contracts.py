import asyncio

import pytest

from wildbach.base.ids import Endpoint
from wildbach.net.tcp import TcpTransport
from wildbach.testing.contracts import TRANSPORT, TransportPair
from wildbach.testing.loop import sim
from wildbach.testing.network import Network

checks = pytest.mark.parametrize("check", TRANSPORT, ids=lambda check: check.__name__)


@checks
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tcp_keeps_the_contract_of_a_transport(check, host):
    async def main():
        transport = TcpTransport()
        await check(TransportPair(transport, transport, Endpoint(host, 0)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())


@checks
@pytest.mark.parametrize("links", [{}, {"up": 8e6, "down": 20e6}, {"up": 0, "down": 6e6}])
def test_the_simulated_network_keeps_the_contract_of_a_transport(check, links):
    async def main():
        network = Network()
        near, far = network.host(**links), network.host(**links)
        await check(TransportPair(near.transport, far.transport, Endpoint(far.address, 0)))

    sim(3, until=600).run(main())
