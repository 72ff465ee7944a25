"""The way out: by any network interface, or by one only, as that of a VPN.

A socket that is tied to an interface sends nothing by another one, whatever the routes say, and nothing at all while
the interface is away: then there is an error, never another way. Linux ties sockets to the device itself; where that is
not known they are bound to its address, and whoever owns them closes them when `subscribe` tells that it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wildbach.base.addresses import parse
from wildbach.base.errors import NetworkError
from wildbach.net.interfaces import Changes, Interface, all_interfaces

AWAY: Final = "interface_away"
NO_SUCH_ADDRESS: Final = "no_such_address"
"The interface has no address of this IP version."
_DEVICE: Final = getattr(socket, "SO_BINDTODEVICE", None)
_PORT_LATER: Final = 24
"IP_BIND_ADDRESS_NO_PORT: the port is chosen when the remote is known, so that ports do not run out."
_POLL_SECONDS: Final = 2.0
_CALM_SECONDS: Final = 1.0

Claim = Callable[[socket.socket, int], None]
"Ties a socket of IP version 4 or 6 to an interface before it is bound or connected; may raise NetworkError."


def anywhere(sock: socket.socket, family: int) -> None:
    """A claim that ties to nothing."""


def claimed_socket(family: int, kind: socket.SocketKind, claim: Claim) -> socket.socket:
    """A new non-blocking socket of IP version 4 or 6. Raises OSError, and what the claim raises."""
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        claim(sock, family)
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass(frozen=True, slots=True)
class Way:
    """The interface as it is now."""

    name: str
    "Empty where the system does not tell its interfaces."
    index: int = 0
    own: dict[int, str] = field(default_factory=dict)
    "Our address on it, by IP version."


class Outlet:
    """`wanted`: the name of an interface, or an address of one; empty: any. `ports`: the first and the last local port
    of TCP calls; None: the system chooses.
    """

    def __init__(
        self, wanted: str = "", *, ports: tuple[int, int] | None = None,
        find: Callable[[], tuple[Interface, ...]] = all_interfaces,
    ) -> None:
        address = parse(wanted)
        self.wanted = str(address) if address is not None else wanted
        self._ports = ports
        self._next_port = ports[0] if ports is not None else 0
        self._find = find
        self._way: Way | None = None
        self.gained: tuple[int, ...] = ()
        "IP versions that were new when `subscribe` told last, where all else is as it was; then sockets stay good."
        self._families: tuple[int, ...] = ()
        "Those that some interface has an address of, where any may be used and it is watched."
        self._heard: list[Callable[[], None]] = []
        self._changes: Changes | None = None
        self._poll: asyncio.TimerHandle | None = None
        self._doubtful = False
        "The last look failed."
        self._loop: asyncio.AbstractEventLoop | None = None
        "Set while it is watched."
        self._released: list[socket.socket] = []
        self.refresh()

    # -- what it is

    @property
    def bound(self) -> bool:
        """Only one interface may be used."""
        return bool(self.wanted)

    @property
    def open(self) -> bool:
        """Packets can leave."""
        return not self.wanted or self._way is not None

    @property
    def reason(self) -> str:
        """Why nothing leaves, in plain words; empty where something does."""
        return "" if self.open else f"the network interface {self.wanted} is away; nothing leaves until it is back"

    @property
    def way(self) -> Way | None:
        """The interface that is used; None where any is, or where it is away."""
        return self._way

    def covers(self, interface: str) -> bool:
        """Packets may leave by this interface."""
        return not self.wanted or (self._way is not None and self._way.name == interface)

    def interfaces(self) -> tuple[Interface, ...]:
        """Those that may be used; none where the system could not be asked."""
        try:
            return tuple(found for found in self._find() if self.covers(found.name))
        except OSError:
            return ()

    # -- sockets

    def call_socket(self, family: int) -> socket.socket:
        """A new non-blocking socket for a TCP call over IP version 4 or 6. Raises NetworkError."""
        try:
            return claimed_socket(family, socket.SOCK_STREAM, self.depart)
        except OSError as error:
            raise NetworkError(error.strerror or "no socket", errno=error.errno) from None

    def release(self, sock: socket.socket) -> None:
        """Close a socket. Where the interface has just gone it is kept until `settle`, deaf and dumb: a closed one
        would have the kernel complain, by another interface, to those whose packets are still on their way here.
        """
        if self.open:
            sock.close()
        else:
            self._released.append(sock)

    def settle(self) -> None:
        """Close what was kept."""
        for sock in self._released:
            sock.close()
        self._released.clear()

    def depart(self, sock: socket.socket, family: int) -> None:
        """Tie a socket to the interface and to our address there, for a call. Raises NetworkError."""
        self.claim(sock, family)
        host = self._way.own[family] if self._way is not None else "::" if family == 6 else "0.0.0.0"
        ports = self._ports if sock.type == socket.SOCK_STREAM else None
        if ports is None:
            if self._way is not None:
                with contextlib.suppress(OSError):  # not in this kernel: then a port of its own for each call
                    sock.setsockopt(socket.IPPROTO_IP, _PORT_LATER, 1)
                self._bind(sock, host, 0)
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first, last = ports
        for _ in range(last - first + 1):
            port = self._next_port
            self._next_port = port + 1 if port < last else first
            try:
                self._bind(sock, host, port)
            except NetworkError as error:
                if error.code != "port_in_use":
                    raise
            else:
                return
        raise NetworkError(f"all ports for calls, {first} to {last}, are in use", code="port_in_use")

    def _bind(self, sock: socket.socket, host: str, port: int) -> None:
        try:
            sock.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise NetworkError("the port is in use", code="port_in_use") from None
            raise NetworkError(error.strerror or "cannot bind", errno=error.errno) from None

    def claim(self, sock: socket.socket, family: int) -> None:
        """Tie a socket to the interface before it is bound or connected. Raises NetworkError where it is away."""
        if not self.wanted:
            return
        way = self._way
        if way is None:
            raise NetworkError(self.reason, code=AWAY)
        if family not in way.own:
            raise NetworkError(f"{self.wanted} has no IPv{family} address", code=NO_SUCH_ADDRESS)
        if _DEVICE is None or not way.name:
            return
        try:
            sock.setsockopt(socket.SOL_SOCKET, _DEVICE, way.name.encode())
        except OSError as error:
            if error.errno == errno.EPERM:
                raise NetworkError(
                    "this kernel lets only root tie a socket to an interface: it takes Linux 5.7, or CAP_NET_RAW",
                    code="not_permitted",
                ) from None
            raise NetworkError(
                self.reason or f"{self.wanted} cannot be used: {error.strerror}", code=AWAY) from None

    def place(self, host: str) -> str:
        """Where to listen when somebody asks for `host`: on the interface's own address of that IP version, where any
        address was asked for. Raises NetworkError where there is none, or for an address of another interface.
        """
        if not self.wanted:
            return host
        address = parse(host)
        host = str(address) if address is not None else host
        family = 6 if ":" in host else 4
        own = self._way.own.get(family) if self._way is not None else None
        if own is None:
            raise NetworkError(self.reason or f"{self.wanted} has no IPv{family} address", code=NO_SUCH_ADDRESS)
        if host not in ("0.0.0.0", "::", own):
            raise NetworkError(f"{host} is no address of {self.wanted}", code="not_on_interface")
        return own

    # -- coming and going

    def subscribe(self, heard: Callable[[], None]) -> None:
        """`heard` is called after the interface went, came, or changed its address; where any may be used, after one
        has an address of an IP version that none had.
        """
        self._heard.append(heard)

    def watch(self) -> None:
        """Take note of changes from now on, and of those since it was made. Called on the loop."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        if self.wanted:
            self._changes = Changes.watch(self.refresh)
            self.refresh()
        else:
            self._families = self._look_at_families()
            self._changes = Changes.watch(self._soon)

    def _soon(self) -> None:
        """Nobody is in danger, and on some machines interfaces come and go all the time."""
        if self._poll is None and self._loop is not None:
            self._poll = self._loop.call_later(_CALM_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._poll = None
        self.refresh()

    def refresh(self) -> None:
        """Look at the interface as it is now."""
        if not self.wanted:
            if self._loop is not None:
                self._look_for_more()
            return
        try:
            now = self._look()
            self._doubtful = False
        except OSError:
            # Nobody can tell, for want of a descriptor perhaps. Sockets stay tied to what was there, and cannot stray.
            self._doubtful = True
            now = self._way
        before, self._way = self._way, now
        # News can get lost, so who waits looks by itself.
        if self._loop is not None and self._poll is None and (self._changes is None or now is None or self._doubtful):
            self._poll = self._loop.call_later(_POLL_SECONDS, self._look_again)
        if before != self._way:
            self._tell(_gained(before, self._way))

    def _look_for_more(self) -> None:
        before, self._families = self._families, self._look_at_families()
        gained = tuple(family for family in self._families if family not in before)
        if gained:
            self._tell(gained)

    def _tell(self, gained: tuple[int, ...]) -> None:
        self.gained = gained
        for heard in self._heard:
            heard()

    def _look_at_families(self) -> tuple[int, ...]:
        found = {
            address.version for one in self.interfaces() if one.up and not one.loopback
            for address in one.addresses if not address.ip.is_link_local
        }
        return tuple(sorted(found))

    def _look(self) -> Way | None:
        address = parse(self.wanted)
        found = self._find()
        if not found and address is not None:
            return Way("", 0, {address.version: str(address)}) if _is_ours(str(address)) else None
        for one in found:
            if not one.up:
                continue
            if address is not None:
                if any(own.ip == address for own in one.addresses):
                    return Way(one.name, one.index, {address.version: str(address)})
            elif one.name == self.wanted:
                own = self._own(one)
                return Way(one.name, one.index, own) if own else None
        return None

    def _own(self, interface: Interface) -> dict[int, str]:
        """Our addresses on it: those we use already, as long as they may be used; else rather one that the world can
        call.
        """
        before = self._way.own if self._way is not None else {}
        able: dict[int, list[str]] = {}
        for place in sorted(interface.addresses, key=lambda place: not place.ip.is_global):
            if not place.ip.is_link_local:
                able.setdefault(place.version, []).append(str(place.ip))
        return {
            version: before[version] if before.get(version) in hosts else hosts[0]
            for version, hosts in sorted(able.items())
        }

    def close(self) -> None:
        """Take no more note of changes, and close what was kept."""
        self._heard.clear()
        self._loop = None
        self.settle()
        if self._changes is not None:
            self._changes.close()
            self._changes = None
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None


def _gained(before: Way | None, now: Way | None) -> tuple[int, ...]:
    """The IP versions that are new, where nothing else is."""
    if before is None or now is None or (before.name, before.index) != (now.name, now.index):
        return ()
    if any(now.own.get(family) != host for family, host in before.own.items()):
        return ()
    return tuple(family for family in now.own if family not in before.own)


def _is_ours(host: str) -> bool:
    """Raises OSError where there is no socket to try it with."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((host, 0))
        except OSError:
            return False
    return True
