"""Read one second of a film here and there while it comes: python read_while_it_comes.py TORRENT FOLDER"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import wildbach
from wildbach.engine.reader import Reader
from wildbach.engine.timemap import TimeMap, read_map


async def main(torrent: Path, folder: Path) -> None:
    async with wildbach.Session() as session:
        film = await session.add(torrent, wildbach.AddOptions(save_path=folder))
        async with film.open(0) as reader:  # what it reads is fetched first
            index = await read_map(reader.read, reader.size)
            reader.set_map(index)  # from now on what is played next comes next, in time
            if index is None:
                print("no index: the first bytes are", (await reader.read(0, 16)).hex())
                return
            print(f"{index.duration:.0f} seconds")
            for start in (0.0, index.duration / 2):
                print(f"second {start:.0f}: {len(await second(reader, index, start))} bytes")


async def second(reader: Reader, index: TimeMap, start: float) -> bytes:
    """What is played in one second, from the keyframe at or before `start` on; every byte of it is verified."""
    begin = index.keyframe(start)
    at, stop = index.offset(begin), index.offset(begin + 1.0)
    out = bytearray()
    while at + len(out) < stop and (data := await reader.read(at + len(out), stop - at - len(out))):
        out += data
    return bytes(out)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
