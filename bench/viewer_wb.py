"""A viewer by wildbach: a reader of the torrent's only file, with the map of the film."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench import viewing

import wildbach
from wildbach.base import bitfield
from wildbach.base.settings import from_dict


async def view(asked: viewing.Words) -> None:
    index = await viewing.index_of(Path(asked.film))
    settings = from_dict(wildbach.Settings, {"connections.listen": [f"{asked.host}:0"], "peers.pex": False})
    home = Path(asked.home)
    async with wildbach.Session(settings, data_dir=home / "state") as session:
        began = time.monotonic()
        torrent = await session.add(Path(asked.torrent), wildbach.AddOptions(save_path=home / "out"))
        for host, port in asked.peers:
            torrent.add_peer(wildbach.Endpoint(host, port))
        info = await torrent.metadata()

        def here(offset: int) -> bool:
            known = torrent.content
            return known is not None and bitfield.has(
                known.picker.have, offset // info.piece_length, known.picker.width)

        async with torrent.open(0) as reader:
            reader.set_map(index)
            await viewing.evening(asked, began, reader, index, here)
        os._exit(0)


if __name__ == "__main__":
    viewing.main(view)
