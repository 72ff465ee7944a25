"""qbittorrent-nox: the program whose API we speak."""

from __future__ import annotations

import os
import shutil
import urllib.parse
import urllib.request
from pathlib import Path

from tests.interop.peers.base import Daemon, Program, free_port

MISSING = None if shutil.which("qbittorrent-nox") else "qbittorrent-nox is not installed (Debian: qbittorrent-nox)"
USER, PASSWORD = "admin", "adminadmin"
_CONFIG = """\
[LegalNotice]
Accepted=true
[BitTorrent]
Session\\Interface=lo
Session\\InterfaceName=lo
Session\\Port={peers}
Session\\DefaultSavePath={downloads}
Session\\DHTEnabled=false
Session\\LSDEnabled=false
[Network]
PortForwardingEnabled=false
[Preferences]
WebUI\\Address=127.0.0.1
WebUI\\Port={port}
WebUI\\UseUPnP=false
WebUI\\LocalHostAuth=true
"""


class QBittorrent(Program):
    """Listens on loopback only. Debian's release has a default password."""

    name = "qbittorrent-nox"

    def __init__(self, work: Path) -> None:
        self.port = free_port()
        folder = work / "profile" / "qBittorrent" / "config"
        folder.mkdir(parents=True)
        downloads = work / "downloads"
        downloads.mkdir()
        (folder / "qBittorrent.conf").write_text(_CONFIG.format(port=self.port, peers=free_port(), downloads=downloads))
        self.begin(Daemon(
            ["qbittorrent-nox", f"--profile={work / 'profile'}", f"--webui-port={self.port}"], work / "nox.log",
            {**os.environ, "HOME": str(work), "QT_QPA_PLATFORM": "offscreen"},
        ))

    def answers(self) -> bool:
        return bool(self.version())

    def version(self) -> str:
        """As it says itself, like v4.5.2."""
        root = f"http://127.0.0.1:{self.port}/api/v2"
        body = urllib.parse.urlencode({"username": USER, "password": PASSWORD}).encode()
        with urllib.request.urlopen(f"{root}/auth/login", body, timeout=10) as answer:
            cookie = answer.headers["Set-Cookie"].split(";")[0]
        request = urllib.request.Request(f"{root}/app/version", headers={"Cookie": cookie})
        with urllib.request.urlopen(request, timeout=10) as answer:
            said: str = answer.read().decode()
        return said
