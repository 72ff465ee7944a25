"""Swarms of real sessions on simulated machines, and the best that any program could do with such machines.

    async with Swarm(content()) as swarm:
        await swarm.seed(Link(1e6))
        for _ in range(3):
            await swarm.leech(Link(1e6, 4e6))
        await swarm.finished(60)
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from types import TracebackType

from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session, Source
from wildbach.engine.settings import ConnectionSettings, DiskSettings, PeerSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.runtime.tasks import Scope
from wildbach.testing.content import Content
from wildbach.testing.invariants import Watch
from wildbach.testing.network import Host, Network
from wildbach.testing.peers import Script, receive, visit
from wildbach.testing.storage import SharedStorage
from wildbach.testing.web import WebClient, WebServer

PORT = 6881
SETTINGS = Settings(
    connections=ConnectionSettings(listen=(f"0.0.0.0:{PORT}",)),
    peers=PeerSettings(encryption="off"),
    disk=DiskSettings(memory=16 << 20, workers="threads"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A machine's access in bytes a second, 0 for no limit."""

    up: float
    down: float = 0.0
    latency: float | None = None
    "Seconds, one way; None for what the network has."

    def host(self, network: Network) -> Host:
        return network.host(up=self.up, down=self.down, latency=self.latency)


def fluid_limit(size: int, seed: Link, leeches: Sequence[Link]) -> float:
    """Seconds that no way of distributing `size` bytes from one seed to all leeches can beat.

    The seed must give every byte once, the slowest leech must take them all, and all uploads together must carry a
    copy for each leech: the largest of the three.
    """
    downs = [link.down for link in leeches if link.down]
    times = [len(leeches) * size / (seed.up + sum(link.up for link in leeches))] if seed.up else [0.0]
    if seed.up:
        times.append(size / seed.up)
    if downs:
        times.append(size / min(downs))
    return max(times)


def reference_swarm(rng: Random, leeches: int = 30) -> tuple[Link, list[Link]]:
    """The swarm the distribution target is stated for: a 4 MB/s seed, leeches of 1 to 4 MB/s up and 8 down."""
    return Link(4e6, 8e6), [Link(rng.uniform(1e6, 4e6), 8e6) for _ in range(leeches)]


@dataclass(slots=True)
class Node:
    """One machine with a session that has the torrent."""

    name: str
    host: Host
    session: Session
    torrent: Torrent
    storage: SharedStorage
    started: float
    finished: float = -1.0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    "When the torrent was complete, in virtual seconds; -1 before."
    bans: list[tuple[float, str, str]] = field(default_factory=list)
    "When, whom, and why."
    drops: Counter[str] = field(default_factory=Counter)
    "Why connections ended, counted."
    failed: list[tuple[float, int]] = field(default_factory=list)
    "When and which pieces did not verify."

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host.address, PORT)

    @property
    def seconds(self) -> float:
        """How long the download took."""
        return self.finished - self.started

    @property
    def why(self) -> str:
        """The reason the torrent gives for not moving."""
        view = self.torrent.view()
        return f"{self.name}: {view.state}, {view.progress:.1%}, {view.peers} peers, {view.reason or 'no reason given'}"


class Unfinished(AssertionError):
    """Somebody did not get all; the text tells what each says of itself."""


class Swarm:
    """All machines, sessions and scripted peers around one torrent. Whoever joins is told of all who are there."""

    def __init__(
        self, content: Content, network: Network | None = None, *, settings: Settings = SETTINGS, watch: bool = True,
    ) -> None:
        self.content = content
        self.network = network if network is not None else Network()
        self.settings = settings
        self.nodes: list[Node] = []
        self.scripted: list[Endpoint] = []
        "Where scripted peers listen."
        self.tallies: list[Counter[str]] = []
        self._watch = watch
        self._joined = 0
        "Machines that ever took part: who takes the place of one that left is somebody else."
        self.scope = Scope("swarm")

    async def __aenter__(self) -> Swarm:
        await self.scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            await node.session.close()
        await self.scope.__aexit__(kind, error, trace)

    # -- who takes part

    async def seed(self, link: Link) -> Node:
        return await self._join("seed", link, None, complete=True)

    async def leave(self, node: Node) -> None:
        """A machine goes without a word."""
        self.nodes.remove(node)
        await node.session.close()

    async def leech(
        self, link: Link, options: AddOptions | None = None, *, settings: Settings | None = None,
        source: Source | None = None,
    ) -> Node:
        """`source`: what it knows of the torrent, a magnet link for example; without one it has the torrent file."""
        return await self._join("leech", link, options, complete=False, settings=settings, source=source)

    async def web_server(self, link: Link) -> WebServer:
        """A machine that has the content as a file on the web. Name its `url` to those who shall use it."""
        server = WebServer(link.host(self.network), "content", self.content.data)
        await server.open()
        return server

    async def _join(
        self, kind: str, link: Link, options: AddOptions | None, *, complete: bool, settings: Settings | None = None,
        source: Source | None = None,
    ) -> Node:
        number, self._joined = self._joined, self._joined + 1
        host = link.host(self.network)
        storage = SharedStorage(self.content.data, complete=complete)
        session = Session(
            settings or self.settings, transport=host.transport, storage=lambda info, chosen: storage,
            rng=Random(f"{self.network.loop.seed}:{number}"), announcers=(), web=WebClient(host.transport),
        )
        await session.__aenter__()
        given = options if options is not None else AddOptions()
        told = replace(given, peers=(*given.peers, *self.endpoints), skip_check=complete)
        torrent = await session.add(self.content.torrent if source is None else source, told)
        node = Node(f"{kind}{number}", host, session, torrent, storage, self.network.loop.time())
        self.nodes.append(node)
        self.scope.spawn(f"watch:{node.name}", self._follow(node))
        if self._watch:
            self.scope.spawn(f"check:{node.name}", Watch(session).run())
        return node

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where everybody who takes part so far can be called."""
        return (*(node.endpoint for node in self.nodes), *self.scripted)

    async def scripted_peer(self, script: Script, link: Link) -> Counter[str]:
        """A machine that plays a script for everybody who calls it, and is called by those who join later."""
        host = link.host(self.network)
        tally: Counter[str] = Counter()
        at = Endpoint(host.address, PORT)
        rng = Random(f"{self.network.loop.seed}:script{len(self.tallies)}")
        await receive(self.scope, host.transport, at, script, self.content, rng, tally)
        self.scripted.append(at)
        self.tallies.append(tally)
        return tally

    def visitor(self, script: Script, to: Node, *, times: int = 1, pause: float = 1.0) -> Counter[str]:
        """A machine that calls `to` and plays a script, up to `times` times."""
        host = self.network.host()
        tally: Counter[str] = Counter()
        rng = Random(f"{self.network.loop.seed}:script{len(self.tallies)}")
        self.tallies.append(tally)

        async def play() -> None:
            await visit(host.transport, to.endpoint, script, self.content, rng, times=times, pause=pause, tally=tally)

        self.scope.spawn(f"visit:{host.address}", play())
        return tally

    async def _follow(self, node: Node) -> None:
        loop = self.network.loop
        followed = node.session.subscribe(
            events.TorrentComplete, events.PeerBanned, events.PeerDropped, events.PieceFailed, size=100_000)
        async for event in followed:
            if isinstance(event, events.TorrentComplete):
                node.finished = loop.time() if node.finished < 0 else node.finished
                node.done.set()
            elif isinstance(event, events.PeerBanned):
                node.bans.append((loop.time(), event.peer, event.reason))
            elif isinstance(event, events.PeerDropped):
                node.drops[event.reason] += 1
            elif isinstance(event, events.PieceFailed):
                node.failed.append((loop.time(), event.piece))

    # -- how it goes

    async def finished(self, seconds: float) -> None:
        """Wait until every node has everything. Raises Unfinished after so many virtual seconds."""
        try:
            async with asyncio.timeout(seconds):
                for node in self.nodes:
                    await node.torrent.complete()
                    await node.done.wait()  # the event is on its way
        except TimeoutError:
            raise Unfinished("; ".join(node.why for node in self.nodes if not node.storage.whole)) from None
        for node in self.nodes:
            assert node.storage.whole, f"{node.why}: says it is complete and is not"
            assert node.session.internal_errors == 0, f"{node.name}: {node.session.internal_errors} internal errors"

    async def sleep(self, seconds: float) -> None:
        """Virtual time passes."""
        await asyncio.sleep(seconds)

    @property
    def bans(self) -> list[tuple[float, str, str]]:
        return [ban for node in self.nodes for ban in node.bans]
