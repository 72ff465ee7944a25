"""Torrents that are looked into before they are added."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cli_torrents import torrent_of
from clients import client, seed_content, until
from daemons import House
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import previewing
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.api.previewing import MOST
from wildbach.interfaces.client import connect
from wildbach.interfaces.whereabouts import local_token
from wildbach.protocol.metainfo import Magnet, Metainfo


def run(work: object) -> None:
    asyncio.run(work)  # type: ignore[arg-type]  # a coroutine


async def ready(api: LocalApi, id: str) -> m.Preview:
    async with asyncio.timeout(20):
        while (found := await api.previewed(id)).state == "metadata":
            await asyncio.sleep(0.02)
    return found


async def seeding(api: LocalApi, torrent: Metainfo) -> str:
    """A magnet link with the address of the seed."""
    (added,) = (await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),)))).added
    await until(lambda: api.core.catalog.fresh(added.key).complete, api)
    (at,) = {endpoint.port for endpoint in api.core.session.listening}
    return Magnet(torrent.info.hashes, "a link", peers=(("127.0.0.1", at),)).to_uri()


def test_the_files_of_a_magnet_link_are_seen_before_anything_is_in_the_list(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path / "seed")
        async with client(tmp_path / "seed") as seed, client(tmp_path / "here") as api:
            link = await seeding(seed, torrent)
            first = await api.preview(m.PreviewRequest(link))
            assert (first.state, first.name, first.key) == ("metadata", "a link", torrent.info.hashes.key)
            found = await ready(api, first.id)
            assert (found.state, found.name, found.size, found.files) == ("ready", "things", torrent.info.size, 4)
            tree = await api.preview_tree(first.id, m.TreeQuery("things"))
            assert [one.name for one in tree.entries] == ["sub", "a.bin", "zero"]
            assert (await api.list_torrents(m.Listing())).total == 0 and not api.core.session.torrents
            assert not list((tmp_path / "here").rglob("a.bin"))

    run(work())


def test_what_was_looked_into_is_added_with_the_chosen_files_and_from_the_same_peers(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path / "seed")
        async with client(tmp_path / "seed") as seed, client(tmp_path / "here") as api:
            look = await api.preview(m.PreviewRequest(await seeding(seed, torrent)))
            await ready(api, look.id)
            (added,) = (await api.add_torrents(m.AddRequest(
                preview=look.id, paths={"": 0, "things/sub": 1, "things/sub/b.txt": 7}))).added
            assert not added.error and added.name == "things"
            await until(lambda: api.core.catalog.fresh(added.key).complete, api)
            downloads = (tmp_path / "here" / "downloads").rglob("*")
            there = sorted(path.name for path in downloads if path.is_file() and path.stat().st_size)
            assert there == ["b.txt", "ü 日本.bin"]
            rows = {row.name: row.priority for row in (await api.tree(added.key, m.TreeQuery("things/sub"))).entries}
            assert rows == {"b.txt": 7, "ü 日本.bin": 1}
            with pytest.raises(UsageError, match="no such preview"):
                await api.previewed(look.id)

    run(work())


def test_a_file_is_seen_at_once_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = torrent_of(trackers=[["http://t.example/announce"]], private=True)
        async with client(tmp_path) as api:
            found = await api.preview(m.PreviewRequest(file=torrent.to_bytes()))
            assert (found.state, found.private, found.duplicate) == ("ready", True, False)
            assert found.trackers == ("http://t.example/announce",)
            await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), stopped=True))
            assert (await api.previewed(found.id)).duplicate
            for bad in (m.PreviewRequest(), m.PreviewRequest("x", b"y"), m.PreviewRequest(file=b"d3:fooe")):
                with pytest.raises(Exception, match=r"one url or one file|torrent|foo|bencode"):
                    await api.preview(bad)

    run(work())


def test_why_one_failed_is_said_and_adding_it_says_the_same(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            look = await api.preview(m.PreviewRequest("nonsense"))
            found = await ready(api, look.id)
            assert found.state == "failed" and "neither a magnet link" in found.error
            with pytest.raises(UsageError, match="neither a magnet link"):
                await api.add_torrents(m.AddRequest(preview=look.id))

    run(work())


def test_what_nobody_has_is_waited_for_until_the_preview_ends(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            look = await api.preview(m.PreviewRequest("11" * 20))
            fetcher = await fetching(api)
            assert (await api.previewed(look.id)).state == "metadata"
            with pytest.raises(UsageError, match="not here yet"):
                await api.preview_tree(look.id, m.TreeQuery())
            await api.end_preview(look.id)
            await fetcher.idle.wait()
            assert api.looks.fetcher is None and len(api.looks.found) == 0

    run(work())


def test_there_is_an_end_to_how_many(tmp_path: Path) -> None:
    async def work() -> None:
        data = torrent_of().to_bytes()
        async with client(tmp_path) as api:
            for _ in range(MOST):
                await api.preview(m.PreviewRequest(file=data))
            with pytest.raises(UsageError, match="already"):
                await api.preview(m.PreviewRequest(file=data))

    run(work())


def test_what_nobody_asks_for_goes_and_fetches_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previewing, "UNASKED_SECONDS", 0.05)

    async def work() -> None:
        async with client(tmp_path) as api:
            look = await api.preview(m.PreviewRequest("11" * 20))
            fetcher = await fetching(api)
            await fetcher.idle.wait()
            assert api.looks.fetcher is None and len(api.looks.found) == 0
            with pytest.raises(UsageError, match="no such preview"):
                await api.previewed(look.id)

    run(work())


async def fetching(api: LocalApi) -> previewing.Fetcher:
    while (fetcher := api.looks.fetcher) is None:
        await asyncio.sleep(0)
    await fetcher.ready
    return fetcher


def test_the_trackers_of_a_link_are_those_of_a_private_torrent_and_its_peers_are_not(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path / "seed", private=True)
        async with client(tmp_path / "seed") as seed, client(tmp_path / "here") as api:
            tracker = "http://127.0.0.1:9/announce"
            link = f"{await seeding(seed, torrent)}&tr={tracker}&so=0"
            look = await api.preview(m.PreviewRequest(link))
            found = await ready(api, look.id)
            assert found.private and found.trackers == (tracker,)
            (added,) = (await api.add_torrents(m.AddRequest(preview=look.id, stopped=True))).added
            detail = await api.torrent(added.key)
            assert detail.tracker_tiers == ((tracker,),) and detail.known_peers == 0
            assert Metainfo.parse(await api.export(added.key)).trackers == ((tracker,),)
            chosen = [one for one in (await api.files(added.key, m.FileListing())).files if one.priority]
            assert [one.index for one in chosen] == [0]

    run(work())


def test_a_link_is_added_before_its_metadata_is_here(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = torrent_of()
        async with client(tmp_path) as api:
            link = Magnet(torrent.info.hashes, "a link").to_uri()
            look = await api.preview(m.PreviewRequest(link))
            await fetching(api)
            (added,) = (await api.add_torrents(m.AddRequest(preview=look.id, stopped=True))).added
            assert added.key == torrent.info.hashes.key and not added.error
            with pytest.raises(UsageError, match="neither a url nor a file"):
                await api.add_torrents(m.AddRequest(preview=look.id, urls=(link,)))

    run(work())


def test_whom_the_client_bans_metadata_is_not_fetched_from_and_settings_follow(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            await api.preview(m.PreviewRequest("11" * 20))
            session = await (await fetching(api)).ready
            assert not session.shuns("192.0.2.7")
            await api.change_bans(m.BanChange(("192.0.2.7",)))
            assert session.shuns("192.0.2.7") and not session.shuns("192.0.2.8")
            await api.change_settings(m.SettingsPatch({"peers.encryption": "require"}))
            assert session.settings.peers.encryption == "require"
            assert session.settings.connections.listen == ("127.0.0.1:0",)

    run(work())


def test_a_client_that_closes_ends_what_it_looks_into(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            for number in range(3):
                await api.preview(m.PreviewRequest(f"{number:02}" * 20))
            await fetching(api)
        async with client(tmp_path) as api:
            assert (await api.list_torrents(m.Listing())).total == 0 and len(api.looks.found) == 0

    run(work())
    assert "internal error" not in caplog.text


def test_all_of_it_is_the_same_over_http(tmp_path: Path) -> None:
    torrent = torrent_of()
    house = House(tmp_path)
    with house.open() as there:
        async def work() -> None:
            token = local_token(there.state / "daemon")
            async with connect(f"unix:{there.state / 'daemon' / 'api.sock'}", token=token) as api:
                look = await api.preview(m.PreviewRequest(file=torrent.to_bytes()))
                assert look.state == "ready" and look.files == 4
                tree = await api.preview_tree(look.id, m.TreeQuery("things", limit=2))
                assert ([one.name for one in tree.entries], tree.total) == (["sub", "a.bin"], 3)
                (added,) = (await api.add_torrents(m.AddRequest(
                    preview=look.id, stopped=True, paths={"": 0, "things/sub": 6}))).added
                tree = await api.tree(added.key, m.TreeQuery("things"))
                assert [(one.name, one.priority) for one in tree.entries] == [("sub", 6), ("a.bin", 0), ("zero", 0)]
                await api.set_priorities(added.key, m.FilePriorities(paths={"": 1}))
                assert (await api.tree(added.key, m.TreeQuery())).entries[0].priority == 1
                assert (await api.keys(m.KeyListing())).keys == (added.key,)
                assert (await api.pieces(added.key, m.PieceQuery(1))).pieces == "-"

        asyncio.run(work())
