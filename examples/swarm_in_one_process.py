"""A tracker, a seed and two downloaders in one process: python swarm_in_one_process.py TORRENT DATA WORK

TORRENT is without trackers; DATA is the folder that holds its content; WORK gets the copies.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import wildbach
from wildbach.services.tracker.server import TrackerServer


async def main(torrent_file: Path, data: Path, work: Path) -> None:
    metainfo = wildbach.Metainfo.parse(torrent_file.read_bytes())
    settings = wildbach.Settings(connections=wildbach.ConnectionSettings(listen=("127.0.0.1:0",)))
    async with contextlib.AsyncExitStack() as stack:
        tracker = await stack.enter_async_context(TrackerServer(interval=30))
        await tracker.start("127.0.0.1")
        print("tracker:", tracker.http_url, tracker.udp_url)
        trackers = tuple(url for url in (tracker.http_url, tracker.udp_url) if url is not None)

        async def client(folder: Path, *, seed: bool) -> wildbach.Torrent:
            session = await stack.enter_async_context(wildbach.Session(settings))
            options = wildbach.AddOptions(save_path=folder, trackers=trackers, seed_only=seed)
            return await session.add(metainfo, options)

        await (await client(data, seed=True)).complete()
        leeches = [await client(work / name, seed=False) for name in ("one", "two")]
        for leech in leeches:
            await leech.complete()
            print("complete:", leech.view().save_path, "from", leech.view().peers, "peers")


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:4])))
