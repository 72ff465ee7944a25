"""Playing over a whole client: seeded content on a real disk, no media host unless a test starts one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caches import SIZE, Films, films
from cli_torrents import torrent_of, write_content
from clients import client, layers_for, until
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import contentmodels as cm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.daemon import Daemon, run_daemon
from wildbach.protocol.metainfo import Metainfo

SEASON = {
    ("Show.S01E01.mkv",): b"one" * 20_000, ("Show.S01E02.mkv",): b"two" * 20_000, ("Show.S01E02.en.srt",): b"1\n",
    ("Show.S01E03.mkv",): b"three" * 20_000, ("sample.mkv",): b"s" * 100, ("notes.txt",): b"n",
}


def index_of(torrent: Metainfo, name: str) -> int:
    return next(index for index, file in enumerate(torrent.info.files) if file.path.name == name)


@contextlib.asynccontextmanager
async def season(folder: Path, *, here: bool = True) -> AsyncIterator[tuple[LocalApi, Metainfo, str]]:
    torrent = torrent_of(SEASON, name="Show")
    if here:
        write_content(folder / "downloads" / "Show", SEASON)
    async with client(folder) as api:
        (added,) = (await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), stopped=False))).added
        if here:
            await until(lambda: api.core.catalog.fresh(added.key).complete, api)
        yield api, torrent, added.key


def test_a_season_is_shown_in_order_with_subtitles_and_what_comes_next(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path) as (api, torrent, key):
            found = await api.playables(key)
            assert [(one.name, one.label, one.extra) for one in found.files] == [
                ("Show.S01E01.mkv", "S01E01", False), ("Show.S01E02.mkv", "S01E02", False),
                ("Show.S01E03.mkv", "S01E03", False), ("sample.mkv", "", True)]
            first, second, third, sample = found.files
            assert found.best == first.index and first.next == second.index and third.next == sample.next == -1
            (text,) = second.subtitles
            assert text.language == "en" and text.path.endswith(f"/{text.index}/Show.S01E02.en.srt")
            assert second.path == f"{found.playlist.removesuffix('playlist.m3u8')}{second.index}/Show.S01E02.mkv"
            assert second.have == second.size == 60_000
            assert second.tag == torrent.info.files[second.index].root.hex()
    asyncio.run(main())


def test_how_far_one_got_outlives_a_restart_and_leads_to_the_next_episode(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path) as (api, torrent, key):
            one, two = index_of(torrent, "Show.S01E01.mkv"), index_of(torrent, "Show.S01E02.mkv")
            assert not (await api.watching(pm.WatchingQuery())).items
            await api.put_watched(pm.Watched(key, one, seconds=100.0, duration=1000.0, audio="de"))
            (begun,) = (await api.watching(pm.WatchingQuery())).items
            assert (begun.file.index, begun.fresh, begun.file.position.resume) == (one, False, 100.0)
            done = await api.put_watched(pm.Watched(key, one, seconds=960.0))
            assert done.done and done.resume == 0.0 and done.audio == "de"
        async with client(tmp_path) as api:
            await until(lambda: api.core.catalog.there(key), api)
            (fresh,) = (await api.watching(pm.WatchingQuery())).items
            assert (fresh.file.index, fresh.fresh) == (two, True)
            assert (await api.playables(key)).best == two
            # Who begins the first one again has not seen it this time.
            assert not (await api.put_watched(pm.Watched(key, one, seconds=10.0))).done
            await api.forget_watched(key)
            assert not (await api.watching(pm.WatchingQuery())).items
    asyncio.run(main())


def test_a_play_is_of_the_file_that_was_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path) as (api, torrent, key):
            for request, name in (
                (pm.PlayRequest(key), "Show.S01E01.mkv"), (pm.PlayRequest(key, name="e02"), "Show.S01E02.mkv"),
                (pm.PlayRequest(key, name="*E03*"), "Show.S01E03.mkv"),
                (pm.PlayRequest(key, index=index_of(torrent, "sample.mkv")), "sample.mkv"),
            ):
                play = await api.start_play(request)
                assert play.file is not None and play.file.name == name
                assert play.state == "complete" and set(play.pieces) == {"#"} and play.ready_until == play.file.size
                assert play.url == "" and (await api.media()).problem, "there is no media host in this process"
                assert (await api.play(play.id)).file == play.file
            for bad in (
                pm.PlayRequest(key, name="nothing like it"), pm.PlayRequest(key, index=99),
                pm.PlayRequest(key, index=index_of(torrent, "notes.txt")), pm.PlayRequest(), pm.PlayRequest("0" * 40),
                pm.PlayRequest(key, url="magnet:?"), pm.PlayRequest(url="http"),
            ):
                with pytest.raises(UsageError):
                    await api.start_play(bad)
    asyncio.run(main())


def test_of_a_torrent_that_is_added_to_be_played_only_that_is_fetched(tmp_path: Path) -> None:
    async def main() -> None:
        torrent = torrent_of(SEASON, name="Show")
        async with client(tmp_path) as api:
            play = await api.start_play(pm.PlayRequest(torrent=torrent.to_bytes(), name="E02"))
            await until(lambda: api.core.catalog.fresh(play.key).state == "downloading", api)
            play = await api.play(play.id)
            assert play.state == "waiting" and play.reason and set(play.pieces) == {"-"}
            ours = api.core.session.torrent(play.key)
            assert ours is not None
            wanted = {file.path for file in ours.files() if file.wanted}
            assert wanted == {"Show.S01E02.mkv", "Show.S01E02.en.srt"}
            assert play.following is not None and play.following.name == "Show.S01E03.mkv"
            # The next one is fetched when it is played.
            again = await api.start_play(pm.PlayRequest(play.key, index=play.following.index))
            assert again.file is not None and again.file.name == "Show.S01E03.mkv"
            assert {file.path for file in ours.files() if file.wanted} == wanted | {"Show.S01E03.mkv"}
    asyncio.run(main())


def test_a_stopped_torrent_is_started_and_a_magnet_link_says_what_it_waits_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path, here=False) as (api, _torrent, key):
            await api.act(m.Action("stop", keys=(key,)))
            await until(lambda: api.core.catalog.fresh(key).state == "stopped", api)
            await api.start_play(pm.PlayRequest(key))
            await until(lambda: api.core.catalog.fresh(key).state == "downloading", api)
            play = await api.start_play(pm.PlayRequest(url=f"magnet:?xt=urn:btih:{'ab' * 20}"))
            assert (play.state, play.file, play.url) == ("metadata", None, "") and play.reason
            assert not (await api.end_play(play.id)).removed
            with pytest.raises(UsageError, match="no such play"):
                await api.play(play.id)
    asyncio.run(main())


def test_what_is_to_go_after_it_was_seen_goes_when_all_of_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path) as (api, torrent, key):
            episodes = [index_of(torrent, f"Show.S01E0{number}.mkv") for number in (1, 2, 3)]
            for number, index in enumerate(episodes):
                play = await api.start_play(pm.PlayRequest(key, index=index, delete_after=True))
                await api.put_watched(pm.Watched(key, index, seconds=99.0, duration=100.0))
                ended = await api.end_play(play.id)
                assert ended.removed == (number == 2)
            assert not api.core.catalog.there(key) and [one.key for one in (await api.trash()).torrents] == [key]
    asyncio.run(main())


def test_without_the_wish_nothing_goes(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path) as (api, torrent, key):
            for number in (1, 2, 3):
                index = index_of(torrent, f"Show.S01E0{number}.mkv")
                play = await api.start_play(pm.PlayRequest(key, index=index))
                await api.put_watched(pm.Watched(key, index, done=True))
                assert not (await api.end_play(play.id)).removed
            assert api.core.catalog.there(key)
    asyncio.run(main())


@contextlib.asynccontextmanager
async def cinema(folder: Path, quota: int = 10 * SIZE) -> AsyncIterator[tuple[LocalApi, Films]]:
    """A seed, and a client with a cache."""
    async with asyncio.timeout(60), films(folder) as seed, client(
        folder, content__quota=quota, content__min_free=0, content__disk_percent=100,
    ) as api:
        yield api, seed


async def watch(api: LocalApi, seed: Films, made: Metainfo, **more: object) -> pm.Play:
    """Begin, and wait until the file is here."""
    request = {"torrent": made.to_bytes(), "peers": (str(seed.cached().peers[0]),), **more}
    play = await api.start_play(pm.PlayRequest(**request))  # type: ignore[arg-type]  # passed through
    async with asyncio.timeout(20):
        while play.state != "complete":
            await asyncio.sleep(0.05)
            play = await api.play(play.id)
    return play


EPISODES = {("Show.S01E01.mkv",): b"1" * SIZE, ("Show.S01E02.mkv",): b"2" * SIZE, ("Show.S01E03.mkv",): b"3" * SIZE}


def test_what_is_added_to_be_played_is_cache_that_stays_while_it_is_played(tmp_path: Path) -> None:
    async def main() -> None:
        # All of the season would not fit: what is not played takes no room.
        async with cinema(tmp_path, quota=2 * SIZE) as (api, seed):
            made = await seed.film("Show", EPISODES)
            play = await watch(api, seed, made, name="E02")
            assert (await api.playables(play.key)).cache and api.core.catalog.fresh(play.key).cache == "stream"
            assert not list((tmp_path / "downloads").glob("*")), "nothing is among the downloads"
            refused = await api.evict_storage(cm.StorageEviction((play.key,)))
            assert refused.failed[0].code == "in_use"
            # A second player has the same one, and holds it too.
            again = await api.start_play(pm.PlayRequest(torrent=made.to_bytes()))
            assert again.key == play.key and api.core.catalog.fresh(play.key).cache == "stream"
            await api.end_play(play.id)
            assert (await api.free_storage(cm.StorageNeed(SIZE))).size == 0
            await api.end_play(again.id)
            assert (await api.free_storage(cm.StorageNeed(SIZE))).size >= SIZE
            await until(lambda: play.key not in api.core.library.entries, api)
            assert not api.core.catalog.there(play.key), "what left is remembered no more"
    asyncio.run(main())


def test_what_was_played_from_the_cache_is_kept_on_demand(tmp_path: Path) -> None:
    async def main() -> None:
        async with cinema(tmp_path) as (api, seed):
            play = await watch(api, seed, await seed.film("film"))
            kept = await api.keep_storage(cm.StorageKeeping((play.key,), str(tmp_path / "downloads")))
            assert kept.done == 1 and (await api.core.jobs.wait(kept.jobs[0].id)).state == "done"
            assert (tmp_path / "downloads" / "film" / "film.mkv").stat().st_size == SIZE
            assert not (await api.playables(play.key)).cache
            await api.end_play(play.id)
            assert (await api.free_storage(cm.StorageNeed(SIZE))).size == 0 and api.core.catalog.there(play.key)
    asyncio.run(main())


def test_a_torrent_of_the_list_is_no_cache_because_it_is_played(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path) as (api, torrent, key):
            play = await api.start_play(pm.PlayRequest(torrent=torrent.to_bytes()))
            assert play.key == key and api.core.catalog.fresh(key).cache == ""
            await api.end_play(play.id)
            # Nor once it comes out of the trash for that, and all that was wanted of it still is.
            await api.remove_torrents(m.Removal(keys=(key,)))
            play = await api.start_play(pm.PlayRequest(torrent=torrent.to_bytes(), name="E02"))
            ours = api.core.session.torrent(key)
            assert play.key == key and ours is not None and ours.options.cache == ""
            assert all(file.wanted for file in ours.files())
    asyncio.run(main())


def test_cache_that_is_to_go_after_it_was_seen_goes_at_once_and_so_does_what_does_not_play(tmp_path: Path) -> None:
    async def main() -> None:
        async with cinema(tmp_path) as (api, seed):
            made = await seed.film("film")
            play = await watch(api, seed, made, delete_after=True)
            assert play.file is not None
            await api.put_watched(pm.Watched(play.key, play.file.index, done=True))
            assert (await api.end_play(play.id)).removed
            assert not api.core.catalog.there(play.key) and not (await api.trash()).torrents
            assert not list((tmp_path / "data" / "cache").glob("*"))
            # A person who removes what is played means it.
            play = await watch(api, seed, made)
            assert (await api.remove_torrents(m.Removal(keys=(play.key,)))).done == 1
            assert not api.core.catalog.there(play.key)
            with pytest.raises(UsageError, match="nothing in this torrent plays"):
                await api.start_play(pm.PlayRequest(torrent=(torrent_of({("notes.txt",): b"n"})).to_bytes()))
            await until(lambda: not api.core.session.torrents, api)
            assert not api.core.library.entries
    asyncio.run(main())


def test_a_torrent_that_runs_for_a_play_is_afterwards_as_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        async with season(tmp_path, here=False) as (api, _torrent, key):
            async def stopped() -> None:
                await api.act(m.Action("stop", keys=(key,)))
                await until(lambda: api.core.catalog.fresh(key).state == "stopped", api)

            def state() -> tuple[str, bool]:
                row = api.core.catalog.fresh(key)
                return row.state, row.forced

            await stopped()
            first, second = await api.start_play(pm.PlayRequest(key)), await api.start_play(pm.PlayRequest(key))
            await until(lambda: state() == ("downloading", True), api)
            await api.end_play(first.id)
            await asyncio.sleep(0)
            assert state() == ("downloading", True), "somebody still plays it"
            await api.end_play(second.id)
            await until(lambda: state() == ("stopped", False), api)
            # What a person says meanwhile holds.
            play = await api.start_play(pm.PlayRequest(key))
            await api.act(m.Action("start", keys=(key,)))
            assert not api.core.catalog.fresh(key).forced
            await api.end_play(play.id)
            await until(lambda: api.core.library.entry(key).lent is None and state() == ("downloading", False), api)
            await stopped()
            await api.start_play(pm.PlayRequest(key))
            await until(lambda: state() == ("downloading", True), api)
        # A play does not outlive the daemon, and what ran for it does not run on.
        async with client(tmp_path) as api:
            await until(lambda: state() == ("stopped", False), api)
    asyncio.run(main())


@contextlib.asynccontextmanager
async def daemon(folder: Path, **settings: object) -> AsyncIterator[tuple[Daemon, str]]:
    torrent = torrent_of(SEASON, name="Show")
    write_content(folder / "downloads" / "Show", SEASON)
    layers = layers_for(folder, api__listen=["127.0.0.1:0"], **settings)
    async with run_daemon(layers, folder / "state", environ={}) as running:
        await running.loaded.wait()
        (added,) = (await running.api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), stopped=False))).added
        await until(lambda: running.api.core.catalog.fresh(added.key).complete, running.api)
        yield running, added.key


async def status_of(url: str) -> int:
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.rpartition(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert name
    return int(answer.split()[1])


def test_links_work_until_there_are_others_and_for_nothing_in_the_trash(tmp_path: Path) -> None:
    async def main() -> None:
        async with daemon(tmp_path) as (running, key):
            api = running.api
            play = await api.start_play(pm.PlayRequest(key))
            for url in (play.url, play.browser_url, play.playlist):
                assert await status_of(url) == 200
            found = await api.renew_media_token(key)
            assert await status_of(play.url) == 404
            new = (await api.play(play.id)).url
            assert new == found.media.near + found.files[0].path and await status_of(new) == 200
            await api.remove_torrents(m.Removal(keys=(key,)))
            assert await status_of(new) == 404
    asyncio.run(main())


def test_the_switch_for_other_machines_holds_at_once_and_is_remembered(tmp_path: Path) -> None:
    async def main() -> None:
        async with daemon(tmp_path) as (running, key):
            api = running.api
            play = await api.start_play(pm.PlayRequest(key))
            assert not play.away_url and not (await api.media()).lan
            on = await api.change_media(pm.MediaPatch(lan=True))
            assert on.lan and on.away and on.port == running.media.port
            shown = await api.play(play.id)
            assert shown.away_url.startswith(on.away) and (await api.change_media(pm.MediaPatch())) == on
            assert (await api.settings()).values["media.lan"] is True
            off = await api.change_media(pm.MediaPatch(lan=False))
            assert not off.lan and not off.away and not (await api.play(play.id)).away_url
    asyncio.run(main())
