"""Finding peers on the local network (BEP 14): what is announced, and who is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.protocol import lan

_IDLE_SECONDS = 3600.0


class LanTorrent(Protocol):
    """What a torrent says for local discovery."""

    key: str

    @property
    def announced_nearby(self) -> tuple[bytes, ...]:
        """The info hashes that neighbours may hear; none of a private torrent, or of one that wants no peers."""
        ...

    def add_peers(self, endpoints: Sequence[Endpoint], source: str) -> None: ...


class LanSockets(Protocol):
    """`net.lan.Lan`."""

    @property
    def families(self) -> tuple[int, ...]: ...

    @property
    def places(self) -> tuple[str, ...]: ...

    def near(self, host: str) -> bool: ...

    def refresh(self) -> bool: ...

    def send(self, family: int, data: bytes) -> int: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LanView:
    """How local discovery goes."""

    places: tuple[str, ...] = ()
    "Interfaces that are used, with our address on each."
    sent: int = 0
    received: int = 0
    "Announces of others."
    found: int = 0
    "Peers of our torrents that were named."


class LocalDiscovery:
    """Announces torrents to neighbours and hears of theirs. `port` gives the port peers call us at, by IP version."""

    def __init__(
        self, torrent: Callable[[str], LanTorrent | None], by_swarm: Callable[[bytes], LanTorrent | None],
        port: Callable[[int], int], clock: Callable[[], float], rng: Random,
    ) -> None:
        self._torrent = torrent
        self._by_swarm = by_swarm
        self._port = port
        self._clock = clock
        self._cookie = f"{rng.getrandbits(64):016x}"
        self._schedule = lan.LanSchedule()
        self._receiver = lan.LanReceiver(self._cookie)
        self._sockets: LanSockets | None = None
        self._stirred = asyncio.Event()
        self._sent = self._received = self._found = 0

    def use(self, sockets: LanSockets) -> None:
        self._sockets = sockets

    def view(self) -> LanView:
        places = self._sockets.places if self._sockets is not None else ()
        return LanView(places, self._sent, self._received, self._found)

    def near(self, host: str) -> bool:
        return self._sockets is not None and self._sockets.near(host)

    # -- announcing

    def announce(self, key: str) -> None:
        """Tell of a torrent soon: it is new, or goes on."""
        self._schedule.add(key, self._clock())
        self._stirred.set()

    def forget(self, key: str) -> None:
        self._schedule.remove(key)

    def heard(self, event: events.TorrentAdded | events.TorrentRemoved | events.StateChanged) -> None:
        """Something happened to a torrent."""
        if isinstance(event, events.TorrentRemoved):
            self.forget(event.torrent)
        elif not isinstance(event, events.StateChanged) or event.state in ("downloading", "seeding", "metadata"):
            self.announce(event.torrent)

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            self._stirred.clear()
            now = self._clock()
            at = self._schedule.next_at(now)
            if at is None or at > now:
                try:
                    async with asyncio.timeout(_IDLE_SECONDS if at is None else at - now):
                        await self._stirred.wait()
                except TimeoutError:
                    continue
            else:
                self.send(now)

    def send(self, now: float) -> None:
        """One packet, on every interface."""
        hashes = self._schedule.take(now, self._hashes)
        if not hashes or self._sockets is None:
            return
        self._sockets.refresh()
        for family in self._sockets.families:
            port = self._port(family)
            if port:
                self._sockets.send(family, lan.encode(lan.LanAnnounce(port, hashes, self._cookie), family))
                self._sent += 1

    def _hashes(self, key: str) -> tuple[bytes, ...]:
        torrent = self._torrent(key)
        return torrent.announced_nearby if torrent is not None else ()

    # -- hearing

    def receive(self, host: str, data: bytes) -> None:
        """A datagram. Only neighbours are believed, and only about themselves."""
        if not self.near(host):
            return
        try:
            announce = self._receiver.receive(host, data, self._clock())
        except FormatError:
            return
        if announce is None:
            return
        self._received += 1
        told: dict[str, None] = {}
        for swarm in announce.hashes:
            torrent = self._by_swarm(swarm)
            if torrent is not None and torrent.key not in told and torrent.announced_nearby:
                told[torrent.key] = None
                self._found += 1
                torrent.add_peers([Endpoint(host, announce.port)], "lsd")
