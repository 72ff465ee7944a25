"""SSDP: the search for routers on the local network, and the answers.

An answer is believed about its own sender only: the description must lie at the very address the answer came from,
which must be one of a home or office network. Else anybody on it could make us fetch from third parties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from wildbach.base import addresses, limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint

GROUP: Final = Endpoint("239.255.255.250", 1900)
TARGETS: Final = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
"What is searched for. Old routers know only the first."
_URL_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A router says where its description is."""

    location: str
    host: str
    port: int
    server: str = ""


def search(target: str, seconds: int = 2) -> bytes:
    """The datagram to the group. Whoever answers takes up to `seconds` for it."""
    return (
        f"M-SEARCH * HTTP/1.1\r\nHOST: {GROUP.host}:{GROUP.port}\r\nMAN: \"ssdp:discover\"\r\n"
        f"MX: {seconds}\r\nST: {target}\r\n\r\n"
    ).encode("ascii")


def decode(data: bytes | memoryview, sender: str) -> Found | None:
    """Read an answer; None for one that is not of a router, or that is not a 200. Raises FormatError for what is no
    answer, and where it points away from its sender.
    """
    if len(data) > limits.SSDP_BYTES:
        raise FormatError(f"{len(data)} bytes", where="SSDP")
    first, *lines = bytes(data).decode("latin-1").split("\n")
    words = first.split()
    if len(words) < 2 or not words[0].upper().startswith("HTTP/1."):
        raise FormatError("not an answer", where="SSDP")
    if words[1] != "200":
        return None
    fields: dict[str, str] = {}
    for line in lines[:64]:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    if not _is_router(fields):
        return None
    location = fields.get("location", "")
    host, port = check_url(location, sender)
    server = "".join(c for c in fields.get("server", "") if c.isprintable())[:100]
    return Found(location, host, port, server)


def _is_router(fields: Mapping[str, str]) -> bool:
    said = fields.get("st", "") + " " + fields.get("usn", "")
    return any(name in said for name in ("InternetGatewayDevice:", "WANIPConnection:", "WANPPPConnection:"))


def check_url(url: str, sender: str) -> tuple[str, int]:
    """The address and port of a URL that may be asked on the word of `sender`. Raises FormatError."""
    if len(url) > _URL_CHARS or not url.isascii() or not url.isprintable() or any(c in url for c in " \\@"):
        raise FormatError("not a URL", where="SSDP")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise FormatError("not a URL", where="SSDP") from None
    if parts.scheme != "http":
        raise FormatError(f"the scheme {parts.scheme[:20] or 'of no name'}", where="SSDP")
    address = addresses.parse(host)
    if address is None or address != addresses.parse(sender):
        raise FormatError("the URL does not lead to who sent it", where="SSDP")
    if classify(str(address)) not in (Reach.PRIVATE, Reach.LOCAL):
        raise FormatError("a router that is not on a private network", where="SSDP")
    return str(address), port
