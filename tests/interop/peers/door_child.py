"""A daemon with the doors of other clients' programs, as a process of its own. It tells where it listens as a JSON
line, and ends with its input.

Run as `python door_child.py FOLDER '{"user": "admin", "password": "...", "settings": {"key": value}}'`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wildbach.base.settings import Layers
from wildbach.interfaces.api import models as m
from wildbach.interfaces.cli.serve import mount
from wildbach.interfaces.daemon import run_daemon
from wildbach.interfaces.http import attempts, passwords
from wildbach.interfaces.settings import ClientSettings

_QUIET: dict[str, Any] = {
    "api.listen": ["127.0.0.1:0"], "api.unix_socket": False, "connections.listen": ["127.0.0.1:0"],
    "dht.enabled": False, "discovery.lsd": False, "discovery.upnp": False, "discovery.natpmp": False,
    "disk.workers": "threads", "trackers.dns_preferences": False,
}


# The suite logs in hundreds of times, breaks many logins off, and asks qBittorrent to permit a thousand wrong ones.
passwords._N = 1 << 8
attempts._FREE = 1000


async def main(folder: Path, given: dict[str, Any]) -> None:
    settings = _QUIET | {
        "downloads.folder": str(folder / "downloads"), "downloads.allowed": [str(folder.parent)],
    } | given.get("settings", {})
    async with run_daemon(Layers(ClientSettings, file=settings), folder / "state", mount=mount, environ={}) as daemon:
        await daemon.loaded.wait()
        await daemon.access.set_password(m.Password(given["password"], user=given["user"]))
        sys.stdout.write(json.dumps({"event": "ready", "port": urlsplit(daemon.urls[0]).port}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
