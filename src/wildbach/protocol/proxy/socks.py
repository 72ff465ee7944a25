"""SOCKS5 (RFC 1928) with user and password (RFC 1929): streams, and datagrams over an association."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final

from wildbach.base.ids import Endpoint
from wildbach.protocol.proxy.errors import LOGIN, PROTOCOL, ProxyError, Unreachable
from wildbach.protocol.proxy.place import Place, judge

CONNECT: Final = 1
ASSOCIATE: Final = 3
WORD_BYTES: Final = 255
HEADER_BYTES: Final = 22
"Of a datagram to or from an IPv6 address; names may take more."
_VERSION: Final = 5
_OPEN: Final = 0
_PASSWORD: Final = 2
_NONE_FITS: Final = 0xFF
_V4, _NAME, _V6 = 1, 3, 4
_PORT: Final = Struct(">H")
_REPLIES: Final = {
    1: "the proxy failed", 2: "the proxy's rules do not allow it", 3: "the network cannot be reached",
    4: "the host cannot be reached", 5: "the connection was refused", 6: "it took too long",
}
_COMMAND_UNKNOWN: Final = 7
_ADDRESS_UNKNOWN: Final = 8
_REFUSED: Final = 5


class Tunnel:
    """One request and what leads to it. `bound` is what the proxy answered."""

    __slots__ = ("_command", "_have", "_next", "_password", "_port", "_target", "_user", "_want", "bound", "done")

    def __init__(self, command: int, place: Place, user: str = "", password: str = "") -> None:
        self._command = command
        self._target = _spell(place)
        self._user = user.encode()
        self._password = password.encode()
        self._have = bytearray()
        self._want = 2
        self._next: Callable[[bytes], bytes] = self._chosen
        self.bound = Endpoint("", 0)
        self.done = False

    def begin(self) -> bytes:
        methods = (_OPEN, _PASSWORD) if self._user or self._password else (_OPEN,)
        return bytes([_VERSION, len(methods), *methods])

    @property
    def wants(self) -> int:
        return self._want - len(self._have)

    def received(self, data: bytes) -> bytes:
        self._have += data
        if len(self._have) < self._want:
            return b""
        whole = bytes(self._have)
        return self._next(whole)

    def _step(self, want: int, then: Callable[[bytes], bytes], say: bytes) -> bytes:
        self._have.clear()
        self._want = want
        self._next = then
        return say

    def _chosen(self, answer: bytes) -> bytes:
        if answer[0] != _VERSION:
            raise ProxyError("what is there does not speak SOCKS5", code=PROTOCOL)
        if answer[1] == _OPEN:
            return self._request()
        if answer[1] == _PASSWORD and (self._user or self._password):
            words = (self._user, self._password)
            return self._step(2, self._known, b"\1" + b"".join(bytes([len(word)]) + word for word in words))
        if answer[1] == _NONE_FITS:
            raise ProxyError(
                "the proxy takes none of the ways to sign in that we know" if self._user or self._password
                else "the proxy wants a user and a password: socks5://USER:PASSWORD@HOST:PORT", code=LOGIN,
            )
        raise ProxyError("the proxy chose a way to sign in that was not offered")

    def _known(self, answer: bytes) -> bytes:
        if answer[1]:
            raise ProxyError("wrong user or password: the proxy does not take them", code=LOGIN)
        return self._request()

    def _request(self) -> bytes:
        # What the shortest answer has before its address; a name says its own length in the fifth byte.
        return self._step(5, self._answered, bytes([_VERSION, self._command, 0]) + self._target)

    def _answered(self, answer: bytes) -> bytes:
        if answer[0] != _VERSION:
            raise ProxyError("the proxy's answer is not SOCKS5", code=PROTOCOL)
        if answer[1]:
            raise _failure(answer[1], self._command)
        size = {_V4: 4, _V6: 16, _NAME: 1 + answer[4]}.get(answer[3])
        if size is None:
            raise ProxyError("the proxy's answer has an address of an unknown kind")
        whole = 4 + size + 2
        if len(answer) < whole:
            self._want = whole
            return b""
        self.bound = _read(answer, 3)[0]
        self.done = True
        return b""


def _failure(code: int, command: int) -> ProxyError | Unreachable:
    if command == ASSOCIATE:
        # Many proxies do not; all else may go through them.
        return Unreachable("the proxy passes on no datagrams")
    if code == _COMMAND_UNKNOWN:
        return ProxyError("the proxy does not connect")
    if code == _ADDRESS_UNKNOWN:
        return Unreachable("the proxy cannot reach addresses of this kind")
    words = _REPLIES.get(code, f"the proxy failed (code {code})")
    return Unreachable(words, code="refused" if code == _REFUSED else None)


def _spell(place: Place) -> bytes:
    address = place.address
    if address is not None:
        return bytes([_V4 if address.version == 4 else _V6]) + address.packed + _PORT.pack(place.port)
    name = place.host.encode()
    return bytes([_NAME, len(name)]) + name + _PORT.pack(place.port)


def wrap(remote: Endpoint) -> bytes:
    """What stands before a datagram that a proxy is to pass on. Raises Unreachable for what is no place."""
    return b"\0\0\0" + _spell(judge(remote.host, remote.port))


def unwrap(data: bytes | memoryview) -> tuple[Endpoint, int] | None:
    """Whom a datagram of a proxy is from, and where its content begins. None for what is none of an address and a port,
    or a piece of one (nobody sends those).
    """
    if len(data) < 10 or data[2] or data[3] not in (_V4, _V6):
        return None
    size = 10 if data[3] == _V4 else HEADER_BYTES
    if len(data) < size:
        return None
    found = _read(data, 3)
    return found if found[0].port else None


def _read(data: bytes | memoryview, at: int) -> tuple[Endpoint, int]:
    """The address whose kind stands at `at`, and what is behind it; that much must be there."""
    kind = data[at]
    at += 1
    if kind == _V4:
        host, at = str(IPv4Address(bytes(data[at : at + 4]))), at + 4
    elif kind == _V6:
        wide = IPv6Address(bytes(data[at : at + 16]))
        host, at = str(wide.ipv4_mapped or wide), at + 16
    else:
        size = data[at]
        host, at = bytes(data[at + 1 : at + 1 + size]).decode("ascii", "replace"), at + 1 + size
    return Endpoint(host, _PORT.unpack_from(data, at)[0]), at + 2
