"""One iterative search: ask the nearest nodes known for nearer ones, until the nearest eight have all replied.

Five questions are open at a time; a node that is silent for a second opens another slot, and after eight seconds it has
failed. A search asks one node of each network (class local is exempt), takes a bounded number of candidates and asks a
bounded number of questions. Nodes whose id does not fit their address (BEP 42) are asked and used but do not count as
the eight, nor does a crowd: nodes far nearer to the target than the size of the DHT explains were put there on purpose.

Whoever is within the distance where eight nodes are expected is asked too. So those who store and those who seek meet,
however many nodes somebody puts between them: eight networks of them double the nodes within that distance, no more.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import krpc
from wildbach.protocol.dht.places import Place, may_contact, place
from wildbach.protocol.dht.rpc import Call, Rpc
from wildbach.protocol.dht.security import is_secure

CROWD_SHIFT = 4
CROWD = 5
"""Of eight nodes that chance puts within some distance, half a one is within a sixteenth of it, and five or more in one
of 5,800 cases: five there are a crowd."""


class State(Enum):
    NEW = "new"
    ASKED = "asked"
    SLOW = "slow"
    REPLIED = "replied"
    FAILED = "failed"


class Candidate:
    """A node that a search knows of. `depth` counts the referrals that led to it: 1 for one of our own table."""

    __slots__ = ("at", "call", "depth", "distance", "endpoint", "secure", "state", "token")

    def __init__(self, endpoint: Endpoint, at: Place, distance: int, secure: bool, depth: int) -> None:
        self.endpoint = endpoint
        self.at = at
        self.distance = distance
        self.secure = secure
        self.depth = depth
        self.state = State.NEW
        self.token: bytes | None = None
        self.call: Call | None = None


def crowded(distances: Iterable[int], expected: int | None) -> bool:
    """Whether these nodes are more than chance puts so near, where the eighth is expected at `expected`."""
    if expected is None:
        return False
    return sum(distance < expected >> CROWD_SHIFT for distance in distances) >= CROWD


class Lookup:
    """A search that runs. `done` is called once, except after `cancel`."""

    def __init__(
        self,
        rpc: Rpc,
        version: int,
        target: bytes,
        question: krpc.Question,
        *,
        on_reply: Callable[[Candidate, krpc.Reply, float], None] | None,
        done: Callable[[Lookup, float], None],
        now: float,
        k: int = limits.DHT_K,
        alpha: int = limits.DHT_ALPHA,
        expected: int | None = None,
        careful: bool = False,
    ) -> None:
        """`careful`: who searches knows few nodes and not how near they should be, so twice as many have to reply."""
        self.target = target
        self.number = int.from_bytes(target, "big")
        self.question = question
        self.started = now
        self.queried = 0
        self.answered = 0
        self.finished = False
        self.instead: Callable[[Endpoint], krpc.Question | None] | None = None
        "Another question for some nodes."
        self.k = k
        self._alpha = alpha
        self._need = 2 * k if careful else k
        self._expected = expected
        "How far from a target the k-th nearest node commonly is."
        self._rpc = rpc
        self._version = version
        self._on_reply = on_reply
        self._done = done
        self._sorted: list[Candidate] = []
        self._strangers: list[Candidate] = []
        "Those whose id is not known yet."
        self._endpoints: dict[Endpoint, Candidate] = {}
        self._networks: dict[bytes, Candidate] = {}

    def start(self, known: Sequence[krpc.NodeInfo], strangers: Sequence[Endpoint], now: float) -> None:
        """Begin with nodes whose id is known, and with others."""
        for node in known:
            self._add(node, 1)
        for endpoint in strangers:
            at = place(endpoint.host)
            if at is not None and at.version == self._version and endpoint not in self._endpoints:
                candidate = Candidate(endpoint, at, -1, False, 1)
                self._endpoints[endpoint] = candidate
                self._strangers.append(candidate)
        self._go_on(now)

    def cancel(self) -> None:
        self.finished = True
        for candidate in self._endpoints.values():
            if candidate.call is not None:
                self._rpc.cancel(candidate.call)

    def nearest(self, *, counting: bool = True) -> list[Candidate]:
        """Who replied, nearest first; with `counting` only those that count."""
        crowd = self._crowd()
        return [
            c for c in self._sorted
            if c.state is State.REPLIED and (not counting or (c.secure and c.distance >= crowd))
        ]

    @property
    def hops(self) -> int:
        """The longest way of referrals to one of the nodes found."""
        return max((c.depth for c in self.nearest(counting=False)[: self.k]), default=0)

    @property
    def places(self) -> list[Candidate]:
        """Where to write: who counts, gave a token and is within the distance of eight nodes, eight at least.

        Where too few count, the nearest of the others.
        """
        best = [c for c in self.nearest() if c.token is not None]
        near = [c for c in best if self._expected is not None and c.distance < self._expected]
        best = best[: min(max(self.k, len(near)), 2 * self.k)]
        if len(best) < self.k:
            rest = [c for c in self.nearest(counting=False) if c.token is not None and c not in best]
            best += rest[: self.k - len(best)]
        return best

    def _crowd(self) -> int:
        """Below this distance a node counts as one of a crowd; 0 where there is none."""
        replied = (c.distance for c in self._sorted if c.state is State.REPLIED)
        if self._expected is None or not crowded(replied, self._expected):
            return 0
        return self._expected >> CROWD_SHIFT

    def _add(self, node: krpc.NodeInfo, depth: int) -> None:
        at = place(node.endpoint.host)
        if at is None or at.version != self._version or node.endpoint in self._endpoints:
            return
        if node.id == self._rpc.node_id:
            return
        if not at.exempt:
            taken = self._networks.get(at.network)
            if taken is not None and taken.state is not State.FAILED:
                return
        distance = int.from_bytes(node.id, "big") ^ self.number
        if len(self._sorted) >= limits.DHT_CANDIDATES:
            last = self._sorted[-1]
            if last.state is not State.NEW or last.distance <= distance:
                return
            self._forget(last)
        candidate = Candidate(node.endpoint, at, distance, is_secure(node.id, node.endpoint.host), depth)
        insort(self._sorted, candidate, key=_distance)
        self._endpoints[node.endpoint] = candidate
        if not at.exempt:
            self._networks[at.network] = candidate

    def _forget(self, candidate: Candidate) -> None:
        self._sorted.remove(candidate)
        del self._endpoints[candidate.endpoint]
        if self._networks.get(candidate.at.network) is candidate:
            del self._networks[candidate.at.network]

    # what comes back

    def replied(self, call: Call, reply: krpc.Reply, now: float) -> None:
        candidate = call.tag
        if self.finished or not isinstance(candidate, Candidate):
            return
        self.answered += 1
        candidate.state = State.REPLIED
        candidate.call = None
        distance = int.from_bytes(reply.id, "big") ^ self.number
        if distance != candidate.distance:
            self._move(candidate, reply.id, distance)
        candidate.token = reply.token
        source = candidate.at.reach
        for node in reply.nodes if self._version == 4 else reply.nodes6:
            if may_contact(node.endpoint, source):
                self._add(node, candidate.depth + 1)
        if self._on_reply is not None:
            self._on_reply(candidate, reply, now)
        self._go_on(now)

    def _move(self, candidate: Candidate, node_id: bytes, distance: int) -> None:
        """What a node says of itself counts, not what others said."""
        if candidate in self._strangers:
            self._strangers.remove(candidate)
        else:
            self._sorted.remove(candidate)
        candidate.distance = distance
        candidate.secure = is_secure(node_id, candidate.endpoint.host)
        insort(self._sorted, candidate, key=_distance)

    def slow(self, call: Call, now: float) -> None:
        if isinstance(call.tag, Candidate) and not self.finished:
            call.tag.state = State.SLOW
            self._go_on(now)

    def failed(self, call: Call, now: float) -> None:
        if isinstance(call.tag, Candidate) and not self.finished:
            call.tag.state = State.FAILED
            call.tag.call = None
            self._go_on(now)

    # what goes out

    def _go_on(self, now: float) -> None:
        if self.finished:
            return
        active = sum(c.state is State.ASKED for c in self._endpoints.values())
        for stranger in self._strangers:
            if stranger.state is State.NEW and active < self._alpha:
                self._ask(stranger, now)
                active += 1
        busy = any(c.state in (State.NEW, State.ASKED) for c in self._strangers)
        if self._walk(active, now) or busy or self.finished:
            return
        slow = any(c.state is State.SLOW for c in self._endpoints.values())
        if self.answered or not slow:
            self._finish(now)

    def _walk(self, active: int, now: float) -> bool:
        """Ask the nearest ones that were not asked. True while it is worth waiting."""
        crowd = self._crowd()
        need, most = self._need, 3 * self.k
        radius = self._expected if self._expected is not None else 0
        waiting = False
        for candidate in list(self._sorted):
            state = candidate.state
            if (need <= 0 and candidate.distance >= radius) or most == 0:
                break
            if state is State.REPLIED:
                most -= 1
                if candidate.secure and candidate.distance >= crowd:
                    need -= 1
            elif state is State.ASKED:
                waiting = True
            elif state is State.NEW and self.queried < limits.DHT_LOOKUP_QUERIES:
                waiting = True
                if active >= self._alpha:
                    break
                self._ask(candidate, now)
                active += 1
        return waiting

    def _ask(self, candidate: Candidate, now: float) -> None:
        candidate.state = State.ASKED
        self.queried += 1
        question = (self.instead(candidate.endpoint) if self.instead is not None else None) or self.question
        candidate.call = self._rpc.ask(candidate.endpoint, question, self, candidate, now)

    def _finish(self, now: float) -> None:
        self.finished = True
        for candidate in self._endpoints.values():
            if candidate.call is not None and candidate.state is State.ASKED and not candidate.call.sent:
                self._rpc.cancel(candidate.call)
        self._done(self, now)


def _distance(candidate: Candidate) -> int:
    return candidate.distance
