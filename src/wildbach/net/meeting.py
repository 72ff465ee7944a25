"""An opening between two devices (protocol.sync.opening) on a connection, which becomes a stream of Noise records."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Generic

from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.net.noise import NoiseConnection
from wildbach.net.transport import Connection
from wildbach.protocol.sync.opening import N, Opened, Opening
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse, plausible


@dataclass(frozen=True, slots=True)
class Met(Generic[N]):
    """Two devices that share a secret have found each other."""

    connection: NoiseConnection
    "Not started so far: nothing is read before it is."
    opened: Opened[N]
    "Who the other one is, by which secret, and the hash that binds what is said later to this connection."


class _Greeted:
    """Hears a BitTorrent handshake, and nothing behind it."""

    missing = LENGTH

    def __init__(self, connection: Connection) -> None:
        self.heard: asyncio.Future[Handshake] = asyncio.get_running_loop().create_future()
        connection.start(self)

    def received(self, data: memoryview) -> int:
        if self.heard.done():
            return 0
        try:
            if not plausible(data):
                raise RemoteError("not a BitTorrent handshake")
            if len(data) < LENGTH:
                return 0
            self.heard.set_result(parse(data[:LENGTH]))
        except RemoteError as error:
            self.heard.set_exception(error)
        return LENGTH

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        if not self.heard.done():
            self.heard.set_exception(error or NetworkError("the connection was closed"))


async def greeted(connection: Connection, seconds: float = limits.SYNC_OPENING_SECONDS) -> Handshake:
    """The handshake of who calls on a connection that did not come through the door of a session. Raises RemoteError or
    NetworkError; the connection is closed then, and when this is cancelled.
    """
    sink = _Greeted(connection)
    try:
        async with asyncio.timeout(seconds):
            return await sink.heard
    except TimeoutError as error:
        connection.close()
        raise NetworkError("nobody greets", code="timed_out") from error
    except BaseException as error:
        connection.close(error if isinstance(error, RemoteError | NetworkError) else None)
        raise


class Meeting(Generic[N]):
    """Plays one side of an opening. It begins at once; `over` waits for its end."""

    missing = 0

    def __init__(self, connection: Connection, opening: Opening[N]) -> None:
        self._connection = connection
        self._opening = opening
        self._end: asyncio.Future[Met[N]] = asyncio.get_running_loop().create_future()
        self._say()
        connection.start(self)

    async def over(self, seconds: float = limits.SYNC_OPENING_SECONDS) -> Met[N]:
        """Raises RemoteError, or NetworkError (also where it takes too long). The connection is closed then, and when
        this is cancelled.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._end
        except TimeoutError as error:
            late = NetworkError("the other device did not finish its handshake in time", code="timed_out")
            self._connection.close(late)
            raise late from error
        except BaseException as error:
            self._connection.close(error if isinstance(error, RemoteError | NetworkError) else None)
            if self._end.done() and not self._end.cancelled():
                self._end.exception()  # it was seen
            raise

    @property
    def host(self) -> str:
        """Where the other side is."""
        return self._connection.remote.host

    def close(self) -> None:
        """Give up; `over` raises NetworkError."""
        self._connection.close(NetworkError("the opening was given up"))

    def _say(self) -> None:
        said = self._opening.take()
        if said:
            self._connection.send(said)

    # -- Sink

    def received(self, data: memoryview) -> int:
        connection = self._connection
        if connection.closing or self._end.done():
            return len(data)
        try:
            used = self._opening.received(data)
        except RemoteError as error:
            self._fail(error)
            connection.close(error)
            return len(data)
        self._say()
        opened = self._opening.opened
        if opened is None or connection.closing:
            return used
        self._end.set_result(Met(NoiseConnection(connection, opened.ciphers, bytes(data[used:])), opened))
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self._fail(error or NetworkError("the connection was closed"))

    def _fail(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_exception(error)
