"""What is done to many torrents at once: steps that are durable are counted, and what one turn of the loop does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli_torrents import torrent_of
from clients import client, seed_content, until
from wildbach.base.errors import StorageError
from wildbach.base.geometry import Geometry
from wildbach.disk.database import Database
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import acting
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import LocalApi
from wildbach.services.library import checks, library
from wildbach.services.library.book import ENTRIES

COUNT, BATCH = 7, 3
STEPS = 3
"Batches of three that seven torrents take."


async def add(api: LocalApi, count: int = COUNT) -> tuple[str, ...]:
    result = await api.add_torrents(m.AddRequest(
        files=tuple(torrent_of(name=f"t{number}").to_bytes() for number in range(count)), stopped=True))
    return tuple(one.key for one in result.added)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Durable steps by what they wrote, where three torrents are one batch."""
    counted = Counter[str]()
    keep, remove = Database.keep, Database.remove

    def kept(self: Database, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        if area == ENTRIES and durable:
            assert 0 < len(changes) <= BATCH
            counted["entries"] += 1
        keep(self, area, changes, durable=durable)

    def removed(self: Database, *keys: str) -> None:
        counted["removed"] += 1
        remove(self, *keys)

    monkeypatch.setattr(Database, "keep", kept)
    monkeypatch.setattr(Database, "remove", removed)
    monkeypatch.setattr(library, "BATCH", BATCH)
    monkeypatch.setattr(acting, "BATCH", BATCH)
    return counted


def test_what_is_said_of_many_is_written_in_few_durable_steps(tmp_path: Path, steps: Counter[str]) -> None:
    async def counted(what: str, work: Coroutine[Any, Any, m.Outcome]) -> int:
        steps.clear()
        outcome = await work
        assert (outcome.done, outcome.failed) == (COUNT, ())
        return steps[what]

    async def work() -> None:
        async with client(tmp_path) as api:
            await add(api)
            tags = m.TorrentsPatch(m.TorrentPatch(add_tags=("t",)), all=True)
            assert await counted("entries", api.change_torrents(tags)) == STEPS
            assert await counted("entries", api.act(m.Action("start", all=True))) == STEPS
            assert await counted("entries", api.act(m.Action("stop", all=True))) == STEPS
            assert await counted("entries", api.remove_torrents(m.Removal(all=True))) == STEPS
            assert len((await api.trash()).torrents) == COUNT
            assert await counted("entries", api.restore(m.Selection(all=True))) == STEPS
            assert (await api.list_torrents(m.Listing())).total == COUNT
            assert await counted("removed", api.remove_torrents(m.Removal(all=True, now=True))) == STEPS
            assert (await api.list_torrents(m.Listing())).total == 0

    asyncio.run(work())


def test_a_batch_that_cannot_be_written_is_undone_and_the_others_are_not(
    tmp_path: Path, steps: Counter[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep = Database.keep

    def full(self: Database, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        if area == ENTRIES and durable and steps["entries"] == 1:
            steps["entries"] += 1
            raise StorageError("the disk is full", code="disk_full")
        keep(self, area, changes, durable=durable)

    async def work() -> None:
        async with client(tmp_path) as api:
            keys = await add(api)
            steps.clear()
            monkeypatch.setattr(Database, "keep", full)
            outcome = await api.remove_torrents(m.Removal(keys))
            assert outcome.done == COUNT - BATCH
            failed = [failure.key for failure in outcome.failed]
            assert failed == list(keys[BATCH : 2 * BATCH])
            assert {failure.code for failure in outcome.failed} == {"disk_full"}
            assert {row.key for row in (await api.list_torrents(m.Listing())).torrents} == set(failed)
            assert set(api.core.library.trash) == set(keys) - set(failed)

    asyncio.run(work())


def test_what_many_were_told_is_there_after_the_next_start(tmp_path: Path) -> None:
    async def first() -> None:
        async with client(tmp_path) as api:
            keys = await add(api)
            await api.remove_torrents(m.Removal(keys[:3]))
            await api.restore(m.Selection(keys[:1]))
            await api.remove_torrents(m.Removal(keys[3:5], now=True))

    async def second() -> None:
        async with client(tmp_path) as api:
            assert len((await api.trash()).torrents) == 2
            assert (await api.list_torrents(m.Listing())).total == COUNT - 4

    asyncio.run(first())
    asyncio.run(second())


def test_few_are_checked_at_once_and_the_others_say_that_they_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    going, most = Counter[str](), 0
    recheck = Torrent.recheck

    async def watched(self: Torrent) -> None:
        nonlocal most
        going["now"] += 1
        most = max(most, going["now"])
        await recheck(self)
        going["now"] -= 1
        going["done"] += 1

    async def work() -> None:
        async with client(tmp_path) as api:
            files = tuple(seed_content(tmp_path, f"t{number}").to_bytes() for number in range(12))
            keys = tuple(one.key for one in (await api.add_torrents(m.AddRequest(files=files))).added)
            await until(lambda: all(api.core.catalog.fresh(key).complete for key in keys), api)
            monkeypatch.setattr(Torrent, "recheck", watched)
            outcome = await api.act(m.Action("recheck", keys=keys))
            assert outcome.done == len(keys)
            shown = (await api.list_torrents(m.Listing(state=("checking",)))).torrents
            assert [row.reason for row in shown].count("waiting to be checked") >= len(keys) - checks._AT_ONCE
            await until(lambda: going["done"] == len(keys), api)
            assert most <= checks._AT_ONCE
            await until(lambda: all(api.core.catalog.fresh(key).state == "seeding" for key in keys), api)

    asyncio.run(work())


def test_a_page_of_files_looks_at_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    inner = Geometry.file_bytes_in

    def counted(self: Geometry, file: int, pieces: int) -> int:
        looked_at.append(file)
        return inner(self, file, pieces)

    async def work() -> None:
        files = {(f"d{number % 3}", f"f{number}"): bytes([number]) for number in range(60)}
        async with client(tmp_path) as api:
            added = await api.add_torrents(m.AddRequest(files=(torrent_of(files, kind="v1").to_bytes(),), stopped=True))
            key = added.added[0].key
            whole = await api.files(key, m.FileListing())
            assert (whole.total, len(whole.files)) == (60, 60)
            monkeypatch.setattr(Geometry, "file_bytes_in", counted)
            page = await api.files(key, m.FileListing(offset=20, limit=5))
            assert (page.total, page.files) == (60, whole.files[20:25])
            assert looked_at == [row.index for row in page.files]
            below = await api.files(key, m.FileListing(under="things/d1", limit=5))
            assert (below.total, {row.path.rpartition("/")[0] for row in below.files}) == (20, {"things/d1"})
            assert await api.files(key, m.FileListing(under="nothing")) == m.FilePage(0, ())

    asyncio.run(work())
