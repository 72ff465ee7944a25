"""rtorrent as a program that has torrents, told what to do over its SCGI socket."""

from __future__ import annotations

import os
import shutil
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any

from tests.interop.peers.base import Address, Daemon, Program, free_port

MISSING = None if shutil.which("rtorrent") else "rtorrent is not installed"

_CONFIG = """
system.daemon.set = true
session.path.set = "{session}"
directory.default.set = "{saves}"
network.scgi.open_local = "{socket}"
network.port_range.set = {port}-{port}
network.port_random.set = no
network.bind_address.set = 127.0.0.1
dht.mode.set = off
protocol.pex.set = no
trackers.use_udp.set = yes
"""


class RTorrent(Program):
    name = "rtorrent"

    def __init__(self, work: Path) -> None:
        self.session = work / "session"
        self.saves = work / "default saves"
        self.endpoint: Address = ("127.0.0.1", free_port())
        self._socket = work / "rpc"
        for folder in (self.session, self.saves):
            folder.mkdir(parents=True, exist_ok=True)
        config = work / "rtorrent.rc"
        config.write_text(_CONFIG.format(
            session=self.session, saves=self.saves, socket=self._socket, port=self.endpoint[1]))
        self.begin(Daemon(
            ["rtorrent", "-n", "-o", f"import={config}"], work / "rtorrent.log",
            env={**os.environ, "HOME": str(work), "TERM": "dumb"},
        ))

    def answers(self) -> bool:
        self.version: str = self.call("system.client_version")
        return True

    def call(self, method: str, *args: object) -> Any:
        """One XML-RPC call. Raises xmlrpc.client.Fault where it says no."""
        body = xmlrpc.client.dumps(args, method).encode()  # type: ignore[arg-type]  # the types are XML-RPC's
        head = b"CONTENT_LENGTH\0%d\0SCGI\x001\0" % len(body)
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(20)
            line.connect(str(self._socket))
            line.sendall(b"%d:%b,%b" % (len(head), head, body))
            parts = []
            while part := line.recv(1 << 16):
                parts.append(part)
        answer = b"".join(parts).partition(b"\r\n\r\n")[2]
        return xmlrpc.client.loads(answer)[0][0]
