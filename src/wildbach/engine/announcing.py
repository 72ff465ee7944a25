"""Announcing all torrents of a session to their trackers (BEP 3, 7, 12, 15, 21, 27, 31, 48).

One heap says which torrent is due, one timer wakes for the first of them: an idle torrent owns neither task nor timer.
A torrent whose time has come puts its legs (swarm, tracker, IP version) into the queues of `trackerhosts`.

Events reach each tracker that was told of us exactly once: `started` until it is heard, then `completed`, and one try
of `stopped`.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from wildbach.base import addresses, limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.engine.announcers import Announcer
from wildbach.engine.external import ExternalAddress
from wildbach.engine.settings import TrackerSettings
from wildbach.engine.trackerhosts import DEAD_AFTER, Host, Lane
from wildbach.engine.trackerlist import (
    Announced,
    Identity,
    Leg,
    Phase,
    Tracker,
    TrackerList,
    unique_tiers,
)
from wildbach.net.resolve import ForbiddenURL
from wildbach.protocol.tracker.announce import (
    AnnounceReply,
    AnnounceRequest,
    Event,
    ScrapeReply,
    ScrapeRequest,
    TrackerFailure,
)
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope

_BUDGET: Final = 500
"Torrents or jobs looked at in one turn of the loop."
_TURN_SECONDS: Final = 0.02
_RETRY_FIRST: Final = 30.0
_RETRY_MOST: Final = 3600.0
_RETRY_OFFLINE: Final = 1800.0
_RETRY_DEAD: Final = 24 * 3600.0
_ONLINE_SECONDS: Final = 3600.0
"A tracker counts as dead only where another one answered within this time; else we may be the ones who are offline."
_MIN_INTERVAL: Final = 60.0
_JITTER_MOST: Final = 60.0
_HURRY: Final = 4


class Announcing:
    """All torrents' trackers. `families` gives the IP versions to announce over, each on its own: (4, 6), or (0,) for
    whichever a tracker has. It is asked when a tracker is added."""

    def __init__(
        self, announcers: Sequence[Announcer], scope: Scope, *, clock: Callable[[], float], rng: Rng,
        settings: Callable[[], TrackerSettings], families: Callable[[], tuple[int, ...]] = lambda: (0,),
        classify: Callable[[str], Reach] = addresses.classify, secret: bytes | None = None,
        external: ExternalAddress | None = None, shut: Callable[[], bool] = lambda: False,
    ) -> None:
        """`shut`: nothing can leave this machine, so nobody is asked; `resume` ends that."""
        self._scope = scope.child("announcing")
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._families = families
        self._classify = classify
        self._shut = shut
        self.external = external if external is not None else ExternalAddress()
        "Trackers say at which address they see us (BEP 24)."
        self._secret = secret if secret is not None else secrets.token_bytes(16)
        lanes = [Lane(a, lambda: settings().at_once, lambda: settings().per_host) for a in announcers]
        self._lanes = lanes
        self._by_scheme = {scheme: lane for lane in lanes for scheme in sorted(lane.announcer.schemes)}
        self._hosts: WeakValueDictionary[tuple[str, str, int], Host] = WeakValueDictionary()
        self._lists: dict[TrackerList, None] = {}
        self._heap: list[tuple[float, int, TrackerList]] = []
        self._order = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._last_answer = -math.inf
        self._named: set[str] = set()
        "URLs that the user named."
        self._goodbyes = 0
        "Legs whose tracker is still to hear that we leave."
        self._gone: asyncio.Future[None] | None = None
        self._closing = False

    # -- what a session does

    def trust(self, urls: Iterable[str]) -> None:
        """The user named these: they may lead to any path of a machine near us, while the session lives."""
        self._named.update(url.strip() for url in urls)

    def add(
        self, swarm: Announced, hashes: tuple[bytes, ...], tiers: Sequence[Sequence[str]], *, private: bool = False
    ) -> TrackerList:
        """Take on a torrent, stopped. `hashes`: 20 bytes each. Tiers are shuffled inside, as BEP 12 wants."""
        trackers = TrackerList(swarm, hashes, private=private)
        self._lists[trackers] = None
        for urls in unique_tiers(tiers, limits.TRACKERS_PER_TORRENT):
            tier = [self._tracker(trackers, url) for url in urls]
            if len(tier) > 1:
                self._rng.shuffle(tier)
            trackers.tiers.append(tier)
        return trackers

    def start(self, trackers: TrackerList) -> None:
        """Begin or go on announcing."""
        if trackers.running or self._closing:
            return
        trackers.running = True
        for tracker in trackers.all():
            self._stay(tracker)
            for leg in tracker.legs:
                if leg.next_at < math.inf:
                    leg.next_at = min(leg.next_at, self._clock())
        self._examine(trackers, self._clock())
        self._pump()

    def stop(self, trackers: TrackerList) -> None:
        """Stop announcing; trackers that count us in are told so, once."""
        if not trackers.running:
            return
        trackers.running = False
        for tracker in trackers.all():
            self._leave(tracker)
        self._pump()

    def remove(self, trackers: TrackerList) -> None:
        """Stop and forget."""
        self.stop(trackers)
        self._lists.pop(trackers, None)
        trackers.due = math.inf

    def completed(self, trackers: TrackerList) -> None:
        """All content is here now, and was not when announcing began: tell every tracker that counts us in."""
        now = self._clock()
        for tracker in trackers.all():
            for leg in tracker.legs:
                if (leg.started or leg.phase is Phase.FLYING) and not leg.stopping:
                    leg.completed_due = True
                    leg.next_at = now
                    leg.urgent = True
        self._examine(trackers, now)
        self._pump()

    def reannounce(self, trackers: TrackerList, url: str | None = None, *, force: bool = False) -> None:
        """Announce soon: as early as the trackers permit, or with `force` at once, dead ones too."""
        now = self._clock()
        chosen = trackers.all() if force or url is not None else list(trackers.walk())
        for tracker in chosen:
            if url is not None and tracker.url != url:
                continue
            for leg in tracker.legs:
                if force:
                    leg.host.resting_until = 0.0
                    leg.next_at = now
                elif leg.next_at < math.inf and not leg.fails:
                    leg.next_at = min(leg.next_at, max(now, leg.min_at))
                leg.urgent = True
            if force and trackers.running:
                self._enqueue_due(tracker, now)
        self._examine(trackers, now)
        self._pump()

    def resume(self) -> None:
        """The network was away, and is back, perhaps with another address: ask all as soon as they permit, also those
        that failed meanwhile.
        """
        now = self._clock()
        for host in list(self._hosts.values()):
            host.resting_until = 0.0
        for trackers in list(self._lists):
            for tracker in trackers.all():
                for leg in tracker.legs:
                    if leg.next_at < math.inf:
                        leg.next_at = min(leg.next_at, max(now, leg.min_at))
            self._examine(trackers, now)
        self._pump()

    def scrape(self, trackers: TrackerList, url: str | None = None) -> None:
        """Ask for the swarm's numbers, also while stopped: of one tracker, or of those in use."""
        for tracker in trackers.all() if url is not None else list(trackers.walk()):
            if (url is None or tracker.url == url) and tracker.legs and not tracker.scraping:
                tracker.scraping = True
                tracker.legs[0].host.push(tracker, urgent=True)
        self._pump()

    def set_tiers(self, trackers: TrackerList, tiers: Sequence[Sequence[str]]) -> None:
        """Replace the list; trackers that stay keep their state. Those that go are told good-bye.

        Raises UsageError for a new URL that cannot be a tracker; nothing has changed then.
        """
        known = {tracker.url: tracker for tracker in (*trackers.leaving, *trackers.all())}
        chosen = unique_tiers(tiers, limits.TRACKERS_PER_TORRENT)
        for url in (url for urls in chosen for url in urls if url not in known):
            self._require_scheme(url)
        trackers.tiers = [
            [known.pop(url) if url in known else self._tracker(trackers, url) for url in urls] for urls in chosen
        ]
        for tracker in known.values():
            tracker.removed = True
            tracker.scraping = False
            self._leave(tracker)
        for tracker in trackers.all():
            if tracker.removed:
                tracker.removed = False
                self._stay(tracker)
        trackers.leaving = tuple(t for t in known.values() if any(leg.stopping for leg in t.legs))
        self._examine(trackers, self._clock())
        self._pump()

    def add_tracker(self, trackers: TrackerList, url: str, tier: int | None = None) -> None:
        """Add a URL to a tier, or as a new last one. Raises UsageError where it cannot be a tracker or is one too many.

        A URL that is there already stays as it is.
        """
        url = url.strip()
        self._require_scheme(url)
        if trackers.find(url) is not None:
            return
        if len(trackers.all()) >= limits.TRACKERS_PER_TORRENT:
            raise UsageError(f"more than TRACKERS_PER_TORRENT = {limits.TRACKERS_PER_TORRENT} trackers")
        tiers = [[tracker.url for tracker in group] for group in trackers.tiers]
        if tier is None or tier >= len(tiers):
            tiers.append([url])
        else:
            tiers[tier].append(url)
        self.set_tiers(trackers, tiers)

    def _require_scheme(self, url: str) -> None:
        if url.partition(":")[0].lower() not in self._by_scheme:
            raise UsageError(f"no tracker is reached by {url[:60]!r}", url=url)

    def remove_tracker(self, trackers: TrackerList, url: str) -> None:
        """Take a URL out. Raises UsageError where it is not there."""
        if trackers.find(url) is None:
            raise UsageError("the torrent has no such tracker", url=url)
        self.set_tiers(trackers, [[t.url for t in tier if t.url != url] for tier in trackers.tiers])

    async def close(self, seconds: float | None = None) -> None:
        """Say good-bye for every torrent, within `seconds` (the setting `stop_seconds`), then end."""
        self._closing = True
        for lane in self._lanes:
            lane.hurry = _HURRY
        for number, trackers in enumerate(list(self._lists)):
            trackers.running = False
            for tracker in trackers.all():
                self._leave(tracker)
            if number % _BUDGET == 0:
                self._pump()
                await asyncio.sleep(0)
        self._pump()
        if self._goodbyes and not self._shut():
            self._gone = asyncio.get_running_loop().create_future()
            patience = self._settings().stop_seconds if seconds is None else seconds
            await asyncio.wait([self._gone], timeout=patience)
            self._gone.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._scope.close()

    # -- time

    def tick(self, now: float) -> None:
        """Look at the torrents that are due and start what may start. The timer calls it; calling it more is harmless.
        """
        budget = _BUDGET
        while self._heap and self._heap[0][0] <= now and budget:
            at, _, trackers = heapq.heappop(self._heap)
            if at != trackers.entry_at:
                continue
            trackers.entry_at = math.inf
            if trackers.due > now:
                self._schedule(trackers)
            elif trackers.running:
                self._examine(trackers, now)
                budget -= 1
        self._pump()

    def _wake(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        self.tick(self._clock())

    def _arm(self, at: float) -> None:
        if self._closing and not self._goodbyes:
            return
        if at >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._wake)

    def _schedule(self, trackers: TrackerList) -> None:
        """Put a torrent into the heap, unless it is there for an earlier time: then it is looked at twice."""
        if trackers.due < trackers.entry_at:
            trackers.entry_at = trackers.due
            self._order += 1
            heapq.heappush(self._heap, (trackers.due, self._order, trackers))

    def _examine(self, trackers: TrackerList, now: float) -> None:
        """Queue what is due among the trackers in use, and note when to look again."""
        if not trackers.running:
            return
        settings = self._settings()
        trackers.all_tiers = settings.announce_all_tiers
        trackers.all_trackers = settings.announce_all_trackers
        for tracker in list(trackers.walk()):
            self._enqueue_due(tracker, now)
        trackers.due = trackers.next_due()
        self._schedule(trackers)

    def _enqueue_due(self, tracker: Tracker, now: float) -> None:
        for leg in tracker.legs:
            if leg.next_at > now or leg.phase >= Phase.FLYING:
                continue
            if leg.host.resting_until > now:
                self._shed(leg, now)
            elif leg.phase is Phase.IDLE or leg.urgent:
                leg.phase = Phase.QUEUED
                leg.host.push(leg, urgent=leg.urgent or tracker.owner.swarm.identity().left > 0)

    def _pump(self) -> None:
        """Start as much as the bounds permit."""
        if self._shut():
            return
        now = self._clock()
        budget = _BUDGET
        for lane in self._lanes:
            while budget and (host := lane.next()) is not None:
                budget -= 1
                self._serve(host, now)
                lane.list(host)
        if not budget:
            self._arm(now + _TURN_SECONDS)
        elif self._heap:
            self._arm(max(self._heap[0][0], now + _TURN_SECONDS))

    def _serve(self, host: Host, now: float) -> None:
        job = host.pop()
        if job is None:
            return
        if isinstance(job, Tracker):
            if host.resting_until > now or self._closing:
                job.scraping = False
                job.scrape = "its host does not answer, and is left alone for a while"
            else:
                doubtful = host.lane.begin(host)
                self._scope.spawn(f"scrape {host.name}", self._scrape(job, host, doubtful))
            return
        if not isinstance(job, Leg):
            return
        leg, owner = job, job.tracker.owner
        if host.resting_until > now:
            self._shed(leg, now)
            self._examine(owner, now)
        elif leg.stopping or (owner.running and not leg.tracker.removed):
            identity = owner.swarm.identity()
            event = leg.event(identity)
            leg.phase = Phase.LEAVING if event is Event.STOPPED else Phase.FLYING
            leg.urgent = False
            doubtful = host.lane.begin(host)
            self._scope.spawn(f"announce {host.name}", self._announce(leg, event, identity, doubtful))
        else:
            leg.phase = Phase.IDLE

    # -- asking

    async def _announce(self, leg: Leg, event: Event, identity: Identity, doubtful: bool) -> None:
        tracker = leg.tracker
        request = AnnounceRequest(
            tracker.url, leg.info_hash, identity.peer_id, identity.port, identity.uploaded, identity.downloaded,
            identity.left, event, self._key(leg), 0 if event is Event.STOPPED else self._settings().want_peers,
            tracker.tracker_id, leg.family, tracker.url in self._named,
        )
        reply: AnnounceReply | None = None
        error: WildbachError | None = None
        try:
            reply = await leg.host.lane.announcer.announce(request)
        except WildbachError as caught:
            error = caught
        now = self._clock()
        leg.phase = Phase.IDLE
        self._note_host(leg.host, error, now)
        leg.host.lane.end(leg.host, doubtful)
        if reply is not None:
            self._succeeded(leg, event, reply, now)
        elif error is not None:
            self._failed(leg, event, error, now)
        self._examine(tracker.owner, now)
        self._pump()

    async def _scrape(self, tracker: Tracker, host: Host, doubtful: bool) -> None:
        owner = tracker.owner
        reply = ScrapeReply()
        error: WildbachError | None = None
        try:
            reply = await host.lane.announcer.scrape(ScrapeRequest(
                tracker.url, owner.hashes, tracker.legs[0].family, tracker.url in self._named))
        except WildbachError as caught:
            error = caught
        now = self._clock()
        tracker.scraping = False
        tracker.scrape = error.message if error is not None else "ok"
        tracker.answered = error is None or error.code == TrackerFailure.code
        self._note_host(host, error, now)
        host.lane.end(host, doubtful)
        for leg in tracker.legs:
            stats = reply.stats.get(leg.info_hash)
            if stats is not None:
                leg.seeds, leg.leeches, leg.downloaded = stats.seeds, stats.leeches, stats.downloaded
        self._tell(tracker, now)
        self._pump()

    def _key(self, leg: Leg) -> int:
        """The same for one torrent at one host as long as the session lives, and of no meaning elsewhere (BEP 7)."""
        digest = blake2b(leg.tracker.owner.hashes[0] + leg.host.name.encode(), key=self._secret, digest_size=4)
        return int.from_bytes(digest.digest(), "big")

    def _note_host(self, host: Host, error: WildbachError | None, now: float) -> None:
        if error is None or isinstance(error, TrackerFailure):
            host.answered()
            self._last_answer = now
        elif not isinstance(error, ForbiddenURL):
            host.failed(error.message, now, self._longest(now), self._rng.random())

    def _succeeded(self, leg: Leg, event: Event, reply: AnnounceReply, now: float) -> None:
        tracker, owner = leg.tracker, leg.tracker.owner
        leg.fails = 0
        if event is Event.STOPPED:
            leg.started = False
            self._said_goodbye(leg)
            leg.next_at = now
            return
        leg.started = True
        if event is Event.COMPLETED:
            leg.completed_due = False
        leg.next_at = now + reply.interval + self._rng.random() * min(_JITTER_MOST, reply.interval / 20)
        leg.min_at = now + (reply.min_interval or min(reply.interval, _MIN_INTERVAL))
        if leg.completed_due:
            leg.next_at = now
        if leg.stopping:
            # It heard of us only now, while we were leaving.
            self._say_goodbye(leg)
            return
        self._note_reply(leg, reply)
        owner.promote(tracker)
        if owner.private and owner.current is not tracker:
            former, owner.current = owner.current, tracker
            if former is not None:
                self._leave(former)
                owner.swarm.on_tracker_switch()
        peers = [peer for peer in reply.peers if self._dialable(peer, reply.reach)]
        if peers:
            owner.swarm.on_peers(peers)
        if reply.external_ip is not None:
            self.external.vote(reply.external_ip, reply.voter)
        self._tell(tracker, now)

    def _note_reply(self, leg: Leg, reply: AnnounceReply) -> None:
        tracker = leg.tracker
        tracker.message = reply.warning
        tracker.tracker_id = reply.tracker_id or tracker.tracker_id
        leg.peers = len(reply.peers)
        leg.seeds = leg.seeds if reply.seeds is None else reply.seeds
        leg.leeches = leg.leeches if reply.leeches is None else reply.leeches
        leg.downloaded = leg.downloaded if reply.downloaded is None else reply.downloaded

    def _failed(self, leg: Leg, event: Event, error: WildbachError, now: float) -> None:
        tracker = leg.tracker
        if leg.stopping or not leg.started:
            leg.completed_due = False
        if leg.stopping:
            if leg.started and event is not Event.STOPPED:
                self._say_goodbye(leg)
                return
            # One try: a tracker that does not hear it forgets us by itself.
            leg.started = False
            self._said_goodbye(leg)
            leg.next_at = now
            return
        leg.fails += 1
        if not tracker.working:
            tracker.message = error.message
        delay = min(_RETRY_FIRST * 2 ** min(leg.fails - 1, 20), _RETRY_MOST)
        if leg.fails >= DEAD_AFTER:
            delay = self._longest(now)
        delay *= 0.9 + 0.2 * self._rng.random()
        if isinstance(error, TrackerFailure) and error.retry_in is not None:
            delay = error.retry_in
            leg.min_at = now + delay
        elif isinstance(error, ForbiddenURL):
            delay = math.inf
        leg.next_at = max(now + delay, leg.host.resting_until)
        self._tell(tracker, now)

    def _shed(self, leg: Leg, now: float) -> None:
        """The host rests: this leg fails with it, without being asked."""
        leg.phase = Phase.IDLE
        leg.urgent = False
        if leg.stopping:
            leg.started = False
            self._said_goodbye(leg)
            return
        leg.fails = max(1, leg.fails)
        if not leg.tracker.working:
            leg.tracker.message = leg.host.error
        leg.next_at = leg.host.resting_until + self._rng.random() * 10.0

    def _longest(self, now: float) -> float:
        return _RETRY_DEAD if now - self._last_answer < _ONLINE_SECONDS else _RETRY_OFFLINE

    # -- coming and going

    def _tracker(self, owner: TrackerList, url: str) -> Tracker:
        tracker = Tracker(owner, sys.intern(url))
        scheme = url.partition(":")[0].lower()
        lane = self._by_scheme.get(scheme)
        if lane is None:
            tracker.message = f"no tracker is reached by {scheme[:20] or 'an empty URL'}"
            return tracker
        if len(url) > limits.TRACKER_URL_BYTES:
            tracker.message = "the URL is longer than TRACKER_URL_BYTES"
            return tracker
        try:
            parts = urlsplit(url)
        except ValueError:
            tracker.message = "not a URL"
            return tracker
        name = parts.netloc.rpartition("@")[2].lower()
        literal = addresses.parse(parts.hostname or "")
        # An address has one IP version; a name may have both.
        families = self._families() if literal is None else (literal.version,)
        hosts = {family: self._host(scheme, name, family, lane) for family in families}
        tracker.legs = tuple(
            Leg(tracker, info_hash, family, host) for info_hash in owner.hashes for family, host in hosts.items()
        )
        return tracker

    def _host(self, scheme: str, name: str, family: int, lane: Lane) -> Host:
        key = (scheme, name, family)
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = Host(name, lane)
        return host

    def _leave(self, tracker: Tracker) -> None:
        """Say good-bye over every leg that was heard or is being heard."""
        for leg in tracker.legs:
            if leg.phase is Phase.LEAVING:
                continue
            if leg.phase is Phase.FLYING:
                if not leg.stopping:
                    leg.stopping = True
                    self._goodbyes += 1
            elif leg.started:
                self._say_goodbye(leg)
            else:
                leg.phase = Phase.IDLE

    def _stay(self, tracker: Tracker) -> None:
        """Take back a good-bye that is not on its way yet: a tracker that never heard it was never left."""
        for leg in tracker.legs:
            if leg.stopping and leg.phase is not Phase.LEAVING:
                self._said_goodbye(leg)
                if leg.phase is Phase.QUEUED:
                    leg.phase = Phase.IDLE

    def _say_goodbye(self, leg: Leg) -> None:
        if not leg.stopping:
            leg.stopping = True
            self._goodbyes += 1
        leg.phase = Phase.QUEUED
        leg.host.push(leg, urgent=True)

    def _said_goodbye(self, leg: Leg) -> None:
        if leg.stopping:
            leg.stopping = False
            self._goodbyes -= 1
            if not self._goodbyes and self._gone is not None and not self._gone.done():
                self._gone.set_result(None)

    def _dialable(self, peer: Endpoint, source: Reach) -> bool:
        """A tracker may name peers as far away as itself or farther: no stranger makes us dial into our own network."""
        return addresses.DISTANCE[self._classify(peer.host)] >= addresses.DISTANCE[source]

    def _tell(self, tracker: Tracker, now: float) -> None:
        owner = tracker.owner
        tier = owner.tier_of(tracker)
        if tier >= 0:
            owner.swarm.on_tracker(owner.view(tracker, tier, now))

