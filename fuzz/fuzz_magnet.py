"""Magnet links: what is read is read again from its own text."""

from __future__ import annotations

from wildbach.protocol.metainfo import Magnet, MutableLink
from wildbach.protocol.metainfo.magnet import is_mutable

_HASH = "631a31dd0a46257d5078c0dee4e66e26f73e42ac"
_V2 = "d8dd32ac93357c368556af3ac1d95c9d76bd0dff6fa9833ecdac3d53134efabb"
SEEDS = [
    text.encode()
    for text in (
        _HASH, _V2, "1220" + _V2, "MMNDDXIKIYSX2UDYYDPOJZTOE33T4QVM", f"magnet:?xt=urn:btih:{_HASH}",
        f"magnet:?xt=urn:btih:{_HASH}&xt=urn:btmh:1220{_V2}&dn=a+b%20c&xl=5&tr=http%3A%2F%2Ft%2Fa&tr.1=udp://u:1",
        f"magnet:?xt=urn:btmh:1220{_V2}&so=0,2,4-6&x.pe=1.2.3.4:5&x.pe=[::1]:6&ws=http://w/%2525",
        f"magnet:?xs=urn:btpk:{_V2}&s=6e&rk={_V2}&dn=x&xt=urn:btih:{_HASH}",
    )
]
TOKENS = [b"&", b"=", b"%", b"%00", b"%ff", b"xt=", b"urn:btih:", b"urn:btmh:", b"xs=", b"urn:btpk:", b"s=", b"rk=",
          b"1220", b"so=", b"0-9", b"x.pe=",
          b"tr="]


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    if is_mutable(text):
        link = MutableLink.parse(text)
        if MutableLink.parse(link.to_uri()) != link:
            raise AssertionError("does not read back")
        return
    magnet = Magnet.parse(text)
    if Magnet.parse(magnet.to_uri()) != magnet:
        raise AssertionError("does not read back")
