"""Peers of one kind in one swarm, packed: a record is the compact address and one byte, the time it was last seen.

A few peers are one byte string that is searched from end to end, which for some sixty records costs less than a hash
table and takes no memory beside the records. More peers are many such strings. Which of them a peer is in follows from
its address by linear hashing, so growing never moves more than one string's records at a time.
"""

from __future__ import annotations

from wildbach.runtime.rng import Rng

BUCKET = 64
"Records in a string of a large pool, on average no more than three quarters of it."
_FILL = 48
_BITS = 64

Bucket = bytearray


class Pool:
    """More peers than one string is to hold. `step` is the length of a record."""

    __slots__ = ("_factor", "_level", "buckets", "count", "step")

    def __init__(self, step: int, factor: int, start: Bucket) -> None:
        self.step = step
        self.buckets: list[Bucket] = [bytearray(), bytearray()]
        self.count = 0
        self._factor = factor
        self._level = 2
        for at in range(0, len(start), step):
            self.bucket(bytes(start[at : at + step - 1])).extend(start[at : at + step])
            self.count += 1

    def bucket(self, key: bytes) -> Bucket:
        """The string this peer is in, or belongs in."""
        # Multiply and shift by a number that nobody outside knows: chosen ports cannot fill one string.
        number = ((int.from_bytes(key, "big") * self._factor) & 0xFFFFFFFFFFFFFFFF) >> 40
        place = number & (2 * self._level - 1)
        if place >= len(self.buckets):
            place &= self._level - 1
        return self.buckets[place]

    def grown(self) -> None:
        """One peer was added: split the next string where they are getting full."""
        self.count += 1
        buckets = self.buckets
        if self.count <= _FILL * len(buckets):
            return
        step = self.step
        old = buckets[len(buckets) - self._level]
        moved = bytes(old)
        old.clear()
        buckets.append(bytearray())
        for at in range(0, len(moved), step):
            self.bucket(moved[at : at + step - 1]).extend(moved[at : at + step])
        if len(buckets) == 2 * self._level:
            self._level *= 2


Peers = bytearray | Pool


def factor(rng: Rng) -> int:
    """A secret odd number for the places of peers."""
    return rng.getrandbits(_BITS) | 1


def find(bucket: Bucket, key: bytes) -> int:
    """Where the record of `key` begins; -1 where it is not there."""
    step = len(key) + 1
    at = bucket.find(key)
    while at > 0 and at % step:
        at = bucket.find(key, at + 1)
    return at


def remove(bucket: Bucket, at: int, step: int) -> None:
    """The last record takes the place of the one at `at`."""
    last = len(bucket) - step
    if at != last:
        bucket[at : at + step] = bucket[last:]
    del bucket[last:]


def size(peers: Peers | None, step: int) -> int:
    if peers is None:
        return 0
    return peers.count if isinstance(peers, Pool) else len(peers) // step


def expire(bucket: Bucket, step: int, valid: bytes) -> int:
    """Drop who was last seen at a time that is not among `valid`; returns how many."""
    if not bucket[step - 1 :: step].translate(None, valid):
        return 0
    gone = 0
    for at in range(len(bucket) - step, -1, -step):
        if bucket[at + step - 1] not in valid:
            remove(bucket, at, step)
            gone += 1
    return gone


def some(peers: Peers, step: int, count: int, chance: float) -> bytearray:
    """Up to `count` records that stand together, from a place that `chance` (0 to 1) decides; the caller's own copy."""
    if isinstance(peers, Pool):
        return _gather(peers, count, chance)
    total = len(peers)
    need = count * step
    if total <= need:
        return peers[:]
    start = int(chance * total) // step * step
    out = peers[start : start + need]
    if len(out) < need:
        out += peers[: need - len(out)]
    return out


def without(records: bytearray, step: int, own: bytes, want: int) -> bytearray:
    """The addresses of the records, without `own` and at most `want`. The records are used up."""
    del records[step - 1 :: step]
    width = step - 1
    at = records.find(own)
    while at > 0 and at % width:
        at = records.find(own, at + 1)
    if at >= 0:
        del records[at : at + width]
    del records[want * width :]
    return records


def _gather(pool: Pool, count: int, chance: float) -> bytearray:
    buckets = pool.buckets
    step = pool.step
    place = chance * len(buckets)
    index = int(place)
    first = buckets[index]
    start = int((place - index) * (len(first) // step)) * step
    need = count * step
    out = first[start : start + need]
    turns = len(buckets)
    while len(out) < need and turns > 1:
        turns -= 1
        index = index + 1 if index + 1 < len(buckets) else 0
        out += buckets[index][: need - len(out)]
    if len(out) < need:
        out += first[: min(need - len(out), start)]
    return out
