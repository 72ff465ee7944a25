"""transmission-daemon as a peer.

It takes loopback addresses for bogus and never dials them: the other side has to dial. As a leech it must therefore be
known to the tracker before the seed announces.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.interop.peers.base import Address, Daemon, Program, free_port, poll, post
from tests.interop.peers.process import ChildError

MISSING = None if shutil.which("transmission-daemon") else "transmission-daemon is not installed"

SETTINGS: dict[str, object] = {
    "bind-address-ipv4": "127.0.0.1",
    "bind-address-ipv6": "::1",
    "dht-enabled": False,
    "lpd-enabled": False,
    "pex-enabled": False,
    "utp-enabled": False,
    "port-forwarding-enabled": False,
    "encryption": 0,
    "download-queue-enabled": False,
    "seed-queue-enabled": False,
    "ratio-limit-enabled": False,
    "idle-seeding-limit-enabled": False,
    "rename-partial-files": False,
    "incomplete-dir-enabled": False,
    "rpc-authentication-required": False,
    "rpc-bind-address": "127.0.0.1",
    "rpc-host-whitelist-enabled": False,
    "rpc-whitelist-enabled": False,
    "upload-slots-per-torrent": 50,
    "preallocation": 0,
    "scrape-paused-torrents-enabled": False,
}
CHECK_WAIT, CHECKING = 1, 2


class Transmission(Program):
    name = "transmission"
    makes_empty_files = False
    dials = False
    knows_udp_trackers = True

    def __init__(self, work: Path, settings: Mapping[str, object] | None = None) -> None:
        self.endpoint: Address = ("127.0.0.1", free_port())
        rpc = free_port()
        config = work / "config"
        config.mkdir(parents=True, exist_ok=True)
        ports = {"peer-port": self.endpoint[1], "rpc-port": rpc}
        chosen = {**SETTINGS, **(settings or {}), **ports, "download-dir": str(work)}
        (config / "settings.json").write_text(json.dumps(chosen))
        self._url = f"http://127.0.0.1:{rpc}/transmission/rpc"
        self._session = ""
        self._torrent = 0
        self.begin(Daemon(
            ["transmission-daemon", "--foreground", "--config-dir", str(config), "--log-info"],
            work / "transmission.log",
            env={**os.environ, "HOME": str(work), "TR_CURL_SSL_NO_VERIFY": "1"},
        ))

    def answers(self) -> bool:
        self.version: str = self.call("session-get", fields=["version"])["version"]
        return True

    def call(self, method: str, **arguments: object) -> dict[str, Any]:
        answer = self.ask({"method": method, "arguments": arguments})
        if answer is None or answer["result"] != "success":
            raise ChildError(f"{method}: {answer}\n{self._daemon.story()}")
        facts: dict[str, Any] = answer["arguments"]
        return facts

    def ask(self, body: object) -> Any:
        """What it answers to a JSON value."""
        status, headers, answer = post(self._url, body, {"X-Transmission-Session-Id": self._session})
        if status == 409:
            self._session = headers["X-Transmission-Session-Id"]
            _, _, answer = post(self._url, body, {"X-Transmission-Session-Id": self._session})
        return answer

    def _add(self, source: Path | str, folder: Path, **arguments: object) -> None:
        if isinstance(source, Path):
            what = {"metainfo": base64.b64encode(source.read_bytes()).decode()}
        else:
            what = {"filename": source}
        added = self.call("torrent-add", **{"download-dir": str(folder), **what, **arguments})
        self._torrent = (added.get("torrent-added") or added["torrent-duplicate"])["id"]

    def _row(self) -> dict[str, Any]:
        fields = [
            "status", "leftUntilDone", "metadataPercentComplete", "error", "errorString", "totalSize", "haveValid",
            "peersConnected", "trackerStats",
        ]
        row: dict[str, Any] = self.call("torrent-get", ids=[self._torrent], fields=fields)["torrents"][0]
        if row["error"] == 3:
            raise ChildError(f"{row['errorString']}\n{self._daemon.story()}")
        return row

    def seed(self, torrent: Path, parent: Path) -> None:
        self._add(torrent, parent, paused=True)
        self.call("torrent-verify", ids=[self._torrent])
        self.wait_complete()
        self.call("torrent-start-now", ids=[self._torrent])

    def leech(self, source: Path | str, out: Path, peers: Sequence[Address] = ()) -> None:
        """It never dials loopback addresses; `peers` is not used."""
        self._add(source, out)

    def _complete(self) -> bool | None:
        row = self._row()
        known = row["metadataPercentComplete"] == 1 and row["totalSize"] > 0
        done = known and row["leftUntilDone"] == 0 and row["haveValid"] == row["totalSize"]
        return True if done and row["status"] not in (CHECK_WAIT, CHECKING) else None

    def wait_complete(self, seconds: float = 60.0) -> None:
        poll(self._complete, seconds, lambda: f"{self._row()}\n{self._daemon.story()}")
