"""The DHT nodes of a session, one for each IP version: their datagrams, their clock, and how they find others.

A node starts from the nodes it knew when the last run ended, else from those that torrent files and peers name, else
from the well known ones of the settings. A session that is bound to this machine talks to nobody outside it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.base import addresses, hostnames, limits
from wildbach.base.addresses import Reach, classify, may_dial
from wildbach.base.errors import UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.disk.resume import ResumeStore
from wildbach.engine.settings import DhtSettings
from wildbach.net.resolve import Purpose, Target
from wildbach.net.udp import Handler
from wildbach.protocol import compact
from wildbach.protocol.dht.node import Node, NodeSettings
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

AREA: Final = "dht"
"Where the store keeps ids and nodes."
_FEW: Final = 8
"Nodes below which more are looked for from outside."
_SAVE_SECONDS: Final = 300.0
_AGAIN_FIRST: Final = 4.0
_AGAIN_MOST: Final = 300.0


class DhtSocket(Protocol):
    """What the DHT needs of `net.udp.Datagrams`."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]: ...

    def attach(self, handler: Handler) -> None: ...

    def detach(self, handler: Handler) -> None: ...

    def send(self, remote: Endpoint, data: bytes) -> bool: ...


class Admission(Protocol):
    """What the DHT needs of `net.resolve.Guard`."""

    def admit(self, url: str, purpose: Purpose, *, family: int = 0) -> Awaitable[Target]: ...


@dataclass(slots=True)
class Home:
    """One node and the socket it lives at."""

    node: Node
    port: int
    host: str
    "The address the socket is bound to."
    reach: Reach
    "LOCAL where it is bound to this machine and stays there, else GLOBAL."
    external_ip: str = ""
    "Our address as it was told on last."
    remembers: bool = False
    "It has nodes of the last run to begin with."


class DhtNodes:
    """`stirred` is called when something may have changed, `seen_at` with our address as enough nodes see it. Without a
    `guard` names are not looked up.
    """

    def __init__(
        self, datagrams: DhtSocket, guard: Admission | None, scope: Scope, store: ResumeStore, threads: Threads,
        rng: Rng, *, settings: Callable[[], DhtSettings], clock: Callable[[], float],
        report: Callable[[Exception], None], stirred: Callable[[float], None], seen_at: Callable[[str], None],
        blocks: Callable[[str], bool],
    ) -> None:
        self.settings = settings
        self.homes: dict[int, Home] = {}
        "By IP version."
        self._datagrams = datagrams
        self._guard = guard
        self._scope = scope.child("dht")
        self._store = store
        self._threads = threads
        self._rng = rng
        self._clock = clock
        self._report = report
        self._stirred = stirred
        self._seen_at = seen_at
        self._blocks = blocks
        self._timer: asyncio.TimerHandle | None = None
        self._hints: dict[tuple[str, int], None] = {}
        "Nodes that torrent files name and that were not looked up yet."
        self._hinted = asyncio.Event()
        self._named: deque[float] = deque()
        self._closed = False
        self.failure = ""
        "Why names of the settings were not found, in plain words."

    async def open(self) -> None:
        """Take up where the last run stopped, at the sockets that are bound. May be called again, when others are."""
        now = self._clock()
        began = bool(self.homes)
        for endpoint in self._datagrams.endpoints:
            family = 6 if ":" in endpoint.host else 4
            there = self.homes.get(family)
            if there is not None:
                there.host, there.port = endpoint
                there.external_ip = ""
                there.node.again(now)
                continue
            node_id, saved = await self._threads.run(self._load, family)
            chosen = self.settings()
            # Write tokens and transactions must not be guessed: the session's own generator, not one derived from it.
            node = Node(
                node_id, family=family, rng=self._rng, settings=NodeSettings(chosen.upload_rate, chosen.read_only),
                now=now,
            )
            reach = Reach.LOCAL if classify(endpoint.host) is Reach.LOCAL else Reach.GLOBAL
            home = self.homes[family] = Home(node, endpoint.port, endpoint.host, reach)
            for known_id, at in saved:
                if home.reach is not Reach.LOCAL or classify(at.host) is Reach.LOCAL:
                    node.add_node(at, known_id)
                    home.remembers = True
        if not self.homes:
            return
        if len(self.homes) == 2:
            self.homes[4].node.sibling, self.homes[6].node.sibling = self.homes[6].node, self.homes[4].node
        if began:
            self._hinted.set()
            self.flush(now)
            return
        self._datagrams.attach(self._received)
        self._scope.spawn("bootstrap", self._look_for_nodes(), contain=self._report)
        self._scope.spawn("save", self._save_now_and_then(), contain=self._report)

    async def close(self) -> None:
        """Remember what is known, and be silent from now on."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._scope.close()
        if self.homes:
            self._datagrams.detach(self._received)
            await self._save()

    # -- looking

    def count(self, family: int) -> int:
        """Nodes in the table of one IP version."""
        home = self.homes.get(family)
        return len(home.node.table) if home is not None else 0

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the nodes are bound."""
        return tuple(at for at in self._datagrams.endpoints if (6 if ":" in at.host else 4) in self.homes)

    @property
    def nodes(self) -> int:
        return sum(self.count(family) for family in self.homes)

    @property
    def usable(self) -> list[Node]:
        """The nodes that can look something up."""
        return [home.node for home in self.homes.values() if home.node.ready]

    @property
    def waiting(self) -> int:
        """Questions that wait for bytes."""
        return sum(home.node.status().waiting for home in self.homes.values())

    def is_own(self, endpoint: Endpoint, port: int) -> bool:
        """Whether a peer that somebody names is ourselves, listening at `port`."""
        home = self.homes.get(6 if ":" in endpoint.host else 4)
        return home is not None and endpoint.port == port and endpoint.host in (home.host, home.node.external_ip)

    # -- datagrams and time

    def _received(self, remote: Endpoint, data: bytes) -> bool:
        home = self.homes.get(6 if ":" in remote.host else 4)
        if home is None or not data.startswith(b"d"):
            return False
        if self._blocks(remote.host):
            return True
        if home.reach is Reach.LOCAL and classify(remote.host) is not Reach.LOCAL:
            return False
        now = self._clock()
        if not home.node.received(remote, data, now):
            return False
        self.flush(now)
        return True

    def _tick(self) -> None:
        self._timer = None
        now = self._clock()
        for home in self.homes.values():
            due = home.node.next_tick
            if due is not None and due <= now:
                home.node.tick(now)
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send what is to be sent, and set the clock. Called after every call of a node."""
        self._stirred(now)
        soonest: float | None = None
        for home in self.homes.values():
            if home.node.external_ip is not None and home.node.external_ip != home.external_ip:
                home.external_ip = home.node.external_ip
                self._seen_at(home.external_ip)
            outgoing = home.node.outgoing[:]
            home.node.outgoing.clear()
            for remote, data in outgoing:
                away = home.reach is Reach.LOCAL and classify(remote.host) is not Reach.LOCAL
                if not away and not self._blocks(remote.host):
                    self._datagrams.send(remote, data)
            due = home.node.next_tick
            if due is not None and (soonest is None or due < soonest):
                soonest = due
        self.arm(soonest, now)

    def arm(self, at: float | None, now: float) -> None:
        """Wake up at a time, or sooner."""
        if at is None or self._closed:
            return
        at = max(at, now)
        if self._timer is None or self._timer.when() > at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(at, self._tick)

    # -- finding nodes

    def named(self, endpoint: Endpoint) -> None:
        """A peer says where its node is (BEP 5). Strangers are pinged a few a minute only."""
        home = self.homes.get(6 if ":" in endpoint.host else 4)
        now = self._clock()
        if home is None or self._closed or not may_dial(endpoint, classify(endpoint.host)):
            return
        while self._named and now - self._named[0] >= 60.0:
            self._named.popleft()
        if len(self._named) < limits.DHT_PORT_NODES_PER_MINUTE:
            self._named.append(now)
            home.node.add_node(endpoint)
            self.flush(now)

    def hint(self, nodes: Iterable[tuple[str, int]]) -> None:
        """Nodes that a torrent file names, hosts or addresses: asked while few are known."""
        for item in nodes:
            if len(self._hints) < limits.DHT_NODES_PER_TORRENT:
                self._hints[item] = None
        if self._hints:
            self._hinted.set()

    async def _look_for_nodes(self) -> None:
        wait = _AGAIN_FIRST
        while True:
            chosen = self.settings()
            for home in self.homes.values():
                home.node.set_limit(chosen.upload_rate)
                home.node.set_read_only(chosen.read_only)
            few = [family for family in self.homes if self.count(family) < _FEW]
            hints, self._hints = list(self._hints), {}
            self._hinted.clear()
            for family in few:
                await self._bootstrap(family, hints)
            if not few:
                wait = _AGAIN_FIRST
            try:
                async with asyncio.timeout(wait):
                    await self._hinted.wait()
            except TimeoutError:
                wait = min(2 * wait, _AGAIN_MOST)

    async def _bootstrap(self, family: int, hints: Sequence[tuple[str, int]]) -> None:
        """Ask nodes of the last run; where there are none of them (any more), those of the settings."""
        home = self.homes[family]
        found: list[Endpoint] = []
        for host, port in hints:
            found += [at for at in await self._find(host, port, family) if _may_ask(at, home.reach)]
        remembers, home.remembers = home.remembers, False
        if not found and not remembers:
            for text in self.settings().bootstrap:
                host, port = parse_node(text)
                if home.reach is not Reach.LOCAL or classify(host) is Reach.LOCAL:
                    found += await self._find(host, port, family, Purpose.USER)
        now = self._clock()
        home.node.bootstrap(dict.fromkeys(found), now)
        self.flush(now)

    async def _find(self, host: str, port: int, family: int, purpose: Purpose = Purpose.TRACKER) -> list[Endpoint]:
        literal = addresses.parse(host)
        if literal is not None:
            return [Endpoint(str(literal), port)] if literal.version == family else []
        if self._guard is None:
            return []
        try:
            target = await self._guard.admit(f"udp://{host}:{port}", purpose, family=family)
        except WildbachError as error:
            self.failure = error.message
            return []
        return [Endpoint(address, port) for address in target.addresses]

    # -- from one run to the next

    def _load(self, family: int) -> tuple[bytes, list[tuple[bytes, Endpoint]]]:
        """The id of the last run, or a new one, and the nodes it knew. Blocks."""
        kept = self._store.kept(AREA)
        node_id = kept.get(f"id{family}", b"")
        if len(node_id) != 20:
            node_id = self._rng.randbytes(20)
        raw = kept.get(f"nodes{family}", b"")
        size = 20 + (compact.SIZE_V4 if family == 4 else compact.SIZE_V6)
        read = compact.decode_v4 if family == 4 else compact.decode_v6
        saved = []
        for at in range(0, min(len(raw), size * limits.DHT_SAVED_NODES), size):
            saved += [(raw[at : at + 20], endpoint) for endpoint in read(raw[at + 20 : at + size])]
        return node_id, saved

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            await self._save()

    async def _save(self) -> None:
        changes: dict[str, bytes | None] = {}
        for family, home in self.homes.items():
            known = home.node.table.nodes()[: limits.DHT_SAVED_NODES]
            changes[f"id{family}"] = home.node.node_id
            if known:
                # Where nobody was met this time, those of the time before may still be there.
                changes[f"nodes{family}"] = b"".join([node_id + compact.encode(at) for node_id, at in known])
        try:
            await self._threads.run(self._store.keep, AREA, changes)
        except WildbachError as error:
            self._report(error)


def _may_ask(node: Endpoint, source: Reach) -> bool:
    """Whether to ask a node that a stranger names. Of one with a name, which a proxy looks up, the name alone tells."""
    if addresses.parse(node.host) is not None:
        return may_dial(node, source)
    return node.port >= 1024 and hostnames.reach(node.host) is Reach.GLOBAL


def parse_node(text: str) -> tuple[str, int]:
    """HOST:PORT or [HOST]:PORT. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{text!r} is not HOST:PORT of a node of the DHT, as in 192.168.1.5:6881")
    host = host.strip("[]")
    if addresses.parse(host) is None and hostnames.parse(host) is None:
        raise UsageError(f"{text!r}: {host!r} is neither an address nor a name")
    return host, int(port)
