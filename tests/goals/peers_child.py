"""Seeds torrents for idle peers: `peers_child.py PEERS`. Prints its port and hashes, then what the peers cost."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time

from cold_child import rss

from wildbach.disk.memory import MemoryStorage
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DiskSettings, Settings
from wildbach.testing.content import content

EACH = 200
"Peers of one torrent."
IDLE_SECONDS = 3.0


async def hold(count: int) -> None:
    chosen = Settings(
        ConnectionSettings(listen=("127.0.0.1:0",), most=count + 100, per_torrent=EACH),
        disk=DiskSettings(workers="threads"),
    )
    def storage(info: object, _options: object) -> MemoryStorage:
        return MemoryStorage(info)  # type: ignore[arg-type]  # an info dictionary

    async with Session(chosen, announcers=(), storage=storage) as session:
        hashes = []
        for number in range(-(-count // EACH)):
            what = content(1 << 16, 1 << 14, seed=number, name=f"n{number}")
            await (await session.add(what.torrent, AddOptions(skip_check=True))).complete()
            hashes.append(what.swarm.hex())
        gc.collect()
        before = rss()
        print(json.dumps({"port": session.listening[0].port, "hashes": hashes}), flush=True)
        while sum(torrent.connected for torrent in session.torrents) < count:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        gc.collect()
        each = (rss() - before) / count
        cpu = time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (time.process_time() - cpu) / IDLE_SECONDS
        there = sum(torrent.connected for torrent in session.torrents)
        print(json.dumps({"bytes_each": each, "idle": idle, "peers": there}), flush=True)


if __name__ == "__main__":
    asyncio.run(hold(int(sys.argv[1])))
