import asyncio
import random

import pytest

from disk_content import content
from wildbach.base.ids import Endpoint
from wildbach.disk.files import FileStorage
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.wrappers import Slow
from wildbach.net.tcp import TcpTransport
from wildbach.net.udp import Datagrams
from wildbach.net.utp import UtpTransport
from wildbach.protocol.mse import Method
from wildbach.testing.contracts import STORAGE, TRANSPORT, StorageCase, TransportPair
from wildbach.testing.encrypted import EncryptedTransport
from wildbach.testing.loop import sim
from wildbach.testing.meeting import MuxTransport, NoiseTransport
from wildbach.testing.network import MemoryDatagrams, Network
from wildbach.testing.storage import SharedStorage

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
@pytest.mark.parametrize(("host", "offload"), [("127.0.0.1", True), ("127.0.0.1", False), ("::1", True)])
def test_utp_keeps_the_contract_of_a_transport(check, host, offload):
    async def main():
        near, far = Datagrams(offload=offload), Datagrams(offload=offload)
        near.open([Endpoint(host, 0)])
        far.open([Endpoint(host, 0)])
        one, two = UtpTransport(near), UtpTransport(far)
        try:
            await check(TransportPair(one, two, Endpoint(host, 0)))
            await asyncio.sleep(0)
        finally:
            one.close()
            two.close()
            near.close()
            far.close()

    asyncio.run(main())


@checks
@pytest.mark.parametrize("links", [{"loss": 0.0}, {"loss": 0.05, "jitter": 0.004, "duplicate": 0.02}])
def test_utp_over_simulated_datagrams_keeps_the_contract_of_a_transport(check, links):
    async def main():
        network = Network(**links)
        sides = []
        for _ in range(2):
            host = network.host()
            datagrams = MemoryDatagrams(host)
            datagrams.open([Endpoint(host.address, 6881)])
            sides.append(UtpTransport(datagrams, rng=random.Random(len(sides))))
        try:
            await check(TransportPair(*sides, Endpoint(network.hosts[1].address, 0)))
            await asyncio.sleep(0.05)
        finally:
            for side in sides:
                side.close()

    sim(3, until=600).run(main())


@checks
@pytest.mark.parametrize("links", [{}, {"up": 8e6, "down": 20e6}, {"up": 0, "down": 6e6}])
def test_the_simulated_network_keeps_the_contract_of_a_transport(check, links):
    async def main():
        network = Network()
        near, far = network.host(**links), network.host(**links)
        await check(TransportPair(near.transport, far.transport, Endpoint(far.address, 0)))

    sim(3, until=600).run(main())


@checks
@pytest.mark.parametrize("method", Method)
def test_an_encrypted_tcp_connection_keeps_it(check, method):
    async def main():
        transport = EncryptedTransport(TcpTransport(), random.Random(1), method)
        await check(TransportPair(transport, transport, Endpoint("127.0.0.1", 0)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())


@checks
@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("links", [{}, {"up": 8e6, "down": 20e6}])
def test_an_encrypted_simulated_connection_keeps_it(check, links, method):
    async def main():
        network = Network()
        near, far = (
            EncryptedTransport(host.transport, random.Random(number), method)
            for number, host in enumerate((network.host(**links), network.host(**links)))
        )
        await check(TransportPair(near, far, Endpoint("20.0.1.7", 0)))

    sim(3, until=600).run(main())


@checks
def test_noise_over_tcp_keeps_it(check):
    async def main():
        transport = NoiseTransport(TcpTransport(), random.Random(1))
        await check(TransportPair(transport, transport, Endpoint("127.0.0.1", 0)))
        await transport.close()

    asyncio.run(main())


@checks
@pytest.mark.parametrize("links", [{}, {"up": 8e6, "down": 20e6}])
def test_noise_over_a_simulated_network_keeps_it(check, links):
    async def main():
        network = Network()
        near, far = (
            NoiseTransport(host.transport, random.Random(number))
            for number, host in enumerate((network.host(**links), network.host(**links)))
        )
        await check(TransportPair(near, far, Endpoint("20.0.1.7", 0)))
        await near.close()
        await far.close()

    sim(3, until=600).run(main())


@checks
def test_a_channel_over_tcp_keeps_it(check):
    async def main():
        transport = MuxTransport(NoiseTransport(TcpTransport(), random.Random(1)), others=3)
        await check(TransportPair(transport, transport, Endpoint("127.0.0.1", 0)))
        await transport.close()

    asyncio.run(main())


@checks
@pytest.mark.parametrize("links", [{}, {"up": 8e6, "down": 20e6}])
def test_a_channel_over_a_simulated_network_keeps_it(check, links):
    async def main():
        network = Network()
        near, far = (
            MuxTransport(NoiseTransport(host.transport, random.Random(number)))
            for number, host in enumerate((network.host(**links), network.host(**links)))
        )
        await check(TransportPair(near, far, Endpoint("20.0.1.7", 0)))
        await near.close()
        await far.close()

    sim(3, until=600).run(main())


MANY = content(("a", 10), ("sub/b", 140_000), ("empty", 0), ("sub/c", 70_001), ("d", 1))
ONE = content(("a", 300_000))
DATA = random.Random(1).randbytes(200_001)


def whole(what):
    return what.linear(0, sum(file.length for file in what.geometry.files))


@pytest.mark.parametrize("check", STORAGE, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ["files", "file", "slow", "memory", "shared"])
def test_storages_keep_the_contract(check, kind, tmp_path):
    if kind == "files":
        case = StorageCase(lambda: FileStorage(MANY, tmp_path), whole(MANY))
    elif kind == "file":
        case = StorageCase(lambda: FileStorage(ONE, tmp_path), whole(ONE))
    elif kind == "slow":
        case = StorageCase(lambda: Slow(FileStorage(MANY, tmp_path), pause=lambda seconds: None), whole(MANY))
    else:
        storage = MemoryStorage(MANY) if kind == "memory" else SharedStorage(DATA)
        case = StorageCase(lambda: storage, whole(MANY) if kind == "memory" else DATA)
    check(case)
