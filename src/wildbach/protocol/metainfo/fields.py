"""Typed access to decoded dictionaries: each wrong or missing key is one FormatError that names it."""

from __future__ import annotations

from wildbach.base.errors import FormatError
from wildbach.protocol.bencode import Value, show

Dict = dict[bytes, Value]

_KINDS = {int: "an integer", bytes: "a string", list: "a list", dict: "a dictionary"}


def wrong(where: str, key: bytes, value: Value | None, kind: type) -> FormatError:
    """The error for `value` at `key`, which should be a `kind` and is not, or is missing (None)."""
    place = f"{where}.{show(key)}" if where else show(key)
    if value is None:
        return FormatError("is missing", where=place)
    return FormatError(f"is {_KINDS[type(value)]} instead of {_KINDS[kind]}", where=place)


def take_int(fields: Dict, key: bytes, where: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int):
        raise wrong(where, key, value, int)
    return value


def take_bytes(fields: Dict, key: bytes, where: str) -> bytes:
    value = fields.get(key)
    if not isinstance(value, bytes):
        raise wrong(where, key, value, bytes)
    return value


def take_list(fields: Dict, key: bytes, where: str) -> list[Value]:
    value = fields.get(key)
    if not isinstance(value, list):
        raise wrong(where, key, value, list)
    return value


def take_dict(fields: Dict, key: bytes, where: str) -> Dict:
    value = fields.get(key)
    if not isinstance(value, dict):
        raise wrong(where, key, value, dict)
    return value


def bytes_or(fields: Dict, key: bytes, default: bytes = b"") -> bytes:
    """An optional string; a value of another type counts as absent."""
    value = fields.get(key)
    return value if isinstance(value, bytes) else default


def int_or(fields: Dict, key: bytes, default: int = 0) -> int:
    """An optional integer; a value of another type counts as absent."""
    value = fields.get(key)
    return value if isinstance(value, int) else default


def strings(value: Value | None) -> list[bytes]:
    """The strings of an optional list, or one string alone; anything else counts as absent."""
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, bytes)]
    return []
