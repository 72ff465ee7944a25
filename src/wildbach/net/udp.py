"""One UDP socket for each IP version, shared by everything that speaks in datagrams.

Whoever wants datagrams attaches a handler; each datagram goes to the handlers in turn until one says it is its own.
UDP trackers use it; uTP and the DHT are to attach in the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Protocol

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.listening import cannot_listen

Handler = Callable[[Endpoint, bytes], bool]
"Takes a datagram and who sent it; true where it was meant for this handler. Must not raise."

_BATCH = 64
"Datagrams read in one turn of the loop, so that a flood starves nobody."


class DatagramService(Protocol):
    """What a session needs of `Datagrams`."""

    def open(self, at: Iterable[Endpoint]) -> None:
        """Bind one socket for each endpoint, at most one an IP version; port 0 for any. Raises NetworkError."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]: ...

    @property
    def families(self) -> tuple[int, ...]: ...

    def attach(self, handler: Handler) -> None: ...

    def detach(self, handler: Handler) -> None: ...

    def send(self, remote: Endpoint, data: bytes) -> bool: ...

    def close(self) -> None: ...


class Datagrams:
    """Sockets, dispatch and counters. Sending never blocks: what the kernel does not take is lost."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._handlers: list[Handler] = []
        self._scratch = bytearray(limits.DATAGRAM_BYTES)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.received = 0
        self.unclaimed = 0
        self.sent = 0
        self.lost = 0

    def open(self, at: Iterable[Endpoint]) -> None:
        """Bind one socket for each endpoint, at most one an IP version; port 0 for any. Raises NetworkError."""
        self._loop = asyncio.get_running_loop()
        for endpoint in at:
            version = 6 if ":" in endpoint.host else 4
            if version in self._sockets:
                raise NetworkError(f"there is an IPv{version} socket already", endpoint=str(endpoint))
            self._sockets[version] = self._bind(endpoint, version)

    def _bind(self, endpoint: Endpoint, version: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if version == 6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sock.bind(endpoint)
        except OSError as error:
            sock.close()
            raise cannot_listen(endpoint, error, " (UDP)") from None
        asyncio.get_running_loop().add_reader(sock, self._readable, sock)
        return sock

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the sockets are bound."""
        return tuple(Endpoint(*sock.getsockname()[:2]) for sock in self._sockets.values())

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions there is a socket for: 4, 6."""
        return tuple(sorted(self._sockets))

    def attach(self, handler: Handler) -> None:
        self._handlers.append(handler)

    def detach(self, handler: Handler) -> None:
        if handler in self._handlers:
            self._handlers.remove(handler)

    def send(self, remote: Endpoint, data: bytes | bytearray | memoryview) -> bool:
        """False where the datagram did not leave this machine."""
        sock = self._sockets.get(6 if ":" in remote.host else 4)
        if sock is None:
            self.lost += 1
            return False
        try:
            sock.sendto(data, remote)
        except OSError:
            # A full buffer, no route, or the kernel reporting an earlier datagram's fate: all the same to UDP.
            self.lost += 1
            return False
        self.sent += 1
        return True

    def close(self) -> None:
        """Close the sockets. May be called twice."""
        for sock in self._sockets.values():
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _readable(self, sock: socket.socket) -> None:
        view = memoryview(self._scratch)
        for _ in range(_BATCH):
            try:
                size, address = sock.recvfrom_into(self._scratch)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # Some systems report an unreachable peer here; the socket itself is fine.
                continue
            self.received += 1
            remote = Endpoint(address[0].partition("%")[0], address[1])
            data = bytes(view[:size])
            for handler in self._handlers:
                if handler(remote, data):
                    break
            else:
                self.unclaimed += 1
            if sock.fileno() < 0:
                return
