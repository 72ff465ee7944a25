"""One torrent: the parts of a swarm, wired; its life from metadata to seeding. No algorithm lives here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from wildbach.base import bitfield
from wildbach.base.errors import NetworkError, RemoteError, StorageError, UsageError, WildbachError
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.disk.datadir import TorrentLock
from wildbach.disk.hasher import Expected
from wildbach.disk.layout import Layout
from wildbach.disk.piecework import ChunkResult, PieceSpec
from wildbach.disk.storage import Storage
from wildbach.engine import events
from wildbach.engine.brief import Brief, brief_of
from wildbach.engine.connections import Connections
from wildbach.engine.downloads import Downloads
from wildbach.engine.hashes import Fetched
from wildbach.engine.holdings import Holdings, OpenStorage
from wildbach.engine.leaves import Leaves
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.options import AddOptions
from wildbach.engine.ownlayers import own_layers
from wildbach.engine.peer import Peer
from wildbach.engine.picker import Picker
from wildbach.engine.ratelimits import Gate
from wildbach.engine.shared import Shared
from wildbach.engine.superseed import SuperSeed
from wildbach.engine.swarm import Content, Swarm
from wildbach.engine.talk import Talk
from wildbach.engine.trackerlist import Identity, TrackerList, TrackerView
from wildbach.engine.uploads import Uploads
from wildbach.engine.verdicts import Verdicts
from wildbach.engine.views import FileView, PeerView, TorrentView
from wildbach.protocol import layers
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.wire import codec
from wildbach.runtime.tasks import Scope

_TELL_SECONDS: Final = 0.05
_WHY_SECONDS: Final = 5.0
"Who was asked and sends nothing for so long is a reason why nothing moves."
_V2_SECONDS: Final = 15.0
"How long a hybrid without piece layers waits for a v2 peer before its v1 hashes have to do."


class State(StrEnum):
    METADATA = "metadata"
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    PAUSED = "paused"
    STOPPED = "stopped"
    "Something must change first; the reason says what."


class Parts:
    """What a torrent has while it is awake."""

    __slots__ = (
        "changed", "complete", "down_gate", "links", "metadata", "scope", "swarm", "talk", "up_gate", "verdicts",
    )

    def __init__(self, torrent: Torrent, shared: Shared, scope: Scope) -> None:
        self.scope = scope
        self.swarm = Swarm(torrent, lambda: shared.settings, shared.clock)
        self.talk = Talk(torrent, torrent.hashes, self.swarm.peers, shared.clock)
        self.talk.anonymous = shared.settings.peers.anonymous
        self.talk.pex = shared.settings.peers.pex
        self.talk.port = torrent.port
        self.down_gate = Gate(shared.down)
        self.up_gate = Gate(shared.up)
        self.down_gate.own.limit = torrent.down_limit
        self.up_gate.own.limit = torrent.up_limit
        self.verdicts = Verdicts(torrent, self.swarm.peers, self.talk.hash_fetcher)
        self.links = Connections(torrent, shared, scope, self.swarm, self.talk, self.verdicts, torrent.peer_id)
        self.complete = asyncio.Event()
        self.metadata = asyncio.Event()
        self.changed = asyncio.Event()
        "Set when something a waiter looks at may have changed."


class Torrent:
    """One torrent of a session. Made by `Session.add` and `Session.restore`.

    A complete one that nobody asks for sleeps: it is announced and can be called, and all else of it is in the
    database (`engine.dormitory`). What needs more than `view` wakes it: `metadata`, `recheck`, a peer.
    """

    __slots__ = (
        "_began_incomplete", "_check_progress", "_ending", "_has_bits", "_layers", "_moving", "_next_tell",
        "_open_storage", "_parts", "_piece_hashes", "_priorities", "_received_before", "_sent_before", "_shared",
        "_v1_alone", "_v2_seen", "asleep", "brief", "code", "content", "down_limit", "hashes", "holdings", "key",
        "lock", "metainfo", "number", "options", "peer_id", "port", "reason", "state", "tracker_list", "up_limit",
    )

    def __init__(
        self, shared: Shared, hashes: InfoHashes, options: AddOptions, open_storage: OpenStorage, *, key: str = "",
        port: int = 0, brief: Brief | None = None,
    ) -> None:
        self._shared = shared
        self._open_storage = open_storage
        self.options = options
        self.hashes = hashes
        self.key = key or hashes.key
        self.number = shared.number()
        self.port = port
        "Where peers can call, as trackers are told."
        self.brief = brief
        "What is known of it without its metainfo, where it was restored."
        self.asleep = False
        self.metainfo: Metainfo | None = None
        self.state = State.METADATA
        self.reason = ""
        self.code = ""
        self.peer_id = new_peer_id(shared.rng, anonymous=shared.settings.peers.anonymous)
        self.down_limit = options.down_limit
        self.up_limit = options.up_limit
        self.content: Content | None = None
        self.holdings: Holdings | None = None
        self._ending: Downloads | None = None
        "What was stopped, while the writer may still have something of it."
        self.tracker_list: TrackerList | None = None
        self.lock: TorrentLock | None = None
        "The right to write to it, where other processes may want the same."
        self._parts: Parts | None = None
        self._priorities: Sequence[int] = ()
        self._layers: dict[bytes, bytes] | None = None
        self._piece_hashes: layers.PieceHashes | None = None
        self._check_progress = 0.0
        self._moving: float | None = None
        self._has_bits: bytearray | bytes = b""
        self._sent_before = 0
        self._received_before = 0
        "Bytes until it went to sleep last."
        self._began_incomplete = False
        self._next_tell = 0.0
        self._v1_alone = False
        "A hybrid's pieces are checked by SHA-1 only, as there is nobody to ask for the piece layers."
        self._v2_seen = 0.0

    @property
    def parts(self) -> Parts:
        """Made when they are first needed."""
        parts = self._parts
        if parts is None:
            scope = self._shared.scope.child(f"torrent:{self.key[:8]}")
            parts = self._parts = Parts(self, self._shared, scope)
            self._shared.stirred(self.key)
        return parts

    @property
    def swarm(self) -> Swarm:
        return self.parts.swarm

    @property
    def talk(self) -> Talk:
        return self.parts.talk

    @property
    def links(self) -> Connections:
        return self.parts.links

    @property
    def connected(self) -> int:
        """How many peers it has."""
        return len(self._parts.swarm.peers) if self._parts is not None else 0

    # -- what callers do

    @property
    def name(self) -> str:
        if self.metainfo is not None:
            return self.metainfo.info.name
        return self.brief.name if self.brief is not None else self.key

    @property
    def info(self) -> Info | None:
        return self.metainfo.info if self.metainfo is not None else None

    async def metadata(self) -> Info:
        """Wait until the info dictionary is known. Raises StorageError or UsageError where the torrent stopped."""
        if self.asleep:
            await self._shared.wake_up(self.key)
        await self._wait(self.parts.metadata)
        if self.metainfo is None:
            raise UsageError("the torrent was removed")
        return self.metainfo.info

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
            self._know(metainfo)
        self.tracker_list = announcing.add(
            self, self.hashes.swarms, tiers, private=metainfo is not None and metainfo.info.private
        )
        if self.options.paused:
            self._set_state(State.PAUSED)
        else:
            self._scope.spawn("life", self._life(), contain=self._died)
        self.add_peers(self.options.peers, "user")

    def start_asleep(self, brief: Brief) -> None:
        """Begin to live as what the database says is complete: nothing is opened until somebody asks, nothing is
        announced until `start_announcing`.
        """
        self.asleep = True
        self.tracker_list = self._shared.announcing.add(self, self.hashes.swarms, brief.tiers, private=brief.private)
        self.state = State.PAUSED if brief.paused else State.SEEDING

    def start_announcing(self) -> None:
        self._announce(self.state in (State.METADATA, State.DOWNLOADING, State.SEEDING))

    def add_peers(self, endpoints: Sequence[Endpoint], source: str = "user") -> None:
        """Remember endpoints to call, and call them as there is room."""
        if self.asleep:
            self._shared.wake_for(self.key, tuple(endpoints), source)
        elif endpoints:
            self.links.add(endpoints, source)

    def add_peer(self, endpoint: Endpoint) -> None:
        self.add_peers([endpoint])

    def add_tracker(self, url: str, tier: int | None = None) -> None:
        """Announce to one more tracker. Raises UsageError for a URL that no tracker can have."""
        if self.tracker_list is not None:
            self._shared.announcing.add_tracker(self.tracker_list, url, tier)
            self._remember()

    def remove_tracker(self, url: str) -> None:
        if self.tracker_list is not None:
            self._shared.announcing.remove_tracker(self.tracker_list, url)
            self._remember()

    def reannounce(self, url: str | None = None) -> None:
        """Ask the trackers again as soon as they permit; one of them, or all."""
        if self.tracker_list is not None:
            self._shared.announcing.reannounce(self.tracker_list, url)

    def trackers(self) -> tuple[TrackerView, ...]:
        return self.tracker_list.views(self._shared.clock()) if self.tracker_list is not None else ()

    def set_limits(self, *, down: int | None = None, up: int | None = None) -> None:
        """Change the torrent's own limits, in bytes a second; 0 for none."""
        if down is not None:
            self.down_limit = down
        if up is not None:
            self.up_limit = up
        if self._parts is not None:
            self._parts.down_gate.own.limit = self.down_limit
            self._parts.up_gate.own.limit = self.up_limit
        self._shared.wake()

    async def close(self) -> None:
        """End everything of this torrent; what was claimed as durable stays so."""
        if self._parts is not None:
            await self._quiet()
        if self.holdings is not None:
            with contextlib.suppress(StorageError):
                # What could not be flushed was not claimed either.
                await self.holdings.close()
            self.holdings = None
        if self._parts is not None:
            await self._parts.scope.close()
        if self.tracker_list is not None:
            self._shared.announcing.remove(self.tracker_list)
        if self.lock is not None:
            self.lock.release()

    # -- life

    def _died(self, error: Exception) -> None:
        if isinstance(error, WildbachError):
            self.stop(error.message, error.code)
        else:
            self._shared.report(error)
            self.stop(f"internal error: {error!r}", "internal_error")

    def stop(self, reason: str, code: str) -> None:
        """Stop until somebody acts; shown with the reason."""
        if self.content is not None:
            self._ending = self.content.downloads
            self._ending.stop(keep=False)
            self.content.uploads.running = False
        if self._parts is not None:
            self._parts.swarm.stop()
            self._parts.swarm.close_all(NetworkError("the torrent stopped"))
        self.asleep = False
        self.content = None
        self.code = code
        self._set_state(State.STOPPED, reason)
        self._shared.bus.publish(events.TorrentStopped(self.key, code, reason))

    def _set_state(self, state: State, reason: str = "") -> None:
        self.state = state
        if state is not State.CHECKING:
            self._announce(state in (State.METADATA, State.DOWNLOADING, State.SEEDING))
        self.reason = reason
        if self._parts is not None:
            self._parts.changed.set()
        self._shared.bus.publish(events.StateChanged(self.key, state.value, reason))

    @property
    def _scope(self) -> Scope:
        return self.parts.scope

    async def _life(self) -> None:
        if self.metainfo is None:
            self._set_state(State.METADATA)
            await self.parts.metadata.wait()
        if self.metainfo is None or self.options.metadata_only:
            self._set_state(State.PAUSED)
            return
        await self._open(self.metainfo)

    async def _open(self, metainfo: Metainfo) -> None:
        """Find out what is on the disk, and begin."""
        info = metainfo.info
        missing = self._piece_hashes.missing() if self._piece_hashes is not None else []
        self.talk.want_layers(missing)
        self._set_state(State.CHECKING)
        self._choose(info)
        holdings = self._hold(metainfo)
        have = await holdings.open(self._wanted_files, self._brief().to_json(self.hashes))
        self.holdings = holdings
        if holdings.record.moving:
            self._scope.spawn("move", self._move(holdings, None, None), contain=self._died)
        self._begin(info, holdings.storage, have)

    def _hold(self, metainfo: Metainfo) -> Holdings:
        return Holdings(
            self._shared, self.key, metainfo, self._expected(metainfo.info), self.options, self._scope,
            self._open_storage, progress=self._checking, on_lost=self._lost,
            on_error=lambda error: self.stop(error.message, error.code),
        )

    # -- sleeping

    @property
    def may_sleep(self) -> bool:
        """It is complete and durable, nobody is connected, and nobody is being called."""
        parts, content, holdings = self._parts, self.content, self.holdings
        if parts is None or content is None or holdings is None or self.asleep:
            return False
        journal, picker = holdings.journal, content.picker
        return (
            self.state is State.SEEDING and parts.complete.is_set() and picker.have == picker.full
            and journal.durable == picker.full and not journal.pending
            and not parts.swarm.peers and not parts.links.calling and parts.swarm.super_seed is None
        )

    async def sleep(self) -> None:
        """Keep what a list shows, and let go of all else. Called by the session, where `may_sleep`."""
        holdings, content, parts = self.holdings, self.content, self._parts
        if holdings is None or content is None or parts is None:
            return
        self.brief = replace(self._brief(), tiers=())
        self.asleep = True
        self._sent_before += content.uploads.sent
        self._received_before += content.downloads.received
        await self._quiet()
        self.holdings = None
        with contextlib.suppress(StorageError):
            await holdings.close()
        await parts.scope.close()
        self.metainfo = None
        self._layers = self._piece_hashes = None
        self._has_bits = b""
        self._priorities = ()
        self._parts = None
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    async def rouse(self, lock: TorrentLock | None) -> None:
        """The opposite, from the database. Called by the session; the torrent stops where it cannot be done."""
        self.lock = lock
        try:
            raw = await self._shared.threads.run(self._shared.resume.metainfo, self.key)
            if raw is None:
                raise StorageError("the state has lost its torrent file: add it again", code="state_damaged")
            metainfo = await self._shared.threads.run(Metainfo.parse, raw)
            self._know(metainfo)
            self._choose(metainfo.info)
            holdings = self._hold(metainfo)
            have = await holdings.open(self._wanted_files)
        except WildbachError as error:
            self.stop(error.message, error.code)
            return
        self.holdings = holdings
        self.asleep = False
        if self.state in (State.PAUSED, State.STOPPED):
            return
        self._begin(metainfo.info, holdings.storage, have, again=True)

    def _remember(self) -> None:
        """What was asked for changed: the next run is to know."""
        fresh = self._brief()
        if self.holdings is not None:
            self._scope.spawn("remember", self.holdings.remember(fresh.to_json(self.hashes)), contain=self._died)
        elif self.brief is not None:
            self._shared.remember(self.key, fresh)
        if self.brief is not None:
            self.brief = replace(fresh, tiers=())

    def _brief(self) -> Brief:
        return brief_of(self, self._priorities, paused=self.state is State.PAUSED)

    def _expected(self, info: Info) -> Expected:
        return Expected(info.pieces, self._piece_hashes.get if self._piece_hashes is not None else None)

    def _choose(self, info: Info) -> None:
        """Which files are wanted, from the options; `set_priorities` changes it later."""
        if self.brief is not None and len(self.brief.priorities) == len(info.files):
            self._priorities = list(self.brief.priorities)
            return
        select = self.options.select
        self._priorities = [
            0 if file.pad or (select is not None and not select(index, file)) else 1
            for index, file in enumerate(info.files)
        ]

    @property
    def _wanted_files(self) -> list[int]:
        return [i for i, priority in enumerate(self._priorities) if priority > 0]

    def _levels(self, info: Info) -> list[int]:
        """Disjoint sets of pieces by priority, the highest first. A piece of two files gets the higher one."""
        width = bitfield.width_of(info.geometry.piece_count)
        levels, seen = [], 0
        for priority in sorted({p for p in self._priorities if p > 0}, reverse=True):
            mask = 0
            for index, own in enumerate(self._priorities):
                if own == priority:
                    pieces = info.geometry.file_pieces(index)
                    mask |= bitfield.span(pieces.start, pieces.stop, width)
            levels.append(mask & ~seen)
            seen |= mask
        return levels

    async def set_priorities(self, priorities: Mapping[int, int]) -> None:
        """Choose files while running: index to 0 (not wanted) to 7 (first). Files left out keep theirs."""
        info = await self.metadata()
        chosen = list(self._priorities)
        for index, priority in priorities.items():
            if not 0 <= index < len(info.files) or not 0 <= priority <= 7:
                raise UsageError(f"no file {index} or no priority {priority}")
            chosen[index] = priority
        self._priorities = chosen
        self._remember()
        if self.content is None or self.holdings is None:
            return
        await self._shared.threads.run(self.holdings.storage.select, self._wanted_files)
        picker = self.content.picker
        picker.set_levels(self._levels(info))
        for piece in list(picker.open.values()):
            if not bitfield.has(picker.wanted, piece.index, picker.width) and not piece.handed:
                self.content.downloads.abandon(piece)
        self.swarm.review_interest()
        if picker.missing:
            self.parts.complete.clear()
            self.talk.set_upload_only(False)
            self._set_state(State.DOWNLOADING)
        elif not self.parts.complete.is_set():
            self._all_had()
        self._shared.wake()

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

    def _checking(self, done: int, total: int, good: int) -> None:
        self._check_progress = done / total if total else 1.0

    def _lost(self, pieces: int, error: StorageError) -> None:
        """The device did not keep these pieces: nothing since the last good sync is believed."""
        if self.content is not None:
            self.content.picker.lost(pieces)
        self.stop(error.message, error.code)

    @property
    def layouts(self) -> list[Layout]:
        """Where the files are; nothing before the torrent is opened."""
        return self.holdings.layouts if self.holdings is not None else []

    async def move(self, folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring the files to another folder, while they are seeded and written on. `progress` gets (bytes, of all).

        Survives a crash: it is gone on with at the next start. Raises StorageError, code `target_exists` where
        something is in the way (then nothing was touched), and `busy` while another move goes on.
        """
        await self._relocate(folder, {}, progress)

    async def rename_file(self, index: int, path: str) -> None:
        """Give a file another path below the torrent's folder on disk, components parted by `/`. Raises as `move`."""
        info = await self.metadata()
        parts = tuple(path.split("/"))
        if not 0 <= index < len(info.files) or any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise UsageError(f"no file {index}, or not a path: {path!r}")
        await self._relocate(None, {index: parts}, None)

    async def _relocate(
        self, folder: Path | None, renames: Mapping[int, tuple[str, ...]], progress: Callable[[int, int], None] | None,
    ) -> None:
        await self.metadata()
        if self.holdings is None:
            raise UsageError("the torrent has not been opened yet")
        await self._move(self.holdings, self.holdings.target(folder, renames), progress)

    async def _move(
        self, holdings: Holdings, target: Layout | None, progress: Callable[[int, int], None] | None,
    ) -> None:
        def moved(done: int, total: int) -> None:
            self._moving = done / total if total else 1.0
            if progress is not None:
                progress(done, total)

        try:
            await holdings.move(target, moved)
        finally:
            self._moving = None

    @property
    def _folder(self) -> Path:
        asked = self.options.save_path
        layouts = self.layouts
        if not layouts or layouts[0].root == str(asked.absolute()):
            return asked  # as the caller wrote it, until it moves
        return Path(layouts[0].root)

    async def recheck(self) -> None:
        """Hash everything on the disk anew; peers are let go meanwhile."""
        info = await self.metadata()
        if self.holdings is None:
            raise UsageError("the torrent has not been opened yet")
        await self._quiet()
        self.parts.complete.clear()
        self._set_state(State.CHECKING)
        have = await self.holdings.recheck()
        self._begin(info, self.holdings.storage, have)

    async def _quiet(self) -> None:
        """No block comes or goes any more, and the writer has nothing of ours."""
        content, self.content = self.content, None
        self.swarm.stop()
        self.swarm.close_all(NetworkError("the torrent is being checked or stopped"))
        if content is not None:
            self._ending = content.downloads
            self._ending.stop(keep=True)
            content.uploads.running = False
        if self._ending is not None:
            idle = asyncio.Event()
            self._ending.when_idle(idle.set)
            await idle.wait()
            self._ending = None

    async def pause(self) -> None:
        """Let go of all peers and stop asking; what was received is flushed."""
        if self.state in (State.PAUSED, State.STOPPED):
            return
        if self._parts is not None:
            await self._quiet()
        if self.holdings is not None:
            await self.holdings.journal.flush()
        self._set_state(State.PAUSED)
        self._remember()

    async def resume(self) -> None:
        """Go on after a pause, or after a stop whose reason is gone."""
        if self.state not in (State.PAUSED, State.STOPPED):
            return
        self.code = ""
        if self.asleep:
            self._set_state(State.SEEDING)
        elif self.holdings is not None and self.metainfo is not None:
            if self.state == State.STOPPED:
                await self.recheck()
            else:
                self._begin(self.metainfo.info, self.holdings.storage, self.holdings.journal.claimed)
        else:
            self._scope.spawn("life", self._life(), contain=self._died)
        self._remember()

    def _know(self, metainfo: Metainfo) -> None:
        self.metainfo = metainfo
        info = metainfo.info
        self._learn_hashes(info.hashes)
        self._layers = dict(metainfo.piece_layers)
        if info.has_v2:
            self._piece_hashes = layers.PieceHashes(info.geometry, info.roots, self._layers)
            if self._piece_hashes.missing():
                self.links.reconnect_as_v2()
        self.parts.verdicts.know(info, self._piece_hashes)
        leaves = None
        if self._piece_hashes is not None:
            leaves = Leaves(info, self._piece_hashes, self._has, self._storage, self._shared.threads)
        self.talk.know(info, self._layers, leaves)
        self.parts.metadata.set()
        self.parts.changed.set()

    def _begin(self, info: Info, storage: Storage, have: int, *, again: bool = False) -> None:
        """All is known: exchange blocks. `again`: after a sleep, of which nobody is told."""
        shared = self._shared
        geometry = info.geometry
        picker = Picker(geometry, have, shared.rng)
        picker.sequential = self.options.sequential
        picker.set_levels(self._levels(info))
        downloads = Downloads(
            self.number, picker, shared.pool, shared.writer, storage, self._spec, self, shared.clock, self._gate_down,
            shared.threads.submit, self._note_blocks,
        )
        uploads = Uploads(
            geometry, storage, shared.threads, shared.buffers, self._has, self._gate_up,
            lambda error: self.stop(error.message, error.code),
        )
        self._began_incomplete = bool(picker.missing)
        self._has_bits = bytearray(bitfield.to_wire(have, geometry.piece_count))
        self.content = Content(picker, downloads, uploads)
        self._v2_seen = shared.clock()
        if picker.missing and self.options.seed_only:
            self.content = None
            self.stop("the data is not complete, and only seeding was asked for", "incomplete")
            return
        if self.holdings is not None:
            downloads.restore(self.holdings.journal.partial)
        if again and not picker.missing:
            self.talk.set_upload_only(True)
            self.parts.complete.set()
            self.swarm.start(self.content)
            self.swarm.choker.restart()
            return
        self._set_state(State.DOWNLOADING)
        if picker.missing:
            shared.writer.prepare()
        if self.options.super_seed and have == picker.full:
            self.swarm.super_seed = SuperSeed(picker.count)
        self.swarm.start(self.content)
        if not picker.missing:
            self._all_had()
        shared.wake()

    def _note_blocks(self, piece: int, blocks: int) -> None:
        if self.holdings is not None:
            self.holdings.journal.blocks(piece, blocks)

    def _all_had(self) -> None:
        """Everything wanted is verified: flush it, then say so."""
        self._say_upload_only()
        self._scope.spawn("finish", self._finish(), contain=self._died)

    def _say_upload_only(self) -> None:
        # Who seems to have nothing, as a super-seed does, and wants nothing either is sent away by others.
        self.talk.set_upload_only(self._whole and self.swarm.super_seed is None)

    async def _finish(self) -> None:
        if self.holdings is None or self.info is None or not self._whole:
            return
        await self._make_layers(self.info, self.holdings)
        await self.holdings.finish(self._wanted_files)
        if self._whole:
            if self.tracker_list is not None and self._began_incomplete:
                self._began_incomplete = False
                self._shared.announcing.completed(self.tracker_list)
            self._seed()

    @property
    def _whole(self) -> bool:
        """All that is wanted is verified."""
        return self.content is not None and not self.content.picker.missing

    def _seed(self) -> None:
        self._set_state(State.SEEDING)
        self.parts.complete.set()
        self.parts.changed.set()
        self._shared.bus.publish(events.TorrentComplete(self.key))
        self.swarm.choker.restart()
        self.swarm.review_interest()

    def _storage(self) -> Storage | None:
        return self.holdings.storage if self.holdings is not None else None

    def _has(self, piece: int) -> bool:
        return piece >> 3 < len(self._has_bits) and bool(self._has_bits[piece >> 3] & (0x80 >> (piece & 7)))

    def _gate_down(self, peer: Peer) -> Gate | None:
        return self._gate(self.parts.down_gate, peer)

    def _gate_up(self, peer: Peer) -> Gate | None:
        return self._gate(self.parts.up_gate, peer)

    def _gate(self, gate: Gate, peer: Peer) -> Gate | None:
        if not gate.limited or (not self._shared.settings.rates.limit_local and self._shared.local(peer.remote)):
            return None
        return gate

    def _spec(self, piece: int) -> PieceSpec | None:
        """What a piece must hash to; None while a hash of it is still being fetched (BEP 52)."""
        info = self.info
        if info is None:
            return None
        geometry = info.geometry
        size = geometry.piece_size(piece)
        v1 = info.pieces[20 * piece : 20 * piece + 20] if info.pieces is not None else None
        v2, height = None, 0
        if self._piece_hashes is not None:
            v2 = self._piece_hashes.get(piece)
            if v2 is None and (v1 is None or not self._v1_alone):
                return None
            height = self._piece_hashes.height(piece)
        return PieceSpec(size, v1, geometry.v1_tail(piece), v2, height, info.has_v2)

    # -- Judge: what became of pieces

    def passed(self, piece: OpenPiece, digests: bytes) -> None:
        index = piece.index
        bits = self._has_bits
        if isinstance(bits, bytearray):
            bits[index >> 3] |= 0x80 >> (index & 7)
        self.parts.verdicts.passed(piece, digests)
        if self.holdings is not None:
            self.holdings.written(index)
        self.swarm.have(index)
        self._shared.bus.publish(events.PieceDone(self.key, index))
        self._shared.wake()
        if self.content is not None and not self.content.picker.missing:
            self.swarm.tell()
            self._all_had()

    def failed(self, piece: OpenPiece, result: ChunkResult) -> None:
        if result.conflict:
            self.stop(
                f"piece {piece.index} cannot be right: its v1 and v2 hashes disagree; the torrent is broken",
                "hybrid_conflict",
            )
            return
        self._shared.bus.publish(events.PieceFailed(self.key, piece.index))
        self.parts.verdicts.failed(piece, result.digests)
        self.talk.ask_for_hashes()

    def broken(self, result: ChunkResult) -> None:
        self.stop(result.error, result.code or "storage_error")

    def can_mend(self, piece: int) -> bool:
        return self.parts.verdicts.can_mend(piece)

    def mend(self, piece: int, false: int) -> None:
        if self.content is not None:
            self.content.downloads.mend(piece, false)

    def wants_digests(self, piece: int) -> bool:
        return self.parts.verdicts.wants_digests(piece)

    def ban(self, endpoint: Endpoint, reason: str) -> None:
        """Have nothing to do with who is proven guilty, connected or not."""
        now = self._shared.clock()
        if not endpoint.port or self._shared.bans.banned(endpoint, now):
            return
        self._shared.bans.ban(endpoint, reason, now)
        self._shared.bus.publish(events.PeerBanned(self.key, str(endpoint), reason))
        for peer in list(self.swarm.peers.values()):
            if self._shared.bans.banned(peer.remote, now):
                peer.close(RemoteError(reason))
                if self.content is not None:
                    self.content.downloads.distrust(peer)
        self.links.known.forget(endpoint)

    # -- TalkOwner

    def metadata_found(self, raw: bytes) -> None:
        """The info dictionary of a magnet has come and hashes right."""
        try:
            info = Info.parse(raw)
        except WildbachError as error:
            self.stop(f"the torrent's metadata is broken: {error.message}", error.code)
            return
        self._know(Metainfo.from_info(info))
        if self.tracker_list is not None:
            self.tracker_list.private = info.private
        self._shared.bus.publish(events.MetadataReady(self.key, info.name, info.size))

    def layers_found(self, root: bytes, layer: bytes) -> None:
        if self._layers is not None:
            self._layers[root] = layer
        if self.content is not None:
            self.content.downloads.hashes_known()
        if self._piece_hashes is not None and not self._piece_hashes.missing():
            self._scope.spawn("layers", self._keep_layers(), contain=self._died)

    async def _keep_layers(self) -> None:
        """The torrent file is complete now, with all its piece layers."""
        if self.metainfo is not None and self.holdings is not None and self._layers is not None:
            self.metainfo = replace(self.metainfo, piece_layers=dict(self._layers))
            await self.holdings.keep(self.metainfo)

    def _wait_for_v2(self, now: float) -> None:
        """A hybrid's piece layers are missing. While no v2 peer is there to be asked, its v1 hashes have to do."""
        if self._piece_hashes is None or self.content is None or self.talk.hash_fetcher.idle:
            return
        if self.talk.hash_fetcher.peers:
            self._v1_alone = False
            self._v2_seen = now
        elif not self._v1_alone and now - self._v2_seen > _V2_SECONDS:
            self._v1_alone = True
            self.content.downloads.hashes_known()

    async def _make_layers(self, info: Info, holdings: Holdings) -> None:
        """What is there by its v1 hashes alone has to have its v2 roots too."""
        missing = self._piece_hashes.missing() if self._piece_hashes is not None else []
        if not missing or self.content is None:
            return
        picker = self.content.picker
        have = bitfield.indices(picker.have, picker.width)
        for root, layer in (await own_layers(self._shared.hasher, info, holdings.storage, have, missing)).items():
            self.talk.hash_fetcher.forget_layer(root)
            self.layers_found(root, layer)

    def leaves_found(self, found: Fetched) -> None:
        self.parts.verdicts.leaves(found)

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
        if content is not None and self.metainfo is not None:
            left = _bytes(self.metainfo.info, content.picker.full & ~content.picker.have)
        return Identity(
            self.peer_id, self.port, self.sent, self.received, left,
            partial=content is not None and left > 0 and not content.picker.missing,
        )

    @property
    def sent(self) -> int:
        """Bytes of content sent to peers in this run."""
        return self._sent_before + (self.content.uploads.sent if self.content is not None else 0)

    @property
    def received(self) -> int:
        return self._received_before + (self.content.downloads.received if self.content is not None else 0)

    def on_peers(self, peers: list[Endpoint]) -> None:
        self.add_peers(peers, "tracker")

    def on_tracker(self, view: TrackerView) -> None:
        self._shared.bus.publish(events.TrackerAnnounced(self.key, view.url, view.peers, view.message))

    def on_tracker_switch(self) -> None:
        if self._parts is not None:
            self._parts.swarm.close_all(NetworkError("the torrent is private and its tracker changed"))
            self._parts.links.forget_all()

    def _announce(self, on: bool) -> None:
        if self.tracker_list is not None:
            if on:
                self._shared.announcing.start(self.tracker_list)
            else:
                self._shared.announcing.stop(self.tracker_list)

    # -- SwarmOwner

    def extended(self, peer: Peer, message: codec.Extended) -> None:
        self.talk.extended(peer, message)

    def hash_message(self, peer: Peer, message: codec.HashMessage) -> None:
        self.talk.hash_message(peer, message)

    def peer_left(self, peer: Peer, error: Exception | None) -> None:
        self.links.left(peer, error)

    def bug(self, peer: Peer) -> None:
        if self._shared.bug(peer):
            self.stop("internal error; see the log", "internal_error")

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
        if content is not None:
            content.downloads.pulse(now)
            down, up = self.parts.down_gate, self.parts.up_gate
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
        self._wait_for_v2(now)
        self.swarm.tick(now)
        self.swarm.review_interest()
        if self.options.super_seed:
            self._say_upload_only()

    @property
    def active(self) -> bool:
        """Something may happen by itself: the scheduler must tick."""
        if self._parts is None or self.asleep:
            return False
        return self._parts.links.active or (self.holdings is not None and self.holdings.journal.waiting)

    # -- looking

    def view(self) -> TorrentView:
        now = self._shared.clock()
        info = self.info
        content = self.content
        if self.asleep and self.brief is not None:
            return self._asleep_view(self.brief)
        peers = self.swarm.peers.values()
        down = sum(peer.down.rate(now) for peer in peers)
        up = sum(peer.up.rate(now) for peer in peers)
        have = wanted = 0
        pieces = bytes((info.geometry.piece_count + 7) // 8) if info is not None else b""
        if content is not None and info is not None:
            picker = content.picker
            wanted = _bytes(info, picker.wanted)
            have = _bytes(info, picker.wanted & picker.have)
            pieces = bitfield.to_wire(picker.have, picker.count)
        progress = self._check_progress if self.state is State.CHECKING else (have / wanted if wanted else 0.0)
        if content is not None and not wanted:
            progress = 1.0
        left = wanted - have
        return TorrentView(
            self.key, self.name, self.state.value, self.reason or self._why(), self.code,
            (self.hashes.v1 or b"").hex(), (self.hashes.v2 or b"").hex(),
            info.size if info is not None else 0, wanted, have, progress,
            self.received, self.sent,
            content.downloads.wasted if content is not None else 0,
            down, up, len(self.swarm.peers), sum(1 for peer in peers if peer.seed), len(self.links.known),
            left / down if left and down > 1 else None,
            info.geometry.piece_count if info is not None else 0, pieces, str(self._folder), self._moving,
        )

    def _asleep_view(self, brief: Brief) -> TorrentView:
        return TorrentView(
            self.key, self.name, self.state.value, self.reason, self.code,
            (self.hashes.v1 or b"").hex(), (self.hashes.v2 or b"").hex(), brief.size, brief.size, brief.size, 1.0,
            self.received, self.sent, 0, 0.0, 0.0, 0, 0, 0, None,
            brief.pieces, bitfield.to_wire(bitfield.full(brief.pieces), brief.pieces), str(self.options.save_path),
        )

    def _why(self) -> str:
        """Why nothing moves, in plain words."""
        if self.state not in (State.METADATA, State.DOWNLOADING):
            return ""
        peers = list(self.swarm.peers.values())
        if not peers:
            if self.links.calling:
                return f"calling {self.links.calling} peers"
            reason = self.tracker_list.reason(self._shared.clock()) if self.tracker_list is not None else ""
            if reason and not len(self.links.known):
                return f"no peers: {reason}"
            return "no peers are known" if not len(self.links.known) else "none of the known peers answers"
        if self.state is State.METADATA:
            return self.talk.reason
        now = self._shared.clock()
        if any(
            peer.owed.blocks and now - max(peer.waiting_since or 0.0, peer.owed.oldest) < _WHY_SECONDS for peer in peers
        ):
            return ""
        if not any(peer.am_interested for peer in peers):
            return "the connected peers have nothing that is missing here"
        if all(peer.choked for peer in peers):
            return "waiting for a peer to serve us"
        able = sum(peer.am_interested and not peer.choked for peer in peers)
        return self.talk.reason or f"{able} peers say they have what is missing here and do not send it"

    def peers(self) -> tuple[PeerView, ...]:
        if self._parts is None:
            return ()
        now = self._shared.clock()
        count = self.content.picker.count if self.content is not None else 0
        return tuple(
            PeerView(
                str(peer.remote), peer.client, peer.source, peer.connection.kind, peer.outgoing, peer.seed,
                peer.have.bit_count() / count if count else 0.0, peer.down.rate(now), peer.up.rate(now),
                peer.down.total, peer.up.total, peer.choked, peer.am_choking, peer.interested, peer.am_interested,
                peer.snubbed, peer.v2, peer.owed.blocks,
            )
            for peer in self.swarm.peers.values()
        )

    def files(self) -> tuple[FileView, ...]:
        """Empty where the metadata is not known, or not at hand: `metadata` fetches it."""
        info = self.info
        if info is None:
            return ()
        picker = self.content.picker if self.content is not None else None
        geometry = info.geometry
        out = []
        for index, file in enumerate(info.files):
            if file.pad:
                continue
            pieces = geometry.file_pieces(index)
            have = wanted = 0
            if picker is not None:
                width = picker.width
                wanted = bitfield.span(pieces.start, pieces.stop, width) & picker.wanted
                span = geometry.files[index]
                for piece in bitfield.indices(bitfield.span(pieces.start, pieces.stop, width) & picker.have, width):
                    start = piece * info.piece_length
                    stop = start + geometry.piece_size(piece)
                    have += min(stop, span.offset + span.length) - max(start, span.offset)
            priority = self._priorities[index] if self._priorities else 1
            out.append(FileView(index, str(file.path), file.length, have, bool(wanted), priority))
        return tuple(out)


def _bytes(info: Info, mask: int) -> int:
    """Bytes of content in a set of pieces."""
    geometry = info.geometry
    total = mask.bit_count() * info.piece_length
    width = bitfield.width_of(geometry.piece_count)
    for piece in geometry.short_pieces:
        if bitfield.has(mask, piece, width):
            total -= info.piece_length - geometry.piece_size(piece)
    return total
