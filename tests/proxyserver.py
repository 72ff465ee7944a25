"""A proxy for tests, which does with each connection what a test wrote: those that work, stall, lie and go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from wildbach.base.errors import NetworkError
from wildbach.net.outlet import Outlet
from wildbach.net.proxy import Proxy
from wildbach.protocol.proxy import parse

GRANTED = b"\5\0\0\1\0\0\0\0\0\0"
Story = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """Looks up the proxy's own name."""

    def __init__(self, *found: str) -> None:
        self.asked: list[str] = []
        self._found = list(found) or ["127.0.0.1"]

    async def resolve(self, host: str, family: int) -> list[str]:
        self.asked.append(host)
        if host != "proxy.test":
            raise NetworkError(f"cannot find {host}")
        return self._found


@asynccontextmanager
async def proxy(
    story: Story, kind: str = "socks5", login: str = "", host: str = "127.0.0.1", names: Names | None = None,
) -> AsyncIterator[Proxy]:
    """A proxy that does with each connection as `story` says."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await story(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield Proxy(parse(f"{kind}://{login}{host}:{port}"), Outlet(), names or Names())
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What is asked for after a greeting without a password."""
    await reader.readexactly((await reader.readexactly(2))[1])
    writer.write(b"\5\0")
    head = await reader.readexactly(4)
    size = {1: 4, 4: 16}.get(head[3]) or (await reader.readexactly(1))[0]
    return head + await reader.readexactly(size + 2)


async def forever(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass
