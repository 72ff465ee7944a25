"""Parts of a file over HTTP (RFC 9110): what a request asks for, and the head of the answer.

One range is given; several at once are a whole file, as the standard permits. Nothing here does I/O, and nothing that
a client sends makes it raise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits

_RANGE: Final = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,19})[ \t]*-[ \t]*(\d{0,19})", re.ASCII | re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Part:
    """What to answer: 200 (all of it), 206, 304 or 416, and which bytes go along."""

    status: int
    first: int = 0
    length: int = 0
    headers: tuple[tuple[str, str], ...] = ()


def part_of(headers: Mapping[str, str], size: int, tag: str) -> Part:
    """The part of a file of `size` bytes, whose content `tag` names, that a GET or HEAD with these headers (names in
    lower case) asks for.
    """
    mark = f'"{tag}"'
    always = (("Accept-Ranges", "bytes"), ("ETag", mark))
    if _names(headers.get("if-none-match", ""), tag):
        return Part(304, headers=always)
    asked = headers.get("range", "")
    # A date never proves that the content is the same; our tags do.
    whole = not asked or headers.get("if-range", mark).strip() != mark
    span = None if whole or len(asked) > limits.RANGE_CHARS else _RANGE.fullmatch(asked.strip())
    if span is None or not (span[1] or span[2]):
        return Part(200, 0, size, always)
    if span[1]:
        first = int(span[1])
        last = min(int(span[2]), size - 1) if span[2] else size - 1
        if span[2] and int(span[2]) < first:
            return Part(200, 0, size, always)  # not a range at all
    else:
        first, last = max(0, size - int(span[2])), size - 1
    if first >= size or last < first:
        return Part(416, headers=(*always, ("Content-Range", f"bytes */{size}")))
    return Part(206, first, last - first + 1, (*always, ("Content-Range", f"bytes {first}-{last}/{size}")))


def _names(listed: str, tag: str) -> bool:
    """Whether an If-None-Match names what we have."""
    return bool(listed) and (
        listed.strip() == "*" or any(found == tag for found in _TAG.findall(listed[:limits.MEDIA_LINE_BYTES])))
