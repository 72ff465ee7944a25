"""TXT records, asked of the name servers that this machine is set up with. The standard library cannot ask for them.

A lookup never fails: where nobody answers, a name has no records. Each question leaves from a socket of its own that
takes datagrams of the server it asked only, so whoever wants to forge a reply has to guess its port and its number.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wildbach.base import addresses, limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol import dns

_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_SERVERS: Final = 2
_KEEP_LEAST: Final = 60.0
_KEEP_MOST: Final = 24 * 3600.0
_KEEP_NONE: Final = 3600.0
_KEEP_FAILURE: Final = 900.0
"Seconds that an answer, that there is none, and that nobody answered are remembered."


def system_servers(conf: Path = _RESOLV_CONF) -> tuple[Endpoint, ...]:
    """The name servers of this machine; none where it does not say."""
    try:
        with conf.open("rb") as file:
            text = file.read(limits.KIB * 16).decode("ascii", "replace")
    except OSError:
        return ()
    words = [line.split() for line in text.splitlines()]
    hosts = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    return tuple(Endpoint(host, 53) for host in hosts if addresses.parse(host) is not None)[:_SERVERS]


class TxtResolver:
    """TXT records by name, remembered as long as they may be."""

    NAMES = 4096

    def __init__(self, servers: Sequence[Endpoint] | None = None, *, seconds: float = limits.DNS_SECONDS) -> None:
        self._servers = system_servers() if servers is None else tuple(servers)
        self._seconds = seconds
        self._known: dict[str, tuple[float, tuple[bytes, ...]]] = {}
        self._asked: dict[str, asyncio.Future[tuple[bytes, ...]]] = {}

    async def texts(self, name: str) -> tuple[bytes, ...]:
        """The TXT records of a name."""
        loop = asyncio.get_running_loop()
        name = name.lower()
        known = self._known.get(name)
        if known is not None and known[0] > loop.time():
            return known[1]
        asked = self._asked.get(name)
        if asked is not None:
            return await asyncio.shield(asked)
        mine = self._asked[name] = loop.create_future()
        found: tuple[bytes, ...] = ()
        try:
            found, keep = await self._ask(name)
        finally:
            del self._asked[name]
            mine.set_result(found)
        if len(self._known) >= self.NAMES:
            self._known.clear()
        self._known[name] = (loop.time() + keep, found)
        return found

    async def _ask(self, name: str) -> tuple[tuple[bytes, ...], float]:
        """What the first server that can tell says, and for how long."""
        for server in self._servers:
            try:
                async with asyncio.timeout(self._seconds):
                    found = await _exchange(server, name)
            except (OSError, TimeoutError, FormatError):
                continue
            if not found:
                return (), _KEEP_NONE
            keep = min(max(min(text.seconds for text in found), _KEEP_LEAST), _KEEP_MOST)
            return tuple(text.data for text in found), keep
        return (), _KEEP_FAILURE


async def _exchange(server: Endpoint, name: str) -> tuple[dns.Text, ...]:
    """One question to one server. Raises OSError, or FormatError for a broken reply."""
    loop = asyncio.get_running_loop()
    number = secrets.randbits(16)
    with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(server)
        await loop.sock_sendall(sock, dns.txt_query(name, number))
        while True:
            reply = dns.txt_reply(await loop.sock_recv(sock, limits.DATAGRAM_BYTES), name, number)
            if reply is not None:
                return reply
