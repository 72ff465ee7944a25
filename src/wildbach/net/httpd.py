"""A small HTTP server for the services: a handler gets a request and gives a response.

It bounds what a client may cost before the handler sees it: connections, header sizes, and the time a client may take
to send its request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from wildbach.base.ids import Endpoint
from wildbach.net.listening import cannot_listen


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without its body."""

    method: str
    path: str
    "As sent, still percent-encoded."
    query: str
    "Behind the question mark, as sent."
    remote: Endpoint
    headers: dict[str, str]
    "Names in lower case."


@dataclass(frozen=True, slots=True)
class Response:
    """What to send back."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]

_REQUEST_SECONDS = 10.0
_KEEP_SECONDS = 15.0


class HttpServer:
    """Listens until closed. One handler serves every path."""

    def __init__(self, handler: Handler, *, connections: int = 1000, name: str = "wildbach") -> None:
        self._handler = handler
        self._limit = connections
        self._name = name
        self._web: web.Server | None = None
        self._listeners: list[asyncio.Server] = []
        self._idle: dict[object, asyncio.TimerHandle] = {}
        self.refused = 0

    async def start(self, host: str, port: int) -> Endpoint:
        """Listen at a literal address; port 0 for any. May be called for several. Raises NetworkError."""
        loop = asyncio.get_running_loop()
        if self._web is None:
            self._web = web.Server(
                self._serve, access_log=None, keepalive_timeout=_KEEP_SECONDS, tcp_keepalive=False, lingering_time=1.0,
            )
        try:
            listener = await loop.create_server(self._accept, host, port)
        except OSError as error:
            raise cannot_listen(Endpoint(host, port), error, " (TCP)") from None
        self._listeners.append(listener)
        return Endpoint(*listener.sockets[0].getsockname()[:2])

    async def close(self, seconds: float = 2.0) -> None:
        """Stop listening, let requests under way finish for up to `seconds`, close the rest."""
        for listener in self._listeners:
            listener.close()
        if self._web is not None:
            self._web.pre_shutdown()
            await self._web.shutdown(seconds)
            self._web = None
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()

    @property
    def connections(self) -> int:
        return 0 if self._web is None else len(self._web.connections)

    def _accept(self) -> asyncio.Protocol:
        if self._web is None or len(self._web.connections) >= self._limit:
            self.refused += 1
            return _Refusal()
        protocol = self._web()
        # The library waits for ever for a first request; a client that dribbles one must not hold a connection.
        timer = asyncio.get_running_loop().call_later(_REQUEST_SECONDS, self._too_slow, protocol)
        self._idle[protocol] = timer
        return protocol

    def _too_slow(self, protocol: web.RequestHandler) -> None:
        self._idle.pop(protocol, None)
        protocol.force_close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        timer = self._idle.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        path, _, query = request.raw_path.partition("?")
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        host, port = peer[:2] if peer else ("0.0.0.0", 0)
        answer = await self._handler(Request(
            request.method, path, query, Endpoint(host.partition("%")[0], port),
            {name.lower(): value for name, value in request.headers.items()},
        ))
        return web.Response(
            body=answer.body, status=answer.status, headers={"Server": self._name, **answer.headers},
            content_type=answer.content_type,
        )


class _Refusal(asyncio.Protocol):
    """Too many connections: closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
