"""Addresses of sites and paths below them: no element leaves the site, and what is read is read again."""

from __future__ import annotations

from wildbach.protocol import sites

_KEY = bytes(range(32))
_LABEL = sites.label(_KEY)
SEEDS = [
    text.encode()
    for text in (
        _LABEL, _KEY.hex(), f"btpk://{_LABEL}/a/b.html", f"bittorrent://{_KEY.hex()}/x%20y/", f"http://{_LABEL}.localhost:9092/?q",
        f"magnet:?xs=urn:btpk:{_KEY.hex()}&x.pe=1.2.3.4:5", "/", "/docs/", "/a/%2e%2e/b", "/%c3%bc/index.html",
        f"v-{_LABEL}.localhost",
    )
]
TOKENS = [b"/", b"%2f", b"%5c", b"..", b"%2e", b"%00", b"//", b"\\", b"btpk://", b"magnet:?xs=urn:btpk:",
b".localhost", b"v-"]


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    host = sites.host_of(text)
    if host is not None and host.name != text:
        raise AssertionError("a second spelling of a host")
    if text.startswith("/"):
        parts, _ = sites.parse_path(text)
        if any(part in ("", ".", "..") or set("/\\\0") & set(part) for part in parts):
            raise AssertionError("an element that leaves the site")
        if sites.parse_path(sites.path_of(parts))[0] != parts:
            raise AssertionError("does not read back")
        return
    link = sites.parse_link(text)
    if sites.parse_link(link.to_uri()) != sites.SiteLink(link.key, link.path):
        raise AssertionError("does not read back")
