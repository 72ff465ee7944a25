import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net import tinyhttp
from wildbach.net.tinyhttp import Answer, Refusal, TinyHttpServer, read_request

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def echo(target: bytes, sender: bytes) -> Answer:
    return Answer(target + b" " + sender.hex().encode())


def serve(work: Callable[[TinyHttpServer, Dial], Awaitable[None]], *, host: str = "127.0.0.1",
          answer: Callable[[bytes, bytes], Answer] = echo, **bounds: int) -> None:
    async def main() -> None:
        server = TinyHttpServer(answer, **bounds)
        at = server.open(Endpoint(host, 0))
        writers: list[asyncio.StreamWriter] = []

        async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(*at)
            writers.append(writer)
            return reader, writer

        try:
            async with asyncio.timeout(30):
                await work(server, dial)
        finally:
            for writer in writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            server.close()

    asyncio.run(main())


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *fields = head.strip().split("\r\n")
    values = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    return int(first.split()[1]), values, await reader.readexactly(int(values["content-length"]))


def test_a_request_is_answered_and_the_connection_kept() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        reader, writer = await dial()
        for number in range(3):
            writer.write(b"GET /a%d?b HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            status, fields, body = await answered(reader)
            assert (status, body) == (200, b"/a%d?b 7f000001" % number)
            assert fields["connection"] == "keep-alive"
        assert server.connections == 1

    serve(work)


def test_ipv6_clients_have_sixteen_bytes() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await answered(reader))[2] == b"/ " + b"00" * 15 + b"01"

    serve(work, host="::1")


@pytest.mark.parametrize(("request_", "kept"), [
    (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False), (b"GET / HTTP/1.0\r\n\r\n", False),
    (b"GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", True), (b"GET / HTTP/1.1\r\n\r\n", True),
])
def test_who_wants_the_connection_closed_has_it_closed(request_: bytes, kept: bool) -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(request_)
        assert (await answered(reader))[1]["connection"] == ("keep-alive" if kept else "close")
        if not kept:
            assert await reader.read() == b""

    serve(work)


def test_pipelined_requests_are_answered_in_turn_however_they_are_cut() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        reader, writer = await dial()
        sent = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(100))
        for at in range(0, len(sent), 37):
            writer.write(sent[at : at + 37])
            await writer.drain()
            if at % 370 == 0:
                await asyncio.sleep(0)
        for number in range(100):
            assert (await answered(reader))[2] == b"/%d 7f000001" % number

    serve(work)


def test_head_gets_no_body() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(b"HEAD /x HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"Content-Length: 11\r\n\r\n")

    serve(work)


@pytest.mark.parametrize(("sent", "status"), [
    (b"rubbish\r\n\r\n", 400), (b"GET /\r\n\r\n", 400), (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400), (b"POST / HTTP/1.1\r\n\r\n", 405), (b"\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 400), (b"GET / HTTP/1.1\r\ncontent-length: 05\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n", 400),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 431), (b"x" * 9000, 431),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2000 + b"\r\n", 431),
])
def test_what_is_no_short_get_is_refused_and_closed(sent: bytes, status: int) -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(sent + b"GET /smuggled HTTP/1.1\r\n\r\n")
        found, fields, _ = await answered(reader)
        assert (found, fields["connection"]) == (status, "close")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert server.refused == 1

    serve(work)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tinyhttp, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(tinyhttp, "KEEP_SECONDS", 1.0)
    monkeypatch.setattr(tinyhttp, "_SWEEP_SECONDS", 0.05)
    yield


@pytest.mark.usefixtures("impatient")
def test_a_client_that_dribbles_its_request_is_closed_and_so_is_an_idle_one() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        silent, _ = await dial()
        slow, writer = await dial()
        idle, asking = await dial()
        asking.write(b"GET / HTTP/1.1\r\n\r\n")
        await answered(idle)
        ended = asyncio.gather(silent.read(), idle.read(), slow.read(), return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            for byte in b"GET / HTTP/1.1\r\n" + b"x" * 1000:
                if slow.at_eof() or writer.is_closing():
                    break
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.01)
        await ended
        while server.connections:
            await asyncio.sleep(0.01)

    serve(work)


def test_a_client_that_takes_no_answers_is_dropped() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        _, writer = await dial()
        sock = writer.get_extra_info("socket")
        writer.transport.pause_reading()
        # Past the transport, which would keep what the server does not take.
        with contextlib.suppress(ConnectionError), socket.fromfd(sock.fileno(), sock.family, sock.type) as raw:
            raw.setblocking(False)
            while server.connections:
                with contextlib.suppress(BlockingIOError):
                    raw.send(b"GET / HTTP/1.1\r\n\r\n" * 200)
                await asyncio.sleep(0.001)
        assert server.refused == 1

    serve(work, answer=lambda target, sender: Answer(b"x" * 20_000))


def test_the_oldest_connection_makes_room() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        first, _ = await dial()
        rest = [await dial() for _ in range(5)]
        assert await first.read() == b""
        reader, writer = rest[-1]
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await answered(reader))[0] == 200
        assert server.connections <= 3 and server.evicted >= 1

    serve(work, connections=3)


def test_one_address_has_a_share_of_the_connections() -> None:
    async def work(server: TinyHttpServer, dial: Dial) -> None:
        kept = [await dial() for _ in range(2)]
        more, _ = await dial()
        with contextlib.suppress(ConnectionError):
            assert await more.read() == b""
        reader, writer = kept[0]
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        await answered(reader)
        assert await reader.read() == b""
        reader, writer = await dial()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await answered(reader))[0] == 200

    serve(work, per_address=2)


def test_a_port_that_is_used_is_said() -> None:
    async def main() -> None:
        one, two = TinyHttpServer(lambda t, h: Answer(b"")), TinyHttpServer(lambda t, h: Answer(b""))
        at = one.open(Endpoint("127.0.0.1", 0))
        with pytest.raises(NetworkError) as caught:
            two.open(at)
        assert caught.value.code == "port_in_use"
        one.close()

    asyncio.run(main())


@given(st.binary(max_size=300))
def test_any_head_is_read_or_refused(data: bytes) -> None:
    for head in (data, b"GET /" + data + b" HTTP/1.1", b"GET / HTTP/1.1\r\n" + data):
        try:
            target, _, _ = read_request(head)
        except Refusal as error:
            assert 400 <= error.status < 500
        else:
            assert target.startswith(b"/") and b" " not in target


def test_the_bounds_are_as_documented() -> None:
    assert limits.TRACKER_SERVER_REQUEST_BYTES >= limits.TRACKER_SERVER_QUERY_BYTES
