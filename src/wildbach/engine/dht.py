"""The DHT of a session: peers for torrents without trackers (BEP 5), and items that anybody can look up (BEP 44).

`engine.dhtnodes` holds the nodes, `engine.dhtqueue` says which torrent is next, `engine.dhtitems` which item; this
joins them. Lookups begin only while the byte budget has room, so what is urgent never waits behind what is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from wildbach.base.errors import NetworkError, UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.base.words import plural
from wildbach.disk.resume import ResumeStore
from wildbach.engine import dhtitems
from wildbach.engine.dhtitems import DhtItems, KeptItem
from wildbach.engine.dhtnodes import Admission, DhtNodes, DhtSocket, parse_node
from wildbach.engine.dhtqueue import DhtQueue, DhtTorrentView, Entry, Findings, Wanting
from wildbach.engine.settings import DhtSettings
from wildbach.protocol.dht import krpc
from wildbach.protocol.dht.items import Item, target
from wildbach.protocol.dht.node import Node
from wildbach.protocol.dht.operations import LookupResult, Operation
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

_AT_ONCE: Final = 4
"Torrents looked up at the same time."
_HURRIED: Final = 16
"The same where downloads wait."
_BACKLOG: Final = 8
"Questions that wait for bytes, above which nothing begins that can wait."
_READY_SECONDS: Final = 30.0
"How long a put or get waits for a first node."
_SOON: Final = 0.02


class ItemRefused(NetworkError):
    """The DHT has a newer item than the one to be put, or not the one it was to replace."""

    code = "item_refused"


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an item that was put."""

    target: bytes
    nodes: int
    "Nodes that took it."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the nodes of the DHT say is the newest item under a key."""

    item: Item | None
    "None where none of them has one; its signature is good."
    replied: int
    "Nodes that were asked and replied."
    copies: int
    "Nodes that have this item."


@dataclass(frozen=True, slots=True)
class DhtView:
    """What the DHT of a session does."""

    running: bool
    nodes_v4: int
    nodes_v6: int
    "Nodes in the tables."
    external_ips: tuple[str, ...]
    "Our own addresses, as enough nodes agree."
    looking: int
    "Torrents that are looked up."
    waiting: int
    "Torrents that are due and wait for their turn and for bytes."
    torrents: int
    items: int
    "Items that are kept alive."
    stored: int
    "Items kept for others."
    sent_bytes: int
    "Headers counted."
    reason: str
    "Why it is of no use, in plain words; empty where it is."


class Dht:
    """`session.dht`. Everything that it can do works on a session that has no DHT too, and then does nothing."""

    def __init__(
        self, datagrams: DhtSocket, guard: Admission | None, scope: Scope, store: ResumeStore, threads: Threads,
        rng: Rng, *, settings: Callable[[], DhtSettings], clock: Callable[[], float],
        report: Callable[[Exception], None], seen_at: Callable[[str], None] = lambda _address: None,
        blocks: Callable[[str], bool] = lambda _host: False,
    ) -> None:
        """`blocks`: addresses that nothing is exchanged with."""
        self._settings = settings
        self._clock = clock
        self._scope = scope
        self._store = store
        self._threads = threads
        self._report = report
        self._nodes = DhtNodes(
            datagrams, guard, scope, store, threads, rng, settings=settings, clock=clock, report=report,
            stirred=self._stirred, seen_at=seen_at, blocks=blocks,
        )
        self._queue = DhtQueue(rng, lambda: settings().announce_seconds)
        self._items = DhtItems(rng, lambda: settings().put_seconds, self._save)
        self._unsaved: dict[str, bytes | None] = {}
        self._saving = asyncio.Lock()
        self._waiters: dict[asyncio.Future[None], None] = {}
        self._ready = asyncio.Event()
        self._stirring = False
        self._closed = False
        self._opened = False
        self.replaced: dict[bytes, Callable[[Item], None]] = {}
        "Who wants to know that the DHT has a newer item than the one that is kept, by target."

    async def open(self) -> None:
        """Join the DHT, where it is wanted, at the sockets that are bound; called again when others are. Raises
        UsageError for wrong settings.
        """
        for text in self._settings().bootstrap:
            parse_node(text)
        if self._settings().enabled:
            if not self._opened:
                self._opened = True
                self._items.load(await self._threads.run(self._store.kept, dhtitems.AREA), self._clock())
            await self._nodes.open()

    async def close(self) -> None:
        """Remember what is known; whoever waits for something gets a NetworkError."""
        if self._closed:
            return
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(NetworkError("the session is closed"))
        await self._nodes.close()
        await self._write()

    @property
    def running(self) -> bool:
        return bool(self._nodes.homes) and not self._closed

    # -- what torrents do

    def join(self, owner: Wanting, hashes: tuple[bytes, ...]) -> Entry | None:
        """Look a torrent up from now on, and announce it. None where there is no DHT; where its sockets wait for their
        network, so does the torrent.
        """
        if self._closed or not self._opened:
            return None
        now = self._clock()
        self._nodes.arm(now + _SOON, now)
        return self._queue.add(owner, hashes, now)

    def leave(self, entry: Entry) -> None:
        self._queue.remove(entry)

    def changed(self, entry: Entry, *, sooner: bool = False, scrape: bool = False) -> None:
        """What a torrent wants may have changed. `sooner`: it wants to be looked up now; `scrape`: and counted."""
        now = self._clock()
        entry.scrape |= scrape
        self._queue.changed(entry, now, sooner=sooner)
        self._nodes.arm(now + _SOON, now)

    def torrent_view(self, entry: Entry) -> DhtTorrentView:
        """How a torrent fares."""
        return entry.view(self._clock())

    def reason(self, entry: Entry) -> str:
        """What the DHT does for a torrent, in plain words."""
        now, nodes = self._clock(), self._nodes.nodes
        if not self._nodes.usable:
            why = f" ({self._nodes.failure})" if self._nodes.failure and not nodes else ""
            return f"the DHT has {plural(nodes, 'node')} yet{why}"
        if entry.flying:
            return f"looking in the DHT ({plural(nodes, 'node')})"
        if entry.waits(now):
            before = plural(self._queue.flying, "torrent")
            return f"waiting for a turn in the DHT ({plural(nodes, 'node')}, {before} before it)"
        if entry.findings is None:
            return ""
        found = "nobody" if not entry.findings.peers else plural(entry.findings.peers, "peer")
        again = max(0.0, entry.due_at - now)
        return f"the DHT ({plural(nodes, 'node')}) knows {found}, and is asked again in {again:.0f} s"

    def port_for(self, remote: Endpoint) -> int:
        """Where our node of that peer's IP version is; 0 where there is none (BEP 5)."""
        home = self._nodes.homes.get(6 if ":" in remote.host else 4)
        return home.port if home is not None and not self._closed and not self._settings().read_only else 0

    def seen_port(self, family: int) -> int:
        """The port that datagrams of ours seem to come from, as most nodes say; 0 while nobody can tell (BEP 42)."""
        home = self._nodes.homes.get(family)
        return home.node.external_port if home is not None and not self._closed else 0

    def named(self, endpoint: Endpoint) -> None:
        """A peer says that its node is there."""
        self._nodes.named(endpoint)

    def hint(self, nodes: Iterable[tuple[str, int]]) -> None:
        """A torrent file names nodes."""
        if self.running:
            self._nodes.hint(nodes)

    # -- items

    async def get(self, wanted: bytes) -> Item | None:
        """The immutable item with this hash, or None. Raises NetworkError where no node is there to be asked."""
        if len(wanted) != 20:
            raise UsageError("a target has 20 bytes")
        found: list[Item] = self._held(wanted)
        if found:
            return found[0]
        await self._run(lambda node, now, done: node.get_item(wanted, now, on_value=found.append, done=done), found)
        return found[0] if found else None

    async def get_mutable(self, public_key: bytes, salt: bytes = b"") -> Item | None:
        """The newest item under a key, or None; its signature is good. Raises as `get`."""
        results = await self._run(
            lambda node, now, done: node.get_item(target(public_key, salt), now, salt=salt, done=done)
        )
        wanted = target(public_key, salt)
        kept = self._items.get(wanted)
        found = [result.item for result in results if result.item is not None] + self._held(wanted)
        found += [kept] if kept is not None else []
        return max(found, key=lambda item: item.seq, default=None)

    async def ask(self, public_key: bytes, salt: bytes = b"") -> Answer:
        """The same from the nodes alone, ours among them with what others stored there, and never what is kept here for
        ourselves. Raises NetworkError where nobody replied, which does not mean that there is none.
        """
        results = await self._run(
            lambda node, now, done: node.get_item(target(public_key, salt), now, salt=salt, done=done)
        )
        replied = sum(result.replied for result in results)
        if not replied:
            raise NetworkError("no node of the DHT replied")
        held = self._held(target(public_key, salt))
        found = [*(one.item for one in results if one.item is not None), *held]
        newest = max(found, key=lambda item: item.seq, default=None)
        copies = sum(one.copies for one in results if one.item == newest and newest is not None)
        return Answer(newest, replied, copies + held.count(newest) if newest is not None else 0)

    def _held(self, wanted: bytes) -> list[Item]:
        """What others stored at our own nodes."""
        now = self._clock()
        return [item for node in self._nodes.usable if (item := node.held(wanted, now)) is not None]

    async def put(self, item: Item, *, cas: int | None = None, keep: bool = False) -> Stored:
        """Store an item made by `protocol.dht.items`. With `cas` only in the place of the one with that number. `keep`:
        store it again every hour, in later runs too, until `forget`.

        Raises ItemRefused where the DHT has a newer one, NetworkError where no node took it: then it is tried again, if
        it is to be kept.
        """
        results = await self._run(lambda node, now, done: node.put_item(item, now, done=done, cas=cas))
        nodes = sum(result.announced for result in results)
        refused = next((result.refused for result in results if _superseded(result.refused)), None)
        if refused is not None:
            raise ItemRefused(f"the DHT has another item: {refused.text}")
        if keep:
            self.keep(item, soon=not nodes)
        if not nodes:
            raise NetworkError("no node of the DHT took the item")
        return Stored(item.target, nodes)

    def kept(self, wanted: bytes) -> Item | None:
        """The item at a target, if it is one of those that are kept alive."""
        return self._items.get(wanted)

    def keep(self, item: Item, *, soon: bool = True) -> None:
        """Store an item every hour, in later runs too; `soon`: now for the first time. Raises UsageError where there
        are too many.
        """
        self._items.keep(item, self._clock(), soon=soon)
        if self.running:
            self._nodes.arm(self._clock() + _SOON, self._clock())

    def forget(self, wanted: bytes) -> None:
        """Keep an item alive no longer; nodes forget it in two hours."""
        self._items.forget(wanted)

    async def ready(self, seconds: float | None = None) -> bool:
        """Wait until there are nodes to be asked, at most so long. Returns whether there are."""
        while self.running and not self._nodes.usable:
            self._ready.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._wait(self._ready)
            except TimeoutError:
                return False
        return self.running

    async def _wait(self, event: asyncio.Event) -> None:
        await event.wait()
        if self._closed:
            raise NetworkError("the session is closed")

    async def _run(
        self, begin: Callable[[Node, float, Callable[[LookupResult], None]], Operation],
        enough: list[Item] | None = None,
    ) -> list[LookupResult]:
        """Do something with the nodes of both IP versions. Ends early once `enough` has something in it."""
        if not self.running:
            raise NetworkError("this session has no DHT")
        if not await self.ready(_READY_SECONDS):
            raise NetworkError(
                "the DHT has no nodes to ask: either there is no way to the Internet, or, in a network of its own, "
                "dht.bootstrap has to name another wildbach in it, as ADDRESS:PORT")
        now, nodes = self._clock(), self._nodes.usable
        results: list[LookupResult] = []
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None

        def done(result: LookupResult) -> None:
            results.append(result)
            if (len(results) == len(nodes) or enough) and not waiter.done():
                waiter.set_result(None)

        operations = [begin(node, now, done) for node in nodes]
        self._nodes.flush(now)
        try:
            await waiter
        finally:
            del self._waiters[waiter]
            for operation in operations:
                operation.cancel()
        return results

    # -- looking

    def view(self) -> DhtView:
        now = self._clock()
        homes = self._nodes.homes
        statuses = [home.node.status() for home in homes.values()]
        reason = ""
        if not self.running:
            reason = "the DHT is switched off" if not self._settings().enabled else "there is no UDP socket"
        elif not self._nodes.usable:
            reason = self._nodes.failure or "no node has answered yet"
        return DhtView(
            self.running, self._nodes.count(4), self._nodes.count(6),
            tuple([status.external for status in statuses if status.external is not None]),
            self._queue.flying, self._queue.waiting(now), len(self._queue.entries), len(self._items),
            sum(status.items for status in statuses), sum(status.sent_bytes for status in statuses), reason,
        )

    @property
    def nodes(self) -> list[tuple[bytes, Endpoint]]:
        """The nodes in the tables: id and where they are."""
        return [known for home in self._nodes.homes.values() for known in home.node.table.nodes()]

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The ids of our nodes."""
        return tuple(home.node.node_id for home in self._nodes.homes.values())

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where our nodes are bound."""
        return self._nodes.endpoints

    # -- doing what is due

    def _stirred(self, now: float) -> None:
        """Begin what is due, as far as there is room. Called after everything that happens to a node."""
        if self._stirring or self._closed:
            return
        self._stirring = True
        try:
            usable = self._nodes.usable
            if usable:
                if not self._ready.is_set():
                    self._ready.set()
                self._begin(usable, now)
        finally:
            self._stirring = False
        soonest = min(self._queue.soonest(), self._items.soonest())
        if now < soonest < float("inf"):
            # What is due and cannot begin is looked at when something has ended.
            self._nodes.arm(soonest, now)

    def _begin(self, usable: list[Node], now: float) -> None:
        while min(self._queue.soonest(), self._items.soonest()) <= now:
            full = self._nodes.waiting > _BACKLOG
            entry = self._queue.due(now, most=0 if full else _AT_ONCE, hurried=_AT_ONCE if full else _HURRIED)
            if entry is not None:
                _Search(self._nodes, entry, usable, now, self._clock, self._queue)
                continue
            kept = self._items.due(now) if not full and self._items.flying < _AT_ONCE else None
            if kept is None:
                return
            self._put_again(kept, usable, now)

    def _put_again(self, kept: KeptItem, usable: list[Node], now: float) -> None:
        item, left, took = kept.item, len(usable), 0

        def done(result: LookupResult) -> None:
            nonlocal left, took
            left -= 1
            took += result.announced
            newer = result.item
            if newer is not None and newer.mutable and newer.seq > item.seq:
                self._items.keep(newer, self._clock(), soon=False)
                told = self.replaced.get(newer.target)
                if told is not None:
                    told(newer)
            if not left:
                self._items.stored(kept, took, self._clock(), sent=item)

        for node in usable:
            node.put_item(item, now, done=done)

    # -- what is remembered

    def _save(self, changes: dict[str, bytes | None]) -> None:
        first = not self._unsaved
        self._unsaved.update(changes)
        if first and not self._scope.closed:
            self._scope.spawn("dht items", self._write(), contain=self._report)

    async def _write(self) -> None:
        async with self._saving:
            while self._unsaved:
                changes, self._unsaved = self._unsaved, {}
                try:
                    await self._threads.run(partial(self._store.keep, dhtitems.AREA, changes, durable=True))
                except WildbachError as error:
                    self._report(error)


class _Search:
    """The lookups of one torrent: each of its hashes over each IP version."""

    def __init__(
        self, where: DhtNodes, entry: Entry, nodes: list[Node], now: float, clock: Callable[[], float], queue: DhtQueue,
    ) -> None:
        self._where = where
        self._entry = entry
        self._queue = queue
        self._clock = clock
        self._findings = Findings()
        self._peers: dict[Endpoint, None] = {}
        self._left = len(entry.hashes) * len(nodes)
        wish = entry.owner.dht_wish()
        self._port = wish.port
        scrape, entry.scrape = entry.scrape, False
        for info_hash in entry.hashes:
            for node in nodes:
                node.find_peers(
                    info_hash, now, on_peers=self._found, done=self._done, announce=wish.port or None,
                    seed=wish.seed, scrape=scrape, noseed=wish.seed,
                )

    def _found(self, peers: list[Endpoint]) -> None:
        others = [peer for peer in peers if not self._where.is_own(peer, self._port)]
        self._peers.update(dict.fromkeys(others))
        if self._entry.running and others:
            self._entry.owner.dht_peers(others)

    def _done(self, result: LookupResult) -> None:
        findings = self._findings
        findings.replied += result.replied
        findings.announced += result.announced
        # The swarms of a hybrid, and those of the two IP versions, are mostly the same peers.
        findings.seeds = _most(findings.seeds, result.seeds)
        findings.leeches = _most(findings.leeches, result.leeches)
        self._left -= 1
        if not self._left:
            findings.peers = len(self._peers)
            self._queue.done(self._entry, findings, self._clock())


def _most(known: int | None, new: float | None) -> int | None:
    if new is None:
        return known
    return round(new) if known is None else max(known, round(new))


def _superseded(error: krpc.Error | None) -> bool:
    return error is not None and error.code in (krpc.CAS_MISMATCH, krpc.OLD_SEQ)
