"""Where a proxy is, what it speaks, and as whom we come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from wildbach.base import addresses, hostnames
from wildbach.base.errors import UsageError
from wildbach.protocol.proxy import connect, socks
from wildbach.protocol.proxy.place import ANYWHERE, judge

_PORTS: Final = {"socks5": 1080, "http": 8080}
_SPELLINGS: Final = {"socks5": "socks5", "socks5h": "socks5", "socks": "socks5", "http": "http"}


class Tunnel(Protocol):
    """The talk that comes before a stream through a proxy."""

    done: bool
    "What comes from now on is from the far end."

    def begin(self) -> bytes:
        """What is said first."""
        ...

    @property
    def wants(self) -> int:
        """Bytes that may be received next at most."""
        ...

    def received(self, data: bytes) -> bytes:
        """Take what the proxy said; returns what is said next. Raises ProxyError or Unreachable."""
        ...


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    kind: str
    "`socks5` or `http`."
    host: str
    "An address or a name, in its one spelling."
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        """For people: without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"

    def tunnel(self, host: str, port: int) -> Tunnel:
        """To an address, or to a name that the proxy looks up. Raises Unreachable for what is neither."""
        place = judge(host, port)
        if self.kind == "socks5":
            return socks.Tunnel(socks.CONNECT, place, self.user, self.password)
        return connect.Tunnel(place, self.user, self.password)

    def associate(self) -> socks.Tunnel:
        """For datagrams; its `bound` is where they are sent. Of SOCKS5 only."""
        return socks.Tunnel(socks.ASSOCIATE, ANYWHERE, self.user, self.password)


def parse(url: str) -> ProxyAddress:
    """`socks5://HOST:PORT` or `http://HOST:PORT`, with `USER:PASSWORD@` before the host where it wants to know us. What
    has a meaning in a URL is spelled %XX in user and password. Raises UsageError.
    """
    scheme, separator, _ = url.partition("://")
    kind = _SPELLINGS.get(scheme.lower())
    if not separator or kind is None:
        raise UsageError(
            "a proxy is socks5://HOST:PORT or http://HOST:PORT, with USER:PASSWORD@ before the host where needed",
        )
    if any(c <= " " or c == "\x7f" for c in url):
        raise UsageError("the proxy's URL has characters that no URL may have")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        # What exactly is wrong may be a part of the password.
        raise UsageError("the proxy's URL cannot be read: spell / ? # @ : in user and password as %XX") from None
    literal = addresses.parse(host)
    name = str(literal) if literal is not None else hostnames.parse(host)
    if name is None:
        raise UsageError("the proxy's URL has no host: that is an address, or a name of letters, digits, - and _")
    if parts.path not in ("", "/") or parts.query or parts.fragment or port == 0:
        raise UsageError("the proxy's URL has more than user, password, host and port (spell / ? # in them as %XX)")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    for word in (user, password):
        if len(word.encode()) > socks.WORD_BYTES or any(c < " " or c == "\x7f" for c in word):
            raise UsageError(f"user and password of a proxy have at most {socks.WORD_BYTES} printable bytes each")
    if kind == "http" and ":" in user:
        raise UsageError("a user of an HTTP proxy has no colon in the name")
    return ProxyAddress(kind, name, port if port is not None else _PORTS[kind], user, password)
