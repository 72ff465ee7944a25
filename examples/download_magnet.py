"""Download a magnet link and print what happens: python download_magnet.py MAGNET FOLDER"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import wildbach


async def main(link: str, folder: Path) -> None:
    async with wildbach.Session() as session:
        with session.subscribe(wildbach.Event) as events:
            torrent = await session.add(wildbach.Magnet.parse(link), wildbach.AddOptions(save_path=folder))
            async for event in events:
                match event:
                    case wildbach.MetadataReady():
                        print(f"name: {event.title}, {event.size:,} bytes")
                    case wildbach.PieceDone():
                        view = torrent.view()
                        print(f"piece {event.piece}: {view.progress:.1%} from {view.peers} peers")
                    case wildbach.TorrentStopped():
                        sys.exit(f"stopped: {event.reason}")
                    case wildbach.TorrentComplete():
                        break  # every byte is verified and flushed to the disk
        print("complete:", folder / torrent.name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
