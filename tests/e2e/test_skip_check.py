"""Data that the user says is good: each piece is hashed before it is first sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from folders import PIECE, make_folder, make_torrent, same
from wildbach.base.errors import UsageError
from wildbach.engine import events
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.builder import Kind

SETTINGS = Settings(
    ConnectionSettings(listen=("127.0.0.1:0",)), disk=DiskSettings(workers="threads", memory=8 << 20)
)
SIZES = {"a.bin": 40 * PIECE + 99, "b": 10}
BAD = 7


def vandalise(folder: Path) -> None:
    with (folder / "a.bin").open("r+b") as file:
        file.seek(BAD * PIECE + 5)
        file.write(b"not what it was")


async def until(session: Session, torrent: Torrent, state: str) -> None:
    with session.subscribe(events.StateChanged) as changes:
        while torrent.view().state != state:
            await anext(aiter(changes))


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_a_piece_that_is_not_good_is_never_sent_but_fetched(tmp_path: Path, kind: Kind) -> None:
    good = make_folder(tmp_path / "good", sizes=SIZES)
    metainfo = make_torrent(good, kind)
    ours = make_folder(tmp_path / "ours", sizes=SIZES)
    vandalise(ours)

    async def run() -> None:
        async with Session(SETTINGS) as assuming, Session(SETTINGS) as leech, Session(SETTINGS) as third:
            seed = await assuming.add(metainfo, AddOptions(save_path=ours.parent, skip_check=True))
            await seed.complete()
            assert seed.view().state == "seeding"
            failures = leech.subscribe(events.PieceFailed)
            torrent = await leech.add(metainfo, AddOptions(
                save_path=tmp_path / "out", peers=(assuming.listening[0],),
            ))
            await until(assuming, seed, "downloading")
            assert seed.view().wanted - seed.view().done == PIECE
            await (await third.add(metainfo, AddOptions(save_path=good.parent, seed_only=True))).complete()
            seed.add_peer(third.listening[0])
            await seed.complete()
            await torrent.complete()
            assert seed.view().downloaded == PIECE
            assert torrent.view().wasted == 0
            failures.close()
            assert [event async for event in failures] == []

    asyncio.run(asyncio.wait_for(run(), 60))
    assert same(good, tmp_path / "out" / "content") == []
    assert same(good, ours) == []


def test_what_was_not_hashed_in_this_run_is_hashed_in_the_next(tmp_path: Path) -> None:
    ours = make_folder(tmp_path / "ours", sizes=SIZES)
    metainfo = make_torrent(ours, "hybrid")

    async def run() -> None:
        async with Session(SETTINGS, data_dir=tmp_path / "state") as first:
            await (await first.add(metainfo, AddOptions(save_path=ours.parent, skip_check=True))).complete()
        vandalise(ours)
        async with Session(SETTINGS, data_dir=tmp_path / "state") as assuming, Session(SETTINGS) as leech:
            await assuming.restore()
            (seed,) = assuming.torrents
            assert seed.asleep
            torrent = await leech.add(metainfo, AddOptions(
                save_path=tmp_path / "out", peers=(assuming.listening[0],),
            ))
            await until(assuming, seed, "downloading")
            assert torrent.view().wasted == 0

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_seed_that_must_not_fetch_stops_with_the_reason(tmp_path: Path) -> None:
    ours = make_folder(tmp_path / "ours", sizes=SIZES)
    metainfo = make_torrent(ours, "v1")
    vandalise(ours)

    async def run() -> None:
        async with Session(SETTINGS) as assuming, Session(SETTINGS) as leech:
            seed = await assuming.add(metainfo, AddOptions(save_path=ours.parent, skip_check=True, seed_only=True))
            await seed.complete()
            await leech.add(metainfo, AddOptions(save_path=tmp_path / "out", peers=(assuming.listening[0],)))
            await until(assuming, seed, "stopped")
            assert seed.view().code == "incomplete"

    asyncio.run(asyncio.wait_for(run(), 60))


def test_after_a_recheck_nothing_is_assumed(tmp_path: Path) -> None:
    ours = make_folder(tmp_path / "ours", sizes=SIZES)
    metainfo = make_torrent(ours, "v1")
    vandalise(ours)

    async def run() -> None:
        async with Session(SETTINGS) as session:
            torrent = await session.add(metainfo, AddOptions(save_path=ours.parent, skip_check=True))
            await torrent.complete()
            await torrent.recheck()
            assert torrent.view().wanted - torrent.view().done == PIECE
            assert torrent.swarm.assumed is None

    asyncio.run(asyncio.wait_for(run(), 60))


def test_of_what_is_not_wanted_nothing_is_taken_as_good(tmp_path: Path) -> None:
    sizes = {"a.bin": 3 * PIECE, "b.bin": 2 * PIECE}
    ours = make_folder(tmp_path / "ours", sizes=sizes)
    metainfo = make_torrent(ours, "v1")
    (ours / "b.bin").unlink()

    async def run() -> None:
        async with Session(SETTINGS) as session:
            torrent = await session.add(metainfo, AddOptions(
                save_path=ours.parent, skip_check=True, select=lambda index, _file: index == 0))
            await torrent.complete()
            assert torrent.view().state == "seeding"
            await torrent.set_priorities({1: 1})
            assert torrent.view().wanted - torrent.view().done == 2 * PIECE

    asyncio.run(asyncio.wait_for(run(), 60))
    assert not (ours / "b.bin").exists()


@pytest.mark.parametrize("skip_check", [False, True])
def test_files_that_have_other_names_already_are_found_under_these(tmp_path: Path, skip_check: bool) -> None:
    ours = make_folder(tmp_path / "ours", sizes=SIZES)
    metainfo = make_torrent(ours, "hybrid")
    (tmp_path / "ours" / "other").mkdir()
    (ours / "b").rename(tmp_path / "ours" / "other" / "c")

    async def run() -> None:
        async with Session(SETTINGS, data_dir=tmp_path / "state") as session:
            torrent = await session.add(metainfo, AddOptions(
                save_path=ours.parent, skip_check=skip_check, renames={1: ("other", "c")}))
            await torrent.complete()
            assert [layout.renames for layout in torrent.layouts] == [{1: ("other", "c")}]
            await torrent.recheck()
            assert torrent.view().done == metainfo.info.size
        async with Session(SETTINGS, data_dir=tmp_path / "state") as session:
            await session.restore()
            (torrent,) = session.torrents
            await torrent.recheck()
            assert torrent.view().done == metainfo.info.size

    asyncio.run(asyncio.wait_for(run(), 60))
    assert not (ours / "b").exists()


@pytest.mark.parametrize("renames", [{2: ("x",)}, {-1: ("x",)}, {0: ("content", "b")}, {0: ("x",), 1: ("x",)}])
def test_names_that_cannot_be_stop_the_torrent_with_the_reason(
    tmp_path: Path, renames: dict[int, tuple[str, ...]],
) -> None:
    ours = make_folder(tmp_path / "ours", sizes=SIZES)

    async def run() -> None:
        async with Session(SETTINGS) as session:
            torrent = await session.add(make_torrent(ours, "v1"), AddOptions(save_path=ours.parent, renames=renames))
            await until(session, torrent, "stopped")
            assert torrent.view().code == "usage_error"

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize("parts", [(), ("",), ("..", "x"), ("a/b",), ("a", "."), ("a\0",)])
def test_a_name_that_leads_out_is_no_option(parts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        AddOptions(renames={0: parts})
