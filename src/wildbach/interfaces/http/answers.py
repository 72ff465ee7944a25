"""Values in JSON, made in slices where they are long, so that the loop does not stand still meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from wildbach.net.httpd import Response, Stream

CONTENT_TYPE = "application/json"
_ROWS = 200
"So many rows take some milliseconds."
_NUMBERS = 50_000

_encoder = msgspec.json.Encoder()


def answer(value: Struct, status: int = 200) -> Response | Stream:
    if any(_is_long(getattr(value, name)) for name in value.__struct_fields__):
        return Stream(_sliced(value), status, CONTENT_TYPE)
    return Response(_encoder.encode(value), status, CONTENT_TYPE)


def _is_long(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > _step(value)


def _step(rows: tuple[Any, ...]) -> int:
    return _NUMBERS if rows and isinstance(rows[0], int | float) else _ROWS


async def _sliced(value: Struct) -> AsyncIterator[bytes]:
    separator = b"{"
    for name, shown in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
        part = getattr(value, name)
        if part is UNSET:
            continue
        head = separator + _encoder.encode(shown) + b":"
        separator = b","
        if not _is_long(part):
            yield head + _encoder.encode(part)
            continue
        yield head + b"["
        step = _step(part)
        for start in range(0, len(part), step):
            rows = _encoder.encode(part[start:start + step])[1:-1]
            yield rows if start == 0 else b"," + rows
            await asyncio.sleep(0)
        yield b"]"
    yield b"}" if separator == b"," else b"{}"
