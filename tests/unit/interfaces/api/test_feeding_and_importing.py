"""Feeds and imports as operations of the Api, with the real services below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli_torrents import torrent_of
from clients import client, until
from feedbed import rss
from migrate_states import FILES, content_of, fastresume, torrent, without_layers
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import LocalApi
from wildbach.net.httpd import HttpServer, Request, Response

TORRENT = torrent_of(name="Series.S01E02")


@asynccontextmanager
async def site() -> AsyncIterator[str]:
    """A feed at /feed, and the torrent that its articles lead to."""
    async def answer(request: Request) -> Response:
        if request.path == "/feed":
            return Response(
                rss("Series S01E02 1080p", "Other S01E01", torrent=lambda n: f"{root}/t{n}.torrent"),
                content_type="application/rss+xml")
        if request.path.endswith(".torrent"):
            return Response(TORRENT.to_bytes(), content_type="application/x-bittorrent")
        return Response(b"no", 404)

    server = HttpServer(answer)
    root = f"http://{await server.start('127.0.0.1', 0)}"
    try:
        yield root
    finally:
        await server.close()


def test_a_rule_downloads_what_a_feed_has_into_its_category(tmp_path: Path) -> None:
    async def work() -> None:
        async with site() as root, client(tmp_path, feeds__auto_download=True, feeds__host_seconds=0.0) as api:
            await api.add_feed(m.FeedRequest("TV/Shows", f"{root}/feed"))
            rule = {
                "enabled": True, "mustContain": "Series 1080p", "affectedFeeds": [f"{root}/feed"],
                "assignedCategory": "series", "addPaused": True,
            }
            trial = await tried(api, rule)
            assert [match.title for match in trial.matches if match.matches] == ["Series S01E02 1080p"]
            assert all(match.reason for match in trial.matches if not match.matches)
            await api.put_feed_rule(m.FeedRule("series", rule))
            await until(lambda: api.core.catalog.facets().total == 1, api)
            (row,) = (await api.list_torrents(m.Listing())).torrents
            assert (row.name, row.category, row.state) == ("Series.S01E02", "series", "stopped")
            (feed,) = (await api.feeds()).feeds
            assert feed.path == "TV/Shows" and feed.articles == 2 and not feed.error
            await api.mark_read(m.ReadMark("TV"))
            assert (await api.articles(m.ArticleQuery(unread=True))).total == 0
            await api.change_feed(m.FeedPatch("TV/Shows", to="Shows"))
            assert {one.path for one in (await api.feeds()).feeds} == {"Shows"}
            with pytest.raises(UsageError) as error:
                await api.remove_feed(m.FeedPath("nowhere"))
            assert error.value.code == "not_found"

    asyncio.run(work())


async def tried(api: LocalApi, rule: dict[str, object]) -> m.RuleMatches:
    """Once the feed was read."""
    async with asyncio.timeout(20):
        while not (await api.articles(m.ArticleQuery())).total:
            await asyncio.sleep(0.02)
    return await api.try_feed_rule(m.FeedRule("series", rule))


def test_torrents_of_another_client_go_on_without_a_download(tmp_path: Path) -> None:
    made = torrent()
    folder = tmp_path / "BT_backup"
    folder.mkdir()
    for path, size in FILES.items():
        place = tmp_path / "there" / "thing" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content_of(path, size))
    assert made.info.hashes.v1 is not None
    name = made.info.hashes.v1.hex()
    (folder / f"{name}.torrent").write_bytes(without_layers(made))
    (folder / f"{name}.fastresume").write_bytes(fastresume(
        made, save_path=str(tmp_path / "there").encode(), qBt_savePath=str(tmp_path / "there").encode(),
        qBt_category=b"films", qBt_tags=[b"x"], qBt_ratioLimit=2000))
    (folder / ("b" * 40 + ".torrent")).write_bytes(b"nonsense")

    async def work() -> None:
        async with client(tmp_path) as api:
            dry = await api.core.jobs.wait((await api.import_client(m.ImportRequest(str(folder), dry_run=True))).id)
            assert dry.state == "done" and dry.result["added"] == 1
            assert (await api.list_torrents(m.Listing())).total == 0
            job = await api.core.jobs.wait((await api.import_client(m.ImportRequest(str(folder)))).id)
            assert job.state == "done" and job.result["added"] == 1, job
            assert [one["name"] for one in job.result["unreadable"]] == ["b" * 40 + ".torrent"]
            (row,) = (await api.list_torrents(m.Listing())).torrents
            await until(lambda: api.core.catalog.fresh(row.key).state == "seeding", api)
            row = api.core.catalog.fresh(row.key)
            assert row.complete and row.downloaded == 2000 and row.session_downloaded == 0 and row.uploaded == 1000
            assert row.category == "films" and row.tags == ("x",) and row.ratio_limit == 2.0
            assert row.added_at == 1_700_000_000 and row.completed_at == 1_700_000_100
            again = await api.core.jobs.wait((await api.import_client(m.ImportRequest(str(folder)))).id)
            assert again.result["there"] == 1 and again.result["added"] == 0

    asyncio.run(work())


@pytest.mark.parametrize(("category", "auto"), [("films", True), ("", False)])
def test_what_followed_its_category_goes_on_to_where_the_folder_is_the_same(
    tmp_path: Path, category: str, auto: bool,
) -> None:
    made = torrent()
    folder, place = tmp_path / "BT_backup", tmp_path / "down" / "films"
    folder.mkdir()
    for path, size in FILES.items():
        file = place / "thing" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content_of(path, size))
    assert made.info.hashes.v1 is not None
    name = made.info.hashes.v1.hex()
    (folder / f"{name}.torrent").write_bytes(without_layers(made))
    (folder / f"{name}.fastresume").write_bytes(fastresume(
        made, save_path=str(place).encode(), qBt_category=category.encode()))

    async def work() -> None:
        async with client(tmp_path) as api:
            await api.put_category(m.Category("films", save_path=str(place)))
            job = await api.core.jobs.wait((await api.import_client(m.ImportRequest(str(folder)))).id)
            assert job.result["added"] == 1, job
            (row,) = (await api.list_torrents(m.Listing())).torrents
            assert (row.auto, row.save_path) == (auto, str(place))
            said = " ".join(job.result["lost"].get("", []))
            assert ("1 torrent moved with the category" in said) is not auto and "stay" not in job.result

    asyncio.run(work())


def test_the_state_of_another_client_does_not_lead_out_of_the_allowed_folders(tmp_path: Path) -> None:
    made = torrent()
    folder = tmp_path / "BT_backup"
    folder.mkdir()
    assert made.info.hashes.v1 is not None
    name = made.info.hashes.v1.hex()
    (folder / f"{name}.torrent").write_bytes(without_layers(made))
    (folder / f"{name}.fastresume").write_bytes(fastresume(made, save_path=b"/etc", qBt_savePath=b"/etc"))

    async def work() -> None:
        async with client(tmp_path) as api:
            job = await api.core.jobs.wait((await api.import_client(m.ImportRequest(str(folder)))).id)
            assert job.result["added"] == 0
            (refused,) = job.result["unreadable"]
            assert "downloads.allowed" in refused["reason"]
            assert (await api.list_torrents(m.Listing())).total == 0

    asyncio.run(work())
