from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from caches import settings
from cli_torrents import CONTENT, torrent_of, write_content
from wildbach.base.errors import UsageError
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.document import Metainfo

OLD = 1_000_000_000


def published(tmp_path: Path) -> tuple[Path, Metainfo]:
    folder = tmp_path / "published"
    write_content(folder / "things", CONTENT)
    for path in folder.rglob("*"):
        os.utime(path, (OLD, OLD))
    return folder, torrent_of()


def everything(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")}


def edit(folder: Path) -> None:
    with (folder / "things" / "a.bin").open("r+b") as file:
        file.seek(20_000)
        file.write(b"an edit of its owner")


@asynccontextmanager
async def session(tmp_path: Path, name: str = "data") -> AsyncIterator[Session]:
    async with asyncio.timeout(60), Session(settings(), data_dir=tmp_path / name) as made:
        await made.restore()
        yield made


async def stopped(torrent: Torrent) -> str:
    while torrent.state is not State.STOPPED:
        torrent.parts.changed.clear()
        await torrent.parts.changed.wait()
    return torrent.code


def in_place(folder: Path, **more: bool) -> AddOptions:
    return AddOptions(save_path=folder, in_place=True, **more)


def test_a_folder_that_cannot_be_written_to_is_seeded(tmp_path: Path) -> None:
    folder, made = published(tmp_path)
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = everything(folder)

    async def work() -> None:
        async with session(tmp_path) as seed, session(tmp_path, "other") as other:
            await (await seed.add(made, in_place(folder))).complete()
            got = await other.add(made, AddOptions(save_path=tmp_path / "got", peers=(seed.listening[0],)))
            await got.complete()

    asyncio.run(work())
    assert everything(folder) == before
    assert (tmp_path / "got" / "things" / "a.bin").read_bytes() == CONTENT["a.bin",]


def test_nothing_of_it_is_moved_renamed_or_deleted(tmp_path: Path) -> None:
    folder, made = published(tmp_path)
    (folder / "things" / "a.bin").chmod(0o644)
    before = everything(folder)

    async def work() -> None:
        async with session(tmp_path) as seed:
            torrent = await seed.add(made, in_place(folder))
            await torrent.complete()
            for refused in (torrent.move(tmp_path / "there"), torrent.rename_file(0, "b.bin")):
                with pytest.raises(UsageError) as error:
                    await refused
                assert error.value.code == "in_place"
            await torrent.set_priorities({0: 0})
            await torrent.recheck()
            await torrent.complete()
        async with session(tmp_path) as seed:
            (torrent,) = seed.torrents
            assert torrent.options.in_place
            await seed.remove(torrent, delete_files=True)
            assert seed.torrents == ()

    asyncio.run(work())
    assert everything(folder) == before


def test_files_that_are_not_what_the_torrent_says_stay_as_they_are(tmp_path: Path) -> None:
    folder, made = published(tmp_path)
    edit(folder)
    (folder / "things" / "sub" / "b.txt").unlink()
    before = everything(folder)

    async def work() -> None:
        async with session(tmp_path) as seed:
            torrent = await seed.add(made, in_place(folder))
            assert await stopped(torrent) == "changed"
            assert torrent.reason.startswith("a.bin has changed")

    asyncio.run(work())
    assert everything(folder) == before


def test_an_edit_while_it_is_seeded_stops_it_before_anything_wrong_is_sent(tmp_path: Path) -> None:
    folder, made = published(tmp_path)

    async def work() -> None:
        async with session(tmp_path) as seed, session(tmp_path, "other") as other:
            torrent = await seed.add(made, in_place(folder))
            await torrent.complete()
            edit(folder)
            got = await other.add(made, AddOptions(save_path=tmp_path / "got", peers=(seed.listening[0],)))
            assert await stopped(torrent) == "changed"
            assert "a.bin has changed" in torrent.reason
            assert not got.whole
            assert torrent.holdings is not None
            # Its owner undoes the edit.
            write_content(folder / "things", CONTENT)
            await torrent.resume()
            await torrent.complete()
            # Who parted in anger is not called again for a while.
            torrent.add_peer(other.listening[0])
            await got.complete()

    asyncio.run(work())


@pytest.mark.parametrize("undone", [False, True])
def test_an_edit_between_two_runs_is_found_when_somebody_asks_for_it(tmp_path: Path, undone: bool) -> None:
    folder, made = published(tmp_path)

    async def work() -> None:
        async with session(tmp_path) as seed:
            await (await seed.add(made, in_place(folder))).complete()
        edit(folder)
        if undone:
            write_content(folder / "things", CONTENT)
        async with session(tmp_path) as seed:
            (torrent,) = seed.torrents
            assert torrent.asleep
            if undone:
                await torrent.metadata()
                assert torrent.state is State.SEEDING
            else:
                await torrent.metadata()
                assert await stopped(torrent) == "changed"

    asyncio.run(work())


def test_what_did_not_change_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, made = published(tmp_path)

    async def work() -> None:
        async with session(tmp_path) as seed:
            await (await seed.add(made, in_place(folder))).complete()
        async with session(tmp_path) as seed:
            (torrent,) = seed.torrents

            async def unwanted(*_: object, **__: object) -> None:
                raise AssertionError("hashed again")

            monkeypatch.setattr(seed._shared.hasher, "check", unwanted)
            await torrent.metadata()
            assert torrent.state is State.SEEDING and not torrent.asleep

    asyncio.run(work())


@pytest.mark.parametrize("more", [{"suffix": ".part"}, {"cache": "site"}, {"renames": {0: ("x",)}}])
def test_it_does_not_go_with_what_would_write(tmp_path: Path, more: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        AddOptions(in_place=True, **more)  # type: ignore[arg-type]  # passed through
