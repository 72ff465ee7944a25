"""Folders, pieces and keys of real torrents, as the Api shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cli_torrents import CONTENT, raw_v1, torrent_of, write_content
from clients import client, seed_content, until
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import looking, previewing
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.api.rows import queued
from wildbach.interfaces.api.tree import FileTree, Now
from wildbach.protocol.metainfo import Magnet, Metainfo
from wildbach.services.library.settings import QueueSettings


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def add(api: LocalApi, torrent: Metainfo, **more: Any) -> str:
    (added,) = (await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), **more))).added
    assert not added.error, added
    return added.key


async def entries(api: LocalApi, key: str, **query: Any) -> dict[str, m.TreeEntry]:
    return {one.name: one for one in (await api.tree(key, m.TreeQuery(**query))).entries}


def test_a_folder_shows_what_is_there_and_who_else_has_it(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path / "a")
        async with client(tmp_path / "a") as seed, client(tmp_path / "b") as api:
            await add(seed, torrent)
            (port,) = {endpoint.port for endpoint in seed.core.session.listening}
            key = await add(api, torrent, stopped=True)
            top = await api.tree(key, m.TreeQuery())
            assert (top.total, top.files, top.size, top.wanted) == (1, 4, torrent.info.size, torrent.info.size)
            assert top.entries[0].have == 0 and top.entries[0].availability == -1
            await api.set_priorities(key, m.FilePriorities(paths={"": 0, "things/a.bin": 1}))
            await api.add_peers(key, m.PeerList((f"127.0.0.1:{port}",)))
            await api.act(m.Action("start", (key,)))
            await api.add_peers(key, m.PeerList((f"127.0.0.1:{port}",)))
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            found = await entries(api, key, under="things")
            assert (found["a.bin"].have, found["a.bin"].priority) == (len(CONTENT["a.bin",]), 1)
            assert (found["sub"].have, found["sub"].priority, found["sub"].wanted) == (0, 0, 0)
            assert (await api.tree(key, m.TreeQuery("things"))).wanted == len(CONTENT["a.bin",])

    run(work())


def test_paths_choose_the_longest_counts_and_numbers_go_before_them(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = torrent_of()
        async with client(tmp_path) as api:
            key = await add(api, torrent, stopped=True)
            index = next(one.index for one in (await entries(api, key, under="things/sub")).values())
            await api.set_priorities(key, m.FilePriorities(
                {str(index): 3}, {"": 0, "things/sub/": 2, "things/sub/b.txt": 7, "things/zero": 1}))
            found = await entries(api, key, search="things")
            assert found.pop(next(name for name, one in found.items() if one.index == index)).priority == 3
            assert {name: one.priority for name, one in found.items()} == {"a.bin": 0, "ü 日本.bin": 2, "zero": 1}
            for bad in ("things/none", "sub"):
                with pytest.raises(UsageError, match="no file or folder") as caught:
                    await api.set_priorities(key, m.FilePriorities(paths={bad: 1}))
                assert caught.value.code == "not_found"
            with pytest.raises(UsageError, match="no number"):
                await api.set_priorities(key, m.FilePriorities({"9" * 5000: 1}))

    run(work())


def test_a_tree_has_the_paths_that_files_were_given(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            key = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            assert list(await entries(api, key, under="things")) == ["sub", "a.bin", "zero"]
            await api.rename(key, m.Rename("things/a.bin", "things/new/10.bin"))
            assert list(await entries(api, key, under="things")) == ["new", "sub", "zero"]
            assert (await entries(api, key, under="things/new"))["10.bin"].have == len(CONTENT["a.bin",])
            with pytest.raises(UsageError, match="no folder"):
                await api.tree(key, m.TreeQuery("things/old"))

    run(work())


def test_a_torrent_that_sleeps_is_looked_into(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        async with client(tmp_path) as api:
            key = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).complete, api)
        async with client(tmp_path) as api:
            found = await entries(api, key, under="things/sub")
            assert found["b.txt"].have == found["b.txt"].size == 6
            assert (await api.pieces(key, m.PieceQuery(2))).pieces == "##"

    run(work())


def test_a_link_has_no_tree_yet(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            (added,) = (await api.add_torrents(m.AddRequest(urls=("11" * 20,), stopped=True))).added
            with pytest.raises(UsageError, match="not here yet") as caught:
                await api.tree(added.key, m.TreeQuery())
            assert caught.value.code == "no_metadata"
            assert (await api.pieces(added.key, m.PieceQuery(10))).count == 0

    run(work())


def test_files_are_chosen_by_path_while_a_torrent_is_added(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path / "seed")
        seed_at, one_at, two_at = (tmp_path / name for name in ("seed", "file", "link"))
        async with client(seed_at) as seed, client(one_at) as one, client(two_at) as two:
            await add(seed, torrent)
            (port,) = {endpoint.port for endpoint in seed.core.session.listening}
            peer, chosen = f"127.0.0.1:{port}", {"": 0, "things/sub": 1, "things/sub/b.txt": 6}
            link = Magnet(torrent.info.hashes, "things", peers=(("127.0.0.1", port),)).to_uri()
            await add(one, torrent, paths=chosen, peers=(peer,))
            await two.add_torrents(m.AddRequest(urls=(link,), paths=chosen, peers=(peer,)))
            key = torrent.info.hashes.key
            for name, api in (("file", one), ("link", two)):
                await until(lambda api=api: api.core.catalog.fresh(key).complete, api)  # type: ignore[misc]  # bound now
                there = {path.name for path in (tmp_path / name / "downloads").rglob("*")
                         if path.is_file() and path.stat().st_size}
                assert there == {"b.txt", "ü 日本.bin"}, name
                found = await entries(api, key, search="things")
                assert {name: one.priority for name, one in found.items()} == {
                    "a.bin": 0, "b.txt": 6, "ü 日本.bin": 1, "zero": 0}, name
            with pytest.raises(UsageError, match="no file or folder"):
                raise await failure(one, torrent_of(name="other"), paths={"things/sub": 1})

    async def failure(api: LocalApi, torrent: Metainfo, **more: Any) -> UsageError:
        (added,) = (await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), **more))).added
        assert not added.key and added.code == "not_found"
        return UsageError(added.error)

    run(work())


def test_cells_of_a_map_are_runs_of_pieces(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = torrent_of({("a",): bytes(16384 * 95), ("b",): b"\1" * 16384 * 10}, kind="v1")
        write_content(tmp_path / "downloads" / "things", {("a",): bytes(16384 * 95)})
        async with client(tmp_path) as api:
            key = await add(api, torrent)
            await until(lambda: api.core.catalog.fresh(key).done == 16384 * 95, api)
            whole = await api.pieces(key, m.PieceQuery())
            assert (whole.pieces, whole.count, whole.per_cell) == ("#" * 95 + "-" * 10, 105, 1)
            cells = await api.pieces(key, m.PieceQuery(11))
            assert (cells.pieces, cells.count, cells.per_cell) == ("#" * 9 + "5-", 105, 10)
            assert (await api.pieces(key, m.PieceQuery(1000))).pieces == whole.pieces
            assert (await api.pieces(key, m.PieceQuery(1))).pieces == "9"

    run(work())


def test_all_keys_of_a_part_of_the_list_come_in_its_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            keys = {name: await add(api, torrent_of(name=name), stopped=True, tags=("odd",) if int(name) % 2 else ())
                    for name in ("3", "1", "2")}
            async def names(**listing: Any) -> str:
                found = (await api.keys(m.KeyListing(**listing))).keys
                return "".join(name for key in found for name in keys if keys[name] == key)
            assert await names(sort="name") == "123"
            assert await names(sort="name", descending=True, tag=("odd",)) == "31"
            assert await names(sort="name", offset=1, limit=1) == "2"
            assert await names(search="2") == "2"

    run(work())


def test_the_loop_goes_on_while_a_torrent_of_many_files_is_opened(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = Metainfo.parse(raw_v1(b"many", [[b"d%d" % (n % 50), b"f%d" % n] for n in range(20_000)]))
        async with client(tmp_path) as api:
            key = await add(api, torrent, stopped=True)
            turns, found = 0, list[m.Tree]()

            async def look() -> None:
                found.append(await api.tree(key, m.TreeQuery("many")))

            api.core.scope.spawn("look", look())
            while not found:
                turns += 1
                await asyncio.sleep(0)
            assert len(found[0].entries) == 50 and found[0].files == 20_000
            # At once it would be a handful of turns.
            assert turns > 20
            kept = api.core.trees.get(key)
            assert await api.tree(key, m.TreeQuery("many", search="f1999")) is not None
            assert api.core.trees.get(key) is kept is not None

    run(work())


def test_who_waits_in_the_queue_is_told_for_how_many(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path, queue__downloads=1) as api:
            first, second = [await add(api, torrent_of(name=name)) for name in ("one", "two")]
            await until(lambda: api.core.catalog.fresh(second).state == "queued", api)
            assert api.core.catalog.fresh(second).reason == (
                "waiting for its turn in the queue: at most 1 download at once")
            await until(lambda: api.core.catalog.fresh(first).reason == "no peers: there is no tracker", api)

    run(work())


@pytest.mark.parametrize(("settings", "complete", "words"), [
    (QueueSettings(downloads=3, seeds=5, total=0), True, ": at most 5 complete torrents at once"),
    (QueueSettings(downloads=3, seeds=5, total=6), True, ": at most 5 complete torrents and 6 torrents at once"),
    (QueueSettings(downloads=3, seeds=0, total=6), False, ": at most 3 downloads at once"),
    (QueueSettings(downloads=3, seeds=0, total=2), False, ": at most 3 downloads and 2 torrents at once"),
    (QueueSettings(downloads=0, seeds=0, total=0), False, ""),
])
def test_the_limits_that_hold_are_those_that_are_named(settings: QueueSettings, complete: bool, words: str) -> None:
    assert queued(settings, complete=complete) == "waiting for its turn in the queue" + words


def test_many_that_ask_at_once_have_a_tree_made_once_and_looked_at_by_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, inside, most = 0, 0, 0

    class Counted(FileTree):
        def __init__(self, *given: Any) -> None:
            nonlocal made
            made += 1
            super().__init__(*given)

        def page(self, query: m.TreeQuery, now: Now) -> m.Tree:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            try:
                return super().page(query, now)
            finally:
                inside -= 1

    monkeypatch.setattr(looking, "FileTree", Counted)
    monkeypatch.setattr(previewing, "FileTree", Counted)

    async def work() -> None:
        nonlocal made
        torrent = Metainfo.parse(raw_v1(b"many", [[b"d%d" % (n % 50), b"f%d" % n] for n in range(10_000)]))
        queries = [m.TreeQuery("many", search=f"f{n}") for n in range(12)]
        async with client(tmp_path) as api:
            key = await add(api, torrent, stopped=True)
            found = await asyncio.gather(*(api.tree(key, query) for query in queries))
            assert made == most == 1 and all(page.total > 1000 for page in found[1:10])
            made = 0
            look = (await api.preview(m.PreviewRequest(file=torrent.to_bytes()))).id
            assert found == list(await asyncio.gather(*(api.preview_tree(look, query) for query in queries)))
            assert made == most == 1

    run(work())
