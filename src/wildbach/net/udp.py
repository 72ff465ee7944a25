"""One UDP socket for each IP version, shared by everything that speaks in datagrams: uTP, the DHT, UDP trackers.

Whoever wants datagrams attaches a handler; each datagram goes to the handlers in turn until one says it is its own.
uTP moves gigabytes in packets of 1400 bytes, so it gets and sends *trains*: packets of one size in one buffer, with one
system call for all, where the kernel has `UDP_SEGMENT` and `UDP_GRO`; elsewhere packet by packet, with the same result.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Final, Protocol, runtime_checkable

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.listening import datagram_socket
from wildbach.net.outlet import Outlet

Handler = Callable[[Endpoint, bytes], bool]
"Takes a datagram and who sent it; true where it was meant for this handler. Must not raise."
Data = bytes | bytearray | memoryview
TrainHandler = Callable[[tuple[str, int], bytearray, int, int, int], bool]
"""Takes datagrams of one sender: a buffer, where they start and stop in it, and the size of each (the last may be
shorter). True where they were meant for it. The buffer is used again after the call of `after`. Must not raise."""

_BATCH: Final = 256
"Datagrams read in one turn of the loop, so that a flood starves nobody."
_SCRATCH: Final = 1 << 20
_RECEIVE_BUFFER: Final = 4 << 20
_LINUX: Final = sys.platform == "linux"
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_MAY_BE_CUT: Final = 0
_MUST_NOT_BE_CUT: Final = 3
_FULL: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)


class DatagramSocket(Protocol):
    """What is needed of any road for datagrams."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]: ...

    @property
    def families(self) -> tuple[int, ...]: ...

    def attach(self, handler: Handler) -> None: ...

    def detach(self, handler: Handler) -> None: ...

    def send(self, remote: Endpoint, data: Data) -> bool: ...


@runtime_checkable
class Trains(Protocol):
    """A road that takes many packets at once."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]: ...

    @property
    def families(self) -> tuple[int, ...]: ...

    @property
    def room(self) -> int:
        """Bytes of packets that wait on this machine at most before they are read; 0: unknown."""
        ...

    def attach_trains(self, handler: TrainHandler, after: Callable[[], None]) -> None:
        """`after` is called when all that came in a turn has been handed on."""
        ...

    def detach_trains(self, handler: TrainHandler) -> None: ...

    def send_train(self, remote: Endpoint, data: Data, segment: int, *, whole: bool = False) -> int:
        """Send `data` as packets of `segment` bytes. `whole`: a router must not cut it. Returns the bytes that are
        gone, sent or lost; less than all: the system's buffer is full, and `writable` tells when to go on."""
        ...

    def writable(self, remote: Endpoint, again: Callable[[], None]) -> None:
        """Call back once packets to there can be sent again."""
        ...


class _Socket:
    __slots__ = ("gro", "gso", "gso_failed", "six", "sock", "waiting")

    def __init__(self, sock: socket.socket, six: bool, offload: bool) -> None:
        self.sock = sock
        self.six = six
        self.gso = offload and _LINUX
        self.gso_failed = 0
        self.gro = False
        self.waiting: list[Callable[[], None]] = []
        if self.gso:
            with contextlib.suppress(OSError):  # an older kernel: one datagram a call
                sock.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
                self.gro = True
        if _LINUX:
            with contextlib.suppress(OSError):
                self.cutting(_MAY_BE_CUT)

    def cutting(self, how: int) -> None:
        """Whether routers may cut what is sent into fragments."""
        if self.six:
            self.sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, how)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, how)


class DatagramService(DatagramSocket, Protocol):
    """What a session needs: a road it opens and closes itself."""

    def open(self, at: Iterable[Endpoint]) -> None:
        """Bind one socket for each endpoint, at most one an IP version; port 0 for any. Raises NetworkError."""

    def close(self) -> None: ...


class Datagrams:
    """Sockets, dispatch and counters. Sending never blocks: what the kernel does not take is lost.

    `offload`: use what the kernel has for trains; without, every packet is a call of its own. They can be opened again
    after `close`; handlers stay.
    """

    def __init__(self, *, offload: bool = True, outlet: Outlet | None = None) -> None:
        self._outlet = outlet if outlet is not None else Outlet()
        self._sockets: dict[int, _Socket] = {}
        self._handlers: list[Handler] = []
        self._train_handler: TrainHandler | None = None
        self._after: Callable[[], None] | None = None
        self._scratch = bytearray()
        self._offload = offload
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

    def _bind(self, endpoint: Endpoint, version: int) -> _Socket:
        at = Endpoint(self._outlet.place(endpoint.host), endpoint.port)
        sock = datagram_socket(at, _RECEIVE_BUFFER, claim=self._outlet.claim)
        made = _Socket(sock, version == 6, self._offload)
        asyncio.get_running_loop().add_reader(sock, self._readable, made)
        return made

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the sockets are bound."""
        return tuple(Endpoint(*made.sock.getsockname()[:2]) for made in self._sockets.values())

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions there is a socket for: 4, 6."""
        return tuple(sorted(self._sockets))

    @property
    def room(self) -> int:
        """Half of the least receive buffer: the system counts its own overhead in it."""
        sizes = [
            made.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for made in self._sockets.values()
        ]
        return min(sizes, default=0) // 2

    def attach(self, handler: Handler) -> None:
        self._handlers.append(handler)

    def detach(self, handler: Handler) -> None:
        if handler in self._handlers:
            self._handlers.remove(handler)

    def attach_trains(self, handler: TrainHandler, after: Callable[[], None]) -> None:
        """Only one handler takes trains; it is asked before the others."""
        if self._train_handler is not None:
            raise NetworkError("trains are taken already")
        self._train_handler = handler
        self._after = after

    def detach_trains(self, handler: TrainHandler) -> None:
        if self._train_handler == handler:
            self._train_handler = self._after = None

    def send(self, remote: Endpoint, data: Data) -> bool:
        """False where the datagram did not leave this machine."""
        made = self._sockets.get(6 if ":" in remote.host else 4)
        if made is None:
            self.lost += 1
            return False
        try:
            made.sock.sendto(data, remote)
        except OSError:
            # A full buffer, no route, or the kernel reporting an earlier datagram's fate: all the same to UDP.
            self.lost += 1
            return False
        self.sent += 1
        return True

    def send_train(self, remote: Endpoint, data: Data, segment: int, *, whole: bool = False) -> int:
        made = self._sockets.get(6 if ":" in remote.host else 4)
        size = len(data)
        if made is None:
            self.lost += 1
            return size
        if size > segment and made.gso:
            try:
                made.sock.sendmsg(
                    (data,), ((socket.IPPROTO_UDP, _UDP_SEGMENT, segment.to_bytes(2, sys.byteorder)),), 0, remote)
            except OSError as error:
                if error.errno in _FULL:
                    return 0
                # Larger than the interface takes, or nothing this kernel does: packet by packet then.
                made.gso_failed += 1
                made.gso = made.gso_failed < 100
            else:
                made.gso_failed = 0
                self.sent += -(-size // segment)
                return size
        return self._send_singly(made, remote, memoryview(data), segment, whole)

    def _send_singly(self, made: _Socket, remote: Endpoint, data: memoryview, segment: int, whole: bool) -> int:
        if whole and _LINUX:
            with contextlib.suppress(OSError):
                made.cutting(_MUST_NOT_BE_CUT)
        try:
            for at in range(0, len(data), segment):
                try:
                    made.sock.sendto(data[at : at + segment], remote)
                    self.sent += 1
                except OSError as error:
                    if error.errno in _FULL:
                        return at
                    self.lost += 1
        finally:
            if whole and _LINUX:
                with contextlib.suppress(OSError):
                    made.cutting(_MAY_BE_CUT)
        return len(data)

    def writable(self, remote: Endpoint, again: Callable[[], None]) -> None:
        made = self._sockets.get(6 if ":" in remote.host else 4)
        if made is None or self._loop is None:
            return
        if not made.waiting:
            self._loop.add_writer(made.sock, self._writable, made)
        made.waiting.append(again)

    def _writable(self, made: _Socket) -> None:
        if self._loop is not None:
            self._loop.remove_writer(made.sock)
        waiting, made.waiting = made.waiting, []
        for again in waiting:
            again()

    def close(self) -> None:
        """Close the sockets. May be called twice."""
        for made in self._sockets.values():
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(made.sock)
                self._loop.remove_writer(made.sock)
            made.waiting.clear()
            self._outlet.release(made.sock)
        self._sockets.clear()

    def _readable(self, made: _Socket) -> None:
        if not self._scratch:
            self._scratch = bytearray(_SCRATCH + limits.DATAGRAM_BYTES)
        view = memoryview(self._scratch)
        sock, gro = made.sock, made.gro
        at = 0
        for _ in range(_BATCH):
            extra = None
            try:
                if gro:
                    size, extra, _flags, address = sock.recvmsg_into((view[at : at + limits.DATAGRAM_BYTES],), 32)
                else:
                    size, address = sock.recvfrom_into(view[at : at + limits.DATAGRAM_BYTES])
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                # Some systems report an unreachable peer here; the socket itself is fine.
                continue
            if made.six:
                address = (address[0].partition("%")[0], address[1])
            segment = size
            if extra:
                segment = int.from_bytes(extra[0][2][:4], sys.byteorder) or size
            self._dispatch(address, at, at + size, segment)
            at += size
            if at >= _SCRATCH or sock.fileno() < 0:
                break
        if self._after is not None:
            self._after()

    def _dispatch(self, address: tuple[str, int], start: int, stop: int, segment: int) -> None:
        """Hand on one datagram, or those of a train."""
        self.received += max(1, -(-(stop - start) // max(1, segment)))
        if self._train_handler is not None and self._train_handler(address, self._scratch, start, stop, segment):
            return
        remote = Endpoint(*address)
        for at in range(start, max(stop, start + 1), max(1, segment)):
            data = bytes(memoryview(self._scratch)[at : min(at + segment, stop)])
            for handler in self._handlers:
                if handler(remote, data):
                    break
            else:
                self.unclaimed += 1


class Singly:
    """Trains over a road that takes one datagram at a time: a proxy's, or the simulator's."""

    room = 0

    def __init__(self, datagrams: DatagramSocket) -> None:
        self._datagrams = datagrams
        self._handler: TrainHandler | None = None
        self._after: Callable[[], None] | None = None
        self._soon = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self._datagrams.endpoints

    @property
    def families(self) -> tuple[int, ...]:
        return self._datagrams.families

    def attach_trains(self, handler: TrainHandler, after: Callable[[], None]) -> None:
        self._handler = handler
        self._after = after
        self._datagrams.attach(self._received)

    def detach_trains(self, handler: TrainHandler) -> None:
        self._datagrams.detach(self._received)
        self._handler = self._after = None

    def _received(self, remote: Endpoint, data: bytes) -> bool:
        if self._handler is None:
            return False
        taken = self._handler((remote.host, remote.port), bytearray(data), 0, len(data), len(data))
        if taken and not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._turn_over)
        return taken

    def _turn_over(self) -> None:
        self._soon = False
        if self._after is not None:
            self._after()

    def send_train(self, remote: Endpoint, data: Data, segment: int, *, whole: bool = False) -> int:
        view = memoryview(data)
        for at in range(0, len(view), segment):
            self._datagrams.send(remote, view[at : at + segment])
        return len(view)

    def writable(self, remote: Endpoint, again: Callable[[], None]) -> None:
        again()
