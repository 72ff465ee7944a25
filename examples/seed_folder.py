"""Make a torrent of a folder and seed it until Ctrl-C: python seed_folder.py FOLDER [TRACKER-URL]"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import wildbach
from wildbach.protocol.metainfo.builder import BuildPlan, SourceFile, hash_pieces


def make_torrent(folder: Path, trackers: list[str]) -> wildbach.Metainfo:
    files = [
        SourceFile(path.relative_to(folder).parts, path.stat().st_size)
        for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    plan = BuildPlan(folder.name, files)  # hybrid: for old and new clients

    def read(file: int, offset: int, length: int) -> bytes:
        with folder.joinpath(*plan.files[file].path).open("rb") as source:
            source.seek(offset)
            return source.read(length)

    for pieces in plan.jobs():
        plan.add(pieces, *hash_pieces(plan, pieces, read))
    return plan.finish(trackers=[[url] for url in trackers])


async def main(folder: Path, *trackers: str) -> None:
    torrent_file = make_torrent(folder, list(trackers))
    Path(f"{folder.name}.torrent").write_bytes(torrent_file.to_bytes())
    async with wildbach.Session() as session:
        options = wildbach.AddOptions(save_path=folder.parent, seed_only=True)
        torrent = await session.add(torrent_file, options)
        await torrent.complete()  # what is there has been checked
        print(f"seeding {torrent.name} at {', '.join(map(str, session.listening))}", flush=True)
        while True:
            await asyncio.sleep(5)
            view = torrent.view()
            print(f"{view.peers} peers, {view.uploaded:,} bytes given")


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(os.path.abspath(sys.argv[1])), *sys.argv[2:]))
    except KeyboardInterrupt:
        print("bye")
