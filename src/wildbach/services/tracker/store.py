"""Who is in which swarm: the tracker's memory, without sockets or a clock.

A peer is its address and port in compact form. Peers of one kind lie in one byte string, so a reply is a slice of it,
not a loop; a peer that leaves is overwritten by the last one, which also keeps the order from meaning anything.
"""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass

from wildbach.base import limits
from wildbach.protocol.tracker.announce import Event, ScrapeStats
from wildbach.runtime.rng import Rng

_DEFAULT_NUMWANT = 50


class _Pool:
    """Peers of one IP version that are all seeds or all leeches."""

    __slots__ = ("data", "index", "seen", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.data = bytearray()
        self.seen = array("d")
        self.index: dict[bytes, int] = {}

    def put(self, key: bytes, now: float) -> None:
        at = self.index.get(key)
        if at is not None:
            self.seen[at] = now
            return
        self.index[key] = len(self.seen)
        self.data += key
        self.seen.append(now)

    def drop(self, key: bytes) -> bool:
        at = self.index.pop(key, None)
        if at is None:
            return False
        width = self.width
        last = bytes(self.data[-width:])
        seen = self.seen.pop()
        del self.data[-width:]
        if last != key:
            self.data[at * width : (at + 1) * width] = last
            self.seen[at] = seen
            self.index[last] = at
        return True

    def pick(self, count: int, chance: float, but: bytes) -> bytes:
        """Up to `count` peers that stand together, from a place that `chance` (0 to 1) decides; never `but`."""
        size = len(self.seen)
        width = self.width
        own = self.index.get(but)
        if size - (own is not None) <= count:
            if own is None:
                return bytes(self.data)
            return bytes(self.data[: own * width] + self.data[(own + 1) * width :])
        start = int(chance * size)
        take = count + 1 if own is not None else count
        out = self.data[start * width : (start + take) * width]
        if start + take > size:
            out += self.data[: (start + take - size) * width]
        if own is None:
            return bytes(out)
        place = (own - start) % size
        if place < take:
            del out[place * width : (place + 1) * width]
        return bytes(out[: count * width])

    def expire(self, before: float) -> int:
        """Drop who was not seen since `before`; returns how many."""
        if not self.seen or min(self.seen) >= before:
            return 0
        old = [key for key, at in self.index.items() if self.seen[at] < before]
        for key in old:
            self.drop(key)
        return len(old)

    def __len__(self) -> int:
        return len(self.seen)


class _Swarm:
    __slots__ = ("completed", "leeches4", "leeches6", "seeds4", "seeds6", "swept")

    def __init__(self, now: float) -> None:
        self.completed = 0
        self.swept = now
        self.seeds4: _Pool | None = None
        self.leeches4: _Pool | None = None
        self.seeds6: _Pool | None = None
        self.leeches6: _Pool | None = None

    def pair(self, v6: bool) -> tuple[_Pool, _Pool]:
        """Seeds and leeches of one IP version, made when first needed: most swarms have one peer."""
        if v6:
            if self.seeds6 is None or self.leeches6 is None:
                self.seeds6, self.leeches6 = _Pool(18), _Pool(18)
            return self.seeds6, self.leeches6
        if self.seeds4 is None or self.leeches4 is None:
            self.seeds4, self.leeches4 = _Pool(6), _Pool(6)
        return self.seeds4, self.leeches4

    @property
    def seeds(self) -> int:
        return len(self.seeds4 or ()) + len(self.seeds6 or ())

    @property
    def leeches(self) -> int:
        return len(self.leeches4 or ()) + len(self.leeches6 or ())

    def expire(self, before: float) -> int:
        pools = (self.seeds4, self.leeches4, self.seeds6, self.leeches6)
        return sum(pool.expire(before) for pool in pools if pool is not None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an announce gets back. Peers are compact."""

    seeds: int
    leeches: int
    completed: int
    peers4: bytes = b""
    peers6: bytes = b""


class Full(Exception):
    """No room for another torrent (TRACKER_SERVER_TORRENTS)."""


class Store:
    """All swarms. `expire_after`: seconds without an announce after which a peer is gone."""

    def __init__(
        self, rng: Rng, *, expire_after: float = 3600.0, torrents: int = limits.TRACKER_SERVER_TORRENTS,
        peers: int = limits.TRACKER_SERVER_PEERS, peers_per_torrent: int = limits.TRACKER_SERVER_PEERS_PER_TORRENT,
    ) -> None:
        self._rng = rng
        self._expire_after = expire_after
        self._torrents = torrents
        self._peers = peers
        self._per_torrent = peers_per_torrent
        self._swarms: dict[bytes, _Swarm] = {}
        self._queue: deque[bytes] = deque()
        self.peers = 0

    @property
    def torrents(self) -> int:
        return len(self._swarms)

    def announce(
        self, info_hash: bytes, host: bytes, port: int, *, left: int, event: Event, numwant: int, now: float
    ) -> Answer:
        """Note a peer and pick others for it. `host` is the packed address it came from, 4 or 16 bytes.

        A peer without a port cannot be dialed: it is answered, not kept. Raises Full.
        """
        self._sweep(now)
        swarm = self._swarms.get(info_hash)
        key = host + port.to_bytes(2, "big")
        if swarm is None:
            if event is Event.STOPPED:
                return Answer(0, 0, 0)
            if len(self._swarms) >= self._torrents:
                raise Full
            swarm = self._swarms[info_hash] = _Swarm(now)
            self._queue.append(info_hash)
        seeds, leeches = swarm.pair(len(host) == 16)
        if event is Event.STOPPED:
            if seeds.drop(key) or leeches.drop(key):
                self.peers -= 1
            return Answer(swarm.seeds, swarm.leeches, swarm.completed)
        if port:
            self._keep(swarm, seeds, leeches, key, left, event, now)
        want = _DEFAULT_NUMWANT if numwant < 0 else min(numwant, limits.TRACKER_SERVER_NUMWANT)
        # Who starts from a magnet link does not know the size, and some clients (aria2) then say that nothing is left.
        giving = not left and event is not Event.STARTED
        return Answer(
            swarm.seeds, swarm.leeches, swarm.completed,
            self._pick(swarm.seeds4, swarm.leeches4, giving, want, key),
            self._pick(swarm.seeds6, swarm.leeches6, giving, want, key),
        )

    def scrape(self, info_hash: bytes) -> ScrapeStats | None:
        """The numbers of a swarm, None where there is none."""
        swarm = self._swarms.get(info_hash)
        return None if swarm is None else ScrapeStats(swarm.seeds, swarm.leeches, swarm.completed)

    def _keep(
        self, swarm: _Swarm, seeds: _Pool, leeches: _Pool, key: bytes, left: int, event: Event, now: float
    ) -> None:
        pool, other = (leeches, seeds) if left else (seeds, leeches)
        if key not in pool.index:
            if other.drop(key):
                # Counted only for who was seen without it, or anybody could raise the number.
                if event is Event.COMPLETED and not left:
                    swarm.completed += 1
            elif self.peers >= self._peers or swarm.seeds + swarm.leeches >= self._per_torrent:
                return
            else:
                self.peers += 1
        pool.put(key, now)

    def _pick(self, seeds: _Pool | None, leeches: _Pool | None, giving: bool, want: int, own: bytes) -> bytes:
        """A seed gets leeches only. A leech gets half of each, and more of one where the other has fewer."""
        if seeds is None or leeches is None or not want:
            return b""
        chance = self._rng.random()
        if giving:
            return leeches.pick(want, chance, own)
        some = min(len(seeds), max(want // 2, want - len(leeches)))
        picked = seeds.pick(some, chance, own) if some else b""
        return picked + leeches.pick(want - len(picked) // seeds.width, chance, own)

    def _sweep(self, now: float) -> None:
        """Look at the next swarm in turn, so that old peers go without a pass over everything."""
        if not self._queue:
            return
        info_hash = self._queue[0]
        swarm = self._swarms[info_hash]
        if now - swarm.swept < self._expire_after / 4:
            return
        self._queue.popleft()
        swarm.swept = now
        self.peers -= swarm.expire(now - self._expire_after)
        if swarm.seeds or swarm.leeches or swarm.completed:
            self._queue.append(info_hash)
        else:
            del self._swarms[info_hash]
