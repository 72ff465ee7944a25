"""A program for Transmission that asks a client with 100,000 torrents, and the loop that has other things to do."""

from __future__ import annotations

import asyncio
import gc
import time

import msgspec
import pytest
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


async def longest_turn(stop: asyncio.Event) -> float:
    """The most processor time of this thread between two turns of the loop that another task gets."""
    longest, last = 0.0, time.thread_time()
    while not stop.is_set():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return longest


async def read_all(there: There, body: bytes, stop: asyncio.Event) -> int:
    """How long the answer is; nothing is made of it."""
    size = 0
    async with there.ask.http.post(there.ask.url, data=body, headers=there.ask.headers) as answer:
        assert answer.status == 200
        async for part in answer.content.iter_any():
            size += len(part)
    stop.set()
    return size


def test_all_torrents_are_told_in_slices_and_what_changed_at_once() -> None:
    async def main() -> None:
        many = Many()
        gc.collect()
        gc.freeze()  # the collector's time with what the test made is not the door's
        async with door_of(many) as there:
            await there.ask.classic("session-get", fields=["version"])
            for form in ("objects", "table"):
                body = msgspec.json.encode({"method": "torrent-get", "arguments": {
                    "fields": SONARR, "format": form}})
                stop = asyncio.Event()
                began = time.thread_time()
                size, stall = await asyncio.gather(read_all(there, body, stop), longest_turn(stop))
                took = time.thread_time() - began
                assert size > COUNT * 100
                assert stall < STALL_SECONDS, (form, stall)
                assert took < 20, took
            assert there.api.woken == COUNT, "a torrent was asked again for what does not change"
            numbers = there.door._shared.numbers
            numbers._clock = lambda now=numbers._clock: now() + 1000
            there.api.lately = list(there.api.sorted[500:600])
            began = time.thread_time()
            given = await there.ask.classic("torrent-get", fields=["id"], ids="recently-active")
            assert [one["id"] for one in given["torrents"]] == list(range(501, 601))
            assert time.thread_time() - began < 0.2
    try:
        asyncio.run(main())
    finally:
        gc.unfreeze()
