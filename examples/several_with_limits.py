"""Several torrents in one session, with limits: python several_with_limits.py FOLDER TORRENT..."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import wildbach

MIB = 1 << 20


async def main(folder: Path, *names: str) -> None:
    settings = wildbach.Settings(rates=wildbach.RateSettings(down=20 * MIB, up=5 * MIB, limit_local=True))
    async with wildbach.Session(settings) as session:
        torrents = [
            await session.add(Path(name), wildbach.AddOptions(save_path=folder, down_limit=10 * MIB))
            for name in names
        ]
        async with asyncio.TaskGroup() as tasks:
            for torrent in torrents:
                tasks.create_task(finish(torrent))


async def finish(torrent: wildbach.Torrent) -> None:
    try:
        await torrent.complete()
    except wildbach.StorageError as error:
        print(f"{torrent.name}: stopped: {error}")
    else:
        view = torrent.view()
        print(f"{torrent.name}: complete, {view.downloaded:,} bytes received, {view.uploaded:,} given")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
