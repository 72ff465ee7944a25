"""A program for Transmission that asks a client with 100,000 torrents, and the loop that has other things to do."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from tests import pace
from tests.api_fakes import FakeApi, row
from tests.transmission_door import There, door_of

from wildbach.interfaces.api import models as m

pytestmark = pytest.mark.goal
COUNT = 100_000
STALL_SECONDS = 0.020
SONARR = [
    "id", "hashString", "name", "downloadDir", "totalSize", "leftUntilDone", "isFinished", "eta", "status",
    "secondsDownloading", "secondsSeeding", "errorString", "uploadedEver", "downloadedEver", "seedRatioLimit",
    "seedRatioMode", "seedIdleLimit", "seedIdleMode", "fileCount", "file-count", "labels",
]


class Many(FakeApi):
    """Rows that are there already: what is measured is the door."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = {one.key: one for one in (row(n, tags=("a", "b")) for n in range(1, COUNT + 1))}
        self.sorted = list(self.rows.values())
        self.lately: list[m.TorrentRow] = []
        self.woken = 0

    async def list_torrents(self, listing: m.Listing) -> m.TorrentPage:
        found = [self.rows[key] for key in listing.keys] if listing.keys else (
            self.sorted[listing.offset:listing.offset + listing.limit])
        return m.TorrentPage(self.revision, len(self.rows), listing.offset, tuple(found), False)

    async def changes(self, since: m.Since) -> m.Changes:
        changed, self.lately = tuple(self.lately), []
        return m.Changes(self.revision, False, False, changed, ())

    async def torrent(self, key: str) -> m.TorrentDetail:
        self.woken += 1
        return await super().torrent(key)

    async def settings(self) -> m.SettingsView:
        return m.SettingsView({}, {}, ())


async def read_all(there: There, body: bytes, turns: pace.Turns) -> int:
    """How long the answer is; nothing is made of it."""
    size = 0
    async with there.ask.http.post(there.ask.url, data=body, headers=there.ask.headers) as answer:
        assert answer.status == 200
        async for part in answer.content.iter_any():
            size += len(part)
    turns.over.set()
    return size


def test_all_torrents_are_told_in_slices_and_what_changed_at_once() -> None:
    many = Many()

    async def measure() -> dict[str, float]:
        figures: dict[str, float] = {}
        many.woken = 0
        async with door_of(many) as there:
            await there.ask.classic("session-get", fields=["version"])
            for form in ("objects", "table"):
                body = msgspec.json.encode({"method": "torrent-get", "arguments": {
                    "fields": SONARR, "format": form}})
                turns = pace.Turns()
                began = time.thread_time()
                size, _ = await asyncio.gather(read_all(there, body, turns), turns.watch())
                figures[form] = time.thread_time() - began
                figures[f"{form}_stall"] = turns.longest
                assert size > COUNT * 100
            assert there.api.woken == COUNT, "a torrent was asked again for what does not change"
            numbers = there.door._shared.numbers
            numbers._clock = lambda now=numbers._clock: now() + 1000
            there.api.lately = list(there.api.sorted[500:600])
            began = time.thread_time()
            given = await there.ask.classic("torrent-get", fields=["id"], ids="recently-active")
            assert [one["id"] for one in given["torrents"]] == list(range(501, 601))
            figures["lately"] = time.thread_time() - began
        return figures

    with pace.collector_off():
        pace.within(
            lambda: asyncio.run(measure()),
            objects=20.0, objects_stall=STALL_SECONDS, table=20.0, table_stall=STALL_SECONDS, lately=0.2)
