"""What can go wrong with a proxy: the proxy itself, or the place it was to connect to."""

from __future__ import annotations

from typing import Final

from wildbach.base.errors import NetworkError

LOGIN: Final = "proxy_login"
"Code of a ProxyError: it takes another user and password, or wants some."
PROTOCOL: Final = "proxy_protocol"
"Code of a ProxyError: what is there speaks something else."
CLOSED: Final = "proxy_closed"
"Code of a ProxyError: it hung up."
SLOW: Final = "proxy_slow"
"Code of an Unreachable: nothing came of it in time."


class ProxyError(NetworkError):
    """The proxy cannot be used: it is not there, takes another password, or speaks something else. That is the same
    for every place it is asked to connect to."""

    code = "proxy"


class Unreachable(NetworkError):
    """The proxy works, and could not connect to this place."""

    code = "unreachable"
