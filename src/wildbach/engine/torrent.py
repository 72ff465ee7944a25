"""One torrent: the parts of a swarm, wired; its life from metadata to seeding. No algorithm lives here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from wildbach.base import bitfield, limits
from wildbach.base.errors import NetworkError, StorageError, UsageError, WildbachError
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.disk.layout import Layout
from wildbach.engine import events, exactsource
from wildbach.engine.brief import GIVEN, Brief, Given, brief_of, given_to_json
from wildbach.engine.connections import Connections
from wildbach.engine.dhtpart import DhtPart
from wildbach.engine.dhtqueue import DhtTorrentView
from wildbach.engine.hashes import Fetched
from wildbach.engine.holdings import Holdings, OpenStorage
from wildbach.engine.leaves import Leaves
from wildbach.engine.life import Life
from wildbach.engine.options import AddOptions
from wildbach.engine.parts import Known, Parts
from wildbach.engine.peer import Peer
from wildbach.engine.ratelimits import Gates
from wildbach.engine.reader import Reader
from wildbach.engine.reading import Readers
from wildbach.engine.shared import Shared
from wildbach.engine.state import State
from wildbach.engine.swarm import Content, Swarm
from wildbach.engine.talk import Talk
from wildbach.engine.trackerlist import Identity, TrackerList, TrackerView
from wildbach.engine.views import (
    FileView,
    PeerView,
    TorrentView,
    asleep_view,
    file_views,
    peer_views,
    torrent_view,
    why,
)
from wildbach.engine.weblane import Lane
from wildbach.engine.webseeds import WebSeedView
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.webseed import Style
from wildbach.protocol.wire import codec

_TELL_SECONDS: Final = 0.05

class Torrent:
    """One torrent of a session. Made by `Session.add` and `Session.restore`.

    A complete one that nobody asks for sleeps: it is announced and can be called, and all else of it is in the
    database (`engine.dormitory`). What needs more than `view` wakes it: `metadata`, `recheck`, a peer.
    """

    __slots__ = (
        "_next_tell", "_peer_id", "_shared", "awake_parts", "brief", "dht_part", "given", "hashes", "key",
        "known", "life", "number", "options", "port", "readers", "tracker_list",
    )

    def __init__(
        self, shared: Shared, hashes: InfoHashes, options: AddOptions, open_storage: OpenStorage, *, key: str = "",
        port: int = 0, brief: Brief | None = None,
    ) -> None:
        self._shared = shared
        self.options = options
        self.hashes = hashes
        self.key = key or hashes.key
        self.number = shared.number()
        self.port = port
        "Where peers can call, as trackers are told."
        self.brief = brief
        "What is known of it without its metainfo, where it was restored."
        self.given: Given = ()
        "Peers that were named, to be called by the next run too, while something is missing."
        self._peer_id = b""
        self.tracker_list: TrackerList | None = None
        self.dht_part = DhtPart(self, shared.dht)
        self.awake_parts: Parts | None = None
        self.known: Known | None = None
        self.readers: Readers | None = None
        "Made when somebody first reads."
        self.life = Life(self, shared, open_storage)
        self._next_tell = 0.0

    @property
    def peer_id(self) -> bytes:
        """Who we are in its swarm; made when somebody is first told."""
        if not self._peer_id:
            shared = self._shared
            self._peer_id = new_peer_id(shared.rng, anonymous=shared.settings.peers.anonymous)
        return self._peer_id

    @property
    def parts(self) -> Parts:
        """Made when they are first needed."""
        parts = self.awake_parts
        if parts is None:
            scope = self._shared.scope.child(f"torrent:{self.key[:8]}")
            parts = self.awake_parts = Parts(self, self._shared, scope)
            self._shared.stirred(self.key)
        return parts

    @property
    def swarm(self) -> Swarm:
        return self.parts.swarm

    @property
    def gates(self) -> Gates:
        return self.parts.gates

    @property
    def talk(self) -> Talk:
        return self.parts.talk

    @property
    def links(self) -> Connections:
        return self.parts.links

    @property
    def state(self) -> State:
        return self.life.state

    @property
    def reason(self) -> str:
        """Why it stopped, in plain words."""
        return self.life.reason

    @property
    def code(self) -> str:
        """A stable name for the reason."""
        return self.life.code

    @property
    def asleep(self) -> bool:
        return self.life.asleep

    @property
    def whole(self) -> bool:
        """All that is wanted is verified."""
        return self.life.whole

    @property
    def content(self) -> Content | None:
        return self.life.content

    @property
    def holdings(self) -> Holdings | None:
        return self.life.holdings

    @property
    def check_progress(self) -> float:
        return self.life.check_progress

    @property
    def had(self) -> tuple[int, int]:
        """The pieces that are wanted, and those that are verified, also while it is paused or stopped."""
        if self.content is not None:
            return self.content.picker.wanted, self.content.picker.have
        if self.known is None:
            return 0, 0
        claimed = self.holdings.journal.claimed if self.holdings is not None else 0
        return self.known.selection.pieces, claimed

    @property
    def connected(self) -> int:
        """How many peers it has."""
        return len(self.awake_parts.swarm.peers) if self.awake_parts is not None else 0

    # -- what callers do

    @property
    def name(self) -> str:
        if self.known is not None:
            return self.known.info.name
        return (self.brief.name if self.brief is not None else "") or self.key

    @property
    def private(self) -> bool:
        """Only its trackers may name peers of it (BEP 27). Of a magnet link that is known once its metadata is."""
        if self.known is not None:
            return self.known.info.private
        return self.brief is not None and self.brief.private

    @property
    def announced_nearby(self) -> tuple[bytes, ...]:
        """The info hashes that neighbours may hear of (BEP 14)."""
        if self.private or self.state in (State.PAUSED, State.STOPPED, State.CHECKING):
            return ()
        return self.hashes.swarms

    @property
    def info(self) -> Info | None:
        return self.known.info if self.known is not None else None

    @property
    def metainfo(self) -> Metainfo | None:
        """The torrent file, with the piece layers that were found meanwhile; None while its metadata is not at hand."""
        return self.known.specs.metainfo if self.known is not None else None

    async def metadata(self) -> Info:
        """Wait until the info dictionary is known. Raises StorageError or UsageError where the torrent stopped."""
        if self.asleep:
            await self._shared.wake_up(self.key)
        await self._wait(self.parts.metadata)
        if self.known is None:
            raise UsageError("the torrent was removed")
        return self.known.info

    async def complete(self) -> None:
        """Wait until all that is wanted is verified and durable on the disk. Raises as `metadata` does."""
        if not self.asleep:
            await self._wait(self.parts.complete)

    async def _wait(self, event: asyncio.Event) -> None:
        while not event.is_set():
            if self.state is State.STOPPED:
                raise StorageError(self.reason, code=self.code)
            changed = self.parts.changed
            changed.clear()
            await changed.wait()

    def start(self, metainfo: Metainfo | None, tiers: Sequence[Sequence[str]]) -> None:
        """Begin to live. Called once, by the session."""
        announcing = self._shared.announcing
        if metainfo is not None:
            self.know(metainfo)
            if not metainfo.info.private:
                self._shared.dht.hint(metainfo.nodes)
        self.tracker_list = announcing.add(
            self, self.hashes.swarms, tiers, private=metainfo is not None and metainfo.info.private
        )
        self.life.begin()
        self.add_peers(self.options.peers, "user")
        for endpoint, source in self.given:
            self.links.add([endpoint], source)

    def start_asleep(self, brief: Brief) -> None:
        """Begin to live as what the database says is complete: nothing is opened until somebody asks, nothing is
        announced until `start_announcing`.
        """
        self.tracker_list = self._shared.announcing.add(self, self.hashes.swarms, brief.tiers, private=brief.private)
        self.life.begin_asleep(paused=brief.paused or self.options.check_only or self.options.metadata_only)

    def start_announcing(self) -> None:
        self.life.announce()

    def add_peers(self, endpoints: Sequence[Endpoint], source: str = "user") -> None:
        """Remember endpoints to call, and call them as there is room."""
        if self.asleep:
            self._shared.wake_for(self.key, tuple(endpoints), source)
        elif endpoints:
            self.links.add(endpoints, source)
            if source in ("user", "magnet") and not self.life.whole:
                before = self.given
                known = dict(before) | dict.fromkeys(endpoints[-limits.GIVEN_PEERS:], source)
                self.given = tuple(known.items())[-limits.GIVEN_PEERS:]
                if self.given != before:
                    self.remember()

    def called_at(self, port: int) -> None:
        """Peers call us at another port from now on."""
        self.port = port
        if self.awake_parts is not None:
            self.awake_parts.talk.port = port

    def network_went(self, error: NetworkError) -> None:
        """All connections are over."""
        if self.awake_parts is not None:
            self.links.went(error)

    def network_came(self, gained: Sequence[int] = ()) -> None:
        """The network was away, and is back, or has IP versions more: call those who were there, or could not be
        called, and ask the DHT.
        """
        if self.awake_parts is not None:
            self.links.known.all_again(self._shared.clock(), gained)
            self._shared.wake()
        self.dht_part.again()

    def add_peer(self, endpoint: Endpoint) -> None:
        self.add_peers([endpoint])

    def add_tracker(self, url: str, tier: int | None = None) -> None:
        """Announce to one more tracker. Raises UsageError for a URL that no tracker can have."""
        if self.tracker_list is not None:
            self._shared.announcing.add_tracker(self.tracker_list, url, tier)
            self.remember()

    def remove_tracker(self, url: str) -> None:
        if self.tracker_list is not None:
            self._shared.announcing.remove_tracker(self.tracker_list, url)
            self.remember()

    def set_trackers(self, tiers: Sequence[Sequence[str]]) -> None:
        """Replace the trackers, tier by tier (BEP 12). Those that stay keep their state, those that go are told
        good-bye. Raises UsageError for a new URL that no tracker can have.
        """
        if self.tracker_list is not None:
            self._shared.announcing.set_tiers(self.tracker_list, tiers)
            self.remember()

    def reannounce(self, url: str | None = None, *, force: bool = False) -> None:
        """Ask the trackers again as soon as they permit; one of them, or all. `force`: at once, dead ones too."""
        if self.tracker_list is not None:
            self._shared.announcing.reannounce(self.tracker_list, url, force=force)
        if url is None:
            self.dht_part.again()

    def scrape(self, url: str | None = None) -> None:
        """Ask trackers how large the swarm is (BEP 48): one of them, or those in use, and the DHT (BEP 33). `trackers`
        and `dht` show what they say.
        """
        if self.tracker_list is not None:
            self._shared.announcing.scrape(self.tracker_list, url)
        if url is None:
            self.dht_part.again(scrape=True)

    def trackers(self) -> tuple[TrackerView, ...]:
        return self.tracker_list.views(self._shared.clock()) if self.tracker_list is not None else ()

    def add_web_seed(self, url: str, *, script: bool = False) -> None:
        """Download from one more web server (BEP 19), or with `script` from one that gives pieces (BEP 17); one that
        was given up is tried again. Raises UsageError for a URL that cannot be one.
        """
        self.parts.web.add([url], Style.PIECES if script else Style.FILES, by_user=True)
        self._keep_web_seeds()

    def remove_web_seed(self, url: str) -> None:
        self.parts.web.remove(url)
        self._keep_web_seeds()

    def _keep_web_seeds(self) -> None:
        by_hand = self.parts.web.by_hand
        self.change_options(replace(
            self.options, web_seeds=by_hand(Style.FILES), http_seeds=by_hand(Style.PIECES)))
        self._shared.wake()

    def web_seeds(self) -> tuple[WebSeedView, ...]:
        return self.awake_parts.web.views() if self.awake_parts is not None else ()

    def set_limits(self, *, down: int | None = None, up: int | None = None) -> None:
        """Change the torrent's own limits, in bytes a second; 0 for none."""
        options = self.options
        self.change_options(replace(
            options, down_limit=options.down_limit if down is None else down,
            up_limit=options.up_limit if up is None else up,
        ))
        if self.awake_parts is not None:
            self.awake_parts.gates.down.own.limit = self.options.down_limit
            self.awake_parts.gates.up.own.limit = self.options.up_limit
        self._shared.wake()

    def set_sequential(self, on: bool) -> None:
        """Fetch from the front to the end, or what is rare first."""
        self.change_options(replace(self.options, sequential=on))
        if self.content is not None:
            self.content.picker.sequential = on

    def set_ends_first(self, on: bool) -> None:
        """Fetch the first and the last piece of each file before all others, or not."""
        self.change_options(replace(self.options, ends_first=on))
        self.life.ends_first()

    def set_super_seed(self, on: bool) -> None:
        """Hide what is here and hand out each piece once, or seed as usual (BEP 16). Where it begins on a torrent that
        seeds, peers are let go, since they know what we have; they are told anew when they come back.
        """
        self.change_options(replace(self.options, super_seed=on))
        self.life.super_seed(on)

    async def close(self) -> None:
        """End everything of this torrent; what was claimed as durable stays so."""
        self.use_dht(False)
        if self.readers is not None:
            self.readers.removed()
        await self.life.close()
        if self.tracker_list is not None:
            self._shared.announcing.remove(self.tracker_list)

    async def pause(self) -> None:
        """Let go of all peers and stop asking; what was received is flushed."""
        await self.life.pause()

    async def resume(self) -> None:
        """Go on after a pause, or after a stop whose reason is gone."""
        await self.life.resume()

    # -- reading

    @contextlib.asynccontextmanager
    async def open(self, file: int) -> AsyncIterator[Reader]:
        """Read a file while it comes: what is read is fetched first, and only verified bytes are given. Wakes the
        torrent; waits for its metadata. Raises UsageError where the torrent has no such file or does not fetch it,
        StorageError where the torrent stopped.

            async with torrent.open(0) as reader:
                start = await reader.read(0, 65536)
        """
        with self._shared.use(self.key):
            await self.metadata()
            if self.known is None:
                raise UsageError("the torrent was removed", code="not_found")
            if self.readers is None:
                hashes, fetcher = self.known.specs.hashes, self.talk.hash_fetcher
                self.readers = Readers(
                    self, self.known.info, hashes, fetcher, self._shared.clock, self._shared.threads)
            readers = self.readers
            with contextlib.closing(readers.open(file)) as reader:
                if not (self.known.selection.priorities[file] or self._has_all_of(file)):
                    raise UsageError(f"file {file} is not chosen for download", code="not_chosen")
                self._shared.wake()
                yield reader

    def _has_all_of(self, file: int) -> bool:
        if self.known is None:
            return False
        geometry = self.known.info.geometry
        pieces = geometry.file_pieces(file)
        wanted = bitfield.span(pieces.start, pieces.stop, bitfield.width_of(geometry.piece_count))
        return not wanted & ~self.had[1]

    @property
    def reading(self) -> bool:
        """Somebody reads its files."""
        return bool(self.readers)

    def news(self, piece: int | None = None) -> None:
        if self.readers is not None:
            if piece is not None:
                self.readers.piece_done(piece)
            else:
                self.readers.news()

    async def prove(self, pieces: int) -> None:
        await self.life.prove(pieces)

    def false_blocks(self, piece: int, blocks: int) -> None:
        if self.content is not None:
            self.parts.verdicts.false_blocks(self.content.downloads.refuse(piece, blocks))

    def unchoked(self, peer: Peer) -> None:
        if self.readers:
            # Before blocks are asked for: what shows them to be good would come behind them.
            self.readers.plan(self._shared.clock())

    def ask_for_hashes(self) -> None:
        self.talk.ask_for_hashes()

    def focused(self) -> None:
        self.swarm.review_interest()
        self._shared.wake()

    def why(self) -> str:
        return why(self, self._shared.clock())

    async def recheck(self) -> None:
        """Hash everything on the disk anew; peers are let go meanwhile."""
        await self.metadata()
        await self.life.recheck()

    async def set_priorities(self, priorities: Mapping[int, int]) -> None:
        """Choose files while running: index to 0 (not wanted) to 7 (first). Files left out keep theirs."""
        await self.metadata()
        if self.known is not None:
            self.known.selection.change(priorities)
            self.remember()
            await self.life.choose(self.known.selection)

    def set_deadline(self, piece: int, seconds: float | None) -> None:
        """Fetch a piece within so many seconds, before all others; None takes the deadline away.

        As it draws near, what a slow peer owes of the piece is asked of others too. Raises UsageError for a piece that
        does not exist, or where the torrent is not open.
        """
        content = self.content
        if content is None or not 0 <= piece < content.picker.count:
            raise UsageError(f"there is no piece {piece}, or the torrent is not open")
        now = self._shared.clock()
        content.picker.set_deadline(piece, None if seconds is None else now + seconds)
        self.swarm.review_interest()
        for peer in list(self.swarm.peers.values()):
            content.downloads.fill(peer, now)
        self._shared.wake()

    @property
    def layouts(self) -> list[Layout]:
        """Where the files are; nothing before the torrent is opened."""
        return self.holdings.layouts if self.holdings is not None else []

    async def move(self, folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring the files to another folder, while they are seeded and written on. `progress` gets (bytes, of all).

        Survives a crash: it is gone on with at the next start. Raises StorageError, code `target_exists` where
        something is in the way (then nothing was touched), and `busy` while another move goes on.
        """
        await self.parts.relocation.move(await self._opened(), folder, progress)

    async def rename_file(self, index: int, path: str) -> None:
        """Give a file another path below the torrent's folder on disk, components parted by `/`. Raises as `move`."""
        await self.parts.relocation.rename(await self._opened(), index, path)

    async def _opened(self) -> Holdings:
        await self.metadata()
        await self.life.open()
        return self.life.opened()

    @property
    def moving(self) -> float | None:
        """The share of the bytes that are at their new place, while the files are being moved."""
        return self.parts.relocation.share

    @property
    def save_path(self) -> str:
        """The folder its files are in, as the caller wrote it until they move."""
        asked = self.options.save_path
        layouts = self.layouts
        return str(asked) if not layouts or layouts[0].root == str(asked.absolute()) else layouts[0].root

    # -- Living

    def remember(self) -> None:
        """What was asked for changed: the next run is to know."""
        if self.holdings is not None:
            self.parts.scope.spawn("remember", self.holdings.remember(self.written()), contain=self.life.died)
        elif self.life.opening:
            self.life.unwritten = True
        else:
            self._shared.remember(self.key)
        if self.brief is not None:
            self.brief = replace(self.describe(), tiers=())

    def change_options(self, options: AddOptions) -> None:
        """Other things are asked for from now on."""
        if options != self.options:
            self.options = options
            self.remember()

    def written(self) -> dict[str, Any]:
        """What the next run is to know, as JSON values."""
        out = self.describe().to_json(self.hashes, self.options)
        return out | {GIVEN: given_to_json(self.given)} if self.given and not self.life.whole else out

    def describe(self) -> Brief:
        """What a later run has to know of it."""
        priorities = self.known.selection.priorities if self.known is not None else ()
        return brief_of(self, priorities, paused=self.state is State.PAUSED)

    def know(self, metainfo: Metainfo) -> Known:
        """The metadata is here."""
        known = self.known = Known(metainfo, self.options, self.brief)
        info, specs = known.info, known.specs
        self._learn_hashes(info.hashes)
        if specs.missing:
            self.links.reconnect_as_v2()
        self.parts.verdicts.know(info, specs.hashes)
        leaves = None
        if specs.hashes is not None:
            leaves = Leaves(info, specs.hashes, self.life.has, self.life.storage, self._shared.threads)
        self.talk.know(info, specs.layers, leaves)
        web = self.parts.web
        web.add(metainfo.web_seeds)
        web.add(metainfo.http_seeds, Style.PIECES)
        web.know(info)
        self.parts.metadata.set()
        self.parts.changed.set()
        return known

    # -- WebSeedsOwner

    def web_wanted(self) -> int | None:
        content = self.content
        if content is None or self.state is not State.DOWNLOADING or not content.downloads.running:
            return None
        return content.picker.missing

    def web_join(self, lane: Lane, name: str) -> Peer | None:
        return self.links.join_web(lane, name, self._shared.number())

    def web_run(self, lane: Lane) -> None:
        self.parts.scope.spawn(f"web:{lane.remote}", lane.run(), contain=self._shared.report)

    # -- VerdictOwner

    def ban(self, endpoint: Endpoint, reason: str) -> None:
        self.links.ban(endpoint, reason)

    # -- TalkOwner

    def metadata_found(self, raw: bytes) -> None:
        """The info dictionary of a magnet has come and hashes right."""
        try:
            info = Info.parse(raw)
        except WildbachError as error:
            self.life.stop(f"the torrent's metadata is broken: {error.message}", error.code)
            return
        self.know(Metainfo.from_info(info, web_seeds=self.parts.web.named))
        if self.tracker_list is not None:
            self.tracker_list.private = info.private
        self.dht_part.renew()
        self._shared.bus.publish(events.MetadataReady(self.key, info.name, info.size))

    async def metadata_within(self, seconds: float) -> bool:
        """Whether the metadata is here, waited for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.parts.metadata.wait()
        except TimeoutError:
            return False
        return True

    def torrent_file_found(self, found: Metainfo) -> None:
        """A torrent file with our hash came from a web server; only what the hash proves is taken of it."""
        if self.known is None and self.state is State.METADATA:
            self.metadata_found(found.info.raw)
            for root, layer in found.piece_layers.items():
                self.layers_found(root, layer)

    def look_for_file(self, urls: Sequence[str]) -> None:
        """The torrent file is said to be at these URLs."""
        http = self._shared.http
        if urls and http is not None and self.known is None:
            self.parts.scope.spawn(
                "sources", exactsource.look(self, urls, http, self._shared.threads), contain=self._shared.report)

    def layers_found(self, root: bytes, layer: bytes) -> None:
        if self.known is None:
            return
        self.known.specs.layers[root] = layer
        if self.content is not None:
            self.content.downloads.hashes_known()
        if self.holdings is not None and self.known.specs.hashes is not None and not self.known.specs.missing:
            # The torrent file is complete now, with all its piece layers.
            self.parts.scope.spawn("layers", self.holdings.keep(self.known.specs.metainfo), contain=self.life.died)

    def _wait_for_v2(self, now: float) -> None:
        """Piece layers are missing. While no v2 peer is there to be asked, the v1 hashes of a hybrid have to do."""
        fetcher = self.talk.hash_fetcher
        if self.known is None or self.content is None or fetcher.idle:
            return
        if self.known.specs.v1_must_do(now, v2_peers=bool(fetcher.peers)):
            self.content.downloads.hashes_known()

    def mend(self, piece: int, false: int) -> None:
        if self.content is not None:
            self.content.downloads.mend(piece, false)

    def leaves_found(self, found: Fetched) -> None:
        self.parts.verdicts.leaves(found)
        if self.readers is not None:
            self.readers.leaves_found(found)

    def dont_have(self, peer: Peer, piece: int) -> None:
        self.swarm.dont_have(peer, piece)

    def endpoints_found(self, endpoints: Sequence[Endpoint], source: str) -> None:
        self.add_peers(endpoints, source)

    def upload_only(self, peer: Peer) -> None:
        self.swarm.rechoke()

    # -- Announced: what trackers are told and tell

    def identity(self) -> Identity:
        content = self.content
        left = 0 if self.asleep else 1
        if content is not None and self.known is not None:
            left = self.known.info.geometry.bytes_in(content.picker.full & ~content.picker.have)
        return Identity(
            self.peer_id, self.port, self.sent, self.received, left,
            partial=content is not None and left > 0 and not content.picker.missing,
        )

    @property
    def sent(self) -> int:
        """Bytes of content sent to peers in this run."""
        return self.life.sent

    @property
    def received(self) -> int:
        return self.life.received

    @property
    def wasted(self) -> int:
        return self.life.wasted

    # -- the DHT

    def use_dht(self, on: bool) -> None:
        """Look it up and announce it in the DHT from now on, or do not."""
        self.dht_part.use(on)

    def dht(self) -> DhtTorrentView | None:
        """How it fares in the DHT; None where it does not use it: private, paused or stopped, or there is no DHT."""
        return self.dht_part.view()

    def dht_port(self, peer: Peer, port: int) -> None:
        self.dht_part.named(Endpoint(peer.remote.host, port))

    # -- Announced, again

    def on_peers(self, peers: list[Endpoint]) -> None:
        self.add_peers(peers, "tracker")

    def on_tracker(self, view: TrackerView) -> None:
        self._shared.bus.publish(events.TrackerAnnounced(self.key, view.url, view.peers, view.message))

    def on_tracker_switch(self) -> None:
        if self.awake_parts is not None:
            self.awake_parts.swarm.close_all(NetworkError("the torrent is private and its tracker changed"))
            self.awake_parts.links.forget_all()

    # -- SwarmOwner

    def extended(self, peer: Peer, message: codec.Extended) -> None:
        self.talk.extended(peer, message)

    def hash_message(self, peer: Peer, message: codec.HashMessage) -> None:
        self.talk.hash_message(peer, message)

    def peer_left(self, peer: Peer, error: Exception | None) -> None:
        self.links.left(peer, error)

    def bug(self, peer: Peer) -> None:
        if self._shared.bug(peer):
            self.life.stop("internal error; see the log", "internal_error")

    # -- ConnectionsOwner

    @property
    def open_to_peers(self) -> bool:
        return self.state not in (State.PAUSED, State.STOPPED) and not self.asleep

    @property
    def wants(self) -> bool:
        return self.content is None or bool(self.content.picker.missing)

    def _learn_hashes(self, hashes: InfoHashes) -> None:
        """The metadata is here: the magnet link may have had only one hash of a hybrid."""
        if hashes == self.hashes:
            return
        self.hashes = hashes
        self.dht_part.renew()
        self._shared.learned(self.key, hashes)
        for peer in list(self.swarm.peers.values()):
            peer.v2 = hashes.v2 is not None and peer.info_hash == hashes.v2[:20]
            self.talk.speaks_v2(peer)

    # -- time

    def tick_fast(self, now: float) -> None:
        """Every 50 ms while the torrent has peers."""
        if self.swarm.news and now >= self._next_tell:
            self._next_tell = now + _TELL_SECONDS
            self.swarm.tell()
        self.swarm.choke_round(now)
        if self.holdings is not None:
            self.holdings.tick(now)
        content = self.content
        if self.readers is not None:
            self.readers.tick(now)
        if content is not None:
            content.downloads.pulse(now)
            down, up = self.parts.gates.down, self.parts.gates.up
            # Who waits for a limit goes on when it is lifted, too.
            if down.limited:
                down.own.refill(now)
            if down.open:
                content.downloads.refill()
            if up.limited:
                up.own.refill(now)
            if up.open:
                content.uploads.refill()

    def tick(self, now: float) -> None:
        """Every second while the torrent has peers or could have."""
        self.links.call(now)
        self.talk.tick(now)
        self.parts.web.tick(now)
        self._wait_for_v2(now)
        self.swarm.tick(now)
        self.swarm.review_interest()
        if self.options.super_seed:
            self.life.say_upload_only()

    @property
    def active(self) -> bool:
        """Something may happen by itself: the scheduler must tick."""
        if self.awake_parts is None or self.asleep:
            return False
        return self.awake_parts.links.active or (self.holdings is not None and self.holdings.journal.waiting)

    # -- looking

    @property
    def down_rate(self) -> float:
        """Bytes a second from all peers."""
        if self.awake_parts is None:
            return 0.0
        now = self._shared.clock()
        return sum(peer.down.rate(now) for peer in self.awake_parts.swarm.peers.values())

    def view(self) -> TorrentView:
        if self.asleep and self.brief is not None:
            return asleep_view(self, self.brief)
        return torrent_view(self, self._shared.clock())

    def peers(self) -> tuple[PeerView, ...]:
        if self.awake_parts is None:
            return ()
        count = self.content.picker.count if self.content is not None else 0
        return peer_views(self.awake_parts.swarm.peers.values(), count, self._shared.clock())

    def files(self, numbers: Sequence[int] | None = None) -> tuple[FileView, ...]:
        """All, or these. Empty where the metadata is not known, or not at hand: `metadata` fetches it."""
        if self.known is None:
            return ()
        return file_views(self.known.info, self.had[1], self.known.selection.priorities, numbers)
