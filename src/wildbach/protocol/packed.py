"""Files that come as gzip or zip: what they hold, never more of it than the caller can bear.

A zip file is read from its front, one entry after the other, and its directory at the end is not asked: only the first
entry with content is of interest.
"""

from __future__ import annotations

import zlib
from struct import Struct
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_ENTRY: Final = Struct("<4xHHHHHIIIHH")
_SECRET: Final = 1
_SIZES_BEHIND: Final = 8
"The sizes of an entry stand behind its data."
_STORED: Final = 0
_DEFLATED: Final = 8
_STEP: Final = 1 << 16
"What is left of a step behind the end of a stream is copied, so steps are small."


def unpacked(data: bytes, most: int, limit: str) -> bytes:
    """What a gzip file holds, or the first file with content of a zip file; other data as it is.

    `limit` is the name of the limit that `most` bytes are. Raises LimitError above it, and FormatError for what is
    damaged, cut short or needs a password.
    """
    if data.startswith(_GZIP):
        return _gzip(data, most, limit)
    if data.startswith(_ZIP):
        return _zip(data, most, limit)
    if len(data) > most:
        raise _too_long(most, limit)
    return data


def _gzip(data: bytes, most: int, limit: str) -> bytes:
    """Members one behind the other are one text. What follows the last is padding."""
    parts: list[bytes] = []
    at = size = 0
    while data.startswith(_GZIP, at):
        if len(parts) == limits.PACKED_MEMBERS:
            raise LimitError(f"more than PACKED_MEMBERS ({limits.PACKED_MEMBERS}) parts", where="gzip")
        part, at = _inflate(memoryview(data), at, 16 + zlib.MAX_WBITS, most - size, "gzip", limit)
        size += len(part)
        parts.append(part)
    return b"".join(parts)


def _zip(data: bytes, most: int, limit: str) -> bytes:
    at = 0
    for _ in range(limits.PACKED_MEMBERS):
        if not data.startswith(_ZIP, at):
            raise FormatError("no file with content", where="zip")
        if at + _ENTRY.size > len(data):
            break
        _, flags, method, _, _, crc, packed, size, name, extra = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size + name + extra
        if flags & _SECRET:
            raise FormatError("it needs a password", where="zip")
        known = not flags & _SIZES_BEHIND
        if known and not packed:
            continue
        if method == _DEFLATED:
            content, at = _inflate(memoryview(data), at, -zlib.MAX_WBITS, most, "zip", limit)
        elif method == _STORED and known:
            if size > most:
                raise _too_long(most, limit)
            content, at = data[at : at + size], at + size
        else:
            raise FormatError("packed in a way that is not known", where="zip")
        if known and (len(content) != size or zlib.crc32(content) != crc):
            raise FormatError("damaged or cut short", where="zip")
        if content:
            return content
        # A few bytes of sizes follow, of a length that the entry does not tell.
        at = data.find(_ZIP, at, at + 64)
        if at < 0:
            raise FormatError("no file with content", where="zip")
    raise FormatError("no file with content", where="zip")


def _inflate(data: memoryview, at: int, form: int, most: int, where: str, limit: str) -> tuple[bytes, int]:
    """One stream: what it holds, and where it ends."""
    stream = zlib.decompressobj(form)
    parts: list[bytes] = []
    size = 0
    for begin in range(at, len(data), _STEP):
        step = data[begin : begin + _STEP]
        try:
            parts.append(stream.decompress(step, most - size + 1))
        except zlib.error:
            raise FormatError("damaged", where=where) from None
        size += len(parts[-1])
        if size > most:
            raise _too_long(most, limit)
        if stream.eof:
            return b"".join(parts), begin + len(step) - len(stream.unused_data)
    raise FormatError("cut short", where=where)


def _too_long(most: int, limit: str) -> LimitError:
    return LimitError(f"longer than {limit} ({most} bytes)")
