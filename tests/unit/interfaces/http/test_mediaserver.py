"""Which host is answered by whom, and who gets in: over real listeners on loopback, and as the dispatcher sees it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from wildbach.base.ids import Endpoint
from wildbach.interfaces.http import mediaserver
from wildbach.interfaces.http.mediaserver import MediaServer, root_of
from wildbach.interfaces.settings import MediaSettings
from wildbach.net.httpd import Answer, Request, Response

QUIET = MediaSettings(listen="127.0.0.1:0")


async def media(request: Request) -> Answer:
    return Response(b"media " + repr(sorted(request.headers)).encode())


async def gateway(request: Request) -> Answer:
    return Response(b"site " + request.headers["host"].encode())


class Place:
    def __init__(self, settings: MediaSettings = QUIET, *, sites: bool = True) -> None:
        self.settings = settings
        self.server = MediaServer(lambda: self.settings, media)
        if sites:
            self.server.gateway = gateway

    async def ask(self, host: str | None, caller: str = "127.0.0.1", path: str = "/x") -> tuple[int, bytes]:
        given = {} if host is None else {"host": host}
        answer = await self.server.handle(Request("GET", path, "", Endpoint(caller, 1), given))
        assert isinstance(answer, Response)
        return answer.status, answer.body


@contextlib.asynccontextmanager
async def running(settings: MediaSettings = QUIET) -> AsyncIterator[Place]:
    place = Place(settings)
    await place.server.start()
    try:
        yield place
    finally:
        await place.server.close()


@pytest.mark.parametrize("host, lan, who", [
    ("media.localhost:9092", False, b"media"), ("MEDIA.localhost.", False, b"media"),
    ("127.0.0.1:9092", False, b"media"),
    ("[::1]:9092", False, b"media"), ("192.168.1.5:9092", True, b"media"), ("nas.example", False, b"media"),
    ("a.tv.example", False, b"media"), ("abc.localhost:9092", False, b"site"), ("v-abc.localhost", False, b"site"),
])
def test_a_host_is_answered_by_whom_it_belongs_to(host: str, lan: bool, who: bytes) -> None:
    place = Place(replace(QUIET, hosts=("nas.example", "*.tv.example"), lan=lan))
    status, body = asyncio.run(place.ask(host))
    assert status == 200 and body.startswith(who)


@pytest.mark.parametrize("host", [
    None, "", "evil.example", "evil.example:9092", "localhost", "localhost:9092", "localhost.evil.example",
    "media.localhost.evil.example", "media.localhost:x", "192.168.1.5", "8.8.8.8:9092", "a.b.localhost", ".localhost",
    "media.localhost, evil.example", "[::1%25eth0]:1", "tv.example", "xtv.example", "http://media.localhost",
])
def test_all_other_hosts_are_refused_before_anything_is_looked_at(host: str | None) -> None:
    place = Place(replace(QUIET, hosts=("*.tv.example",)))
    status, body = asyncio.run(place.ask(host))
    assert status == 421 and b"media " not in body and b"site " not in body


def test_an_absolute_target_is_no_way_around() -> None:
    assert asyncio.run(Place().ask("media.localhost", path="http://evil.example/x"))[0] == 421


def test_without_sites_nobody_answers_for_them() -> None:
    assert asyncio.run(Place(sites=False).ask("abc.localhost"))[0] == 421


@pytest.mark.parametrize("caller, lan, status", [
    ("192.168.1.9", False, 403), ("192.168.1.9", True, 200), ("fd00::9", True, 200), ("8.8.8.8", True, 403),
    ("2001:4860::1", True, 403), ("8.8.8.8", False, 403),
])
def test_other_machines_get_in_by_the_switch_and_only_neighbours(
    caller: str, lan: bool, status: int, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mediaserver, "interfaces", lambda: ())
    assert asyncio.run(Place(replace(QUIET, lan=lan)).ask("192.168.1.5:9092", caller))[0] == status


def test_sites_and_media_localhost_are_for_this_machine_only() -> None:
    place = Place(replace(QUIET, lan=True))
    for host in ("abc.localhost", "media.localhost", "127.0.0.1"):
        status, body = asyncio.run(place.ask(host, "192.168.1.9"))
        assert (status, b"site " in body) == ((200, False) if host == "127.0.0.1" else (421, False))


def test_what_the_browser_knows_of_another_port_is_not_passed_on() -> None:
    async def main() -> None:
        async with running() as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.server.port)
            writer.write(
                b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: session=1\r\nAuthorization: Bearer x\r\nRange: bytes=0-"
                b"\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            assert b"'range'" in answer and b"cookie" not in answer and b"authorization" not in answer
            writer.close()
            await writer.wait_closed()
    asyncio.run(main())


def listens_at(port: int) -> set[str]:
    """Of the addresses at which a call is taken on this machine, those that are not loopback."""
    found = set()
    for host in ("127.0.0.2", "127.0.0.1"):
        with socket.socket() as sock:
            sock.settimeout(30)
            if sock.connect_ex((host, port)) == 0:
                found.add(host)
    return found


def test_the_switch_opens_the_same_port_on_all_addresses_and_shuts_it_without_a_pause() -> None:
    """127.0.0.2 stands for another address of this machine."""
    async def main() -> None:
        async with running() as place:
            server, port = place.server, place.server.port
            assert listens_at(port) == {"127.0.0.1"} and not server.away
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            place.settings = replace(QUIET, lan=True)
            await server.follow()
            assert listens_at(port) == {"127.0.0.1", "127.0.0.2"} and server.port == port
            assert server.away.startswith("http://") and server.away.endswith(f":{port}")
            far = await asyncio.open_connection("127.0.0.2", port)
            place.settings = replace(QUIET, lan=True, url="https://media.example/")
            await server.follow()
            assert server.away == "https://media.example"
            place.settings = QUIET
            await server.follow()
            assert listens_at(port) == {"127.0.0.1"} and not server.away
            # Who played on this machine plays on.
            writer.write(b"GET / HTTP/1.1\r\nHost: media.localhost\r\nConnection: close\r\n\r\n")
            assert b" 200 OK" in await reader.readline()
            for one in (writer, far[1]):
                one.close()
                with contextlib.suppress(ConnectionError):
                    await one.wait_closed()
    asyncio.run(main())


def test_who_called_from_elsewhere_is_cut_off_when_the_switch_is_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediaserver, "_is_near", lambda host: host == "127.0.0.1")

    async def main() -> None:
        async with running(replace(QUIET, lan=True)) as place:
            with socket.socket() as sock:
                sock.bind(("127.0.0.2", 0))
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", place.server.port))
                reader, writer = await asyncio.open_connection(sock=sock)
                writer.write(b"GET / HTTP/1.1\r\nHost: 192.168.1.5\r\n\r\n")
                assert b" 200 OK" in await reader.readline()
                place.settings = QUIET
                await place.server.follow()
                with contextlib.suppress(ConnectionError):
                    await reader.read()
                assert reader.at_eof() or reader.exception() is not None
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
    asyncio.run(main())


def test_where_the_port_is_taken_the_next_one_is_and_then_any(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            async with running(MediaSettings(listen=f"127.0.0.1:{port}")) as place:
                assert place.server.port not in (0, port) and not place.server.problem
                assert place.server.near_url == f"http://127.0.0.1:{place.server.port}"
                assert place.server.browser_url == f"http://media.localhost:{place.server.port}"
    asyncio.run(main())


def test_where_it_cannot_listen_it_says_so_and_the_daemon_runs() -> None:
    async def main() -> None:
        async with running(MediaSettings(listen="192.0.2.1:9092")) as place:
            assert place.server.problem and not place.server.near_url and not place.server.browser_url
            await place.server.follow()
    asyncio.run(main())


def test_links_lead_to_where_the_caller_reached_us() -> None:
    settings = replace(QUIET, url="https://tv.example/", hosts=("nas", "tv.example"))
    for host, root in (
        ("media.localhost:9092", "http://media.localhost:9092"), ("127.0.0.1:9092", "http://127.0.0.1:9092"),
        ("[fd00::1]:9092", "http://[fd00::1]:9092"), ("tv.example", "https://tv.example"),
    ):
        assert root_of(settings, Request("GET", "/", "", Endpoint("127.0.0.1", 1), {"host": host})) == root
