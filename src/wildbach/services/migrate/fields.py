"""Single values of other programs' state, each checked: what is not as it should be counts as absent."""

from __future__ import annotations

import math

from wildbach.base import limits
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.document import clean_url
from wildbach.protocol.metainfo.fields import Dict, int_or, strings
from wildbach.protocol.metainfo.paths import printable
from wildbach.services.migrate.content import as_tiers

_MOST = 1 << 62
_LAST_MOMENT = 1 << 40


def text(value: object, most: int = limits.IMPORT_NAME_CHARS) -> str:
    """Text for people from bytes or str; empty for anything else."""
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    return printable(value, most) if isinstance(value, bytes) else ""


def path_text(value: object) -> str:
    """A path as it stands, with bytes that are no UTF-8 as surrogates, which `PathMap.here` refuses."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else ""


def number(value: object, default: float = 0) -> float:
    """A number between -2**62 and 2**62; `default` for anything else."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return max(-_MOST, min(value, _MOST))
    return default


def count(value: object) -> int:
    """A number of bytes or seconds, not below 0."""
    return max(0, int(number(value)))


def moment(value: object) -> float | None:
    """Seconds since 1970; None for 0 and nonsense."""
    found = number(value)
    return float(found) if 0 < found < _LAST_MOMENT else None


def rate(value: object, factor: float = 1) -> int:
    """A limit in bytes a second; 0 where there is none."""
    found = number(value, -1)
    return int(found * factor) if 0 < found < 1 << 50 else 0


def flag(fields: Dict, key: bytes) -> bool:
    return int_or(fields, key) != 0


def tags(values: object) -> tuple[str, ...]:
    """Names from a list, each once and stripped of blanks."""
    items = values if isinstance(values, list | tuple) else ()
    names = (text(item).strip() for item in items[: limits.IMPORT_TAGS])
    return tuple(dict.fromkeys(name for name in names if name))


def urls(value: Value | None) -> tuple[str, ...]:
    """The URLs of a bencoded list."""
    found = (clean_url(item) for item in strings(value)[: limits.TRACKERS_PER_TORRENT])
    return tuple(dict.fromkeys(url for url in found if url))


def tiers(value: Value | None) -> tuple[tuple[str, ...], ...]:
    """Tiers of trackers from a bencoded list of lists."""
    items = value if isinstance(value, list) else []
    return as_tiers(urls(tier) for tier in items[: limits.TRACKERS_PER_TORRENT])

