"""Questions to other nodes: sent within the byte budget, matched to replies, given up in time.

A reply counts where both its transaction id, 32 random bits, and its source are those of a question that is open. Of
one to a name, which a proxy looks up, the source is not known, and is that of the reply from then on, unless that is
nobody we would send to, or nearer to us than the name says.
Questions wait for the budget in the order they came and are not lost, except when too many wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

from wildbach.base import hostnames, limits
from wildbach.base.addresses import DISTANCE
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import krpc
from wildbach.protocol.dht.guard import HEADERS, Budget
from wildbach.protocol.dht.places import may_answer, place


class Asker(Protocol):
    """Whoever asked. Exactly one of `replied` and `failed` is called, after `slow` or not."""

    def replied(self, call: Call, reply: krpc.Reply, now: float) -> None: ...

    def slow(self, call: Call, now: float) -> None:
        """The short time has passed."""

    def failed(self, call: Call, now: float) -> None:
        """No reply in the long time, or an error: then `call.error` is it."""


class Call:
    """One question to one node."""

    __slots__ = ("asker", "error", "open", "question", "remote", "sent", "tag", "tid")

    def __init__(self, remote: Endpoint, question: krpc.Question, asker: Asker, tag: object) -> None:
        self.remote = remote
        self.question = question
        self.asker = asker
        self.tag = tag
        "The asker's own."
        self.tid = b""
        self.sent = 0.0
        self.open = True
        self.error: krpc.Error | None = None


class Rpc:
    def __init__(self, node_id: bytes, version: int, rng: Random, bytes_per_second: int, read_only: bool) -> None:
        self.node_id = node_id
        self.read_only = read_only
        self.outgoing: list[tuple[Endpoint, bytes]] = []
        self.budget = Budget(bytes_per_second)
        self.heard = -1.0
        "When a reply last came: silence of everybody is not their fault."
        self.sent_bytes = 0
        self.dropped = 0
        "Answers that did not fit the budget."
        self.silent: Callable[[Call, float], None] | None = None
        "Told of each question that was not answered."
        self._rng = rng
        self._headers = HEADERS[version]
        self._calls: dict[bytes, Call] = {}
        self._remotes: dict[Endpoint, int] = {}
        "How many questions are open to each."
        self._by_name = 0
        "Questions to names, which a proxy looks up: their answers have an address that is not known here."
        self._waiting: deque[Call] = deque()
        self._short: deque[Call] = deque()
        self._long: deque[Call] = deque()

    @property
    def waiting(self) -> int:
        """Questions that wait for the budget."""
        return len(self._waiting)

    def ask(self, remote: Endpoint, question: krpc.Question, asker: Asker, tag: object, now: float) -> Call:
        """Ask as soon as the budget allows. Where far too many wait, the oldest of them fails."""
        call = Call(remote, question, asker, tag)
        self._waiting.append(call)
        if len(self._waiting) > limits.DHT_QUEUED_QUERIES:
            self._close(self._waiting.popleft(), now)
        self.flush(now)
        return call

    def cancel(self, call: Call) -> None:
        """The asker wants to hear no more of it."""
        call.open = False
        self._drop(call)

    def _drop(self, call: Call) -> None:
        if self._calls.pop(call.tid, None) is not None:
            left = self._remotes.pop(call.remote) - 1
            self._by_name -= place(call.remote.host) is None
            if left:
                self._remotes[call.remote] = left

    def flush(self, now: float) -> None:
        """Send what the budget allows."""
        self.budget.refill(now)
        while self._waiting and self.budget.open:
            call = self._waiting.popleft()
            if call.open:
                self._send(call, now)

    def _send(self, call: Call, now: float) -> None:
        tid = self._rng.getrandbits(32).to_bytes(4, "big")
        while tid in self._calls:
            tid = self._rng.getrandbits(32).to_bytes(4, "big")
        call.tid, call.sent = tid, now
        self._calls[tid] = call
        self._remotes[call.remote] = self._remotes.get(call.remote, 0) + 1
        self._by_name += place(call.remote.host) is None
        self._short.append(call)
        self._long.append(call)
        self._out(call.remote, krpc.encode_query(tid, self.node_id, call.question, read_only=self.read_only))

    def answer(self, remote: Endpoint, data: bytes, now: float) -> bool:
        """Send an answer to somebody's question, or drop it: our own questions come first."""
        self.budget.refill(now)
        if not (self.budget.spare() if self._waiting else self.budget.open):
            self.dropped += 1
            return False
        self._out(remote, data)
        return True

    def _out(self, remote: Endpoint, data: bytes) -> None:
        size = len(data) + self._headers
        self.budget.take(size)
        self.sent_bytes += size
        self.outgoing.append((remote, data))

    def expects(self, remote: Endpoint, tid: bytes) -> Call | None:
        """The open question a reply belongs to, which is closed by this."""
        call = self._calls.get(tid)
        if call is None or (call.remote != remote and not _may_be(call.remote, remote)):
            return None
        call.open = False
        self._drop(call)
        call.remote = remote
        return call

    def awaits(self, remote: Endpoint) -> bool:
        """Whether a reply of this node is expected; whose address is not known may be anybody."""
        return remote in self._remotes or bool(self._by_name)

    def tick(self, now: float) -> None:
        while self._short and (not self._short[0].open or now >= self._short[0].sent + limits.DHT_SHORT_SECONDS):
            call = self._short.popleft()
            if call.open:
                call.asker.slow(call, now)
        while self._long and (not self._long[0].open or now >= self._long[0].sent + limits.DHT_LONG_SECONDS):
            self._close(self._long.popleft(), now)
        self.flush(now)

    def _close(self, call: Call, now: float) -> None:
        if call.open:
            call.open = False
            self._drop(call)
            if call.sent and self.silent is not None:
                self.silent(call, now)
            call.asker.failed(call, now)

    def next_tick(self, now: float) -> float | None:
        """When `tick` has something to do; `now` is the time of the last call."""
        while self._short and not self._short[0].open:
            self._short.popleft()
        while self._long and not self._long[0].open:
            self._long.popleft()
        times = []
        if self._short:
            times.append(self._short[0].sent + limits.DHT_SHORT_SECONDS)
        if self._long:
            times.append(self._long[0].sent + limits.DHT_LONG_SECONDS)
        if self._waiting:
            times.append(now + self.budget.wait())
        return min(times, default=None)


def _may_be(asked: Endpoint, remote: Endpoint) -> bool:
    """Whether whom we asked by a name may be there."""
    at = place(remote.host)
    if at is None or place(asked.host) is not None or not may_answer(remote):
        return False
    return DISTANCE[at.reach] >= DISTANCE[hostnames.reach(asked.host)]
