"""The announcers over real sockets: against the embedded tracker, and against trackers that misbehave."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, LimitError, NetworkError, WildbachError
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine.announcers import Announcer, Directed, HttpAnnouncer, UdpAnnouncer
from wildbach.engine.announcing import Announcing
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, Settings, TrackerSettings
from wildbach.engine.trackerlist import Identity, TrackerState, TrackerView
from wildbach.net.http import HttpClient
from wildbach.net.resolve import ForbiddenURL, Guard, SystemResolver
from wildbach.net.udp import Datagrams
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import AnnounceRequest, Event, ScrapeRequest, ScrapeStats, TrackerFailure
from wildbach.runtime.rng import seeded
from wildbach.runtime.tasks import Scope
from wildbach.services.tracker import TrackerOptions, TrackerServer

HASH = bytes(range(100, 120))
ID = b"-WB0100-abcdefghijkl"


def near(host: str) -> Reach:
    """127.0.0.2 plays a host far away."""
    return Reach.GLOBAL if host == "127.0.0.2" else classify(host)


class Ways:
    """Both announcers on real sockets."""

    def __init__(self, seconds: float = 5.0, first_timeout: float = 15.0) -> None:
        self.seconds = seconds
        self.first_timeout = first_timeout

    async def __aenter__(self) -> "Ways":
        self.resolver = SystemResolver()
        guard = Guard(self.resolver, classify=near)
        self.client = HttpClient(guard)
        self.datagrams = Datagrams()
        self.datagrams.open([Endpoint("127.0.0.1", 0), Endpoint("::1", 0)])
        self.http = HttpAnnouncer(self.client, seconds=self.seconds)
        self.udp = UdpAnnouncer(self.datagrams, guard, first_timeout=self.first_timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.udp.close()
        self.datagrams.close()
        await self.client.close()
        self.resolver.close()

    def of(self, url: str) -> Announcer:
        return self.udp if url.startswith("udp") else self.http


@pytest.mark.parametrize("scheme", ["http", "udp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_our_client_and_our_tracker_agree(scheme: str, host: str) -> None:
    async def main() -> None:
        async with TrackerServer(options=TrackerOptions(interval=900, spread=0.0)) as tracker, Ways() as ways:
            await tracker.start(host)
            url = tracker.http_url if scheme == "http" else tracker.udp_url
            assert url is not None
            announcer = ways.of(url)

            def request(port: int, left: int, event: Event = Event.STARTED) -> AnnounceRequest:
                return AnnounceRequest(url, HASH, ID, port, left=left, event=event)

            first = await announcer.announce(request(1000, 5))
            assert (first.peers, first.interval, first.seeds, first.leeches) == ((), 900.0, 0, 1)
            assert first.reach is Reach.LOCAL
            second = await announcer.announce(request(2000, 0))
            assert second.peers == (Endpoint(host, 1000),)
            if scheme == "http":
                assert second.external_ip == host
            await announcer.announce(request(1000, 0, Event.COMPLETED))
            found = await announcer.scrape(ScrapeRequest(url, (HASH, b"?" * 20)))
            assert found.stats[HASH] == ScrapeStats(2, 0, 1)
            await announcer.announce(request(1000, 0, Event.STOPPED))
            await announcer.announce(request(2000, 0, Event.STOPPED))
            assert tracker.stats().peers == 0
    asyncio.run(main())


def test_a_thousand_announces_over_udp_share_one_connect() -> None:
    async def main() -> None:
        async with TrackerServer() as tracker, Ways() as ways:
            await tracker.start()
            url = tracker.udp_url
            assert url is not None
            replies = await asyncio.gather(*(
                ways.udp.announce(AnnounceRequest(url, number.to_bytes(20, "big"), ID, 1000, left=1))
                for number in range(200)))
            assert len(replies) == 200
            assert tracker.stats().udp_announces == 200
            assert ways.datagrams.sent == 201
    asyncio.run(main())


def test_a_session_tells_a_tracker_each_address_it_listens_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads to 127.0.0.1 and ::1, and a tracker at each, on one port (BEP 7, 24)."""
    def lookup(host: str, port: object, family: int, type: int) -> list[tuple[object, ...]]:
        assert host == "tracker.test"
        address = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}[socket.AddressFamily(family)]
        return [(family, type, 0, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    settings = Settings(
        ConnectionSettings(listen=("127.0.0.1:0", "[::1]:0")), disk=DiskSettings(workers="threads"),
        trackers=TrackerSettings(dns_preferences=False),
    )

    async def main() -> None:
        async with TrackerServer() as four, TrackerServer() as six:
            await four.start("127.0.0.1")
            port = urlsplit(four.http_url or "").port
            await six.start("::1", port, None)
            async with Session(settings) as session:
                options = AddOptions(trackers=(f"http://tracker.test:{port}/announce",))
                torrent = await session.add(InfoHashes(HASH), options)
                async with asyncio.timeout(20):
                    while not (four.stats().peers and six.stats().peers):
                        await asyncio.sleep(0.02)
                    while torrent.trackers()[0].state is not TrackerState.WORKING:
                        await asyncio.sleep(0.02)
                assert sorted(session.external_ips) == ["127.0.0.1", "::1"]
            assert (four.stats().peers, six.stats().peers) == (0, 0)

    asyncio.run(main())


class Records:
    """TXT records of hosts, and who was asked for."""

    def __init__(self, **texts: str) -> None:
        self.texts_of = {name.replace("_", "."): text for name, text in texts.items()}
        self.asked: list[str] = []

    async def texts(self, name: str) -> tuple[bytes, ...]:
        self.asked.append(name)
        return (self.texts_of[name].encode(),) if name in self.texts_of else ()


def test_hosts_direct_announces_by_their_records() -> None:
    class Names:
        async def resolve(self, host: str, family: int) -> list[str]:
            return ["127.0.0.1"]

    async def main() -> None:
        async with TrackerServer() as tracker, Ways() as ways:
            await tracker.start("127.0.0.1")
            port = urlsplit(tracker.http_url or "").port
            guard = Guard(Names())
            client = HttpClient(guard)
            datagram = UdpAnnouncer(ways.datagrams, guard)
            plain = HttpAnnouncer(client)
            records = Records(udp_test=f"BITTORRENT UDP:{port}", second_test=f"BITTORRENT TCP:9 TCP:{port}",
                              none_test="BITTORRENT", other_test="hello")
            on = True
            directed = Directed(plain, {"http": plain, "udp": datagram}, records, lambda: on)

            async def ask(host: str) -> None:
                await directed.announce(AnnounceRequest(f"http://{host}/announce", HASH, ID, 6881, left=1))

            await ask("udp.test:9")
            assert (tracker.stats().udp_announces, tracker.stats().http_announces) == (1, 0)
            await ask("second.test:9")
            await ask(f"other.test:{port}")
            assert tracker.stats().http_announces == 2
            with pytest.raises(TrackerFailure, match="runs no tracker"):
                await ask(f"none.test:{port}")
            found = await directed.scrape(ScrapeRequest("http://udp.test:9/announce", (HASH,)))
            assert found.stats[HASH].leeches == 1
            asked = len(records.asked)
            await ask(f"127.0.0.1:{port}")
            await ask(f"localhost:{port}")
            on = False
            await ask(f"none.test:{port}")
            assert len(records.asked) == asked and tracker.stats().http_announces == 5
            with pytest.raises(NetworkError):
                await directed.announce(AnnounceRequest("http://[/announce", HASH, ID, 6881))
            datagram.close()
            await client.close()

    asyncio.run(main())


def test_a_refusal_of_our_tracker_is_told() -> None:
    async def main() -> None:
        async with TrackerServer() as tracker, Ways() as ways:
            await tracker.start()
            url = tracker.http_url
            assert url is not None
            with pytest.raises(TrackerFailure, match="info_hash: not 20 bytes"):
                await ways.http.announce(AnnounceRequest(url, b"short", ID, 1000))
            with pytest.raises(ForbiddenURL):
                await ways.http.announce(AnnounceRequest(url.replace("announce", "elsewhere"), HASH, ID, 1000))
            assert tracker.stats().refused == 1
    asyncio.run(main())


Talk = Callable[[asyncio.StreamWriter, str], Awaitable[None]]


async def hang(writer: asyncio.StreamWriter, at: str) -> None:
    await asyncio.sleep(3600)


async def flood(writer: asyncio.StreamWriter, at: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nd5:peers100000000:")
    for _ in range(1600):
        writer.write(bytes(65536))
        await writer.drain()


async def circle(writer: asyncio.StreamWriter, at: str) -> None:
    writer.write(f"HTTP/1.1 302 Found\r\nLocation: {at}\r\nContent-Length: 0\r\n\r\n".encode())


async def web_page(writer: asyncio.StreamWriter, at: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")


async def missing(writer: asyncio.StreamWriter, at: str) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n")


async def broken(writer: asyncio.StreamWriter, at: str) -> None:
    writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")


async def refuses(writer: asyncio.StreamWriter, at: str) -> None:
    writer.write(b"HTTP/1.1 400 No\r\nContent-Length: 34\r\n\r\nd14:failure reason12:unregisterede")


async def lies(writer: asyncio.StreamWriter, at: str) -> None:
    body = b"d8:completei-5e8:intervali99999999999e5:peers12:\x7f\0\0\1\0\x50\x08\x08\x08\x08\x1a\xe1e"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def steals(writer: asyncio.StreamWriter, at: str) -> None:
    writer.write(b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/announce\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(("talk", "error", "words", "state"), [
    (hang, NetworkError, "no reply within 0.5 seconds", TrackerState.FAILING),
    (flood, LimitError, "longer than the 1048576 bytes", TrackerState.FAILING),
    (circle, NetworkError, "more than 5 redirects", TrackerState.FAILING),
    (web_page, FormatError, "not a tracker's", TrackerState.FAILING),
    (missing, TrackerFailure, "HTTP 404", TrackerState.FAILING),
    (broken, NetworkError, "HTTP status 503", TrackerState.FAILING),
    (refuses, TrackerFailure, "unregistered", TrackerState.FAILING),
    (steals, ForbiddenURL, "nobody should connect to", TrackerState.DEAD),
    (lies, None, "", TrackerState.WORKING),
])
def test_a_tracker_that_misbehaves_is_bounded_and_shown(
    talk: Talk, error: type[WildbachError] | None, words: str, state: TrackerState
) -> None:
    at = ""
    views: list[TrackerView] = []
    peers: list[Endpoint] = []
    told = asyncio.Event()

    class Swarm:
        def identity(self) -> Identity:
            return Identity(ID, 6881, 0, 0, 1)

        def on_peers(self, found: list[Endpoint]) -> None:
            peers.extend(found)

        def on_tracker(self, view: TrackerView) -> None:
            views.append(view)
            told.set()

        def on_tracker_switch(self) -> None:
            raise AssertionError

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await talk(writer, at)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    async def main() -> None:
        nonlocal at
        server = await asyncio.start_server(client, "127.0.0.2", 0)
        at = f"http://127.0.0.2:{server.sockets[0].getsockname()[1]}/announce"
        async with Ways(seconds=0.5 if talk is hang else 5.0) as ways, Scope("test") as scope:
            if error is not None:
                with pytest.raises(error, match=words):
                    await ways.http.announce(AnnounceRequest(at, HASH, ID, 6881))
            announcing = Announcing(
                [ways.http, ways.udp], scope, clock=asyncio.get_running_loop().time, rng=seeded(1),
                settings=lambda: TrackerSettings(stop_seconds=0.1), classify=near)
            announcing.start(announcing.add(Swarm(), (HASH,), [[at]]))
            await told.wait()
            await announcing.close()
        server.close()

    asyncio.run(asyncio.wait_for(main(), 60))
    assert views[0].state is state
    assert words in views[0].message
    # Nobody far away makes us dial this machine.
    assert peers == ([Endpoint("8.8.8.8", 6881)] if talk is lies else [])


def test_a_udp_tracker_that_lies_or_hangs_is_bounded() -> None:
    async def main() -> None:
        async with Ways(first_timeout=0.02) as ways:
            tracker = Datagrams()
            tracker.open([Endpoint("127.0.0.1", 0)])
            port = tracker.endpoints[0].port
            seen: list[bytes] = []
            tracker.attach(lambda remote, data: seen.append(data) is None)
            request = AnnounceRequest(f"udp://127.0.0.1:{port}", HASH, ID, 1000)
            with pytest.raises(NetworkError, match="does not answer"):
                await ways.udp.announce(request)
            assert len(seen) == 3

            def lie(remote: Endpoint, data: bytes) -> bool:
                asked = udp.parse_request(data)
                for reply in (b"", b"\0" * 7, udp.connect_reply(asked.transaction ^ 1, 5), udp.error_reply(1, "x")):
                    tracker.send(remote, reply)
                if isinstance(asked, udp.ConnectRequest):
                    tracker.send(remote, udp.connect_reply(asked.transaction, 5))
                else:
                    tracker.send(remote, udp.announce_reply(asked.transaction, 2**32 - 1, 2**32 - 1, 0, b"\0" * 65000))
                return True

            tracker.detach(tracker._handlers[0])
            tracker.attach(lie)
            reply = await ways.udp.announce(request)
            assert (reply.peers, reply.interval) == ((), 6 * 3600.0)
            tracker.close()
    asyncio.run(main())


def test_who_waits_when_it_closes_is_told() -> None:
    async def main() -> None:
        async with Ways() as ways, Scope("test") as scope:
            done = asyncio.Event()

            async def ask() -> None:
                with pytest.raises(NetworkError, match="closed"):
                    await ways.udp.announce(AnnounceRequest("udp://127.0.0.1:9", HASH, ID, 1000))
                done.set()

            scope.spawn("ask", ask())
            while not ways.datagrams.sent and not ways.datagrams.lost:
                await asyncio.sleep(0)
            ways.udp.close()
            await done.wait()
    asyncio.run(main())


def test_a_url_without_scrape_is_refused_plainly() -> None:
    async def main() -> None:
        async with Ways() as ways:
            with pytest.raises(TrackerFailure, match="cannot be scraped"):
                await ways.http.scrape(ScrapeRequest("http://127.0.0.1:1/a", (HASH,)))
    asyncio.run(main())
