"""Bodies packed with gzip, for clients that take them so.

A session's cookie is sent by our own pages alone (SameSite=Strict), so no other page can have secrets packed together
with what it chose, and learn from the length.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from wildbach.net.httpd import Request, Response, Stream

_WORTH_BYTES: Final = 1024
"Less does not get shorter by enough."
_SLICE: Final = 64 * 1024
"Packing that takes about a millisecond."
_LEVEL: Final = 4
_TEXTS: Final = ("application/json", "application/openmetrics-text", "text/plain", "text/html")


def takes(request: Request) -> bool:
    """Whether the client takes gzip."""
    by_name: dict[str, bool] = {}
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, parameters = part.partition(";")
        by_name[name.strip()] = not _is_zero(parameters)
    return by_name.get("gzip", by_name.get("*", False))


def _is_zero(parameters: str) -> bool:
    name, _, value = parameters.partition("=")
    return name.strip() == "q" and not value.strip().strip("0").strip(".")


def packed(answer: Response | Stream, request: Request) -> Response | Stream:
    """The answer as this client gets it. What is long is packed while it is sent, a slice at a time."""
    if answer.content_type not in _TEXTS or answer.status in (204, 304):
        return answer
    named = {name.lower() for name in answer.headers}
    if named & {"content-encoding", "etag"}:
        return answer
    body = answer.body if isinstance(answer, Response) else None
    if body is not None and len(body) < _WORTH_BYTES:
        return answer
    headers = {**answer.headers, "Vary": "Accept-Encoding"}
    if not takes(request):
        return replace(answer, headers=headers)
    headers["Content-Encoding"] = "gzip"
    if isinstance(answer, Stream):
        return replace(answer, chunks=_pack(answer.chunks), headers=headers, length=None)
    if len(answer.body) <= _SLICE:
        return replace(answer, body=whole(answer.body, _LEVEL), headers=headers)
    return Stream(_pack(_sliced(answer.body)), answer.status, answer.content_type, headers)


def whole(body: bytes, level: int = 9) -> bytes:
    """All at once. Same bytes in, same bytes out."""
    packer = _packer(level)
    return packer.compress(body) + packer.flush()


def _packer(level: int) -> zlib._Compress:
    return zlib.compressobj(level, wbits=31)


async def _sliced(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _SLICE):
        yield body[start:start + _SLICE]


async def _pack(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = _packer(_LEVEL)
    try:
        async for chunk in chunks:
            for start in range(0, len(chunk), _SLICE):
                if out := packer.compress(chunk[start:start + _SLICE]):
                    yield out
                await asyncio.sleep(0)
        yield packer.flush()
    finally:
        closing = getattr(chunks, "aclose", None)
        if closing is not None:
            await closing()
