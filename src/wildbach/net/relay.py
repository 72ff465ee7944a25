"""Meeting somebody at a relay: the connection that comes of it is like any other, and the relay cannot read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection, Landing, Sink, Transport
from wildbach.protocol.sync import relay
from wildbach.protocol.sync.relay import Status

_REASONS: Final = {
    Status.FULL: "the relay has no room",
    Status.TOO_MANY: "the relay has too many connections of this address",
    Status.NOBODY: "the other side did not come to the relay",
    Status.REPLACED: "another connection of this device waits at the relay",
}
_QUIET_SECONDS: Final = 2 * relay.WAIT_SECONDS + 10.0
"A relay says something that often while it is there."


async def meet(
    transport: Transport, at: Endpoint, tokens: Sequence[bytes], side: int, *,
    dial_seconds: float = 10.0, seconds: float = limits.RELAY_WAIT_SECONDS,
) -> Connection:
    """Call a relay, show three tokens, and wait there for who shows one of them on the other side (0 and 1). Returns
    the connection with them. Raises NetworkError, with the code `relay` where the relay says why not.
    """
    greeting = relay.hello(tokens, side)
    try:
        async with asyncio.timeout(dial_seconds):
            connection = await transport.dial(at)
    except TimeoutError:
        raise NetworkError("the relay does not answer") from None
    met = RelayedConnection(connection)
    try:
        connection.start(met)
        connection.send(greeting)
        async with asyncio.timeout(seconds):
            while not met.joined:
                async with asyncio.timeout(_QUIET_SECONDS):
                    await met.news()
    except TimeoutError:
        connection.close()
        raise NetworkError("nobody came to the relay in time") from None
    except BaseException:
        connection.close()
        raise
    return met


class RelayedConnection:
    """What came through a relay, from the byte after its word that somebody is there."""

    __slots__ = ("_early", "_ended", "_error", "_inner", "_landing", "_news", "_sink", "_soon", "joined")

    kind = "relay"

    def __init__(self, inner: Connection) -> None:
        self._inner = inner
        self._sink: Sink | None = None
        self._news: asyncio.Future[None] | None = None
        self._early = bytearray()
        "Bytes of the other side that nobody has taken."
        self._soon = False
        self._ended = False
        self._error: Exception | None = None
        self.joined = False
        self._landing: Landing | None = None

    async def news(self) -> None:
        """Until the relay said something. Raises NetworkError where it ended the connection."""
        if not self._ended and not self.joined:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if self._ended:
            raise self._error if isinstance(self._error, NetworkError) else NetworkError(
                self._error.args[0] if self._error is not None and self._error.args else "the relay hung up")

    # -- Connection

    @property
    def remote(self) -> Endpoint:
        """Of the relay: where the other side is it does not say."""
        return self._inner.remote

    @property
    def local(self) -> Endpoint:
        return self._inner.local

    @property
    def queued(self) -> int:
        return self._inner.queued

    @property
    def closing(self) -> bool:
        return self._inner.closing

    @property
    def silence(self) -> float:
        return self._inner.silence

    @property
    def landing(self) -> Landing | None:
        return self._landing

    @landing.setter
    def landing(self, landing: Landing | None) -> None:
        self._landing = landing
        self._inner.landing = self if landing is not None else None

    def start(self, sink: Sink) -> None:
        self._sink = sink
        self.resume()

    def send(self, data: bytes | bytearray | memoryview, free: Callable[[], None] | None = None) -> None:
        self._inner.send(data, free)

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        if self._sink is None:
            return
        self._inner.resume()
        if (self._early or self._ended) and not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def close(self, error: Exception | None = None) -> None:
        self._inner.close(error)

    # -- Sink of the connection to the relay

    @property
    def missing(self) -> int:
        return self._sink.missing if self._sink is not None and not self._early else 0

    def received(self, data: memoryview) -> int:
        if not self.joined:
            self._read(data)
        elif self._sink is not None and not self._early:
            return self._sink.received(data)
        else:
            self._early += data
            if self._sink is not None:
                self._deliver()
        return len(data)

    def drained(self) -> None:
        if self._sink is not None:
            self._sink.drained()

    def closed(self, error: Exception | None) -> None:
        self._ended = True
        self._error = self._error or error
        self._wake()
        if self._sink is not None and not self._soon:
            self._tell()

    # -- Landing of it

    def places(self, kept: bytes, most: int) -> Sequence[memoryview]:
        # Bytes that are kept here come before those that are kept there.
        return self._landing.places(kept, most) if self._landing is not None and not self._early else ()

    def landed(self, count: int) -> int:
        return self._landing.landed(count) if self._landing is not None else 0

    # -- inside

    def _read(self, data: memoryview) -> None:
        try:
            for at, status in enumerate(relay.statuses(data)):
                if status is Status.JOINED:
                    self.joined = True
                    self._early += data[at + 1 :]
                    self._inner.pause()  # until somebody takes it
                elif status is not Status.WAIT:
                    self._error = NetworkError(_REASONS[status], code="relay")
                    self._inner.close(self._error)
                    break
        except FormatError as error:
            self._error = NetworkError(error.message, code="relay")
            self._inner.close(self._error)
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    def _deliver(self) -> None:
        self._soon = False
        while self._early and self._sink is not None and not self._inner.closing:
            sink = self._sink
            early, self._early = self._early, bytearray()
            used = sink.received(memoryview(early))
            self._early[:0] = early[used:]
            if not used or sink is self._sink:
                break
        if self._ended:
            self._tell()

    def _tell(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(self._error)
