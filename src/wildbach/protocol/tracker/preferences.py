"""What a host's TXT record says of its trackers (BEP 34): on which ports they are, the preferred one first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from wildbach.base import limits

_WORD = re.compile(rb"(UDP|TCP):([0-9]{1,5})")


class Place(NamedTuple):
    udp: bool
    port: int


def read(texts: Iterable[bytes]) -> tuple[Place, ...] | None:
    """The places that records name; none at all is a host that runs no tracker. None where no record is of this kind.

    Words we do not know are passed over, as the BEP asks.
    """
    found: dict[Place, None] = {}
    spoken = False
    for text in texts:
        first, *words = text.split(b" ")
        if first != b"BITTORRENT":
            continue
        spoken = True
        for word in words:
            match = _WORD.fullmatch(word)
            if match is not None and 0 < int(match[2]) < 65536 and len(found) < limits.TRACKER_PLACES:
                found[Place(match[1] == b"UDP", int(match[2]))] = None
    return tuple(found) if spoken else None


def directed(url: str, places: Iterable[Place]) -> list[str]:
    """The URL at each of these places. Over TCP its own scheme stays, http stands in for udp."""
    parts = urlsplit(url)
    login, _, _ = parts.netloc.rpartition("@")
    host = parts.hostname or ""
    out = []
    for place in places:
        scheme = "udp" if place.udp else (parts.scheme if parts.scheme != "udp" else "http")
        netloc = f"{login}@{host}:{place.port}" if login else f"{host}:{place.port}"
        out.append(parts._replace(scheme=scheme, netloc=netloc).geturl())
    return out
