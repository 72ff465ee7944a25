"""Finding and being found without trackers: local discovery, the router's ports, and our own address.

Made and closed by the session. Nothing here acts while peers are accepted on this machine alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Protocol

from wildbach.base.addresses import Reach, classify
from wildbach.base.events import Event
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.engine.external import ExternalAddress
from wildbach.engine.lan import LanTorrent, LanView, LocalDiscovery
from wildbach.engine.portmap import PortMapping, PortMapView
from wildbach.engine.settings import Settings
from wildbach.net.http import ask_device
from wildbach.net.interfaces import Gateway, default_gateway, own_address
from wildbach.net.lan import Lan
from wildbach.net.outlet import Outlet
from wildbach.net.portmap import DatagramMapper, Mapped, Mapper, UpnpMapper
from wildbach.runtime.bus import Bus
from wildbach.runtime.tasks import Scope


@dataclass(frozen=True, slots=True)
class DiscoveryView:
    """How we are found, and how we find."""

    external: tuple[str, ...] = ()
    "Our addresses as others see them, at most one an IP version."
    lan: LanView | None = None
    "None where local discovery is off."
    ports: tuple[PortMapView, ...] = ()


class DiscoveryOwner(Protocol):
    """The session."""

    @property
    def torrents(self) -> Sequence[LanTorrent]: ...

    def torrent(self, key: str) -> LanTorrent | None: ...

    def by_swarm(self, swarm: bytes) -> LanTorrent | None: ...

    def public_port(self, port: int) -> None:
        """Peers call us at this port from now on."""
        ...


class Discovery:
    """What of it is on. `tcp`, `udp`: where the session listens. `outlet`: by which interface. `hidden`: all goes
    through a proxy, so all of it is off.
    """

    def __init__(
        self, owner: DiscoveryOwner, scope: Scope, bus: Bus, settings: Settings, external: ExternalAddress, *,
        tcp: Sequence[Endpoint], udp: Sequence[Endpoint], clock: Callable[[], float], rng: Random,
        report: Callable[[Exception], None], outlet: Outlet, hidden: bool = False,
    ) -> None:
        self._owner = owner
        self._scope = scope.child("discovery")
        self._bus = bus
        self._report = report
        self._external = external
        self._lan: LocalDiscovery | None = None
        self._sockets: Lan | None = None
        self._maps: list[PortMapping] = []
        self._tcp = {6 if ":" in at.host else 4: at.port for at in reversed(tcp) if _callable(at)}
        if hidden or not self._tcp:
            return
        if settings.discovery.lsd and not settings.peers.anonymous:
            self._lan = LocalDiscovery(owner.torrent, owner.by_swarm, self._port, clock, rng)
            self._sockets = Lan([at for at in tcp if _callable(at)], self._lan.receive, find=outlet.interfaces)
            self._lan.use(self._sockets)
        for family in sorted(self._tcp):
            mappers = _mappers(family, settings, clock, rng, outlet)
            if mappers:
                datagrams = {6 if ":" in at.host else 4: at.port for at in reversed(udp)}
                self._maps.append(PortMapping(
                    self, self._scope, family, {"tcp": self._tcp[family], "udp": datagrams.get(family, 0)}, mappers,
                    lease=settings.discovery.lease_seconds, report=report,
                ))

    def start(self) -> None:
        if self._lan is not None and self._sockets is not None:
            self._sockets.refresh()
            self._scope.spawn("lan", self._lan.run(), contain=self._report)
            self._scope.spawn("lan:torrents", self._follow(self._lan), contain=self._report)
        for ports in self._maps:
            self._scope.spawn("portmap", ports.run(), contain=self._report)

    async def close(self) -> None:
        """Give the ports back and let go of the sockets."""
        await self._scope.close()
        for ports in self._maps:
            await ports.close()
        if self._sockets is not None:
            self._sockets.close()

    def silence(self) -> None:
        """The network is away: say nothing to neighbours."""
        if self._sockets is not None:
            self._sockets.close()

    def view(self) -> DiscoveryView:
        return DiscoveryView(
            self._external.addresses, self._lan.view() if self._lan is not None else None,
            tuple(ports.view() for ports in self._maps),
        )

    @property
    def lan(self) -> LocalDiscovery | None:
        """None where it is off."""
        return self._lan

    @property
    def mapped_ports(self) -> dict[int, int]:
        """The port that our router passes on to us, by IP version: the one of UDP, or else of TCP."""
        found: dict[int, int] = {}
        for ports in self._maps:
            view = ports.view()
            for one in sorted(view.mappings, key=lambda m: m.protocol != "udp"):
                found.setdefault(view.family, one.external)
        return found

    def _port(self, family: int) -> int:
        return self._tcp.get(family, 0)

    async def _follow(self, lan: LocalDiscovery) -> None:
        for torrent in self._owner.torrents:
            lan.announce(torrent.key)
        wanted = (events.TorrentAdded, events.TorrentRemoved, events.StateChanged)
        subscription = self._bus.subscribe(*wanted, size=1000)
        async for event in subscription:
            if isinstance(event, wanted):
                lan.heard(event)
            else:
                # More happened at once than is kept: all of them, then.
                for torrent in self._owner.torrents:
                    lan.announce(torrent.key)

    # -- PortMapOwner

    def publish(self, event: Event) -> None:
        self._bus.publish(event)

    def mapped(self, family: int, mappings: Sequence[Mapped]) -> None:
        port = next((m.external for m in mappings if m.protocol == "tcp"), 0)
        for one in mappings:
            if one.address:
                self._external.router_says(one.address)
        if family == 4:
            self._owner.public_port(port or self._tcp[4])


def _callable(at: Endpoint) -> bool:
    return classify(at.host) is not Reach.LOCAL


def _mappers(
    family: int, settings: Settings, clock: Callable[[], float], rng: Random, outlet: Outlet,
) -> Mapping[str, Mapper]:
    def gateway(family: int) -> Gateway | None:
        way = outlet.way
        if outlet.bound and (way is None or not way.name):
            return None  # whose router it is nobody can tell
        return default_gateway(family, interface=way.name if way is not None else "")

    def own(gateway: Gateway) -> str:
        """Where we listen: ports of another address of ours would lead nowhere."""
        if outlet.bound and outlet.way is not None:
            ours = outlet.way.own.get(6 if ":" in gateway.address else 4, "")
            return ours if ":" not in ours or classify(ours) is Reach.GLOBAL else ""
        return own_address(gateway)

    mappers: dict[str, Mapper] = {}
    if settings.discovery.natpmp:
        mappers["pcp" if family == 6 else "pcp/natpmp"] = DatagramMapper(
            family, rng, clock, gateway=gateway, own=own, claim=outlet.claim)
    if settings.discovery.upnp and family == 4:
        name = "" if settings.peers.anonymous else "wildbach"
        mappers["upnp"] = UpnpMapper(
            rng, gateway=gateway, own=own, description=name, claim=outlet.claim, ask=partial(ask_device, outlet=outlet))
    return mappers
