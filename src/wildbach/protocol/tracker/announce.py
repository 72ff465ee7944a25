"""What is said to a tracker and what it answers, the same for every way of saying it (BEP 3, 15, 48)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from wildbach.base import limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint

DEFAULT_INTERVAL = 1800.0
"Seconds, where a tracker names none."


class Event(IntEnum):
    """Why an announce is made; the numbers are those of BEP 15."""

    NONE = 0
    COMPLETED = 1
    STARTED = 2
    STOPPED = 3
    PAUSED = 4
    "A partial seed says so in every announce (BEP 21). HTTP only: over UDP it is sent as NONE."

    @property
    def word(self) -> str:
        """How HTTP spells it; empty for NONE."""
        return "" if self is Event.NONE else self.name.lower()


@dataclass(frozen=True, slots=True)
class AnnounceRequest:
    """One announce of one swarm to one tracker."""

    url: str
    info_hash: bytes
    "20 bytes; a v2 hash is cut to 20 (BEP 52)."
    peer_id: bytes
    port: int
    "Where we listen, 0 for nowhere."
    uploaded: int = 0
    downloaded: int = 0
    "Bytes since the `started` event."
    left: int = 0
    "Bytes still wanted; where the size is not known yet, any number above 0."
    event: Event = Event.NONE
    key: int = 0
    "32 bits that prove to the tracker that we are the same peer after our address changed (BEP 7, 15)."
    numwant: int = 200
    tracker_id: bytes = b""
    "What the tracker asked to be told again (BEP 3's `tracker id`)."
    family: int = 0
    "Announce over this IP version only: 4 or 6; 0 for whichever the host has (BEP 7)."
    named: bool = False
    "The user named this URL; it is not from a torrent."


@dataclass(frozen=True, slots=True)
class AnnounceReply:
    """What a tracker answered, cleaned: intervals are clamped, texts printable, peers dialable and without doubles."""

    peers: tuple[Endpoint, ...] = ()
    interval: float = DEFAULT_INTERVAL
    "Seconds until the next announce."
    min_interval: float = 0.0
    "Seconds before which no announce without an event may follow; 0 where the tracker names none."
    seeds: int | None = None
    leeches: int | None = None
    downloaded: int | None = None
    "How often the torrent was completed."
    warning: str = ""
    tracker_id: bytes = b""
    external_ip: str | None = None
    "Our address as the tracker sees it (BEP 24)."
    reach: Reach = Reach.GLOBAL
    "Where the tracker itself is; it may name peers in its own reach or beyond, never nearer."
    voter: str = ""
    "The tracker's address, where it tells ours."


@dataclass(frozen=True, slots=True)
class ScrapeRequest:
    """Ask for the numbers of some swarms (BEP 48, 15) without taking part in them."""

    url: str
    info_hashes: tuple[bytes, ...]
    family: int = 0
    named: bool = False
    "The user named this URL; it is not from a torrent."


@dataclass(frozen=True, slots=True)
class ScrapeStats:
    """The numbers of one swarm."""

    seeds: int = 0
    leeches: int = 0
    downloaded: int = 0


@dataclass(frozen=True, slots=True)
class ScrapeReply:
    """The swarms the tracker knows, by info hash."""

    stats: Mapping[bytes, ScrapeStats] = field(default_factory=dict)


class TrackerFailure(NetworkError):
    """The tracker answered, and said no. `retry_in` is when it wants to be asked again (BEP 31).

    `retry_in`: seconds, `math.inf` for never, None where it did not say.
    """

    code = "tracker_failure"

    def __init__(self, reason: str, *, retry_in: float | None = None) -> None:
        super().__init__(reason or "the tracker gave no reason", retry_in=retry_in)
        self.retry_in = retry_in


def clean_text(raw: bytes) -> str:
    """A tracker's message, safe to show: UTF-8, one line, without control or direction-override characters, cut."""
    text = raw[: 4 * limits.TRACKER_MESSAGE_CHARS].decode("utf-8", "replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text[: limits.TRACKER_MESSAGE_CHARS]


def clamp_interval(seconds: int | None) -> float:
    """The announce interval to keep: what the tracker wants, within the limits."""
    if seconds is None or seconds <= 0:
        return DEFAULT_INTERVAL
    return float(min(max(seconds, limits.TRACKER_INTERVAL_MIN), limits.TRACKER_INTERVAL_MAX))


def clamp_min_interval(seconds: int | None) -> float:
    if seconds is None or seconds <= 0:
        return 0.0
    return float(min(seconds, limits.TRACKER_INTERVAL_MAX))


def clean_peers(peers: list[Endpoint]) -> tuple[Endpoint, ...]:
    """The first TRACKER_PEERS endpoints, each once, in the tracker's order."""
    return tuple(dict.fromkeys(peers[: limits.TRACKER_PEERS]))


NEVER = math.inf
