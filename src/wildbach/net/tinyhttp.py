"""An HTTP/1.1 server for tiny questions: GET without a body, whole answers, connections kept, requests pipelined.

It exists for trackers, which are asked ten thousand times a second for three hundred bytes; there the HTTP library
takes most of the time. It is strict: what is not a short GET or HEAD is refused and the connection closed. What a
client may cost is bounded: connections in all and for one address, the size of a request, the time it may take, and
answers it does not fetch. Where there are too many connections, the oldest makes room.

Linux only (epoll); `net/httpd` serves elsewhere.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.net.listening import cannot_listen

Handler = Callable[[bytes, bytes], "Answer"]
"Takes the target of a request (path and query, as sent) and the packed address it came from. Must not raise."

REQUEST_SECONDS = 10.0
"A request must be there so long after its connection, or after the one before was answered."
KEEP_SECONDS = 60.0
"A connection that is kept is closed when nothing came for so long."
_SWEEP_SECONDS = 1.0
_ACCEPTS = 64
_EVENTS = 256
_BACKLOG = 1024
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 414: "URI Too Long",
            431: "Request Header Fields Too Large"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain"


class Refusal(Exception):
    """A request that is not served."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def read_request(head: bytes) -> tuple[bytes, bool, bool]:
    """The target, whether a body is wanted, and whether the connection is kept. `head` is what stands before the empty
    line. Raises Refusal."""
    line, _, fields = head.partition(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or not words[1].startswith(b"/") or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Refusal(400, "not an HTTP/1.1 request")
    method, target, version = words
    if method != b"GET" and method != b"HEAD":
        raise Refusal(405, "only GET")
    keep = version == b"HTTP/1.1"
    if fields:
        lower = b"\r\n" + fields.lower()
        # A body would be read as the next request.
        if b"\r\ntransfer-encoding" in lower or lower.count(b"\r\ncontent-length") != lower.count(
            b"\r\ncontent-length: 0\r\n"
        ) + lower.endswith(b"\r\ncontent-length: 0"):
            raise Refusal(400, "a body is not wanted")
        where = lower.find(b"\r\nconnection:")
        if where >= 0:
            value = lower[where + 13 :].partition(b"\r\n")[0]
            keep = b"close" not in value and (keep or b"keep-alive" in value)
    return target, method == b"GET", keep


class _Connection:
    __slots__ = ("closing", "deadline", "host", "pending", "sock", "unsent")

    def __init__(self, sock: socket.socket, host: bytes, deadline: float) -> None:
        self.sock = sock
        self.host = host
        self.deadline = deadline
        self.pending = b""
        self.unsent = b""
        self.closing = False


class TinyHttpServer:
    """Listens until closed."""

    def __init__(
        self, handler: Handler, *, connections: int = limits.TRACKER_SERVER_CONNECTIONS,
        per_address: int = limits.TRACKER_SERVER_CONNECTIONS_PER_IP,
    ) -> None:
        self._handler = handler
        self._limit = connections
        self._per_address = per_address
        self._listeners: list[socket.socket] = []
        self._connections: dict[int, _Connection] = {}
        self._counts: dict[bytes, int] = {}
        self._poll: select.epoll | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._scratch = bytearray(64 * limits.KIB)
        self._view = memoryview(self._scratch)
        self._heads: dict[tuple[int, str], bytes] = {}
        self.refused = 0
        "Connections closed for what they sent or how slow they were."
        self.evicted = 0

    @property
    def connections(self) -> int:
        return len(self._connections)

    def open(self, at: Endpoint, *, shared: bool = False) -> Endpoint:
        """Listen at a literal address; port 0 for any. May be called for several. Raises NetworkError.

        `shared`: other processes listen at the same port too.
        """
        six = ":" in at.host
        sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if six:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(at)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            raise cannot_listen(at, error, " (TCP)") from None
        loop = asyncio.get_running_loop()
        if self._poll is None:
            self._poll = select.epoll()
            loop.add_reader(self._poll.fileno(), self._ready, loop)
            self._timer = loop.call_later(_SWEEP_SECONDS, self._sweep, loop)
        self._listeners.append(sock)
        loop.add_reader(sock, self._accept, sock, loop)
        return Endpoint(*sock.getsockname()[:2])

    def close(self) -> None:
        """Stop listening and close every connection; what was answered is sent as far as the kernel takes it."""
        loop = asyncio.get_running_loop()
        for sock in self._listeners:
            loop.remove_reader(sock)
            sock.close()
        self._listeners.clear()
        for connection in list(self._connections.values()):
            self._drop(connection)
        if self._timer is not None:
            self._timer.cancel()
        if self._poll is not None:
            loop.remove_reader(self._poll.fileno())
            self._poll.close()
            self._poll = None

    def _accept(self, listener: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError:
                # No descriptors left: the oldest connection gives up its own.
                if not self._evict():
                    return
                continue
            host = socket.inet_pton(listener.family, address[0].partition("%")[0])
            count = self._counts.get(host, 0)
            if count >= self._per_address:
                self.refused += 1
                sock.close()
                continue
            if len(self._connections) >= self._limit:
                self._evict()
            sock.setblocking(False)
            self._counts[host] = count + 1
            connection = _Connection(sock, host, loop.time() + REQUEST_SECONDS)
            self._connections[sock.fileno()] = connection
            if self._poll is not None:
                self._poll.register(sock, select.EPOLLIN)
            # Its request is often there already.
            self._readable(connection, loop)

    def _evict(self) -> bool:
        for connection in self._connections.values():
            self.evicted += 1
            self._drop(connection)
            return True
        return False

    def _ready(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._poll is None:
            return
        for descriptor, event in self._poll.poll(0, _EVENTS):
            connection = self._connections.get(descriptor)
            if connection is None:
                continue
            if event & select.EPOLLOUT:
                self._writable(connection)
            if event & ~select.EPOLLOUT and descriptor in self._connections:
                self._readable(connection, loop)

    def _readable(self, connection: _Connection, loop: asyncio.AbstractEventLoop) -> None:
        try:
            size = connection.sock.recv_into(self._scratch)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            size = 0
        if not size:
            self._drop(connection)
            return
        if connection.unsent:
            # It asks for more before it took what it asked for: once its queue is full it is dropped, not buffered.
            connection.pending += self._view[:size]
            if len(connection.pending) > limits.TRACKER_SERVER_UNREAD_BYTES:
                self.refused += 1
                self._drop(connection)
            return
        data = connection.pending + self._view[:size] if connection.pending else bytes(self._view[:size])
        self._serve(connection, data, loop.time())

    def _serve(self, connection: _Connection, data: bytes, now: float) -> None:
        """Answer every whole request in `data`; keep the rest."""
        out: list[bytes] = []
        at = length = 0
        while not connection.closing and length <= limits.TRACKER_SERVER_UNREAD_BYTES:
            end = data.find(b"\r\n\r\n", at)
            if end < 0 or end - at > limits.TRACKER_SERVER_REQUEST_BYTES:
                break
            answer = self._answer(connection, data[at:end])
            at = end + 4
            length += len(answer)
            out.append(answer)
        rest = data[at:]
        if not connection.closing and len(rest) > limits.TRACKER_SERVER_REQUEST_BYTES and b"\r\n\r\n" not in rest[
            : limits.TRACKER_SERVER_REQUEST_BYTES + 4
        ]:
            out.append(self._refuse(connection, 431, "longer than TRACKER_SERVER_REQUEST_BYTES"))
        connection.pending = b"" if connection.closing else rest
        if out:
            # Only whole requests move the deadline: one that dribbles in does not live longer for it.
            connection.deadline = now + (REQUEST_SECONDS if rest else KEEP_SECONDS)
            self._send(connection, b"".join(out))

    def _answer(self, connection: _Connection, head: bytes) -> bytes:
        try:
            target, body, keep = read_request(head)
        except Refusal as error:
            return self._refuse(connection, error.status, str(error))
        answer = self._handler(target, connection.host)
        connection.closing = not keep
        return self._head(answer, keep) + answer.body if body else self._head(answer, keep)

    def _head(self, answer: Answer, keep: bool) -> bytes:
        key = (answer.status if keep else -answer.status, answer.content_type)
        found = self._heads.get(key)
        if found is None:
            reason = _REASONS.get(answer.status, "Error")
            allow = "Allow: GET, HEAD\r\n" if answer.status == 405 else ""
            found = self._heads[key] = (
                f"HTTP/1.1 {answer.status} {reason}\r\nContent-Type: {answer.content_type}\r\n{allow}"
                f"Connection: {'keep-alive' if keep else 'close'}\r\nContent-Length: "
            ).encode()
        return b"%b%d\r\n\r\n" % (found, len(answer.body))

    def _refuse(self, connection: _Connection, status: int, text: str) -> bytes:
        self.refused += 1
        connection.closing = True
        body = text.encode() + b"\n"
        return self._head(Answer(body, status), False) + body

    def _send(self, connection: _Connection, data: bytes) -> None:
        try:
            sent = connection.sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._drop(connection)
            return
        if sent < len(data):
            connection.unsent = data[sent:]
            if self._poll is not None:
                self._poll.modify(connection.sock, select.EPOLLIN | select.EPOLLOUT)
        elif connection.closing:
            self._drop(connection)

    def _writable(self, connection: _Connection) -> None:
        data, connection.unsent = connection.unsent, b""
        self._send(connection, data)
        if connection.unsent or connection.sock.fileno() not in self._connections:
            return
        if self._poll is not None:
            self._poll.modify(connection.sock, select.EPOLLIN)
        if connection.pending:
            self._serve(connection, connection.pending, asyncio.get_running_loop().time())

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [one for one in self._connections.values() if one.deadline <= now]:
            if connection.pending or connection.unsent:
                self.refused += 1
            self._drop(connection)
        self._timer = loop.call_later(_SWEEP_SECONDS, self._sweep, loop)

    def _drop(self, connection: _Connection) -> None:
        descriptor = connection.sock.fileno()
        if self._connections.pop(descriptor, None) is None:
            return
        # Closing takes it out of the poll set too.
        connection.sock.close()
        left = self._counts[connection.host] - 1
        if left:
            self._counts[connection.host] = left
        else:
            del self._counts[connection.host]
