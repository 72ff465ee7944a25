"""The cache as the Api shows it, with real sessions: films of a seed that somebody watches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from caches import SIZE, Films, films
from clients import client, until
from wildbach.base.errors import UsageError
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import contentmodels as cm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import LocalApi
from wildbach.services.library import events as library_events
from wildbach.services.library import library as library_module

Work = Callable[[LocalApi, Films], Awaitable[None]]


def run(tmp_path: Path, work: Work, quota: int = 10 * SIZE, **more: object) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), films(tmp_path) as seed, client(
            tmp_path, content__quota=quota, content__min_free=0, content__disk_percent=100, **more,
        ) as api:
            await work(api, seed)

    asyncio.run(main())


async def watched(api: LocalApi, seed: Films, name: str) -> Torrent:
    torrent = await seed.fetched(api.core.session, await seed.film(name))
    await until(lambda: api.core.library.entry(torrent.key).complete, api)
    return torrent


def words(api: LocalApi) -> list[str]:
    return [line.text for line in api.core.log.read(m.LogQuery()).lines]


def test_the_cache_is_shown_with_its_owners_and_marked_in_the_list(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        a = await watched(api, seed, "a")
        found = await api.storage()
        assert (found.quota, found.used, found.planned) == (10 * SIZE, SIZE, SIZE) and found.free > 0
        assert found.owners == {"stream": cm.StorageOwner(1, SIZE)}
        one = found.torrents[0]
        assert (one.key, one.name, one.owner, one.size, one.pinned, one.in_use) == (
            a.key, "a", "stream", SIZE, False, False)
        page = await api.list_torrents(m.Listing(state=("cache",)))
        assert [row.cache for row in page.torrents] == ["stream"]
        assert (await api.facets()).states["cache"] == 1
        async with a.open(0):
            assert (await api.storage()).torrents[0].in_use

    run(tmp_path, work)


def test_pins_hold_what_would_be_freed(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        a, b = await watched(api, seed, "a"), await watched(api, seed, "b")
        came = await api.pin_storage(cm.StoragePins((a.key, "0" * 40)))
        assert came.done == 1 and came.failed[0].code == "not_found"
        refused = await api.evict_storage(cm.StorageEviction((a.key,)))
        assert refused.done == 0 and refused.failed[0].code == "pinned"
        assert (await api.free_storage(cm.StorageNeed(2 * SIZE))).size == SIZE
        assert [one.key for one in (await api.storage()).torrents] == [a.key]
        assert f"b (stream, {SIZE:,} bytes) left the cache" in words(api)
        assert b.key not in api.core.library.entries, "what left is remembered no more"
        assert (await api.pin_storage(cm.StoragePins(unpin=(a.key,)))).done == 1
        assert (await api.evict_storage(cm.StorageEviction((a.key,)))).done == 1
        assert (await api.storage()).torrents == ()

    run(tmp_path, work)


def test_what_is_kept_is_a_download_and_goes_where_it_was_asked_to_be(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        a = await watched(api, seed, "a")
        with api.core.library.bus.subscribe(library_events.DownloadFinished) as finished:
            kept = await api.keep_storage(cm.StorageKeeping((a.key,), str(tmp_path / "films")))
            assert kept.done == 1
            job = await api.core.jobs.wait(kept.jobs[0].id)
            assert job.state == "done", job.message
            event = await anext(finished)
            assert isinstance(event, library_events.DownloadFinished) and event.title == "a"
        assert (tmp_path / "films" / "a" / "film.mkv").stat().st_size == SIZE
        assert (await api.storage()).used == 0
        assert api.core.catalog.fresh(a.key).cache == ""
        again = await api.keep_storage(cm.StorageKeeping((a.key,)))
        assert again.failed[0].code == "not_found"

    run(tmp_path, work)


def test_a_folder_that_may_not_be_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        a = await watched(api, seed, "a")
        with pytest.raises(UsageError):
            await api.keep_storage(cm.StorageKeeping((a.key,), "/etc/films"))
        assert (await api.storage()).torrents[0].key == a.key

    run(tmp_path, work)


def test_what_is_added_again_by_a_person_is_kept_in_the_folder_they_chose(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        made = await seed.film("a")
        a = await seed.fetched(api.core.session, made)
        added = (await api.add_torrents(m.AddRequest(
            files=(made.to_bytes(),), save_path=str(tmp_path / "mine"), tags=("good",)))).added[0]
        assert added.key == a.key and not added.error
        await until((tmp_path / "mine" / "a" / "film.mkv").exists, api)
        row = api.core.catalog.fresh(a.key)
        assert (row.cache, row.tags) == ("", ("good",))

    run(tmp_path, work)


def test_the_queue_does_not_hold_up_what_is_watched_now_nor_count_it(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        never = await api.add_torrents(m.AddRequest(urls=("magnet:?xt=urn:btih:" + "1" * 40,)))
        assert not api.core.library.room()
        a = await watched(api, seed, "a")
        api.core.library.tick()
        assert a.key not in api.core.library.held
        assert api.core.library.rank(a.key) == 0 and api.core.library.rank(never.added[0].key) == 1

    run(tmp_path, work, queue__downloads=1)


def test_a_share_limit_does_not_stop_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "_SWEEP_SECONDS", 0.0)

    async def work(api: LocalApi, seed: Films) -> None:
        a = await watched(api, seed, "a")
        library = api.core.library
        for _ in range(3):
            library.tick()
            await asyncio.sleep(0)
        assert not library.entry(a.key).reached
        await api.keep_storage(cm.StorageKeeping((a.key,)))
        with library.bus.subscribe(library_events.LimitReached) as reached:
            async with asyncio.timeout(30):
                event = await anext(reached)
        assert event.torrent == a.key

    run(tmp_path, work, seeding__ratio=0.0)


def test_removing_cache_from_the_list_goes_past_the_trash_and_takes_the_files(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        a, b = await watched(api, seed, "a"), await watched(api, seed, "b")
        await api.pin_storage(cm.StoragePins((b.key,)))
        came = await api.remove_torrents(m.Removal((a.key, b.key)))
        assert came.done == 1 and [one.code for one in came.failed] == ["pinned"]
        assert (await api.trash()).torrents == ()
        assert [path.name for path in (tmp_path / "data" / "cache").glob("*/*")] == ["b"]

    run(tmp_path, work)


def test_peers_of_a_site_are_learned_and_it_stays_cache(tmp_path: Path) -> None:
    async def work(api: LocalApi, seed: Films) -> None:
        torrent = await seed.fetched(api.core.session, await seed.film("pages"), "site")
        copy = api.site_service.torrents.find(torrent.hashes)
        assert copy is not None
        await api.site_service.torrents.meet(copy, "")
        assert [one.owner for one in (await api.storage()).torrents] == ["site"]

    run(tmp_path, work)
