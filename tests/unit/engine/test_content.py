from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from caches import SIZE, Films, caching, films, on_disk, settings
from cli_torrents import torrent_of
from wildbach.base.errors import StorageError, UsageError
from wildbach.disk import system
from wildbach.engine import events
from wildbach.engine import session as sessions
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.runtime.tasks import Scope

Work = Callable[[Session, Films], Awaitable[None]]


def run(tmp_path: Path, work: Work, quota: int = 10 * SIZE, **more: int) -> None:
    async def all_of_it() -> None:
        async with asyncio.timeout(60), films(tmp_path) as seed, caching(tmp_path, quota, **more) as session:
            await session.restore()
            await work(session, seed)

    asyncio.run(all_of_it())


async def stopped(torrent: Torrent) -> str:
    while torrent.state is not State.STOPPED:
        torrent.parts.changed.clear()
        await torrent.parts.changed.wait()
    return torrent.code


async def names(session: Session) -> list[str]:
    return [one.name for one in (await session.content.view()).torrents]


def test_a_cache_torrent_lies_in_a_folder_of_its_own_and_is_counted_for_its_owner(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        a = await seed.fetched(session, await seed.film("a"))
        await seed.fetched(session, await seed.film("b"), "site")
        mine = await seed.film("mine")
        await (await session.add(
            mine, AddOptions(save_path=tmp_path / "downloads", peers=seed.cached().peers))).complete()
        assert (tmp_path / "data" / "cache" / a.key / "a" / "film.mkv").stat().st_size == SIZE
        view = await session.content.view()
        assert view.owners == {"site": (1, SIZE), "stream": (1, SIZE)}
        assert (view.used, view.planned, view.quota) == (2 * SIZE, 2 * SIZE, 10 * SIZE)

    run(tmp_path, work)


def test_what_was_not_used_for_longest_goes_before_a_download_would_pass_the_quota(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        with session.subscribe(events.CacheEvicted) as gone:
            a = await seed.fetched(session, await seed.film("a"))
            await seed.fetched(session, await seed.film("b"))
            session.content.touch(a.key)
            await seed.fetched(session, await seed.film("c"))
            assert await names(session) == ["a", "c"]
            assert on_disk(tmp_path) == {"a", "c"}
            event = await anext(gone)
            assert isinstance(event, events.CacheEvicted)
            assert (event.title, event.owner, event.size) == ("b", "stream", SIZE)

    run(tmp_path, work, 2 * SIZE)
    assert len(list((tmp_path / "data" / "cache").iterdir())) == 2, "no empty folder is left"


def test_what_is_pinned_stays_and_a_torrent_without_room_stops_with_the_reason(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        a = await seed.fetched(session, await seed.film("a"))
        await session.content.pin(a.key)
        b = await session.add(await seed.film("b"), seed.cached())
        assert await stopped(b) == "cache_full"
        assert on_disk(tmp_path) == {"a"}
        with pytest.raises(UsageError, match="pinned"):
            await session.content.evict(a.key)
        await session.content.unpin(a.key)
        await b.resume()
        await b.complete()
        assert on_disk(tmp_path) == {"b"}

    run(tmp_path, work, SIZE)


def test_nothing_goes_for_what_would_not_fit_even_then(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        await seed.fetched(session, await seed.film("a"))
        huge = await seed.film("huge", {("film.mkv",): bytes(4 * SIZE)})
        assert await stopped(await session.add(huge, seed.cached())) == "cache_full"
        assert on_disk(tmp_path) == {"a"}

    run(tmp_path, work, 2 * SIZE)


def test_what_somebody_reads_stays_until_he_is_done(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        a = await seed.fetched(session, await seed.film("a"))
        async with a.open(0) as reader:
            b = await session.add(await seed.film("b"), seed.cached())
            assert await stopped(b) == "cache_full"
            with pytest.raises(UsageError, match="in use"):
                await session.content.evict(a.key)
            assert await session.content.free(SIZE) == 0
            assert len(await reader.read(0, SIZE)) > 0
        await b.resume()
        await b.complete()
        assert session.torrent(a.key) is None

    run(tmp_path, work, SIZE)


def test_while_it_goes_nobody_gets_hold_of_it_and_who_adds_it_gets_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(session: Session, seed: Films) -> None:
        made = await seed.film("a")
        a = await seed.fetched(session, made)
        began, go_on = asyncio.Event(), asyncio.Event()
        evict = Session.evict

        async def slowly(self: Session, key: str) -> None:
            began.set()
            await go_on.wait()
            await evict(self, key)

        monkeypatch.setattr(sessions.Session, "evict", slowly)
        added: list[Torrent] = []

        async def again() -> None:
            added.append(await session.add(made, seed.cached()))

        async with Scope("test") as scope:
            eviction = scope.spawn("evict", session.content.evict(a.key))
            await began.wait()
            with pytest.raises(StorageError) as refused:
                async with a.open(0):
                    pass
            assert refused.value.code == "going"
            with pytest.raises(StorageError):
                await session.content.pin(a.key)
            adding = scope.spawn("add", again())
            for _ in range(20):
                await asyncio.sleep(0)
            assert not added
            go_on.set()
            await asyncio.wait([eviction, adding])
        assert added != [a]
        await added[0].complete()

    run(tmp_path, work)


def test_pins_and_the_order_of_use_are_there_after_a_restart(tmp_path: Path) -> None:
    async def first(session: Session, seed: Films) -> None:
        a = await seed.fetched(session, await seed.film("a"))
        b = await seed.fetched(session, await seed.film("b"), "site")
        await seed.fetched(session, await seed.film("c"))
        await session.content.pin(b.key)
        session.content.touch(a.key)

    async def then(session: Session, seed: Films) -> None:
        view = await session.content.view()
        assert [(one.name, one.owner, one.pinned) for one in view.torrents] == [
            ("b", "site", True), ("c", "stream", False), ("a", "stream", False)]
        assert await session.content.free(1) == SIZE
        assert on_disk(tmp_path) == {"a", "b"}

    run(tmp_path, first)
    run(tmp_path, then)


def test_what_the_user_keeps_is_his_own_and_moves_where_he_wants_it(tmp_path: Path) -> None:
    async def first(session: Session, seed: Films) -> None:
        a = await seed.fetched(session, await seed.film("a"))
        b = await seed.fetched(session, made := await seed.film("b"))
        await session.content.keep(a.key, tmp_path / "mine")
        assert await session.add(made, AddOptions()) is b, "the user asked for it"
        assert await names(session) == []
        with pytest.raises(UsageError):
            await session.content.evict(a.key)

    async def then(session: Session, seed: Films) -> None:
        assert await names(session) == []
        assert [torrent.name for torrent in session.torrents] == ["a", "b"]
        assert await session.content.free(10 * SIZE) == 0
        assert (tmp_path / "mine" / "a" / "film.mkv").stat().st_size == SIZE

    run(tmp_path, first)
    run(tmp_path, then)


def test_a_torrent_of_the_user_does_not_become_cache(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        made = await seed.film("a")
        mine = await session.add(made, AddOptions(save_path=tmp_path / "mine", peers=seed.cached().peers))
        await mine.complete()
        assert await session.add(made, seed.cached()) is mine
        assert mine.options.cache == "" and await names(session) == []

    run(tmp_path, work)


def test_files_that_another_torrent_has_stay(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        made = await seed.film("a", {("one",): b"1" * 20_000, ("two",): b"2" * 30_000})
        part = torrent_of({("one",): b"1" * 20_000}, name="a")
        shared = AddOptions(save_path=tmp_path / "both")
        cached = await session.add(made, replace(seed.cached(), save_path=tmp_path / "both"))
        await cached.complete()
        mine = await session.add(part, shared)
        await mine.complete()
        await session.content.evict(cached.key)
        assert [path.name for path in (tmp_path / "both" / "a").iterdir()] == ["one"]

    run(tmp_path, work)


def test_one_that_stands_still_goes_with_the_files_of_the_run_before(tmp_path: Path) -> None:
    async def first(session: Session, seed: Films) -> None:
        torrent = await session.add(
            await seed.film("a", {("one",): b"1" * SIZE, ("two",): b"2" * SIZE}),
            replace(seed.cached(), select=lambda number, _: number == 0))
        await torrent.complete()
        await torrent.pause()

    async def then(session: Session, seed: Films) -> None:
        (torrent,) = session.torrents
        assert torrent.state is State.PAUSED
        assert on_disk(tmp_path) == {"a"}
        await session.content.evict(torrent.key)
        assert on_disk(tmp_path) == set()

    run(tmp_path, first)
    run(tmp_path, then)


def test_room_is_given_back_where_the_quota_becomes_smaller(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        for name in "abc":
            await seed.fetched(session, await seed.film(name))
        with session.subscribe(events.CacheEvicted) as gone:
            await session.configure(settings(SIZE))
            for _ in range(2):
                await anext(gone)
        assert await names(session) == ["c"]

    run(tmp_path, work)


def test_the_cache_gives_way_where_the_disk_has_too_little_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk here has three films and a half in all."""
    def free(_: str) -> int:
        return SIZE * 7 // 2 - SIZE * len(on_disk(tmp_path))

    async def work(session: Session, seed: Films) -> None:
        for name in "abcd":
            await seed.fetched(session, await seed.film(name))
        assert await names(session) == ["c", "d"]
        assert (await session.content.view()).limit == SIZE * 5 // 2

    monkeypatch.setattr(system, "free_space", free)
    run(tmp_path, work, min_free=SIZE)


@pytest.mark.parametrize("cached", [True, False])
def test_a_disk_that_is_full_after_all_has_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool,
) -> None:
    """Others filled it meanwhile; the cache gives way to what the user downloads, too."""
    write, full = system.write_fully, []

    def refuse(descriptor: int, buffers: object, offset: int) -> None:
        if full and "old" in on_disk(tmp_path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(descriptor, buffers, offset)  # type: ignore[arg-type]  # passed through

    async def work(session: Session, seed: Films) -> None:
        await seed.fetched(session, await seed.film("old"))
        full.append(True)
        options = seed.cached() if cached else replace(seed.cached(), cache="", save_path=tmp_path / "mine")
        torrent = await session.add(await seed.film("new"), options)
        with session.subscribe(events.TorrentStopped, events.TorrentComplete) as happened:
            said = [await anext(happened)]
            while not isinstance(said[-1], events.TorrentComplete):
                said.append(await anext(happened))
        assert {one.code for one in said if isinstance(one, events.TorrentStopped)} == {"disk_full"}
        assert torrent.whole
        assert await names(session) == (["new"] if cached else [])

    monkeypatch.setattr(system, "write_fully", refuse)
    run(tmp_path, work)


def test_a_whole_file_is_found_by_its_root_while_a_torrent_has_it(tmp_path: Path) -> None:
    async def work(session: Session, seed: Films) -> None:
        made = await seed.film("a")
        root = made.info.files[0].root
        assert root is not None
        assert await session.content.places(root) == ()
        a = await seed.fetched(session, made)
        (place,) = await session.content.places(root)
        path = tmp_path / "data" / "cache" / a.key / "a" / "film.mkv"
        assert (place.path, place.torrent, place.file) == (str(path), a.key, 0)
        assert place.own and place.cache
        path.rename(path.with_name("elsewhere"))
        assert await session.content.places(root) == ()
        await session.remove(a)
        assert await session.content.places(root) == ()

    run(tmp_path, work)


def test_two_cache_torrents_have_one_file_and_a_torrent_of_the_user_a_copy(tmp_path: Path) -> None:
    """Nobody but wildbach writes to the cache, so a second name will do there."""
    film = {("film.mkv",): os.urandom(SIZE)}

    async def work(session: Session, seed: Films) -> None:
        await seed.fetched(session, await seed.film("a", film))
        for number, (name, options) in enumerate((
            ("b", AddOptions(cache="site")), ("c", AddOptions(save_path=tmp_path / "mine")),
        )):
            torrent = await session.add(torrent_of(film, name=name), options)
            await torrent.complete()
            assert torrent.view().downloaded == 0
            assert torrent.options.save_path.joinpath(name, "film.mkv").stat().st_nlink == 2 - number
        a = next(torrent for torrent in session.torrents if torrent.name == "a")
        await session.content.evict(a.key)
        assert on_disk(tmp_path) == {"b"}

    run(tmp_path, work)


def test_a_cache_without_a_data_directory_has_to_be_told_its_folder(tmp_path: Path) -> None:
    async def work() -> None:
        async with Session(settings()) as session:
            with pytest.raises(UsageError, match="data directory"):
                await session.add(torrent_of(), AddOptions(cache="stream"))
            assert session.torrents == ()

    asyncio.run(work())


@pytest.mark.parametrize("owner", ["Stream", "a b", "9", "x" * 33, "-"])
def test_an_owner_is_a_short_word(owner: str) -> None:
    with pytest.raises(UsageError):
        AddOptions(cache=owner)
