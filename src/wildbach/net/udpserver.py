"""A UDP server for short questions: one system call takes many datagrams, and one sends the answers.

On Linux recvmmsg and sendmmsg work on memory that is laid out once, so a datagram costs no address object and no
system call of its own; elsewhere each datagram is received and sent by itself. The handler sees the same either way.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import socket
import struct
import sys
from collections.abc import Callable

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.listening import datagram_socket

Handler = Callable[[bytes, bytes], "bytes | None"]
"Takes the packed address of a sender (4 or 16 bytes) and its datagram; gives the answer, or None. Must not raise."

BATCH = 64
_TURNS = 4
"Batches in one turn of the loop, so that a flood starves nobody else on it."
_BUFFER = 4 * limits.MIB
_HEADER = struct.Struct("QI4xQQQQi4xI4x")
_HEADER_WORDS = _HEADER.size // 8
_SIZE_AT = 14
_NAME = 28


class UdpServer:
    """One socket. `begin` is called before each batch."""

    def __init__(self, handler: Handler, *, begin: Callable[[], None] | None = None, plain: bool = False) -> None:
        self._handler = handler
        self._begin = begin
        # The rows of message headers are laid out as 64-bit Linux has them.
        self._plain = plain or not sys.platform.startswith("linux") or struct.calcsize("P") != 8
        self._sock: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._messages: _Messages | None = None
        self.received = 0
        self.sent = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.lost = 0
        "Answers that did not leave this machine."

    def open(self, at: Endpoint, *, shared: bool = False) -> Endpoint:
        """Bind and serve; port 0 for any. `shared`: other processes bind the same port too. Raises NetworkError."""
        self._sock = sock = datagram_socket(at, _BUFFER, shared=shared)
        self._loop = asyncio.get_running_loop()
        if self._plain:
            self._loop.add_reader(sock, self._one_by_one, sock)
        else:
            self._messages = _Messages(16 if ":" in at.host else 4)
            self._loop.add_reader(sock, self._batches, sock)
        return Endpoint(*sock.getsockname()[:2])

    @property
    def endpoint(self) -> Endpoint | None:
        """Where it is bound, None where it is not."""
        return None if self._sock is None else Endpoint(*self._sock.getsockname()[:2])

    def close(self) -> None:
        """May be called twice."""
        if self._sock is not None:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._sock)
            self._sock.close()
        self._sock = None

    def _one_by_one(self, sock: socket.socket) -> None:
        if self._begin is not None:
            self._begin()
        for _ in range(BATCH):
            try:
                data, address = sock.recvfrom(limits.TRACKER_SERVER_DATAGRAM_BYTES + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # Some systems report an unreachable peer here; the socket itself is fine.
                continue
            self.received += 1
            self.bytes_in += len(data)
            if len(data) > limits.TRACKER_SERVER_DATAGRAM_BYTES:
                continue
            host = socket.inet_pton(sock.family, address[0].partition("%")[0])
            reply = self._handler(host, data)
            if reply is None:
                continue
            try:
                sock.sendto(reply, address)
            except OSError:
                self.lost += 1
            else:
                self.sent += 1
                self.bytes_out += len(reply)

    def _batches(self, sock: socket.socket) -> None:
        messages = self._messages
        if messages is None:
            raise NetworkError("the socket is not open")
        descriptor = sock.fileno()
        for _ in range(_TURNS):
            count = messages.receive(descriptor)
            if count <= 0:
                return
            if self._begin is not None:
                self._begin()
            self._serve(messages, descriptor, count)
            if count < BATCH:
                return

    def _serve(self, messages: _Messages, descriptor: int, count: int) -> None:
        handler = self._handler
        data, out, hosts = messages.data, messages.out, messages.hosts
        headers, lengths = messages.out_headers, messages.out_lengths
        names, stride = messages.names_at, messages.stride
        sizes = messages.sizes[_SIZE_AT : _SIZE_AT + count * 2 * _HEADER_WORDS : 2 * _HEADER_WORDS].tolist()
        answers = at = size_out = 0
        for index, (host,) in enumerate(hosts.iter_unpack(messages.names)):
            if index == count:
                break
            reply = handler(host, bytes(data[at : at + sizes[index]]))
            at += stride
            if reply is not None:
                length = len(reply)
                place = answers * stride
                out[place : place + length] = reply
                lengths[2 * answers + 1] = length
                headers[_HEADER_WORDS * answers] = names + _NAME * index
                answers += 1
                size_out += length
        self.received += count
        self.bytes_in += sum(sizes)
        if answers:
            lost = messages.send(descriptor, answers)
            self.sent += answers - lost
            self.lost += lost
            self.bytes_out += size_out


class _Messages:
    """Two rows of message headers, for what comes and for the answers, over memory that stays where it is."""

    def __init__(self, host_bytes: int) -> None:
        self.stride = stride = limits.TRACKER_SERVER_DATAGRAM_BYTES
        at, name = (8, 28) if host_bytes == 16 else (4, 16)
        self.hosts = struct.Struct(f"{at}x{host_bytes}s{_NAME - at - host_bytes}x")
        into, answers = bytearray(BATCH * stride), bytearray(BATCH * stride)
        names = bytearray(BATCH * _NAME)
        vectors, out_vectors = bytearray(BATCH * 16), bytearray(BATCH * 16)
        headers, out_headers = bytearray(BATCH * _HEADER.size), bytearray(BATCH * _HEADER.size)
        self._keep = [
            (ctypes.c_char * len(one)).from_buffer(one)
            for one in (into, answers, names, vectors, out_vectors, headers, out_headers)
        ]
        places = [ctypes.addressof(one) for one in self._keep]
        into_at, out_at, self.names_at, vectors_at, out_vectors_at, headers_at, out_headers_at = places
        for i in range(BATCH):
            struct.pack_into("QQ", vectors, 16 * i, into_at + stride * i, stride)
            struct.pack_into("QQ", out_vectors, 16 * i, out_at + stride * i, 0)
            _HEADER.pack_into(
                headers, _HEADER.size * i, self.names_at + _NAME * i, _NAME, vectors_at + 16 * i, 1, 0, 0, 0, 0)
            _HEADER.pack_into(
                out_headers, _HEADER.size * i, self.names_at + _NAME * i, name, out_vectors_at + 16 * i, 1, 0, 0, 0, 0)
        self._fresh = bytes(headers)
        self._headers = headers
        self.data = memoryview(into)
        self.out = answers
        self.names = names
        self.sizes = memoryview(headers).cast("I")
        self.out_headers = memoryview(out_headers).cast("Q")
        self.out_lengths = memoryview(out_vectors).cast("Q")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._receive = self._libc.recvmmsg
        self._send = self._libc.sendmmsg
        self._headers_pointer = ctypes.c_void_p(headers_at)
        self._out_at = out_headers_at

    def receive(self, descriptor: int) -> int:
        """How many datagrams came; 0 where there are none."""
        # The kernel writes how long each name was and whether the datagram was cut into the headers.
        self._headers[:] = self._fresh
        return max(0, int(self._receive(descriptor, self._headers_pointer, BATCH, socket.MSG_DONTWAIT, None)))

    def send(self, descriptor: int, count: int) -> int:
        """Send the first `count` answers; returns how many did not leave."""
        at = lost = 0
        while at < count:
            where = ctypes.c_void_p(self._out_at + _HEADER.size * at)
            sent = int(self._send(descriptor, where, count - at, socket.MSG_DONTWAIT))
            if sent > 0:
                at += sent
            elif ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS):
                return lost + count - at
            elif ctypes.get_errno() != errno.EINTR:
                # This one has an impossible address, or none that is reachable: the rest may go.
                at += 1
                lost += 1
        return lost

