import asyncio
import contextlib
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.certificates import self_signed

from wildbach.base.errors import NetworkError, UsageError
from wildbach.net import httpd, listening
from wildbach.net import websocket as websocket_module
from wildbach.net.crowd import Crowd
from wildbach.net.httpd import Handler, HttpServer, Request, Response, Stream, WebSocketUpgrade, server_tls
from wildbach.net.listening import inherited_sockets
from wildbach.net.websocket import WebSocket


async def echo(request: Request) -> Response:
    return Response(f"{request.method} {request.path} {request.query} {request.remote.host}".encode())


async def ask(port: int, said: bytes, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(said)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_request_reaches_the_handler_as_it_was_sent() -> None:
    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("127.0.0.1", 0)
        raw = b"GET /announce?info_hash=%ff%00a+b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await ask(at.port, raw)
        assert answer.endswith(b"\r\n\r\nGET /announce info_hash=%ff%00a+b 127.0.0.1")
        assert b"Server: wildbach\r\n" in answer
        await server.close()
    asyncio.run(main())


def test_ipv6_is_served() -> None:
    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("::1", 0)
        answer = await ask(at.port, b"GET / HTTP/1.0\r\n\r\n", "::1")
        assert answer.endswith(b"GET /  ::1")
        await server.close()
    asyncio.run(main())


def test_a_client_that_never_finishes_its_request_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "_REQUEST_SECONDS", 0.1)

    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("127.0.0.1", 0)
        assert await ask(at.port, b"GET / HTTP/1.1\r\nX: ") == b""
        await server.close()
    asyncio.run(main())


def test_who_asks_nothing_makes_room_for_who_comes() -> None:
    async def main() -> None:
        server = HttpServer(echo, connections=20)
        at = await server.start("127.0.0.1", 0)
        silent = [await asyncio.open_connection("127.0.0.1", at.port) for _ in range(60)]
        for _, writer in silent:
            writer.write(b"GET / HT")
        keeps = await asyncio.open_connection("127.0.0.1", at.port)
        keeps[1].write(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in await keeps[0].readline()
        for path in ("/a", "/b"):
            answer = await ask(at.port, b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
            assert answer.endswith(b" 127.0.0.1") and server.connections <= 21
        assert not server.refused
        await silent[0][0].read()  # the oldest was closed
        for _, writer in (*silent, keeps):
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await server.close()
    asyncio.run(main())


def test_connections_that_are_busy_are_bounded() -> None:
    async def main() -> None:
        busy, go = asyncio.Semaphore(0), asyncio.Event()

        async def slow(_request: Request) -> Response:
            busy.release()
            await go.wait()
            return Response(b"done")

        server = HttpServer(slow, connections=2)
        at = await server.start("127.0.0.1", 0)

        async def one_more() -> None:
            for _ in range(2):
                await busy.acquire()
            assert await ask(at.port, b"") == b""
            assert server.refused == 1
            go.set()

        first, second, _ = await asyncio.gather(
            ask(at.port, b"GET / HTTP/1.0\r\n\r\n"), ask(at.port, b"GET / HTTP/1.0\r\n\r\n"), one_more())
        assert first.endswith(b"done") and second.endswith(b"done")
        await server.close()
    asyncio.run(main())


def test_a_network_holds_half_of_the_connections_but_for_this_machine_and_trusted_ones() -> None:
    """Seen from the crowd: on loopback everybody is of this machine."""
    crowd: Crowd[int] = Crowd(2)
    assert [crowd.enter(number, f"2001:db8::{number:x}") for number in range(4)] == [True, True, False, False]
    assert crowd.enter(4, "2001:db8::4", trusted=True) and crowd.enter(5, "192.0.2.1")
    crowd.leave(0)
    assert not crowd.enter(6, "2001:db8::6"), "two are there still"
    crowd.leave(1)
    assert crowd.enter(7, "2001:db8::7")


def test_of_those_that_make_room_the_greediest_network_is_first_and_who_rests_last() -> None:
    crowd: Crowd[str] = Crowd(10)
    for one, host in (("a", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "192.0.2.2"), ("d", "192.0.2.3")):
        crowd.enter(one, host)
    crowd.ask("d")
    assert crowd.displace() == "b"
    assert {crowd.displace(), crowd.displace()} == {"a", "c"}
    assert crowd.displace() is None, "d is busy"
    crowd.rest("d")
    crowd.rest("a")
    assert crowd.displace() == "d" and crowd.displace() is None
    crowd.leave("d")


def test_nonsense_and_long_headers_are_refused_and_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server = HttpServer(echo)
        at = await server.start("127.0.0.1", 0)
        assert b" 400 " in await ask(at.port, b"nonsense\r\n\r\n")
        assert b" 400 " in await ask(at.port, b"GET / HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n")
        await server.close()
    asyncio.run(main())
    assert caplog.text == ""


def test_a_port_in_use_is_a_network_error() -> None:
    async def main() -> None:
        one, two = HttpServer(echo), HttpServer(echo)
        at = await one.start("127.0.0.1", 0)
        with pytest.raises(NetworkError, match="cannot listen"):
            await two.start("127.0.0.1", at.port)
        await one.close()
        await two.close()
    asyncio.run(main())


def post(body: bytes, *more: bytes, length: int | None = None) -> bytes:
    lines = [b"POST / HTTP/1.1", b"Host: x", b"Connection: close", *more]
    if length is None or length >= 0:
        lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def take(request: Request) -> Response:
    return Response(await request.body(1000))


@contextlib.asynccontextmanager
async def serving(handler: Handler, **options: int) -> AsyncIterator[tuple[HttpServer, int]]:
    server = HttpServer(handler, **options)
    at = await server.start("127.0.0.1", 0)
    try:
        yield server, at.port
    finally:
        await server.close()


def test_bodies_come_whole_or_in_chunks_and_are_bounded() -> None:
    async def main() -> None:
        async with serving(take) as (_, port):
            assert (await ask(port, post(b"hello"))).endswith(b"\r\n\r\nhello")
            chunked = b"Transfer-Encoding: chunked"
            said = post(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", chunked, length=-1)
            assert (await ask(port, said)).endswith(b"\r\n\r\nabcde")
            assert b" 413 " in await ask(port, post(b"x" * 1001))
            assert b" 413 " in await ask(port, post(b"", length=1 << 40))
            endless = b"fff\r\n" + b"x" * 0xfff + b"\r\n"
            assert b" 413 " in await ask(port, post(endless, chunked, length=-1))
            assert b" 415 " in await ask(port, post(b"", b"Content-Encoding: gzip"))
    asyncio.run(main())


def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async def main() -> None:
        async with serving(take) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(post(b"", b"Expect: 100-continue", length=5))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"hello")
            assert (await reader.read()).endswith(b"hello")
            writer.close()
            await writer.wait_closed()
    asyncio.run(main())


@pytest.mark.parametrize("limit", ["_BODY_IDLE_SECONDS", "_BODY_FREE_SECONDS"])
def test_a_body_that_dribbles_is_given_up(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(httpd, limit, 0.05)

    async def main() -> None:
        async with serving(take) as (_, port):
            assert b" 408 " in await ask(port, post(b"x", length=10))
    asyncio.run(main())


def test_a_long_answer_comes_whole_and_as_it_was() -> None:
    body = bytes(range(256)) * 2000

    async def long(request: Request) -> Response:
        return Response(body, content_type="application/octet-stream")

    async def main() -> None:
        async with serving(long) as (_, port):
            head, _, rest = (await ask(port, post(b""))).partition(b"\r\n\r\n")
            assert rest == body
            assert b"Content-Length: 512000" in head
    asyncio.run(main())


class Chunks:
    """An endless body that remembers how it fared."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = asyncio.Event()
        self.idle = False

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> bytes:
        self.made += 1
        if self.idle:
            await asyncio.Event().wait()
        return b"x" * 100_000

    async def aclose(self) -> None:
        self.closed.set()


async def settled(chunks: Chunks) -> None:
    """Until no more of the body is made: the loop turns over with nothing to do."""
    before = -1
    while before != chunks.made:
        before = chunks.made
        await asyncio.sleep(0.05)


def test_a_stream_is_made_as_fast_as_it_is_fetched_and_ends_with_its_client() -> None:
    async def main() -> None:
        chunks = Chunks()

        async def stream(request: Request) -> Stream:
            return Stream(chunks)

        async with serving(stream) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(post(b""))
            await reader.readuntil(b"\r\n\r\n")
            await settled(chunks)
            assert chunks.made < 400, "40 MB were made for a client that reads nothing"
            writer.transport.abort()
            await asyncio.wait_for(chunks.closed.wait(), 60)
    asyncio.run(main())


def test_a_stream_with_nothing_to_send_ends_with_its_client_too() -> None:
    async def main() -> None:
        chunks = Chunks()
        chunks.idle = True

        async def stream(request: Request) -> Stream:
            return Stream(chunks)

        async with serving(stream) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(post(b""))
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await asyncio.wait_for(chunks.closed.wait(), 60)
    asyncio.run(main())


def test_a_handler_that_was_bound_to_its_client_ends_with_it() -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            request.with_client()
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return Response()

        server = HttpServer(handler)
        at = await server.start("127.0.0.1", 0)
        _, writer = await asyncio.open_connection(at.host, at.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(begun.wait(), 60)
        writer.close()
        await asyncio.wait_for(ended.wait(), 60)
        await server.close()
    asyncio.run(main())


def test_a_stream_that_fails_is_broken_off() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    async def stream(request: Request) -> Stream:
        return Stream(failing())

    async def main() -> None:
        async with serving(stream) as (_, port):
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                answer = await ask(port, post(b""))
            assert not answer.endswith(b"0\r\n\r\n"), "half of a body was given for all of it"
    asyncio.run(main())


def test_websockets_speak_text_both_ways_and_long_messages_end_them() -> None:
    async def talk(websocket: WebSocket) -> None:
        while (text := await websocket.receive()) is not None:
            await websocket.send(text.upper())

    async def handler(request: Request) -> WebSocketUpgrade:
        return WebSocketUpgrade(talk, message_bytes=1000)

    async def main() -> None:
        async with serving(handler) as (_, port), aiohttp.ClientSession() as session:
            async with session.ws_connect(f"http://127.0.0.1:{port}/") as websocket:
                await websocket.send_str("hello")
                assert await websocket.receive_str() == "HELLO"
                await websocket.send_str("x" * 1001)
                await websocket.receive()
                assert websocket.close_code == 1009
            async with session.get(f"http://127.0.0.1:{port}/") as plain:
                assert plain.status == 426
    asyncio.run(main())


def test_a_server_that_ends_says_so_to_its_websockets() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.receive()

    async def handler(request: Request) -> WebSocketUpgrade:
        return WebSocketUpgrade(talk)

    async def main() -> None:
        async with (
            serving(handler) as (server, port), aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/") as websocket,
        ):
            await asyncio.wait_for(asyncio.gather(server.close(), websocket.receive()), 60)
            assert websocket.close_code == 1001
    asyncio.run(main())


def test_a_websocket_waits_for_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "_SEND_SECONDS", 0.2)
    sent: list[int] = []
    over = asyncio.Event()

    async def talk(websocket: WebSocket) -> None:
        try:
            while True:
                await websocket.send("x" * 100_000)
                sent.append(1)
        finally:
            over.set()

    async def handler(request: Request) -> WebSocketUpgrade:
        return WebSocketUpgrade(talk)

    async def main() -> None:
        async with serving(handler) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(
                b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            await asyncio.wait_for(over.wait(), 60)
            assert len(sent) < 400
            writer.transport.abort()
    asyncio.run(main())


def test_a_unix_socket_is_ours_alone_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    async def main() -> None:
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(path))
        dead.close()
        server, second = HttpServer(echo), HttpServer(echo)
        await server.start_unix(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(NetworkError) as caught:
            await second.start_unix(str(path))
        assert caught.value.code == "port_in_use"
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET /a HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"GET /a  127.0.0.1")
        writer.close()
        await writer.wait_closed()
        await server.close()
        assert not path.exists()
    asyncio.run(main())


def test_a_socket_that_a_service_manager_bound_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    monkeypatch.setattr(listening, "_FIRST_INHERITED", bound.fileno())
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "http"}
    taken = inherited_sockets(environ)
    bound.detach()
    assert [sock.getsockname()[1] for sock in taken] == [port]
    assert environ == {}
    assert inherited_sockets({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []
    assert inherited_sockets({"LISTEN_FDS": "²", "LISTEN_PID": str(os.getpid())}) == []

    async def main() -> None:
        server = HttpServer(echo)
        await server.start_inherited(taken[0])
        assert b"GET /i" in await ask(port, b"GET /i HTTP/1.0\r\n\r\n")
        await server.close()
    asyncio.run(main())


def test_tls_is_served_and_a_bad_certificate_is_named(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)

    async def secure(request: Request) -> Response:
        return Response(b"secure" if request.secure else b"plain")

    async def main() -> None:
        server = HttpServer(secure)
        at = await server.start("127.0.0.1", 0, tls=server_tls(str(certificate)))
        trusting = ssl.create_default_context(cafile=str(certificate))
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port, ssl=trusting, server_hostname="localhost")
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"secure")
        writer.close()
        await writer.wait_closed()
        await server.close()
    asyncio.run(main())
    with pytest.raises(UsageError, match=r"nowhere\.pem"):
        server_tls(str(tmp_path / "nowhere.pem"))
    (tmp_path / "bad.pem").write_text("nonsense")
    with pytest.raises(UsageError, match=r"bad\.pem"):
        server_tls(str(tmp_path / "bad.pem"))


def test_connections_that_never_shake_hands_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "_HANDSHAKE_SECONDS", 0.3)
    certificate = self_signed(tmp_path)

    async def main() -> None:
        server = HttpServer(echo, connections=2)
        at = await server.start("127.0.0.1", 0, tls=server_tls(str(certificate)))
        held = [await asyncio.open_connection("127.0.0.1", at.port) for _ in range(2)]
        while server.connections < 2:
            await asyncio.sleep(0)
        with contextlib.suppress(ConnectionError):
            assert await ask(at.port, b"") == b""
        assert server.refused == 1
        for _, writer in held:
            writer.transport.abort()
        await server.close()
    asyncio.run(main())
