"""Proxies that were not written here: Dante (SOCKS5 with datagrams), microsocks (SOCKS5 with a password), tinyproxy
(HTTP CONNECT).
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.interop.peers.base import Daemon, Program, free_port
from tests.namespaces import Space

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
DANTED = shutil.which("danted", path=_PATH)
MICROSOCKS = shutil.which("microsocks", path=_PATH)
TINYPROXY = shutil.which("tinyproxy", path=_PATH)
MISSING = next((
    f"{program} is not installed (Debian: {package})" for program, package, found in (
        ("danted", "dante-server", DANTED), ("microsocks", "microsocks", MICROSOCKS),
        ("tinyproxy", "tinyproxy-bin", TINYPROXY),
    ) if found is None
), None)
USER, PASSWORD = "anna", "se/cr:et"


class _Listening(Program):
    """Ready once somebody can connect."""

    host: str
    port: int
    _space: Space | None = None

    def story(self) -> str:
        return self._daemon.log.read_text(errors="replace")

    def answers(self) -> bool:
        if self._space is not None:
            return f"{self.host}:{self.port} " in self._space.run("ss", "-ltn")
        with socket.create_connection((self.host, self.port), 0.5):
            return True


class Dante(_Listening):
    """Without a password. In a namespace it takes calls at `inside` and connects from `outside`."""

    name = "dante"

    def __init__(
        self, work: Path, *, space: Space | None = None, inside: str = "127.0.0.1",
        outside: Sequence[str] = ("127.0.0.1",), datagrams: bool = True,
    ) -> None:
        assert DANTED is not None
        work.mkdir(parents=True, exist_ok=True)
        self.host, self.port = inside, free_port() if space is None else 1080
        self._space = space
        commands = "bind connect udpassociate" if datagrams else "connect"
        config = work / "danted.conf"
        config.write_text("\n".join([
            "logoutput: stderr", f"internal: {inside} port = {self.port}",
            *(f"external: {one}" for one in outside), "external.rotation: route" if len(outside) > 1 else "",
            "clientmethod: none", "socksmethod: none", "user.privileged: root", "user.unprivileged: nobody",
            "client pass {", "from: 0/0 to: 0/0", "}",
            "socks pass {", "from: 0/0 to: 0/0", f"command: {commands}", "protocol: tcp udp", "}",
            "socks pass {", "from: 0/0 to: 0/0", "command: bindreply udpreply", "}", "",
        ]))
        prefix = space.prefix if space is not None else []
        self.begin(Daemon([*prefix, DANTED, "-f", str(config), "-p", str(work / "pid")], work / "danted.log"))

    @property
    def url(self) -> str:
        return f"socks5://{self.host}:{self.port}"


class Microsocks(_Listening):
    name = "microsocks"

    def __init__(self, work: Path) -> None:
        assert MICROSOCKS is not None
        work.mkdir(parents=True, exist_ok=True)
        self.host, self.port = "127.0.0.1", free_port()
        self.begin(Daemon(
            [MICROSOCKS, "-i", self.host, "-p", str(self.port), "-u", USER, "-P", PASSWORD], work / "microsocks.log"))

    @property
    def url(self) -> str:
        return f"socks5://{USER}:se%2Fcr%3Aet@{self.host}:{self.port}"


class Tinyproxy(_Listening):
    name = "tinyproxy"

    def __init__(self, work: Path) -> None:
        assert TINYPROXY is not None
        work.mkdir(parents=True, exist_ok=True)
        self.host, self.port = "127.0.0.1", free_port()
        config = work / "tinyproxy.conf"
        # It takes no odd characters in a password.
        config.write_text(
            f"Port {self.port}\nListen {self.host}\nTimeout 60\nMaxClients 50\nAllow 127.0.0.1\n"
            f"BasicAuth {USER} secret\nLogLevel Info\n"
        )
        self.begin(Daemon([TINYPROXY, "-d", "-c", str(config)], work / "tinyproxy.log"))

    @property
    def url(self) -> str:
        return f"http://{USER}:secret@{self.host}:{self.port}"
