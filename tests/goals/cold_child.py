"""Fills a data directory with complete torrents, restores them, prints what they cost.

`cold_child.py DIR COUNT [dead]`

`dead`: their trackers, each on a host of its own, do not answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import sqlite3
import sys
import time
from pathlib import Path

from wildbach.base import bitfield
from wildbach.base.errors import NetworkError
from wildbach.disk.datadir import DataDir
from wildbach.disk.resume import Progress, ResumeRecord
from wildbach.engine.brief import FIELD, Brief
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, Settings
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.tracker.announce import AnnounceReply, AnnounceRequest, ScrapeReply, ScrapeRequest

URL = "http://tracker.example/announce"
PIECES = 64
IDLE_SECONDS = 2.0


def fill(folder: Path, count: int, url: str = URL, *, dead: bool = False) -> None:
    """The state of complete v1 torrents of 64 pieces each. Their files are never looked at, and are not there."""
    database = DataDir(folder).open_database()
    hashes = b"".join(hashlib.sha1(bytes([number])).digest() for number in range(PIECES))
    raw_connection: sqlite3.Connection = database._db
    raw_connection.execute("BEGIN")
    database._once = lambda work, durable: work(raw_connection)  # type: ignore[method-assign]  # one transaction for all
    for number in range(count):
        name = b"content-%06d.bin" % number
        info = b"d6:lengthi%de4:name%d:%s12:piece lengthi262144e6:pieces%d:%se" % (
            PIECES * 262144, len(name), name, len(hashes), hashes,
        )
        data = b"d8:announce%d:%s4:info%se" % (len(url), url.encode(), info)
        parsed = Metainfo.parse(data).info
        record = ResumeRecord(
            parsed.hashes.key, name=parsed.name, save_path=str(folder / "data"), added_at=1.0, completed_at=2.0,
            progress=Progress(PIECES, durable=bitfield.full(PIECES)),
        )
        tiers = ((url.replace("tracker.", f"{number}."),),) if dead else ((url,),)
        record.options[FIELD] = Brief(parsed.name, parsed.size, PIECES, tiers=tiers).to_json(parsed.hashes)
        database.save(record, data)
    raw_connection.execute("COMMIT")
    database.close()


class Quick:
    """A tracker that answers at once."""

    schemes = frozenset({"http"})
    asked = 0

    async def announce(self, request: AnnounceRequest) -> AnnounceReply:
        self.asked += 1
        await asyncio.sleep(0)
        return AnnounceReply(interval=1800.0)

    async def scrape(self, request: ScrapeRequest) -> ScrapeReply:
        return ScrapeReply()


class Dead(Quick):
    """No tracker answers."""

    async def announce(self, request: AnnounceRequest) -> AnnounceReply:
        self.asked += 1
        await asyncio.sleep(0)
        raise NetworkError("connection refused")


def rss() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def hold(folder: Path, count: int, tracker: Quick) -> dict[str, float]:
    settings = Settings(ConnectionSettings(listen=("127.0.0.1:0",)))
    async with Session(settings, data_dir=folder, announcers=[tracker]) as session:
        before, began, cpu = rss(), time.monotonic(), time.process_time()
        restored = await session.restore()
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        while tracker.asked < restored:
            await asyncio.sleep(0.05)
        each = (rss() - before) / count
        await asyncio.sleep(0.2)
        idle = time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        return {
            "restored": restored, "bytes_each": each, "seconds": seconds, "cpu": cpu, "announced": tracker.asked,
            "idle": (time.process_time() - idle) / IDLE_SECONDS, "awake": len(session._dormitory.awake),
            "tasks": len(asyncio.all_tasks()),
        }


if __name__ == "__main__":
    dead = sys.argv[3:] == ["dead"]
    fill(Path(sys.argv[1]), int(sys.argv[2]), dead=dead)
    tracker = Dead() if dead else Quick()
    sys.stdout.write(json.dumps(asyncio.run(hold(Path(sys.argv[1]), int(sys.argv[2]), tracker))) + "\n")
