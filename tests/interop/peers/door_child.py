"""A client with its web server and the doors of other clients' programs, as a process of its own. It tells where it
listens as a JSON line, and ends with its input.

Run as `python door_child.py FOLDER '{"user": "admin", "password": "...", "settings": {"key": value}}'`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from wildbach.base.settings import Layers
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import open_api
from wildbach.interfaces.doors.qbittorrent.door import PREFIX, Door
from wildbach.interfaces.http.access import Access
from wildbach.interfaces.http.server import WebServer
from wildbach.interfaces.settings import ApiSettings, ClientSettings

_QUIET: dict[str, Any] = {
    "connections.listen": ["127.0.0.1:0"], "dht.enabled": False, "discovery.lsd": False, "discovery.upnp": False,
    "discovery.natpmp": False, "disk.workers": "threads", "trackers.dns_preferences": False,
}


async def main(folder: Path, given: dict[str, Any]) -> None:
    settings = _QUIET | {
        "downloads.folder": str(folder / "downloads"), "downloads.allowed": [str(folder.parent)],
    } | given.get("settings", {})
    loaded = asyncio.Event()
    async with open_api(Layers(ClientSettings, file=settings), folder / "data", loaded=loaded) as api:
        await loaded.wait()
        options = ApiSettings()
        access = Access(api.core.session, lambda: options)
        await access.load()
        await access.set_password(m.Password(given["password"], user=given["user"]))
        server = WebServer(api, access, options)  # type: ignore[arg-type]  # parts of the Api are added by others
        server.mount(PREFIX, Door(api))  # type: ignore[arg-type]  # the same
        at = await server.http.start("127.0.0.1", 0)
        sys.stdout.write(json.dumps({"event": "ready", "host": at.host, "port": at.port}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        await server.close()
        access.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
