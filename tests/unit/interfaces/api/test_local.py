"""The Api in the process that has the session, against a real disk and real sockets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cli_torrents import torrent_of
from clients import client, seed_content, until
from wildbach.base.errors import UsageError
from wildbach.disk.database import Database
from wildbach.disk.layout import Layout
from wildbach.disk.moving import layout_to_json
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import LocalApi


def run(work: object) -> None:
    asyncio.run(work)  # type: ignore[arg-type]  # a coroutine


async def add(api: LocalApi, *torrents: object, **more: object) -> list[str]:
    result = await api.add_torrents(m.AddRequest(
        files=tuple(t.to_bytes() for t in torrents), **more))  # type: ignore[attr-defined, arg-type]  # torrents
    assert all(not one.error or one.duplicate for one in result.added), result
    return [one.key for one in result.added]


async def rows(api: LocalApi, **listing: object) -> list[m.TorrentRow]:
    page = await api.list_torrents(m.Listing(**listing))  # type: ignore[arg-type]  # passed through
    assert page.total >= len(page.torrents)
    return list(page.torrents)


def test_what_is_added_is_in_the_list_when_the_answer_comes_and_seeds_what_is_on_the_disk(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent, tags=("a", "b"))
            assert (await api.torrent(key)).row.name == "things"
            assert [row.key for row in await rows(api)] == [key]
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            row = api.core.catalog.fresh(key)
            assert row.state == "seeding" and row.progress == 1 and row.content_path.endswith("downloads/things")
            assert row.completed_at and row.added_at and row.downloaded == 0 and row.tags == ("a", "b")
            again = await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), urls=("nonsense",)))
            assert [one.code for one in again.added] == ["duplicate", "usage_error"]

    run(work())


def test_a_category_that_is_new_is_made_and_its_torrents_go_below_the_usual_folder(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent_of(), category="linux/iso")
            assert api.core.catalog.fresh(key).save_path == str(tmp_path / "downloads" / "linux" / "iso")
            assert [one.name for one in (await api.categories()).categories] == ["linux", "linux/iso"]

    run(work())


def test_all_of_it_is_there_after_the_next_start(tmp_path: Path) -> None:
    async def first() -> str:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            await api.put_category(m.Category("films", save_path=str(tmp_path / "films")))
            await api.add_tags(m.Names(("seen",)))
            (key,) = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            await api.change_torrent(key, m.TorrentPatch(
                category="films", add_tags=("seen", "good"), ratio_limit=2.5, name="My things", down_limit=5000,
                sequential=True))
            await api.act(m.Action("stop", (key,)))
            await until(lambda: api.core.catalog.fresh(key).state == "stopped", api)
            await api.change_settings(m.SettingsPatch({"queue.downloads": 7, "rates.up": 12345}))
            return key

    async def second(key: str) -> None:
        async with client(tmp_path) as api:
            row = (await rows(api))[0]
            assert (row.key, row.name, row.category, row.tags) == (key, "My things", "films", ("seen", "good"))
            assert (row.ratio_limit, row.down_limit, row.sequential) == (2.5, 5000, True)
            assert row.state == "stopped" and row.complete and row.progress == 1.0
            assert (await api.tags()).names == ("good", "seen")
            assert (await api.categories()).categories[0].save_path == str(tmp_path / "films")
            await api.act(m.Action("start", (key,)))
            await until(lambda: api.core.catalog.fresh(key).state == "seeding", api)

    key = asyncio.run(first())
    run(second(key))


def test_the_queue_lets_some_download_and_shows_who_waits(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path, queue__downloads=1) as api:
            one, two, three = await add(api, *(torrent_of(name=name) for name in ("one", "two", "three")))

            def states() -> list[str]:
                return [api.core.catalog.fresh(key).state for key in (one, two, three)]

            await until(lambda: states() == ["downloading", "queued", "queued"], api)
            assert [api.core.catalog.fresh(key).place for key in (one, two, three)] == [1, 2, 3]
            await api.act(m.Action("top", (three,)))
            await until(lambda: states() == ["queued", "queued", "downloading"], api)
            await api.act(m.Action("force_start", (one,)))
            await until(lambda: states() == ["downloading", "queued", "downloading"], api)
            await api.act(m.Action("stop", (three,)))
            await until(lambda: states() == ["downloading", "downloading", "stopped"], api)
            found = await rows(api, state=("stopped",))
            assert [row.key for row in found] == [three]

    run(work())


def test_those_that_wait_already_are_not_paused_again_with_each_look_at_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        async with client(tmp_path, queue__downloads=1) as api:
            keys = await add(api, *(torrent_of(name=f"t{number}") for number in range(5)))
            await until(lambda: [api.core.catalog.fresh(key).state for key in keys].count("queued") == 4, api)
            paused: list[str] = []
            pause = Torrent.pause

            async def counting(self: Torrent) -> None:
                paused.append(self.key)
                await pause(self)

            monkeypatch.setattr(Torrent, "pause", counting)
            for _ in range(3):
                await api.act(m.Action("start", keys=tuple(keys)))
            await api.act(m.Action("stop", keys=(keys[0],)))
            await until(lambda: api.core.catalog.fresh(keys[1]).state == "downloading", api)
            assert paused == [keys[0]]

    run(work())


def test_a_torrent_that_was_stopped_is_checked_and_stands_still_again(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent, stopped=True)
            await api.act(m.Action("recheck", keys=(key,)))
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            await until(lambda: api.core.catalog.fresh(key).state == "stopped", api)
            inner = api.core.session.torrent(key)
            assert inner is not None
            await until(lambda: inner.state is State.PAUSED, api)

    run(work())


def test_removed_torrents_come_back_from_the_trash_also_after_a_restart(tmp_path: Path) -> None:
    async def first() -> str:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            before = (await api.list_torrents(m.Listing())).revision
            await api.remove_torrents(m.Removal((key,), files=True))
            assert await rows(api) == []
            assert (await api.changes(m.Since(before))).removed == (key,)
            with pytest.raises(UsageError) as error:
                await api.torrent(key)
            assert error.value.code == "not_found"
            return key

    async def second(key: str) -> None:
        async with client(tmp_path) as api:
            assert await rows(api) == []
            assert [one.key for one in (await api.trash()).torrents] == [key]
            await api.restore(m.Selection((key,)))
            await until(lambda: bool(api.core.catalog.there(key)) and
                        api.core.catalog.fresh(key).state == "seeding", api)
            assert (tmp_path / "downloads" / "things" / "a.bin").exists()
            await api.remove_torrents(m.Removal((key,), files=True, now=True))
            assert not (tmp_path / "downloads" / "things").exists()
            assert (await api.trash()).torrents == ()

    key = asyncio.run(first())
    run(second(key))


def test_what_is_restored_and_emptied_at_once_ends_in_one_of_both(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            keys = await add(api, *(torrent_of(name=f"t{number}") for number in range(8)), stopped=True)
            await api.remove_torrents(m.Removal(tuple(keys)))
            everything = m.Selection(all=True)
            outcomes = await asyncio.gather(
                api.empty_trash(everything), api.restore(everything), api.empty_trash(everything),
                api.restore(everything))
            left = {row.key for row in await rows(api)}
            assert not (await api.trash()).torrents
            assert sum(outcome.done for outcome in outcomes) == len(keys)
            assert outcomes[1].done + outcomes[3].done == len(left)

    run(work())


def test_a_wall_clock_that_is_put_forward_does_not_empty_the_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            library = api.core.library
            before, after = await add(api, torrent_of(name="before"), torrent_of(name="after"), stopped=True)
            await api.remove_torrents(m.Removal((before,)))
            years = 10 * 365 * 86_400
            monkeypatch.setattr(library, "_wall", lambda: time.time() + years)
            assert not library.overdue(before)
            await api.remove_torrents(m.Removal((after,)))
            monkeypatch.setattr(library, "_clock", lambda: asyncio.get_running_loop().time() + 73 * 3600)
            assert library.overdue(before) and library.overdue(after)

    run(work())


def test_one_torrent_that_is_added_by_several_at_once_is_added_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            torrent = torrent_of().to_bytes()
            results = await asyncio.gather(*(
                api.add_torrents(m.AddRequest(files=(torrent,), category=f"c{number}", stopped=True))
                for number in range(5)))
            added = [number for number, result in enumerate(results) if not result.added[0].duplicate]
            (row,) = await rows(api)
            assert [f"c{number}" for number in added] == [row.category]

    run(work())


def test_changes_since_a_revision_are_rows_and_what_went(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            page = await api.list_torrents(m.Listing())
            keys = await add(api, torrent_of(name="one"), torrent_of(name="two"))
            changes = await api.changes(m.Since(page.revision))
            assert {row.key for row in changes.changed} == set(keys) and not changes.full
            await api.change_torrent(keys[0], m.TorrentPatch(add_tags=("x",)))
            again = await api.changes(m.Since(changes.revision))
            assert keys[0] in {row.key for row in again.changed}
            assert (await api.changes(m.Since(1 << 40))).full
            little = await api.changes(m.Since(page.revision, limit=1))
            assert little.more and len(little.changed) == 1

    run(work())


def test_paths_outside_the_allowed_folders_are_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            for path in ("/etc", str(tmp_path / ".." / "else"), "relative", "~/.ssh"):
                with pytest.raises(UsageError):
                    await add(api, torrent_of(), save_path=path)
                with pytest.raises(UsageError):
                    await api.folder(m.FolderQuery(path))
            (tmp_path / "out").symlink_to("/etc")
            with pytest.raises(UsageError):
                await add(api, torrent_of(), save_path=str(tmp_path / "out"))
            assert await rows(api) == []

    run(work())


def test_a_torrent_with_the_name_of_a_hidden_folder_does_not_get_into_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    async def work() -> None:
        async with client(tmp_path) as api:
            with pytest.raises(UsageError):
                await add(api, torrent_of(name=".ssh"), save_path="~")
            with pytest.raises(UsageError):
                await api.create_torrent(m.CreateRequest("~"))
            assert (await api.folder(m.FolderQuery("~"))).path == str(tmp_path)

    run(work())


@pytest.mark.parametrize("path", ["../../etc", "sub/../../../etc", "~nobody-of-this-name/x"])
def test_the_folder_of_a_category_does_not_lead_out_of_the_allowed_ones(path: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            with pytest.raises(UsageError):
                await api.put_category(m.Category("c", path))
            with pytest.raises(UsageError):
                await api.put_category(m.Category("c", "", path))
            assert not (await api.categories()).categories
            await api.put_category(m.Category("c", "below"))
            (key,) = await add(api, torrent_of(), category="c")
            assert api.core.catalog.fresh(key).save_path == str(tmp_path / "downloads" / "below")

    run(work())


def test_no_torrent_gets_where_the_state_or_the_configuration_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a container, where all of /config may be used: a torrent called config.toml would else set `hooks`."""
    config = tmp_path / "config"
    monkeypatch.setenv("WILDBACH_CONFIG", str(config / "config.toml"))
    (tmp_path / "link").symlink_to(config)

    async def work() -> None:
        async with client(tmp_path) as api:
            for path in (config, config / "config.toml", tmp_path, tmp_path / "data", tmp_path / "data" / "x",
                         tmp_path / "folders", tmp_path / "link"):
                at = str(path)
                for attempt in (
                    add(api, torrent_of(), save_path=at), add(api, torrent_of(), incomplete_path=at),
                    api.put_category(m.Category("c", at)), api.put_category(m.Category("c", "", at)),
                    api.change_settings(m.SettingsPatch({"downloads.folder": at})),
                    api.change_settings(m.SettingsPatch({"downloads.incomplete_folder": at})),
                    api.change_settings(m.SettingsPatch({"downloads.watch": [at + "=c"]})),
                    api.move_torrents(m.Move(at, all=True)), api.create_torrent(m.CreateRequest(at)),
                ):
                    with pytest.raises(UsageError) as error:
                        await attempt
                    assert error.value.code == "forbidden_path", path
            # Beside them is fine.
            (key,) = await add(api, torrent_of(), save_path=str(config / "downloads"))
            assert api.core.catalog.fresh(key).save_path == str(config / "downloads")

    run(work())


def test_the_usual_folder_is_not_where_the_configuration_file_is_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WILDBACH_CONFIG", str(tmp_path / "downloads" / "config.toml"))

    async def work() -> None:
        async with client(tmp_path) as api:
            (added,) = (await api.add_torrents(m.AddRequest(files=(torrent_of().to_bytes(),)))).added
            assert added.code == "forbidden_path" and str(tmp_path / "downloads" / "config.toml") in added.error
        async with client(tmp_path, downloads__folder=str(tmp_path / "d"), downloads__incomplete_folder=str(
                tmp_path / "downloads")) as api:
            (added,) = (await api.add_torrents(m.AddRequest(files=(torrent_of().to_bytes(),)))).added
            assert added.code == "forbidden_path"
            assert await rows(api) == []

    run(work())


def test_addresses_where_clouds_keep_their_secrets_are_fetched_for_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            (added,) = (await api.add_torrents(m.AddRequest(urls=("http://169.254.169.254/x.torrent",)))).added
            assert added.code == "forbidden_url"
            await api.add_feed(m.FeedRequest("f", "http://[fe80::1]/rss"))
            await until(lambda: bool(api.feed_service.feeds()[0].failure), api)
            assert "nobody should connect to" in api.feed_service.feeds()[0].failure

    run(work())


def test_settings_do_not_lead_out_of_the_allowed_folders(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            for values in (
                {"downloads.folder": "/etc"}, {"downloads.incomplete_folder": "/etc"}, {"downloads.watch": ["/etc=x"]},
                {"downloads.allowed": ["/"]}, {"downloads": {"folder": "relative"}},
            ):
                with pytest.raises(UsageError):
                    await api.change_settings(m.SettingsPatch(values))
            assert api.core.settings.downloads.folder == tmp_path / "downloads"
            inside = str(tmp_path / "inside")
            await api.change_settings(m.SettingsPatch({
                "downloads.folder": inside, "downloads.incomplete_folder": inside + "/part",
                "downloads.watch": [inside + "/watch=c"]}))
            assert str(api.core.settings.downloads.folder) == inside

    run(work())


@pytest.mark.parametrize("values", [
    {"network.proxy": "nonsense"}, {"network.dns": ["nonsense"]}, {"network.call_ports": "nonsense"},
    {"api.listen": ["nonsense"]}, {"dht.bootstrap": ["nonsense"]}, {"api.tls_certificate": "/nowhere.pem"},
    {"filter.sources": ["/nowhere.p2p"]},
])
def test_what_could_not_be_started_with_is_not_saved(values: dict[str, object], tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            with pytest.raises(UsageError):
                await api.change_settings(m.SettingsPatch(values))
            assert api.core.choices.layers.saved == {}

    run(work())


def test_settings_that_are_live_hold_at_once_and_others_say_that_they_wait(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            view = await api.change_settings(m.SettingsPatch({"rates.down": 1000, "network.interface": "tun7"}))
            assert view.restart == ("network.interface",) and view.values["rates.down"] == 1000
            assert api.core.session.settings.rates.down == 1000
            await api.set_slow_mode(m.SlowMode(True))
            assert (await api.transfer()).down_limit == api.core.settings.slow_mode.down
            await api.set_limits(m.RateLimits(down=77))
            assert (await api.transfer()).down_limit == 77
            await api.set_slow_mode(m.SlowMode())
            assert (await api.transfer()).down_limit == 1000
            with pytest.raises(UsageError):
                await api.change_settings(m.SettingsPatch({"rates.down": 1, "queue.downloads": "many"}))
            assert api.core.session.settings.rates.down == 1000
            await api.change_settings(m.SettingsPatch({"rates.down": None}))
            assert api.core.session.settings.rates.down == 0

    run(work())


def test_a_torrent_is_made_of_a_folder_and_seeded(tmp_path: Path) -> None:
    async def work() -> None:
        seed_content(tmp_path)
        async with client(tmp_path) as api:
            job = await api.create_torrent(m.CreateRequest(str(tmp_path / "downloads" / "things"), seed=True))
            done = await api.core.jobs.wait(job.id)
            assert done.state == "done", done
            assert (await api.created_file(job.id)).startswith(b"d")
            await until(lambda: api.core.catalog.fresh(done.result["key"]).state == "seeding", api)

    run(work())


def test_a_torrent_moves_with_its_files_when_its_category_does(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            await api.put_category(m.Category("here", save_path=str(tmp_path / "here")))
            await api.change_torrent(key, m.TorrentPatch(auto=True, category="here"))
            await until((tmp_path / "here" / "things" / "a.bin").exists, api)
            await until(lambda: api.core.catalog.fresh(key).save_path == str(tmp_path / "here"), api)
            assert api.core.catalog.fresh(key).state == "seeding"

    run(work())


def test_files_are_named_as_they_lie_on_the_disk_also_when_they_get_other_names(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).complete, api)

            async def names() -> set[str]:
                return {row.path for row in (await api.files(key, m.FileListing())).files}

            assert "things/sub/b.txt" in await names()
            assert {row.path for row in (await api.files(key, m.FileListing(under="things/sub"))).files} == {
                "things/sub/b.txt", "things/sub/ü 日本.bin"}
            await api.rename(key, m.Rename("things/a.bin", "things/one.bin"))
            await api.rename(key, m.Rename("things/sub", "things/other"))
            assert await names() == {"things/one.bin", "things/other/b.txt", "things/other/ü 日本.bin", "things/zero"}
            for name in await names():
                assert (tmp_path / "downloads" / name).is_file()
            assert api.core.catalog.fresh(key).content_path == str(tmp_path / "downloads" / "things")
            await api.rename(key, m.Rename("things", "all"))
            assert api.core.catalog.fresh(key).content_path == str(tmp_path / "downloads" / "all")
            assert (tmp_path / "downloads" / "all" / "other" / "b.txt").is_file()

    run(work())


def test_files_are_wanted_by_name_also_of_a_magnet_link_and_a_name_of_none_is_an_error(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            data = torrent_of().to_bytes()
            (refused,) = (await api.add_torrents(m.AddRequest(files=(data,), wanted=("*.mkv",)))).added
            assert refused.key == "" and "'*.mkv' names no file" in refused.error
            (added,) = (await api.add_torrents(m.AddRequest(files=(data,), wanted=("sub", "3")))).added
            page = await api.files(added.key, m.FileListing())
            assert [one.index for one in page.files if one.priority] == [1, 2, 3]

    run(work())


def test_a_place_in_the_queue_can_be_given(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path, queue__downloads=1) as api:
            keys = await add(api, *(torrent_of(name=name) for name in ("one", "two", "three", "four")))

            def order() -> list[int]:
                places = [api.core.catalog.fresh(key).place for key in keys]
                return [places.index(place) + 1 for place in range(1, 5)]

            await api.act(m.Action("place", (keys[3],), place=2))
            assert order() == [1, 4, 2, 3]
            await api.act(m.Action("place", (keys[0], keys[1]), place=100))
            assert order() == [4, 3, 1, 2]

    run(work())


def test_a_magnet_link_has_the_name_that_it_says_and_without_one_its_hash(tmp_path: Path) -> None:
    named, bare = "ab" * 20, "cd" * 20

    async def work(first: bool) -> None:
        async with client(tmp_path) as api:
            if first:
                await api.add_torrents(m.AddRequest((f"magnet:?xt=urn:btih:{named}&dn=later", bare)))
            assert {row.key: row.name for row in await rows(api)} == {named: "later", bare: bare}

    run(work(True))
    run(work(False))


def test_a_row_tells_of_a_change_at_once_also_of_a_torrent_that_was_never_opened(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            stopped, running = await add(api, torrent_of(name="one"), stopped=True) + await add(api, torrent_of())
            await until(lambda: api.core.catalog.fresh(running).state == "downloading", api)
            for key in (stopped, running):
                await api.set_priorities(key, m.FilePriorities({"0": 0}))
                await api.change_torrent(key, m.TorrentPatch(down_limit=5000))
            for row in await rows(api):
                assert (row.wanted, row.down_limit) == (40_006, 5000), row.key

    run(work())


def test_the_beginning_of_a_hash_finds_a_torrent_from_four_characters_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            torrent = torrent_of(name="zzz")
            key, _ = await add(api, torrent, torrent_of(name="yyy"))
            assert torrent.info.hashes.v2 is not None
            for word in (key[:4], key[:20].upper(), key, torrent.info.hashes.v2.hex()[:8]):
                assert [one.key for one in await rows(api, search=word)] == [key], word
            assert await rows(api, search=key[:3]) == []

    run(work())


def test_a_torrent_that_was_added_stopped_moves_and_has_its_files_renamed_and_stands_still(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent, stopped=True)
            path = (await api.files(key, m.FileListing())).files[0].path
            await api.rename(key, m.Rename(path, "things/other name"))
            assert (await api.files(key, m.FileListing())).files[0].path == "things/other name"
            await api.move_torrents(m.Move(str(tmp_path / "there"), (key,)))
            await until(lambda: api.core.catalog.fresh(key).save_path == str(tmp_path / "there"), api)
            assert api.core.catalog.fresh(key).state == "stopped"
            await api.act(m.Action("start", (key,)))
            await until(lambda: api.core.catalog.fresh(key).state == "seeding", api)

    run(work())


def test_a_magnet_link_has_its_name_at_once_and_after_a_restart_or_else_its_key(tmp_path: Path) -> None:
    links = ("magnet:?xt=urn:btih:" + "1" * 40 + "&dn=A%20name", "2" * 40)

    async def names() -> list[str]:
        async with client(tmp_path) as api:
            await api.add_torrents(m.AddRequest(urls=links))
            await api.act(m.Action("stop", all=True))
            return [row.name for row in await rows(api, sort="key")]

    assert asyncio.run(names()) == asyncio.run(names()) == ["A name", "2" * 40]


def test_a_move_that_cannot_be_leaves_the_torrent_where_it_was_and_another_one_can(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            (key,) = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            (tmp_path / "file").write_text("no folder")
            half = tmp_path / "half"
            # The second file's folder is in the way, after the first file has moved.
            (half / "things").mkdir(parents=True)
            (half / "things" / "sub").write_text("in the way")
            for target in (tmp_path / "file", half):
                jobs = await api.move_torrents(m.Move(str(target), (key,)))
                done = await api.core.jobs.wait(jobs.jobs[0].id)
                assert done.state == "failed" and done.message, done
                row = api.core.catalog.fresh(key)
                assert (row.save_path, row.state) == (str(tmp_path / "downloads"), "seeding"), (target, row)
                assert (tmp_path / "downloads" / "things" / "a.bin").is_file()
            jobs = await api.move_torrents(m.Move(str(tmp_path / "good"), (key,)))
            assert (await api.core.jobs.wait(jobs.jobs[0].id)).state == "done"
            assert (tmp_path / "good" / "things" / "sub" / "b.txt").is_file()
            assert api.core.catalog.fresh(key).save_path == str(tmp_path / "good")

    run(work())


def test_a_move_that_was_cut_off_goes_on_at_the_next_start_also_of_a_complete_torrent(tmp_path: Path) -> None:
    async def seed() -> str:
        async with client(tmp_path) as api:
            (key,) = await add(api, seed_content(tmp_path))
            await until(lambda: api.core.catalog.fresh(key).state == "seeding", api)
            return key

    async def look(key: str) -> None:
        async with client(tmp_path) as api:
            await until(lambda: not (tmp_path / "downloads" / "things").exists(), api)
            assert (tmp_path / "other" / "things").is_dir()
            assert api.core.catalog.fresh(key).content_path == str(tmp_path / "other" / "things")

    key = asyncio.run(seed())
    # As a kill right after the move was written down leaves it.
    store = Database(tmp_path / "data" / "state.db")
    record = store.load(key)
    assert record is not None and record.progress.complete
    record.moving = layout_to_json(Layout(record.save_path, record.layout, dict(record.renames), record.suffix))
    record.save_path = str(tmp_path / "other")
    store.save(record)
    store.close()
    asyncio.run(look(key))


@pytest.mark.parametrize("stopped", [False, True])
def test_a_torrent_follows_files_that_were_moved_by_somebody_else(tmp_path: Path, stopped: bool) -> None:
    """Nothing is moved: what is there is hashed, and what is not is missing."""
    async def work() -> None:
        async with client(tmp_path, queue__enabled=False) as api:
            (key,) = await add(api, seed_content(tmp_path), tags=("t",))
            await until(lambda: api.core.catalog.fresh(key).state == "seeding", api)
            if stopped:
                await api.act(m.Action("stop", (key,)))
                await until(lambda: api.core.catalog.fresh(key).state == "stopped", api)
            (tmp_path / "downloads").rename(tmp_path / "else")
            (tmp_path / "downloads").mkdir()
            (tmp_path / "else" / "things" / "sub" / "b.txt").write_text("other\n")
            jobs = await api.move_torrents(m.Move(str(tmp_path / "else"), (key,), look=True))
            await until(lambda: all(one.state != "running" for one in api.core.jobs.views()), api)
            assert [one.state for one in api.core.jobs.views()] == ["done"], jobs
            await until(lambda: api.core.catalog.fresh(key).save_path == str(tmp_path / "else"), api)
            if stopped:
                assert api.core.catalog.fresh(key).state == "stopped"
                await api.act(m.Action("start", (key,)))
            await until(lambda: api.core.catalog.fresh(key).state in ("downloading", "stalled"), api)
            row = api.core.catalog.fresh(key)
            assert 0 < row.progress < 1 and row.tags == ("t",)
            assert not list((tmp_path / "downloads").iterdir()), "nothing is made at the old place"
            with pytest.raises(UsageError):
                await api.move_torrents(m.Move("/etc", (key,), look=True))
        async with client(tmp_path) as api:
            assert api.core.catalog.fresh(key).save_path == str(tmp_path / "else")

    run(work())
