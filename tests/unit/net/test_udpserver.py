import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.udpserver import UdpServer

both = pytest.mark.parametrize("plain", [False, True])


def serve(plain: bool, host: str, work: Callable[[UdpServer, Endpoint, socket.socket], Awaitable[None]],
          answer: Callable[[bytes, bytes], bytes | None]) -> None:
    async def main() -> None:
        server = UdpServer(answer, plain=plain)
        at = server.open(Endpoint(host, 0))
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        client.setblocking(False)
        client.connect(at)
        try:
            async with asyncio.timeout(60):
                await work(server, at, client)
        finally:
            client.close()
            server.close()
            server.close()

    asyncio.run(main())


@both
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_each_datagram_gets_its_answer_at_its_own_address(plain: bool, host: str) -> None:
    async def work(server: UdpServer, at: Endpoint, client: socket.socket) -> None:
        other = socket.socket(client.family, socket.SOCK_DGRAM)
        other.setblocking(False)
        other.connect(at)
        loop = asyncio.get_running_loop()
        for turn in range(4):
            # More than a batch, from two senders.
            for number in range(50):
                client.send(b"a%d" % number)
                other.send(b"b%d" % number)
            for who, letter in ((client, b"a"), (other, b"b")):
                got = {await loop.sock_recv(who, 100) for _ in range(50)}
                assert got == {packed + b"/" + letter + b"%d" % number for number in range(50)}, turn
        other.close()
        assert (server.received, server.sent, server.lost) == (400, 400, 0)
        assert server.bytes_out == server.bytes_in + 400 * (len(packed) + 1)

    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    serve(plain, host, work, lambda sender, data: sender + b"/" + data)


@both
def test_what_deserves_no_answer_gets_none(plain: bool) -> None:
    async def work(server: UdpServer, at: Endpoint, client: socket.socket) -> None:
        for number in range(100):
            client.send(b"%d" % number)
        got = [await asyncio.get_running_loop().sock_recv(client, 100) for _ in range(34)]
        assert got == [b"%d" % number for number in range(0, 100, 3)]
        assert (server.received, server.sent) == (100, 34)

    serve(plain, "127.0.0.1", work, lambda sender, data: None if int(data) % 3 else data)


@both
def test_empty_and_huge_datagrams_harm_nobody(plain: bool) -> None:
    async def work(server: UdpServer, at: Endpoint, client: socket.socket) -> None:
        client.send(b"")
        client.send(b"x" * 60_000)
        client.send(b"end")
        loop = asyncio.get_running_loop()
        while await loop.sock_recv(client, 9000) != b"end":
            pass
        assert sizes and max(sizes) <= limits.TRACKER_SERVER_DATAGRAM_BYTES

    sizes: list[int] = []

    def answer(sender: bytes, data: bytes) -> bytes:
        sizes.append(len(data))
        return data[:10]

    serve(plain, "127.0.0.1", work, answer)


def test_a_port_that_is_used_is_said_unless_it_is_shared() -> None:
    async def main() -> None:
        one, two, three = (UdpServer(lambda sender, data: None) for _ in range(3))
        at = one.open(Endpoint("127.0.0.1", 0), shared=True)
        two.open(at, shared=True)
        with pytest.raises(NetworkError) as caught:
            three.open(at)
        assert caught.value.code == "port_in_use"
        assert three.endpoint is None and two.endpoint == at
        for server in (one, two):
            server.close()

    asyncio.run(main())
