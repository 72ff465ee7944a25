"""torrent-get and torrent-set: every field with its type in both dialects, tables, what changed lately, and choices."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.cli_torrents import torrent_of
from tests.clients import seed_content, until
from tests.transmission_door import There, transmission

from wildbach.interfaces.doors.transmission.fields import FIELDS

TYPES: dict[str, tuple[type, ...]] = {
    "number": (int,), "double": (int, float), "string": (str,), "boolean": (bool,), "array": (list,),
    "object": (dict,), "flags": (list,),
}


def run(folder: Path, work: Callable[[There], Awaitable[None]], **options: object) -> None:
    async def main() -> None:
        async with transmission(folder, **options) as there:
            await work(there)
    asyncio.run(main())


async def add(there: There, torrent: Any, **more: object) -> int:
    given = await there.ask.classic("torrent-add", metainfo=base64.b64encode(torrent.to_bytes()).decode(), **more)
    number: int = given["torrent-added"]["id"]
    return number


def right_type(value: object, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def test_every_field_has_its_type_in_both_dialects_also_of_a_magnet_link(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        torrent = seed_content(tmp_path, trackers=[["http://tracker.example.co.uk/announce?x=1"], ["udp://[::1]:7"]])
        await add(there, torrent)
        await there.ask.classic("torrent-add", filename="magnet:?xt=urn:btih:" + "ab" * 20, paused=True)
        key = torrent.info.hashes.key
        await until(lambda: there.api.core.catalog.fresh(key).complete, there.api)
        classic = (await there.ask.classic(
            "torrent-get", fields=[field.classic for field in FIELDS.values()]))["torrents"]
        modern = (await there.ask.modern("torrent_get", fields=list(FIELDS)))["torrents"]
        assert len(classic) == len(modern) == 2
        for old, new in zip(classic, modern, strict=True):
            assert list(new) and set(new) == set(FIELDS)
            assert set(old) == {field.classic for field in FIELDS.values()}
            for field in FIELDS.values():
                assert right_type(old[field.classic], field.kind), (field, old[field.classic])
                assert right_type(new[field.name], field.kind), (field, new[field.name])
        whole, magnet = modern
        assert whole["wanted"] == [True] * 4 and classic[0]["wanted"] == [1] * 4
        assert [file["begin_piece"] for file in whole["files"]] == [0, 5, 6, 9]
        assert [file["end_piece"] for file in whole["files"]] == [5, 6, 9, 9]
        assert set(classic[0]["files"][0]) == {"bytesCompleted", "length", "name"}
        assert whole["bytes_completed"] == [file["length"] for file in whole["files"]]
        assert whole["tracker_list"] == "http://tracker.example.co.uk/announce?x=1\n\nudp://[::1]:7"
        assert [(t["sitename"], t["scrape"]) for t in whole["trackers"]] == [
            ("example", "http://tracker.example.co.uk/scrape?x=1"), ("::1", "udp://[::1]:7")]
        assert set(whole["availability"]) == {-1} and whole["piece_count"] == 9
        assert base64.b64decode(whole["pieces"]) == b"\xff\x80"
        assert whole["primary_mime_type"] == "application/octet-stream"
        assert (magnet["status"], magnet["metadata_percent_complete"], magnet["piece_count"]) == (0, 0.0, 0)
        # The hash of a hybrid is that of v1, whatever we call it.
        assert whole["hash_string"] == torrent.info.hashes.v1.hex() != key
        assert (await there.ask.modern("torrent_get", ids=[whole["hash_string"].upper()], fields=["id"])) == {
            "torrents": [{"id": 1}]}
    run(tmp_path, work)


def test_a_table_has_the_same_values_as_objects(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        for name in ("one", "two", "three"):
            await add(there, torrent_of(name=name), paused=True)
        names = [field.classic for field in FIELDS.values()]
        objects = (await there.ask.classic("torrent-get", fields=names))["torrents"]
        head, *rows = (await there.ask.classic("torrent-get", fields=names, format="table"))["torrents"]
        assert [dict(zip(head, row, strict=True)) for row in rows] == objects
        assert [one["name"] for one in objects] == ["one", "two", "three"]
        assert (await there.ask.classic("torrent-get", fields=["nonsense", "id", "id"], ids=3, format="table")) == {
            "torrents": [["id"], [3]]}
    run(tmp_path, work)


def test_ids_are_numbers_hashes_or_lists_and_numbers_are_never_given_twice(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        torrents = [torrent_of(name=name, kind="v1") for name in ("one", "two", "three")]
        assert [await add(there, torrent, paused=True) for torrent in torrents] == [1, 2, 3]
        hashes = [torrent.info.hashes.key for torrent in torrents]

        async def chosen(ids: object) -> list[int]:
            given = await there.ask.classic("torrent-get", fields=["id"], ids=ids)
            return [one["id"] for one in given["torrents"]]

        assert await chosen(2) == [2] and await chosen([3, 1, 77]) == [3, 1] and await chosen([]) == []
        assert await chosen(hashes[1]) == [2] and await chosen([hashes[2], 3, "f" * 40]) == [3]
        assert await chosen(None) == [1, 2, 3] and await chosen([-1, 2.0]) == [2]
        await there.ask.classic("torrent-remove", ids=[2])
        assert await chosen(None) == [1, 3]
        again = await there.ask.classic(
            "torrent-add", metainfo=base64.b64encode(torrents[1].to_bytes()).decode(), paused=True)
        assert again["torrent-added"]["id"] == 4
        twice = await there.ask.classic("torrent-add", filename="magnet:?xt=urn:btih:" + hashes[0])
        assert twice == {"torrent-duplicate": {"id": 1, "name": "one", "hashString": hashes[0]}}
    run(tmp_path, work)


def test_recently_active_is_what_changed_in_the_last_minute_and_what_went(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        now = [0.0]
        numbers = there.door._shared.numbers
        numbers._clock = lambda: now[0]
        for name in ("one", "two", "three"):
            await add(there, torrent_of(name=name), paused=True)

        async def lately() -> tuple[list[int], list[int]]:
            given = await there.ask.classic("torrent-get", fields=["id"], ids="recently-active")
            return [one["id"] for one in given["torrents"]], given["removed"]

        assert await lately() == ([1, 2, 3], [])
        now[0] = 100.0
        assert await lately() == ([], [])
        await there.ask.classic("torrent-set", ids=[2], labels=["a"])
        await there.ask.classic("torrent-remove", ids=[3])
        assert await lately() == ([2], [3])
        assert (await there.ask.modern("torrent_get", fields=["id"], ids="recently_active"))["removed"] == [3]
        now[0] = 200.0
        assert await lately() == ([], [])
    run(tmp_path, work)


def test_limits_and_their_switches_are_kept_apart(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        number = await add(there, torrent_of(), paused=True)

        async def seen(*names: str) -> list[Any]:
            given = await there.ask.classic("torrent-get", ids=[number], fields=list(names), format="table")
            return list(given["torrents"][1])

        async def change(**values: object) -> None:
            answer = await there.ask.ask(
                {"method": "torrent-set", "arguments": {"ids": [number], **values}})
            assert answer["result"] == "success"

        row = there.api.core.catalog
        key = row.keys((), everything=True)[0]
        await change(downloadLimit=40)
        assert await seen("downloadLimit", "downloadLimited") == [40, False] and row.fresh(key).down_limit == 0
        await change(downloadLimited=True)
        assert await seen("downloadLimit", "downloadLimited") == [40, True] and row.fresh(key).down_limit == 40_000
        await change(downloadLimited=False, uploadLimited=True, uploadLimit=0)
        assert await seen("downloadLimit", "downloadLimited", "uploadLimited") == [40, False, True]
        assert row.fresh(key).up_limit == 1
        await change(seedRatioMode=1, seedRatioLimit=0.5)
        await change(seedRatioMode=2)
        assert await seen("seedRatioLimit", "seedRatioMode") == [0.5, 2] and row.fresh(key).ratio_limit == -1
        await change(seedRatioMode=1)
        assert row.fresh(key).ratio_limit == 0.5
        await change(seedRatioMode=0, seedIdleMode=1, seedIdleLimit=7)
        assert await seen("seedRatioMode", "seedIdleMode", "seedIdleLimit") == [0, 1, 7]
        assert (row.fresh(key).ratio_limit, row.fresh(key).idle_limit) == (-2, 420)
    run(tmp_path, work)


def test_trackers_are_added_replaced_and_removed_by_their_ids(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        a, b, c, d = (f"http://t.{name}.example/announce" for name in "abcd")
        await add(there, torrent_of(trackers=[[a], [b]]), paused=True)

        async def trackers() -> list[tuple[int, int, str]]:
            given = await there.ask.classic("torrent-get", fields=["trackers"])
            return [(t["id"], t["tier"], t["announce"]) for t in given["torrents"][0]["trackers"]]

        async def change(**values: object) -> Any:
            return (await there.ask.ask({"method": "torrent-set", "arguments": values}))["result"]

        assert await change(trackerAdd=[c, a]) == "success"
        assert await trackers() == [(0, 0, a), (1, 1, b), (2, 2, c)]
        assert await change(trackerReplace=[1, d]) == "success"
        assert await change(trackerRemove=[0]) == "success"
        assert await trackers() == [(0, 0, d), (1, 1, c)]
        for code, params in ((1, {"tracker_remove": [9]}), (2, {"tracker_list": "no"})):
            bad = await there.ask.ask({"jsonrpc": "2.0", "id": 1, "method": "torrent_set", "params": params})
            assert bad["error"]["code"] == code
        assert await trackers() == [(0, 0, d), (1, 1, c)]
    run(tmp_path, work)


def test_groups_are_categories(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        await add(there, torrent_of(), paused=True)
        await there.ask.classic("torrent-set", group="linux")
        assert (await there.ask.classic("torrent-get", fields=["group"]))["torrents"] == [{"group": "linux"}]
        assert (await there.ask.classic("group-get", name="linux"))["group"] == [{
            "name": "linux", "honorsSessionLimits": True, "speed-limit-down": 0, "speed-limit-down-enabled": False,
            "speed-limit-up": 0, "speed-limit-up-enabled": False}]
        assert (await there.ask.classic("group-get", name=["other"]))["group"] == []
    run(tmp_path, work)
