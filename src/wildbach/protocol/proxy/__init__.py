"""What a client says to a proxy before a stream goes through it: SOCKS5 and HTTP CONNECT, without a socket.

    proxy = parse("socks5://anna:secret@10.0.0.1:1080")
    tunnel = proxy.tunnel("tracker.example", 80)
    send(tunnel.begin())
    while not tunnel.done:
        send(tunnel.received(receive(tunnel.wants)))

A tunnel never wants more bytes than the proxy's own answers have, so what the far end says first is not taken from it.
"""

from __future__ import annotations

from wildbach.protocol.proxy.address import ProxyAddress, Tunnel, parse
from wildbach.protocol.proxy.errors import CLOSED, LOGIN, PROTOCOL, SLOW, ProxyError, Unreachable

__all__ = ["CLOSED", "LOGIN", "PROTOCOL", "SLOW", "ProxyAddress", "ProxyError", "Tunnel", "Unreachable", "parse"]
