"""How a tracker is asked: the seam, and its forms for HTTP and UDP."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from wildbach.base import addresses, limits
from wildbach.base.errors import FormatError, NetworkError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.net.http import HttpClient, Response
from wildbach.net.resolve import Guard, Purpose
from wildbach.net.udp import DatagramSocket
from wildbach.protocol.tracker import http, preferences, udp
from wildbach.protocol.tracker.announce import (
    AnnounceReply,
    AnnounceRequest,
    ScrapeReply,
    ScrapeRequest,
    ScrapeStats,
    TrackerFailure,
)
from wildbach.protocol.tracker.udpclient import FIRST_TIMEOUT, Exchange, UdpClient

_NO_TRACKER_SECONDS: Final = 24 * 3600.0
_Reply = TypeVar("_Reply", AnnounceReply, ScrapeReply)


class Announcer(Protocol):
    """Asks trackers of some URL schemes. Both calls raise WildbachError: TrackerFailure where the tracker refused,
    ForbiddenURL where asking again is of no use, NetworkError or FormatError otherwise."""

    @property
    def schemes(self) -> frozenset[str]:
        """In lower case, such as `http`."""

    async def announce(self, request: AnnounceRequest) -> AnnounceReply:
        """Announce once; the time it may take is bounded."""

    async def scrape(self, request: ScrapeRequest) -> ScrapeReply:
        """Ask for numbers once; the time it may take is bounded."""


class Texts(Protocol):
    """TXT records of a name; the form is `net.dns.TxtResolver`."""

    async def texts(self, name: str) -> tuple[bytes, ...]: ...


class Directed:
    """An announcer that asks where a tracker's host wants to be asked (BEP 34): its TXT record may name other ports and
    the other protocol, in its order of preference, or say that there is no tracker at all.

    `others` has the announcer of each scheme. A host without such a record is asked as the URL says.
    """

    def __init__(
        self, inner: Announcer, others: Mapping[str, Announcer], texts: Texts, wanted: Callable[[], bool],
    ) -> None:
        self.schemes = inner.schemes
        self._inner = inner
        self._others = others
        self._texts = texts
        self._wanted = wanted

    async def announce(self, request: AnnounceRequest) -> AnnounceReply:
        return await self._ask(request.url, lambda who, url: who.announce(replace(request, url=url)))

    async def scrape(self, request: ScrapeRequest) -> ScrapeReply:
        return await self._ask(request.url, lambda who, url: who.scrape(replace(request, url=url)))

    async def _ask(self, url: str, ask: Callable[[Announcer, str], Awaitable[_Reply]]) -> _Reply:
        """The first place that answers; a refusal is an answer too."""
        places = await self._places(url)
        if places is None:
            return await ask(self._inner, url)
        if not places:
            raise NoTracker("its host says in DNS that it runs no tracker", retry_in=_NO_TRACKER_SECONDS)
        *others, last = preferences.directed(url, places)
        for at in others:
            try:
                return await ask(self._others[urlsplit(at).scheme], at)
            except TrackerFailure:
                raise
            except NetworkError:
                continue
        return await ask(self._others[urlsplit(last).scheme], last)

    async def _places(self, url: str) -> tuple[preferences.Place, ...] | None:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return None
        # An address has no such record, and a name without a dot belongs to this machine or its network.
        if not self._wanted() or "." not in host or addresses.parse(host) is not None:
            return None
        return preferences.read(await self._texts.texts(host))


class NoTracker(TrackerFailure):
    """Nobody was asked, for there is nobody to be."""

    code = "no_tracker"


class HttpAnnouncer:
    """BEP 3 and 48 through the guarded client."""

    schemes = frozenset({"http", "https"})

    def __init__(self, client: HttpClient, *, seconds: float = limits.TRACKER_SECONDS) -> None:
        self._client = client
        self._seconds = seconds

    async def announce(self, request: AnnounceRequest) -> AnnounceReply:
        response = await self._fetch(http.announce_url(request), request.family, request.named)
        try:
            reply = http.parse_announce(response.body)
        except FormatError:
            raise _refusal(response) from None
        return replace(reply, reach=response.reach, voter=response.address)

    async def scrape(self, request: ScrapeRequest) -> ScrapeReply:
        url = http.scrape_url(request.url, request.info_hashes)
        if url is None:
            raise TrackerFailure("this tracker cannot be scraped")
        response = await self._fetch(url, request.family, request.named)
        try:
            return http.parse_scrape(response.body)
        except FormatError:
            raise _refusal(response) from None

    async def _fetch(self, url: str, family: int, named: bool) -> Response:
        return await self._client.fetch(
            url, purpose=Purpose.USER if named else Purpose.TRACKER, limit=limits.TRACKER_BODY_BYTES,
            seconds=self._seconds, family=family,
        )


def _refusal(response: Response) -> WildbachError:
    """What a reply that is not bencoded means. Many trackers send a web page along with the status."""
    if response.status in (404, 410):
        return TrackerFailure(f"no tracker at this path (HTTP {response.status})")
    if not 200 <= response.status < 300:
        return NetworkError(f"the tracker replied with HTTP status {response.status}", status=response.status)
    return FormatError("the reply is not a tracker's", where="tracker")


class UdpAnnouncer:
    """BEP 15 over the shared sockets. Many announces may be under way at once."""

    schemes = frozenset({"udp"})

    def __init__(
        self, datagrams: DatagramSocket, guard: Guard, *, first_timeout: float = FIRST_TIMEOUT,
        transactions: Callable[[], int] = lambda: secrets.randbits(32), obstacle: Callable[[], str] = lambda: "",
    ) -> None:
        """`obstacle`: why datagrams cannot leave, in plain words; empty where they can."""
        self._datagrams = datagrams
        self._guard = guard
        self._obstacle = obstacle
        self._client = UdpClient(transactions, first_timeout=first_timeout)
        self._waiters: dict[Exchange, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        datagrams.attach(self._received)

    async def announce(self, request: AnnounceRequest) -> AnnounceReply:
        target = await self._guard.admit(request.url, Purpose.TRACKER, family=request.family)
        reply = await self._exchange(self._pick(target.addresses, target.port), request)
        if not isinstance(reply, AnnounceReply):
            raise FormatError("the reply is not to an announce", where="tracker")
        return replace(reply, reach=target.reach)

    async def scrape(self, request: ScrapeRequest) -> ScrapeReply:
        target = await self._guard.admit(request.url, Purpose.TRACKER, family=request.family)
        found: dict[bytes, ScrapeStats] = {}
        for at in range(0, len(request.info_hashes), udp.SCRAPE_MAX):
            part = replace(request, info_hashes=request.info_hashes[at : at + udp.SCRAPE_MAX])
            reply = await self._exchange(self._pick(target.addresses, target.port), part)
            if isinstance(reply, ScrapeReply):
                found.update(reply.stats)
        return ScrapeReply(found)

    def close(self) -> None:
        """Take no more replies; who still waits is told so."""
        self._datagrams.detach(self._received)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(NetworkError("closed"))

    def _pick(self, addresses: tuple[str, ...], port: int) -> Endpoint:
        obstacle = self._obstacle()
        if obstacle:
            raise NetworkError(obstacle)
        families = self._datagrams.families
        for address in addresses:
            if (6 if ":" in address else 4) in families:
                return Endpoint(address, port)
        raise NetworkError("there is no socket for the tracker's IP version")

    async def _exchange(
        self, remote: Endpoint, request: AnnounceRequest | ScrapeRequest
    ) -> AnnounceReply | ScrapeReply | None:
        loop = asyncio.get_running_loop()
        exchange = self._client.begin(remote, request, loop.time())
        waiter = self._waiters[exchange] = loop.create_future()
        self._flush()
        try:
            await waiter
        finally:
            del self._waiters[exchange]
            self._client.cancel(exchange)
        if exchange.error is not None:
            raise exchange.error
        return exchange.reply

    def _received(self, remote: Endpoint, data: bytes) -> bool:
        mine, over = self._client.received(remote, data, asyncio.get_running_loop().time())
        if mine:
            self._finish(over)
            self._flush()
        return mine

    def _tick(self) -> None:
        self._timer = None
        self._finish(self._client.tick(asyncio.get_running_loop().time()))
        self._flush()

    def _finish(self, over: list[Exchange]) -> None:
        for exchange in over:
            waiter = self._waiters.get(exchange)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def _flush(self) -> None:
        """Send what is to be sent, and set the clock for the next resend: one timer for all exchanges."""
        outgoing, self._client.outgoing = self._client.outgoing, []
        for remote, data in outgoing:
            self._datagrams.send(remote, data)
        when = self._client.next_tick
        if when is None or not self._waiters:
            return
        if self._timer is None or self._timer.when() > when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(when, self._tick)
