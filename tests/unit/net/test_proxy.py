"""Streams and datagrams through proxies that a test wrote: those that work, stall, lie and go away."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from tests.proxyserver import GRANTED, Names, Story, forever, greet, proxy

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.http import HttpClient
from wildbach.net.outlet import Outlet
from wildbach.net.proxy import Patience, ProxiedDatagrams, ProxiedTransport, Proxy, _relay_host
from wildbach.net.resolve import Guard, Purpose
from wildbach.net.tcp import TcpTransport
from wildbach.protocol.proxy import ProxyError, Tunnel, Unreachable, socks
from wildbach.runtime.tasks import Scope


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROXY_SECONDS", 0.5)


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await greet(reader, writer)
    writer.write(GRANTED + b"the far end speaks first")
    await forever(reader)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await forever(reader)


async def silent_after_the_greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await greet(reader, writer)
    await forever(reader)


async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def web_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n<html>")
    await forever(reader)


async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await greet(reader, writer)
    writer.write(b"\5\5\0\1\0\0\0\0\0\0")
    await forever(reader)


async def connects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nthe far end speaks first")
    await forever(reader)


@dataclass
class Heard:
    data: bytearray = field(default_factory=bytearray)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    said: asyncio.Event = field(default_factory=asyncio.Event)
    missing = 0

    def received(self, data: memoryview) -> int:
        self.data += data
        self.said.set()
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.ended.set()


@pytest.mark.parametrize(("kind", "story"), [("socks5", good), ("http", connects)])
def test_what_the_far_end_says_right_behind_the_proxys_answer_is_not_lost(kind: str, story: Story) -> None:
    async def main() -> None:
        async with proxy(story, kind) as found:
            connection = await ProxiedTransport(found, TcpTransport()).dial(Endpoint("25.1.2.3", 6881))
            assert connection.remote == Endpoint("25.1.2.3", 6881) and connection.kind == "tcp"
            heard = Heard()
            connection.start(heard)
            while len(heard.data) < len(b"the far end speaks first"):
                heard.said.clear()
                await heard.said.wait()
            assert heard.data == b"the far end speaks first" and not found.failure
            connection.close()
            await heard.ended.wait()

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "story", "error", "says"), [
    ("socks5", silent, ProxyError, "does not answer"),
    ("socks5", silent_after_the_greeting, Unreachable, "did not connect"),
    ("http", silent, Unreachable, "did not connect"), ("socks5", gone, ProxyError, "closed|broke"),
    ("http", gone, ProxyError, "closed|broke"), ("socks5", web_page, ProxyError, "does not speak SOCKS5"),
    ("socks5", refuses, Unreachable, "refused"),
])
def test_what_goes_wrong_is_said_in_time_and_noted_where_it_is_the_proxys_fault(
    kind: str, story: Story, error: type[NetworkError], says: str,
) -> None:
    async def main() -> None:
        async with proxy(story, kind) as found:
            with pytest.raises(error, match=says):
                await found.open("25.1.2.3", 80)
            assert bool(found.failure) is (error is ProxyError)

    asyncio.run(main())


def test_a_failure_is_forgotten_once_the_proxy_works() -> None:
    async def main() -> None:
        async with proxy(good) as found:
            found.failure = "was away"
            (await found.open("25.1.2.3", 80)).close()
            assert not found.failure

    asyncio.run(main())


def test_the_proxys_own_name_is_looked_up_and_no_other() -> None:
    async def main() -> None:
        async with proxy(good, host="proxy.test") as found:
            (await found.open("tracker.example", 80)).close()
            assert isinstance(found._resolver, Names) and found._resolver.asked == ["proxy.test"]
        async with proxy(good, host="other.test") as found:
            with pytest.raises(ProxyError, match="cannot find"):
                await found.open("tracker.example", 80)

    asyncio.run(main())


NOBODY = "127.9.9.9"
"An address at which the proxy of a test is not."


@contextmanager
def deaf(port: int) -> Iterator[str]:
    """An address at which connecting is neither accepted nor refused: the queue of who listens there is full."""
    with socket.socket() as listener:
        listener.bind(("127.9.9.8", port))
        listener.listen(0)
        waiting = []
        try:
            for _ in range(4):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(listener.getsockname())
            yield "127.9.9.8"
        finally:
            for sock in waiting:
                sock.close()


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The proxy and the far end in one, whichever way it is asked."""
    if await reader.readexactly(1) == b"\5":
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\5\0")
        head = await reader.readexactly(5)
        await reader.readexactly(head[4] + 2)
        writer.write(GRANTED)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await forever(reader)


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_all_addresses_of_the_proxys_name_are_tried_and_the_one_that_worked_is_first_from_then_on(
    kind: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []

    class Counted(Outlet):
        def call_socket(self, family: int) -> socket.socket:
            calls.append(family)
            return super().call_socket(family)

    async def main() -> None:
        async with proxy(answers, kind, host="proxy.test", names=Names(NOBODY, "127.0.0.1")) as found:
            monkeypatch.setattr(found, "_outlet", Counted())
            assert await fetched(found) == b"ok" and len(calls) == 2
            assert await fetched(found) == b"ok" and len(calls) == 3
            (await found.reach()).close()
            assert not found.failure and len(calls) == 4
        async with proxy(answers, kind, host="proxy.test", names=Names(NOBODY, "127.9.9.7")) as found:
            with pytest.raises(ProxyError, match="cannot be reached"):
                await fetched(found)
            assert "cannot be reached" in found.failure

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_an_address_that_does_not_answer_has_its_share_of_the_time_and_no_more(kind: str) -> None:
    async def main() -> None:
        async with proxy(answers, kind, host="proxy.test") as found:
            with deaf(found.address.port) as address:
                found._resolver = Names(address, "127.0.0.1")
                assert await fetched(found) == b"ok"
                found._resolver = Names(address)
                with pytest.raises(ProxyError, match="does not answer"):
                    await found.open("25.1.2.3", 80)
                with pytest.raises(ProxyError, match="does not answer"):
                    await found.reach()
                assert "does not answer" in found.failure

    asyncio.run(main())


def test_nobody_can_call_through_a_proxy() -> None:
    async def main() -> None:
        async with proxy(good) as found:
            with pytest.raises(NetworkError, match="nobody can call"):
                await ProxiedTransport(found, TcpTransport()).listen(Endpoint("0.0.0.0", 0), lambda _: None)

    asyncio.run(main())


def test_datagrams_go_by_the_relay_and_only_its_own_come_back() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(type=socket.SOCK_DGRAM) as relay, socket.socket(type=socket.SOCK_DGRAM) as stranger:
            for sock in (relay, stranger):
                sock.setblocking(False)
                sock.bind(("127.0.0.1", 0))
            ends = asyncio.Event()

            async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked = await greet(reader, writer)
                assert asked[1] == socks.ASSOCIATE
                # No address of its own: that of the proxy is meant.
                writer.write(b"\5\0\0\1\0\0\0\0" + relay.getsockname()[1].to_bytes(2, "big"))
                await ends.wait()
                ends.clear()

            async with proxy(story) as found, Scope("test") as scope:
                failures: list[Exception] = []
                datagrams = ProxiedDatagrams(found, scope, failures.append)
                got: asyncio.Queue[tuple[Endpoint, bytes]] = asyncio.Queue()
                datagrams.attach(lambda remote, data: got.put_nowait((remote, data)) is None)
                assert not datagrams.families and not datagrams.send(Endpoint("25.1.2.3", 1), b"lost")
                datagrams.open([])
                await datagrams.wait()
                assert datagrams.families == (4, 6) and datagrams.joined

                for host in ("25.1.2.3", "2001:4860::1", "router.example"):
                    remote = Endpoint(host, 6881)
                    assert datagrams.send(remote, b"out")
                    data, ours = await loop.sock_recvfrom(relay, 1000)
                    assert data == socks.wrap(remote) + b"out"
                await loop.sock_sendto(stranger, socks.wrap(Endpoint("1.1.1.1", 1)) + b"forged", ours)
                for nonsense in (b"rubbish", socks.wrap(Endpoint("224.0.0.1", 1)) + b"x"):
                    await loop.sock_sendto(relay, nonsense, ours)
                await loop.sock_sendto(relay, socks.wrap(Endpoint("2001:4860::1", 1)) + b"in", ours)
                assert await got.get() == (Endpoint("2001:4860::1", 1), b"in") and got.empty()
                assert datagrams.unclaimed == 2

                ends.set()
                while datagrams.joined:
                    await asyncio.sleep(0)
                assert not datagrams.send(Endpoint("25.1.2.3", 1), b"nothing leaves meanwhile")
                datagrams.close()
                assert not datagrams.families and not failures

    asyncio.run(main())


@pytest.mark.parametrize(("said", "proxy_at", "used"), [
    ("0.0.0.0", "25.1.2.3", "25.1.2.3"), ("25.9.9.9", "25.1.2.3", "25.9.9.9"), ("127.0.0.1", "25.1.2.3", "25.1.2.3"),
    ("192.168.1.1", "25.1.2.3", "25.1.2.3"), ("169.254.169.254", "127.0.0.1", "127.0.0.1"),
    ("host", "10.0.0.1", "10.0.0.1"), ("10.0.0.9", "10.0.0.1", "10.0.0.9"), ("25.9.9.9", "127.0.0.1", "25.9.9.9"),
    ("::1", "2001:4860::1", "2001:4860::1"),
])
def test_a_relay_is_no_nearer_to_us_than_its_proxy(said: str, proxy_at: str, used: str) -> None:
    assert _relay_host(said, proxy_at) == used


@pytest.mark.parametrize("ending", [b"a word", None])
def test_an_association_on_which_the_proxy_talks_or_that_it_breaks_is_over_and_said_so(ending: bytes | None) -> None:
    async def main() -> None:
        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await greet(reader, writer)
            sock = writer.get_extra_info("socket")
            writer.write(b"\5\0\0\1\0\0\0\0\0\x09" + (ending or b""))
            await writer.drain()
            if ending is None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                writer.transport.abort()
                return
            await forever(reader)

        async with proxy(story) as found, Scope("test") as scope:
            bugs: list[Exception] = []
            datagrams = ProxiedDatagrams(found, scope, bugs.append)
            datagrams.open([])
            async with asyncio.timeout(60):
                while not datagrams.failure and ending is not None:
                    await asyncio.sleep(0)
                await datagrams.wait()
            assert not bugs
            datagrams.close()

    asyncio.run(main())


def test_who_ends_associations_at_once_is_asked_for_another_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    enough = asyncio.Event()

    class Recorded(Patience):
        def after(self, lasted: float) -> float:
            waits.append(super().after(lasted))
            if len(waits) == 8:
                enough.set()
            return 0.0

    monkeypatch.setattr("wildbach.net.proxy.Patience", Recorded)

    async def main() -> None:
        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await greet(reader, writer)
            writer.write(b"\5\0\0\1\0\0\0\0\0\x09")
            await writer.drain()

        async with proxy(story) as found, Scope("test") as scope:
            bugs: list[Exception] = []
            datagrams = ProxiedDatagrams(found, scope, bugs.append)
            datagrams.open([])
            await enough.wait()
            datagrams.close()
            assert "ended the association" in datagrams.failure and not bugs

    asyncio.run(main())
    assert waits[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_an_association_that_was_there_for_long_is_made_again_at_once() -> None:
    patience = Patience()
    assert [patience.after(59.0) for _ in range(3)] == [1.0, 2.0, 4.0]
    assert [patience.after(lasted) for lasted in (60.0, 0.0, 3600.0)] == [1.0, 2.0, 1.0]


def test_a_proxy_that_died_is_missed_though_nothing_is_said_on_the_stream_of_an_association() -> None:
    async def main() -> None:
        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await greet(reader, writer)
            writer.write(b"\5\0\0\1\0\0\0\0\0\x09")
            await forever(reader)

        streams: list[socket.socket] = []

        class Watched(Proxy):
            async def converse(self, tunnel: Tunnel) -> socket.socket:
                streams.append(await super().converse(tunnel))
                return streams[-1]

        async with proxy(story) as found, Scope("test") as scope:
            datagrams = ProxiedDatagrams(Watched(found.address, Outlet(), Names()), scope, lambda error: None)
            datagrams.open([])
            await datagrams.wait()
            assert datagrams.joined and streams[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, between, tries = (
                streams[0].getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
            assert idle + between * tries <= 90
            datagrams.close()

    asyncio.run(main())


def test_a_proxy_that_passes_on_no_datagrams_is_of_use_for_all_else() -> None:
    async def main() -> None:
        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await greet(reader, writer)
            writer.write(b"\5\7\0\1\0\0\0\0\0\0")
            await forever(reader)

        async with proxy(story) as found, Scope("test") as scope:
            datagrams = ProxiedDatagrams(found, scope, lambda error: None)
            datagrams.open([])
            await datagrams.wait()
            assert datagrams.failure == "the proxy passes on no datagrams" and not found.failure
            datagrams.close()

    asyncio.run(main())


async def fetched(found: Proxy, url: str = "http://t.example:7000/announce") -> bytes:
    client = HttpClient(Guard(None), proxy=found)
    try:
        return (await client.fetch(url, purpose=Purpose.TRACKER, limit=1000, seconds=60)).body
    finally:
        await client.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_url_is_fetched_through_socks_by_its_name_and_without_the_proxys_password() -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await greet(reader, writer))
            writer.write(GRANTED)
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
            await forever(reader)

        async with proxy(story) as found:
            assert await fetched(found) == b"ok"
        assert heard[0] == b"\5\1\0\3t.example\x1b\x58"
        assert heard[1].startswith(b"GET /announce HTTP/1.1\r\n") and b"roxy" not in heard[1]

    asyncio.run(main())


def test_an_http_proxy_is_given_the_whole_url_and_the_password() -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
            await forever(reader)

        async with proxy(story, "http", "anna:secret@") as found:
            assert await fetched(found) == b"ok"
        assert heard[0].startswith(b"GET http://t.example:7000/announce HTTP/1.1\r\n")
        assert b"\r\nProxy-Authorization: Basic YW5uYTpzZWNyZXQ=\r\n" in heard[0]

    asyncio.run(main())


def test_of_an_encrypted_fetch_an_http_proxy_hears_the_name_and_what_follows_is_not_for_it() -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            heard.append(await reader.read(3))

        async with proxy(story, "http", "anna:secret@") as found:
            with pytest.raises(NetworkError):
                await fetched(found, "https://t.example/announce")
        assert heard[0].startswith(b"CONNECT t.example:443 HTTP/1.1\r\n")
        assert b"\r\nProxy-Authorization: Basic YW5uYTpzZWNyZXQ=\r\n" in heard[0]
        assert heard[1][:2] == b"\x16\x03", "a TLS hello"

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://t.example/announce", "https://t.example/announce"])
@pytest.mark.parametrize(("login", "status", "says"), [
    ("", 407, "wants a user and a password"), ("anna:wrong@", 407, "does not take"),
    ("anna:wrong@", 401, "does not take"),
])
def test_an_http_proxy_that_does_not_know_us_is_noted(url: str, login: str, status: int, says: str) -> None:
    async def main() -> None:
        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 %d Who are you\r\nContent-Length: 0\r\n\r\n" % status)
            await forever(reader)

        async with proxy(story, "http", login) as found:
            with pytest.raises(ProxyError, match=says) as caught:
                await fetched(found, url)
            assert caught.value.code == "proxy_login" and says in found.failure

    asyncio.run(main())


@pytest.mark.parametrize(("login", "via"), [("", b""), ("anna:secret@", b"Via: 1.1 proxy\r\n")])
def test_a_server_behind_an_http_proxy_that_does_not_know_us_is_not_the_proxys_fault(login: str, via: bytes) -> None:
    async def main() -> None:
        async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 401 Who are you\r\n" + via + b"Content-Length: 0\r\n\r\n")
            await forever(reader)

        async with proxy(story, "http", login) as found:
            assert await fetched(found) == b"" and not found.failure

    asyncio.run(main())


async def relays(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An HTTP proxy that connects for real."""
    place = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    host, _, port = place.rpartition(":")
    far_reader, far_writer = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def back() -> None:
        while data := await far_reader.read(1000):
            writer.write(data)

    try:
        async with Scope("relay") as scope:
            scope.spawn("back", back())
            while data := await reader.read(1000):
                far_writer.write(data)
    finally:
        far_writer.close()


def says(answer: bytes) -> Story:
    async def story(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await forever(reader)

    return story


@pytest.mark.parametrize(("kind", "story"), [("socks5", good), ("http", relays)])
def test_a_proxy_that_connects_to_itself_is_good(kind: str, story: Story) -> None:
    async def main() -> None:
        async with proxy(story, kind) as found:
            found.note(ProxyError("was away"))
            await found.check()
            assert (found.failure, found.cause, found.doubt) == ("", "", "")

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "story", "cause", "words"), [
    ("socks5", says(b"SSH-2.0-OpenSSH\r\n"), "proxy_protocol", "does not speak SOCKS5"),
    ("socks5", silent, "proxy", "does not answer"), ("socks5", gone, "proxy_closed", "without an answer|broke"),
    ("socks5", says(b"\5\xff"), "proxy_login", "wants a user and a password"),
    ("http", says(b"SSH-2.0-OpenSSH\r\n"), "proxy_protocol", "does not speak HTTP CONNECT"),
    ("http", says(b"HTTP/1.1 405 No\r\n\r\n"), "proxy_protocol", "does not speak HTTP CONNECT: .*HTTP 405"),
    ("http", says(b"HTTP/1.1 404 No\r\n\r\n"), "proxy_protocol", "does not speak HTTP CONNECT: .*HTTP 404"),
    ("http", says(b"HTTP/1.1 200 OK\r\n\r\n<html>"), "proxy_protocol", "does not speak HTTP CONNECT"),
    ("http", says(b"HTTP/1.1 407 No\r\n\r\n"), "proxy_login", "wants a user and a password"),
    ("http", silent, "proxy", "does not answer"), ("http", gone, "proxy_closed", "without an answer|broke"),
])
def test_what_is_no_proxy_or_does_not_take_us_is_told(kind: str, story: Story, cause: str, words: str) -> None:
    async def main() -> None:
        async with proxy(story, kind) as found:
            await found.check()
            assert found.cause == cause and re.search(words, found.failure), (found.cause, found.failure)

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "story", "words"), [
    ("socks5", refuses, "refused"), ("socks5", silent_after_the_greeting, "did not connect"),
    ("http", says(b"HTTP/1.1 403 No\r\n\r\n"), "rules do not allow it"),
    ("http", says(b"HTTP/1.1 503 No\r\n\r\n"), "could not connect"),
])
def test_a_proxy_that_does_not_connect_to_itself_is_doubted_and_no_more(kind: str, story: Story, words: str) -> None:
    async def main() -> None:
        async with proxy(story, kind) as found:
            await found.check()
            assert words in found.doubt and not found.failure

    asyncio.run(main())


def test_what_datagrams_wait_for_is_told() -> None:
    async def main() -> None:
        async with proxy(silent) as found, Scope("test") as scope:
            datagrams = ProxiedDatagrams(found, scope, lambda error: None)
            datagrams.open([])
            assert "not yet answered" in datagrams.state
            await datagrams.wait()
            assert "does not answer" in datagrams.state
            datagrams.close()

    asyncio.run(main())
