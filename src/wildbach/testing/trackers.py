"""A tracker that lives in memory, for tests and simulations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wildbach.base.addresses import Reach
from wildbach.base.errors import WildbachError
from wildbach.base.ids import Endpoint
from wildbach.protocol.tracker.announce import (
    AnnounceReply,
    AnnounceRequest,
    Event,
    ScrapeReply,
    ScrapeRequest,
    ScrapeStats,
)

Behaviour = Callable[[AnnounceRequest], AnnounceReply | WildbachError]


class FakeTracker:
    """One memory of swarms behind every URL. `announcer(host)` gives a client at that address its way to it.

    `behaviours` replaces what a URL does: return a reply, or an error to raise. `hang` holds URLs that never answer.
    """

    def __init__(self, *, interval: float = 1800.0, delay: float = 0.0) -> None:
        self.interval = interval
        self.delay = delay
        self.swarms: dict[bytes, dict[Endpoint, int]] = {}
        self.completed: dict[bytes, int] = {}
        self.announces: list[AnnounceRequest] = []
        self.scrapes: list[ScrapeRequest] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.hang: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    def announcer(self, host: str = "127.0.0.1", schemes: tuple[str, ...] = ("http", "https", "udp")) -> FakeAnnouncer:
        return FakeAnnouncer(self, host, frozenset(schemes))

    def events(self, url: str | None = None) -> list[str]:
        """The events announced so far, in order; an ordinary announce is `none`."""
        return [a.event.name.lower() for a in self.announces if url in (None, a.url)]

    def answer(self, host: str, request: AnnounceRequest) -> AnnounceReply:
        swarm = self.swarms.setdefault(request.info_hash, {})
        own = Endpoint(host, request.port)
        if request.event is Event.STOPPED:
            swarm.pop(own, None)
        else:
            swarm[own] = request.left
        if request.event is Event.COMPLETED:
            self.completed[request.info_hash] = self.completed.get(request.info_hash, 0) + 1
        stats = self.stats(request.info_hash)
        peers = [peer for peer in swarm if peer != own][: request.numwant]
        return AnnounceReply(
            tuple(peers), self.interval, 0.0, stats.seeds, stats.leeches, stats.downloaded, reach=Reach.LOCAL
        )

    def stats(self, info_hash: bytes) -> ScrapeStats:
        lefts = self.swarms.get(info_hash, {}).values()
        seeds = sum(1 for left in lefts if not left)
        return ScrapeStats(seeds, len(lefts) - seeds, self.completed.get(info_hash, 0))


class FakeAnnouncer:
    """The `Announcer` seam onto a FakeTracker."""

    def __init__(self, tracker: FakeTracker, host: str, schemes: frozenset[str]) -> None:
        self.tracker = tracker
        self.schemes = schemes
        self._host = host

    async def announce(self, request: AnnounceRequest) -> AnnounceReply:
        tracker = self.tracker
        tracker.announces.append(request)
        tracker.at_once += 1
        tracker.most_at_once = max(tracker.most_at_once, tracker.at_once)
        try:
            if request.url in tracker.hang:
                await asyncio.get_running_loop().create_future()
            await asyncio.sleep(tracker.delay)
        finally:
            tracker.at_once -= 1
        behaviour = tracker.behaviours.get(request.url)
        if behaviour is None:
            return tracker.answer(self._host, request)
        outcome = behaviour(request)
        if isinstance(outcome, WildbachError):
            raise outcome
        return outcome

    async def scrape(self, request: ScrapeRequest) -> ScrapeReply:
        self.tracker.scrapes.append(request)
        await asyncio.sleep(self.tracker.delay)
        return ScrapeReply({info_hash: self.tracker.stats(info_hash) for info_hash in request.info_hashes})
