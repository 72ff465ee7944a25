"""Multicast sockets for local discovery: one to hear by for each IP version, one to speak by for each interface.

Only networks that peers are accepted on are used, never loopback and never tunnels. Interfaces come and go: `refresh`
takes note.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from ipaddress import IPv4Interface, IPv6Interface

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify, parse
from wildbach.base.ids import Endpoint
from wildbach.net.interfaces import Interface, interfaces
from wildbach.protocol.lan import GROUPS

Receive = Callable[[str, bytes], None]
"Takes the sender's address and the datagram."
_BATCH = 64


class Lan:
    """The sockets. `listening`: where peers are accepted; it decides which interfaces are used."""

    def __init__(
        self, listening: Sequence[Endpoint], receive: Receive, *,
        find: Callable[[], tuple[Interface, ...]] = interfaces,
    ) -> None:
        self._listening = tuple(listening)
        self._receive = receive
        self._find = find
        self._used: tuple[tuple[Interface, IPv4Interface | IPv6Interface], ...] = ()
        self._hear: dict[int, socket.socket] = {}
        self._speak: list[tuple[int, socket.socket]] = []
        self._loop = asyncio.get_running_loop()
        self.failed = 0
        "Datagrams that did not leave."

    @property
    def places(self) -> tuple[str, ...]:
        """The interfaces that are used, with our address on each."""
        return tuple(f"{interface.name} {own.ip}" for interface, own in self._used)

    @property
    def families(self) -> tuple[int, ...]:
        return tuple(sorted({own.version for _, own in self._used}))

    def near(self, host: str) -> bool:
        """The address is of a private network, or of one that we are in ourselves."""
        if classify(host) in (Reach.LOCAL, Reach.PRIVATE):
            return True
        address = parse(host)
        return address is not None and any(
            own.version == address.version and address in own.network for _, own in self._used
        )

    def refresh(self) -> bool:
        """Open sockets for the interfaces there are now; True where that changed something."""
        used = tuple(self._choose())
        if used == self._used:
            return False
        self.close()
        self._used = used
        for family in self.families:
            self._open(family)
        return True

    def _choose(self) -> list[tuple[Interface, IPv4Interface | IPv6Interface]]:
        """One address of each IP version for each interface that peers can call us by."""
        named = {endpoint.host for endpoint in self._listening}
        chosen = []
        for interface in self._find():
            if not interface.up or not interface.multicast or interface.loopback or interface.point_to_point:
                continue
            for family, everywhere in ((4, "0.0.0.0"), (6, "::")):
                own = next((
                    a for a in interface.addresses
                    if a.version == family and not a.ip.is_link_local and not a.ip.is_loopback
                    and (everywhere in named or str(a.ip) in named)
                ), None)
                if own is not None:
                    chosen.append((interface, own))
        return chosen[: limits.LAN_INTERFACES]

    def _open(self, family: int) -> None:
        group = GROUPS[family]
        six = family == 6
        kind = socket.AF_INET6 if six else socket.AF_INET
        with contextlib.suppress(OSError):
            hear = socket.socket(kind, socket.SOCK_DGRAM)
            self._hear[family] = hear
            hear.setblocking(False)
            # Other programs on this machine listen there too.
            hear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if six:
                hear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Bound to the group the kernel hands over nothing else; not every system can.
            any_host = "::" if six else "0.0.0.0"
            hear.bind((group.host if sys.platform == "linux" else any_host, group.port))
            self._loop.add_reader(hear, self._readable, hear)
        for interface, own in self._used:
            if own.version == family:
                with contextlib.suppress(OSError):
                    self._join(family, interface, own)

    def _join(self, family: int, interface: Interface, own: IPv4Interface | IPv6Interface) -> None:
        group = parse(GROUPS[family].host)
        hear = self._hear.get(family)
        if group is None or hear is None:
            return
        if family == 6:
            member = struct.pack("@16sI", group.packed, interface.index)
            hear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
        else:
            member = struct.pack("@4s4si", group.packed, own.ip.packed, interface.index)
            hear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        speak = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            speak.setblocking(False)
            if family == 6:
                speak.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.index)
                speak.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
            else:
                speak.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                    struct.pack("@4s4si", group.packed, own.ip.packed, interface.index),
                )
                speak.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            speak.bind((str(own.ip), 0))
        except OSError:
            speak.close()
            raise
        self._speak.append((family, speak))

    def send(self, family: int, data: bytes) -> int:
        """To the group, on every interface. Returns on how many it left."""
        left = 0
        for version, sock in self._speak:
            if version != family:
                continue
            try:
                sock.sendto(data, GROUPS[family])
                left += 1
            except OSError:
                self.failed += 1
        return left

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                data, address = sock.recvfrom(limits.LAN_RECEIVED_BYTES + 1)
            except OSError:
                return
            self._receive(str(address[0]).partition("%")[0], data)
            if sock.fileno() < 0:
                return

    def close(self) -> None:
        """Let go of all sockets. May be called twice."""
        for sock in self._hear.values():
            if not self._loop.is_closed():
                self._loop.remove_reader(sock)
            sock.close()
        for _, sock in self._speak:
            sock.close()
        self._hear.clear()
        self._speak.clear()
        self._used = ()
