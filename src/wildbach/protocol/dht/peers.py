"""Peers that announced themselves to us (BEP 5): who, where, whether it seeds (BEP 33).

One entry for each address in a swarm. 2,000 swarms of 500 peers at most, half an hour each; a swarm that is farther
from our id than all others is not begun when there is no room.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht.bloom import Bloom
from wildbach.protocol.dht.places import place


class _Entry(NamedTuple):
    port: int
    seed: bool
    until: float


class PeerStore:
    def __init__(self, own: int, rng: Random) -> None:
        self.own = own
        "Our id as a number."
        self._rng = rng
        self._swarms: dict[bytes, dict[str, _Entry]] = {}
        self._sample: tuple[bytes, ...] = ()
        self._sample_until = -1.0

    def __len__(self) -> int:
        return len(self._swarms)

    def add(self, info_hash: bytes, peer: Endpoint, seed: bool, now: float) -> bool:
        """Keep a peer. False where there is no room for its swarm."""
        swarm = self._swarms.get(info_hash)
        if swarm is None:
            if len(self._swarms) >= limits.DHT_HASHES and not self._make_room(info_hash, now):
                return False
            swarm = self._swarms[info_hash] = {}
        # A renewed entry moves to the end, so the first one is always the oldest.
        swarm.pop(peer.host, None)
        if len(swarm) >= limits.DHT_PEERS_PER_HASH:
            del swarm[next(iter(swarm))]
        swarm[peer.host] = _Entry(peer.port, seed, now + limits.DHT_PEER_SECONDS)
        return True

    def peers(self, info_hash: bytes, most: int, now: float, *, noseed: bool = False) -> Sequence[Endpoint]:
        """Some peers of a swarm, any `most` of them."""
        swarm = self._swarms.get(info_hash)
        if swarm is None or most <= 0:
            return ()
        found = [
            Endpoint(host, entry.port) for host, entry in swarm.items()
            if now < entry.until and not (noseed and entry.seed)
        ]
        return self._rng.sample(found, most) if len(found) > most else found

    def filters(self, info_hash: bytes, now: float) -> tuple[Bloom, Bloom] | None:
        """The seeds and the others of a swarm as filters; None where there is nobody."""
        seeds, others = Bloom(), Bloom()
        some = False
        for host, entry in self._swarms.get(info_hash, {}).items():
            at = place(host)
            if now < entry.until and at is not None:
                (seeds if entry.seed else others).add(at.packed)
                some = True
        return (seeds, others) if some else None

    def sample(self, most: int, now: float) -> tuple[bytes, ...]:
        """The same random swarms for as long as the interval lasts (BEP 51)."""
        if now >= self._sample_until:
            known = list(self._swarms)
            self._sample = tuple(self._rng.sample(known, min(limits.DHT_SAMPLES, len(known))))
            whole = len(known) <= limits.DHT_SAMPLES
            self._sample_until = now if whole else now + limits.DHT_SAMPLE_SECONDS
        return self._sample[: max(0, most)]

    def interval(self, now: float) -> int:
        """Seconds until `sample` gives something else."""
        return max(0, int(self._sample_until - now))

    def expire(self, now: float) -> None:
        for info_hash, swarm in list(self._swarms.items()):
            for host in [host for host, entry in swarm.items() if now >= entry.until]:
                del swarm[host]
            if not swarm:
                del self._swarms[info_hash]

    def _make_room(self, info_hash: bytes, now: float) -> bool:
        self.expire(now)
        if len(self._swarms) < limits.DHT_HASHES:
            return True
        farthest = max(self._swarms, key=self._distance)
        if self._distance(farthest) <= self._distance(info_hash):
            return False
        del self._swarms[farthest]
        return True

    def _distance(self, info_hash: bytes) -> int:
        return int.from_bytes(info_hash, "big") ^ self.own
