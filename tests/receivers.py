"""A small web server for tests that takes what is sent to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Receiver:
    """`status` is what it answers; `taken` are the JSON bodies it answered well, `calls` all requests."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
        self.taken: list[dict[str, Any]] = []
        self.calls = 0
        self._news = asyncio.Event()

    async def until_calls(self, count: int) -> None:
        async with asyncio.timeout(60):
            while self.calls < count:
                self._news.clear()
                await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            (length,) = (
                int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
            body = await reader.readexactly(length)
            if self.status == 200:
                self.taken.append(json.loads(body))
            writer.write(f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            self.calls += 1
            self._news.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
