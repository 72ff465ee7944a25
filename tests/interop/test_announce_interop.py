"""Announces and scrapes of this program at opentracker, and its own tracker as libtorrent sees it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.folders import make_folder, make_torrent
from tests.interop.engines import add, complete, heard, running, settings, until
from tests.interop.peers import dnsmasq, lt, opentracker
from tests.interop.peers.dnsmasq import Dnsmasq
from tests.interop.peers.opentracker import OpenTracker
from tests.interop.peers.process import JsonProcess, lt_process

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.announcers import Announcer, Directed, HttpAnnouncer, UdpAnnouncer
from wildbach.engine.options import AddOptions
from wildbach.engine.settings import TrackerSettings
from wildbach.engine.torrent import Torrent
from wildbach.engine.trackerlist import TrackerState
from wildbach.net.dns import TxtResolver
from wildbach.net.http import HttpClient
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.net.resolve import Guard, SystemResolver
from wildbach.net.udp import Datagrams
from wildbach.protocol import bencode, compact
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.tracker import http, udp
from wildbach.protocol.tracker.announce import AnnounceRequest, Event, ScrapeRequest, TrackerFailure
from wildbach.services.tracker import TrackerServer

HASH = bytes(range(100, 120))
ID = b"-WB0100-abcdefghijkl"
at_opentracker = pytest.mark.skipif(opentracker.MISSING is not None, reason=str(opentracker.MISSING))
with_libtorrent = pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING))


async def tell_all(announcer: Announcer, url: str) -> None:
    def request(port: int, left: int, event: Event) -> AnnounceRequest:
        return AnnounceRequest(url, HASH, ID[:-4] + str(port).encode(), port, left=left, event=event, key=port)

    first = await announcer.announce(request(1000, 5, Event.STARTED))
    assert 1500 <= first.interval <= 2100
    second = await announcer.announce(request(2000, 0, Event.STARTED))
    assert Endpoint("127.0.0.1", 1000) in second.peers
    assert (second.seeds, second.leeches) == (1, 1)
    await announcer.announce(request(1000, 0, Event.COMPLETED))
    found = (await announcer.scrape(ScrapeRequest(url, (HASH,)))).stats[HASH]
    assert (found.seeds, found.leeches, found.downloaded) == (2, 0, 1)
    await announcer.announce(request(1000, 0, Event.STOPPED))
    assert (await announcer.announce(request(2000, 0, Event.NONE))).seeds == 1
    await announcer.announce(request(2000, 0, Event.STOPPED))


@pytest.mark.foreign("opentracker")
@at_opentracker
@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_opentracker_understands_us(tmp_path: Path, scheme: str) -> None:
    """Over UDP with the URL's path behind each announce (BEP 41)."""
    async def main(tracker: OpenTracker) -> None:
        resolver = SystemResolver()
        guard = Guard(resolver)
        client = HttpClient(guard)
        datagrams = Datagrams()
        datagrams.open([Endpoint("127.0.0.1", 0)])
        announcer: Announcer = HttpAnnouncer(client) if scheme == "http" else UdpAnnouncer(datagrams, guard)
        url = tracker.http if scheme == "http" else tracker.udp
        try:
            async with asyncio.timeout(30):
                await tell_all(announcer, url)
                with pytest.raises(TrackerFailure):
                    # It serves only what stands in its list.
                    await announcer.announce(AnnounceRequest(url, bytes(20), ID, 1000, left=1))
        finally:
            datagrams.close()
            await client.close()
            resolver.close()

    with OpenTracker(tmp_path / "tracker", [HASH]) as tracker:
        asyncio.run(main(tracker))


# A session with several of them


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "source", sizes={"a.bin": 300_000, "b.bin": 7})


@pytest.fixture
def made(folder: Path) -> Metainfo:
    return make_torrent(folder, "v1")


Start = Callable[[Metainfo], OpenTracker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts trackers that serve a torrent."""
    running: list[OpenTracker] = []

    def one(metainfo: Metainfo) -> OpenTracker:
        running.append(OpenTracker(tmp_path / f"tracker{len(running)}", metainfo.info.hashes.swarms))
        return running[-1]

    yield one
    for tracker in running:
        tracker.close()


def states(torrent: Torrent) -> dict[str, TrackerState]:
    return {view.url: view.state for view in torrent.trackers()}


async def count(tracker: OpenTracker, metainfo: Metainfo) -> tuple[int, int, int]:
    return await asyncio.to_thread(tracker.swarm, metainfo.info.hashes.swarms[0])


def nobody() -> str:
    """The URL of a tracker that has gone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/announce"


@pytest.mark.foreign("opentracker")
@at_opentracker
def test_tiers_are_worked_through(start: Start, folder: Path, made: Metainfo) -> None:
    """A dead first tier, one of the second, and the other one when that has died; the third is never asked (BEP 12)."""
    one, two, last = (start(made) for _ in range(3))
    dead = nobody()
    metainfo = replace(made, trackers=((dead,), (one.http, two.http), (last.http,)))

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))
            await until(lambda: TrackerState.WORKING in states(torrent).values(), story=torrent.trackers)
            assert states(torrent)[dead] is TrackerState.FAILING
            assert states(torrent)[last.http] is TrackerState.WAITING
            used, spare = sorted((one, two), key=lambda tracker: -(tracker.swarm(made.info.hashes.swarms[0])[0]))
            assert await count(used, made) == (1, 0, 0) and await count(spare, made) == (0, 0, 0)
            used.close()
            url = next(url for url, state in states(torrent).items() if state is TrackerState.WORKING)
            torrent.reannounce(url, force=True)
            await until(lambda: states(torrent)[spare.http] is TrackerState.WORKING, story=torrent.trackers)
            assert [view.url for view in torrent.trackers() if view.tier == 1] == [spare.http, used.http]
            assert await count(spare, made) == (1, 0, 0) and await count(last, made) == (0, 0, 0)

    asyncio.run(main())


@pytest.mark.foreign("opentracker")
@at_opentracker
def test_all_are_told_at_once_and_each_event_once(start: Start, folder: Path, made: Metainfo, tmp_path: Path) -> None:
    """Started, completed and stopped at every tracker of every tier; the list is changed meanwhile."""
    one, two, three = (start(made) for _ in range(3))
    metainfo = replace(made, trackers=((one.http,), (two.udp,)))
    all_at_once = settings(trackers=TrackerSettings(announce_all_tiers=True, announce_all_trackers=True))

    async def main() -> None:
        async with running() as source, running(all_at_once) as session:
            seed = await source.add(made, AddOptions(save_path=folder.parent, seed_only=True))
            await complete(seed)
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path))
            for tracker in (one, two):
                await until(lambda t=tracker: t.swarm(made.info.hashes.swarms[0]) == (0, 1, 0))
            torrent.add_peers([source.listening[0]])
            await complete(torrent)
            for tracker in (one, two):
                await until(lambda t=tracker: t.swarm(made.info.hashes.swarms[0]) == (1, 0, 1))
            torrent.set_trackers([[two.udp, three.http]])
            await until(lambda: one.swarm(made.info.hashes.swarms[0]) == (0, 0, 1))
            # It was complete before that one knew of us.
            await until(lambda: three.swarm(made.info.hashes.swarms[0]) == (1, 0, 0))
            torrent.remove_tracker(two.udp)
            torrent.add_tracker(one.udp)
            await until(lambda: one.swarm(made.info.hashes.swarms[0]) == (1, 0, 1))
            await until(lambda: two.swarm(made.info.hashes.swarms[0]) == (0, 0, 1))
            torrent.scrape(one.udp)
            await until(lambda: [(v.seeds, v.downloaded) for v in torrent.trackers() if v.url == one.udp] == [(1, 1)])
        for tracker in (one, two, three):
            assert (await count(tracker, made))[:2] == (0, 0)

    asyncio.run(main())


@pytest.mark.foreign("opentracker")
@at_opentracker
def test_a_private_torrent_is_at_one_tracker_at_a_time(start: Start, tmp_path: Path) -> None:
    """Whatever the settings say (BEP 27)."""
    folder = make_folder(tmp_path / "source", sizes={"a.bin": 300_000})
    public = make_torrent(folder, "v1")
    info = dict(bencode.decode(public.info.raw))  # type: ignore[call-overload,arg-type]
    info[b"private"] = 1
    made = Metainfo.parse(bencode.encode({b"info": info}))
    one, two = start(made), start(made)
    metainfo = replace(made, trackers=((one.http, two.http),))
    all_at_once = settings(trackers=TrackerSettings(announce_all_tiers=True, announce_all_trackers=True))

    async def main() -> None:
        async with running(all_at_once) as session:
            torrent = await session.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))
            await complete(torrent)
            await until(lambda: TrackerState.WORKING in states(torrent).values(), story=torrent.trackers)
            assert sorted(states(torrent).values()) == [TrackerState.WAITING, TrackerState.WORKING]
            used, spare = sorted((one, two), key=lambda tracker: -(tracker.swarm(made.info.hashes.swarms[0])[0]))
            assert ((await count(used, made))[0], (await count(spare, made))[0]) == (1, 0)
            # The other one, by the user's wish: the first is told good-bye.
            torrent.reannounce(spare.http, force=True)
            await until(lambda: spare.swarm(made.info.hashes.swarms[0])[0] == 1)
            await until(lambda: used.swarm(made.info.hashes.swarms[0])[0] == 0)

    asyncio.run(main())


@pytest.mark.foreign("opentracker", "dnsmasq")
@at_opentracker
@pytest.mark.skipif(dnsmasq.MISSING is not None, reason=str(dnsmasq.MISSING))
def test_a_hosts_record_directs_announces_and_forbids_them(tmp_path: Path) -> None:
    """A name server tells that the URL's port is wrong, and of a host that wants no announces (BEP 34)."""
    class Names:
        async def resolve(self, host: str, family: int) -> list[str]:
            return [tracker.host]

    async def main(server: Endpoint) -> None:
        guard = Guard(Names())
        client = HttpClient(guard)
        datagrams = Datagrams()
        datagrams.open([Endpoint("127.0.0.1", 0)])
        plain, datagram = HttpAnnouncer(client), UdpAnnouncer(datagrams, guard)
        texts = TxtResolver([server])
        directed = Directed(plain, {"http": plain, "https": plain, "udp": datagram}, texts, lambda: True)

        def request(name: str) -> AnnounceRequest:
            return AnnounceRequest(f"http://{name}.test:1/announce", HASH, ID, 1000, left=5, event=Event.STARTED)

        reply = await directed.announce(request("udp"))
        assert (reply.seeds, reply.leeches) == (0, 1)
        # The first place of this one is dead.
        found = await directed.scrape(ScrapeRequest("http://tcp.test:1/announce", (HASH,)))
        assert (found.stats[HASH].seeds, found.stats[HASH].leeches) == (0, 1)
        with pytest.raises(TrackerFailure, match="runs no tracker") as caught:
            await directed.announce(request("deny"))
        assert caught.value.retry_in == 86400.0
        for name in ("other", "silent"):
            # As the URL says: nobody is there.
            with pytest.raises(NetworkError, match="refused"):
                await directed.announce(request(name))
        datagram.close()
        datagrams.close()
        await client.close()

    dead = int(nobody().rpartition(":")[2].partition("/")[0])
    with OpenTracker(tmp_path / "tracker", [HASH]) as tracker, Dnsmasq(tmp_path / "dns", {
        "udp.test": [f"BITTORRENT UDP:{tracker.port} TCP:{dead}"],
        "tcp.test": ["v=spf1 -all", f"BITTORRENT TCP:{dead} TCP:{tracker.port}"],
        "deny.test": ["BITTORRENT DENY ALL"], "other.test": ["v=spf1 -all"],
    }) as names:
        asyncio.run(main(names.endpoint))


# What libtorrent makes of our side


@pytest.fixture
def other() -> Iterator[JsonProcess]:
    with lt_process() as process:
        process.wait("ready")
        yield process


@pytest.mark.foreign("libtorrent")
@with_libtorrent
@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_a_seed_of_libtorrents_is_found_over_ipv6(scheme: str, folder: Path, made: Metainfo, tmp_path: Path) -> None:
    """Both listen at ::1 alone, and know each other by our tracker there (BEP 7)."""
    async def main(process: JsonProcess) -> None:
        async with TrackerServer() as tracker:
            await tracker.start("::1")
            url = tracker.http_url if scheme == "http" else tracker.udp_url
            assert url is not None and "[::1]" in url
            metainfo = replace(made, trackers=((url,),))
            (tmp_path / "t.torrent").write_bytes(metainfo.to_bytes())
            add(process, tmp_path / "t.torrent", folder.parent)
            await heard(process, "finished")
            await until(lambda: tracker.stats().peers == 1)
            async with running(settings("[::1]:0")) as session:
                torrent = await session.add(metainfo, AddOptions(save_path=tmp_path))
                await complete(torrent)
                assert session.external_ips == ("::1",)  # the tracker says so, or the seed
                assert tracker.stats().peers == 2

    with lt_process({"listen_interfaces": "[::1]:0", "ssrf_mitigation": False}) as process:
        process.wait("ready")
        asyncio.run(main(process))


@pytest.mark.foreign("libtorrent")
@with_libtorrent
def test_libtorrent_learns_its_address_of_our_reply(
    other: JsonProcess, folder: Path, made: Metainfo, tmp_path: Path,
) -> None:
    """An address that it can believe, which those of this machine are not (BEP 24)."""
    async def answer(request: Request) -> Response:
        assert http.parse_announce_query(request.query).info_hash == made.info.hashes.v1
        return Response(http.announce_body(
            interval=1800, min_interval=30, seeds=1, leeches=0, downloaded=0, peers4=b"", peers6=b"",
            external=compact.pack_host("20.9.8.7"),
        ))

    async def main() -> None:
        server = HttpServer(answer, connections=10)
        at = await server.start("127.0.0.1", 0)
        (tmp_path / "t.torrent").write_bytes(replace(made, trackers=((f"http://{at}/announce",),)).to_bytes())
        add(other, tmp_path / "t.torrent", folder.parent)
        said = await heard(other, "external_ip")
        assert said["address"] == "20.9.8.7"
        await server.close()

    asyncio.run(main())


@pytest.mark.foreign("libtorrent")
@with_libtorrent
def test_the_url_data_of_libtorrent_is_read(other: JsonProcess, folder: Path, made: Metainfo, tmp_path: Path) -> None:
    """What a tracker's URL says behind the port stands in its UDP announces (BEP 41)."""
    async def main() -> None:
        announced: asyncio.Future[udp.UdpAnnounce] = asyncio.get_running_loop().create_future()
        datagrams = Datagrams()

        def take(remote: Endpoint, data: bytes) -> bool:
            request = udp.parse_request(data)
            if isinstance(request, udp.ConnectRequest):
                datagrams.send(remote, udp.connect_reply(request.transaction, 7))
            elif isinstance(request, udp.UdpAnnounce) and not announced.done():
                announced.set_result(request)
                datagrams.send(remote, udp.announce_reply(request.transaction, 1800, 0, 1, b""))
            return True

        datagrams.attach(take)
        datagrams.open([Endpoint("127.73.0.1", 0)])
        url = f"udp://{datagrams.endpoints[0]}/some/path?passkey=123&x=y"
        (tmp_path / "t.torrent").write_bytes(replace(made, trackers=((url,),)).to_bytes())
        add(other, tmp_path / "t.torrent", folder.parent)
        async with asyncio.timeout(30):
            request = await announced
        datagrams.close()
        assert request.info_hash == made.info.hashes.v1
        assert request.url_data == b"/some/path?passkey=123&x=y"

    asyncio.run(main())
