"""TCP as a Transport: non-blocking sockets straight on the loop.

asyncio's own transports join or copy what is written and, from 3.12, keep the view they were given, which corrupts
pooled buffers. Here a buffer is free again when the kernel took its last byte, and all connections of a loop read into
one shared scratch, so an idle connection holds no buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.listening import cannot_listen
from wildbach.net.outlet import Outlet
from wildbach.net.transport import Connection, Landing, Sink, land

_SCRATCH = 2 << 20
_READ = 1 << 20
"Bytes one read may take when a single connection is busy."
_READ_LEAST = 64 << 10
_TURN = 4 << 20
"Bytes all connections together take in one turn of the loop, so that timers stay on time."
_IOV = 64
_LOWAT_FROM = 2048
"A missing remainder above this is waited for inside the kernel when the peer is slow."
_LAND_FROM = 65536
"A peer whose last read was larger is fast: the next goes straight where it belongs."
_LOWAT = getattr(socket, "SO_RCVLOWAT", None)
_BUFFER = 2 << 20
"Socket buffers on loopback, where the kernel's own tuning starts too small for gigabytes a second."
_CONGESTION = getattr(socket, "TCP_CONGESTION", None)
_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_HEARD = struct.Struct("=52xII")
"Milliseconds since data and since an acknowledgement came, in the kernel's `struct tcp_info`."


class _Turn:
    """Shares one turn of the loop between the connections that have something to read."""

    __slots__ = ("_loop", "_open", "_seen", "busy", "left", "outlet", "scratch", "view")

    def __init__(self, loop: asyncio.AbstractEventLoop, outlet: Outlet) -> None:
        self._loop = loop
        self.outlet = outlet
        self.scratch = bytearray(_SCRATCH)
        self.view = memoryview(self.scratch)
        self.left = _TURN
        self.busy = 1
        self._seen = 0
        self._open = False

    def share(self) -> int:
        """Bytes the caller may read now; 0: not in this turn, the selector reports it again in the next."""
        if not self._open:
            self._open = True
            self._loop.call_soon(self._next)
        self._seen += 1
        if self.left <= 0:
            return 0
        return max(_READ // self.busy, _READ_LEAST)

    def _next(self) -> None:
        self._open = False
        self.left = _TURN
        self.busy = max(1, self._seen)
        self._seen = 0


class TcpConnection:
    """One socket. `start` begins to read; `send` writes at once what the kernel takes and queues the rest."""

    __slots__ = (
        "_error", "_fd", "_last", "_loop", "_lowat", "_out", "_reading", "_rest", "_sink", "_sock", "_turn", "_writing",
        "closing", "kind", "landing", "local", "queued", "remote",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, turn: _Turn) -> None:
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._turn = turn
        self._sink: Sink | None = None
        self._rest = b""
        self._out: deque[_Queued] = deque()
        self._reading = False
        self._writing = False
        self._lowat = 1
        self._last = 0
        "Bytes of the last read."
        self.landing: Landing | None = None
        self._error: Exception | None = None
        self.closing = False
        self.kind = "tcp"
        self.queued = 0
        self.remote = _endpoint(sock.getpeername())
        self.local = _endpoint(sock.getsockname())

    @property
    def silence(self) -> float:
        if _INFO is None or self.closing:
            return 0.0
        info = self._sock.getsockopt(socket.IPPROTO_TCP, _INFO, _HEARD.size)
        return min(_HEARD.unpack(info)) / 1000 if len(info) == _HEARD.size else 0.0

    def start(self, sink: Sink) -> None:
        self._sink = sink
        self.resume()

    def pause(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        if not self._reading and not self.closing and self._sink is not None:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        turn = self._turn
        size = turn.share()
        if not size:
            return
        rest = self._rest
        kept = len(rest)
        view = turn.view
        if kept + size > _SCRATCH:
            # A large extension message is being gathered; its size was checked by the decoder.
            view = memoryview(bytearray(kept + size))
        if kept:
            view[:kept] = rest
        lead = 0
        places: Sequence[memoryview] = ()
        if self.landing is not None and self._sink is not None and self._last > _LAND_FROM:
            lead = self._sink.missing if kept else 0
            if lead < size:
                # Places cost time even where they stay empty: a little more than came last is enough.
                places = self.landing.places(rest, min(size, 2 * self._last) - lead)
        try:
            if places:
                got = self._sock.recvmsg_into([view[kept : kept + lead], *places] if lead else places)[0]
            else:
                got = self._sock.recv_into(view[kept : kept + size])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close(_translate(error))
            return
        if not got:
            self.close(NetworkError("the peer closed the connection"))
            return
        turn.left -= got
        self._last = got
        sink = self._sink
        if sink is None or self.closing:
            return
        if places and got > lead and self.landing is not None:
            self._rest = land(sink, self.landing, view[: kept + lead], places, got - lead)
        else:
            end = kept + got
            used = sink.received(view[:end])
            self._rest = bytes(view[used:end]) if used < end else b""
        if _LOWAT is not None:
            missing = sink.missing
            # Small reads inside a large message: a slow peer. Sleep until the message can be whole.
            lowat = min(missing, 32768) if missing > _LOWAT_FROM and got < 8192 else 1
            if lowat != self._lowat and not self.closing:
                self._sock.setsockopt(socket.SOL_SOCKET, _LOWAT, lowat)
                self._lowat = lowat

    def send(self, data: bytes | bytearray | memoryview, free: Callable[[], None] | None = None) -> None:
        if self.closing:
            if free is not None:
                free()
            return
        self._out.append((memoryview(data), free))
        self.queued += len(data)
        if not self._writing:
            self._flush()

    def _flush(self) -> None:
        out = self._out
        try:
            while out:
                if len(out) == 1:
                    sent = self._sock.send(out[0][0])
                else:
                    sent = self._sock.sendmsg([view for view, _ in _head(out)])
                self.queued -= sent
                while sent:
                    view, free = out[0]
                    size = len(view)
                    if sent < size:
                        out[0] = (view[sent:], free)
                        break
                    sent -= size
                    out.popleft()
                    if free is not None:
                        free()
                else:
                    # An empty buffer would otherwise stay at the head for ever.
                    while out and not len(out[0][0]):
                        _, free = out.popleft()
                        if free is not None:
                            free()
        except (BlockingIOError, InterruptedError):
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._fd, self._writable)
            return
        except OSError as error:
            self.close(_translate(error))
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _writable(self) -> None:
        self._flush()
        if not self._out and not self.closing and self._sink is not None:
            self._sink.drained()

    def close(self, error: Exception | None = None) -> None:
        if self.closing:
            return
        self.closing = True
        self._error = error
        self.pause()
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)
        self._turn.outlet.release(self._sock)
        self._rest = b""
        self._loop.call_soon(self._ended)

    def _ended(self) -> None:
        while self._out:
            _, free = self._out.popleft()
            if free is not None:
                free()
        self.queued = 0
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(self._error)


class TcpListener:
    __slots__ = ("_accept", "_closed", "_loop", "_sock", "_turn", "endpoint")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, turn: _Turn, accept: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._turn = turn
        self._accept = accept
        self._closed = False
        self.endpoint = _endpoint(sock.getsockname())
        loop.add_reader(sock.fileno(), self._acceptable)

    def _acceptable(self) -> None:
        for _ in range(16):
            try:
                sock, _address = self._sock.accept()
                sock.setblocking(False)
                _tune(sock)
                connection = TcpConnection(self._loop, sock, self._turn)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    # No descriptor is left: rest a moment, or the loop would spin on this listener.
                    self._loop.remove_reader(self._sock.fileno())
                    self._loop.call_later(0.5, self._again)
                return
            self._accept(connection)

    def _again(self) -> None:
        if self._sock.fileno() >= 0 and not self._closed:
            self._loop.add_reader(self._sock.fileno(), self._acceptable)

    def close(self) -> None:
        if self._sock.fileno() >= 0 and not self._closed:
            self._closed = True
            self._loop.remove_reader(self._sock.fileno())
            self._turn.outlet.release(self._sock)


class TcpTransport:
    """Dials and listens on IPv4 and IPv6."""

    def __init__(self, outlet: Outlet | None = None) -> None:
        self._outlet = outlet if outlet is not None else Outlet()
        self._turn: _Turn | None = None

    def _shared(self, loop: asyncio.AbstractEventLoop) -> _Turn:
        if self._turn is None:
            self._turn = _Turn(loop, self._outlet)
        return self._turn

    async def dial(self, remote: Endpoint) -> Connection:
        sock = self._outlet.call_socket(6 if ":" in remote.host else 4)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (remote.host, remote.port))
        except OSError as error:
            sock.close()
            raise _translate(error) from error
        except BaseException:
            sock.close()
            raise
        return self.adopt(sock)

    def adopt(self, sock: socket.socket, remote: Endpoint | None = None) -> TcpConnection:
        """A connection over a non-blocking socket that is connected. `remote`: who is behind it, where that is not the
        one it is connected to. Raises NetworkError.
        """
        loop = asyncio.get_running_loop()
        try:
            _tune(sock)
            connection = TcpConnection(loop, sock, self._shared(loop))
        except OSError as error:
            sock.close()
            raise _translate(error) from error
        if remote is not None:
            connection.remote = remote
        return connection

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> TcpListener:
        loop = asyncio.get_running_loop()
        at = Endpoint(self._outlet.place(at.host), at.port)
        family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._outlet.claim(sock, 6 if ":" in at.host else 4)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((at.host, at.port))
            sock.listen(512)
            sock.setblocking(False)
        except OSError as error:
            sock.close()
            raise cannot_listen(at, error) from error
        except NetworkError:
            sock.close()
            raise
        return TcpListener(loop, sock, self._shared(loop), accept)


_Queued = tuple[memoryview, Callable[[], None] | None]


def _head(out: deque[_Queued]) -> list[_Queued]:
    if len(out) <= _IOV:
        return list(out)
    return [out[i] for i in range(_IOV)]


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sock.getpeername()[0] in ("127.0.0.1", "::1"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        if _CONGESTION is not None:
            # Some systems pace every stream by timers, which costs a quarter of a seed's time where there is no link.
            with contextlib.suppress(OSError):  # not in this kernel: then as it was
                sock.setsockopt(socket.IPPROTO_TCP, _CONGESTION, b"reno")


def _endpoint(address: tuple[str, int] | tuple[str, int, int, int]) -> Endpoint:
    host = address[0]
    return Endpoint(host[7:] if host.startswith("::ffff:") else host, address[1])


def _translate(error: OSError) -> NetworkError:
    code = "refused" if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET) else None
    return NetworkError(error.strerror or str(error), code=code, errno=error.errno)
