"""A small HTTP server: a handler gets a request and gives a response, a stream or a conversation over a WebSocket.

It bounds what a client may cost before the handler sees it: connections, header sizes, and the time a client may take
to send its request, its body, or to fetch what it asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import RemoteError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.net.crowd import Crowd
from wildbach.net.listening import UnixDoor, cannot_listen
from wildbach.net.websocket import WebSocket

_log = logging.getLogger(__name__)

_library_log = _log.getChild("library")
_library_log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
"Who sends nonsense gets an answer; it is no news for us."

_REQUEST_SECONDS = 10.0
"For a first request to be here."
_KEEP_SECONDS = 15.0
_HANDSHAKE_SECONDS = 5.0
_BODY_IDLE_SECONDS = 15.0
_BODY_FREE_SECONDS = 30.0
"After that a body has to come at some pace."
_BODY_PACE = 4096
"Bytes a second, on average."
_BACKLOG = 1024
"Calls that the kernel holds for us: a burst of them must not have others wait for their second try."
_FETCH_SECONDS = 60.0
_SLICE = 64 * 1024
_AGO: Final = "the client went away"


class BodyError(RemoteError):
    """A body that cannot be taken. `status` is the HTTP status that says why."""

    code = "bad_body"

    def __init__(self, message: str, status: int, code: str = "bad_body") -> None:
        super().__init__(message)
        self.status = status
        self.code = code  # type: ignore[misc]  # an instance may name a finer code than its class


Reader = Callable[[int], Awaitable[bytes]]


async def _no_body(limit: int) -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; its body is read when it is asked for."""

    method: str
    path: str
    "As sent, still percent-encoded."
    query: str
    "Behind the question mark, as sent."
    remote: Endpoint
    "Who called; of a Unix socket 127.0.0.1 and port 0."
    headers: dict[str, str]
    "Names in lower case; one that came several times is joined by commas, cookies by semicolons."
    secure: bool = False
    "It came by TLS."
    read: Reader = field(default=_no_body, repr=False, compare=False)
    with_client: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    "From now on the handler is cancelled when the client goes away; else it works on to its end."

    async def body(self, limit: int) -> bytes:
        """The whole body of at most `limit` bytes; once. Raises BodyError: too long, too slow, packed or cut off."""
        return await self.read(limit)


@dataclass(frozen=True, slots=True)
class Response:
    """What to send back."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is made while it is sent. The next chunk is asked for when the client has room for it; the iterator
    is closed at the end, and as soon as the client is gone.
    """

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    "Of the whole body, where that is known."


@dataclass(frozen=True, slots=True)
class WebSocketUpgrade:
    """Go on as a WebSocket: `talk` has it until it returns or the socket is closed."""

    talk: Callable[[WebSocket], Awaitable[None]]
    message_bytes: int = 64 * 1024
    "A longer message of the client closes the socket."


Answer = Response | Stream | WebSocketUpgrade
Handler = Callable[[Request], Awaitable[Response | Stream | WebSocketUpgrade]]


def server_tls(certificate: str, key: str = "") -> ssl.SSLContext:
    """The TLS of a server: a certificate with its chain (PEM), and its key where that is in another file. Blocks.
    Raises UsageError.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key or None, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
        raise UsageError(
            f"cannot use the certificate {certificate}" + (f" with the key {key}" if key else "") + f": {reason}"
        ) from error
    return context


class _Web(web.Server):
    """Tells when a connection is made and lost."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        made: Callable[[web.RequestHandler, asyncio.Transport], None],
        gone: Callable[[web.RequestHandler], None], fetch_seconds: float, **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._fetch_milliseconds = int(fetch_seconds * 1000)
        self._made = made
        self._gone = gone

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            # Who takes an answer and never reads it would else hold the connection for ever, even a closed one.
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._fetch_milliseconds)
        self._made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._gone(handler)


class HttpServer:
    """Listens until closed. One handler serves every path."""

    def __init__(
        self, handler: Handler, *, connections: int = 1000, name: str = "wildbach", line_bytes: int = 8190,
        trusted: Callable[[str], bool] = lambda host: False, fetch_seconds: float = _FETCH_SECONDS,
    ) -> None:
        """`line_bytes` bounds the request line, and each header. One network may hold half of the connections, but for
        this machine and those that are `trusted`. `fetch_seconds`: for a client to make room for more of what it asked
        for.
        """
        self._handler = handler
        self._fetch_seconds = fetch_seconds
        self._line_bytes = line_bytes
        self._limit = connections
        self._trusted = trusted
        self._crowd: Crowd[web.RequestHandler] = Crowd(max(1, connections // 2))
        self._name = name
        self._web: _Web | None = None
        self._listeners: list[asyncio.Server] = []
        self._doors: list[UnixDoor] = []
        self._idle: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._streams: dict[web.RequestHandler, asyncio.Task[Any]] = {}
        self._sockets: dict[WebSocket, None] = {}
        self.refused = 0

    async def start(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> Endpoint:
        """Listen at a literal address; port 0 for any. May be called for several. Raises NetworkError."""
        try:
            listener = await asyncio.get_running_loop().create_server(
                self._factory(), host, port, ssl=tls, ssl_handshake_timeout=_HANDSHAKE_SECONDS if tls else None)
        except OSError as error:
            raise cannot_listen(Endpoint(host, port), error, " (TCP)") from None
        _deepen(listener)
        self._listeners.append(listener)
        return Endpoint(*listener.sockets[0].getsockname()[:2])

    async def start_inherited(self, sock: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
        """Listen at a socket that is bound already, as a service manager hands over. Raises NetworkError."""
        unix = sock.family == socket.AF_UNIX
        made = asyncio.get_running_loop()
        try:
            sock.setblocking(False)
            if unix:
                listener = await made.create_unix_server(self._factory(), sock=sock)
            else:
                listener = await made.create_server(
                    self._factory(), sock=sock, ssl=tls, ssl_handshake_timeout=_HANDSHAKE_SECONDS if tls else None)
        except (OSError, ValueError) as error:
            error = error if isinstance(error, OSError) else OSError(str(error))
            raise cannot_listen("an inherited socket", error) from None
        self._listeners.append(listener)

    async def start_unix(self, path: str) -> None:
        """Listen at a Unix socket that only our own user can call. Raises NetworkError."""
        door = UnixDoor.open(path)
        try:
            listener = await asyncio.get_running_loop().create_unix_server(self._factory(), sock=door.sock)
        except OSError as error:
            door.close()
            raise cannot_listen(path, error) from None
        self._doors.append(door)
        self._listeners.append(listener)

    async def close(self, seconds: float = 2.0) -> None:
        """Stop listening, let requests under way finish for up to `seconds`, close the rest."""
        for listener in self._listeners:
            listener.close()
        for door in self._doors:
            door.close()
        for websocket in tuple(self._sockets):
            await websocket.close("the server ends")
        for task in tuple(self._streams.values()):
            task.cancel()
        if self._web is not None:
            self._web.pre_shutdown()
            await self._web.shutdown(seconds)
            self._web = None
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()
        self._doors.clear()
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()

    def stop_listening(self) -> None:
        """Take no new connections until `start` is called again; those that are open go on."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def cut_off(self, whom: Callable[[str], bool]) -> None:
        """Break the connections of all whose address `whom` picks."""
        for protocol in list(self._web.connections) if self._web is not None else ():
            transport = protocol.transport
            peer = transport.get_extra_info("peername") if transport is not None else None
            if transport is not None and isinstance(peer, tuple) and whom(str(peer[0]).partition("%")[0]):
                transport.abort()

    @property
    def connections(self) -> int:
        """Open ones, those included that have not finished their TLS handshake."""
        if self._web is None:
            return 0
        return len(self._web.connections) + sum(protocol.transport is None for protocol in self._idle)

    def _factory(self) -> Callable[[], asyncio.Protocol]:
        if self._web is None:
            self._web = _Web(
                self._serve, self._made, self._lost, self._fetch_seconds, access_log=None,
                keepalive_timeout=_KEEP_SECONDS, tcp_keepalive=False, lingering_time=1.0, auto_decompress=False,
                logger=_library_log, max_line_size=self._line_bytes, max_field_size=self._line_bytes,
            )
        return self._accept

    def _accept(self) -> asyncio.Protocol:
        if self._web is None:
            return _Refusal()
        if self.connections >= self._limit:
            idle = self._crowd.displace()
            if idle is None:
                self.refused += 1
                return _Refusal()
            idle.force_close()
        protocol = self._web()
        # The library waits for ever for a first request; a client that dribbles one must not hold a connection.
        timer = asyncio.get_running_loop().call_later(_REQUEST_SECONDS, self._too_slow, protocol)
        self._idle[protocol] = timer
        return protocol

    def _made(self, protocol: web.RequestHandler, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        host = str(peer[0]).partition("%")[0] if isinstance(peer, tuple) else ""
        trusted = not host or classify(host) is Reach.LOCAL or self._trusted(host)
        if not self._crowd.enter(protocol, host, trusted=trusted):
            self.refused += 1
            transport.abort()

    def _too_slow(self, protocol: web.RequestHandler) -> None:
        self._idle.pop(protocol, None)
        protocol.force_close()

    def _lost(self, protocol: web.RequestHandler) -> None:
        timer = self._idle.pop(protocol, None)
        if timer is not None:
            timer.cancel()
        self._crowd.leave(protocol)
        task = self._streams.pop(protocol, None)
        if task is not None:
            task.cancel()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        timer = self._idle.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        self._crowd.ask(request.protocol)
        try:
            return await self._answer(request)
        finally:
            self._streams.pop(request.protocol, None)
            self._crowd.rest(request.protocol)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            answer = await self._handler(self._request(request))
        except BodyError as error:
            answer = Response(f"{error}\n".encode(), status=error.status, headers={"Connection": "close"})
        if isinstance(answer, WebSocketUpgrade):
            return await self._talk(request, answer)
        if isinstance(answer, Response) and len(answer.body) <= _SLICE:
            return web.Response(
                body=answer.body, status=answer.status, headers={"Server": self._name, **answer.headers},
                content_type=answer.content_type,
            )
        if isinstance(answer, Response):
            answer = Stream(
                _sliced(answer.body), answer.status, answer.content_type, answer.headers, len(answer.body))
        return await self._stream(request, answer)

    def _request(self, request: web.BaseRequest) -> Request:
        path, _, query = request.raw_path.partition("?")
        transport = request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        host, port = peer[:2] if isinstance(peer, tuple) else ("127.0.0.1", 0)
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            name = name.lower()
            known = headers.get(name)
            headers[name] = value if known is None else f"{known}{'; ' if name == 'cookie' else ', '}{value}"
        secure = transport is not None and transport.get_extra_info("sslcontext") is not None
        return Request(
            request.method, path, query, Endpoint(host.partition("%")[0], port), headers, secure,
            lambda limit: _read_body(request, limit), lambda: self._bind(request.protocol),
        )

    def _bind(self, protocol: web.RequestHandler) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._streams[protocol] = task

    async def _stream(self, request: web.BaseRequest, answer: Stream) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers={"Server": self._name, **answer.headers})
        response.content_type = answer.content_type
        response.content_length = answer.length
        task = asyncio.current_task()
        if task is not None:
            self._streams[request.protocol] = task
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                async for chunk in answer.chunks:
                    async with asyncio.timeout(self._fetch_seconds):
                        await response.write(chunk)
            async with asyncio.timeout(self._fetch_seconds):
                await response.write_eof()
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        except asyncio.CancelledError:
            # Whoever ended this does not wait for a client that may never fetch what is in the way.
            if request.transport is not None:
                request.transport.abort()
            raise
        except Exception:
            # The head is sent: what is left is to break off, so that nobody takes half of it for all.
            if request.transport is not None:
                request.transport.abort()
            raise
        finally:
            self._streams.pop(request.protocol, None)
            closing = getattr(answer.chunks, "aclose", None)
            if closing is not None:
                await closing()
        return response

    async def _talk(self, request: web.BaseRequest, upgrade: WebSocketUpgrade) -> web.StreamResponse:
        response = WebSocket.response(upgrade.message_bytes)
        if not response.can_prepare(request):
            return web.Response(
                text="this is for WebSockets only\n", status=426,
                headers={"Server": self._name, "Upgrade": "websocket"})
        await response.prepare(request)
        websocket = WebSocket(response, request)
        self._sockets[websocket] = None
        try:
            await upgrade.talk(websocket)
        except ConnectionError:
            _log.debug("a WebSocket broke")
        finally:
            self._sockets.pop(websocket, None)
            await websocket.close()
        return response


async def _sliced(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _SLICE):
        yield body[start:start + _SLICE]


async def _read_body(request: web.BaseRequest, limit: int) -> bytes:
    too_long = BodyError(f"the body is longer than {limit} bytes", 413, "body_too_long")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BodyError("a packed body is not taken", 415, "bad_encoding")
    if (request.content_length or 0) > limit:
        raise too_long
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    began = time.monotonic()
    parts: list[bytes] = []
    size = 0
    try:
        while True:
            left = began + _BODY_FREE_SECONDS + size / _BODY_PACE - time.monotonic()
            async with asyncio.timeout(max(0.0, min(_BODY_IDLE_SECONDS, left))):
                part = await request.content.readany()
            if not part:
                break
            size += len(part)
            if size > limit:
                raise too_long
            parts.append(part)
    except TimeoutError:
        raise BodyError("the body came too slowly", 408, "body_too_slow") from None
    except (ClientError, ConnectionError, web.RequestPayloadError) as error:
        raise BodyError(_AGO, 400) from error
    return b"".join(parts)


def _deepen(listener: asyncio.Server) -> None:
    """asyncio takes its backlog for the connections of one turn, too; those may well be fewer."""
    for sock in listener.sockets:
        with socket.socket(fileno=os.dup(sock.fileno())) as same:
            same.listen(_BACKLOG)


class _Refusal(asyncio.Protocol):
    """Too many connections: closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
