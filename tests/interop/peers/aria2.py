"""aria2c as a peer, one process a torrent, asked over its JSON-RPC."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.interop.peers.base import Address, Daemon, Program, free_port, poll, post
from tests.interop.peers.process import ChildError

MISSING = None if shutil.which("aria2c") else "aria2c is not installed (Debian: aria2)"


class Aria2(Program):
    name = "aria2"
    makes_empty_files = True
    dials = True
    knows_udp_trackers = False  # its UDP socket belongs to the DHT, which is off

    def __init__(self, work: Path, options: Sequence[str] = ()) -> None:
        self.endpoint: Address = ("127.0.0.1", free_port())
        self._rpc = free_port()
        work.mkdir(parents=True, exist_ok=True)
        self.begin(Daemon(
            [
                "aria2c", "--no-conf=true", "--enable-rpc=true", f"--rpc-listen-port={self._rpc}",
                f"--listen-port={self.endpoint[1]}", "--interface=127.0.0.1", "--disable-ipv6=true",
                "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false",
                "--bt-tracker-interval=5", "--seed-ratio=0.0", "--bt-hash-check-seed=true", "--check-integrity=true",
                "--bt-max-peers=0", "--bt-request-peer-speed-limit=0", "--file-allocation=none",
                "--allow-overwrite=true",
                "--bt-min-crypto-level=plain", "--console-log-level=warn", "--summary-interval=0",
                "--auto-save-interval=0", f"--dir={work}", *options,
            ],
            work / "aria2.log",
        ))

    def answers(self) -> bool:
        self.version: str = self._call("aria2.getVersion")["version"]
        return True

    def _call(self, method: str, *params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": "1", "method": method, "params": params}
        _, _, answer = post(f"http://127.0.0.1:{self._rpc}/jsonrpc", body)
        if answer is None or "error" in answer:
            raise ChildError(f"{method}: {answer}\n{self._daemon.story()}")
        return answer["result"]

    def _add(self, source: Path | str, folder: Path) -> None:
        options = {"dir": str(folder)}
        if isinstance(source, Path):
            self._call("aria2.addTorrent", base64.b64encode(source.read_bytes()).decode(), [], options)
        else:
            self._call("aria2.addUri", [source], options)

    def seed(self, torrent: Path, parent: Path) -> None:
        self._add(torrent, parent)
        self.wait_complete()

    def leech(self, source: Path | str, out: Path, peers: Sequence[Address] = ()) -> None:
        """aria2 learns of peers from trackers only; `peers` is not used."""
        self._add(source, out)

    def _complete(self) -> bool | None:
        keys = ["status", "completedLength", "totalLength", "errorMessage", "bittorrent", "seeder"]
        for row in [*self._call("aria2.tellActive", keys), *self._call("aria2.tellStopped", 0, 10, keys)]:
            if row["status"] == "error":
                raise ChildError(f"{row}\n{self._daemon.story()}")
            # A magnet is first a download of its metadata, which has no `info`.
            known = "info" in row.get("bittorrent", {})
            if known and row.get("seeder") == "true" and row["completedLength"] == row["totalLength"]:
                return True
        return None

    def wait_complete(self, seconds: float = 60.0) -> None:
        poll(self._complete, seconds, lambda: f"{self._call('aria2.tellActive')}\n{self._daemon.story()}")
