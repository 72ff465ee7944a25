"""The tracker service: HTTP and UDP over one table of swarms."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.net.tinyhttp import TinyHttpServer
from wildbach.net.udpserver import UdpServer
from wildbach.protocol import compact
from wildbach.runtime.rng import Rng, derived, seeded
from wildbach.services.tracker.access import Access, Files
from wildbach.services.tracker.datagrams import UdpTracker
from wildbach.services.tracker.pace import SPREAD, Pace
from wildbach.services.tracker.proof import ConnectionIds, Rates
from wildbach.services.tracker.requests import HttpTracker
from wildbach.services.tracker.store import Store

_PORT_TRIES = 20
_TICK_SECONDS = 1.0
_RELOAD_SECONDS = 5.0
_SLOTS_PER_INTERVAL = 4


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """What a tracker is like. Counts of 0 for `rate` and `load` are no limit."""

    interval: int = 1800
    "Seconds between a peer's announces."
    load: float = 0.0
    "Announces a second above which the interval grows, up to eight times."
    spread: float = SPREAD
    "Share by which the intervals that peers are told differ to either side."
    torrents: int = limits.TRACKER_SERVER_TORRENTS
    peers: int = limits.TRACKER_SERVER_PEERS
    peers_per_torrent: int = limits.TRACKER_SERVER_PEERS_PER_TORRENT
    connections: int = limits.TRACKER_SERVER_CONNECTIONS
    rate: int = limits.TRACKER_SERVER_RATE
    "Requests a minute of one IPv4 address or IPv6 /64."
    files: Files = field(default_factory=Files)
    shared_ports: bool = False
    "Whether other processes listen at the same ports."
    plain_sockets: bool = False
    "Serve by the means that every system has, as it is done outside Linux."


@dataclass(frozen=True, slots=True)
class TrackerStats:
    """What the tracker holds and has done since it started."""

    torrents: int
    peers: int
    http_announces: int
    http_scrapes: int
    udp_announces: int
    udp_scrapes: int
    refused: int
    "Requests that were not well-formed or came without proof of their sender."
    udp_connects: int = 0
    forbidden: int = 0
    "Announces for torrents or by users that are not allowed, or for which there is no room."
    slowed: int = 0
    "Requests above the rate of one address."
    turned_away: int = 0
    "Peers that were answered but not kept, and torrents not taken, for want of room."
    connections: int = 0
    "HTTP connections now."
    bytes_in: int = 0
    bytes_out: int = 0
    "Of datagrams."
    interval: int = 0
    "Seconds that peers are told now."
    rate: float = 0.0
    "Announces a second, smoothed."
    shared: str = "none"
    "The shared table: `none`, `up`, or `away`."


class TrackerServer:
    """A tracker (BEP 3, 7, 15, 23, 24, 31, 41, 48). The address a request names (`ip=`) is ignored.

    `interval` stands for `TrackerOptions(interval=…)`. `clock` and `rng` are for tests.
    """

    def __init__(
        self, *, interval: int = 1800, options: TrackerOptions | None = None, clock: Callable[[], float] | None = None,
        rng: Rng | None = None,
    ) -> None:
        self.options = options = options or TrackerOptions(interval=interval)
        # Connection ids go by the time of day, which processes share; the table by a clock that never jumps.
        self._wall = clock or time.time
        self._clock = clock or time.monotonic
        rng = rng or seeded()
        self.slot = options.interval / _SLOTS_PER_INTERVAL
        "Seconds of the table's slots of time."
        self.store = Store(
            derived(rng, "store"), slot=self.slot, keep=2 * _SLOTS_PER_INTERVAL, torrents=options.torrents,
            peers=options.peers, peers_per_torrent=options.peers_per_torrent,
        )
        self.access = Access(options.files)
        self.pace = Pace(
            derived(rng, "pace"), interval=options.interval, target=options.load, spread=options.spread)
        self.shared: Callable[[], str] = lambda: "none"
        "How the shared table is doing."
        self._ids = ConnectionIds(secrets.token_bytes(32))
        self._rates = Rates(options.rate)
        self._udp = UdpTracker(self.store, self._ids, self._rates, self.access, self.pace)
        self._http = HttpTracker(self.store, self._rates, self.access, self.pace)
        self._datagrams: list[UdpServer] = []
        self._plain = options.plain_sockets or not sys.platform.startswith("linux")
        self._tiny = TinyHttpServer(self._http.answer, connections=options.connections)
        self._library = HttpServer(self._serve, connections=options.connections)
        self._http_at: list[Endpoint] = []
        self._timer: asyncio.TimerHandle | None = None
        self._reloaded = 0.0

    async def start(self, host: str = "127.0.0.1", http_port: int | None = 0, udp_port: int | None = 0) -> None:
        """Listen at a literal address; may be called for several. A port of 0 takes any, None leaves that protocol out.

        Where both ports are 0 they get the same number if they can. Raises NetworkError; nothing listens then.
        """
        self._begin()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)
        both = not http_port and not udp_port and http_port is not None and udp_port is not None
        for tries_left in range(_PORT_TRIES if both else 0, -1, -1):
            datagrams = None
            try:
                if udp_port is not None:
                    datagrams = UdpServer(self._udp.answer, begin=self._begin, plain=self._plain)
                    at = datagrams.open(Endpoint(host, udp_port), shared=self.options.shared_ports)
                    self._datagrams.append(datagrams)
                if http_port is not None:
                    port = at.port if both and datagrams is not None and tries_left else http_port
                    self._http_at.append(await self._listen(Endpoint(host, port)))
            except NetworkError:
                if not tries_left:
                    await self.close()
                    raise
                if datagrams is not None:
                    datagrams.close()
                    self._datagrams.remove(datagrams)
            else:
                return

    async def _listen(self, at: Endpoint) -> Endpoint:
        if self._plain:
            return await self._library.start(*at)
        return self._tiny.open(at, shared=self.options.shared_ports)

    async def close(self) -> None:
        """Stop listening. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for server in self._datagrams:
            server.close()
        self._datagrams.clear()
        await self._library.close()
        self._tiny.close()
        self._http_at.clear()

    async def __aenter__(self) -> TrackerServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def http_url(self) -> str | None:
        """The first announce URL, None where HTTP is left out."""
        return next((url for url in self.urls if url.startswith("http")), None)

    @property
    def udp_url(self) -> str | None:
        """The first announce URL, None where UDP is left out."""
        return next((url for url in self.urls if url.startswith("udp")), None)

    @property
    def urls(self) -> tuple[str, ...]:
        """All announce URLs."""
        path = "/KEY/announce" if self.access.private else "/announce"
        places = [at for server in self._datagrams if (at := server.endpoint) is not None]
        return (
            *(f"http://{_reachable(at)}{path}" for at in self._http_at),
            *(f"udp://{_reachable(at)}{path}" for at in places),
        )

    def stats(self) -> TrackerStats:
        udp, http, store = self._udp, self._http, self.store
        return TrackerStats(
            store.torrents, store.peers, http.announces, http.scrapes, udp.announces, udp.scrapes,
            http.refused + udp.refused, udp.connects, http.forbidden + udp.forbidden, http.slowed + udp.slowed,
            store.turned_away, self._library.connections if self._plain else self._tiny.connections,
            sum(server.bytes_in for server in self._datagrams), sum(server.bytes_out for server in self._datagrams),
            self.pace.current, round(self.pace.rate, 1), self.shared(),
        )

    def share_secret(self, key: bytes) -> None:
        """Use this key for connection ids: processes that share it accept each other's."""
        self._ids.rekey(key)

    def reload(self) -> None:
        """Read the lists again that changed."""
        if self.access.reload():
            self.store.retain(self.access.listed)

    def _begin(self) -> None:
        now = self._clock()
        self.store.tick(now)
        self._ids.tick(self._wall())
        self._rates.tick(now)

    def _tick(self) -> None:
        self._begin()
        now = self._clock()
        self.pace.tick(self._http.announces + self._udp.announces, now)
        # Peers stay as long as they were told not to come back.
        self.store.keep = int(2 * _SLOTS_PER_INTERVAL * self.pace.current / self.options.interval)
        if now - self._reloaded >= _RELOAD_SECONDS:
            self._reloaded = now
            self.reload()
        self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    async def _serve(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(b"only GET\n", 405, headers={"Allow": "GET, HEAD"})
        self._begin()
        target = f"{request.path}?{request.query}".encode("latin-1", "replace")
        answer = self._http.answer(target, compact.pack_host(request.remote.host))
        return Response(answer.body, answer.status, answer.content_type)


def _reachable(at: Endpoint) -> Endpoint:
    """Where this machine reaches a server that is bound to every address."""
    return Endpoint({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(at.host, at.host), at.port)
