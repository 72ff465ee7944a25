"""Time maps reach the readers: of real files, once for each content, and never of what has none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests import mediafiles

from wildbach.base.errors import StorageError
from wildbach.engine.timemap import TimeMap
from wildbach.interfaces.indexes import Indexes
from wildbach.runtime.tasks import Scope


class FakeReader:
    """A reader of bytes; it gives a few of them at a time, once it may."""

    def __init__(self, data: bytes, tag: str, go: asyncio.Event) -> None:
        self._data = data
        self.size = len(data)
        self.tag = tag
        self._go = go
        self.map: TimeMap | None = None
        self.told = asyncio.Event()

    async def read(self, offset: int, limit: int) -> bytes:
        await self._go.wait()
        return self._data[offset:offset + min(limit, 10_000)]

    def set_map(self, time_map: TimeMap | None) -> None:
        self.map = time_map
        self.told.set()


class Stage:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.opened = 0
        self.open_now = 0
        self.broken = False
        self.go = asyncio.Event()
        self.go.set()

    def reader(self) -> FakeReader:
        return FakeReader(self.data, "tag", self.go)

    @contextlib.asynccontextmanager
    async def open(self, key: str, index: int) -> AsyncIterator[FakeReader]:
        if self.broken:
            raise StorageError("the torrent stopped")
        self.opened += 1
        self.open_now += 1
        try:
            yield self.reader()
        finally:
            self.open_now -= 1


@contextlib.asynccontextmanager
async def indexes(data: bytes) -> AsyncIterator[tuple[Indexes, Stage]]:
    stage, errors = Stage(data), []
    async with Scope("test") as scope:
        yield Indexes(scope, stage.open, errors.append), stage  # type: ignore[arg-type]  # fakes of readers
    assert not errors


def of(path: Path) -> bytes:
    return path.read_bytes()


def test_each_reader_gets_the_map_and_it_is_read_once() -> None:
    async def main() -> None:
        async with indexes(of(mediafiles.mp4("last", seconds=20))) as (found, stage):
            first, second, later = stage.reader(), stage.reader(), stage.reader()
            found.join("key", 0, first)
            found.join("key", 0, second)
            async with asyncio.timeout(60):
                await first.told.wait()
                await second.told.wait()
            assert first.map is second.map and first.map is not None and abs(first.map.duration - 20) < 0.5
            found.join("key", 0, later)
            assert later.map is first.map and stage.opened == 1 and stage.open_now == 0
            assert found.get("tag") is first.map
    asyncio.run(main())


def test_what_has_no_index_is_played_all_the_same() -> None:
    async def main() -> None:
        whole = of(mediafiles.mp4("first", seconds=5))
        for data in (b"x" * 100_000, whole[:40] + b"\xff" * 4000, b""):
            async with indexes(data) as (found, stage):
                reader = stage.reader()
                found.join("key", 0, reader)
                async with asyncio.timeout(60):
                    await reader.told.wait()
                assert reader.map is None and found.get("tag") is None
    asyncio.run(main())


def test_where_the_torrent_stops_nobody_waits_for_ever() -> None:
    async def main() -> None:
        async with indexes(b"x" * 1000) as (found, stage):
            stage.broken = True
            reader = stage.reader()
            found.join("key", 0, reader)
            async with asyncio.timeout(60):
                await reader.told.wait()
            assert reader.map is None
    asyncio.run(main())


def test_an_index_that_nobody_waits_for_is_not_looked_for() -> None:
    async def main() -> None:
        async with indexes(of(mediafiles.mp4("first", seconds=5))) as (found, stage):
            stage.go.clear()
            reader = stage.reader()
            found.join("key", 0, reader)
            while not stage.open_now:
                await asyncio.sleep(0)
            found.leave(reader)
            while stage.open_now:
                await asyncio.sleep(0)
            # The next one begins anew.
            stage.go.set()
            again = stage.reader()
            found.join("key", 0, again)
            async with asyncio.timeout(60):
                await again.told.wait()
            assert again.map is not None
    asyncio.run(main())
