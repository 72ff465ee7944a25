"""A file that another torrent of the same data directory has is not fetched again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli_torrents import torrent_of
from folders import same
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.document import Metainfo

SHARED = os.urandom(5 * 16384 + 77)
OLD = {("film.mkv",): SHARED, ("old.nfo",): b"old" * 100}
NEW = {("new.nfo",): b"new" * 100, ("sub", "the film.mkv"): SHARED, ("z.bin",): os.urandom(40_000)}


def settings(reuse: str = "copy") -> Settings:
    return Settings(
        ConnectionSettings(listen=("127.0.0.1:0",)), disk=DiskSettings(workers="threads", memory=8 << 20, reuse=reuse)
    )


def begun(tmp_path: Path, reuse: str = "copy") -> Session:
    return Session(settings(reuse), data_dir=tmp_path / "state")


def write(folder: Path, files: dict[tuple[str, ...], bytes]) -> Path:
    for parts, data in files.items():
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def described(files: dict[tuple[str, ...], bytes], name: str, kind: Kind = "hybrid", **more: object) -> Metainfo:
    made = torrent_of(files, name=name, kind=kind)
    return replace(made, **more) if more else made  # type: ignore[arg-type]


def film(torrent: Torrent) -> tuple[int, int]:
    (found,) = [file for file in torrent.files() if file.path.endswith("film.mkv")]
    return found.have, found.size


async def opened(torrent: Torrent) -> None:
    """Until it was found out what is on the disk."""
    await torrent.metadata()
    while torrent.content is None:
        torrent.parts.changed.clear()
        await torrent.parts.changed.wait()


@asynccontextmanager
async def seeding(tmp_path: Path, *metainfo: Metainfo) -> AsyncIterator[Session]:
    write(tmp_path / "seed" / "old", OLD)
    write(tmp_path / "seed" / "new", NEW)
    async with Session(settings()) as session, asyncio.timeout(60):
        for one in metainfo:
            await (await session.add(one, AddOptions(save_path=tmp_path / "seed", seed_only=True))).complete()
        yield session


async def fetched(session: Session, metainfo: Metainfo, seed: Session, out: Path) -> Torrent:
    torrent = await session.add(metainfo, AddOptions(save_path=out, peers=(seed.listening[0],)))
    await torrent.complete()
    return torrent


@pytest.mark.parametrize("kind", ["v2", "hybrid"])
@pytest.mark.parametrize("reuse", ["copy", "link"])
def test_a_shared_file_is_complete_without_a_byte_from_peers(tmp_path: Path, kind: Kind, reuse: str) -> None:
    old, new = described(OLD, "old", kind), described(NEW, "new", kind)

    async def run() -> None:
        async with seeding(tmp_path, old, new) as seed:
            async with begun(tmp_path) as first:
                await fetched(first, old, seed, tmp_path / "a")
            async with begun(tmp_path, reuse) as session:
                torrent = await session.add(new, AddOptions(save_path=tmp_path / "b"))
                await opened(torrent)
                assert film(torrent) == (len(SHARED), len(SHARED))
                assert torrent.view().downloaded == 0
                names = (tmp_path / "b" / "new" / "sub" / "the film.mkv").stat().st_nlink
                assert names == (2 if reuse == "link" else 1)
                torrent.add_peer(seed.listening[0])
                await torrent.complete()
                assert torrent.view().downloaded == 300 + 40_000

    asyncio.run(run())
    assert same(tmp_path / "seed" / "new", tmp_path / "b" / "new") == []


@pytest.mark.parametrize("reuse", ["copy", "link"])
def test_the_source_is_unharmed_when_the_copy_is_rewritten_or_deleted(tmp_path: Path, reuse: str) -> None:
    old, new = described(OLD, "old"), described(NEW, "new")

    async def run() -> None:
        async with seeding(tmp_path, old, new) as seed, begun(tmp_path, reuse) as session:
            source = await fetched(session, old, seed, tmp_path / "a")
            copy = await fetched(session, new, seed, tmp_path / "b")
            (number,) = [file.index for file in copy.files() if file.path.endswith("film.mkv")]
            assert copy.holdings is not None
            assert copy.info is not None
            offset = copy.info.geometry.files[number].offset
            copy.holdings.storage.write(offset, [memoryview(b"rewritten")])
            assert (tmp_path / "b" / "new" / "sub" / "the film.mkv").read_bytes()[:9] == b"rewritten"
            assert same(tmp_path / "seed" / "old", tmp_path / "a" / "old") == []
            await session.remove(copy, delete_files=True)
            assert list((tmp_path / "b").iterdir()) == []
            await source.recheck()
            await source.complete()

    asyncio.run(run())
    assert same(tmp_path / "seed" / "old", tmp_path / "a" / "old") == []


@pytest.mark.parametrize("reuse", ["copy", "link"])
def test_a_holder_that_was_changed_behind_our_back_is_not_trusted(tmp_path: Path, reuse: str) -> None:
    old, new = described(OLD, "old"), described(NEW, "new")

    async def run() -> None:
        async with seeding(tmp_path, old, new) as seed, begun(tmp_path, reuse) as session:
            await fetched(session, old, seed, tmp_path / "a")
            with (tmp_path / "a" / "old" / "film.mkv").open("r+b") as file:
                file.seek(2 * 16384)
                file.write(b"vandal")
            torrent = await session.add(new, AddOptions(save_path=tmp_path / "b"))
            await opened(torrent)
            assert film(torrent) == (len(SHARED) - 16384, len(SHARED))
            torrent.add_peer(seed.listening[0])
            await torrent.complete()
            assert torrent.view().downloaded == 300 + 40_000 + 16384
            assert (tmp_path / "a" / "old" / "film.mkv").read_bytes()[2 * 16384 :][:6] == b"vandal"

    asyncio.run(run())
    assert same(tmp_path / "seed" / "new", tmp_path / "b" / "new") == []


def test_of_a_file_that_has_nothing_good_nothing_stays(tmp_path: Path) -> None:
    old, new = described(OLD, "old"), described(NEW, "new")

    async def run() -> None:
        async with seeding(tmp_path, old) as seed, begun(tmp_path) as session:
            await fetched(session, old, seed, tmp_path / "a")
            (tmp_path / "a" / "old" / "film.mkv").write_bytes(bytes(len(SHARED)))
            torrent = await session.add(new, AddOptions(save_path=tmp_path / "b"))
            await opened(torrent)
            assert film(torrent) == (0, len(SHARED))

    asyncio.run(run())
    assert not list((tmp_path / "b").rglob("*film*"))


@pytest.mark.parametrize("hint", ["similar", "collections"])
def test_hints_of_bep_38_find_files_of_v1_torrents(tmp_path: Path, hint: str) -> None:
    plain = described(OLD, "old", "v1")
    values: dict[str, object] = {"similar": (plain.info.hashes.v1,)}
    old, new = plain, described(NEW, "new", "v1", **values)
    if hint == "collections":
        old = described(OLD, "old", "v1", collections=("films",))
        new = described(NEW, "new", "v1", collections=("films",))

    async def run() -> None:
        async with seeding(tmp_path, old, new) as seed, begun(tmp_path) as session:
            await fetched(session, old, seed, tmp_path / "a")
            torrent = await session.add(new, AddOptions(save_path=tmp_path / "b"))
            await opened(torrent)
            have, size = film(torrent)
            assert size - 2 * 16384 < have < size, "all but the pieces it shares with its neighbours"
            torrent.add_peer(seed.listening[0])
            await torrent.complete()
            assert torrent.view().downloaded < 300 + 40_000 + 3 * 16384

    asyncio.run(run())
    assert same(tmp_path / "seed" / "new", tmp_path / "b" / "new") == []


def test_with_the_setting_off_nothing_is_taken(tmp_path: Path) -> None:
    old, new = described(OLD, "old"), described(NEW, "new")

    async def run() -> None:
        async with seeding(tmp_path, old) as seed, begun(tmp_path, "off") as session:
            await fetched(session, old, seed, tmp_path / "a")
            torrent = await session.add(new, AddOptions(save_path=tmp_path / "b"))
            await opened(torrent)
            assert film(torrent) == (0, len(SHARED))

    asyncio.run(run())


def test_a_file_of_the_user_is_never_linked(tmp_path: Path) -> None:
    old, new = described(OLD, "old"), described(NEW, "new")
    write(tmp_path / "mine" / "old", OLD)

    async def run() -> None:
        async with begun(tmp_path, "link") as session, asyncio.timeout(60):
            await (await session.add(old, AddOptions(save_path=tmp_path / "mine", seed_only=True))).complete()
            torrent = await session.add(new, AddOptions(save_path=tmp_path / "b"))
            await opened(torrent)
            assert film(torrent) == (len(SHARED), len(SHARED))

    asyncio.run(run())
    assert (tmp_path / "mine" / "old" / "film.mkv").stat().st_nlink == 1
