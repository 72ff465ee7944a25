"""Passes TCP connections on and keeps what went by: `python tap_child.py HOST:PORT TARGET:PORT FILE`.

It prints where it listens, and ends with its standard input. FILE has the bytes of both directions, as they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import BinaryIO


def place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: BinaryIO) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            kept.write(data)
            kept.flush()
            writer.write(data)
            await writer.drain()
    writer.close()


async def main(at: str, target: str, path: str) -> None:
    with open(path, "wb", buffering=0) as kept:
        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, here = await asyncio.open_connection(*place(target))
            await asyncio.gather(pass_on(reader, here, kept), pass_on(there, writer, kept))

        server = await asyncio.start_server(called, *place(at))
        host, port = server.sockets[0].getsockname()[:2]
        print(f"{host}:{port}", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
