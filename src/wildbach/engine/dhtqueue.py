"""Which torrent is looked up and announced in the DHT next (BEP 5, 33).

The DHT may use few bytes a second, so torrents queue: those that are being downloaded come first, then those without
a tracker, then the rest, each kind by how long it has been due. One heap a kind says who is next: a torrent owns
neither task nor timer. Nothing is asked here: `due` says whom, `engine.dht` asks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from wildbach.base.ids import Endpoint
from wildbach.runtime.rng import Rng

_RETRY_FIRST: Final = 10.0
_RETRY_MOST: Final = 300.0
"Where no node answered."
_LONELY_FIRST: Final = 15.0
"Until a download without peers asks again."
_JITTER: Final = 0.1


class Turn(IntEnum):
    """Whose turn comes first."""

    DOWNLOAD = 0
    TRACKERLESS = 1
    REST = 2


class Wish(NamedTuple):
    """What a torrent wants of the DHT at this moment."""

    turn: Turn
    port: int
    "Where peers can call; 0: look only."
    seed: bool
    lonely: bool
    "It downloads, and nobody is connected."


class Wanting(Protocol):
    """What the queue needs of a torrent. Called on the loop; must not raise."""

    def dht_wish(self) -> Wish: ...

    def dht_peers(self, peers: Sequence[Endpoint]) -> None:
        """Peers to try."""


@dataclass(slots=True)
class Findings:
    """What the lookups of a torrent brought, over its hashes and IP versions."""

    replied: int = 0
    "Nodes that answered."
    peers: int = 0
    "Different peers that were named."
    announced: int = 0
    "Nodes that were told of us."
    seeds: int | None = None
    leeches: int | None = None
    "How large the swarm is, as nodes estimate it (BEP 33); None where none of them did."


@dataclass(frozen=True, slots=True)
class DhtTorrentView:
    """How a torrent fares in the DHT."""

    looking: bool
    "A lookup is under way."
    waiting: bool
    "It is due, and waits for its turn and for bytes."
    last: float | None
    "Seconds since the last lookup ended; None where none has."
    next: float | None
    "Seconds until the next one is due; None where none is planned."
    peers: int
    "Different peers that the last lookup brought."
    replied: int
    "Nodes that answered it."
    announced: int
    "Nodes that it told of us."
    seeds: int | None
    leeches: int | None
    "How large the swarm is, as nodes estimate it (BEP 33)."


class Entry:
    """One torrent in the queue."""

    __slots__ = (
        "due_at", "entry_at", "fails", "findings", "flying", "hashes", "last_at", "lonely_for", "owner", "running",
        "scrape", "turn",
    )

    def __init__(self, owner: Wanting, hashes: tuple[bytes, ...], now: float) -> None:
        self.owner = owner
        self.hashes = hashes
        self.turn = Turn.REST
        self.due_at = now
        self.entry_at = math.inf
        "The time under which it stands in a heap; other places of it are stale."
        self.running = True
        self.flying = False
        self.fails = 0
        "Lookups in a row that no node answered."
        self.lonely_for = 0.0
        self.scrape = False
        "The next lookup has the swarm counted too."
        self.last_at = -math.inf
        self.findings: Findings | None = None

    def view(self, now: float) -> DhtTorrentView:
        found = self.findings if self.findings is not None else Findings()
        return DhtTorrentView(
            self.flying, self.waits(now), None if self.findings is None else now - self.last_at,
            max(0.0, self.due_at - now) if self.running and not self.flying else None,
            found.peers, found.replied, found.announced, found.seeds, found.leeches,
        )

    def waits(self, now: float) -> bool:
        return self.running and not self.flying and self.due_at <= now


class DhtQueue:
    """All torrents that use the DHT."""

    def __init__(self, rng: Rng, interval: Callable[[], float]) -> None:
        self._rng = rng
        self._interval = interval
        "Seconds between two announces of a torrent."
        self._heaps: tuple[list[tuple[float, int, Entry]], ...] = tuple([] for _ in Turn)
        self._order = 0
        self.entries: dict[Entry, None] = {}
        self.flying = 0

    def add(self, owner: Wanting, hashes: tuple[bytes, ...], now: float) -> Entry:
        """Take on a torrent, due at once. `hashes`: 20 bytes each."""
        entry = Entry(owner, hashes, now)
        self.entries[entry] = None
        self._place(entry)
        return entry

    def remove(self, entry: Entry) -> None:
        """Forget a torrent. What is under way for it brings nothing any more."""
        entry.running = False
        entry.entry_at = math.inf
        self.entries.pop(entry, None)

    def changed(self, entry: Entry, now: float, *, sooner: bool = False) -> None:
        """Its wish may have changed; `sooner`: it wants to be asked for now."""
        if entry.running and not entry.flying:
            if sooner:
                entry.due_at = min(entry.due_at, now)
            self._place(entry)

    def soonest(self) -> float:
        """When the next torrent is due; infinite where none is. May be in the past."""
        return min((heap[0][0] for heap in self._heaps if self._prune(heap)), default=math.inf)

    def due(self, now: float, *, most: int, hurried: int) -> Entry | None:
        """The next torrent to ask for, which counts as under way from now on. At most `most` are at the same time;
        `hurried` where a download waits.
        """
        for turn, heap in zip(Turn, self._heaps, strict=True):
            if self.flying >= (hurried if turn is Turn.DOWNLOAD else most):
                continue
            if self._prune(heap) and heap[0][0] <= now:
                entry = heapq.heappop(heap)[2]
                entry.entry_at = math.inf
                wish = entry.owner.dht_wish()
                if wish.turn > turn:
                    self._place(entry)
                    return self.due(now, most=most, hurried=hurried)
                entry.flying = True
                self.flying += 1
                return entry
        return None

    def waiting(self, now: float) -> int:
        """Torrents that are due and not asked for."""
        return sum(entry.waits(now) for entry in self.entries)

    def done(self, entry: Entry, findings: Findings, now: float) -> None:
        """The lookups of a torrent have ended."""
        if not entry.flying:
            return
        entry.flying = False
        self.flying -= 1
        entry.last_at, entry.findings = now, findings
        interval = self._interval()
        wish = entry.owner.dht_wish()
        if not findings.replied:
            wait = min(_RETRY_FIRST * 2 ** min(entry.fails, 10), _RETRY_MOST)
            entry.fails += 1
        elif wish.lonely:
            entry.fails = 0
            entry.lonely_for = wait = min(max(_LONELY_FIRST, 2 * entry.lonely_for), interval)
        else:
            entry.fails, entry.lonely_for, wait = 0, 0.0, interval
        entry.due_at = now + wait * (1 + _JITTER * (2 * self._rng.random() - 1))
        if entry.running:
            self._place(entry)

    def _place(self, entry: Entry) -> None:
        """Where it belongs now; the place it had is stale."""
        turn = entry.owner.dht_wish().turn
        if turn is entry.turn and entry.entry_at == entry.due_at:
            return
        entry.turn, entry.entry_at = turn, entry.due_at
        self._order += 1
        heapq.heappush(self._heaps[turn], (entry.due_at, self._order, entry))

    def _prune(self, heap: list[tuple[float, int, Entry]]) -> bool:
        """Take stale places off the top. False where nothing is left."""
        while heap and (heap[0][0] != heap[0][2].entry_at or self._heaps[heap[0][2].turn] is not heap):
            heapq.heappop(heap)
        return bool(heap)
