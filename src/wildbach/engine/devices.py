"""What a session does for devices that keep folders the same: where this one can be called, calls on which nothing was
said yet, meetings of two behind routers, and announces to neighbours.

The handshake on such a connection is the caller's business. The IP filter and a network that is away hold here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify, parse
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.lan import LanFolders, LocalDiscovery
from wildbach.net import relay
from wildbach.net.interfaces import Interface, interfaces
from wildbach.net.transport import Connection, Transport

_MEET_EVERY: Final = 15.0
"Seconds between two calls of a meeting: a router keeps the way open for the other side for half a minute at least."
_MEET_CALL: Final = 8.0
"A call by uTP is three packets in so many seconds."


class ReachesOut(Protocol):
    """`engine.roads.Roads`."""

    async def reach(self, endpoint: Endpoint) -> Connection: ...


class DeviceRoads:
    """`session.devices`. `place`: where this device can be called, by IP version; see `own_places`."""

    def __init__(
        self, roads: ReachesOut, *, utp: Transport | None, tcp: Transport | None, refuses: Callable[[Endpoint], bool],
        places: Callable[[], tuple[Endpoint, ...]],
    ) -> None:
        """`refuses`: endpoints that nothing is exchanged with, all of them while the network is away."""
        self._roads = roads
        self._utp = utp
        self._tcp = tcp
        self._refuses = refuses
        self._places = places
        self._folders: LanFolders | None = None
        self._announced: dict[str, None] = {}
        self._lan: LocalDiscovery | None = None
        self._told: list[Callable[[], None]] = []

    def on_moved(self, told: Callable[[], None]) -> None:
        """`told` is called when the network is another one, or is back."""
        self._told.append(told)

    def moved(self) -> None:
        """It is. For the session."""
        for told in self._told:
            told()

    def places(self) -> tuple[Endpoint, ...]:
        """Where others may call this device, as far as is known: at most four, the best first."""
        return self._places()

    # -- calls

    async def dial(self, endpoint: Endpoint) -> Connection:
        """By TCP or uTP, whichever is there first. Raises NetworkError or TimeoutError."""
        self._check(endpoint)
        return await self._roads.reach(endpoint)

    async def meet(self, endpoint: Endpoint, seconds: float) -> Connection:
        """Call by uTP, from the port that others call us at, again and again for so long: each call opens our router
        for the other side, which does the same. Raises NetworkError where nobody was met.
        """
        utp = self._utp
        if utp is None:
            raise NetworkError("there is no uTP here")
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            self._check(endpoint)
            began = loop.time()
            try:
                async with asyncio.timeout(min(_MEET_CALL, max(0.0, until - began))):
                    return await utp.dial(endpoint)
            except (NetworkError, TimeoutError):
                again = began + _MEET_EVERY
                if again >= until:
                    raise NetworkError("nobody was met there") from None
                await asyncio.sleep(max(0.0, again - loop.time()))

    async def relay(self, at: Endpoint, tokens: Sequence[bytes], side: int) -> Connection:
        """Meet who shows one of these tokens on the other side at a relay. Raises NetworkError."""
        if self._tcp is None:
            raise NetworkError("there is no TCP here")
        self._check(at)
        return await relay.meet(self._tcp, at, tokens, side)

    def _check(self, endpoint: Endpoint) -> None:
        if self._refuses(endpoint):
            raise NetworkError(
                f"{endpoint} is not called: the filter has it, or there is no network", code="blocked")

    # -- neighbours

    def use_folders(self, folders: LanFolders) -> None:
        """Who makes tags of folders, and knows them."""
        self._folders = folders
        if self._lan is not None:
            self._lan.use_folders(folders)

    def announce(self, name: str) -> None:
        """Tell neighbours of a folder, soon and then every five minutes, until `forget`."""
        self._announced[name] = None
        if self._lan is not None:
            self._lan.announce_folder(name)

    def forget(self, name: str) -> None:
        self._announced.pop(name, None)
        if self._lan is not None:
            self._lan.forget_folder(name)

    def attach(self, lan: LocalDiscovery | None) -> None:
        """Local discovery begins anew, as where the network came back; None: it is off."""
        self._lan = lan
        if lan is not None and self._folders is not None:
            lan.use_folders(self._folders)
        if lan is not None:
            for name in self._announced:
                lan.announce_folder(name)


def own_places(
    listening: Sequence[Endpoint], *, external: Callable[[int], str], mapped: Mapping[int, int],
    seen: Callable[[int], int], find: Callable[[], tuple[Interface, ...]] = interfaces,
) -> tuple[Endpoint, ...]:
    """Where others may call this device, the best first, as many as a record holds.

    `external`: our address as others see it, by IP version. `mapped`: the port that a router passes on, by IP version.
    `seen`: the port that our datagrams seem to come from; 0 where nobody can tell. Where neither is known, the port we
    listen at is a guess: many routers keep it.
    """
    ports = {6 if ":" in at.host else 4: at.port for at in reversed(listening)}
    found: dict[Endpoint, None] = {}
    for family in sorted(ports):
        host = external(family)
        if classify(host) is not Reach.GLOBAL:
            continue
        known = {port: None for port in (mapped.get(family, 0), seen(family)) if port}
        for port in known or {ports[family]: None}:
            found[Endpoint(host, port)] = None
    if len(found) < limits.SYNC_ENDPOINTS:
        for host in _near(listening, find):
            found[Endpoint(host, ports[6 if ":" in host else 4])] = None
    return tuple(found)[: limits.SYNC_ENDPOINTS]


def _near(listening: Sequence[Endpoint], find: Callable[[], tuple[Interface, ...]]) -> Iterator[str]:
    """Our addresses in networks that we are in, IPv4 first."""
    everywhere = {at.host for at in listening if at.host in ("0.0.0.0", "::")}
    for at in listening:
        if at.host not in everywhere and classify(at.host) in (Reach.PRIVATE, Reach.GLOBAL):
            yield at.host
    for family, any_host in ((4, "0.0.0.0"), (6, "::")):
        if any_host not in everywhere:
            continue
        for interface in find():
            if not interface.up or interface.loopback:
                continue
            for own in interface.addresses:
                host = str(own.ip)
                if own.version == family and parse(host) is not None and classify(host) in (
                    Reach.PRIVATE, Reach.GLOBAL,
                ):
                    yield host
