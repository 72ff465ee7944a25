"""This machine's network interfaces, its own addresses, and its routers, as the kernel tells them.

Linux only (netlink and /proc/net). Elsewhere the lists are empty, and what needs them does without.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface
from pathlib import Path
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import parse

_UP, _LOOPBACK, _POINT_TO_POINT, _MULTICAST = 0x1, 0x8, 0x10, 0x1000
_GETLINK, _NEWLINK, _GETADDR, _NEWADDR, _DONE, _ERROR = 18, 16, 22, 20, 3, 2
_REQUEST_DUMP: Final = 0x301
_GROUPS: Final = 0x1 | 0x10 | 0x100
"News of links, IPv4 addresses and IPv6 addresses."
_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_TENTATIVE, _DEPRECATED = 0x40, 0x20
_ROUTE_GATEWAY, _ROUTE_UP = 0x2, 0x1
_MESSAGES: Final = 4096
_SOMEWHERE: Final = "2000::1"
"Of the addresses that the Internet has: the way there is the way to all of it."


@dataclass(frozen=True, slots=True)
class Interface:
    name: str
    index: int
    up: bool = True
    multicast: bool = True
    loopback: bool = False
    point_to_point: bool = False
    "A tunnel, as of a VPN: there are no neighbours."
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()


@dataclass(frozen=True, slots=True)
class Gateway:
    """A router that packets for the rest of the world go to."""

    address: str
    interface: str
    index: int


def _dump(kind: int) -> Iterator[tuple[int, memoryview]]:
    """The messages of one kind that the kernel has."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return
    with socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as sock:
        sock.settimeout(1.0)
        sock.send(_MESSAGE.pack(_MESSAGE.size + 16, kind, _REQUEST_DUMP, 1, 0) + bytes(16))
        for _ in range(_MESSAGES):
            data = memoryview(sock.recv(1 << 17))
            while len(data) >= _MESSAGE.size:
                size, what, _, _, _ = _MESSAGE.unpack_from(data)
                if what in (_DONE, _ERROR) or not _MESSAGE.size <= size <= len(data):
                    return
                yield what, data[_MESSAGE.size : size]
                data = data[(size + 3) & ~3 :]


def _attributes(data: memoryview) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if not _ATTRIBUTE.size <= size <= len(data):
            break
        found.setdefault(kind, bytes(data[_ATTRIBUTE.size : size]))
        data = data[(size + 3) & ~3 :]
    return found


def interfaces() -> tuple[Interface, ...]:
    """All there are, with the addresses that may be used; none where the system does not say."""
    try:
        return all_interfaces()
    except OSError:
        return ()


def all_interfaces() -> tuple[Interface, ...]:
    """The same; raises OSError where the system could not be asked."""
    names = {
        index: (_attributes(body[_LINK.size :]).get(3, b"").rstrip(b"\0").decode("utf-8", "replace"), flags)
        for what, body in _dump(_GETLINK) if what == _NEWLINK
        for _, _, index, flags, _ in (_LINK.unpack_from(body),)
    }
    own: dict[int, list[IPv4Interface | IPv6Interface]] = {}
    for what, body in _dump(_GETADDR):
        if what != _NEWADDR:
            continue
        _, prefix, flags, _, index = _ADDRESS.unpack_from(body)
        said = _attributes(body[_ADDRESS.size :])
        raw = said.get(2, said.get(1, b""))
        if len(raw) in (4, 16) and not flags & (_TENTATIVE | _DEPRECATED):
            text = IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)
            own.setdefault(index, []).append(ip_interface(f"{text}/{prefix}"))
    return tuple(
        Interface(
            name, index, bool(flags & _UP), bool(flags & _MULTICAST), bool(flags & _LOOPBACK),
            bool(flags & _POINT_TO_POINT), tuple(own.get(index, ())),
        )
        for index, (name, flags) in sorted(names.items())
    )


class Changes:
    """Calls back when an interface or an address comes or goes."""

    def __init__(self, sock: socket.socket, changed: Callable[[], None]) -> None:
        self._sock = sock
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)

    @classmethod
    def watch(cls, changed: Callable[[], None]) -> Changes | None:
        """None where the system does not tell."""
        family = getattr(socket, "AF_NETLINK", None)
        if family is None:
            return None
        try:
            sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        except OSError:
            return None
        try:
            sock.bind((0, _GROUPS))
        except OSError:
            sock.close()
            return None
        return cls(sock, changed)

    def _readable(self) -> None:
        for _ in range(_MESSAGES):
            try:
                self._sock.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                continue  # more happened than the kernel kept: that something did is all that counts
        self._changed()

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()


def parse_routes4(text: str, interface: str = "") -> tuple[str, str] | None:
    """The gateway and interface of the best default route, or the best of one interface, in /proc/net/route."""
    best: tuple[int, str, str] | None = None
    for line in text.splitlines()[1:]:
        words = line.split()
        try:
            name, target, gateway, flags, metric, mask = words[0], *(
                int(words[at], 16 if at != 6 else 10) for at in (1, 2, 3, 6, 7)
            )
        except (IndexError, ValueError):
            continue
        if target or mask or not flags & _ROUTE_UP or not flags & _ROUTE_GATEWAY or interface not in ("", name):
            continue
        if best is None or metric < best[0]:
            best = (metric, str(IPv4Address(gateway.to_bytes(4, "little"))), name)
    return best[1:] if best is not None else None


def parse_routes6(text: str, interface: str = "") -> tuple[str, str] | None:
    """The same of /proc/net/ipv6_route."""
    best: tuple[int, str, str] | None = None
    for line in text.splitlines():
        words = line.split()
        try:
            target, prefix, hop, metric, flags, name = words[0], words[1], bytes.fromhex(words[4]), \
                int(words[5], 16), int(words[8], 16), words[9]
        except (IndexError, ValueError):
            continue
        if target.strip("0") or prefix != "00" or not flags & _ROUTE_GATEWAY or len(hop) != 16 or not any(hop):
            continue
        if interface not in ("", name):
            continue
        if best is None or metric < best[0]:
            best = (metric, str(IPv6Address(hop)), name)
    return best[1:] if best is not None else None


def default_gateway(family: int, proc: Path = Path("/proc/net"), interface: str = "") -> Gateway | None:
    """The router of the best default route, 4 or 6; with `interface` of those that leave by it."""
    try:
        with (proc / ("ipv6_route" if family == 6 else "route")).open("r", encoding="ascii", errors="replace") as file:
            text = file.read(limits.MIB)
        found = parse_routes6(text, interface) if family == 6 else parse_routes4(text, interface)
        return Gateway(*found, socket.if_nametoindex(found[1])) if found is not None else None
    except OSError:
        return None


def own_address(gateway: Gateway) -> str:
    """Our address towards a router: of IPv6 one that the world can call, if possible the one it sees when we call.
    Empty where there is none.
    """
    if ":" not in gateway.address:
        return _source(socket.AF_INET, gateway.address)
    able = [
        str(address.ip)
        for interface in interfaces() if interface.index == gateway.index
        for address in interface.addresses if address.version == 6 and address.ip.is_global
    ]
    seen = _source(socket.AF_INET6, _SOMEWHERE) if len(able) > 1 else ""
    return seen if seen in able else able[0] if able else ""


def _source(family: int, host: str) -> str:
    """Our address in packets to an address; nothing is sent. Empty where no way leads there."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((host, 9))
        except OSError as error:
            if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM):
                raise
            return ""
        own = str(sock.getsockname()[0])
        return own if parse(own) is not None else ""
