"""A DHT in memory: nodes on one queue of events with virtual time, latency, loss and churn.

    network = DhtNetwork(seed=1)
    first = network.join()
    ...
    network.run(60.0)

Every datagram is encoded and decoded; only sockets are missing. A run is a function of its seed.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from random import Random
from typing import Protocol

from wildbach.base.ids import Endpoint
from wildbach.protocol.dht.guard import HEADERS
from wildbach.protocol.dht.node import Node, NodeSettings
from wildbach.protocol.dht.security import make_id


class Sends(Protocol):
    """What a host runs: a `Node`, or something hostile with the same three members."""

    @property
    def outgoing(self) -> list[tuple[Endpoint, bytes]]: ...

    @property
    def next_tick(self) -> float | None: ...

    def received(self, remote: Endpoint, data: bytes, now: float) -> bool: ...

    def tick(self, now: float) -> None: ...


class Host:
    """A place in the network and what runs there."""

    def __init__(self, at: Endpoint, node: Sends, delay: float) -> None:
        self.at = at
        self.node = node
        self.delay = delay
        self.alive = True
        self.sent = 0
        self.received = 0
        "Bytes, headers counted."
        self.wakes = float("inf")


class DhtNetwork:
    def __init__(self, seed: int, *, loss: float = 0.0, settings: NodeSettings | None = None) -> None:
        self.rng = Random(seed)  # replayable on purpose
        self.now = 0.0
        self.loss = loss
        self.hosts: dict[Endpoint, Host] = {}
        self.messages = 0
        self._settings = settings if settings is not None else NodeSettings()
        self._events: list[tuple[float, int, Host | None, tuple[Endpoint, bytes] | Callable[[], None] | None]] = []
        self._count = 0
        self._trace = hashlib.sha256()

    def address(self) -> Endpoint:
        """A free global address in a network of its own."""
        while True:
            host = ".".join(str(self.rng.randrange(1, 224 if part == 0 else 255)) for part in range(4))
            at = Endpoint(host, self.rng.randrange(1024, 65536))
            if not host.startswith(("10.", "127.", "100.", "169.", "172.", "192.", "198.", "203.")):
                return at

    def place(self, node: Sends, at: Endpoint) -> Host:
        """Put something at an address. One-way delays are those of home lines, 5 to 120 ms."""
        host = Host(at, node, min(0.12, 0.005 + self.rng.expovariate(1 / 0.03)))
        self.hosts[at] = host
        self.pump(host)
        return host

    def join(self, *routers: Endpoint, saved: list[tuple[bytes, Endpoint]] | None = None) -> Host:
        """A new node that bootstraps from these."""
        at = self.address()
        rng = Random(self.rng.getrandbits(64))  # replayable on purpose
        node = Node(make_id(at.host, rng), family=4, rng=rng, settings=self._settings, now=self.now)
        for node_id, endpoint in saved or ():
            node.add_node(endpoint, node_id)
        node.bootstrap(routers, self.now)
        return self.place(node, at)

    def leave(self, host: Host) -> None:
        """Vanish without a word."""
        host.alive = False
        del self.hosts[host.at]

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something at a time."""
        self._push(when, None, what)

    def pump(self, host: Host) -> None:
        """Take what a node sends and when it wants to be woken. To be called after whatever was done to it."""
        node = host.node
        if node.outgoing:
            for remote, data in node.outgoing:
                self.send(host, remote, data)
            node.outgoing.clear()
        due = node.next_tick
        if due is not None and due < host.wakes:
            host.wakes = due
            self._push(max(due, self.now), host, None)

    def send(self, host: Host, remote: Endpoint, data: bytes) -> None:
        host.sent += len(data) + HEADERS[4]
        self.messages += 1
        target = self.hosts.get(remote)
        if target is None or (self.loss and self.rng.random() < self.loss):
            return
        delay = host.delay + target.delay
        self._push(self.now + delay * self.rng.uniform(1.0, 1.2), target, (host.at, data))

    def _push(
        self, when: float, host: Host | None, what: tuple[Endpoint, bytes] | Callable[[], None] | None
    ) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, host, what))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        """Let so much time pass, or less where `until` comes true."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            when, _, host, what = heapq.heappop(self._events)
            self.now = max(self.now, when)
            if host is None:
                if callable(what):
                    what()
            elif host.alive:
                self._deliver(host, what)
            if until is not None and until():
                return
        self.now = end

    def _deliver(self, host: Host, what: tuple[Endpoint, bytes] | Callable[[], None] | None) -> None:
        if isinstance(what, tuple):
            source, data = what
            host.received += len(data) + HEADERS[4]
            self._trace.update(b"%d %b" % (int(self.now * 1e6), data))
            host.node.received(source, data, self.now)
        else:
            if self.now < host.wakes:
                return
            host.wakes = float("inf")
            host.node.tick(self.now)
        self.pump(host)

    @property
    def trace(self) -> str:
        """A hash of everything that was delivered, and when."""
        return self._trace.hexdigest()
