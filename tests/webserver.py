"""Web servers for the tests of web seeds: one that does as the test says, and nginx."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from tests import encounters

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MISSING = None if NGINX else "nginx is not installed"
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")


@dataclass
class Asked:
    """One request."""

    path: str
    "As it stood in the request, with the query."
    range: str
    headers: dict[str, str]
    number: int


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Scripted:
    """A server whose answers a test writes."""

    url: str
    asked: list[Asked] = field(default_factory=list)


def head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


async def give(files: dict[str, bytes], asked: Asked, writer: asyncio.StreamWriter) -> None:
    """What a good server does: ranges of files by their unquoted path."""
    data = files.get(unquote(asked.path).lstrip("/"))
    if data is None:
        writer.write(head("404 Not Found", "Content-Length: 0"))
        return
    found = _RANGE.fullmatch(asked.range)
    if found is None:
        writer.write(head("200 OK", f"Content-Length: {len(data)}") + data)
        return
    first, last = int(found[1]), int(found[2])
    body = data[first : last + 1]
    writer.write(head(
        "206 Partial Content", f"Content-Length: {len(body)}", f"Content-Range: bytes {first}-{last}/{len(data)}"))
    writer.write(body)
    await writer.drain()


@asynccontextmanager
async def scripted(answer: Answer) -> AsyncIterator[Scripted]:
    """Serve on loopback until the end of the block; each connection is kept until `answer` closes it."""
    server = Scripted("")
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                named = (line.partition(":") for line in lines[1:])
                headers = {name.lower(): value.strip() for name, _, value in named}
                asked = Asked(lines[0].split(" ")[1], headers.get("range", ""), headers, len(server.asked))
                server.asked.append(asked)
                await answer(asked, writer)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    try:
        yield server
    finally:
        listening.close()
        for writer in writers:
            writer.close()
        for writer in writers:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await listening.wait_closed()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def nginx(work: Path, root: Path, extra: str = "") -> Iterator[str]:
    """Debian's nginx on a free port of loopback, giving the files below `root`; its URL, ending in a slash."""
    assert NGINX is not None
    work.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    temporary = "".join(
        f"{name}_temp_path {work}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""
    (work / "nginx.conf").write_text(
        f"daemon off; pid {work}/pid; error_log stderr; worker_processes 1;\n{user}"
        f"events {{ worker_connections 256; }}\n"
        f"http {{ access_log off; sendfile on; {temporary}\n"
        f"  server {{ listen 127.0.0.1:{port}; root {root}; {extra} }} }}\n"
    )
    with subprocess.Popen(
        [NGINX, "-p", str(work), "-c", str(work / "nginx.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(port, process)
            encounters.note("nginx")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody answers there."""
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError("nginx did not start")
