"""What is read of headers that anybody may have written. Nothing here raises: what cannot be read is not there."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from wildbach.base.addresses import Network, parse

_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_EXTENSIONS: Final = frozenset(("chrome-extension", "moz-extension", "safari-web-extension"))
_COOKIES = 100
_FORWARDERS = 20


class Place(NamedTuple):
    """A host and a port, as a Host header names them."""

    host: str
    "A name in lower case, or a literal address in its plain form."
    port: int | None
    "None where the default of the scheme is meant."


def place(text: str) -> Place | None:
    """`name`, `name:80`, `1.2.3.4:80`, `[::1]:80`."""
    text = text.strip()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        address = parse(host) if bracket and ":" in host else None
        if address is None or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
        host = str(address)
    else:
        host, colon, port = text.lower().partition(":")
        host = host.removesuffix(".")
        if not _NAME.fullmatch(host) or (colon and not port):
            return None
    if not port:
        return Place(host, None)
    if not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        return None
    return Place(host, int(port))


def is_own(origin: str, own: Place) -> bool:
    """Whether an Origin or a Referer is of the server that is called by `own`. Its scheme may be another, for TLS may
    end at a reverse proxy.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc:
        return False
    default = _DEFAULT_PORTS[parts.scheme]
    at = place(parts.netloc)
    return at is not None and at.host == own.host and (at.port or default) == (own.port or default)


def is_extension(origin: str) -> bool:
    """An extension of the browser: no web page can say so of itself."""
    return origin.partition("://")[0] in _EXTENSIONS


def cookies(text: str) -> dict[str, str]:
    """Read leniently: some clients send a whole Set-Cookie line back. The first of a name counts."""
    found: dict[str, str] = {}
    for part in text.split(";", _COOKIES)[:_COOKIES]:
        name, equals, value = part.strip().partition("=")
        if equals and name:
            found.setdefault(name.strip(), value.strip().strip('"'))
    return found


def bearer(authorization: str) -> str:
    """The token of `Bearer TOKEN`; empty without one."""
    kind, _, token = authorization.strip().partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def basic(authorization: str) -> tuple[str, str] | None:
    """User and password of Basic credentials (RFC 7617)."""
    kind, _, packed = authorization.strip().partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(packed.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


def is_among(host: str, networks: Iterable[Network]) -> bool:
    address = parse(host)
    return address is not None and any(address in network for network in networks)


def caller(forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """The last address of X-Forwarded-For that is no trusted proxy: what stands before it may be anybody's invention.
    Empty where there is none.
    """
    for part in reversed(forwarded_for.split(",")[-_FORWARDERS:]):
        part = part.strip()
        at = place(part)
        address = parse(part.strip("[]")) or (parse(at.host) if at is not None else None)
        if address is None:
            return ""
        if not any(address in network for network in trusted):
            return str(address)
    return ""


def last(text: str) -> str:
    """The last of several values: what the nearest proxy said."""
    return text.rpartition(",")[2].strip()
