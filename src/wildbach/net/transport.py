"""The seam under every peer: a stream of bytes between two endpoints.

TCP implements it, and the simulator in memory; encryption wraps it. The peer protocol knows nothing else. All calls are
made on the event loop's thread, and none of them blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from wildbach.base.ids import Endpoint


class Sink(Protocol):
    """What a connection feeds: plain calls, one at a time."""

    @property
    def missing(self) -> int:
        """Bytes needed beyond the rest left by `received` before it can go on; 0 where that is not known."""
        ...

    def received(self, data: memoryview) -> int:
        """Take what is whole and return how many bytes were used up.

        The view is borrowed: it dies when the call returns. The connection keeps the rest and puts it before what
        comes next. A sink may change bytes of a view that can be written to (encryption does); what is kept are the
        changed ones.
        """
        ...

    def drained(self) -> None:
        """All that was queued by `Connection.send` has left."""
        ...

    def closed(self, error: Exception | None) -> None:
        """The connection has ended; called exactly once, never from inside `Connection.close`."""
        ...


class Landing(Protocol):
    """Where the next bytes of a stream belong, so that they are received straight into their places.

    A guess about what a remote will send: what turns out to be something else comes through `Sink.received` all the
    same, so a connection that does not ask is right as well, only slower.
    """

    def places(self, kept: bytes, most: int) -> Sequence[memoryview]:
        """Places for what follows the message that is still open, in order; empty where nothing is expected.

        `kept`: what is here of the open message, whose other bytes are `Sink.missing`; empty: none is open. `most`:
        bytes that will be read at most. The open message itself must be sure not to end in one of the places.
        """
        ...

    def landed(self, count: int) -> int:
        """The places have `count` bytes. Returns how many of them are taken; the rest must come through `received`."""
        ...


class Connection(Protocol):
    """One stream. Nothing is delivered before `start`."""

    @property
    def remote(self) -> Endpoint: ...

    @property
    def local(self) -> Endpoint: ...

    @property
    def kind(self) -> str:
        """`tcp`, `memory`, ..., with `+rc4` or `+handshake` where it is encrypted: shown to people."""
        ...

    @property
    def queued(self) -> int:
        """Bytes given to `send` that have not left yet."""
        ...

    @property
    def closing(self) -> bool:
        """True from `close` on."""
        ...

    @property
    def silence(self) -> float:
        """Seconds since the remote's system was heard of: bytes of it, or word that ours have come. 0 where nobody can
        tell.
        """
        ...

    landing: Landing | None
    "Set where many bytes are expected whose places are known; a hint."

    def start(self, sink: Sink) -> None:
        """Begin to read, or go on, for another sink from now on. That may be done while the old one is being fed: what
        comes next, the rest it leaves included, is for the new one.
        """
        ...

    def send(self, data: bytes | bytearray | memoryview, free: Callable[[], None] | None = None) -> None:
        """Queue bytes. A buffer with `free` is the connection's own until that is called, which happens also when the
        stream ends: the caller does not touch it, while encryption may change it. Others are never changed.
        """
        ...

    def pause(self) -> None:
        """Stop reading: the remote is slowed down by its own full buffers."""
        ...

    def resume(self) -> None: ...

    def close(self, error: Exception | None = None) -> None:
        """End the stream now; what is queued may be lost. Idempotent."""
        ...


class Listener(Protocol):
    endpoint: Endpoint

    def close(self) -> None: ...


class Transport(Protocol):
    async def dial(self, remote: Endpoint) -> Connection:
        """Raises NetworkError; its code is `refused` where somebody is there and said no."""
        ...

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        """Port 0 picks a free one. Raises NetworkError."""
        ...


def feed(sink: Sink, landing: Landing | None, buffer: memoryview, kept: int) -> int:
    """Hand on a buffer that may be written to, whose first `kept` bytes the sink has left before. Returns how many of
    all were used up. For connections on top of others: where a landing expects what came, its places are filled from
    the buffer, and what lies behind them is not handed on yet.
    """
    size = len(buffer)
    lead = sink.missing if landing is not None and kept else 0
    if landing is None or (kept and not lead) or lead >= size - kept:
        return sink.received(buffer)
    at = start = kept + lead
    places = landing.places(bytes(buffer[:kept]), size - start)
    for place in places:
        part = buffer[at : at + len(place)]
        place[: len(part)] = part
        at += len(part)
    if at == start:
        return sink.received(buffer)
    rest = land(sink, landing, buffer[:start], places, at - start)
    buffer[at - len(rest) : at] = rest
    return at - len(rest)


def land(sink: Sink, landing: Landing, lead: memoryview, places: Sequence[memoryview], count: int) -> bytes:
    """Hand on what was received into places: `lead` is the open message, made whole; `count` bytes lie behind it.

    Returns what was not used up, to be put before what comes next.
    """
    used = sink.received(lead) if len(lead) else 0
    taken = landing.landed(count) if used == len(lead) else 0
    if taken == count:
        return b""
    parts = [lead[used:]]
    at = 0
    for place in places:
        size = len(place)
        if at + size > taken:
            parts.append(place[max(0, taken - at) : min(size, count - at)])
        at += size
        if at >= count:
            break
    rest = bytearray().join(parts)
    used = sink.received(memoryview(rest))
    return bytes(memoryview(rest)[used:])
