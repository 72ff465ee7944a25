import asyncio
import contextlib
import socket
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from wildbach.base.errors import NetworkError
from wildbach.protocol.tracker import http, udp
from wildbach.protocol.tracker.announce import AnnounceReply, AnnounceRequest, Event, TrackerFailure
from wildbach.services.tracker import Files, TrackerOptions, TrackerServer

HASH = b"h" * 20
ID = b"-WB0100-abcdefghijkl"


def run(work: Callable[[TrackerServer], Awaitable[None]], options: TrackerOptions | None = None,
        clock: Callable[[], float] | None = None) -> None:
    async def main() -> None:
        async with TrackerServer(options=options or TrackerOptions(), clock=clock) as server:
            async with asyncio.timeout(30):
                await work(server)

    asyncio.run(main())


def request(url: str, port: int = 1000, event: Event = Event.NONE) -> AnnounceRequest:
    return AnnounceRequest(url, HASH, ID, port, left=1, event=event)


async def by_http(url: str, port: int = 1000) -> AnnounceReply:
    def fetch() -> bytes:
        with urllib.request.urlopen(http.announce_url(request(url, port)), timeout=60) as answer:
            said: bytes = answer.read()
        return said

    return http.parse_announce(await asyncio.to_thread(fetch))


async def by_udp(url: str, port: int = 1000) -> AnnounceReply:
    host, _, number = url.removeprefix("udp://").partition("/")[0].rpartition(":")
    loop = asyncio.get_running_loop()
    six = host.startswith("[")
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((host.strip("[]"), int(number)))
        sock.send(udp.connect_request(7))
        connection = udp.parse_connect_reply(await loop.sock_recv(sock, 2000))
        sock.send(udp.announce_request(connection, 8, request(url, port)))
        return udp.parse_announce_reply(await loop.sock_recv(sock, 2000), 6 if six else 4)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_http_and_udp_are_one_tracker_with_one_port(plain: bool, host: str) -> None:
    async def work(server: TrackerServer) -> None:
        await server.start(host)
        assert server.http_url is not None and server.udp_url is not None
        assert server.http_url.partition("//")[2] == server.udp_url.partition("//")[2]
        assert (await by_http(server.http_url, 1)).leeches == 1
        assert [peer.port for peer in (await by_udp(server.udp_url, 2)).peers] == [1]
        assert [peer.port for peer in (await by_http(server.http_url, 1)).peers] == [2]
        stats = server.stats()
        assert (stats.peers, stats.http_announces, stats.udp_announces, stats.udp_connects) == (2, 2, 1, 1)

    run(work, TrackerOptions(plain_sockets=plain))


def test_several_addresses_are_served() -> None:
    async def work(server: TrackerServer) -> None:
        await server.start("127.0.0.1", 0, None)
        await server.start("::1", 0, 0)
        assert [url.partition(":")[0] for url in server.urls] == ["http", "http", "udp"]
        await by_http(server.urls[0], 1)
        assert len((await by_http(server.urls[1], 2)).peers) == 1

    run(work)


def test_a_port_that_is_used_leaves_nothing_listening() -> None:
    async def work(server: TrackerServer) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            with pytest.raises(NetworkError) as caught:
                await server.start("127.0.0.1", 0, other.getsockname()[1])
        assert caught.value.code == "port_in_use"
        assert server.urls == ()

    run(work)


def test_lists_are_read_again_and_what_they_forbid_is_forgotten(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text(HASH.hex())

    async def work(server: TrackerServer) -> None:
        await server.start("127.0.0.1")
        assert server.http_url is not None
        await by_http(server.http_url)
        assert server.stats().peers == 1
        allow.write_text("00" * 20 + "\n")
        server.reload()
        assert server.stats().peers == 0
        with pytest.raises(TrackerFailure, match="does not serve"):
            await by_http(server.http_url)

    run(work, TrackerOptions(files=Files(allow=allow)))


def test_urls_of_a_private_tracker_show_where_the_key_stands(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice-key-1\n")

    async def work(server: TrackerServer) -> None:
        await server.start("127.0.0.1")
        assert all(url.endswith("/KEY/announce") for url in server.urls)
        for url, ask in zip(server.urls, (by_http, by_udp), strict=True):
            await ask(url.replace("KEY", "alice-key-1"))
            with pytest.raises(TrackerFailure, match="private"):
                await ask(url)

    run(work, TrackerOptions(files=Files(users=users)))


def test_connections_that_wait_do_not_keep_it_from_closing() -> None:
    async def work(server: TrackerServer) -> None:
        await server.start("127.0.0.1")
        assert server.http_url is not None
        at = server.http_url.removeprefix("http://").partition("/")[0].split(":")
        reader, writer = await asyncio.open_connection(at[0], int(at[1]))
        writer.write(b"GET /ann")
        await writer.drain()
        await server.close()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()

    run(work)


def test_trackers_that_share_a_secret_accept_each_others_ids() -> None:
    async def work(server: TrackerServer) -> None:
        async with TrackerServer(clock=lambda: 0.0) as other:
            for one in (server, other):
                one.share_secret(b"k" * 32)
                await one.start("127.0.0.1", None, 0)
            ports = [int((one.udp_url or "").rpartition(":")[2].partition("/")[0]) for one in (server, other)]
            loop = asyncio.get_running_loop()
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.bind(("127.0.0.1", 0))
                sock.sendto(udp.connect_request(7), ("127.0.0.1", ports[0]))
                connection = udp.parse_connect_reply(await loop.sock_recv(sock, 2000))
                sock.sendto(udp.announce_request(connection, 8, request("udp://t")), ("127.0.0.1", ports[1]))
                assert udp.parse_announce_reply(await loop.sock_recv(sock, 2000), 4).leeches == 1

    run(work, clock=lambda: 0.0)
