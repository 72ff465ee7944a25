"""Publish a torrent under a key and follow it, on this machine: python publish_and_follow.py TORRENT SOURCE FOLDER

SOURCE holds the torrent's content. Three sessions are a DHT of their own; the follower knows nothing but the link.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import wildbach


def settings(*nodes: wildbach.Endpoint) -> wildbach.Settings:
    """Listen on this machine, and begin with these nodes of the DHT."""
    return wildbach.Settings(
        connections=wildbach.ConnectionSettings(listen=("127.0.0.1:0",)),
        dht=wildbach.DhtSettings(bootstrap=tuple(str(node) for node in nodes)),
    )


async def main(torrent: Path, source: Path, folder: Path) -> None:
    async with wildbach.Session(settings()) as middle:
        near = settings(*middle.dht.endpoints)
        async with (
            wildbach.Session(near, data_dir=folder / "publisher") as publisher, wildbach.Session(near) as follower,
        ):
            seed = await publisher.add(torrent, wildbach.AddOptions(save_path=source, seed_only=True))
            await seed.complete()
            published = await publisher.mutables.publish(seed, key="news")
            print("link:", published.link.to_uri())  # never changes; publish again to say what is the newest

            with follower.subscribe(wildbach.MutableUpdated) as updates:
                copy = await follower.add(published.link, wildbach.AddOptions(save_path=folder / "copy"))
                print("number", (await anext(updates)).to_dict()["seq"])
            await copy.complete()
            print("complete:", folder / "copy" / copy.name)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
