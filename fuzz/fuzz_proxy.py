"""What proxies answer, datagrams of their relays, and the URLs that name them."""

from __future__ import annotations

import contextlib

from wildbach.base.errors import UsageError
from wildbach.protocol.proxy import ProxyError, Tunnel, Unreachable, parse, socks
from wildbach.protocol.proxy.connect import Tunnel as ConnectTunnel
from wildbach.protocol.proxy.place import ANYWHERE, judge

SEEDS: list[bytes] = [
    b"\5\0\5\0\0\1\x0a\0\0\1\x04\x38", b"\5\2\1\0\5\0\0\3\4host\0\1", b"\5\0\5\0\0\4" + bytes(18),
    b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n", b"HTTP/1.0 407 No\r\n\r\n",
    b"\0\0\0\1\1\2\3\4\0\5content", b"\0\0\0\4" + bytes(18) + b"content", b"socks5://anna:secret@[::1]:1080",
]
TOKENS = [b"\5\0", b"\5\2", b"\1\0", b"\0\0\0\1", b"\0\0\0\3", b"\0\0\0\4", b"\r\n\r\n", b"HTTP/1.1 ",
          b"socks5://", b"%2F"]


def one_input(data: bytes) -> None:
    tunnels: list[Tunnel] = [
        socks.Tunnel(socks.CONNECT, judge("t.example", 80), "a", "b"), socks.Tunnel(socks.ASSOCIATE, ANYWHERE),
        ConnectTunnel(judge("t.example", 80)),
    ]
    for tunnel in tunnels:
        tunnel.begin()
        rest = data
        try:
            while rest and not tunnel.done:
                assert tunnel.wants > 0
                part, rest = rest[: tunnel.wants], rest[tunnel.wants :]
                tunnel.received(part)
        except (ProxyError, Unreachable):
            pass
    found = socks.unwrap(data)
    if found is not None:
        assert socks.unwrap(socks.wrap(found[0]) + data[found[1] :]) is not None
    text = data.decode("latin-1")
    with contextlib.suppress(UsageError):
        parse(text)
    with contextlib.suppress(Unreachable):
        assert judge(text, 80) == judge(judge(text, 80).host, 80)
