"""What clients send, checked and turned into the values of the Api. Whatever is wrong with it is a UsageError, code
`bad_request`.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Struct

from wildbach.base import limits
from wildbach.base.errors import UsageError

S = TypeVar("S", bound=Struct)

_STRINGS_AND_BRACKETS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_MATCHES = 20_000
"Looked at in one go."
_ESCAPES: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SEGMENT_CHARS = 4096


async def from_json(body: bytes, kind: type[S]) -> S:
    """Raises UsageError."""
    await _check_depth(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad(f"the body: {error}") from None


async def _check_depth(body: bytes) -> None:
    """In constant time for nearly all bodies; a long one that is full of brackets is looked at in turns."""
    if body.count(b"[") + body.count(b"{") <= limits.JSON_DEPTH:
        return
    depth = 0
    for seen, found in enumerate(_STRINGS_AND_BRACKETS.finditer(body), 1):
        first = found[0][:1]
        if first in (b"[", b"{"):
            depth += 1
            if depth > limits.JSON_DEPTH:
                raise bad(f"the body is nested deeper than {limits.JSON_DEPTH} levels")
        elif first != b'"':
            depth -= 1
        if seen % _MATCHES == 0:
            await asyncio.sleep(0)


def from_query(query: str, kind: type[S]) -> S:
    """`a=1&b=x&b=y`: a field that holds several values may come several times. Raises UsageError."""
    several = _fields_of_several(kind)
    values: dict[str, Any] = {}
    for name, value in pairs(query):
        if name in several:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise bad(f"the query: `{name}` stands there more than once")
        else:
            values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise bad(f"the query: {error}") from None


@cache
def _fields_of_several(kind: type[Struct]) -> frozenset[str]:
    return frozenset(
        name for name, hint in get_type_hints(kind).items()
        if any(get_origin(one) is tuple for one in (hint, *get_args(hint)))
    )


def pairs(query: str) -> list[tuple[str, str]]:
    """Raises UsageError."""
    if not query.isascii() or _ESCAPES.search(query):
        raise bad("the query: a character that has to be escaped, or a `%` that is none of an escape")
    try:
        return parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=limits.QUERY_FIELDS, encoding="utf-8")
    except ValueError as error:
        raise bad(f"the query: {error}") from None


def from_segment(text: str, kind: type) -> str | int:
    """A part of the path. Raises UsageError."""
    if not text.isascii():
        raise bad("the path has characters that have to be escaped")
    try:
        value = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise bad("the path is not in UTF-8") from None
    if _ESCAPES.search(text) or not value or len(value) > _SEGMENT_CHARS or "\0" in value:
        raise bad("the path has a part that cannot be")
    if kind is int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,17}", value, re.ASCII):
            raise bad(f"{value!r} is not a number")
        return int(value)
    return value


def bad(message: str) -> UsageError:
    return UsageError(message, code="bad_request")
