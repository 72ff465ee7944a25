"""HTTP CONNECT (RFC 9110, section 9.3.6), with a user and a password (Basic, RFC 7617)."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from wildbach.base import limits
from wildbach.protocol.proxy.errors import LOGIN, PROTOCOL, ProxyError, Unreachable
from wildbach.protocol.proxy.place import Place

_END: Final = b"\r\n\r\n"
REFUSED: Final = (401, 407)
"The first is for servers; there are proxies that answer it to a wrong password."
_FORBIDDEN: Final = 403
_GATEWAY: Final = (502, 503, 504)


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def refused(user: str, password: str) -> ProxyError:
    """The proxy does not know us by these."""
    return ProxyError(
        "wrong user or password: the proxy does not take them" if user or password
        else "the proxy wants a user and a password: http://USER:PASSWORD@HOST:PORT", code=LOGIN,
    )


class Tunnel:
    """One request."""

    __slots__ = ("_have", "_password", "_place", "_user", "done")

    def __init__(self, place: Place, user: str = "", password: str = "") -> None:
        self._place = str(place)
        self._user = user
        self._password = password
        self._have = bytearray()
        self.done = False

    def begin(self) -> bytes:
        lines = [f"CONNECT {self._place} HTTP/1.1", f"Host: {self._place}"]
        if self._user or self._password:
            lines.append(f"Proxy-Authorization: {basic(self._user, self._password)}")
        return "\r\n".join([*lines, "", ""]).encode()

    @property
    def wants(self) -> int:
        """As many as are sure to be missing of the head: nothing behind its end is ours."""
        have = self._have
        return next(missing for missing in (1, 2, 3, 4) if missing == 4 or have.endswith(_END[: 4 - missing]))

    def received(self, data: bytes) -> bytes:
        have = self._have
        have += data
        if len(have) > limits.PROXY_HEAD_BYTES:
            raise ProxyError("the proxy's answer is too long")
        if not b"HTTP/1.".startswith(have[:7]) and not have.startswith(b"HTTP/1."):
            raise ProxyError("what is there does not speak HTTP CONNECT", code=PROTOCOL)
        if have.endswith(_END):
            self._judge(bytes(have.partition(b"\r\n")[0]))
        return b""

    def _judge(self, line: bytes) -> None:
        version, _, rest = line.partition(b" ")
        code = rest[:3]
        if len(version) != 8 or len(code) != 3 or not code.isdigit() or rest[3:4] not in (b"", b" "):
            raise ProxyError("the proxy's answer is not HTTP", code=PROTOCOL)
        status = int(code)
        if 200 <= status < 300:
            self.done = True
        elif status in REFUSED:
            raise refused(self._user, self._password)
        elif status in _GATEWAY:
            raise Unreachable(f"the proxy could not connect (HTTP {status})", status=status)
        elif status == _FORBIDDEN:
            raise Unreachable(f"the proxy's rules do not allow it (HTTP {status})", status=status)
        else:
            raise Unreachable(f"the proxy answers with HTTP {status}", status=status)
