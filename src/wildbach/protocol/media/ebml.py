"""Elements of EBML (RFC 8794), of which Matroska and WebM are made: an id, a length, and what is in it.

An element never reaches beyond the one it stands in. One of unknown length reaches as far as that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.media.index import text, within
from wildbach.protocol.media.source import PEEK, Pull, Source

_HEAD_BYTES = 12
"An id has at most four bytes, a length eight."


class Element(NamedTuple):
    """`start` … `end` is what is in the element; `known` where it says its length itself."""

    kind: int
    start: int
    end: int
    known: bool


def read_head(source: Source, at: int, limit: int, ahead: int = PEEK) -> Pull[Element | None]:
    """The element of a file that begins at `at`; None where there is none that ends by `limit`."""
    if not 0 <= at <= limit - 2:
        return None
    source.look()
    raw = yield from source.get(at, min(_HEAD_BYTES, limit - at), ahead)
    try:
        return _element(raw, at, limit)
    except LimitError:
        raise
    except FormatError:
        return None


def elements(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The elements that stand in `data`, id and content."""
    at = count = 0
    while at + 2 <= len(data):
        count += 1
        within(count, limits.MEDIA_CUES, "elements")
        element = _element(data[at : at + _HEAD_BYTES], at, len(data))
        yield element.kind, data[element.start : element.end]
        at = element.end


def unsigned(data: memoryview) -> int:
    if len(data) > 8:
        raise FormatError("a number of more than 8 bytes", where="ebml")
    return int.from_bytes(data, "big")


def floating(data: memoryview) -> float:
    if len(data) not in (0, 4, 8):
        raise FormatError("a fraction of an odd length", where="ebml")
    value: float = struct.unpack({0: ">0s", 4: ">f", 8: ">d"}[len(data)], data)[0] if data else 0.0
    if not 0 <= value < float("inf"):
        raise FormatError("a fraction that is no length", where="ebml")
    return value


def string(data: memoryview) -> str:
    return text(bytes(data[: limits.MEDIA_TEXT_CHARS * 4]))


def _element(raw: bytes | memoryview, at: int, limit: int) -> Element:
    id_bytes = _width(raw, 0, 4, at)
    kind = int.from_bytes(raw[:id_bytes], "big")
    length_bytes = _width(raw, id_bytes, 8, at)
    length = int.from_bytes(raw[id_bytes : id_bytes + length_bytes], "big") & ((1 << 7 * length_bytes) - 1)
    start = at + id_bytes + length_bytes
    if length == (1 << 7 * length_bytes) - 1:
        return Element(kind, start, limit, False)
    if start + length > limit:
        raise FormatError(f"element {kind:x} of {length} bytes does not fit", where=str(at))
    return Element(kind, start, start + length, True)


def _width(raw: bytes | memoryview, at: int, most: int, place: int) -> int:
    """How many bytes a number of variable length has: the zeros in front say it."""
    width = 9 - raw[at].bit_length() if at < len(raw) else 9
    if width > most or at + width > len(raw):
        raise FormatError("an id or a length is cut off or too long", where=str(place))
    return width
