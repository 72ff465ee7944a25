"""A wildbach session as a process of its own, driven by the commands and events of tests/interop/peers/lt_child.py."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import wildbach
from wildbach.base.settings import from_dict
from wildbach.interfaces.cli import create
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.scan import scan
from wildbach.runtime.tasks import Scope

LOOPBACK = {"connections.listen": ["127.0.0.1:0"], "peers.pex": False}
BUSY = ("checking", "metadata")
"States in which a torrent that was just added is not yet ready for peers."


def emit(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "t": time.monotonic(), **facts}) + "\n")
    sys.stdout.flush()


class Side:
    def __init__(self, session: wildbach.Session, scope: Scope) -> None:
        self.session = session
        self.scope = scope
        self.torrents: dict[str, wildbach.Torrent] = {}

    async def do_add(
        self, id: str, save: str, torrent: str = "", magnet: str = "", peers: list[list[Any]] | None = None,
        seed_mode: bool = False,
    ) -> None:
        options = wildbach.AddOptions(save_path=Path(save), skip_check=seed_mode, existing="overwrite")
        source = Path(torrent) if torrent else magnet
        self.torrents[id] = added = await self.session.add(source, options)
        self.scope.spawn(f"watch:{id}", self.watch(id, added))
        await self.do_connect(id, peers or [])

    async def do_add_many(self, folder: str, save: str, count: int, first: int = 0) -> None:
        options = wildbach.AddOptions(save_path=Path(save), skip_check=True, seed_only=True)
        for number in range(first, first + count):
            await self.session.add(Path(folder) / f"{number}.torrent", options)
        emit("added_many")

    async def do_restore(self) -> None:
        """Take on what the database remembers."""
        emit("added_many", count=await self.session.restore())

    async def do_create(self, path: str, out: str, piece_length: int, kind: str) -> None:
        begin = time.monotonic()
        wishes = create.Wishes(kind=kind, piece_length=piece_length)
        made = await create.make(scan(Path(path)), wishes, Stop(), quiet=True)
        Path(out).write_bytes(made.to_bytes())
        emit("created", seconds=time.monotonic() - begin)

    async def watch(self, id: str, torrent: wildbach.Torrent) -> None:
        while torrent.view().state in BUSY:
            await asyncio.sleep(0.005)
        emit("checked", id=id, state=torrent.view().state)
        await torrent.complete()
        emit("finished", id=id)

    async def connections(self) -> None:
        async for _ in self.session.subscribe(wildbach.PeerConnected):
            emit("connected")

    async def do_start(self, id: str, peers: list[list[Any]]) -> None:
        emit("started", id=id)
        await self.do_connect(id, peers)

    async def do_connect(self, id: str, peers: list[list[Any]]) -> None:
        for host, port in peers:
            self.torrents[id].add_peer(wildbach.Endpoint(host, port))

    async def do_recheck(self, id: str) -> None:
        emit("rechecking", id=id)
        await self.torrents[id].recheck()
        emit("checked", id=id)

    async def do_status(self, id: str) -> None:
        view = self.torrents[id].view()
        emit(
            "status", id=id, state=view.state, done=view.done, wanted=view.wanted, peers=view.peers,
            down=view.downloaded, up=view.uploaded,
        )


async def commands(side: Side) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        words = json.loads(line)
        name = words.pop("cmd")
        if name == "quit":
            break
        await getattr(side, "do_" + name)(**words)


async def main() -> None:
    values = json.loads(sys.argv[1])
    settings = from_dict(wildbach.Settings, {**LOOPBACK, **values.get("settings", {})})
    async with Scope("bench") as scope, wildbach.Session(settings, data_dir=Path(values["data_dir"])) as session:
        emit("ready", port=session.listening[0].port)
        side = Side(session, scope)
        scope.spawn("connections", side.connections())
        await commands(side)
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
