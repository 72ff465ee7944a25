"""Proxies that stall, break off, flood, and speak in pieces, at each step of what they are asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.proxyserver import Story, forever, greet, proxy

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.proxy import ProxiedDatagrams
from wildbach.protocol.proxy import ProxyError, Unreachable, socks
from wildbach.runtime.tasks import Scope

PAYLOAD = b"the far end speaks first"
LOGIN = "anna:secret@"


@dataclass(frozen=True)
class Step:
    hears: int | bytes
    "Bytes, or up to these."
    says: bytes


SOCKS = (
    Step(4, b"\5\2"), Step(1 + 1 + 4 + 1 + 6, b"\1\0"),
    Step(10, b"\5\0\0\3\x0brelay.local\x04\x38"),
)
"Two ways to sign in, the password, the request with an IPv4 address; the answer has a name."
HTTP = (Step(b"\r\n\r\n", b"HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n"),)
KINDS: dict[str, Sequence[Step]] = {"socks5": SOCKS, "http": HTTP}
PLACES = [(kind, step) for kind, steps in KINDS.items() for step in range(len(steps))]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROXY_SECONDS", 0.3)


async def hear(reader: asyncio.StreamReader, step: Step) -> None:
    if isinstance(step.hears, int):
        await reader.readexactly(step.hears)
    else:
        await reader.readuntil(step.hears)


def acts(kind: str, at: int, what: Story) -> Story:
    """A proxy that is good up to a step, and then does something else."""
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, step in enumerate(KINDS[kind]):
            await hear(reader, step)
            if number == at:
                await what(reader, writer)
                return
            writer.write(step.says)

    return story


def ends(kind: str, story: Story) -> tuple[NetworkError, str]:
    """How opening a stream ends, and what is noted of the proxy. That it ends in time is a part of it."""
    async def main() -> tuple[NetworkError, str]:
        async with proxy(story, kind, LOGIN) as found, asyncio.timeout(60):
            with pytest.raises((ProxyError, Unreachable)) as caught:
                await found.open("25.1.2.3", 6881)
            return caught.value, found.failure

    return asyncio.run(main())


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await forever(reader)


@pytest.mark.parametrize(("kind", "at"), PLACES)
def test_a_proxy_that_stalls_costs_its_time_and_no_more(kind: str, at: int) -> None:
    error, noted = ends(kind, acts(kind, at, stall))
    if (kind, at) == ("socks5", 0):
        assert isinstance(error, ProxyError) and "does not answer" in noted
    else:
        assert isinstance(error, Unreachable) and "did not connect" in error.message and not noted


@pytest.mark.parametrize(("kind", "at"), PLACES)
@pytest.mark.parametrize("end", [1, -1])
def test_a_proxy_that_falls_silent_in_the_midst_of_an_answer_does_not_answer(kind: str, at: int, end: int) -> None:
    async def a_piece(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(KINDS[kind][at].says[:end])
        await forever(reader)

    error, noted = ends(kind, acts(kind, at, a_piece))
    assert isinstance(error, ProxyError) and "does not answer" in error.message and noted == error.message


@pytest.mark.parametrize(("kind", "at"), PLACES)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("rude", [False, True])
def test_a_proxy_that_breaks_off_is_noted(kind: str, at: int, half: bool, rude: bool) -> None:
    async def leaves(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if half:
            writer.write(KINDS[kind][at].says[:1])
            await writer.drain()
        if rude:
            reset(writer)

    error, noted = ends(kind, acts(kind, at, leaves))
    assert isinstance(error, ProxyError) and ("closed" in noted or "broke" in noted)


@pytest.mark.parametrize(("kind", "at"), PLACES)
@pytest.mark.parametrize("noise", [b"\0", b"\xff", b"\5", b"A", b"\r\n", b"HTTP/1.1 200 x\r\n", b"\5\0\0\3\xff"])
def test_a_flood_is_not_read_to_its_end(kind: str, at: int, noise: bytes) -> None:
    sent = 0

    async def floods(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(noise * (65536 // len(noise)))
            await writer.drain()
            sent += 65536

    async def main() -> None:
        async with proxy(acts(kind, at, floods), kind, LOGIN) as found, asyncio.timeout(60):
            try:
                (await found.open("25.1.2.3", 6881)).close()
            except (ProxyError, Unreachable):
                return
            # What looks like a whole answer is one; the rest is the far end's, whoever that is.
            assert (noise[0] == 5 and kind == "socks5") or noise.startswith(b"HTTP")

    asyncio.run(main())
    assert sent < 64 << 20


@pytest.mark.parametrize(("kind", "at", "says"), [
    *(("socks5", 0, says) for says in (
        b"\4\0", b"\0\x5a", b"\6\0", b"HTTP/1.1 400 Bad\r\n\r\n", b"\5\1", b"\5\x80", b"\5\xff", b"\x15\3\1\0\2\2\x28",
    )),
    *(("socks5", 1, says) for says in (b"\1\1", b"\5\1", b"\0\xff")),
    *(("socks5", 2, says) for says in (
        b"\4\0\0\1\0\0\0\0\0\0", b"\5\0\0\0\0\0\0\0\0\0", b"\5\0\0\2\0\0\0\0\0\0",
    )),
    *(("http", 0, says) for says in (
        b"\5\0", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1200 OK\r\n\r\n", b"\x15\3\1\0\2\2\x28",
    )),
])
def test_what_speaks_another_version_or_another_language_is_noted(kind: str, at: int, says: bytes) -> None:
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await forever(reader)

    error, noted = ends(kind, acts(kind, at, story))
    assert isinstance(error, ProxyError) and noted == error.message and "does not answer" not in noted


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("glued", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_answers_in_pieces_are_whole_and_what_the_far_end_says_is_not_lost(kind: str, glued: bool, size: int) -> None:
    """`glued`: the far end's words come with the proxy's last one, in the same packet."""
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, step in enumerate(KINDS[kind]):
            await hear(reader, step)
            last = number + 1 == len(KINDS[kind])
            says = step.says + PAYLOAD if last and glued else step.says
            for at in range(0, len(says), size):
                writer.write(says[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
        if not glued:
            writer.write(PAYLOAD)
        await forever(reader)

    async def main() -> None:
        async with proxy(story, kind, LOGIN) as found, asyncio.timeout(60):
            sock = await found.open("25.1.2.3", 6881)
            got = b""
            while len(got) < len(PAYLOAD):
                data = await asyncio.get_running_loop().sock_recv(sock, 1000)
                assert data
                got += data
            sock.close()
            assert got == PAYLOAD and not found.failure

    asyncio.run(main())


@asynccontextmanager
async def associated(relay: socket.socket) -> AsyncIterator[ProxiedDatagrams]:
    """Datagrams through a relay that is a socket of the test."""
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        writer.write(b"\5\0\0\1\0\0\0\0" + relay.getsockname()[1].to_bytes(2, "big"))
        await forever(reader)

    bugs: list[Exception] = []
    async with proxy(story) as found, Scope("test") as scope:
        datagrams = ProxiedDatagrams(found, scope, bugs.append)
        datagrams.open([])
        await datagrams.wait()
        assert datagrams.joined
        yield datagrams
        datagrams.close()
        assert not bugs


def bound() -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return sock


def test_a_relay_that_floods_leaves_others_their_turn() -> None:
    async def main() -> None:
        with bound() as relay:
            async with associated(relay) as datagrams, asyncio.timeout(60):
                datagrams.attach(lambda remote, data: True)
                assert datagrams.send(Endpoint("25.1.2.3", 6881), b"out")
                _, ours = await asyncio.get_running_loop().sock_recvfrom(relay, 1000)
                before = datagrams.received
                for _ in range(300):
                    relay.sendto(socks.wrap(Endpoint("25.1.2.3", 6881)) + b"x", ours)
                while datagrams.received < before + 300:
                    turn = datagrams.received
                    await asyncio.sleep(0)
                    assert datagrams.received - turn <= 256

    asyncio.run(main())


@pytest.mark.parametrize("data", [
    b"", b"\0", b"\0\0\0\1\x19\1\2\3\x1a", b"\0\0\1\1\x19\1\2\3\x1a\xe1x", b"\0\0\0\3\4host\x1a\xe1x",
    b"\0\0\0\2" + bytes(20), b"\0\0\0\1\x19\1\2\3\0\0x", b"\0\0\0\1\xe0\0\0\1\x1a\xe1x",
    b"\0\0\0\1\0\0\0\0\x1a\xe1x", b"\0\0\0\1\xa9\xfe\xa9\xfe\x1a\xe1x", b"\0\0\0\4" + bytes(16) + b"\x1a\xe1x",
    b"\xff" * 100,
])
def test_what_is_no_datagram_of_a_peer_reaches_nobody(data: bytes) -> None:
    async def main() -> None:
        heard: list[Endpoint] = []
        with bound() as relay:
            async with associated(relay) as datagrams, asyncio.timeout(60):
                datagrams.attach(lambda remote, data: heard.append(remote) is None)
                assert datagrams.send(Endpoint("25.1.2.3", 6881), b"out")
                _, ours = await asyncio.get_running_loop().sock_recvfrom(relay, 1000)
                good = socks.wrap(Endpoint("25.9.9.9", 6881)) + b"x"
                for each in (data, good):
                    relay.sendto(each, ours)
                while not heard:
                    await asyncio.sleep(0)
                assert heard == [Endpoint("25.9.9.9", 6881)] and datagrams.unclaimed == 1

    asyncio.run(main())


def test_a_relay_that_went_loses_datagrams_and_breaks_nothing() -> None:
    async def main() -> None:
        with bound() as relay:
            async with associated(relay) as datagrams:
                relay.close()
                sent = [datagrams.send(Endpoint("25.1.2.3", 6881), b"out") for _ in range(20)]
                # The kernel tells of every second one that nobody is there.
                assert not all(sent) and datagrams.lost and datagrams.joined
                assert not datagrams.send(Endpoint("a b", 1), b"out") and not datagrams.send(Endpoint("h", 0), b"out")
                await asyncio.sleep(0)
                assert datagrams.joined

    asyncio.run(main())
