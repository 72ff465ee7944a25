"""The embedded tracker: HTTP and UDP over one memory of swarms."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.net.udp import Datagrams
from wildbach.protocol import compact
from wildbach.protocol.tracker import http
from wildbach.runtime.rng import Rng, seeded
from wildbach.services.tracker.datagrams import ConnectionIds, UdpTracker
from wildbach.services.tracker.store import Full, Store

_MIN_INTERVAL = 30
_PORT_TRIES = 20


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


class TrackerServer:
    """A tracker for any torrent (BEP 3, 7, 15, 23, 24, 41, 48). The address a request names (`ip=`) is ignored.

    `interval`: seconds between a peer's announces. `clock` and `rng` are for tests.
    """

    def __init__(
        self, *, interval: int = 1800, clock: Callable[[], float] | None = None, rng: Rng | None = None
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._store = Store(rng or seeded(), expire_after=2.0 * interval)
        self._udp = UdpTracker(self._store, ConnectionIds(secrets.token_bytes(32)), interval=interval)
        self._server = HttpServer(self._serve, connections=limits.TRACKER_SERVER_CONNECTIONS)
        self._datagrams = Datagrams()
        self._datagrams.attach(self._datagram)
        self._http_at: Endpoint | None = None
        self._http_announces = 0
        self._http_scrapes = 0
        self._refused = 0

    async def start(self, host: str = "127.0.0.1", http_port: int | None = 0, udp_port: int | None = 0) -> None:
        """Listen at a literal address. A port of 0 takes any, None leaves that protocol out.

        Where both ports are 0 they get the same number if they can. Raises NetworkError; nothing listens then.
        """
        for last in (*[False] * _PORT_TRIES, True):
            if http_port is not None:
                self._http_at = await self._server.start(host, http_port)
            if udp_port is None:
                return
            port = self._http_at.port if self._http_at and not http_port and not udp_port and not last else udp_port
            try:
                self._datagrams.open([Endpoint(host, port)])
            except NetworkError:
                await self._server.close()
                self._http_at = None
                if http_port or udp_port or last:
                    raise
            else:
                return

    async def close(self) -> None:
        """Stop listening; requests under way are finished."""
        self._datagrams.close()
        await self._server.close()

    async def __aenter__(self) -> TrackerServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def http_url(self) -> str | None:
        """The announce URL, None where HTTP is left out."""
        return None if self._http_at is None else f"http://{_reachable(self._http_at)}/announce"

    @property
    def udp_url(self) -> str | None:
        """The announce URL, None where UDP is left out."""
        found = self._datagrams.endpoints
        return f"udp://{_reachable(found[0])}/announce" if found else None

    def stats(self) -> TrackerStats:
        return TrackerStats(
            self._store.torrents, self._store.peers, self._http_announces, self._http_scrapes,
            self._udp.announces, self._udp.scrapes, self._refused + self._udp.refused,
        )

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _datagram(self, remote: Endpoint, data: bytes) -> bool:
        reply = self._udp.answer(remote, data, self._now())
        if reply is not None:
            self._datagrams.send(remote, reply)
        return True

    async def _serve(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(b"only GET\n", 405, headers={"Allow": "GET, HEAD"})
        try:
            if request.path == "/announce":
                return Response(self._announce(request))
            if request.path == "/scrape":
                return Response(self._scrape(request))
        except FormatError as error:
            self._refused += 1
            return Response(http.failure_body(str(error), 0))
        except Full:
            return Response(http.failure_body("the tracker is full", 60))
        return Response(b"a BitTorrent tracker: announce at /announce\n", 200 if request.path == "/" else 404)

    def _announce(self, request: Request) -> bytes:
        asked = http.parse_announce_query(request.query)
        host = compact.pack_host(request.remote.host)
        self._http_announces += 1
        found = self._store.announce(
            asked.info_hash, host, asked.port, left=asked.left, event=asked.event, numwant=asked.numwant,
            now=self._now(),
        )
        return http.announce_body(
            interval=self._interval, min_interval=min(_MIN_INTERVAL, self._interval), seeds=found.seeds,
            leeches=found.leeches, downloaded=found.completed, peers4=found.peers4, peers6=found.peers6, external=host,
        )

    def _scrape(self, request: Request) -> bytes:
        hashes = http.parse_scrape_query(request.query)
        self._http_scrapes += 1
        found = {info_hash: stats for info_hash in hashes if (stats := self._store.scrape(info_hash)) is not None}
        return http.scrape_body(found)


def _reachable(at: Endpoint) -> Endpoint:
    """Where this machine reaches a server that is bound to every address."""
    return Endpoint({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(at.host, at.host), at.port)
