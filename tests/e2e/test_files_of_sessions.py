"""Moving, renaming, sharing, deleting files, and disks that fail, with whole sessions on loopback."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from folders import make_folder, make_torrent, same
from wildbach.base.errors import StorageError
from wildbach.disk.files import FileStorage
from wildbach.disk.storage import Storage
from wildbach.disk.wrappers import SYNC, WRITE, Faulty
from wildbach.engine import events
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, RateSettings, Settings
from wildbach.engine.state import State
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info

SETTINGS = Settings(
    ConnectionSettings(listen=("127.0.0.1:0",)), disk=DiskSettings(workers="threads", memory=8 << 20)
)


@asynccontextmanager
async def pair(tmp_path: Path, **options: object) -> AsyncIterator[tuple[Session, Session]]:
    async with Session(SETTINGS) as seed, Session(SETTINGS, **options) as leech:  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            yield seed, leech


def thing(tmp_path: Path, name: str = "content", seed: int = 1) -> tuple[Path, Metainfo]:
    folder = make_folder(tmp_path / "src", name, seed=seed)
    return folder, make_torrent(folder, "hybrid")


def test_a_moved_and_renamed_torrent_goes_on_seeding_and_is_found_again(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)
    number = next(i for i, file in enumerate(metainfo.info.files) if file.path.parts[-1] == "exact.bin")

    async def run() -> None:
        told: list[tuple[int, int]] = []
        async with Session(SETTINGS, data_dir=tmp_path / "state") as one:
            torrent = await one.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))
            await torrent.complete()
            await torrent.move(tmp_path / "new", lambda done, total: told.append((done, total)))
            assert torrent.view().save_path == str(tmp_path / "new")
            assert torrent.view().state == "seeding" and torrent.view().moving is None
            await torrent.rename_file(number, "content/other/name.bin")
            async with Session(SETTINGS) as two:
                copy = await two.add(metainfo, AddOptions(save_path=tmp_path / "copy", peers=(one.listening[0],)))
                await copy.complete()
            with pytest.raises(StorageError):
                await torrent.rename_file(number, "content/last")
        assert told[-1][0] == told[-1][1] > 0
        assert not folder.exists()
        async with Session(SETTINGS, data_dir=tmp_path / "state") as again:
            torrent = await again.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))
            await torrent.complete()
            assert torrent.view().save_path == str(tmp_path / "new")

    asyncio.run(asyncio.wait_for(run(), 60))
    moved = tmp_path / "new" / "content"
    (moved / "other" / "name.bin").rename(moved / "b" / "exact.bin")
    (moved / "other").rmdir()
    assert same(moved, tmp_path / "copy" / "content") == []


def test_deleting_a_torrent_spares_what_another_one_has(tmp_path: Path) -> None:
    _, big = thing(tmp_path)
    part = make_folder(tmp_path / "part", "content", sizes={"last": 777}, seed=5)
    data = (tmp_path / "src" / "content" / "last").read_bytes()
    (part / "last").write_bytes(data)
    small = make_torrent(part, "hybrid")

    async def run() -> None:
        async with Session(SETTINGS, data_dir=tmp_path / "state") as session:
            one = await session.add(big, AddOptions(save_path=tmp_path / "src", seed_only=True))
            two = await session.add(small, AddOptions(save_path=tmp_path / "src", seed_only=True))
            await one.complete()
            await two.complete()
            await session.remove(one, delete_files=True)
            assert [p.name for p in (tmp_path / "src" / "content").rglob("*")] == ["last"]
            await session.remove(two, delete_files=True)
            assert list((tmp_path / "src").iterdir()) == []

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize("inside", [False, True])
def test_deleting_a_torrent_spares_what_one_of_another_name_has_that_sleeps(tmp_path: Path, inside: bool) -> None:
    """After a restart nobody has said which files are its own; one lies without a folder, or in the other one's."""
    folder, big = thing(tmp_path)
    part = make_folder(tmp_path / "part", "content" if inside else "another", sizes={"last": 777}, seed=5)
    (part / "last").write_bytes((folder / "last").read_bytes())
    small = make_torrent(part, "hybrid")
    if inside:
        options = AddOptions(
            save_path=tmp_path / "src", seed_only=True, layout="none", renames={0: ("content", "last")})
    else:
        options = AddOptions(save_path=tmp_path / "src" / "content", seed_only=True, layout="none")
    settings = replace(SETTINGS, disk=replace(SETTINGS.disk, sleep_after=0.0))

    async def first() -> None:
        async with Session(settings, data_dir=tmp_path / "state") as session:
            for metainfo, how in ((big, AddOptions(save_path=tmp_path / "src", seed_only=True)), (small, options)):
                torrent = await session.add(metainfo, how)
                await torrent.complete()

    async def second() -> None:
        async with Session(settings, data_dir=tmp_path / "state") as session:
            await session.restore()
            one = session.known(big.info.hashes)
            assert one is not None
            await session.remove(one, delete_files=True)

    asyncio.run(asyncio.wait_for(first(), 60))
    asyncio.run(asyncio.wait_for(second(), 60))
    assert [p.name for p in (tmp_path / "src" / "content").rglob("*")] == ["last"]


def test_deleting_a_moved_torrent_spares_what_another_one_has(tmp_path: Path) -> None:
    folder, big = thing(tmp_path)
    part = make_folder(tmp_path / "part", "content", sizes={"last": 777}, seed=5)
    (part / "last").write_bytes((folder / "last").read_bytes())
    small = make_torrent(part, "hybrid")

    async def run() -> None:
        async with Session(SETTINGS, data_dir=tmp_path / "state") as session:
            one = await session.add(big, AddOptions(save_path=tmp_path / "src", seed_only=True))
            await one.complete()
            await one.move(tmp_path / "new")
            two = await session.add(small, AddOptions(save_path=tmp_path / "new", seed_only=True))
            await two.complete()
            await session.remove(one, delete_files=True)
            assert [p.name for p in (tmp_path / "new" / "content").rglob("*")] == ["last"]

    asyncio.run(asyncio.wait_for(run(), 60))


def test_incomplete_files_have_their_suffix_and_their_folder_until_all_is_there(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)
    waiting, final = tmp_path / "incomplete", tmp_path / "final"

    async def run() -> None:
        async with Session(SETTINGS) as seed:
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            slowly = replace(SETTINGS, rates=RateSettings(down=300_000, limit_local=True))
            async with asyncio.timeout(60), Session(slowly, data_dir=tmp_path / "state") as one:
                pieces = one.subscribe(events.PieceDone)
                torrent = await one.add(metainfo, AddOptions(
                    save_path=final, incomplete_path=waiting, suffix=".part", peers=(seed.listening[0],),
                ))
                await anext(aiter(pieces))
                assert torrent.view().save_path == str(waiting)
            names = {p.name for p in waiting.rglob("*") if p.is_file() and p.stat().st_size}
            assert names and all(name.endswith(".part") for name in names)
            assert not final.exists()
            async with asyncio.timeout(60), Session(SETTINGS, data_dir=tmp_path / "state") as again:
                await again.restore()
                (torrent,) = again.torrents
                torrent.add_peer(seed.listening[0])
                await torrent.complete()
                assert torrent.view().save_path == str(final)

    asyncio.run(run())
    assert same(folder, final / "content") == []
    assert list(waiting.iterdir()) == []


def test_what_is_at_the_final_place_already_is_taken_as_it_is(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)

    async def run() -> None:
        async with Session(SETTINGS) as session, asyncio.timeout(60):
            torrent = await session.add(metainfo, AddOptions(save_path=folder.parent, incomplete_path=tmp_path / "x"))
            await torrent.complete()
            assert torrent.view().save_path == str(folder.parent)

    asyncio.run(run())
    assert not (tmp_path / "x").exists()


def test_something_that_came_to_the_final_place_meanwhile_stops_the_torrent_and_stays(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)
    final = tmp_path / "final"

    async def run() -> None:
        async with pair(tmp_path) as (seed, leech):
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            torrent = await leech.add(metainfo, AddOptions(save_path=final, incomplete_path=tmp_path / "x"))
            await torrent.metadata()
            while torrent.holdings is None:
                await anext(aiter(leech.subscribe(events.StateChanged)))
            (final / "content").mkdir(parents=True)
            (final / "content" / "last").write_bytes(b"mine")
            torrent.add_peer(seed.listening[0])
            with pytest.raises(StorageError) as caught:
                await torrent.complete()
            assert caught.value.code == "target_exists"
            (final / "content" / "last").unlink()
            await torrent.resume()
            await torrent.complete()

    asyncio.run(run())
    assert same(folder, final / "content") == []


def test_excluded_names_are_not_fetched(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)

    async def run() -> None:
        async with pair(tmp_path) as (seed, leech):
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            torrent = await leech.add(metainfo, AddOptions(
                save_path=tmp_path / "out", exclude=("EXACT.*",), peers=(seed.listening[0],),
            ))
            await torrent.complete()
            assert [file.path for file in torrent.files() if not file.wanted] == ["b/exact.bin"]

    asyncio.run(run())
    assert not (tmp_path / "out" / "content" / "b" / "exact.bin").exists()
    assert (tmp_path / "out" / "content" / "last").read_bytes() == (folder / "last").read_bytes()


def test_only_one_of_two_torrents_writes_to_a_file(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)
    twin = make_torrent(folder, "hybrid", piece_length=32768)

    async def run() -> None:
        async with pair(tmp_path) as (seed, leech):
            for each in (metainfo, twin):
                await (await seed.add(each, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            one = await leech.add(metainfo, AddOptions(save_path=tmp_path / "out"))
            while one.holdings is None:
                await anext(aiter(leech.subscribe(events.StateChanged)))
            place = metainfo.info.geometry.files[-1].offset
            one.holdings.storage.write(place, [memoryview(b"x")])
            options = AddOptions(save_path=tmp_path / "out", peers=(seed.listening[0],), existing="overwrite")
            two = await leech.add(twin, options)
            with pytest.raises(StorageError) as caught:
                await two.complete()
            assert caught.value.code == "in_use"
            await leech.remove(one)
            await two.resume()
            await two.complete()
            assert leech.internal_errors == 0

    asyncio.run(asyncio.wait_for(run(), 60))
    assert same(folder, tmp_path / "out" / "content") == []


@pytest.mark.parametrize("way", ["stopped", "paused"])
def test_who_is_stopped_or_paused_lets_another_write(tmp_path: Path, way: str) -> None:
    folder, metainfo = thing(tmp_path)
    twin = make_torrent(folder, "hybrid", piece_length=32768)

    async def run() -> None:
        async with pair(tmp_path) as (seed, leech):
            await (await seed.add(twin, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            one = await leech.add(metainfo, AddOptions(save_path=tmp_path / "out"))
            while one.holdings is None:
                await anext(aiter(leech.subscribe(events.StateChanged)))
            one.holdings.storage.write(metainfo.info.geometry.files[-1].offset, [memoryview(b"x")])
            if way == "paused":
                await one.pause()
                opened = [os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()]
                assert not [name for name in opened if "/out/content/" in name]
            else:
                one.life.stop("the disk is full", "disk_full")
            options = AddOptions(save_path=tmp_path / "out", peers=(seed.listening[0],), existing="overwrite")
            await (await leech.add(twin, options)).complete()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert same(folder, tmp_path / "out" / "content") == []


def test_names_that_end_as_those_of_incomplete_files_are_not_taken_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "src" / "content"
    (folder / "b.!wb").mkdir(parents=True)
    for name in ("a", "A.!WB", "a.!wb_", "b", "b.!wb/c"):
        (folder / name).write_bytes(name.encode() * 30_000)
    metainfo = make_torrent(folder, "v1")

    async def run() -> None:
        async with pair(tmp_path) as (seed, leech):
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            await (await leech.add(metainfo, AddOptions(
                save_path=tmp_path / "out", peers=(seed.listening[0],), suffix=".!wb",
            ))).complete()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert same(folder, tmp_path / "out" / "content") == []


@pytest.mark.parametrize("way", ["stopped", "paused"])
def test_who_is_stopped_or_paused_still_says_what_is_there(tmp_path: Path, way: str) -> None:
    folder, metainfo = thing(tmp_path)
    largest = max(range(len(metainfo.info.files)), key=lambda index: metainfo.info.files[index].length)

    async def run() -> None:
        async with pair(tmp_path) as (seed, leech):
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            torrent = await leech.add(metainfo, AddOptions(
                save_path=tmp_path / "out", peers=(seed.listening[0],), select=lambda index, _file: index == largest,
            ))
            await torrent.complete()
            view, files = torrent.view(), torrent.files()
            assert view.done == view.wanted > 0 and files[largest].have == files[largest].size > 0
            if way == "paused":
                await torrent.pause()
            else:
                torrent.life.stop("the disk is full", "disk_full")
            after = torrent.view()
            assert after.state == way
            assert (after.wanted, after.done, after.progress, after.pieces_have) == (
                view.wanted, view.done, 1.0, view.pieces_have,
            )
            assert torrent.files() == files

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_full_file_system_stops_the_torrent_until_there_is_room(tmp_path: Path) -> None:
    folder, metainfo = thing(tmp_path)
    out = tmp_path / "small"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", out], capture_output=True).returncode:
        pytest.skip("mounting is not permitted")

    async def run() -> None:
        async with pair(tmp_path) as (seed, leech):
            await (await seed.add(metainfo, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            torrent = await leech.add(metainfo, AddOptions(save_path=out, peers=(seed.listening[0],)))
            with pytest.raises(StorageError) as caught:
                await torrent.complete()
            assert caught.value.code == "disk_full"
            subprocess.run(["mount", "-o", "remount,size=8m", out], check=True)
            await torrent.resume()
            await torrent.complete()

    try:
        asyncio.run(asyncio.wait_for(run(), 60))
        assert same(folder, out / "content") == []
    finally:
        subprocess.run(["umount", "-l", out], check=True)


@pytest.mark.parametrize(("kind", "number", "code"), [
    (WRITE, errno.ENOSPC, "disk_full"), (WRITE, errno.EIO, "io_error"), (SYNC, errno.EIO, "io_error"),
])
def test_a_failing_disk_stops_its_torrent_only_and_resume_goes_on(
    kind: str, number: int, code: str, tmp_path: Path
) -> None:
    folder, metainfo = thing(tmp_path)
    other_folder, other = thing(tmp_path, "other", seed=2)
    made: dict[str, Faulty] = {}

    def storage(info: Info, options: AddOptions) -> Storage:
        faulty = made[info.hashes.key] = Faulty(FileStorage(info, options.save_path))
        if info.name == "content":
            faulty.fail(kind, number, after=3 if kind == WRITE else 0)
        return faulty

    async def run() -> None:
        async with pair(tmp_path, storage=storage) as (seed, leech):
            for each in (metainfo, other):
                await (await seed.add(each, AddOptions(save_path=folder.parent, seed_only=True))).complete()
            options = AddOptions(save_path=tmp_path / "out", peers=(seed.listening[0],))
            stops = leech.subscribe(events.TorrentStopped)
            torrent, good = [await leech.add(each, options) for each in (metainfo, other)]
            stop = await anext(aiter(stops))
            assert (stop.torrent, stop.code) == (torrent.key, code)
            await good.complete()
            view = torrent.view()
            assert (view.state, view.code) == (State.STOPPED, code) and view.reason
            made[torrent.key].heal()
            await torrent.resume()
            await torrent.complete()
            assert leech.internal_errors == 0

    asyncio.run(asyncio.wait_for(run(), 60))
    assert same(folder, tmp_path / "out" / "content") == []
    assert same(other_folder, tmp_path / "out" / "other") == []
