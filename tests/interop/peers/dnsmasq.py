"""dnsmasq: a name server that knows what a test tells it and asks nobody else."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.interop.peers.base import Daemon, Program, free_port

from wildbach.base.ids import Endpoint

PROGRAM = shutil.which("dnsmasq", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MISSING = None if PROGRAM else "dnsmasq is not installed (Debian: dnsmasq-base)"


class Dnsmasq(Program):
    name = "dnsmasq"

    def __init__(
        self, work: Path, texts: Mapping[str, Sequence[str]], *, hosts: Mapping[str, Sequence[str]] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        assert PROGRAM is not None
        work.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.endpoint = Endpoint("127.0.0.1", port)
        records = [f"--txt-record={name},{text}" for name, all_ in texts.items() for text in all_]
        records += [f"--host-record={name},{host}" for name, all_ in (hosts or {}).items() for host in all_]
        records += [f"--cname={name},{to}" for name, to in (aliases or {}).items()]
        self.begin(Daemon(
            [
                PROGRAM, "--keep-in-foreground", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
                "--no-resolv", "--no-hosts", "--no-poll", "--conf-file=/dev/null", f"--pid-file={work / 'pid'}",
                "--local=/#/", "--log-facility=-", "--local-ttl=300", *records,
            ],
            work / "dnsmasq.log",
        ))

    def answers(self) -> bool:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.connect(self.endpoint)
            sock.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\4test\0\0\x10\0\1")
            return bool(sock.recv(512))
