"""redis-server on loopback: can be killed and started again at the same port."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from tests.interop.peers.base import Daemon, Program, free_port

MISSING = None if shutil.which("redis-server") else "redis-server is not installed (Debian: redis-server)"


class Redis(Program):
    """Keeps nothing on disk, so a new start is an empty one."""

    name = "redis"

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._work = work
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self.begin(Daemon(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", str(self._work)],
            self._work / "redis.log",
        ))

    def answers(self) -> bool:
        return self.ask("PING") == b"+PONG\r\n"

    def ask(self, *words: str) -> bytes:
        """One command; the beginning of its raw reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as sock:
            sock.sendall(" ".join(words).encode() + b"\r\n")
            return sock.recv(65536)

    def kill(self) -> None:
        self._daemon.process.kill()
        self._daemon.process.wait()
