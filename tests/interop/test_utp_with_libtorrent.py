"""Data both ways over uTP (BEP 29) between this engine and libtorrent, which has TCP switched off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.folders import KINDS, make_folder, make_torrent, same
from tests.interop import engines
from tests.interop.peers import lt
from tests.interop.peers.process import JsonProcess, lt_process

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.settings import Settings
from wildbach.protocol.metainfo.builder import Kind

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]
UTP_ONLY = {
    "enable_incoming_utp": True, "enable_outgoing_utp": True,
    "enable_incoming_tcp": False, "enable_outgoing_tcp": False, "close_redundant_connections": False,
}


@pytest.fixture
def other() -> Iterator[tuple[JsonProcess, Endpoint]]:
    with lt_process(UTP_ONLY) as process:
        port = process.wait("ready")["port"]
        yield process, Endpoint("127.0.0.1", port)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("source"))


def settings(encryption: str = "off") -> Settings:
    plain = engines.settings(encryption=encryption, close_redundant=False)
    return replace(plain, connections=replace(plain.connections, tcp=False))


@pytest.mark.parametrize("kind", KINDS)
def test_libtorrent_seeds_over_utp(
    kind: Kind, folder: Path, tmp_path: Path, other: tuple[JsonProcess, Endpoint],
) -> None:
    process, at = other
    metainfo = make_torrent(folder, kind)
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())
    process.send(cmd="add", id="s", torrent=str(tmp_path / "made.torrent"), save=str(folder.parent))
    process.wait("finished")

    async def main() -> None:
        async with engines.running(settings()) as session:
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path, peers=(at,)))
            await engines.complete(torrent)
            assert [peer.kind for peer in torrent.peers()] == ["utp"]
            assert torrent.view().wasted == 0

    asyncio.run(main())
    assert same(folder, tmp_path / "content") == []


@pytest.mark.parametrize("kind", KINDS)
def test_libtorrent_fetches_over_utp(
    kind: Kind, folder: Path, tmp_path: Path, other: tuple[JsonProcess, Endpoint],
) -> None:
    process, _ = other
    metainfo = make_torrent(folder, kind)
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())

    async def main() -> None:
        async with engines.running(settings()) as session:
            torrent = await session.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))
            await engines.complete(torrent)
            at = engines.address(session)
            process.send(cmd="add", id="l", torrent=str(tmp_path / "made.torrent"), save=str(tmp_path), peers=[at])
            await engines.heard(process, "finished")
            process.send(cmd="flush", id="l")
            await engines.heard(process, "flushed")

    asyncio.run(main())
    assert same(folder, tmp_path / "content") == []


def test_both_programs_speak_encrypted_over_utp(
    folder: Path, tmp_path: Path,
) -> None:
    metainfo = make_torrent(folder, "v1")
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())
    encrypted = {"in_enc_policy": 0, "out_enc_policy": 0, "allowed_enc_level": 2, "close_redundant_connections": False}
    with lt_process({**UTP_ONLY, **encrypted}) as process:
        at = Endpoint("127.0.0.1", process.wait("ready")["port"])
        process.send(cmd="add", id="s", torrent=str(tmp_path / "made.torrent"), save=str(folder.parent))
        process.wait("finished")

        async def main() -> None:
            async with engines.running(settings("require")) as session:
                torrent = await session.add(metainfo, AddOptions(save_path=tmp_path, peers=(at,)))
                await engines.complete(torrent)
                assert [peer.kind for peer in torrent.peers()] == ["utp+rc4"]

        asyncio.run(main())
    assert same(folder, tmp_path / "content") == []
