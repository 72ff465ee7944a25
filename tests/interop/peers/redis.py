"""redis-server on loopback: can be killed and started again at the same port."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from tests import encounters
from tests.interop.peers.base import Closing, Daemon, free_port, poll
from tests.interop.peers.process import ChildError

MISSING = None if shutil.which("redis-server") else "redis-server is not installed (Debian: redis-server)"


class Redis(Closing):
    """Keeps nothing on disk, so a new start is an empty one."""

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._work = work
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self._daemon = Daemon(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", str(self._work)],
            self._work / "redis.log",
        )
        try:
            poll(self._alive, 20, self._daemon.story)
        except BaseException:
            self.close()
            raise

    def _alive(self) -> bool | None:
        if self._daemon.process.poll() is not None:
            raise ChildError(self._daemon.story())
        try:
            if self.ask("PING") != b"+PONG\r\n":
                return None
        except OSError:
            return None
        encounters.note("redis")
        return True

    def ask(self, *words: str) -> bytes:
        """One command; the beginning of its raw reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(" ".join(words).encode() + b"\r\n")
            return sock.recv(65536)

    def kill(self) -> None:
        self._daemon.process.kill()
        self._daemon.process.wait()

    def close(self) -> None:
        self._daemon.close()
