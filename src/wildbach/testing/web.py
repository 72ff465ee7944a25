"""Web servers in a simulated network: a file in ranges over HTTP, on streams that flow as those of peers do.

    server = WebServer(network.host(up=6.25e6), "film.mp4", data)
    await server.open()
    Session(..., transport=host.transport, web=WebClient(host.transport))
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.http import Streamed
from wildbach.net.resolve import Purpose
from wildbach.net.transport import Connection, Transport
from wildbach.testing.network import Host

PORT: Final = 80
_END: Final = b"\r\n\r\n"
_BUFFER: Final = 256 << 10
"Bytes of a reply that wait to be taken before the stream is stopped."
_RANGE: Final = re.compile(rb"range: bytes=(\d+)-(\d+)", re.IGNORECASE)
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d+) ")


class WebServer:
    """Gives one file to whoever asks, in ranges or whole."""

    def __init__(self, host: Host, name: str, body: bytes) -> None:
        self.host = host
        self.body = memoryview(body)
        self.url = f"http://{host.address}:{PORT}/{name}"
        self.requests = 0

    async def open(self) -> None:
        await self.host.transport.listen(Endpoint(self.host.address, PORT), self._accept)

    def _accept(self, connection: Connection) -> None:
        connection.start(_Asked(self, connection))


class _Asked:
    """One stream as the server sees it: a request after the other."""

    missing = 0

    def __init__(self, server: WebServer, connection: Connection) -> None:
        self._server = server
        self._connection = connection

    def received(self, data: memoryview) -> int:
        raw = bytes(data)
        used = 0
        while (end := raw.find(_END, used)) >= 0:
            self._answer(raw[used:end])
            used = end + len(_END)
        return used

    def _answer(self, head: bytes) -> None:
        self._server.requests += 1
        body, size = self._server.body, len(self._server.body)
        found = _RANGE.search(head)
        if found is None:
            self._connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            self._connection.send(body)
            return
        first, last = int(found[1]), min(int(found[2]), size - 1)
        self._connection.send(
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
            % (first, last, size, last + 1 - first))
        self._connection.send(body[first : last + 1])

    def drained(self) -> None:
        return

    def closed(self, error: Exception | None) -> None:
        return


class WebClient:
    """Fetches from such servers, by address; a stream is used again where its reply was read to the end."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._idle: dict[Endpoint, list[_Reply]] = {}

    async def stream(
        self, url: str, take: Callable[[Streamed], Awaitable[None]], *, purpose: Purpose,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """As `net.http.HttpClient.stream`, without redirects."""
        parts = urlsplit(url)
        at = Endpoint(parts.hostname or "", parts.port or PORT)
        idle = self._idle.setdefault(at, [])
        reply = next((reply for reply in idle if not reply.connection.closing), None)
        if reply is None:
            reply = _Reply(await self._transport.dial(at))
        else:
            idle.remove(reply)
        try:
            lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
            head = await reply.ask(f"GET {parts.path} HTTP/1.1\r\n{lines}\r\n".encode())
            found = _STATUS.match(head)
            if found is None:
                raise NetworkError("that is no HTTP", url=url)
            told = dict(line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
            await take(Streamed(int(found[1]), url, told, reply.body(int(told.get("content-length", "0")))))
        finally:
            if reply.left:
                reply.connection.close()
            else:
                idle.append(reply)


class _Reply:
    """One stream as the client sees it."""

    missing = 0

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.left = 0
        "Bytes of the reply that were not read yet."
        self._bytes: deque[bytes] = deque()
        self._held = 0
        self._error: Exception | None = None
        self._news = asyncio.Event()
        connection.start(self)

    async def ask(self, request: bytes) -> bytes:
        """Send it; the head of the reply."""
        self.left = 1
        self.connection.send(request)
        head = b""
        while _END not in head:
            head += await self._next()
        head, _, rest = head.partition(_END)
        if rest:
            self._bytes.appendleft(rest)
            self._held += len(rest)
        return head

    async def body(self, length: int) -> AsyncIterator[bytes]:
        self.left = length
        while self.left:
            data = await self._next()
            self.left -= len(data)
            yield data

    async def _next(self) -> bytes:
        while not self._bytes:
            if self._error is not None or self.connection.closing:
                raise self._error or NetworkError("the connection ended")
            self._news.clear()
            await self._news.wait()
        data = self._bytes.popleft()
        self._held -= len(data)
        if self._held < _BUFFER and not self.connection.closing:
            self.connection.resume()
        return data

    def received(self, data: memoryview) -> int:
        self._bytes.append(bytes(data))
        self._held += len(data)
        if self._held >= _BUFFER:
            self.connection.pause()
        self._news.set()
        return len(data)

    def drained(self) -> None:
        return

    def closed(self, error: Exception | None) -> None:
        self._error = error
        self._news.set()
