"""What a session finds and is found by: nothing of it while only this machine may call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from nodes import make
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine import ways
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, PeerSettings, Settings
from wildbach.net.interfaces import Interface
from wildbach.net.portmap import Mapped
from wildbach.protocol.metainfo.document import Metainfo

LOCAL = Settings(ConnectionSettings(listen=("127.0.0.1:0", "[::1]:0")), disk=DiskSettings(workers="threads"))
HASHES = InfoHashes(bytes(range(20)))


def test_a_session_on_loopback_finds_nobody_and_maps_nothing() -> None:
    async def main() -> None:
        async with Session(LOCAL) as session:
            assert session.discovery.lan is None and session.discovery.ports == ()
            assert session.devices.places() == ()

    asyncio.run(main())


@pytest.mark.parametrize(("anonymous", "lan"), [(False, True), (True, False)])
def test_where_all_may_call_both_are_on_but_for_what_would_tell_of_us(
    monkeypatch: pytest.MonkeyPatch, anonymous: bool, lan: bool,
) -> None:
    # This machine has no network for the moment: nothing leaves.
    nothing: tuple[Interface, ...] = ()
    monkeypatch.setattr("wildbach.net.outlet.Outlet.interfaces", lambda self: nothing)
    monkeypatch.setattr("wildbach.engine.discovery.default_gateway", lambda family, interface: None)
    chosen = replace(
        LOCAL, connections=ConnectionSettings(listen=("0.0.0.0:0",)), peers=PeerSettings(anonymous=anonymous))

    async def main() -> None:
        async with Session(chosen) as session:
            assert (session.discovery.lan is not None) is lan
            assert [view.family for view in session.discovery.ports] == [4]
            found = session._discovery
            assert found is not None and found.mapped_ports == {}
            found._maps[0]._mapped = (
                Mapped("upnp", "tcp", 6881, 6881, 3600, ""), Mapped("upnp", "udp", 6881, 7777, 3600, ""))
            assert found.mapped_ports == {4: 7777}
            session._external.router_says("9.9.9.9")
            assert session.devices.places() == (Endpoint("9.9.9.9", 7777),)
            found._maps[0]._mapped = ()

    asyncio.run(main())


def test_a_private_or_paused_torrent_is_not_told_to_neighbours(tmp_path: Path) -> None:
    made = make("v1", {"file": 100_000}).metainfo
    private = Metainfo.from_info(made.info)

    async def main() -> None:
        async with Session(LOCAL) as session:
            torrent = await session.add(HASHES)
            assert torrent.announced_nearby == HASHES.swarms and not torrent.private
            await torrent.pause()
            assert torrent.announced_nearby == ()
            other = await session.add(private, AddOptions(save_path=tmp_path))
            monkey = replace(private.info, private=True)
            assert other.known is not None
            other.known.info = monkey
            assert other.private and other.announced_nearby == ()

    asyncio.run(main())


def test_the_port_that_the_router_gives_is_the_one_that_peers_are_told() -> None:
    async def main() -> None:
        async with Session(LOCAL) as session:
            torrent = await session.add(HASHES)
            session.public_port(7777)
            assert torrent.identity().port == 7777 and torrent.talk.port == 7777
            later = await session.add(InfoHashes(bytes(20)))
            assert later.identity().port == 7777

    asyncio.run(main())


def test_peers_of_a_magnet_link_may_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Resolver:
        async def resolve(self, host: str, family: int) -> list[str]:
            assert host == "peer.example"
            return ["127.0.0.1"]

        def close(self) -> None:
            pass

    monkeypatch.setattr(ways, "SystemResolver", Resolver)

    async def main() -> None:
        async with Session(LOCAL) as other:
            port = other.listening[0].port
            await other.add(HASHES)
            async with Session(LOCAL) as session:
                link = f"magnet:?xt=urn:btih:{bytes(range(20)).hex()}&x.pe=peer.example:{port}"
                torrent = await session.add(link)
                async with asyncio.timeout(20):
                    while not torrent.peers():
                        await asyncio.sleep(0.02)

    asyncio.run(main())
