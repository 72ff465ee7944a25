"""Boxes of ISO media files (ISO/IEC 14496-12): a length, a name of four bytes, and what is in it.

A box never reaches beyond the one it stands in.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.media.index import within
from wildbach.protocol.media.source import PEEK, Pull, Source


class Box(NamedTuple):
    """`start` … `end` is what is in the box; its head stands before."""

    kind: bytes
    head: int
    start: int
    end: int


def read_head(source: Source, at: int) -> Pull[Box | None]:
    """The box of a file that begins at `at`; None where there is none that fits into the file."""
    if not 0 <= at <= source.size - 8:
        return None
    source.look()
    raw = yield from source.get(at, min(16, source.size - at), PEEK)
    try:
        return _box(raw, at, at, source.size)
    except LimitError:
        raise
    except FormatError:
        return None


def boxes(data: memoryview, start: int = 0) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes that stand in `data` from `start` on, name and content."""
    at = start
    count = 0
    while at + 8 <= len(data):
        count += 1
        within(count, limits.MEDIA_BOXES, "boxes")
        box = _box(data[at : at + 16], at, at, len(data))
        yield box.kind, data[box.start : box.end]
        at = box.end


def first(data: memoryview, *path: bytes) -> memoryview:
    """What is in the first box of that name, and in it of the next name; empty where there is none."""
    for name in path:
        data = next((content for kind, content in boxes(data) if kind == name), memoryview(b""))
    return data


def _box(raw: bytes | memoryview, head: int, start: int, limit: int) -> Box:
    if len(raw) < 8:
        raise FormatError("a box is cut off", where=str(head))
    length, kind = int.from_bytes(raw[:4], "big"), bytes(raw[4:8])
    content = start + 8
    if length == 1:
        if len(raw) < 16:
            raise FormatError("a box is cut off", where=str(head))
        length = int.from_bytes(raw[8:16], "big")
        content = start + 16
    elif length == 0:
        length = limit - start
    if start + length < content or start + length > limit:
        raise FormatError(f"box {kind!r} of {length} bytes does not fit", where=str(head))
    return Box(kind, start, content, start + length)


def number(data: memoryview, at: int, length: int) -> int:
    """An unsigned number; FormatError where the content is too short for it."""
    if at + length > len(data):
        raise FormatError("a box is too short", where=str(at))
    return int.from_bytes(data[at : at + length], "big")


def signed(data: memoryview, at: int, length: int) -> int:
    value = number(data, at, length)
    return value - (1 << length * 8) if value >> (length * 8 - 1) else value


def numbers(data: memoryview, at: int, count: int, width: int = 4) -> array[int]:
    """A table of `count` numbers of `width` bytes (4 or 8); FormatError where the box is too short for it."""
    within(count, limits.MEDIA_RUNS, "table")
    if at + count * width > len(data):
        raise FormatError(f"a table of {count} entries does not fit", where=str(at))
    out = array("I" if width == 4 else "Q")
    out.frombytes(data[at : at + count * width])
    if sys.byteorder == "little":
        out.byteswap()
    return out


def columns(data: memoryview, at: int, count: int, width: int) -> list[array[int]]:
    """A table with `width` numbers of four bytes in each row, as columns."""
    flat = numbers(data, at, count * width)
    return [array("I", islice(flat, column, None, width)) for column in range(width)]
