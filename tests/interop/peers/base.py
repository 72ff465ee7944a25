"""What every foreign program can be told, and how its driver waits."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from tests import encounters
from tests.interop.peers.process import ChildError, stop

T = TypeVar("T")
Address = tuple[str, int]


class Peer(Protocol):
    """One foreign program with one torrent."""

    name: str
    makes_empty_files: bool
    "Whether a download of it has the files of no bytes."
    dials: bool
    "Whether it connects to peers on loopback by itself, or has to be dialled."
    knows_udp_trackers: bool
    endpoint: Address
    "Where it listens for peers."

    def seed(self, torrent: Path, parent: Path) -> None:
        """Offer the content, which lies in `parent` under the torrent's name. Returns once it is checked."""

    def leech(self, source: Path | str, out: Path, peers: Sequence[Address] = ()) -> None:
        """Begin to download a .torrent file or a magnet link into `out`."""

    def wait_complete(self, seconds: float = 60.0) -> None:
        """Until it holds all content, on disk."""

    def close(self) -> None: ...


class Closing:
    """Leaving the context ends the program."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for TCP and UDP alike, for programs that cannot take port 0.

    It lies below those that the system gives out, so that nobody gets it by chance before the program binds it.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((host, port))
                udp.bind((host, port))
            except OSError:
                continue
            return port


def poll(look: Callable[[], T | None], seconds: float, story: Callable[[], str]) -> T:
    """What `look` finds, asked again every 50 ms: for programs that tell nothing by themselves."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise ChildError(f"nothing after {seconds:.0f} s: {story()}")
        pause.wait(0.05)


class Daemon(Closing):
    """A program that writes a log and is asked over HTTP."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
            )

    def story(self) -> str:
        return f"{self.process.args!r} (exit {self.process.poll()})\n{self.log.read_text(errors='replace')[-3000:]}"

    def close(self) -> None:
        stop(self.process)


class Program(Closing):
    """A foreign program that runs as a daemon. It has started once it answers; that is noted (`tests.encounters`)."""

    name: str
    _daemon: Daemon

    def begin(self, daemon: Daemon) -> None:
        self._daemon = daemon
        try:
            poll(self._there, 20, daemon.story)
        except BaseException:
            self.close()
            raise

    def _there(self) -> bool | None:
        if self._daemon.process.poll() is not None:
            raise ChildError(self._daemon.story())
        try:
            if not self.answers():
                return None
        except OSError:
            return None
        encounters.note(self.name)
        return True

    def answers(self) -> bool:
        """Ask it something. Raises OSError, or says False, while it is not ready."""
        raise NotImplementedError

    def close(self) -> None:
        self._daemon.close()


def post(url: str, body: object, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str], Any]:
    """POST JSON; status, headers and the JSON answer. Raises OSError where nobody listens yet."""
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), all_headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            data = error.read()
        return error.code, error.headers, json.loads(data) if data.startswith(b"{") else None
