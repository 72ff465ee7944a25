"""The relay over real sockets on this machine, with the client that meets others there."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import DeviceId, Endpoint
from wildbach.net.relay import meet
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection, Landing
from wildbach.protocol.sync import relay as protocol
from wildbach.protocol.sync.relay import Caps, Status
from wildbach.protocol.sync.tags import member_tokens
from wildbach.runtime.tasks import Scope
from wildbach.services.relay.metrics import prometheus
from wildbach.services.relay.server import RelayServer

SECRET = bytes(range(32))
ONE, OTHER = DeviceId(b"1" * 16), DeviceId(b"2" * 16)
NOW = 1_800_000_000.0
OPEN: list[Connection | socket.socket] = []
"What a test opened."


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


class Taker:
    """A sink that keeps what comes."""

    missing = 0

    def __init__(self) -> None:
        self.landing: Landing | None = None
        self.data = bytearray()
        self.ended = False
        self.news = asyncio.Event()

    def received(self, data: memoryview) -> int:
        self.data += data
        self.news.set()
        return len(data)

    def drained(self) -> None:
        self.news.set()

    def closed(self, error: Exception | None) -> None:
        self.ended = True
        self.news.set()

    async def until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not so():
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def running(caps: Caps | None = None) -> AsyncIterator[tuple[RelayServer, Endpoint]]:
    async with RelayServer(caps) as server:
        try:
            yield server, await server.start("127.0.0.1", 0)
        finally:
            while OPEN:
                OPEN.pop().close()


async def both(*work: Coroutine[Any, Any, Connection]) -> list[Connection]:
    found: dict[int, Connection] = {}

    async def run(number: int, one: Coroutine[Any, Any, Connection]) -> None:
        found[number] = await one

    async with asyncio.timeout(30), Scope("both") as scope:
        await asyncio.wait([scope.spawn(str(number), run(number, one)) for number, one in enumerate(work)])
    return [found[number] for number in sorted(found)]


async def pair(at: Endpoint, days: float = 0.0) -> list[Connection]:
    transport = TcpTransport()
    found = await both(
        meet(transport, at, member_tokens(SECRET, ONE, OTHER, NOW), 0),
        meet(transport, at, member_tokens(SECRET, OTHER, ONE, NOW + days * 86400), 1))
    OPEN.extend(found)
    return found


def raw(at: Endpoint, data: bytes = b"") -> socket.socket:
    sock = socket.create_connection(tuple(at))
    OPEN.append(sock)
    sock.sendall(data)
    sock.settimeout(30)
    return sock


async def hears(sock: socket.socket, size: int) -> bytes:
    """What comes until the end, at most `size` bytes; a reset is an end."""
    def read() -> bytes:
        got = b""
        try:
            while len(got) < size and (data := sock.recv(size - len(got))):
                got += data
        except ConnectionError:
            pass
        return got

    return await asyncio.to_thread(read)


@pytest.mark.parametrize("days", [0.0, 1.0, -2.0])
@on_a_loop
async def test_two_devices_speak_through_it(days: float) -> None:
    async with running() as (server, at):
        one, other = await pair(at, days)
        assert one.kind == other.kind == "relay" and one.remote == at
        a, b = Taker(), Taker()
        payload = os.urandom(3 << 20)
        one.send(payload)
        other.start(b)
        one.start(a)
        other.send(b"hello")
        await b.until(lambda: len(b.data) == len(payload))
        await a.until(lambda: len(a.data) == 5)
        assert b.data == payload and a.data == b"hello"
        assert server.stats().moved == len(payload) + 5
        one.close()
        await b.until(lambda: b.ended)
        assert "wildbach_relay_joined_total 1\n" in prometheus(server.stats())


@on_a_loop
async def test_the_last_words_arrive_before_the_end() -> None:
    async with running(Caps(rate=0, pair_rate=0)) as (server, at):
        one, other = await pair(at)
        a, b = Taker(), Taker()
        one.start(a)
        payload = os.urandom(200_000)
        one.send(payload)
        await a.until(lambda: not one.queued)
        one.close()
        while server.stats().pairs:
            await asyncio.sleep(0)
        other.start(b)
        await b.until(lambda: b.ended)
        assert b.data == payload


@on_a_loop
async def test_what_came_early_waits_for_who_starts_late() -> None:
    async with running() as (_, at):
        one, other = await pair(at)
        one.send(b"early")
        one.start(Taker())
        b = Taker()
        other.start(b)
        await b.until(lambda: bytes(b.data) == b"early")


@on_a_loop
async def test_a_reader_that_takes_nothing_holds_little() -> None:
    async with running(Caps(rate=0, pair_rate=0)) as (server, at):
        one, other = await pair(at)
        a = Taker()
        one.start(a)
        one.send(bytes(64 << 20))
        # `other` reads nothing; its system and the relay's take what they hold.
        last, still = -1, 0
        while still < 20:
            moved = server.stats().moved
            still = still + 1 if moved == last else 0
            last = moved
            await asyncio.sleep(0.01)
        held = sum(guest.connection.queued for guest in server._guests.values())
        assert held <= limits.RELAY_QUEUED_BYTES + (1 << 20) and one.queued
        b = Taker()
        other.start(b)
        await b.until(lambda: len(b.data) == 64 << 20)


@on_a_loop
async def test_the_rate_of_a_pair_holds() -> None:
    async with running(Caps(rate=0, pair_rate=400_000)) as (_, at):
        one, other = await pair(at)
        b = Taker()
        other.start(b)
        loop = asyncio.get_running_loop()
        began = loop.time()
        one.start(Taker())
        for _ in range(8):
            one.send(bytes(50_000))
            await asyncio.sleep(0.05)
        await b.until(lambda: len(b.data) == 400_000)
        # The last read may go into debt; what was read before had to wait for it.
        assert loop.time() - began > 0.4


@pytest.mark.parametrize("data", [b"GET http://x/ HTTP/1.1\r\n\r\n", b"\x05\x01\x00", b"CONNECT x:1 HTTP/1.1\r\n"])
@on_a_loop
async def test_it_is_no_proxy(data: bytes) -> None:
    async with running() as (server, at):
        sock = raw(at, data)
        assert await hears(sock, 10) == b""
        sock.close()
        assert server.stats().refused == 1


@on_a_loop
async def test_floods_of_one_address_are_told_so() -> None:
    async with running(Caps(per_address=4, calls_per_minute=1000)) as (server, at):
        socks = [raw(at) for _ in range(4)]
        more = raw(at)
        assert await hears(more, 10) == bytes([Status.TOO_MANY])
        tokens = member_tokens(SECRET, ONE, OTHER, NOW)
        with pytest.raises(NetworkError, match="too many connections") as caught:
            await meet(TcpTransport(), at, tokens, 0)
        assert caught.value.code == "relay"
        for sock in socks:
            sock.close()
        while server.stats().connections:
            await asyncio.sleep(0)
        assert len(await pair(at)) == 2


@on_a_loop
async def test_half_a_greeting_and_a_wait_in_vain_end() -> None:
    async with running(Caps(hello_seconds=0.5, wait_seconds=0.5)) as (server, at):
        half = raw(at, protocol.MAGIC)
        assert await hears(half, 10) == b""
        with pytest.raises(NetworkError, match="did not come"):
            await meet(TcpTransport(), at, member_tokens(SECRET, ONE, OTHER, NOW), 0)
        assert (server.stats().refused, server.stats().nobody) == (1, 1)
        half.close()


@on_a_loop
async def test_guessed_tokens_meet_nobody() -> None:
    async with running(Caps(per_address=100, calls_per_minute=1000)) as (server, at):
        waiting = raw(at, protocol.hello(member_tokens(SECRET, ONE, OTHER, NOW), 0))
        guesses = [raw(at, protocol.hello([os.urandom(32) for _ in range(3)], 1)) for _ in range(50)]
        assert [await hears(sock, 1) for sock in (waiting, *guesses)] == [b"\0"] * 51
        assert (server.stats().pairs, server.stats().waiting) == (0, 51)
        for sock in (waiting, *guesses):
            sock.close()


@on_a_loop
async def test_a_reset_ends_both() -> None:
    async with running() as (server, at):
        a = raw(at, protocol.hello(member_tokens(SECRET, ONE, OTHER, NOW), 0))
        b = raw(at, protocol.hello(member_tokens(SECRET, ONE, OTHER, NOW), 1))
        assert await hears(b, 1) == b"\1"
        a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        a.close()
        assert await hears(b, 1) == b""
        b.close()
        assert server.stats().connections == 0


@on_a_loop
async def test_a_relay_that_lies_or_is_away_is_an_error() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 no\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    at = Endpoint(*server.sockets[0].getsockname()[:2])
    tokens = member_tokens(SECRET, ONE, OTHER, NOW)
    with pytest.raises(NetworkError):
        await meet(TcpTransport(), at, tokens, 0)
    server.close()
    await server.wait_closed()
    with pytest.raises(NetworkError):
        await meet(TcpTransport(), at, tokens, 0)
