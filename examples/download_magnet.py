"""Download a magnet link and print what happens: python download_magnet.py MAGNET FOLDER [HOST:PORT]"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import wildbach


async def main(link: str, folder: Path, *peers: str) -> None:
    async with wildbach.Session() as session:
        with session.subscribe() as events:
            torrent = await session.add(
                wildbach.Magnet.parse(link), wildbach.AddOptions(save_path=folder, peers=wildbach.endpoints(peers))
            )
            async for event in events:
                match event:
                    case wildbach.MetadataReady():
                        print("name:", torrent.name)
                    case wildbach.PieceDone():
                        view = torrent.view()
                        print(f"{view.progress:.1%} from {view.peers} peers")
                    case wildbach.TorrentStopped():
                        raise SystemExit(event.reason)
                    case wildbach.TorrentComplete():
                        break
        # complete() waits until every byte is flushed to the disk
        await torrent.complete()
        print("complete:", folder / torrent.name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
