"""A node of the DHT for one IP version: give it datagrams and time, and send what is in `outgoing`.

    node = Node(make_id(None, rng), family=4, rng=rng, settings=NodeSettings(), now=now)
    node.add_node(endpoint, node_id)            # what was saved, before bootstrap
    node.bootstrap([Endpoint("...", 6881)], now)
    node.find_peers(info_hash, now, on_peers=..., done=...)
    # after every call: send node.outgoing and clear it; call node.tick(now) when node.next_tick has come

A host with several addresses has a node with an id of its own for each (BEP 45). `sibling` is the node of the other IP
version: each tells of the other's nodes to those who want them (BEP 32), and hands over what it hears.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median_low

from wildbach.base import limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import krpc
from wildbach.protocol.dht.guard import FloodGuard, Tokens
from wildbach.protocol.dht.introductions import Introductions
from wildbach.protocol.dht.items import Item, ItemStore
from wildbach.protocol.dht.lookup import CROWD, CROWD_SHIFT, Candidate, Lookup, crowded
from wildbach.protocol.dht.operations import (
    FindPeers,
    GetItem,
    LookupResult,
    One,
    Operation,
    PutItem,
    SampleWalk,
    infos,
    nothing,
)
from wildbach.protocol.dht.peers import PeerStore
from wildbach.protocol.dht.places import may_answer, may_contact, place
from wildbach.protocol.dht.rpc import Call, Rpc
from wildbach.protocol.dht.security import AddressVotes, PortVotes, is_secure, make_id
from wildbach.protocol.dht.server import Server
from wildbach.protocol.dht.table import BITS, Table

_USABLE = 8
_SMALL = 40
"A table with fewer nodes is filled quickly."
_FAST = 0.25
_NEIGHBOUR = 1.0
_STEADY = 5.0
"Seconds between two steps of upkeep: while the table is small, while neighbours wait to be met, else."
_SAVED = 300
_RETRY_MOST = 60.0
_REJOIN = 60.0
"Seconds to the second search for our own id; twice as long after each."
_DENSITIES = 15
_ESTIMATE = 10.0
"Seconds for which an estimate of the size of the DHT is good."


@dataclass(frozen=True, slots=True)
class NodeSettings:
    bytes_per_second: int = limits.DHT_BYTES_PER_SECOND
    "Outgoing, headers counted; 0 for no limit."
    read_only: bool = False
    "Ask but do not answer (BEP 43): for nodes that cannot be reached or pay for traffic."
    alpha: int = limits.DHT_ALPHA
    k: int = limits.DHT_K


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What `Node.status` shows."""

    nodes: int
    ready: bool
    external: str | None
    secure: bool
    "The id fits the external address (BEP 42)."
    swarms: int
    items: int
    waiting: int
    "Questions that wait for the byte budget."
    lookups: int
    blocked: int
    "Addresses that are not heard for a while because they flood."
    sent_bytes: int
    dropped: int
    "Answers that did not fit the budget."


class Node:
    def __init__(
        self, node_id: bytes, *, family: int, rng: Random, settings: NodeSettings | None = None, now: float
    ) -> None:
        """`family` is 4 or 6. `rng` is to be one that nobody can guess, `random.SystemRandom()`, outside of tests."""
        self.family = family
        self.settings = settings if settings is not None else NodeSettings()
        self.sibling: Node | None = None
        self.table = Table(node_id)
        self.external_ip: str | None = None
        "Our address as others see it, once enough of them agree."
        self._rng = rng
        self._now = now
        self._id = node_id
        self._rpc = Rpc(node_id, family, rng, self.settings.bytes_per_second, self.settings.read_only)
        self._rpc.silent = self._silent
        self._flood = FloodGuard()
        self._votes = AddressVotes()
        self._port_votes = PortVotes()
        self._peers = PeerStore(self.table.own, rng)
        self._items = ItemStore(self.table.own)
        self._server = Server(family, Tokens(rng), self._peers, self._items, self._near, self._proven)
        self._saved: dict[Endpoint, bytes] = {}
        self._routers: list[Endpoint] = []
        self._introduced = Introductions()
        self._operations: dict[Operation, None] = {}
        self._densities: deque[int] = deque(maxlen=_DENSITIES)
        self._estimate: int | None = None
        self._next_estimate = now
        self._sampled: dict[Endpoint, float] = {}
        self._started = False
        self._joining: Lookup | None = None
        self._retry = 5.0
        self._rejoin = _REJOIN
        self._next_join = now
        self._next_upkeep = now
        self._next_expiry = now + 60.0

    # what a driver needs

    @property
    def node_id(self) -> bytes:
        """Changes when our external address turns out to be another one (BEP 42)."""
        return self._id

    @property
    def outgoing(self) -> list[tuple[Endpoint, bytes]]:
        """Datagrams to send. Empty it after each call."""
        return self._rpc.outgoing

    @property
    def next_tick(self) -> float | None:
        """When to call `tick`; None while there is nothing to wait for."""
        times = [at for at in (self._rpc.next_tick(self._now),) if at is not None]
        if self._started:
            times.append(self._next_upkeep)
        return min(times, default=None)

    @property
    def ready(self) -> bool:
        """The table is good enough to look things up."""
        return len(self.table) >= _USABLE or (len(self.table) > 0 and self._joining is None)

    def status(self) -> NodeStatus:
        fits = self.external_ip is not None and is_secure(self._id, self.external_ip)
        return NodeStatus(
            len(self.table), self.ready, self.external_ip, fits, len(self._peers), len(self._items), self._rpc.waiting,
            len(self._operations), self._flood.blocked, self._rpc.sent_bytes, self._rpc.dropped,
        )

    def set_limit(self, bytes_per_second: int) -> None:
        self._rpc.budget.limit = bytes_per_second

    def set_read_only(self, on: bool) -> None:
        self._rpc.read_only = on

    def received(self, remote: Endpoint, data: bytes, now: float) -> bool:
        """Handle a datagram. False where it is no message of the DHT, so that it may be somebody else's."""
        if data[:1] != b"d":
            return False
        self._now = now
        at = place(remote.host)
        if at is None or at.version != self.family:
            return False
        remote = Endpoint(at.host, remote.port)
        awaited = self._rpc.awaits(remote)
        if not awaited and self._flood.is_blocked(remote.host, now):
            return True
        try:
            message: krpc.Message | krpc.BadQuery = krpc.decode(data)
        except krpc.BadQuery as fault:
            message = fault
        except FormatError:
            return False
        if isinstance(message, krpc.Reply | krpc.Error):
            call = self._rpc.expects(remote, message.tid) if awaited else None
            if call is not None:
                self._take(call, message, now)
                return True
        if self._flood.admit(remote.host, now) and isinstance(message, krpc.Query | krpc.BadQuery):
            self._serve(message, remote, len(data), now)
        return True

    def tick(self, now: float) -> None:
        """Time has passed: give up questions, send what waited, keep the table fresh."""
        self._now = now
        self._rpc.tick(now)
        if self._started and now >= self._next_upkeep:
            self._upkeep(now)
        if now >= self._next_expiry:
            self._next_expiry = now + 60.0
            self._peers.expire(now)
            self._items.expire(now)

    # the table

    def add_node(self, endpoint: Endpoint, node_id: bytes | None = None) -> None:
        """Somebody we may know: saved at the last end, named in a torrent, or a peer's PORT message.

        Before `bootstrap` these are where it starts; later they are pinged in turn.
        """
        at = place(endpoint.host)
        if at is None or at.version != self.family or endpoint.port == 0:
            return
        endpoint = Endpoint(at.host, endpoint.port)
        if self._started:
            self._introduce(endpoint, node_id if node_id is not None else b"")
        elif len(self._saved) < _SAVED:
            self._saved[endpoint] = node_id if node_id is not None else b""

    def bootstrap(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """Join the DHT through the nodes added before and these. Repeated until it works; may be called again. One may
        have a name instead of an address, where a proxy looks it up.
        """
        self._now = now
        for endpoint in endpoints:
            if place(endpoint.host) is None:
                self._meet(endpoint, now)
            elif endpoint not in self._routers:
                self._routers.append(endpoint)
        self._started = True
        self._next_upkeep = min(self._next_upkeep, now + _FAST)
        self._join(now)

    def again(self, now: float) -> None:
        """Our own connection was away, and is back, perhaps at another address: join again at once."""
        self._now = now
        self._votes.clear()
        self._port_votes.clear()
        self.external_ip = None
        self._retry = 5.0
        self._next_join = self._next_upkeep = now

    def _meet(self, endpoint: Endpoint, now: float) -> None:
        """Ask a node whose address is not known; its answer tells that."""

        def met(reply: krpc.Reply | None, at: float) -> None:
            if reply is not None and call.remote not in self._routers:
                self._routers.append(call.remote)
                self._join(at)

        call = self._rpc.ask(endpoint, krpc.FindNode(self._id, ()), One(met), None, now)

    @property
    def external_port(self) -> int:
        """The port that our datagrams seem to come from, by what most say; 0 while nobody can tell."""
        return self._port_votes.winner

    def external(self, ip: str, voter: Endpoint, now: float) -> None:
        """`voter` says that our address is `ip`. When enough agree and our id does not fit, we take one that does."""
        winner = self._votes.vote(voter.host, ip)
        if winner is None or winner == self.external_ip:
            return
        self.external_ip = winner
        if not is_secure(self._id, winner):
            self._restart(make_id(winner, self._rng), now)

    # searches

    def find_peers(
        self,
        info_hash: bytes,
        now: float,
        *,
        on_peers: Callable[[list[Endpoint]], None],
        done: Callable[[LookupResult], None],
        announce: int | None = None,
        seed: bool = False,
        implied: bool = False,
        scrape: bool = False,
        noseed: bool = False,
    ) -> Operation:
        """Find peers of a swarm and, with `announce`, tell the nearest nodes that we are one at this port.

        `on_peers` gets new peers as they are found; `done` comes at the end. `implied`: our port is the one our
        datagrams come from. `seed` tells that we have everything; `noseed` asks for others than seeds; `scrape` has the
        swarm counted (BEP 33).
        """
        operation = FindPeers(
            self._rpc, info_hash, done, on_peers, announce=announce, seed=seed, implied=implied)
        # Where few nodes know each other, a peer may have announced itself to nobody but us.
        here = self._peers.peers(info_hash, limits.DHT_PEERS_PER_HASH, now, noseed=noseed)
        if here:
            on_peers(list(here))
        return self._begin(operation, info_hash, krpc.GetPeers(info_hash, (), noseed, scrape), now)

    def get_item(
        self,
        target: bytes,
        now: float,
        *,
        done: Callable[[LookupResult], None],
        on_value: Callable[[Item], None] | None = None,
        salt: bytes = b"",
        seq: int | None = None,
    ) -> Operation:
        """Find an item. `on_value` gets each genuine one that is newer than those before.

        `salt` is the one the target was made with. With `seq` only newer values are sent by those who have it.
        """
        operation = GetItem(self._rpc, target, salt, done, on_value)
        return self._begin(operation, target, krpc.Get(target, (), seq), now)

    def held(self, target: bytes, now: float) -> Item | None:
        """What others stored here. Where few nodes know each other, this one may be the only one to have it."""
        return self._items.get(target, now)

    def put_item(
        self, item: Item, now: float, *, done: Callable[[LookupResult], None], cas: int | None = None
    ) -> Operation:
        """Store an item at the nearest nodes, or keep it alive there. `cas` is the number it is to replace.

        Nothing is put where the DHT has a newer one: `refused` tells so. The item itself need not be ours.
        """
        operation = PutItem(self._rpc, item, cas, done)
        return self._begin(operation, item.target, krpc.Get(item.target), now)

    def sample(
        self,
        target: bytes,
        now: float,
        *,
        on_samples: Callable[[Endpoint, krpc.Reply], None],
        done: Callable[[LookupResult], None],
    ) -> Operation:
        """Ask the nodes on the way to a target which info hashes they keep (BEP 51), those that may be asked yet."""
        def heard(endpoint: Endpoint, reply: krpc.Reply) -> None:
            self._sampled.pop(endpoint, None)
            self._sampled[endpoint] = self._now + reply.interval
            if len(self._sampled) > limits.DHT_SAMPLED_NODES:
                del self._sampled[next(iter(self._sampled))]
            on_samples(endpoint, reply)

        operation = SampleWalk(self._rpc, done, heard)
        # Who may not be sampled yet is asked for nodes only.
        return self._begin(
            operation, target, krpc.Sample(target), now,
            instead=lambda at: krpc.FindNode(target) if now < self._sampled.get(at, now) else None,
        )

    def ping(self, endpoint: Endpoint, now: float, done: Callable[[bool], None] | None = None) -> None:
        """Ask a node whether it is there; it goes into the table if so."""
        self._now = now
        told = done if done is not None else (lambda _alive: None)
        self._rpc.ask(endpoint, krpc.Ping(), One(lambda reply, _now: told(reply is not None)), None, now)

    def _begin(
        self, operation: Operation, target: bytes, question: krpc.Question, now: float,
        instead: Callable[[Endpoint], krpc.Question | None] | None = None,
    ) -> Operation:
        self._now = now
        operation.over = self._over
        self._operations[operation] = None

        def heard(candidate: Candidate, reply: krpc.Reply, at: float) -> None:
            self._hand_over(candidate.at.reach, reply)
            operation.heard(candidate, reply, at)

        def found(lookup: Lookup, at: float) -> None:
            self._note_density(lookup)
            operation.found(lookup, at)

        operation.lookup = lookup = self._lookup(target, question, heard, found, now)
        lookup.instead = instead
        self._start(lookup, now)
        return operation

    def _over(self, operation: Operation) -> None:
        self._operations.pop(operation, None)

    def _lookup(
        self, target: bytes, question: krpc.Question,
        heard: Callable[[Candidate, krpc.Reply, float], None] | None, found: Callable[[Lookup, float], None],
        now: float, alpha: int | None = None,
    ) -> Lookup:
        return Lookup(
            self._rpc, self.family, target, question, on_reply=heard, done=found, now=now, k=self.settings.k,
            alpha=alpha if alpha is not None else self.settings.alpha, expected=self._expected,
            careful=self._young,
        )

    @property
    def _young(self) -> bool:
        """We know so few nodes that all of them may be somebody's: eight networks of sybils are soon in every table."""
        return len(self.table) < _SMALL

    def _start(self, lookup: Lookup, now: float) -> None:
        nearest = self.table.nearest(lookup.number, 2 * self.settings.k)
        known = [contact.info for contact in nearest]
        if len(known) < self.settings.k:
            known += infos([(node_id, at) for at, node_id in self._saved.items() if node_id])
        strangers = [at for at, node_id in self._saved.items() if not node_id]
        first = [*self._routers, *strangers] if len(nearest) < _USABLE else self._routers if self._young else []
        lookup.start(known, first, now)

    @property
    def _expected(self) -> int | None:
        """How far from a target its eighth nearest node commonly is, as far as we know.

        The smaller of what lookups saw and what our own neighbourhood is like: who joined a small DHT does not go on
        believing that it is small.
        """
        if self._now >= self._next_estimate:
            self._next_estimate = self._now + _ESTIMATE
            near = self.table.nearest(self.table.own, 2 * self.settings.k)
            own = [(near[-1].number ^ self.table.own) // 2] if len(near) == 2 * self.settings.k else []
            seen = [median_low(self._densities)] if len(self._densities) >= (3 if own else 1) else []
            self._estimate = min(own + seen, default=None)
        return self._estimate

    def _note_density(self, lookup: Lookup) -> None:
        """How far the eighth nearest node is tells how many there are: what is much nearer was put there."""
        counting = lookup.nearest()
        if len(counting) >= self.settings.k:
            self._densities.append(counting[self.settings.k - 1].distance)

    # what others say

    def _take(self, call: Call, message: krpc.Reply | krpc.Error, now: float) -> None:
        """A reply, or an error, to a question of ours."""
        self._rpc.heard = now
        if message.ip is not None:
            self.external(message.ip.host, call.remote, now)
            self._port_votes.vote(call.remote.host, message.ip.port)
        if isinstance(message, krpc.Error):
            call.error = message
            call.asker.failed(call, now)
            return
        self.table.replied(message.id, call.remote, now - call.sent, now)
        call.asker.replied(call, message, now)

    def _silent(self, call: Call, now: float) -> None:
        """Counted against a node only where others were heard meanwhile: else it is our own connection."""
        if self._rpc.heard >= call.sent:
            self.table.failed(call.remote, now)

    def _serve(self, message: krpc.Query | krpc.BadQuery, remote: Endpoint, size: int, now: float) -> None:
        if not may_answer(remote) or self._rpc.read_only:
            return
        if isinstance(message, krpc.BadQuery):
            data = self._server.complain(message, remote, size)
        else:
            if message.id == self._id:
                return
            if not message.read_only and not self.table.asked(message.id, remote, now):
                self._introduce(remote, message.id)
            data = self._server.answer(self._id, message, remote, size, now)
        if data is not None:
            self._rpc.answer(remote, data, now)

    def _near(self, version: int, target: int) -> Sequence[krpc.NodeInfo]:
        """The nodes we name to others."""
        node = self if version == self.family else self.sibling
        return node.closest(target) if node is not None else ()

    def closest(self, target: int) -> list[krpc.NodeInfo]:
        """Eight good nodes near a target. Of a crowd only a few are named, so that others stay to be found.

        Where more than eight are as near as eight should be, half of the answer is drawn from them all.
        """
        k = self.settings.k
        found = self.table.nearest(target, 3 * k)
        expected = self._expected
        if expected is None:
            return [c.info for c in found[:k]]
        if crowded([c.number ^ target for c in found[:k]], expected):
            crowd = [c for c in found if c.number ^ target < expected >> CROWD_SHIFT]
            others = [c for c in found if c not in crowd]
            found = [*crowd[: max(CROWD - 2, k - len(others))], *others]
        within = sum(c.number ^ target < expected for c in found)
        if within > k:
            found = [*found[: k // 2], *self._rng.sample(found[k // 2 : within], k - k // 2)]
        return [c.info for c in found[:k]]

    def _proven(self, remote: Endpoint) -> bool:
        at = place(remote.host)
        return at is not None and (at.exempt or self.table.at(remote) is not None)

    def _hand_over(self, source: Reach, reply: krpc.Reply) -> None:
        """Nodes of the other IP version go to that node; of ours, those that would fit the table wait for a ping."""
        other = self.sibling
        foreign = reply.nodes6 if self.family == 4 else reply.nodes
        if other is not None and foreign and len(other.table) < _SMALL:
            for node in foreign:
                if may_contact(node.endpoint, source):
                    other.add_node(node.endpoint, node.id)
        if len(self._introduced) < limits.DHT_INTRODUCTIONS // 2:
            for node in reply.nodes if self.family == 4 else reply.nodes6:
                if may_contact(node.endpoint, source):
                    self._introduce(node.endpoint, node.id)

    def _introduce(self, endpoint: Endpoint, node_id: bytes) -> None:
        self._introduced.add(endpoint, node_id, self.table)
        if self._introduced.urgent and self._started:
            self._next_upkeep = min(self._next_upkeep, self._now + _NEIGHBOUR)

    # keeping the table

    def _join(self, now: float) -> None:
        """Look for our own id: this fills the near buckets and makes us known to our neighbours."""
        if self._joining is not None:
            return
        want = (4, 6) if self.sibling is not None and len(self.sibling.table) < _USABLE else ()
        small = len(self.table) < _USABLE
        self._joining = self._lookup(
            self._id, krpc.FindNode(self._id, want), lambda c, reply, _now: self._hand_over(c.at.reach, reply),
            self._joined, now, alpha=4 * self.settings.alpha if small else None,
        )
        self._start(self._joining, now)

    def _joined(self, lookup: Lookup, now: float) -> None:
        self._joining = None
        self._note_density(lookup)
        if len(self.table) == 0:
            self._next_join = now + self._retry
            self._retry = min(2 * self._retry, _RETRY_MOST)
            return
        self._retry = 5.0
        # Soon again at first: whoever joins knows few, and those who join at the same time not at all.
        self._next_join = now + self._rejoin * self._rng.uniform(0.8, 1.2)
        self._rejoin = min(2 * self._rejoin, limits.DHT_GOOD_SECONDS)
        for endpoint, node_id in self._saved.items():
            self._introduce(endpoint, node_id)
        self._saved.clear()

    def _upkeep(self, now: float) -> None:
        """One small thing: join again, meet somebody who was introduced, or see whether an old contact is there."""
        small = self._young
        self._next_upkeep = now + _STEADY * self._rng.uniform(0.8, 1.2)
        if now >= self._next_join and self._joining is None:
            self._join(now)
            return
        newcomer = self._introduced.next(self.table)
        if self._introduced and small:
            self._next_upkeep = now + _FAST
        elif self._introduced.urgent:
            self._next_upkeep = now + _NEIGHBOUR
        if newcomer is not None:
            self._rpc.ask(newcomer, krpc.Ping(), One(nothing), None, now)
            return
        contact = self.table.oldest()
        if contact is None:
            return
        if now - contact.heard > limits.DHT_GOOD_SECONDS * 0.8 or contact.fails:
            self._check(contact.endpoint, contact.number, now)
        else:
            self._refresh(now)

    def _check(self, endpoint: Endpoint, number: int, now: float) -> None:
        """Ask an old contact, at once for others of its bucket where there is room."""
        index = self.table.index(number)
        bucket = self.table.bucket(index)
        question: krpc.Question = krpc.Ping()
        if len(bucket.contacts) < bucket.size:
            question = krpc.FindNode(self._in_bucket(index))
        at = place(endpoint.host)
        reach = at.reach if at is not None else Reach.FORBIDDEN

        def met(reply: krpc.Reply | None, _now: float) -> None:
            if reply is not None:
                self._hand_over(reach, reply)

        self._rpc.ask(endpoint, question, One(met), None, now)

    def _refresh(self, now: float) -> None:
        """Search in a bucket that has few nodes and did not change for long."""
        for index in range(self.table.deepest + 1):
            bucket = self.table.bucket(index)
            if len(bucket.contacts) < self.settings.k and now - bucket.changed > limits.DHT_GOOD_SECONDS:
                bucket.changed = now
                target = self._in_bucket(index)
                self._start(self._lookup(
                    target, krpc.FindNode(target), lambda c, reply, _now: self._hand_over(c.at.reach, reply),
                    lambda _lookup, _now: None, now), now)
                return

    def _in_bucket(self, index: int) -> bytes:
        """A random id that belongs into a bucket."""
        differs = 1 << (BITS - index - 1)
        return (self.table.own ^ (differs | self._rng.getrandbits(BITS) % differs)).to_bytes(20, "big")

    def _restart(self, node_id: bytes, now: float) -> None:
        """Take another id: the nodes we know find their new buckets, and the new neighbours learn of us."""
        known = list(self.table)
        self._id = self._rpc.node_id = node_id
        self.table = Table(node_id)
        for contact in known:
            if contact.fails == 0:
                self.table.replied(contact.id, contact.endpoint, contact.rtt, contact.seen)
        self._peers.own = self._items.own = self.table.own
        if self._started:
            if self._joining is not None:
                self._joining.cancel()
                self._joining = None
            self._join(now)
