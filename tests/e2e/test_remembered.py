"""What was asked of a torrent is still so after a restart. Each test closes a session and restores another."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from folders import make_folder, make_torrent, same
from wildbach.base.ids import Endpoint
from wildbach.disk.database import Database
from wildbach.engine import brief as briefs
from wildbach.engine import events
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet

SETTINGS = Settings(
    ConnectionSettings(listen=("127.0.0.1:0",)), disk=DiskSettings(workers="threads", memory=8 << 20)
)
TRACKER = "http://127.0.0.1:9/announce"
OTHER = "udp://127.0.0.1:9/announce"


def session(tmp_path: Path) -> Session:
    return Session(SETTINGS, data_dir=tmp_path / "state")


def thing(tmp_path: Path) -> tuple[Path, Metainfo]:
    folder = make_folder(tmp_path / "src")
    return folder, make_torrent(folder, "hybrid")


async def until(of: Session, torrent: Torrent, state: str) -> None:
    with of.subscribe(events.StateChanged) as changes:
        while torrent.view().state != state:
            await anext(aiter(changes))


async def restored(again: Session) -> Torrent:
    assert await again.restore() == 1
    (torrent,) = again.torrents
    return torrent


def go(run: Any) -> None:
    asyncio.run(asyncio.wait_for(run(), 60))


ASKED: list[dict[str, Any]] = [
    {"sequential": True}, {"super_seed": True}, {"down_limit": 5000}, {"up_limit": 7000}, {"seed_only": True},
    {"check_only": True}, {"metadata_only": True}, {"exclude": ("*.txt", "last")}, {"suffix": ".part"},
    {"layout": "none"}, {"paused": True}, {"sequential": True, "up_limit": 1, "exclude": ("x",)},
]


@pytest.mark.parametrize(("complete", "asked"), [
    # What may only seed and has nothing stops at once.
    (complete, asked) for complete in (False, True) for asked in ASKED if complete or "seed_only" not in asked
], ids=repr)
def test_options_come_back(tmp_path: Path, complete: bool, asked: dict[str, Any]) -> None:
    folder, metainfo = thing(tmp_path)
    options = AddOptions(save_path=folder.parent if complete else tmp_path / "out", **asked)

    async def run() -> None:
        async with session(tmp_path) as first:
            torrent = await first.add(metainfo, options)
            paused = options.paused or options.check_only or options.metadata_only
            if options.paused:
                await torrent.resume()
                await until(first, torrent, "seeding" if complete and not options.exclude else "downloading")
                await torrent.pause()
            elif options.metadata_only:
                await until(first, torrent, "paused")
                return
            elif paused:
                await until(first, torrent, "paused")
            elif complete and options.layout == "original":
                await torrent.complete()
            else:
                await until(first, torrent, "downloading")
        async with session(tmp_path) as again:
            torrent = await restored(again)
            assert replace(torrent.options, save_path=options.save_path) == options
            if paused:
                await until(again, torrent, "paused")

    go(run)


@pytest.mark.parametrize("paused", [False, True])
def test_a_magnet_without_metadata_comes_back_with_all_it_said(tmp_path: Path, paused: bool) -> None:
    folder, metainfo = thing(tmp_path)
    number = next(i for i, file in enumerate(metainfo.info.files) if file.path.parts[-1] == "exact.bin")

    async def run() -> None:
        async with Session(SETTINGS) as seed:
            link = Magnet(
                metainfo.info.hashes, "a name", trackers=(TRACKER,), select=(range(number, number + 1),),
                peers=(("127.0.0.1", seed.listening[0].port),),
            )
            async with session(tmp_path) as first:
                options = AddOptions(save_path=tmp_path / "out", trackers=(OTHER,), paused=paused)
                torrent = await first.add(link, options)
                assert torrent.info is None
            async with session(tmp_path) as again:
                torrent = await restored(again)
                assert torrent.view().state == ("paused" if paused else "metadata")
                assert [view.url for view in torrent.trackers()] == [TRACKER, OTHER]
                await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
                if paused:
                    await torrent.resume()
                torrent.add_peer(seed.listening[0])
                await torrent.complete()
                assert [file.path for file in torrent.files() if file.wanted] == ["b/exact.bin"]

    go(run)
    assert (tmp_path / "out" / "content" / "b" / "exact.bin").read_bytes() == (folder / "b" / "exact.bin").read_bytes()


def test_files_of_another_are_still_safe_from_a_magnet_that_was_restored(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)
    (tmp_path / "out" / "content").mkdir(parents=True)
    (tmp_path / "out" / "content" / "last").write_bytes(b"mine")

    async def run() -> None:
        async with session(tmp_path) as first:
            await first.add(Magnet(metainfo.info.hashes), AddOptions(save_path=tmp_path / "out"))
        async with Session(SETTINGS) as seed, session(tmp_path) as again:
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            torrent = await restored(again)
            torrent.add_peer(seed.listening[0])
            await until(again, torrent, "stopped")
            assert torrent.view().code == "target_exists"

    go(run)
    assert (tmp_path / "out" / "content" / "last").read_bytes() == b"mine"


def test_the_metadata_of_a_magnet_is_fetched_once(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)
    link = Magnet(metainfo.info.hashes)

    async def run() -> None:
        async with Session(SETTINGS) as seed, session(tmp_path) as first:
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            options = AddOptions(save_path=tmp_path / "out", peers=(seed.listening[0],))
            await (await first.add(link, options)).complete()
        async with session(tmp_path) as again:
            await (await again.add(link, AddOptions(save_path=tmp_path / "out"))).complete()

    go(run)
    assert same(folder, tmp_path / "out" / "content") == []


@pytest.mark.parametrize("when", ["magnet", "open", "asleep"])
def test_what_is_changed_while_it_runs_comes_back(tmp_path: Path, when: str) -> None:
    folder, metainfo = thing(tmp_path)

    async def run() -> None:
        source = Magnet(metainfo.info.hashes) if when == "magnet" else metainfo
        folders = AddOptions(save_path=folder.parent if when == "asleep" else tmp_path / "out")
        async with session(tmp_path) as first:
            torrent = await first.add(source, folders)
            if when == "asleep":
                await torrent.complete()
            elif when == "open":
                await until(first, torrent, "downloading")
        async with session(tmp_path) as second:
            torrent = await restored(second)
            assert torrent.asleep == (when == "asleep")
            torrent.set_limits(down=1111)
            torrent.set_limits(up=2222)
            torrent.set_sequential(True)
            torrent.add_tracker(TRACKER)
            torrent.add_tracker(OTHER)
            torrent.remove_tracker(TRACKER)
        async with session(tmp_path) as third:
            torrent = await restored(third)
            assert (torrent.options.down_limit, torrent.options.up_limit) == (1111, 2222)
            assert torrent.options.sequential
            assert [view.url for view in torrent.trackers()] == [OTHER]

    go(run)


def test_priorities_and_limits_set_while_it_is_being_opened_come_back(tmp_path: Path) -> None:
    _, metainfo = thing(tmp_path)

    async def run() -> None:
        async with session(tmp_path) as first:
            torrent = await first.add(metainfo, AddOptions(save_path=tmp_path / "out"))
            torrent.set_limits(down=3333)
            await torrent.set_priorities({0: 7, 1: 0})
            await until(first, torrent, "downloading")
        async with session(tmp_path) as again:
            torrent = await restored(again)
            await until(again, torrent, "downloading")
            found = {file.index: file.priority for file in torrent.files()}
            assert (found[0], found[1], torrent.options.down_limit) == (7, 0, 3333)

    go(run)


@pytest.mark.parametrize("condition", ["metadata_only", "check_only"])
def test_a_stop_condition_is_met_once_and_resuming_goes_beyond_it(tmp_path: Path, condition: str) -> None:
    folder, metainfo = thing(tmp_path)

    async def run() -> None:
        async with session(tmp_path) as first, Session(SETTINGS) as seed:
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            torrent = await first.add(Magnet(metainfo.info.hashes), AddOptions(
                save_path=tmp_path / "out", peers=(seed.listening[0],), **{condition: True},  # type: ignore[arg-type]
            ))
            await torrent.metadata()
            await until(first, torrent, "paused")
            assert torrent.view().downloaded == 0
            await torrent.resume()
            await torrent.complete()
        async with session(tmp_path) as again:
            assert (await restored(again)).view().state == "seeding"

    go(run)


@pytest.mark.parametrize("magnet", [False, True])
def test_what_was_removed_does_not_come_back(tmp_path: Path, magnet: bool) -> None:
    _, metainfo = thing(tmp_path)

    async def run() -> None:
        async with session(tmp_path) as first:
            source = Magnet(metainfo.info.hashes) if magnet else metainfo
            torrent = await first.add(source, AddOptions(save_path=tmp_path / "out"))
            if not magnet:
                await until(first, torrent, "downloading")
            torrent.set_limits(down=5)
            await first.remove(torrent)
        async with session(tmp_path) as again:
            assert await again.restore() == 0

    go(run)


def test_a_peer_is_found_again_by_a_restored_magnet(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)

    async def run() -> None:
        async with Session(SETTINGS) as seed:
            at: Endpoint = seed.listening[0]
            async with session(tmp_path) as first:
                await first.add(
                    Magnet(metainfo.info.hashes, peers=((at.host, at.port),)), AddOptions(save_path=tmp_path / "out"),
                )
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            async with session(tmp_path) as again:
                await (await restored(again)).complete()

    go(run)


def _given(state: Path, key: str) -> object:
    """The peers that are written down."""
    store = Database(state / "state.db")
    try:
        record = store.load(key)
        return record and record.options.get(briefs.FIELD, {}).get(briefs.GIVEN)
    finally:
        store.close()


@pytest.mark.parametrize("named", ["at once", "later", "by a link"])
def test_a_peer_that_was_named_is_called_again_after_a_kill(tmp_path: Path, named: str) -> None:
    """The state is copied while the session runs: so a kill leaves it."""
    folder, metainfo = thing(tmp_path)
    link = named == "by a link"

    async def run() -> None:
        async with Session(SETTINGS) as seed:
            at: Endpoint = seed.listening[0]
            given = AddOptions(save_path=folder.parent, seed_only=True)
            if link:
                await (await seed.add(metainfo, given)).complete()
            async with session(tmp_path) as first:
                torrent = await first.add(
                    Magnet(metainfo.info.hashes, peers=((at.host, at.port),)) if link else metainfo,
                    AddOptions(save_path=tmp_path / "out", peers=(at,) if named == "at once" else (),
                               metadata_only=link))
                if link:
                    # The link itself is not what is remembered from now on.
                    await torrent.metadata()
                    await until(first, torrent, "paused")
                    await seed.remove(seed.torrents[0])
                    await torrent.resume()
                await until(first, torrent, "downloading")
                if named == "later":
                    torrent.add_peers([at])
                while not _given(tmp_path / "state", torrent.key):
                    await asyncio.sleep(0)
                shutil.copytree(tmp_path / "state", tmp_path / "killed")
            await (await seed.add(metainfo, given)).complete()
            async with Session(SETTINGS, data_dir=tmp_path / "killed") as again:
                torrent = await restored(again)
                await torrent.complete()
                assert not same(folder, tmp_path / "out" / folder.name)
            assert not _given(tmp_path / "killed", torrent.key), "who has all needs nobody"

    go(run)
