"""Data both ways between this engine and libtorrent: v1, v2 and hybrid, by torrent file and by magnet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.folders import KINDS, make_folder, make_torrent, same
from tests.interop.peers import lt
from tests.interop.peers.process import JsonProcess, lt_process

from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]
SECONDS = 30.0


@pytest.fixture
def other() -> Iterator[tuple[JsonProcess, Endpoint]]:
    with lt_process() as process:
        port = process.wait("ready")["port"]
        yield process, Endpoint("127.0.0.1", port)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("source"))


def settings() -> Settings:
    return Settings(ConnectionSettings(listen=("127.0.0.1:0",)), disk=DiskSettings(workers="threads"))


async def finished(torrent: Torrent) -> None:
    try:
        async with asyncio.timeout(SECONDS):
            await torrent.complete()
    except TimeoutError:
        pytest.fail(f"{torrent.view()} {torrent.peers()}")


def only(hashes: InfoHashes, names: str) -> InfoHashes:
    """The hashes a magnet link of this kind carries."""
    return InfoHashes(hashes.v1 if "v1" in names else None, hashes.v2 if "v2" in names else None)


MAGNETS: list[tuple[Kind, str]] = [("v1", "v1"), ("v2", "v2"), ("hybrid", "v1"), ("hybrid", "v2"), ("hybrid", "v1+v2")]


@pytest.mark.parametrize("kind", KINDS)
def test_libtorrent_seeds_a_folder(
    kind: Kind, folder: Path, tmp_path: Path, other: tuple[JsonProcess, Endpoint],
) -> None:
    process, at = other
    process.send(cmd="create", path=str(folder), out=str(tmp_path / "made.torrent"), piece_length=65536, kind=kind)
    process.wait("created")
    process.send(cmd="add", id="s", torrent=str(tmp_path / "made.torrent"), save=str(folder.parent))
    process.wait("finished")

    async def main() -> None:
        async with Session(settings()) as session:
            torrent = await session.add(tmp_path / "made.torrent", AddOptions(save_path=tmp_path, peers=(at,)))
            await finished(torrent)
            assert torrent.view().wasted == 0

    asyncio.run(main())
    assert same(folder, tmp_path / "content") == []


@pytest.mark.parametrize(("kind", "names"), MAGNETS)
def test_a_magnet_of_libtorrents_seed(
    kind: Kind, names: str, folder: Path, tmp_path: Path, other: tuple[JsonProcess, Endpoint],
) -> None:
    process, at = other
    metainfo = make_torrent(folder, kind)
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())
    process.send(cmd="add", id="s", torrent=str(tmp_path / "made.torrent"), save=str(folder.parent))
    process.wait("finished")

    async def main() -> None:
        async with Session(settings()) as session:
            magnet = Magnet(only(metainfo.info.hashes, names), peers=(tuple(at),)).to_uri()
            torrent = await session.add(magnet, AddOptions(save_path=tmp_path))
            await finished(torrent)
            assert torrent.hashes == metainfo.info.hashes

    asyncio.run(main())
    assert same(folder, tmp_path / "content") == []


async def seeding(session: Session, metainfo: Metainfo, folder: Path, *, super_seed: bool = False) -> Endpoint:
    options = AddOptions(save_path=folder.parent, seed_only=True, super_seed=super_seed)
    torrent = await session.add(metainfo, options)
    await finished(torrent)
    return Endpoint("127.0.0.1", session.listening[0].port)


@pytest.mark.parametrize(("kind", "super_seed"), [("v1", False), ("v2", False), ("hybrid", False), ("hybrid", True)])
def test_libtorrent_fetches_a_folder(
    kind: Kind, super_seed: bool, folder: Path, tmp_path: Path, other: tuple[JsonProcess, Endpoint],
) -> None:
    process, _ = other
    metainfo = make_torrent(folder, kind)
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())

    async def main() -> None:
        async with Session(settings()) as session:
            at = await seeding(session, metainfo, folder, super_seed=super_seed)
            process.send(cmd="add", id="l", torrent=str(tmp_path / "made.torrent"), save=str(tmp_path), peers=[at])
            await asyncio.to_thread(process.wait, "finished", seconds=SECONDS)
            process.send(cmd="flush", id="l")
            await asyncio.to_thread(process.wait, "flushed", seconds=SECONDS)

    asyncio.run(main())
    assert same(folder, tmp_path / "content") == []


@pytest.mark.parametrize(("kind", "names"), MAGNETS)
def test_libtorrent_fetches_by_magnet(
    kind: Kind, names: str, folder: Path, tmp_path: Path, other: tuple[JsonProcess, Endpoint],
) -> None:
    process, _ = other
    metainfo = make_torrent(folder, kind)

    async def main() -> None:
        async with Session(settings()) as session:
            at = await seeding(session, metainfo, folder)
            magnet = Magnet(only(metainfo.info.hashes, names)).to_uri()
            process.send(cmd="add", id="l", magnet=magnet, save=str(tmp_path), peers=[at])
            await asyncio.to_thread(process.wait, "metadata", seconds=SECONDS)
            await asyncio.to_thread(process.wait, "finished", seconds=SECONDS)
            process.send(cmd="flush", id="l")
            await asyncio.to_thread(process.wait, "flushed", seconds=SECONDS)

    asyncio.run(main())
    assert same(folder, tmp_path / "content") == []
