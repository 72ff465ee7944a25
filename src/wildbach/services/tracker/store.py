"""Who is in which swarm: the tracker's memory, without sockets or a clock.

Time is cut into slots; a peer's record has the number of the slot it was last seen in, modulo 256. A few swarms are
looked at in every tick, so that old peers go without a pass over everything. What changed can be read as a log
(`replica`), so that other processes know it too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from wildbach.base import limits
from wildbach.protocol.tracker.announce import ScrapeStats
from wildbach.runtime.rng import Rng
from wildbach.services.tracker import pool as pools
from wildbach.services.tracker.pool import BUCKET, Bucket, Peers, Pool, find, remove, some, without

DEFAULT_NUMWANT = 50
COMPLETED = 1
STARTED = 2
STOPPED = 3
_SEED, _STOPPED, _COMPLETED, _V6 = 1, 2, 4, 8
_IDLE_SWEEPS = 200
"A swarm without peers is remembered for so many slots for the sake of its count of completions."
_WRAP = 128


class Swarm:
    """One swarm. Peers of one IP version and kind are None, one string, or a pool of strings."""

    __slots__ = ("completed", "idle", "leeches", "leeches4", "leeches6", "seeds", "seeds4", "seeds6")

    def __init__(self) -> None:
        self.completed = 0
        self.idle = 0
        self.seeds = 0
        self.leeches = 0
        self.seeds4: Peers | None = None
        self.leeches4: Peers | None = None
        self.seeds6: Peers | None = None
        self.leeches6: Peers | None = None


class Full(Exception):
    """No room for another torrent; the text is for the client."""

    def __init__(self) -> None:
        super().__init__("the tracker is full")


class Store:
    """All swarms.

    `slot`: seconds; `keep`: a peer that was not seen for so many slots is gone (a little later).
    """

    def __init__(
        self, rng: Rng, *, slot: float = 450.0, keep: int = 8, torrents: int = limits.TRACKER_SERVER_TORRENTS,
        peers: int = limits.TRACKER_SERVER_PEERS, peers_per_torrent: int = limits.TRACKER_SERVER_PEERS_PER_TORRENT,
    ) -> None:
        self._random = rng.random
        self._factor = pools.factor(rng)
        self._slot = slot
        self._torrents = torrents
        self._peers = peers
        self._per_torrent = peers_per_torrent
        self._swarms: dict[bytes, Swarm] = {}
        self._queue: deque[bytes] = deque()
        self._number: int | None = None
        self._generation = 0
        self._swept = 0.0
        self._owed = 0.0
        self._keep = keep
        self._valid = b""
        self.peers = 0
        self.turned_away = 0
        "Peers that were answered but not kept, and torrents not taken, for want of room."
        self.changes: bytearray | None = None
        "Where changes are written for others to read, as `replica` has them; None while nobody does."
        self.new_swarms: list[bytes] | None = None
        "Swarms that appeared here; None while nobody reads it."
        self._revalue()

    @property
    def torrents(self) -> int:
        return len(self._swarms)

    @property
    def keep(self) -> int:
        """Slots after which a silent peer is gone; at most 100."""
        return self._keep

    @keep.setter
    def keep(self, slots: int) -> None:
        slots = max(1, min(slots, 100))
        if slots != self._keep:
            self._keep = slots
            self._revalue()

    def tick(self, now: float) -> None:
        """Tell the time, and look at the swarms whose turn it is."""
        number = int(now // self._slot)
        if self._number is None:
            self._swept = now
        if number != self._number:
            if self._number is not None and number - self._number >= _WRAP:
                # The machine slept so long that the numbers would lie: nobody is there any more.
                self._swarms.clear()
                self._queue.clear()
                self.peers = 0
            self._number = number
            self._generation = number & 0xFF
            self._revalue()
        self._owed += len(self._queue) * max(0.0, now - self._swept) / self._slot
        self._swept = now
        turns = min(int(self._owed), len(self._queue))
        self._owed -= int(self._owed)
        for _ in range(turns):
            self._sweep(self._queue.popleft())

    def announce(self, info_hash: bytes, key: bytes, *, seed: bool, event: int) -> Swarm:
        """Note a peer: `key` is its compact address. The swarm is for `pick` and for its numbers.

        A peer without a port cannot be dialed: it is answered, not kept. Raises Full.
        """
        swarm = self._swarms.get(info_hash)
        if swarm is None:
            if event == STOPPED:
                return Swarm()
            swarm = self._make(info_hash)
        if event == STOPPED:
            self._leave(swarm, info_hash, key)
            return swarm
        if len(key) == 6:
            own = swarm.seeds4 if seed else swarm.leeches4
        else:
            own = swarm.seeds6 if seed else swarm.leeches6
        if own is not None:
            bucket = own.bucket(key) if isinstance(own, Pool) else own
            at = find(bucket, key)
            if at >= 0:
                at += len(key)
                if bucket[at] != self._generation:
                    bucket[at] = self._generation
                    if self.changes is not None:
                        self._log(info_hash, key, _SEED if seed else 0)
                return swarm
        if key[-2:] != b"\0\0":
            self._enter(swarm, info_hash, key, seed, event == COMPLETED)
        return swarm

    def pick(self, swarm: Swarm, key: bytes, *, giving: bool, want: int, v6: bool) -> bytes | bytearray:
        """Compact peers of one IP version for the peer `key`: to who is `giving` no seeds, to others half of each, and
        more of one kind where the other has fewer."""
        if v6:
            step, seeds, leeches = 19, swarm.seeds6, swarm.leeches6
        else:
            step, seeds, leeches = 7, swarm.seeds4, swarm.leeches4
        if want < 0:
            want = DEFAULT_NUMWANT
        elif want > limits.TRACKER_SERVER_NUMWANT:
            want = limits.TRACKER_SERVER_NUMWANT
        elif not want:
            return b""
        # One more than wanted, for who asks is among them.
        if giving or seeds is None:
            if leeches is None:
                return b""
            records = some(leeches, step, want + 1, self._random())
        elif leeches is None:
            records = some(seeds, step, want + 1, self._random())
        else:
            chance = self._random()
            few = want + 1 - pools.size(leeches, step)
            records = some(seeds, step, few if few > want // 2 else want // 2, chance)
            records += some(leeches, step, want + 1 - len(records) // step, chance)
        return without(records, step, key, want)

    def scrape(self, info_hash: bytes) -> ScrapeStats | None:
        """The numbers of a swarm, None where there is none."""
        swarm = self._swarms.get(info_hash)
        return None if swarm is None else ScrapeStats(swarm.seeds, swarm.leeches, swarm.completed)

    def retain(self, allowed: Callable[[bytes], bool]) -> None:
        """Forget the swarms that are not allowed any more."""
        self._swarms = {info_hash: swarm for info_hash, swarm in self._swarms.items() if allowed(info_hash)}
        self._queue = deque(self._swarms)
        self.peers = sum(swarm.seeds + swarm.leeches for swarm in self._swarms.values())

    def hashes(self) -> list[bytes]:
        return list(self._swarms)

    # what other processes say

    def apply(self, info_hash: bytes, key: bytes, flags: int, age: int) -> None:
        """A change that another process logged, `age` slots ago. Never logged again; nothing where there is no room."""
        if age >= self._keep:
            return
        swarm = self._swarms.get(info_hash)
        if swarm is None:
            if flags & _STOPPED or len(self._swarms) >= self._torrents:
                return
            swarm = self._make(info_hash)
        changes, self.changes = self.changes, None
        try:
            if flags & _STOPPED:
                self._leave(swarm, info_hash, key)
                return
            if flags & _COMPLETED:
                swarm.completed += 1
            seed = bool(flags & _SEED)
            place = self._place(swarm, key, seed)
            if place is None:
                self._enter(swarm, info_hash, key, seed, False)
                place = self._place(swarm, key, seed)
                if place is not None:
                    place[0][place[1] + len(key)] = (self._generation - age) & 0xFF
            elif (self._generation - place[0][place[1] + len(key)]) & 0xFF > age:
                place[0][place[1] + len(key)] = (self._generation - age) & 0xFF
        finally:
            self.changes = changes

    def snapshot(self, info_hash: bytes) -> list[tuple[bytes, int, int]]:
        """Peers of a swarm as `apply` takes them: key, flags and age."""
        swarm = self._swarms.get(info_hash)
        out: list[tuple[bytes, int, int]] = []
        if swarm is None:
            return out
        for peers, step, flags in (
            (swarm.seeds4, 7, _SEED), (swarm.leeches4, 7, 0), (swarm.seeds6, 19, _SEED | _V6), (swarm.leeches6, 19, _V6)
        ):
            for bucket in _buckets(peers):
                for at in range(0, len(bucket), step):
                    age = (self._generation - bucket[at + step - 1]) & 0xFF
                    out.append((bytes(bucket[at : at + step - 1]), flags, age))
        return out

    def completions(self, info_hash: bytes, count: int) -> None:
        """The shared count of completions is at least this."""
        swarm = self._swarms.get(info_hash)
        if swarm is not None:
            swarm.completed = max(swarm.completed, count)

    # inside

    def _make(self, info_hash: bytes) -> Swarm:
        if len(self._swarms) >= self._torrents:
            self.turned_away += 1
            raise Full
        swarm = self._swarms[info_hash] = Swarm()
        self._queue.append(info_hash)
        if self.new_swarms is not None:
            self.new_swarms.append(info_hash)
        return swarm

    def _enter(self, swarm: Swarm, info_hash: bytes, key: bytes, seed: bool, completed: bool) -> None:
        """A peer that is not among those of its kind: it is new, or was of the other kind."""
        flags = _SEED if seed else 0
        if self._take(swarm, key, not seed):
            # Counted only for who was seen without it, or anybody could raise the number.
            if completed and seed:
                swarm.completed += 1
                flags |= _COMPLETED
        elif self.peers >= self._peers or swarm.seeds + swarm.leeches >= self._per_torrent:
            self.turned_away += 1
            return
        else:
            self.peers += 1
        self._add(swarm, key, seed)
        if self.changes is not None:
            self._log(info_hash, key, flags)

    def _leave(self, swarm: Swarm, info_hash: bytes, key: bytes) -> None:
        if self._take(swarm, key, True) or self._take(swarm, key, False):
            self.peers -= 1
            if self.changes is not None:
                self._log(info_hash, key, _STOPPED)

    def _add(self, swarm: Swarm, key: bytes, seed: bool) -> None:
        record = key + self._generation.to_bytes(1, "big")
        peers = _peers(swarm, key, seed)
        if peers is None:
            _set_peers(swarm, key, seed, bytearray(record))
        elif isinstance(peers, Pool):
            peers.bucket(key).extend(record)
            peers.grown()
        else:
            peers += record
            if len(peers) > BUCKET * len(record):
                _set_peers(swarm, key, seed, Pool(len(record), self._factor, peers))
        if seed:
            swarm.seeds += 1
        else:
            swarm.leeches += 1

    def _take(self, swarm: Swarm, key: bytes, seed: bool) -> bool:
        """Remove a peer from those of one kind; false where it is not among them."""
        place = self._place(swarm, key, seed)
        if place is None:
            return False
        remove(place[0], place[1], len(key) + 1)
        if seed:
            swarm.seeds -= 1
        else:
            swarm.leeches -= 1
        peers = _peers(swarm, key, seed)
        if isinstance(peers, Pool):
            peers.count -= 1
        if not pools.size(peers, len(key) + 1):
            _set_peers(swarm, key, seed, None)
        return True

    @staticmethod
    def _place(swarm: Swarm, key: bytes, seed: bool) -> tuple[Bucket, int] | None:
        peers = _peers(swarm, key, seed)
        if peers is None:
            return None
        bucket = peers.bucket(key) if isinstance(peers, Pool) else peers
        at = find(bucket, key)
        return None if at < 0 else (bucket, at)

    def _log(self, info_hash: bytes, key: bytes, flags: int) -> None:
        if self.changes is not None:
            self.changes.append(flags | _V6 if len(key) == 18 else flags)
            self.changes += info_hash
            self.changes += key

    def _revalue(self) -> None:
        self._valid = bytes((self._generation - age) & 0xFF for age in range(self._keep + 1))

    def _sweep(self, info_hash: bytes) -> None:
        swarm = self._swarms.get(info_hash)
        if swarm is None:
            return
        for seed, v6 in ((True, False), (False, False), (True, True), (False, True)):
            key = bytes(18 if v6 else 6)
            peers = _peers(swarm, key, seed)
            if peers is None:
                continue
            gone = sum(pools.expire(bucket, len(key) + 1, self._valid) for bucket in _buckets(peers))
            if not gone:
                continue
            self.peers -= gone
            if seed:
                swarm.seeds -= gone
            else:
                swarm.leeches -= gone
            if isinstance(peers, Pool):
                peers.count -= gone
            if not pools.size(peers, len(key) + 1):
                _set_peers(swarm, key, seed, None)
        if swarm.seeds or swarm.leeches:
            swarm.idle = 0
        else:
            swarm.idle += 1
            crowded = 2 * len(self._swarms) > self._torrents
            if not swarm.completed or crowded or swarm.idle > _IDLE_SWEEPS:
                del self._swarms[info_hash]
                return
        self._queue.append(info_hash)


def _peers(swarm: Swarm, key: bytes, seed: bool) -> Peers | None:
    if len(key) == 6:
        return swarm.seeds4 if seed else swarm.leeches4
    return swarm.seeds6 if seed else swarm.leeches6


def _set_peers(swarm: Swarm, key: bytes, seed: bool, peers: Peers | None) -> None:
    if len(key) == 6:
        if seed:
            swarm.seeds4 = peers
        else:
            swarm.leeches4 = peers
    elif seed:
        swarm.seeds6 = peers
    else:
        swarm.leeches6 = peers


def _buckets(peers: Peers | None) -> list[Bucket]:
    if peers is None:
        return []
    return peers.buckets if isinstance(peers, Pool) else [peers]
