"""A connection read and written as in a script: `await wire.read(4)`. For tests and scripted peers, not for speed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wildbach.base.errors import NetworkError
from wildbach.net.transport import Connection


class Wire:
    """One end of any `Connection`. Bytes gather here until they are read; over `most` unread ones reading pauses."""

    missing = 0

    def __init__(self, connection: Connection, most: int = 4 << 20) -> None:
        self.connection = connection
        self.error: Exception | None = None
        "Why the connection ended."
        self.ended = False
        self._most = most
        self._data = bytearray()
        self._paused = False
        self._changed: asyncio.Future[None] | None = None
        connection.start(self)

    def received(self, data: memoryview) -> int:
        self._data += data
        if len(self._data) > self._most and not self._paused:
            self._paused = True
            self.connection.pause()
        self._wake()
        return len(data)

    def drained(self) -> None:
        self._wake()

    def closed(self, error: Exception | None) -> None:
        self.ended = True
        self.error = error
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready() and not self.ended:
            if self._changed is None or self._changed.done():
                self._changed = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._changed)

    async def read(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises NetworkError where the stream ends before."""
        await self._until(lambda: len(self._data) >= size)
        if len(self._data) < size:
            raise NetworkError("the stream ended", reason=str(self.error))
        out = bytes(self._data[:size])
        del self._data[:size]
        if self._paused and len(self._data) <= self._most:
            self._paused = False
            self.connection.resume()
        return out

    async def read_all(self) -> bytes:
        """Everything until the stream ends."""
        await self._until(lambda: False)
        out = bytes(self._data)
        self._data.clear()
        return out

    def forget(self) -> None:
        """Throw away what has come so far."""
        self._data.clear()
        if self._paused:
            self._paused = False
            self.connection.resume()

    async def message(self) -> tuple[int, bytes]:
        """The next peer message that is no keep-alive: its id and its body."""
        while True:
            length = int.from_bytes(await self.read(4), "big")
            if length:
                body = await self.read(length)
                return body[0], body[1:]

    def write(self, data: bytes) -> None:
        self.connection.send(data)

    async def drain(self, most: int = 256 << 10) -> None:
        """Wait until no more than `most` bytes are queued. Raises NetworkError where the stream ends before."""
        await self._until(lambda: self.connection.queued <= most)
        if self.ended or self.connection.closing:
            # Closing, but nobody was told so far: a script that goes on writing would never let the loop turn.
            raise NetworkError("the stream ended", reason=str(self.error))

    async def wait_closed(self) -> None:
        await self._until(lambda: False)

    def close(self) -> None:
        self.connection.close()
