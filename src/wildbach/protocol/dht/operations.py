"""What a node is asked to do: find peers and announce, get and put items, sample. A search, then writes to those found.

Every operation can be cancelled, and else calls `done` exactly once with a `LookupResult`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import items, krpc
from wildbach.protocol.dht.bloom import Bloom
from wildbach.protocol.dht.items import Item
from wildbach.protocol.dht.lookup import Candidate, Lookup
from wildbach.protocol.dht.places import may_contact, place
from wildbach.protocol.dht.rpc import Call, Rpc


@dataclass(frozen=True, slots=True)
class LookupResult:
    """How an operation went."""

    target: bytes
    queried: int
    "Nodes that were asked."
    replied: int
    hops: int
    "Referrals to the farthest of the eight nodes found; 1 where all were in our table."
    seconds: float
    announced: int = 0
    "Nodes that took our announce or item."
    peers: int = 0
    "Different peers that were found."
    seeds: float | None = None
    "About how many seeds there are (BEP 33); None without `scrape`, or where nobody answered it."
    leeches: float | None = None
    item: Item | None = None
    "The newest genuine item that was found; of `put_item`, the one that was put."
    copies: int = 0
    "Nodes that have the newest item, before anything was put."
    saturated: bool = False
    "More than eight nodes, all of the nearest eight among them, have the newest item: to put it again is needless."
    refused: krpc.Error | None = None
    "Why a node did not take an item: `krpc.CAS_MISMATCH` and `krpc.OLD_SEQ` tell that somebody else has written."


Done = Callable[[LookupResult], None]


class Operation:
    """A search and what follows. Subclasses say what is taken from replies and what is written."""

    def __init__(self, rpc: Rpc, done: Done) -> None:
        self._rpc = rpc
        self._done = done
        self._writes: list[Call] = []
        self._open = 0
        self._cancelled = False
        self._announced = 0
        self._refused: krpc.Error | None = None
        self.lookup: Lookup | None = None
        self.over: Callable[[Operation], None] | None = None
        "Told when it has ended or was cancelled."

    def cancel(self) -> None:
        """End it. `done` is not called."""
        self._cancelled = True
        self._leave()
        if self.lookup is not None:
            self.lookup.cancel()
        for call in self._writes:
            if call.open:
                self._rpc.cancel(call)

    def heard(self, candidate: Candidate, reply: krpc.Reply, now: float) -> None:
        """A node replied to the search."""

    def found(self, lookup: Lookup, now: float) -> None:
        """The search has ended: write, or finish."""
        self.lookup = lookup
        if self._cancelled:
            return
        for candidate in lookup.places:
            question = self._writing(candidate)
            if question is not None:
                self._open += 1
                self._writes.append(self._rpc.ask(candidate.endpoint, question, self, candidate, now))
        if not self._open:
            self._end(now)

    def _writing(self, candidate: Candidate) -> krpc.Question | None:
        return None

    def replied(self, call: Call, reply: krpc.Reply, now: float) -> None:
        self._announced += 1
        self._one_less(now)

    def slow(self, call: Call, now: float) -> None:
        pass

    def failed(self, call: Call, now: float) -> None:
        if call.error is not None:
            self._refused = call.error
        self._one_less(now)

    def _one_less(self, now: float) -> None:
        self._open -= 1
        if not self._open and not self._cancelled:
            self._end(now)

    def _end(self, now: float) -> None:
        self._leave()
        if self.lookup is not None:
            self._done(self._result(self.lookup, now))

    def _leave(self) -> None:
        if self.over is not None:
            self.over(self)
            self.over = None

    def _result(self, lookup: Lookup, now: float) -> LookupResult:
        return LookupResult(
            lookup.target, lookup.queried, lookup.answered, lookup.hops, now - lookup.started, self._announced,
            refused=self._refused,
        )


class FindPeers(Operation):
    def __init__(
        self,
        rpc: Rpc,
        info_hash: bytes,
        done: Done,
        on_peers: Callable[[list[Endpoint]], None],
        *,
        announce: int | None,
        seed: bool,
        implied: bool,
    ) -> None:
        super().__init__(rpc, done)
        self._info_hash = info_hash
        self._on_peers = on_peers
        self._port = announce
        self._seed = seed
        self._implied = implied
        self._peers: dict[Endpoint, None] = {}
        self._blooms: tuple[Bloom, Bloom] | None = None

    def heard(self, candidate: Candidate, reply: krpc.Reply, now: float) -> None:
        reach, version = candidate.at.reach, candidate.at.version
        fresh = []
        for peer in reply.values:
            if len(self._peers) >= limits.DHT_LOOKUP_PEERS:
                break
            at = place(peer.host)
            if at is not None and at.version == version and peer not in self._peers and may_contact(peer, reach):
                self._peers[peer] = None
                fresh.append(peer)
        if reply.bloom_seeds and reply.bloom_peers:
            if self._blooms is None:
                self._blooms = Bloom(), Bloom()
            self._blooms[0].merge(Bloom(reply.bloom_seeds))
            self._blooms[1].merge(Bloom(reply.bloom_peers))
        if fresh:
            self._on_peers(fresh)

    def _writing(self, candidate: Candidate) -> krpc.Question | None:
        if self._port is None or candidate.token is None:
            return None
        return krpc.AnnouncePeer(self._info_hash, self._port, candidate.token, self._implied, self._seed)

    def _result(self, lookup: Lookup, now: float) -> LookupResult:
        seeds, leeches = self._blooms if self._blooms is not None else (None, None)
        return LookupResult(
            lookup.target, lookup.queried, lookup.answered, lookup.hops, now - lookup.started, self._announced,
            len(self._peers), seeds.estimate() if seeds else None, leeches.estimate() if leeches else None,
            refused=self._refused,
        )


class GetItem(Operation):
    """Of a mutable item the newest counts; an older one that comes later is not shown."""

    def __init__(
        self, rpc: Rpc, target: bytes, salt: bytes, done: Done, on_value: Callable[[Item], None] | None
    ) -> None:
        super().__init__(rpc, done)
        self._target = target
        self._salt = salt
        self._on_value = on_value
        self._best: Item | None = None
        self._have: dict[Endpoint, int] = {}
        "Who has the item, and its sequence number there."

    def heard(self, candidate: Candidate, reply: krpc.Reply, now: float) -> None:
        item = items.of_reply(reply, self._target, self._salt)
        if item is None:
            return
        self._have[candidate.endpoint] = item.seq
        if self._best is None or item.seq > self._best.seq:
            self._best = item
            if self._on_value is not None:
                self._on_value(item)

    def _result(self, lookup: Lookup, now: float) -> LookupResult:
        newest = self._best.seq if self._best is not None else 0
        having = [endpoint for endpoint, seq in self._have.items() if seq == newest]
        nearest = [c.endpoint for c in lookup.places]
        return LookupResult(
            lookup.target, lookup.queried, lookup.answered, lookup.hops, now - lookup.started, self._announced,
            item=self._best, copies=len(having),
            saturated=len(having) > lookup.k and all(endpoint in having for endpoint in nearest),
            refused=self._refused,
        )


class PutItem(GetItem):
    """Looks first: a newer item in the DHT is never overwritten by an older one."""

    def __init__(self, rpc: Rpc, item: Item, cas: int | None, done: Done) -> None:
        super().__init__(rpc, item.target, item.salt, done, None)
        self._item = item
        self._cas = cas

    def found(self, lookup: Lookup, now: float) -> None:
        there = self._best
        if there is not None and self._item.mutable:
            if self._cas is not None and there.seq != self._cas and there != self._item:
                self._refused = krpc.Error(b"", krpc.CAS_MISMATCH, f"the sequence number there is {there.seq}")
            elif there.seq > self._item.seq or (there.seq == self._item.seq and there.raw != self._item.raw):
                self._refused = krpc.Error(b"", krpc.OLD_SEQ, f"the sequence number there is {there.seq}")
        super().found(lookup, now)

    def _writing(self, candidate: Candidate) -> krpc.Question | None:
        if candidate.token is None or (self._refused is not None and not self._refused.tid):
            return None
        item = self._item
        # Who missed an update has an older number than the one to be replaced, and would refuse for that.
        cas = self._cas if self._have.get(candidate.endpoint) == self._cas else None
        return krpc.Put(candidate.token, item.raw, item.key, item.salt, item.seq, item.signature, cas)

    def _result(self, lookup: Lookup, now: float) -> LookupResult:
        result = super()._result(lookup, now)
        shown = result.item if result.announced == 0 else self._item
        return LookupResult(
            result.target, result.queried, result.replied, result.hops, result.seconds, result.announced,
            item=shown, copies=result.copies, saturated=result.saturated, refused=result.refused,
        )


class SampleWalk(Operation):
    """Asks the nodes on the way to a target for samples of the info hashes they keep (BEP 51)."""

    def __init__(
        self, rpc: Rpc, done: Done, on_samples: Callable[[Endpoint, krpc.Reply], None]
    ) -> None:
        super().__init__(rpc, done)
        self._on_samples = on_samples

    def heard(self, candidate: Candidate, reply: krpc.Reply, now: float) -> None:
        if reply.samples is not None:
            self._on_samples(candidate.endpoint, reply)


class One:
    """A question to one node."""

    def __init__(self, done: Callable[[krpc.Reply | None, float], None]) -> None:
        self._done = done

    def replied(self, call: Call, reply: krpc.Reply, now: float) -> None:
        self._done(reply, now)

    def slow(self, call: Call, now: float) -> None:
        pass

    def failed(self, call: Call, now: float) -> None:
        self._done(None, now)


def nothing(_reply: krpc.Reply | None, _now: float) -> None:
    """For a question whose reply only tells that a node is alive."""


def infos(contacts: Sequence[tuple[bytes, Endpoint]]) -> list[krpc.NodeInfo]:
    return [krpc.NodeInfo(node_id, endpoint) for node_id, endpoint in contacts]
