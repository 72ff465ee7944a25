"""The trackers of one torrent: tiers, which of them to ask next, and what each said last (BEP 12).

Pure bookkeeping, kept small because a hundred thousand torrents have one each; `announcing` does the asking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from wildbach.base.ids import Endpoint
from wildbach.engine.trackerhosts import DEAD_AFTER, Host
from wildbach.protocol.tracker.announce import Event


class Identity(NamedTuple):
    """What a torrent tells trackers about itself at this moment."""

    peer_id: bytes
    port: int
    uploaded: int
    downloaded: int
    left: int
    "Bytes still wanted; above 0 while the size is not known."
    partial: bool = False
    "All that is wanted is here, but that is not everything (BEP 21)."


class TrackerState(StrEnum):
    WAITING = "waiting"
    "Not asked yet, or not needed while another one works."
    ANNOUNCING = "announcing"
    WORKING = "working"
    FAILING = "failing"
    DEAD = "dead"
    "Failed for long, or can never work. Asked once a day, or only when told to."


@dataclass(frozen=True, slots=True)
class TrackerView:
    """One tracker as a user interface shows it."""

    url: str
    tier: int
    state: TrackerState
    message: str
    "The tracker's own words or ours, on failure or as its warning; empty where all is well."
    next_announce: float | None
    "Seconds from now; None where none is planned."
    seeds: int | None
    leeches: int | None
    downloaded: int | None
    "How often the torrent was completed."
    peers: int
    "Peers in its last reply."
    fails: int
    "Failures in a row."
    scrape: str = ""
    "What came of the last scrape: `ok`, or why it failed; empty where there was none."
    answered: bool = False
    "It answered the last scrape, if only to refuse it."


class Announced(Protocol):
    """What announcing needs of a torrent. Called on the loop; must not raise."""

    def identity(self) -> Identity: ...

    def on_peers(self, peers: list[Endpoint]) -> None:
        """Peers to try."""

    def on_tracker(self, view: TrackerView) -> None:
        """A tracker answered or failed."""

    def on_tracker_switch(self) -> None:
        """A private torrent changed its tracker: peers that the former one named are to be dropped (BEP 27)."""


class Phase(IntEnum):
    IDLE = 0
    QUEUED = 1
    FLYING = 2
    "Being announced."
    LEAVING = 3
    "The good-bye is on its way."


class Leg:
    """One swarm of the torrent at one tracker over one IP version: what an announce is about."""

    __slots__ = (
        "completed_due", "downloaded", "fails", "family", "host", "info_hash", "leeches", "min_at", "next_at", "peers",
        "phase", "seeds", "started", "stopping", "tracker", "urgent",
    )

    def __init__(self, tracker: Tracker, info_hash: bytes, family: int, host: Host) -> None:
        self.tracker = tracker
        self.info_hash = info_hash
        self.family = family
        self.host = host
        self.next_at = 0.0
        self.min_at = 0.0
        self.fails = 0
        self.phase = Phase.IDLE
        self.started = False
        "The tracker counts us in."
        self.stopping = False
        "It is still to hear that we leave."
        self.completed_due = False
        self.urgent = False
        self.seeds: int | None = None
        self.leeches: int | None = None
        self.downloaded: int | None = None
        self.peers = 0

    @property
    def queued(self) -> bool:
        return self.phase is Phase.QUEUED

    def event(self, identity: Identity) -> Event:
        """What the next announce has to say."""
        if self.completed_due and self.started:
            return Event.COMPLETED
        if self.stopping:
            return Event.STOPPED
        if not self.started:
            return Event.STARTED
        return Event.PAUSED if identity.partial else Event.NONE


class Tracker:
    """One URL in a torrent's list."""

    __slots__ = ("answered", "legs", "message", "owner", "removed", "scrape", "scraping", "tracker_id",
                 "url")

    def __init__(self, owner: TrackerList, url: str) -> None:
        self.owner = owner
        self.url = url
        self.legs: tuple[Leg, ...] = ()
        self.message = ""
        self.tracker_id = b""
        self.scraping = False
        self.scrape = ""
        "What came of the last scrape: `ok`, or why it failed; empty where there was none."
        self.answered = False
        "It answered the last scrape, if only to refuse it."
        self.removed = False

    @property
    def queued(self) -> bool:
        """To be scraped."""
        return self.scraping

    @property
    def usable(self) -> bool:
        """Untried or working, over at least one leg."""
        return any(not leg.fails for leg in self.legs)

    @property
    def working(self) -> bool:
        """At least one leg is heard; what another one fails at (IPv6, say) is not the tracker's message then."""
        return any(leg.started and not leg.fails for leg in self.legs)

    @property
    def peers(self) -> int:
        """Peers in the fullest of the last replies."""
        return max((leg.peers for leg in self.legs), default=0)

    @property
    def state(self) -> TrackerState:
        if any(leg.phase >= Phase.FLYING for leg in self.legs):
            return TrackerState.ANNOUNCING
        if not self.legs or all(leg.next_at == math.inf and leg.fails for leg in self.legs):
            return TrackerState.DEAD
        if self.usable:
            return TrackerState.WORKING if self.working else TrackerState.WAITING
        if all(max(leg.fails, leg.host.fails) >= DEAD_AFTER for leg in self.legs):
            return TrackerState.DEAD
        return TrackerState.FAILING

    @property
    def name(self) -> str:
        """The host, for messages: the rest of a URL may hold a passkey."""
        try:
            return urlsplit(self.url).hostname or self.url[:60]
        except ValueError:
            return self.url[:60]


class TrackerList:
    """A torrent's tiers. Change it through `Announcing`, which owns it."""

    __slots__ = (
        "all_tiers", "all_trackers", "current", "due", "entry_at", "hashes", "leaving", "private", "running", "swarm",
        "tiers",
    )

    def __init__(self, swarm: Announced, hashes: tuple[bytes, ...], *, private: bool) -> None:
        self.swarm = swarm
        self.hashes = hashes
        "20 bytes each: both of a hybrid are announced (BEP 52)."
        self.private = private
        self.tiers: list[list[Tracker]] = []
        self.running = False
        self.all_tiers = False
        self.all_trackers = False
        self.current: Tracker | None = None
        "The one that answered last, for private torrents."
        self.leaving: tuple[Tracker, ...] = ()
        "Taken out of the list, and perhaps still to be told."
        self.due = math.inf
        self.entry_at = math.inf
        "The time of its entry in the scheduler's heap."

    def walk(self) -> Iterator[Tracker]:
        """The trackers in use: each tier up to its first that is not failing, tiers up to the first that has one."""
        alone = self.private
        for tier in self.tiers:
            used = False
            for tracker in tier:
                yield tracker
                if tracker.usable:
                    used = True
                    if alone or not self.all_trackers:
                        break
            if used and (alone or not self.all_tiers):
                return

    def all(self) -> list[Tracker]:
        return [tracker for tier in self.tiers for tracker in tier]

    def find(self, url: str) -> Tracker | None:
        return next((tracker for tracker in self.all() if tracker.url == url), None)

    def next_due(self) -> float:
        """When the next idle leg of a tracker in use is due, or infinity."""
        if not self.running:
            return math.inf
        return min(
            (leg.next_at for tracker in self.walk() for leg in tracker.legs if leg.phase is Phase.IDLE),
            default=math.inf,
        )

    def promote(self, tracker: Tracker) -> None:
        """A tracker that answered goes to the front of its tier (BEP 12)."""
        for tier in self.tiers:
            if tier[0] is not tracker and tracker in tier:
                tier.remove(tracker)
                tier.insert(0, tracker)

    def view(self, tracker: Tracker, tier: int, now: float) -> TrackerView:
        in_use = self.running and any(tracker is used for used in self.walk())
        times = [leg.next_at for leg in tracker.legs if leg.phase is Phase.IDLE and leg.next_at < math.inf]
        fails = min((leg.fails for leg in tracker.legs), default=0)
        return TrackerView(
            tracker.url, tier, tracker.state, tracker.message, max(0.0, min(times) - now) if times and in_use else None,
            _most([leg.seeds for leg in tracker.legs]), _most([leg.leeches for leg in tracker.legs]),
            _most([leg.downloaded for leg in tracker.legs]), tracker.peers, fails, tracker.scrape, tracker.answered,
        )

    def views(self, now: float) -> tuple[TrackerView, ...]:
        return tuple(self.view(tracker, i, now) for i, tier in enumerate(self.tiers) for tracker in tier)

    def tier_of(self, tracker: Tracker) -> int:
        return next((i for i, tier in enumerate(self.tiers) if tracker in tier), -1)

    def reason(self, now: float) -> str:
        """In plain words, what the trackers have to do with it when no peers come. Empty while one works."""
        trackers = self.all()
        if not trackers:
            return "there is no tracker"
        states = [(tracker, tracker.state) for tracker in trackers]
        working = [tracker for tracker, state in states if state is TrackerState.WORKING]
        if working:
            best = max(working, key=lambda t: t.peers)
            return "" if best.peers else f"tracker {best.name} knows no other peers"
        if not self.running:
            return "the torrent is stopped"
        if any(state in (TrackerState.ANNOUNCING, TrackerState.WAITING) for _, state in states):
            return "waiting for a tracker's reply"
        named = [tracker for tracker in trackers if tracker.message]
        shown = "; ".join(f"{tracker.name}: {tracker.message}" for tracker in named[:2])
        more = f" and {len(trackers) - 2} more" if len(trackers) > 2 else ""
        wait = self.next_due() - now
        again = f"; next try in {_span(wait)}" if wait < math.inf else ""
        return f"no tracker answers ({shown}{more}{again})"


def _most(numbers: list[int | None]) -> int | None:
    """The swarms of a hybrid are one torrent and mostly the same peers, so their numbers are not added."""
    return max((number for number in numbers if number is not None), default=None)


def _span(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def unique_tiers(tiers: Sequence[Sequence[str]], most: int) -> list[list[str]]:
    """Tiers without empty entries and with each URL once, at its first place; `most` URLs in all."""
    seen: dict[str, None] = {}
    out = []
    for tier in tiers:
        kept = []
        for url in tier:
            url = url.strip()
            if url and url not in seen and len(seen) < most:
                seen[url] = None
                kept.append(url)
        if kept:
            out.append(kept)
    return out
