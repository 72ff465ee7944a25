"""Everything through proxies that were not written here: peers, metadata, trackers, the DHT."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.folders import make_folder, make_torrent, same
from tests.interop import engines
from tests.interop.peers import lt, opentracker, proxies
from tests.interop.peers.opentracker import OpenTracker
from tests.interop.peers.process import JsonProcess, lt_process
from tests.interop.peers.proxies import Dante, Microsocks, Tinyproxy

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import DhtSettings, NetworkSettings, Settings
from wildbach.engine.ways import Ways
from wildbach.net.resolve import Purpose
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.protocol.proxy import ProxyError

pytestmark = [
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
    pytest.mark.skipif(opentracker.MISSING is not None, reason=str(opentracker.MISSING)),
    pytest.mark.skipif(proxies.MISSING is not None, reason=str(proxies.MISSING)),
]


def behind(url: str, *, tcp: bool = True, dht: DhtSettings | None = None) -> Settings:
    plain = engines.settings(close_redundant=False)
    return replace(
        plain, connections=replace(plain.connections, tcp=tcp), network=NetworkSettings(proxy=url),
        dht=dht or DhtSettings(enabled=False),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Metainfo]:
    folder = make_folder(tmp_path_factory.mktemp("source"))
    return folder, make_torrent(folder, "hybrid")


@contextmanager
def seeding(made: tuple[Path, Metainfo], work: Path, **settings: object) -> Iterator[tuple[JsonProcess, Endpoint]]:
    folder, metainfo = made
    (work / "made.torrent").write_bytes(metainfo.to_bytes())
    with lt_process({"close_redundant_connections": False, **settings}) as process:
        port = process.wait("ready")["port"]
        process.send(cmd="add", id="s", torrent=str(work / "made.torrent"), save=str(folder.parent))
        process.wait("finished")
        yield process, Endpoint("127.0.0.1", port)


async def fetched(session: Session, metainfo: Metainfo, tracker: str, folder: Path, seed: Endpoint) -> list[str]:
    """A magnet link with this tracker, whose swarm is told of the seed by its address; the kinds of connections."""
    link = Magnet(metainfo.info.hashes, trackers=(tracker,)).to_uri()
    torrent = await session.add(link, AddOptions(save_path=folder, peers=(seed,)))
    await engines.complete(torrent)
    await engines.until(lambda: torrent.trackers()[0].state == "working", story=torrent.trackers)
    return [peer.kind for peer in torrent.peers()]


@pytest.mark.foreign("microsocks", "libtorrent", "opentracker")
def test_a_magnet_link_goes_through_socks_with_a_password(made: tuple[Path, Metainfo], tmp_path: Path) -> None:
    folder, metainfo = made
    with (
        seeding(made, tmp_path) as (_, seed), OpenTracker(tmp_path / "tracker", metainfo.info.hashes.swarms) as tracker,
        Microsocks(tmp_path / "proxy") as proxy,
    ):
        async def main() -> None:
            async with engines.running(behind(proxy.url)) as session:
                assert session.listening == ()
                kinds = await fetched(session, metainfo, tracker.http, tmp_path / "got", seed)
                assert [kind.partition("+")[0] for kind in kinds] == ["tcp"]
                view = session.network.proxy
                assert view is not None and not view.failure and "se/cr" not in repr(session.network)
                assert view.datagrams == "the proxy passes on no datagrams", view

        asyncio.run(main())
        log = proxy.story()
        assert f":{seed.port}" in log and f"{tracker.host}:{tracker.port}" in log
    assert same(folder, tmp_path / "got" / folder.name) == []


@pytest.mark.foreign("dante", "libtorrent", "opentracker")
def test_utp_and_udp_trackers_go_through_socks(made: tuple[Path, Metainfo], tmp_path: Path) -> None:
    folder, metainfo = made
    only = {
        "enable_incoming_utp": True, "enable_outgoing_utp": True, "enable_incoming_tcp": False,
        "enable_outgoing_tcp": False,
    }
    with (
        seeding(made, tmp_path, **only) as (process, seed),
        OpenTracker(tmp_path / "tracker", metainfo.info.hashes.swarms) as tracker, Dante(tmp_path / "proxy") as proxy,
    ):
        async def main() -> None:
            async with engines.running(behind(proxy.url, tcp=False)) as session:
                kinds = await fetched(session, metainfo, tracker.udp, tmp_path / "got", seed)
                assert [kind.partition("+")[0] for kind in kinds] == ["utp"]
                view = session.network.proxy
                assert view is not None and view.datagrams == "passed on"
                relayed = {peer["port"] for peer in await engines.peers_of(process, "s")}
                # The seed sees the port of the relay, not that of a socket of ours.
                assert relayed and not relayed & {at.port for at in session.network.listening}

        asyncio.run(main())
    assert same(folder, tmp_path / "got" / folder.name) == []


@pytest.mark.foreign("dante", "libtorrent")
def test_a_magnet_without_a_tracker_is_found_by_the_dht_through_socks(
    made: tuple[Path, Metainfo], tmp_path: Path,
) -> None:
    """The only node that is known has a name, which the proxy looks up."""
    folder, metainfo = made
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())
    with lt_process(lt.DHT) as node, lt_process(lt.DHT) as seed, Dante(tmp_path / "proxy") as proxy:
        first = node.wait("ready")["port"]
        seed.wait("ready")
        seed.send(cmd="dht_node", host="127.0.0.1", port=first)
        seed.send(cmd="add", id="s", torrent=str(tmp_path / "made.torrent"), save=str(folder.parent), dht=True)
        seed.wait("finished")

        async def main() -> None:
            dht = DhtSettings(bootstrap=(f"localhost:{first}",))
            async with engines.running(behind(proxy.url, dht=dht)) as session:
                torrent = await session.add(
                    Magnet(metainfo.info.hashes).to_uri(), AddOptions(save_path=tmp_path / "got"))
                await engines.complete(torrent, 60)
                assert not torrent.trackers() and (view := torrent.dht()) is not None and view.replied

        asyncio.run(main())
    assert same(folder, tmp_path / "got" / folder.name) == []


@pytest.mark.foreign("tinyproxy", "libtorrent", "opentracker")
def test_a_magnet_link_goes_through_an_http_proxy(made: tuple[Path, Metainfo], tmp_path: Path) -> None:
    folder, metainfo = made
    with (
        seeding(made, tmp_path) as (_, seed), OpenTracker(tmp_path / "tracker", metainfo.info.hashes.swarms) as tracker,
        Tinyproxy(tmp_path / "proxy") as proxy,
    ):
        async def main() -> None:
            async with engines.running(behind(proxy.url)) as session:
                kinds = await fetched(session, metainfo, tracker.http, tmp_path / "got", seed)
                assert [kind.partition("+")[0] for kind in kinds] == ["tcp"]
                torrent = session.torrents[0]
                torrent.add_tracker(tracker.udp)
                torrent.reannounce(tracker.udp, force=True)
                await engines.until(lambda: torrent.trackers()[1].message, story=torrent.trackers)
                assert torrent.trackers()[1].message == "an HTTP proxy passes on no datagrams"

        asyncio.run(main())
        log = proxy.story()
        assert f"CONNECT 127.0.0.1:{seed.port} " in log and f"GET http://{tracker.host}:{tracker.port}/announce" in log
    assert same(folder, tmp_path / "got" / folder.name) == []


@pytest.mark.foreign("microsocks", "libtorrent")
def test_a_wrong_password_is_said_and_nothing_goes_past_the_proxy(
    made: tuple[Path, Metainfo], tmp_path: Path,
) -> None:
    _, metainfo = made
    with seeding(made, tmp_path) as (process, seed), Microsocks(tmp_path / "proxy") as proxy:
        async def main() -> None:
            wrong = f"socks5://anna:wrong@{proxy.host}:{proxy.port}"
            async with engines.running(behind(wrong)) as session:
                torrent = await session.add(metainfo, AddOptions(save_path=tmp_path / "got", peers=(seed,)))
                await engines.until(lambda: "password" in torrent.view().reason, story=torrent.view)
                assert not torrent.peers()
                assert await engines.peers_of(process, "s") == []

        asyncio.run(main())


@pytest.mark.foreign("tinyproxy")
@pytest.mark.parametrize("url", ["http://t.example/announce", "https://t.example/announce"])
def test_a_wrong_password_of_an_http_proxy_is_said_and_noted(url: str, tmp_path: Path) -> None:
    """It answers 401 to a wrong one, and 407 to none."""
    with Tinyproxy(tmp_path / "proxy") as proxy:
        async def main(login: str, says: str) -> None:
            async with Ways(behind(f"http://{login}{proxy.host}:{proxy.port}")) as ways:
                with pytest.raises(ProxyError, match=says) as caught:
                    await ways.http.fetch(url, purpose=Purpose.TRACKER, limit=1000)
                assert caught.value.code == "proxy_login" and says in ways.obstacle

        asyncio.run(main("anna:wrong@", "the proxy does not take them"))
        asyncio.run(main("", "wants a user and a password"))
