"""The routing table: nodes that replied to us, in buckets by the length of the prefix their id shares with ours.

Only who replied is in it. Far buckets are wide (128, 64, 32, 16 nodes), all others hold eight. An address stands once
in the table and a network (/24, IPv6 /64) once in a bucket; class local is exempt. Nodes whose id fits their address
(BEP 42) take the place of those whose id does not. Who has no room waits as a replacement.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht.krpc import NodeInfo
from wildbach.protocol.dht.places import Place, place
from wildbach.protocol.dht.security import is_secure

BITS = 160


class Contact:
    """A node and how it has behaved."""

    __slots__ = ("at", "endpoint", "fails", "heard", "id", "number", "rtt", "secure", "seen")

    def __init__(self, node_id: bytes, endpoint: Endpoint, at: Place, rtt: float, now: float) -> None:
        self.id = node_id
        self.number = int.from_bytes(node_id, "big")
        self.endpoint = endpoint
        self.at = at
        self.secure = is_secure(node_id, endpoint.host)
        self.rtt = rtt
        self.seen = now
        "When it last replied."
        self.heard = now
        "When it last replied or asked."
        self.fails = 0

    @property
    def info(self) -> NodeInfo:
        return NodeInfo(self.id, self.endpoint)


class Bucket:
    __slots__ = ("changed", "contacts", "networks", "size", "waiting")

    def __init__(self, size: int) -> None:
        self.size = size
        self.contacts: dict[int, Contact] = {}
        "By the number of the id."
        self.waiting: list[Contact] = []
        "Who would like to be in: the latest at the end."
        self.networks: dict[bytes, Contact] = {}
        self.changed = 0.0


class Table:
    def __init__(self, own: bytes) -> None:
        self.own = int.from_bytes(own, "big")
        self._buckets: list[Bucket | None] = [None] * BITS
        self._deepest = -1
        self._hosts: dict[str, Contact] = {}
        self._endpoints: dict[Endpoint, Contact] = {}

    def __len__(self) -> int:
        return len(self._endpoints)

    def __iter__(self) -> Iterator[Contact]:
        for bucket in self._buckets[: self._deepest + 1]:
            if bucket is not None:
                yield from bucket.contacts.values()

    def nodes(self) -> list[tuple[bytes, Endpoint]]:
        """Everybody, those who were heard of last first: what to save for the next start."""
        return [(c.id, c.endpoint) for c in sorted(self, key=lambda c: (c.fails, -c.heard))]

    def at(self, endpoint: Endpoint) -> Contact | None:
        return self._endpoints.get(endpoint)

    def index(self, number: int) -> int:
        """The bucket of an id: the bits it shares with ours."""
        distance = self.own ^ number
        return BITS - distance.bit_length() if distance else BITS - 1

    def bucket(self, index: int) -> Bucket:
        bucket = self._buckets[index]
        if bucket is None:
            bucket = Bucket(limits.DHT_BUCKETS[min(index, len(limits.DHT_BUCKETS) - 1)])
            self._buckets[index] = bucket
            self._deepest = max(self._deepest, index)
        return bucket

    @property
    def deepest(self) -> int:
        """The last bucket that was ever used."""
        return self._deepest

    def wants(self, node: NodeInfo) -> bool:
        """Whether a node that was only named would find room, so that it is worth a ping."""
        at = place(node.endpoint.host)
        if at is None or node.endpoint in self._endpoints:
            return False
        number = int.from_bytes(node.id, "big")
        if number == self.own:
            return False
        bucket = self._buckets[self.index(number)]
        if bucket is None:
            return at.exempt or at.host not in self._hosts
        if number in bucket.contacts:
            return False
        if not at.exempt and (at.host in self._hosts or at.network in bucket.networks):
            return False
        return len(bucket.contacts) < bucket.size or len(bucket.waiting) < limits.DHT_REPLACEMENTS

    def lacks(self, node_id: bytes) -> bool:
        """Whether the bucket of an id has fewer than eight nodes."""
        bucket = self._buckets[self.index(int.from_bytes(node_id, "big"))]
        return bucket is None or len(bucket.contacts) < limits.DHT_K

    def replied(self, node_id: bytes, endpoint: Endpoint, rtt: float, now: float) -> bool:
        """A node replied to us: it is alive, and what it says is its id. True where it is in the table now."""
        known = self._endpoints.get(endpoint)
        if known is not None:
            if known.id == node_id:
                known.seen = known.heard = now
                known.fails = 0
                known.rtt += (rtt - known.rtt) / 4
                return True
            # Another id at the same place: it started anew, or says what suits it (BEP 45). Either way the old is gone.
            self.remove(known)
        at = place(endpoint.host)
        if at is None:
            return False
        return self._insert(Contact(node_id, endpoint, at, rtt, now), now)

    def _insert(self, new: Contact, now: float) -> bool:
        if new.number == self.own:
            return False
        bucket = self.bucket(self.index(new.number))
        rivals = []
        same = bucket.contacts.get(new.number)
        if same is not None:
            rivals.append(same)
        if not new.at.exempt:
            rivals += [r for r in (self._hosts.get(new.at.host), bucket.networks.get(new.at.network)) if r is not None]
        if any(r.fails == 0 for r in rivals):
            return False
        for rival in rivals:
            if self._endpoints.get(rival.endpoint) is rival:
                self.remove(rival, promote=False)
        if len(bucket.contacts) >= bucket.size:
            worse = self._worse(bucket, new)
            if worse is None:
                self._wait(bucket, new)
                return False
            self.remove(worse, promote=False)
        bucket.contacts[new.number] = new
        bucket.changed = now
        self._endpoints[new.endpoint] = new
        if not new.at.exempt:
            self._hosts[new.at.host] = new
            bucket.networks[new.at.network] = new
        return True

    @staticmethod
    def _worse(bucket: Bucket, new: Contact) -> Contact | None:
        """Who makes room: one that failed, else one whose id does not fit where the new one's does."""
        worst = max(bucket.contacts.values(), key=lambda c: (c.fails, not c.secure, c.rtt))
        return worst if worst.fails > 0 or (new.secure and not worst.secure) else None

    @staticmethod
    def _wait(bucket: Bucket, new: Contact) -> None:
        for at, other in enumerate(bucket.waiting):
            if other.endpoint == new.endpoint or (not new.at.exempt and other.at.network == new.at.network):
                del bucket.waiting[at]
                break
        if len(bucket.waiting) >= limits.DHT_REPLACEMENTS:
            loser = next((at for at, other in enumerate(bucket.waiting) if not other.secure), 0)
            if not new.secure and bucket.waiting[loser].secure:
                return
            del bucket.waiting[loser]
        bucket.waiting.append(new)

    def asked(self, node_id: bytes, endpoint: Endpoint, now: float) -> bool:
        """A node queried us. True where it is one of ours, which is as good as a reply (BEP 5)."""
        known = self._endpoints.get(endpoint)
        if known is None or known.id != node_id:
            return False
        known.heard = now
        return True

    def failed(self, endpoint: Endpoint, now: float) -> None:
        """A node did not reply in time. It is out once it is bad, or at once where somebody waits for its place."""
        known = self._endpoints.get(endpoint)
        if known is None:
            return
        known.fails += 1
        bucket = self.bucket(self.index(known.number))
        if known.fails >= limits.DHT_FAILURES or (known.fails >= 2 and bucket.waiting):
            self.remove(known)

    def remove(self, contact: Contact, *, promote: bool = True) -> None:
        bucket = self.bucket(self.index(contact.number))
        bucket.contacts.pop(contact.number, None)
        self._endpoints.pop(contact.endpoint, None)
        if self._hosts.get(contact.at.host) is contact:
            del self._hosts[contact.at.host]
        if bucket.networks.get(contact.at.network) is contact:
            del bucket.networks[contact.at.network]
        if promote:
            self._promote(bucket)

    def _promote(self, bucket: Bucket) -> None:
        """The best of those who wait comes in: a fitting id first, then whoever replied last."""
        while bucket.waiting and len(bucket.contacts) < bucket.size:
            best = max(bucket.waiting, key=lambda c: (c.secure, c.seen))
            bucket.waiting.remove(best)
            if self._insert(best, best.seen):
                return

    def nearest(self, target: int, most: int) -> list[Contact]:
        """The good nodes nearest to a target, nearest first."""
        found: list[Contact] = []
        first = min(self.index(target), max(self._deepest, 0))
        groups = [[first], list(range(first + 1, self._deepest + 1)), *([at] for at in range(first - 1, -1, -1))]
        for group in groups:
            numbers = {
                number ^ target: contact
                for at in group if (bucket := self._buckets[at]) is not None
                for number, contact in bucket.contacts.items() if contact.fails == 0
            }
            if numbers:
                found += [numbers[d] for d in nsmallest(most - len(found), numbers)]
            if len(found) >= most:
                break
        return found

    def oldest(self) -> Contact | None:
        """Who was not heard of for the longest."""
        return min(self, key=lambda c: c.heard, default=None)
