"""wildbach itself as a peer: its command line in a process of its own, as a person would run it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.interop.peers.base import Address, Closing
from tests.interop.peers.process import ChildError, JsonProcess

ROOT = Path(__file__).parents[3]


def wildbach(*words: object) -> JsonProcess:
    """`wildbach WORDS`, with JSON on stdout."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return JsonProcess([sys.executable, "-m", "wildbach.interfaces.cli.main", *(str(word) for word in words)], env=env)


def create(content: Path, out: Path, kind: str, *, piece_length: int = 64 * 1024, trackers: Sequence[str] = ()) -> Path:
    """A torrent made by `wildbach create`."""
    words: list[object] = ["-o", out, f"--{kind}", "--piece-length", piece_length, "--json"]
    for url in trackers:
        words += ["--tracker", url]
    with wildbach("create", content, *words) as process:
        if process.exit_code(600) != 0:
            raise ChildError(process.story())
    return out


class Wildbach(Closing):
    """Seeds or gets one torrent; `endpoint` is known once it seeds."""

    name = "wildbach"
    makes_empty_files = True
    dials = True
    knows_udp_trackers = True

    def __init__(self, work: Path) -> None:
        self._state = work
        self._process: JsonProcess | None = None
        self.endpoint: Address = ("127.0.0.1", 0)

    @property
    def process(self) -> JsonProcess:
        assert self._process is not None
        return self._process

    def seed(self, torrent: Path, parent: Path) -> None:
        self._process = wildbach(
            "seed", torrent, "--data", parent, "--listen", "127.0.0.1:0", "--state", self._state, "--json",
        )
        at = self._process.wait("listening")["at"][0]
        self.endpoint = ("127.0.0.1", int(at.rpartition(":")[2]))
        self._process.wait("state_changed", state="seeding", seconds=120)

    def leech(self, source: Path | str, out: Path, peers: Sequence[Address] = ()) -> None:
        known = [word for host, port in peers for word in ("--peer", f"{host}:{port}")]
        self._process = wildbach(
            "get", source, "-o", out, "--listen", "127.0.0.1:0", "--state", self._state, *known, "--json",
        )

    def wait_complete(self, seconds: float = 60.0) -> None:
        self.process.wait("finished", code=0, seconds=seconds)
        if self.process.exit_code(20) != 0:
            raise ChildError(self.process.story())

    def close(self) -> None:
        if self._process is not None:
            self._process.close()


class Tracker(Closing):
    """`wildbach tracker`."""

    def __init__(self, interval: int = 30) -> None:
        self.process = wildbach("tracker", "--listen", "127.0.0.1:0", "--interval", interval, "--json")
        self.http, self.udp = self.process.wait("listening")["urls"]

    def wait_for(self, count: int, seconds: float = 30.0) -> dict[str, Any]:
        """Until it knows of so many peers."""
        return self.process.wait("stats", where=lambda event: event["peers"] >= count, seconds=seconds)

    def close(self) -> None:
        self.process.close()
