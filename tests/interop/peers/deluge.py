"""deluged as a program that has torrents, told what to do by Deluge's own client library, on loopback only."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.interop.peers.base import Address, Closing, Daemon, free_port
from tests.interop.peers.process import JsonProcess, stop

PYTHON = "/usr/bin/python3"
"The one that Debian's deluge is installed for."
MISSING = None if shutil.which("deluged") else "deluged is not installed"

_CORE: dict[str, object] = {
    "dht": False, "lsd": False, "upnp": False, "natpmp": False, "utpex": False, "random_port": False,
    "listen_interface": "127.0.0.1", "outgoing_interface": "127.0.0.1", "allow_remote": False,
    "enabled_plugins": ["Label"], "new_release_check": False, "geoip_db_location": "", "pre_allocate_storage": False,
}


class Deluge(Closing):
    """It has started once the client in `deluge_child.py` is logged in."""

    name = "deluge"

    def __init__(self, work: Path) -> None:
        self.config = work / "config"
        self.saves = work / "default saves"
        self.endpoint: Address = ("127.0.0.1", free_port())
        port = free_port()
        self.config.mkdir(parents=True, exist_ok=True)
        self.saves.mkdir(exist_ok=True)
        core = {
            **_CORE, "daemon_port": port, "listen_ports": [self.endpoint[1]] * 2, "download_location": str(self.saves),
        }
        version = {"file": 1, "format": 1}
        (self.config / "core.conf").write_text(json.dumps(version) + json.dumps(core))
        (self.config / "auth").write_text("localclient:secret:10\n")
        env = {**os.environ, "HOME": str(work), "XDG_CACHE_HOME": str(work / "cache"), "PYTHONWARNINGS": "ignore"}
        self._daemon = Daemon(
            ["deluged", "--do-not-daemonize", "--config", str(self.config), "--loglevel", "warning"],
            work / "deluged.log", env=env,
        )
        self._child = JsonProcess(
            [PYTHON, "-P", str(Path(__file__).with_name("deluge_child.py")), str(port), "localclient", "secret"],
            env=env,
        )
        try:
            self.version = str(self._child.wait("ready", seconds=30)["version"])
        except BaseException:
            self.close()
            raise

    def call(self, method: str, *args: object) -> Any:
        """One method of Deluge's RPC."""
        self._child.send(method=method, args=args)
        return self._child.wait("answer")["value"]

    def close(self) -> None:
        self._child.close()
        stop(self._daemon.process, 15)
