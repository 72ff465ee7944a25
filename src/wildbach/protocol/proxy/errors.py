"""What can go wrong with a proxy: the proxy itself, or the place it was to connect to."""

from __future__ import annotations

from wildbach.base.errors import NetworkError


class ProxyError(NetworkError):
    """The proxy cannot be used: it is not there, takes another password, or speaks something else. That is the same
    for every place it is asked to connect to."""

    code = "proxy"


class Unreachable(NetworkError):
    """The proxy works, and could not connect to this place."""

    code = "unreachable"
