import asyncio
import random

import pytest

from disk_content import content
from wildbach.base.ids import Endpoint
from wildbach.disk.files import FileStorage
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.wrappers import Slow
from wildbach.net.tcp import TcpTransport
from wildbach.protocol.mse import Method
from wildbach.testing.contracts import STORAGE, TRANSPORT, StorageCase, TransportPair
from wildbach.testing.encrypted import EncryptedTransport
from wildbach.testing.loop import sim
from wildbach.testing.network import Network
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
