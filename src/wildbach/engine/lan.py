"""Finding peers on the local network (BEP 14): what is announced, and who is believed.

Folders that are kept the same are announced apart from torrents: each packet has a cookie of its own, and in the place
of info hashes tags that are keyed hashes over that cookie. So nothing in two packets is the same, and only who has the
secret of a folder knows them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.protocol import lan

_IDLE_SECONDS = 3600.0
_TAGS_MULTIPLE = 4
"Tags of one packet, with those that are made up. Packets are full at a multiple of it."
_COOKIE_LEAST = 16
"Characters of a cookie over which tags are made: with fewer, packets could be the same."


class LanTorrent(Protocol):
    """What a torrent says for local discovery."""

    key: str

    @property
    def announced_nearby(self) -> tuple[bytes, ...]:
        """The info hashes that neighbours may hear; none of a private torrent, or of one that wants no peers."""
        ...

    def add_peers(self, endpoints: Sequence[Endpoint], source: str) -> None: ...


class LanFolders(Protocol):
    """What folders say for local discovery, all of them together."""

    def tags(self, name: str, cookie: bytes) -> Sequence[bytes]:
        """The tags over this cookie, 20 bytes each, by which a folder is announced; none where it is not now."""
        ...

    def heard(self, cookie: bytes, tags: Sequence[bytes], at: Endpoint) -> bool:
        """A neighbour announces these. True where one of them is known."""
        ...


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
        chance: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`chance`: bytes that nobody can guess, for what must not be told from tags."""
        self._torrent = torrent
        self._by_swarm = by_swarm
        self._port = port
        self._clock = clock
        self._cookie = f"{rng.getrandbits(64):016x}"
        self._chance = chance
        budget = lan.LanBudget()
        self._schedule = lan.LanSchedule(budget)
        self._folder_schedule = lan.LanSchedule(budget)
        self._folders: LanFolders | None = None
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

    def use_folders(self, folders: LanFolders) -> None:
        """Announce and recognise folders too."""
        self._folders = folders

    def announce_folder(self, name: str) -> None:
        """Tell of a folder soon, and every five minutes until `forget_folder`."""
        self._folder_schedule.add(name, self._clock())
        self._stirred.set()

    def forget_folder(self, name: str) -> None:
        self._folder_schedule.remove(name)

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            self._stirred.clear()
            now = self._clock()
            dues = [schedule.next_at(now) for schedule in (self._schedule, self._folder_schedule)]
            at = min((due for due in dues if due is not None), default=None)
            if at is None or at > now:
                try:
                    async with asyncio.timeout(_IDLE_SECONDS if at is None else at - now):
                        await self._stirred.wait()
                except TimeoutError:
                    continue
            else:
                self.send(now)

    def send(self, now: float) -> None:
        """One packet of torrents and one of folders, where they are due, on every interface."""
        hashes = self._schedule.take(now, self._hashes)
        if hashes:
            self._tell(hashes, self._cookie)
        cookie = self._chance(8).hex()
        tags = self._folder_schedule.take(now, lambda name: self._tags(name, cookie))
        if tags:
            # How many folders there are is nobody's business.
            fill = [self._chance(20) for _ in range(-len(tags) % _TAGS_MULTIPLE)]
            self._receiver.sent(cookie)
            self._tell(tuple(sorted((*tags, *fill))), cookie)

    def _tell(self, hashes: tuple[bytes, ...], cookie: str) -> None:
        if self._sockets is None:
            return
        self._sockets.refresh()
        for family in self._sockets.families:
            port = self._port(family)
            if port:
                self._sockets.send(family, lan.encode(lan.LanAnnounce(port, hashes, cookie), family))
                self._sent += 1

    def _tags(self, name: str, cookie: str) -> Sequence[bytes]:
        return self._folders.tags(name, cookie.encode("ascii")) if self._folders is not None else ()

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
        if self._folders is not None and not told and len(announce.cookie) >= _COOKIE_LEAST:
            cookie = announce.cookie.encode("utf-8")
            self._found += self._folders.heard(cookie, announce.hashes, Endpoint(host, announce.port))
