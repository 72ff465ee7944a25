"""The seam under every peer: a stream of bytes between two endpoints.

TCP implements it here, the simulator in memory; encryption, proxies, uTP and Noise wrap or replace it later. The peer
protocol knows nothing else. All calls are made on the event loop's thread, and none of them blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wildbach.base.ids import Endpoint


class Sink(Protocol):
    """What a connection feeds: plain calls, one at a time."""

    missing: int
    "Bytes needed beyond the rest left by `received` before it can go on; 0 where that is not known."

    def received(self, data: memoryview) -> int:
        """Take what is whole and return how many bytes were used up.

        The view is borrowed: it dies when the call returns. The connection keeps the rest and puts it before what
        comes next.
        """
        ...

    def drained(self) -> None:
        """All that was queued by `Connection.send` has left."""
        ...

    def closed(self, error: Exception | None) -> None:
        """The connection has ended; called exactly once, never from inside `Connection.close`."""
        ...


class Connection(Protocol):
    """One stream. Nothing is delivered before `start`."""

    remote: Endpoint
    local: Endpoint
    kind: str
    "`tcp`, `memory`, ...: shown to people."
    queued: int
    "Bytes given to `send` that have not left yet."

    closing: bool
    "True from `close` on."

    def start(self, sink: Sink) -> None: ...

    def send(self, data: bytes | bytearray | memoryview, free: Callable[[], None] | None = None) -> None:
        """Queue bytes. The buffer must not change until `free` is called, which happens also when the stream ends."""
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
        """Raises NetworkError."""
        ...

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        """Port 0 picks a free one. Raises NetworkError."""
        ...
