"""A session: everything torrents share, the door peers knock at, and the one clock that ticks.

    async with Session() as session:
        torrent = await session.add("debian.torrent", AddOptions(save_path=Path("downloads")))
        await torrent.complete()
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from types import TracebackType
from typing import Final, TypeVar

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import NetworkError, RemoteError, StorageError, UsageError
from wildbach.base.events import Event
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.base.rate import TokenBucket
from wildbach.base.settings import options, to_flat
from wildbach.disk.datadir import DataDir
from wildbach.disk.files import FileOptions, FileStorage
from wildbach.disk.hasher import Hasher
from wildbach.disk.inplace import InPlaceFiles
from wildbach.disk.keys import Keys
from wildbach.disk.layout import Layout
from wildbach.disk.pool import ChunkPool
from wildbach.disk.registry import PathRegistry
from wildbach.disk.resume import MemoryResume, ResumeRecord, ResumeStore
from wildbach.disk.shelf import Shelf
from wildbach.disk.storage import Storage
from wildbach.disk.writer import ProcessWriter, ThreadWriter, Writer, default_writer
from wildbach.engine import events, names
from wildbach.engine.announcers import Announcer, Directed, HttpAnnouncer, UdpAnnouncer
from wildbach.engine.announcing import Announcing
from wildbach.engine.blame import BLOCKED, Ban, BanList
from wildbach.engine.brief import Brief
from wildbach.engine.content import FOLDER, ContentStore
from wildbach.engine.contents import Contents
from wildbach.engine.contentswarm import ContentSwarm
from wildbach.engine.devices import DeviceRoads, own_places
from wildbach.engine.dht import Dht
from wildbach.engine.dialing import DialBudget
from wildbach.engine.discovery import Discovery, DiscoveryView
from wildbach.engine.door import Door
from wildbach.engine.dormitory import Dormitory
from wildbach.engine.external import ExternalAddress
from wildbach.engine.flows import FlowBudget, FlowView
from wildbach.engine.guests import Guests
from wildbach.engine.holdings import OpenStorage
from wildbach.engine.ipfilter import IpFilter, IpFilterView
from wildbach.engine.mutable import Mutables
from wildbach.engine.network import Network, NetworkView
from wildbach.engine.options import AddOptions
from wildbach.engine.paying import Till
from wildbach.engine.peer import Peer
from wildbach.engine.removals import Removals
from wildbach.engine.roads import Reached, Roads
from wildbach.engine.settings import Settings
from wildbach.engine.shared import Shared
from wildbach.engine.talk import CLIENT
from wildbach.engine.torrent import Torrent
from wildbach.engine.uploads import SendBuffers
from wildbach.engine.ways import Ways
from wildbach.engine.weblane import Fetches
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Resolver
from wildbach.net.transport import Connection, Transport
from wildbach.net.udp import DatagramService
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.magnet import Magnet, MutableLink, is_mutable
from wildbach.runtime.bus import Bus, Subscription
from wildbach.runtime.tasks import Scope
from wildbach.runtime.turns import in_turns
from wildbach.runtime.workers import Threads

log = logging.getLogger("wildbach")

Fixed = Metainfo | Magnet | InfoHashes | bytes | str | Path
"What names one torrent."
Source = Fixed | MutableLink
"What a torrent may be added from; text is a magnet link, an info hash, or the path of a torrent file."

_FAST_SECONDS: Final = 0.05
_SLOW_SECONDS: Final = 1.0
_WATCHED_SECONDS: Final = 10.0
"Players close what they read, and ask again a moment later."
_REMOVED: Final = 50
"Torrents that are let go in one turn of the loop."
_BUGS: Final = 3
_BUG_SECONDS: Final = 600.0
E = TypeVar("E", bound=Event)


class Session:
    """Use with `async with`. The keyword seams have real defaults; the simulator puts its own in."""

    def __init__(
        self, settings: Settings | None = None, *, data_dir: Path | None = None,
        transport: Transport | None = None, utp: Transport | None = None,
        storage: Callable[[Info, AddOptions], Storage] | None = None, rng: Random | None = None,
        resume: ResumeStore | None = None, announcers: Sequence[Announcer] | None = None,
        datagrams: DatagramService | None = None, shuns: Callable[[str], bool] | None = None,
        wall: Callable[[], float] = time.time,
        web: Fetches | None = None,
    ) -> None:
        """`shuns` names addresses that nothing is exchanged with, besides those of the filter. `wall` tells seconds
        since 1970.
        """
        self.settings = settings if settings is not None else Settings()
        self.data_dir = data_dir
        self.internal_errors = 0
        "Bugs that were survived since the start."
        self._transport = transport
        self._utp = utp
        "For calls through a common peer."
        self._simulated = transport is not None
        self._external = ExternalAddress()
        self._discovery: Discovery | None = None
        self._make_storage = storage
        self._given_resume = resume
        self._data: DataDir | None = None
        self._announcers = announcers
        self._shunned = shuns
        self._wall = wall
        self._datagrams = datagrams
        self._web = web
        self._ways: Ways | None = None
        "None in a simulated network."
        self._exits: list[Callable[[], None]] = []
        "How to close what was opened for talking to trackers."
        self._rng = rng if rng is not None else SystemRandom()
        self._scope = Scope("session")
        self._bus = Bus()
        self._torrents: dict[str, Torrent] = {}
        self._paths = PathRegistry()
        self._by_hash: dict[bytes, Torrent] = {}
        self._opener: OpenStorage = self._open_storage
        self._numbers = 0
        self._public_port = 0
        "The port that peers call us at, where the router changes it."
        self._adding = asyncio.Lock()
        self._bugs: deque[float] = deque(maxlen=_BUGS)
        self._timer: asyncio.TimerHandle | None = None
        self._turn = 0
        self._next_second = 0.0
        self._watched_until = -1.0
        self._closed = False

    async def __aenter__(self) -> Session:
        loop = asyncio.get_running_loop()
        self._loop = loop
        settings = self.settings
        self._bans = BanList(blocks=self._blocks)
        self._external.subscribe(lambda address: self._bus.publish(events.ExternalAddressChanged(address)))
        if not self._simulated:
            self._ways = Ways(
                settings, user_agent="" if settings.peers.anonymous else CLIENT, blocks=self._blocks)
        ways = self._ways
        network = self._network = Network(
            self, settings, self._scope, self._rng, self._report, ways=ways, transport=self._transport,
            datagrams=self._datagrams, speaks_udp=self._announcers is None or self._datagrams is not None,
        )
        self._threads = Threads(4)
        self._pool = ChunkPool(settings.disk.memory)
        await self._scope.__aenter__()
        announcing = Announcing(
            self._announcers if self._announcers is not None else self._make_announcers(), self._scope,
            clock=loop.time, rng=self._rng, settings=lambda: self.settings.trackers,
            families=lambda: network.families, external=self._external, shut=lambda: network.shut,
        )
        resume = self._given_resume
        if resume is None and self.data_dir is not None:
            self._data = await self._threads.run(DataDir, self.data_dir)
            resume = await self._threads.run(self._data.open_database)
        store = resume if resume is not None else MemoryResume()
        self._filter = IpFilter(
            self._scope, self._threads, settings=lambda: self.settings.filter,
            fetcher=ways.http if ways is not None else None,
            shelf=Shelf(self.data_dir / "filters") if self.data_dir is not None else None,
            clock=loop.time, report=self._report, publish=self._bus.publish,
        )
        self._dormitory = Dormitory(
            self, self._scope, self._threads, loop.time, self._report, resume=store, lasting=resume is not None,
            data=self._data,
        )
        self._removals = Removals(
            self, self._threads, store, self._paths, self._dormitory.wake_up, lasting=resume is not None)
        folder = Path(settings.content.folder) if settings.content.folder else None
        if folder is None and self.data_dir is not None:
            folder = self.data_dir / FOLDER
        self.content = ContentStore(
            self, self._scope, self._threads, store, self._bus, settings=lambda: self.settings.content,
            report=self._report, folder=folder.absolute() if folder is not None else None,
            real=self._make_storage is None,
        )
        self.dht = Dht(
            network.datagrams, ways.guard if ways is not None else None, self._scope, store, self._threads, self._rng,
            settings=lambda: self.settings.dht, clock=loop.time, report=self._report, seen_at=self._external.dht_says,
            blocks=self._blocks,
        )
        self.mutables = Mutables(
            self, self.dht, self._scope, store, self._threads, self._bus, self._rng,
            settings=lambda: self.settings.dht, report=self._report,
            keys=Keys(self.data_dir) if self.data_dir is not None else None, wall=self._wall,
        )
        roads = Roads(network.transports, lambda: self.settings, self._rng)
        utp = self._utp if self._utp is not None else network.utp
        self.devices = DeviceRoads(
            roads, utp=utp, tcp=network.transports.get("tcp"), places=self._places,
            refuses=lambda endpoint: self._blocks(endpoint.host) or network.shut,
        )
        self._shared = Shared(
            scope=self._scope, settings=settings, clock=loop.time, rng=self._rng,
            roads=roads,
            utp=utp, network=network,
            web=self._web or (ways.http if ways is not None else None),
            http=ways.http if ways is not None else None, threads=self._threads, pool=self._pool,
            writer=self._make_writer(), hasher=self._make_hasher(), buffers=SendBuffers(), paths=self._paths,
            announcing=announcing, dht=self.dht, heads=self.mutables.rooms, till=None,
            resume=store, sync_gate=asyncio.Lock(),
            bus=self._bus, bans=self._bans, dials=DialBudget(FlowBudget(lambda: self.settings.connections.new_flows)),
            external=self._external,
            admit=self.content.admit, use=self.content.claim,
            down=TokenBucket(settings.rates.down), up=TokenBucket(settings.rates.up), wake=self._wake,
            number=self._number, room=self._room, local=_is_local, bug=self._bug, report=self._report,
            learned=self._learned, stirred=self._dormitory.stirred, wake_up=self._dormitory.wake_up,
            wake_for=self._dormitory.wake_for, remember=self._dormitory.remember, remembered=self._dormitory.remembered,
            greeting={}, guests=Guests(),
        )
        self._door = Door(self, self._shared)
        self.contents = Contents(self._shared, self._scope, self._retired)
        try:
            self._filter.subscribe(self._filter_changed)
            await self._filter.load()
            self._filter.demand_files()
            await network.open()
            await self._reached()
            self.content.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(kind, error, trace)

    async def close(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Stop every torrent, say good-bye to trackers, and let go of all."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._network.stop_listening()
        await self._filter.close()
        await self.mutables.close()
        if self._discovery is not None:
            await self._discovery.close()
        await self.content.close()
        await self.contents.close()
        await self._dormitory.close()
        for torrent in list(self._torrents.values()):
            if not torrent.asleep:
                await torrent.close()
        await self._shared.announcing.close()
        await self.dht.close()
        for call in self._exits:
            call()
        await self._network.close()
        if self._ways is not None:
            await self._ways.close()
        for peer in list(self._shared.greeting.values()):
            peer.close()
        self._bus.close()
        try:
            await self._scope.__aexit__(kind, error, trace)
        finally:
            # The scope passes on that it was cancelled, and errors.
            self._shared.writer.close()
            self._shared.hasher.close()
            self._shared.resume.close()
            self._threads.close()
            self._pool.close()

    def _make_announcers(self) -> list[Announcer]:
        if self._ways is None:
            raise UsageError("a simulated network needs announcers of its own")
        network, ways = self._network, self._ways
        udp = UdpAnnouncer(network.datagrams, ways.guard, obstacle=lambda: network.no_datagrams)
        self._exits.append(udp.close)
        http = HttpAnnouncer(ways.http)
        by_scheme: dict[str, Announcer] = {"http": http, "https": http, "udp": udp}
        texts = ways.texts()
        if texts is None:
            return [http, udp]
        return [Directed(announcer, by_scheme, texts, self._ask_preferences) for announcer in (http, udp)]

    def _ask_preferences(self) -> bool:
        return self.settings.trackers.dns_preferences and not self.settings.peers.anonymous

    # -- what is kept, and what can be changed

    async def kept(self, area: str) -> dict[str, bytes]:
        """What an application keeps beside the torrents, by name. Raises StorageError."""
        return await self._threads.run(self._shared.resume.kept, area)

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        """Change some of that, all or none; None takes one out. `durable`: not even a power cut undoes it."""
        await self._threads.run(partial(self._shared.resume.keep, area, changes, durable=durable))

    async def statistics(self) -> dict[str, int]:
        """Totals over all time and torrents, as `count` added them up."""
        return await self._threads.run(self._shared.resume.statistics)

    async def count(self, **amounts: int) -> None:
        await self._threads.run(partial(self._shared.resume.count, **amounts))

    async def configure(self, settings: Settings) -> None:
        """Go on with other values of the settings that are `live`. Raises UsageError where others differ."""
        known, before, after = options(Settings), to_flat(self.settings), to_flat(settings)
        changed = [key for key in known if before[key] != after[key]]
        fixed = [key for key in changed if not known[key].live]
        if fixed:
            raise UsageError(f"{', '.join(fixed)}: takes effect at the next start")
        self.settings = self._shared.settings = settings
        self._shared.down.limit = settings.rates.down
        self._limit_up()
        for torrent in list(self._dormitory.awake.values()):
            torrent.talk.pex = settings.peers.pex
        self._wake()
        if any(key.startswith("content.") for key in changed):
            self.content.review()
        if any(key.startswith("filter.") for key in changed):
            await self._filter.reload()

    def _limit_up(self) -> None:
        """Uploads may be slower while somebody reads what is still coming."""
        rates = self.settings.rates
        both = [rates.up]
        now, awake = self._shared.clock(), self._dormitory.awake.values()
        if rates.watching_up and any(torrent.reading and not torrent.whole for torrent in awake):
            self._watched_until = now + _WATCHED_SECONDS
        if now < self._watched_until:
            both.append(rates.watching_up)
        limit = min((limit for limit in both if limit), default=0)
        if self._shared.up.limit != limit:
            self._shared.up.limit = limit

    @property
    def http(self) -> HttpClient:
        """Fetches URLs by the ways that the settings leave. Raises UsageError in a simulated network."""
        if self._ways is None:
            raise UsageError("a simulated network has no HTTP")
        return self._ways.http

    @property
    def bans(self) -> tuple[Ban, ...]:
        """Peers that may not come back, oldest first; `until` is in seconds of the loop's clock."""
        return self._bans.entries(self._loop.time())

    def ban(self, endpoint: Endpoint, reason: str, seconds: float = limits.BAN_SECONDS) -> Ban:
        """Leave this address, and do not speak with it for so long, which may be infinite."""
        ban = self._bans.ban(endpoint, reason, self._loop.time(), seconds)
        for torrent in list(self._dormitory.awake.values()):
            for peer in list(torrent.swarm.peers.values()):
                if not peer.web and self._bans.banned(peer.remote, self._loop.time()):
                    peer.close(RemoteError(f"banned: {reason}"))
        return ban

    def unban(self, who: str) -> bool:
        """Lift a ban by its name (`Ban.who`) or by an address; False where there was none."""
        return self._bans.unban(who)

    @property
    def awake(self) -> tuple[Torrent, ...]:
        """The torrents that do not sleep: all those of which more than the list shows may change."""
        return tuple(self._dormitory.awake.values())

    def set_till(self, till: Till | None) -> None:
        """From now on `till` buys and sells, in all torrents that are neither private nor anonymous; None: nobody."""
        for torrent in self.awake:
            if torrent.awake_parts is not None:
                torrent.awake_parts.talk.pay.close()
        self._shared.till = till
        self.terms_changed()

    def terms_changed(self) -> None:
        """The till's terms are other ones than before: peers are told."""
        for torrent in self.awake:
            if torrent.awake_parts is not None:
                torrent.awake_parts.talk.greet_again()

    # -- the network

    async def _reached(self) -> None:
        """The sockets are open, as far as they can be."""
        network = self._network
        self._external.families = network.families if self.listening else ()
        if network.speaks_udp:
            await self.dht.open()
        if self._ways is not None:
            self._discovery = Discovery(
                self, self._scope, self._bus, self.settings, self._external, tcp=self.listening,
                udp=network.datagrams.endpoints, clock=self._loop.time, rng=self._rng, report=self._report,
                outlet=self._ways.outlet, hidden=network.proxied,
            )
            self.devices.attach(self._discovery.lan)
            self._discovery.start()

    async def call(self, endpoint: Endpoint, info_hash: bytes, greeting: bytes) -> Reached:
        """A connection to a peer that belongs to no swarm, by the same ways as all others. Raises NetworkError,
        RemoteError or TimeoutError.
        """
        if self._blocks(endpoint.host) or self._network.shut:
            raise NetworkError(f"{endpoint} is not called: the filter has it, or there is no network", code="blocked")
        return await self._shared.roads.call(endpoint, info_hash, greeting)

    def accept(self, connection: Connection) -> None:
        """Somebody called. For the parts of a session only."""
        self._door.accept(connection)

    def network_went(self, error: NetworkError) -> None:
        """The interface is away: all connections are over. For the parts of a session only."""
        if self._discovery is not None:
            self._discovery.silence()
        for peer in list(self._shared.greeting.values()):
            peer.close(error)
        for torrent in list(self._dormitory.awake.values()):
            torrent.network_went(error)
        self._shared.guests.close(error)
        self._external.forget()
        self._bus.publish(events.NetworkChanged(False, error.message))

    async def network_came(self, gained: Sequence[int] = ()) -> None:
        """It is back, or has these IP versions more: call, announce and look again. For the parts of a session only."""
        discovery, self._discovery = self._discovery, None
        if discovery is not None:
            await discovery.close()
        await self._reached()
        self.public_port(self._port)
        for torrent in list(self._torrents.values()):
            torrent.network_came(gained)
        self._shared.announcing.resume()
        self.devices.moved()
        self._bus.publish(events.NetworkChanged(True, ""))

    # -- the IP filter

    @property
    def ip_filter(self) -> IpFilterView:
        """The addresses that nothing is exchanged with."""
        return self._filter.view()

    async def reload_ip_filter(self) -> IpFilterView:
        """Read its lists again now, those at URLs too."""
        await self._filter.reload()
        return self._filter.view()

    def shuns(self, host: str) -> bool:
        """Nothing is exchanged with this address: the filter has it, or it is banned."""
        return self._bans.banned(Endpoint(host, 0), self._loop.time())

    def _blocks(self, host: str) -> bool:
        return self._filter.blocks(host) or (self._shunned is not None and self._shunned(host))

    def _filter_changed(self) -> None:
        """Leave those whom we may not speak with any more, and remember those whom we may again."""
        for peer in [*self._shared.greeting.values(), *(
            peer for torrent in self._dormitory.awake.values() for peer in torrent.swarm.peers.values()
        )]:
            if not peer.web and self._filter.blocks(peer.remote.host):
                peer.close(RemoteError(BLOCKED))
        for torrent in list(self._dormitory.awake.values()):
            torrent.links.filter_changed()

    @property
    def network(self) -> NetworkView:
        """By which ways this session speaks with the world."""
        return self._network.view()

    async def examine_network(self, seconds: float = limits.DNS_SECONDS) -> NetworkView:
        """The same after a test of the proxy, or, without one, of name servers, for `seconds` at most."""
        return await self._network.examine(seconds)

    def _make_hasher(self) -> Hasher:
        return Hasher(self._threads, processes=self.settings.disk.workers != "threads")

    def _make_writer(self) -> Writer:
        match self.settings.disk.workers:
            case "threads":
                return ThreadWriter(self._threads)
            case "processes":
                return ProcessWriter(self._pool, self._threads, 1)
            case _:
                return default_writer(self._pool, self._threads)

    # -- what callers do

    @property
    def torrents(self) -> tuple[Torrent, ...]:
        return tuple(self._torrents.values())

    @property
    def listening(self) -> tuple[Endpoint, ...]:
        """Where peers can reach this session; the ports are the real ones."""
        return self._network.listening

    @property
    def external_ips(self) -> tuple[str, ...]:
        """Our own addresses as others see them, at most one an IP version: what most networks said."""
        return self._external.addresses

    def _places(self) -> tuple[Endpoint, ...]:
        discovery = self._discovery
        return own_places(
            self.listening, external=self._external.get, seen=self.dht.seen_port,
            mapped=discovery.mapped_ports if discovery is not None else {},
            find=self._ways.outlet.interfaces if self._ways is not None else tuple,
        )

    @property
    def discovery(self) -> DiscoveryView:
        """How we are found: mapped ports, local discovery, our own address."""
        return self._discovery.view() if self._discovery is not None else DiscoveryView(self.external_ips)

    @property
    def _port(self) -> int:
        """Where peers call us; 0: nowhere."""
        return self._network.port

    def public_port(self, port: int) -> None:
        """Peers call us at this port: what the router passes on. For the parts of a session only."""
        self._public_port = port
        for torrent in self._torrents.values():
            torrent.called_at(port)

    @property
    def flows(self) -> FlowView:
        """How fast new connections are opened, and whether the way out is overwhelmed."""
        return self._shared.dials.flows.view()

    def subscribe(self, *types: type[E], size: int = 1000) -> Subscription[E]:
        """Events of these types from now on; without types, all."""
        return self._bus.subscribe(*types, size=size)

    async def add(self, source: Source, options: AddOptions | None = None) -> Torrent:
        """Add a torrent. One that is there already is returned, and learns the peers and trackers of the new source.
        A magnet link that names files (`so=`, BEP 53) chooses them, unless the options do; of a torrent that is there,
        these files are fetched too. A link to a mutable torrent (BEP 46) is followed from now on; this waits until the
        DHT knows which torrent that is (`mutables.follow` does not wait).

        Raises FormatError for a source that is no torrent, StorageError where a file cannot be read.
        """
        options = options if options is not None else AddOptions()
        if isinstance(source, str) and is_mutable(source):
            source = MutableLink.parse(source)
        if isinstance(source, MutableLink):
            return await self.mutables.torrent_of(await self.mutables.follow(source, options))
        metainfo, magnet, hashes = await self._read(source)
        if magnet is not None and magnet.select and options.select is None:
            options = replace(options, select=magnet.wants)
        tiers: list[tuple[str, ...]] = list(metainfo.trackers) if metainfo is not None else []
        tiers += [(url,) for url in (*(magnet.trackers if magnet is not None else ()), *options.trackers)]
        self._shared.announcing.trust(options.trackers)
        async with self._adding:
            await self._removals.over(hashes.key)
            there = self.known(hashes)
            if there is not None:
                await self.content.over(there.key)
                there = self.known(hashes)
            if there is not None:
                if there.options.cache:
                    await self._take_from_cache(there, options)
                there.add_peers(options.peers, "user")
                for tier in tiers:
                    for url in tier:
                        there.add_tracker(url)
                for seed in options.web_seeds:
                    there.add_web_seed(seed)
                if magnet is not None:
                    self._add_peers(there, magnet)
                    there.look_for_file(magnet.sources)
                    await _want_too(there, magnet)
                return there
            options = self.content.placed(hashes.key, options)
            lock = await self._dormitory.claim(hashes.key)
            if metainfo is None:
                link = magnet if magnet is not None else Magnet(hashes)
                metainfo = await self._dormitory.look_up(hashes.key, link, options, tiers)
            else:
                await self._dormitory.enlist(hashes, metainfo, options, tiers)
            # What a link says of its torrent is its name until the metadata is here.
            brief = Brief(magnet.name, 0, 0, options.paused) if metainfo is None and magnet is not None else None
            torrent = self.adopt(hashes.key, hashes, options, brief)
            torrent.life.lock = lock
            torrent.start(metainfo, tiers)
            if magnet is not None:
                torrent.parts.web.add(magnet.web_seeds)
        if magnet is not None:
            self._add_peers(torrent, magnet)
            torrent.look_for_file(magnet.sources)
        return torrent

    async def _take_from_cache(self, torrent: Torrent, options: AddOptions) -> None:
        """A cache torrent is added again: by its user it is asked to stay, by whoever it is cache for it is used."""
        if options.cache:
            self.content.touch(torrent.key)
        else:
            await self.content.keep(torrent.key)

    def _add_peers(self, torrent: Torrent, magnet: Magnet) -> None:
        """The peers a magnet link names, those with a host name as soon as that is found."""
        torrent.add_peers(names.literal(magnet.peers), "magnet")
        unknown = names.named(magnet.peers)
        resolver = self._ways.resolver if self._ways is not None else None
        if unknown and resolver is not None:
            self._scope.spawn(
                f"names:{torrent.key[:8]}", self._look_up(resolver, torrent, unknown), contain=self._report)

    async def _look_up(self, resolver: Resolver, torrent: Torrent, unknown: list[tuple[str, int]]) -> None:
        found = await names.look_up(resolver, unknown)
        if self._torrents.get(torrent.key) is torrent:
            torrent.add_peers(found, "magnet")

    async def restore(self) -> int:
        """Take on the torrents that the data directory remembers, as they were: those that were paused stay so.
        Returns how many there are.

        The complete ones are listed, announced and can be called at once, without a look at their files; what is
        not complete is opened. What was followed is followed again, and removals go on that a kill cut off. Raises
        StorageError where the state cannot be read.
        """
        followed = await self.mutables.remembered()
        await self.content.load()
        count = await self._dormitory.restore(leaving=frozenset(await self._removals.marked()))
        await self.content.settle()
        self._scope.spawn("removals", self._removals.go_on(), contain=self._report)
        self.mutables.restore(followed)
        return count

    def adopt(self, key: str, hashes: InfoHashes, options: AddOptions, brief: Brief | None) -> Torrent:
        """List a torrent. For the parts of a session only; `add` is what callers want."""
        torrent = Torrent(
            self._shared, hashes, options, self._opener, key=key, brief=brief,
            port=self._public_port or self._port,
        )
        self._torrents[key] = torrent
        self.content.listed(torrent)
        for swarm in hashes.swarms:
            self._by_hash[swarm] = torrent
        self._door.open_for(hashes.swarms)
        self._bus.publish(events.TorrentAdded(key, torrent.name))
        return torrent

    def torrent(self, key: str) -> Torrent | None:
        """The torrent with this key."""
        return self._torrents.get(key)

    def by_swarm(self, swarm: bytes) -> Torrent | None:
        """The torrent that has this 20-byte hash."""
        return self._by_hash.get(swarm)

    def by_prefix(self, word: str) -> set[Torrent]:
        """The torrents one of whose info hashes begins with these hex digits; none for what are no such digits."""
        word = word[:40].lower()
        try:
            prefix = bytes.fromhex(word[: len(word) // 2 * 2])
        except ValueError:
            return set()
        return {
            torrent for swarm, torrent in self._by_hash.items()
            if swarm.startswith(prefix) and swarm.hex().startswith(word)
        }

    def known(self, hashes: InfoHashes) -> Torrent | None:
        """The torrent that has one of these hashes."""
        for swarm in hashes.swarms:
            torrent = self._by_hash.get(swarm)
            if torrent is not None and torrent.hashes.matches(hashes):
                return torrent
        return None

    async def _read(self, source: Fixed) -> tuple[Metainfo | None, Magnet | None, InfoHashes]:
        if isinstance(source, str):
            bare = len(source) in (32, 40, 64, 68) and source.isalnum()
            source = Magnet.parse(source) if bare or source[:7].lower() == "magnet:" else Path(source)
        if isinstance(source, Path):
            source = await self._threads.run(_read_file, source)
        if isinstance(source, bytes):
            source = Metainfo.parse(source)
        if isinstance(source, Metainfo):
            return source, None, source.info.hashes
        if isinstance(source, Magnet):
            return None, source, source.hashes
        return None, None, source

    async def remove(self, torrent: Torrent, delete_files: bool = False) -> None:
        """Stop a torrent and forget it. Its files stay, but for `delete_files`: then those go that no other torrent of
        the session has; what is seeded in place stays all the same. Raises StorageError.
        """
        delete_files = delete_files and not torrent.options.in_place
        if delete_files and torrent.asleep:
            await self._dormitory.wake_up(torrent.key)
        layouts: Sequence[Layout] = torrent.layouts
        if delete_files and torrent.info is not None:
            if not layouts and torrent.code != "in_use":
                layouts = await self._removals.recorded(torrent.key, torrent.info)
            await self._removals.wake_near(torrent.info, layouts)
        await self.mutables.removed(torrent.key)
        layouts = torrent.layouts or layouts
        if delete_files and torrent.info is not None and layouts:
            await self._removals.remove(torrent.key, torrent.info, layouts, partial(self._let_go, torrent))
            self._paths.unregister(torrent.key)
            self._bus.publish(events.TorrentRemoved(torrent.key))
        else:
            await self.remove_all([torrent])

    async def evict(self, key: str) -> None:
        """Remove a cache torrent with its files. For the parts of a session only; `content.evict` is what callers want.
        Raises StorageError.
        """
        torrent = self._torrents.get(key)
        if torrent is None:
            return
        await self._dormitory.wake_up(key)
        if torrent.code == "in_use":
            raise StorageError(torrent.reason, code=torrent.code)
        await self.remove(torrent, delete_files=True)

    async def remove_all(self, torrents: Sequence[Torrent]) -> None:
        """Stop torrents and forget them, in one durable step. Their files stay. Raises StorageError."""
        async for torrent in in_turns(torrents, _REMOVED):
            await self.mutables.removed(torrent.key)
            await self._let_go(torrent)
        await self._threads.run(self._shared.resume.remove, *(torrent.key for torrent in torrents))
        for torrent in torrents:
            self._paths.unregister(torrent.key)
            self._bus.publish(events.TorrentRemoved(torrent.key))

    async def relocate(self, torrent: Torrent, folder: Path) -> None:
        """Its files are in another folder already: nothing is moved, what is there is hashed. The torrent is another
        object from now on, with the same key. Raises StorageError, code `busy` while it is being moved; UsageError
        without metadata.
        """
        await self._dormitory.wake_up(torrent.key)
        if torrent.info is None or not torrent.layouts:
            raise UsageError(f"{torrent.name} has no files yet", code="no_metadata")
        if torrent.moving is not None:
            raise StorageError("the torrent is being moved already", code="busy")
        async with self._adding:
            # It stays listed, and is not to be called, until the other one is there.
            self._close_door(torrent)
            self._dormitory.forget(torrent)
            await torrent.close()
            self._paths.unregister(torrent.key)
            await self._dormitory.restore_at(torrent.key, folder)

    async def _let_go(self, torrent: Torrent) -> None:
        self._torrents.pop(torrent.key, None)
        self.content.forgotten(torrent.key)
        self._close_door(torrent)
        self._dormitory.forget(torrent)
        await torrent.close()

    def _close_door(self, torrent: Torrent) -> None:
        for swarm in torrent.hashes.swarms:
            if self._by_hash.get(swarm) is torrent:
                del self._by_hash[swarm]
                self._door.close_for((swarm,))

    def _open_storage(self, metainfo: Metainfo, options: AddOptions, record: ResumeRecord) -> Storage:
        if self._make_storage is not None:
            return self._make_storage(metainfo.info, options)
        writer = self._shared.writer
        chosen = FileOptions(
            layout=record.layout, suffix=record.suffix, preallocate=self.settings.disk.preallocate, key=record.key,
            retired=self._retired if isinstance(writer, ProcessWriter) else None, claims=self._paths,
        )
        layout = Layout(
            record.incomplete_path or record.save_path, record.layout, record.renames, record.suffix
        )
        self._paths.register(record.key, layout.tops(metainfo.info))
        kind = InPlaceFiles if options.in_place else FileStorage
        return kind(metainfo.info, layout, options=chosen)

    def _retired(self, file: int) -> None:
        """A file was closed (in any thread): worker processes close theirs too."""
        writer = self._shared.writer
        if isinstance(writer, ProcessWriter):
            self._loop.call_soon_threadsafe(writer.retire, [file])

    def _learned(self, key: str, hashes: InfoHashes) -> None:
        """A magnet link's torrent turned out to be a hybrid: it has both hashes from now on.

        Where its other hash was added as a torrent of its own, that one gives way: two would split the swarm.
        """
        torrent = self._torrents[key]
        for swarm in hashes.swarms:
            other = self._by_hash.get(swarm, torrent)
            self._by_hash[swarm] = torrent
            self._door.open_for((swarm,))
            if other is not torrent:
                torrent.add_peers(other.links.known.endpoints(), "user")
                other.life.stop(f"it is the same torrent as {torrent.key}", "duplicate")
                self._scope.spawn(f"merge:{other.key[:8]}", self.remove(other), contain=self._report)

    # -- peers that call

    @property
    def door(self) -> Door:
        """For who takes callers that want no torrent (`door.strangers`)."""
        return self._door

    def called(self, swarm: bytes) -> Torrent | None:
        """Whose peer a handshake with this hash is."""
        return self._by_hash.get(swarm)

    def _room(self) -> bool:
        shared = self._shared
        used = len(shared.greeting) + len(shared.guests) + sum(t.connected for t in self._dormitory.awake.values())
        return used < self.settings.connections.most

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # -- bugs

    def _bug(self, peer: Peer) -> bool:
        """Count a bug that a peer's message brought out. Three from different peers in ten minutes stop the torrent."""
        self.internal_errors += 1
        now = self._loop.time()
        self._bugs.append(now)
        return len(self._bugs) == _BUGS and now - self._bugs[0] < _BUG_SECONDS

    def _report(self, error: Exception) -> None:
        self.internal_errors += 1
        log.error("internal error", exc_info=error)

    # -- time

    def _wake(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(_FAST_SECONDS, self._tick)

    def _tick(self) -> None:
        """One timer for all torrents: 20 times a second where something is going on, else not at all."""
        now = self._loop.time()
        self._timer = None
        shared = self._shared
        shared.down.refill(now)
        shared.up.refill(now)
        second = now >= self._next_second
        if second:
            self._next_second = now + _SLOW_SECONDS
            self._limit_up()
            for peer in list(shared.greeting.values()):
                if now - peer.created > limits.HANDSHAKE_SECONDS:
                    peer.close(NetworkError("no handshake in ten seconds"))
        active = bool(shared.greeting)
        self._door.tick(now)
        torrents: list[Torrent | ContentSwarm] = [*self._dormitory.awake.values(), *self.contents.swarms]
        if torrents and (shared.down.limit or shared.up.limit):
            # Limits are shared: in each turn another torrent is the first to take of what they allow.
            self._turn = (self._turn + 1) % len(torrents)
            torrents = torrents[self._turn :] + torrents[: self._turn]
        for torrent in torrents:
            if not torrent.active:
                continue
            active = True
            torrent.tick_fast(now)
            if second:
                torrent.tick(now)
        if active:
            self._wake()


async def _want_too(torrent: Torrent, magnet: Magnet) -> None:
    """A link names files of a torrent that is there: those that are not fetched are from now on (BEP 53)."""
    info = torrent.info
    if info is not None and magnet.select:
        more = {f.index: 1 for f in torrent.files() if not f.priority and magnet.wants(f.index, info.files[f.index])}
        if more:
            await torrent.set_priorities(more)


def _is_local(endpoint: Endpoint) -> bool:
    return classify(endpoint.host) in (Reach.LOCAL, Reach.PRIVATE)


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limits.TORRENT_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limits.TORRENT_FILE_BYTES:
        raise UsageError(f"{path} is larger than TORRENT_FILE_BYTES = {limits.TORRENT_FILE_BYTES}")
    return data
