"""opentracker, with a list of the torrents it serves."""

from __future__ import annotations

import os
import shutil
import urllib.request
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from urllib.parse import quote_from_bytes

from tests.interop.peers.base import Daemon, Program, free_port

from wildbach.protocol import bencode

MISSING = None if shutil.which("opentracker") else "opentracker is not installed (Debian: opentracker)"
_FRESH = count(1)


class OpenTracker(Program):
    """Each has an address of its own: libtorrent keeps UDP connection ids by address alone."""

    name = "opentracker"

    def __init__(self, work: Path, serves: Sequence[bytes]) -> None:
        self.host = f"127.72.0.{next(_FRESH)}"
        self.port = free_port(self.host)
        self._serves = serves
        self.http = f"http://{self.host}:{self.port}/announce"
        self.udp = f"udp://{self.host}:{self.port}/announce"
        work.mkdir(parents=True, exist_ok=True)
        # As root it insists on another user, and on a folder that this user can read.
        work.chmod(0o755)
        (work / "allowed").write_text("".join(f"{swarm.hex()}\n" for swarm in serves))
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.begin(Daemon(
            ["opentracker", "-i", self.host, "-p", str(self.port), "-P", str(self.port), "-w", "allowed",
             "-d", str(work), *user],
            work / "opentracker.log",
        ))

    def answers(self) -> bool:
        # It answers before it has read its list. Who says good-bye is not looked up there, so somebody comes first.
        if b"failure" in self._say("started"):
            return False
        self._say("stopped")
        return True

    def _say(self, event: str) -> bytes:
        swarm = quote_from_bytes(self._serves[0], safe="")
        url = f"{self.http}?info_hash={swarm}&peer_id={'x' * 20}&port=1&left=1&event={event}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            said: bytes = answer.read()
        return said

    def swarm(self, info_hash: bytes) -> tuple[int, int, int]:
        """Seeds, leeches and completed downloads of a swarm, asked over plain HTTP."""
        url = f"http://{self.host}:{self.port}/scrape?info_hash={quote_from_bytes(info_hash, safe='')}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            files = bencode.decode_prefix(answer.read(), strict=False)[0][b"files"]
        found = files.get(info_hash, {})
        return found.get(b"complete", 0), found.get(b"incomplete", 0), found.get(b"downloaded", 0)
