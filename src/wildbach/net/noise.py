"""Any connection, as a stream of Noise records: what follows a handshake of protocol.noise.

    connection = NoiseConnection(inner, ciphers)        a Connection like any other

What is sent is sealed at once, whole sends together, and waits as ciphertext in the connection below, so `queued` and
`drained` are those of it. What came is decrypted as far as it is whole, all records of one read into one buffer, and
handed on in one go or put straight where it belongs (`Landing`): one copy for each direction, which decrypting and
encrypting make.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from wildbach.base.errors import RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection, Landing, Sink, feed
from wildbach.protocol.noise import PLAIN, Ciphers, RecordOpener, RecordSealer

Free = Callable[[], None] | None
_SCRATCH: Final = 2 << 20
_PIECE: Final = 8 * PLAIN
"Bytes of one send that are sealed into one buffer."


class _Buffers:
    """Large buffers that are used again: a new one costs more than encrypting into it."""

    __slots__ = ("_free", "_most", "_size")

    def __init__(self, size: int, most: int) -> None:
        """`most`: how many are kept for all connections of the process."""
        self._size = size
        self._most = most
        self._free: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        if size > self._size:
            return bytearray(size)
        try:
            return self._free.pop()
        except IndexError:
            return bytearray(self._size)

    def give(self, buffer: bytearray) -> None:
        if len(buffer) == self._size and len(self._free) < self._most:
            self._free.append(buffer)


READ: Final = _Buffers(_SCRATCH, 2)
"For what is read; free again when the call is over."
_SEND: Final = _Buffers(RecordSealer.size(_PIECE), 8)
_SMALL: Final = 16 << 10
"A send up to this gets a buffer of its own size."


class NoiseConnection:
    """A connection on top of another one. Nothing is read before `start`, except `early`."""

    __slots__ = (
        "_early", "_ended", "_error", "_inner", "_missing", "_opener", "_rest", "_sealer", "_sink", "_started",
        "landing",
    )

    def __init__(self, inner: Connection, ciphers: Ciphers, early: bytes = b"") -> None:
        """`early`: what came behind the handshake."""
        self._inner = inner
        self._sealer = RecordSealer(ciphers.send)
        self._opener = RecordOpener(ciphers.receive)
        self._early = early
        self._sink: Sink | None = None
        self._started = False
        self._rest = b""
        "What the sink left, in the clear."
        self._missing = 0
        self._ended = False
        self._error: Exception | None = None
        self.landing: Landing | None = None
        inner.landing = None
        inner.start(self)
        inner.pause()

    @property
    def remote(self) -> Endpoint:
        return self._inner.remote

    @property
    def local(self) -> Endpoint:
        return self._inner.local

    @property
    def kind(self) -> str:
        return self._inner.kind + "+noise"

    @property
    def queued(self) -> int:
        """Bytes of the records that have not left yet."""
        return self._inner.queued

    @property
    def closing(self) -> bool:
        return self._inner.closing

    @property
    def silence(self) -> float:
        return self._inner.silence

    def start(self, sink: Sink) -> None:
        self._sink = sink
        if self._ended:
            asyncio.get_running_loop().call_soon(self._tell)
            return
        if self._early:
            asyncio.get_running_loop().call_soon(self._begin)
        self._started = True
        self._inner.resume()

    def send(self, data: bytes | bytearray | memoryview, free: Free = None) -> None:
        if self._inner.closing or not len(data):
            if free is not None:
                free()
            return
        plain = memoryview(data).cast("B")
        for start in range(0, len(plain), _PIECE):
            part = plain[start : start + _PIECE]
            size = RecordSealer.size(len(part))
            if size <= _SMALL:
                out = bytearray(size)
                self._sealer.seal(part, memoryview(out))
                self._inner.send(out)
            else:
                out = _SEND.take(size)
                view = memoryview(out)[:size]
                self._sealer.seal(part, view)
                self._inner.send(view, lambda out=out: _SEND.give(out))  # type: ignore[misc]  # bound early
        plain.release()
        if free is not None:
            free()

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        if self._started:
            self._inner.resume()

    def close(self, error: Exception | None = None) -> None:
        self._inner.close(error)

    # -- Sink of the connection below

    @property
    def missing(self) -> int:
        return self._missing

    def received(self, data: memoryview) -> int:
        if not self._started:
            self._early += bytes(data)
            return len(data)
        if self._early:
            # It has to come first, and what follows behind it.
            early, self._early = self._early + bytes(data), b""
            whole = memoryview(early)
            self._early = early[self._take(whole) :]
            return len(data)
        return self._take(data)

    def drained(self) -> None:
        if self._sink is not None:
            self._sink.drained()

    def closed(self, error: Exception | None) -> None:
        self._ended = True
        self._error = error
        self._rest = self._early = b""
        self._tell()

    def _tell(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(self._error)

    def _begin(self) -> None:
        if self._early and not self._inner.closing:
            self.received(memoryview(b""))

    def _take(self, data: memoryview) -> int:
        """Decrypt what is whole, and hand it on."""
        if self._inner.closing:
            return len(data)
        rest = self._rest
        kept = len(rest)
        buffer = READ.take(kept + len(data))
        view = memoryview(buffer)
        try:
            used, filled = self._opener.open(data, view[kept:])
        except RemoteError as error:
            self.close(error)
            return len(data)
        self._missing = self._opener.missing
        sink = self._sink
        if filled and sink is not None:
            view[:kept] = rest
            size = kept + filled
            whole = view[:size]
            taken = feed(sink, self.landing, whole, kept)
            if taken < size and self._sink is not None and self.landing is not None and not self.closing:
                # Behind the places, or for a sink that took over.
                taken += self._sink.received(whole[taken:])
            self._rest = bytes(whole[taken:])
        READ.give(buffer)
        return used


