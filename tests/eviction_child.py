"""A session that removes a torrent from its cache and is killed on the way: `eviction_child.py FOLDER STEP`.

Steps are those of `removal_child`. It dies right before that step; it prints how many there were where it lived.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from caches import settings
from cli_torrents import CONTENT, torrent_of, write_content
from removal_child import Steps
from wildbach.disk.database import Database
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session


async def evict(folder: Path, steps: Steps) -> None:
    made = torrent_of()
    write_content(folder / "data" / "cache" / made.info.hashes.key / "things", CONTENT)
    async with Session(settings(), data_dir=folder / "data") as session:
        torrent = await session.add(made, AddOptions(cache="site"))
        await torrent.complete()
        await session.content.pin(torrent.key)
        await session.content.unpin(torrent.key)
        steps.armed = True
        await session.content.evict(torrent.key)
        steps.armed = False


if __name__ == "__main__":
    counted = Steps(int(sys.argv[2]))
    for place, name in ((os, "unlink"), (os, "rmdir"), (Database, "remove"), (Database, "keep")):
        setattr(place, name, counted.of(getattr(place, name)))
    asyncio.run(evict(Path(sys.argv[1]), counted))
    print(counted.taken)
