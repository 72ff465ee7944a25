"""What a torrent goes through: metadata, checking, downloading, seeding; paused, stopped, asleep.

It is open while it has `content` (blocks may come and go) and holds its files while it has `holdings`. Every change
of state goes through `_set_state`, which tells trackers, waiters and the bus.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any, Protocol

from wildbach.base import bitfield
from wildbach.base.errors import NetworkError, RemoteError, StorageError, UsageError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.base.words import plural
from wildbach.disk.datadir import TorrentLock
from wildbach.disk.piecework import ChunkResult
from wildbach.disk.storage import CHANGED, Storage
from wildbach.disk.system import storage_error
from wildbach.engine import events
from wildbach.engine.assumed import Assumed
from wildbach.engine.brief import FIELD, Brief, Given
from wildbach.engine.downloads import Downloads
from wildbach.engine.holdings import Holdings, OpenStorage
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.options import AddOptions
from wildbach.engine.ownlayers import own_layers
from wildbach.engine.parts import Known, Parts
from wildbach.engine.picker import Picker
from wildbach.engine.selection import Selection
from wildbach.engine.shared import Shared
from wildbach.engine.state import State
from wildbach.engine.superseed import SuperSeed
from wildbach.engine.swarm import Content
from wildbach.engine.trackerlist import TrackerList
from wildbach.engine.uploads import Uploads
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.runtime.rng import derived


class Living(Protocol):
    """The torrent whose life it is."""

    key: str
    number: int
    hashes: InfoHashes
    options: AddOptions
    brief: Brief | None
    given: Given
    "Peers that were named, while something is missing."
    known: Known | None
    tracker_list: TrackerList | None
    awake_parts: Parts | None
    "None while nobody needed them."

    @property
    def parts(self) -> Parts:
        """Made when they are first needed."""
        ...

    @property
    def reading(self) -> bool:
        """Somebody reads its files."""
        ...

    def news(self, piece: int | None = None) -> None:
        """Readers shall look again; `piece`: this one is verified."""
        ...

    def know(self, metainfo: Metainfo) -> Known:
        """The metadata is here."""
        ...

    def written(self) -> dict[str, Any]:
        """That, as JSON values."""
        ...

    def change_options(self, options: AddOptions) -> None: ...

    def describe(self) -> Brief:
        """What a later run has to know of the torrent."""
        ...

    def remember(self) -> None:
        """What was asked for changed: the next run is to know."""
        ...

    def layers_found(self, root: bytes, layer: bytes) -> None: ...

    def use_dht(self, on: bool) -> None:
        """Look it up and announce it in the DHT from now on, or do not."""
        ...


class Life:
    """The state of one torrent, and the judge of its pieces (`downloads.Judge`)."""

    __slots__ = (
        "_began_incomplete", "_ended", "_has_bits", "_open_storage", "_owner", "_received_before", "_sent_before",
        "_shared", "_wasted_before", "asleep", "check_progress", "code", "content", "holdings", "lock", "opening",
        "reason", "state", "unwritten",
    )

    def __init__(self, owner: Living, shared: Shared, open_storage: OpenStorage) -> None:
        self._owner = owner
        self._shared = shared
        self._open_storage = open_storage
        self.asleep = False
        self.state = State.METADATA
        self.reason = ""
        self.code = ""
        self.check_progress = 0.0
        self.content: Content | None = None
        self.holdings: Holdings | None = None
        self.opening = False
        "Its record is being read or written: what is to be remembered meanwhile is written after that."
        self.unwritten = False
        "There is such a thing."
        self.lock: TorrentLock | None = None
        "The right to write to it, where other processes may want the same."
        self._ended: asyncio.Event | None = None
        "Set when the writer has nothing any more of what was stopped last."
        self._has_bits: bytearray | bytes = b""
        self._sent_before = 0
        self._received_before = 0
        self._wasted_before = 0
        "Bytes of what is not open any more."
        self._began_incomplete = False

    def begin(self) -> None:
        """Called once."""
        if self._owner.options.paused:
            self._set_state(State.PAUSED)
        else:
            self._go()

    def begin_asleep(self, *, paused: bool) -> None:
        """As what the database says is complete: nothing is opened, nothing is announced until `announce`."""
        self.asleep = True
        self.state = State.PAUSED if paused else State.SEEDING

    def announce(self) -> None:
        """Tell the trackers and the DHT, or do not, as the state wants it."""
        trackers = self._owner.tracker_list
        on = self.state in (State.METADATA, State.DOWNLOADING, State.SEEDING)
        self._owner.use_dht(on)
        if trackers is None:
            return
        if on:
            self._shared.announcing.start(trackers)
        else:
            self._shared.announcing.stop(trackers)

    def _go(self) -> None:
        self._owner.parts.scope.spawn("life", self._life(), contain=self.died)

    @property
    def sent(self) -> int:
        """Bytes of content sent to peers in this run."""
        return self._sent_before + (self.content.uploads.sent if self.content is not None else 0)

    @property
    def received(self) -> int:
        return self._received_before + (self.content.downloads.received if self.content is not None else 0)

    @property
    def wasted(self) -> int:
        """Bytes received in this run and not used."""
        return self._wasted_before + (self.content.downloads.wasted if self.content is not None else 0)

    @property
    def whole(self) -> bool:
        """All that is wanted is verified."""
        return self.content is not None and not self.content.picker.missing

    async def close(self) -> None:
        """End everything; what was claimed as durable stays so."""
        if self._owner.awake_parts is not None:
            await self._quiet()
        if self.holdings is not None:
            with contextlib.suppress(StorageError):
                # What could not be flushed was not claimed either.
                await self.holdings.close()
            self.holdings = None
        if self._owner.awake_parts is not None:
            await self._owner.awake_parts.scope.close()
        if self.unwritten:
            # It was being opened, and what was asked for meanwhile has to come back all the same.
            with contextlib.suppress(StorageError):
                await self._shared.threads.run(
                    self._shared.resume.change, FIELD, {self._owner.key: self._owner.written()})
        if self.lock is not None:
            self.lock.release()

    # -- from state to state

    def died(self, error: Exception) -> None:
        if isinstance(error, WildbachError):
            self.stop(error.message, error.code)
        else:
            self._shared.report(error)
            self.stop(f"internal error: {error!r}", "internal_error")

    def stop(self, reason: str, code: str) -> None:
        """Stop until somebody acts; shown with the reason."""
        self._leave_content(keep=False)
        if self._owner.awake_parts is not None:
            self._owner.awake_parts.swarm.stop()
            self._owner.awake_parts.swarm.close_all(NetworkError("the torrent stopped"))
        self.asleep = False
        self.code = code
        self._set_state(State.STOPPED, reason)
        if self.holdings is not None:
            self._owner.parts.scope.spawn("rest", self._rest(self.holdings), contain=self._shared.report)
        self._shared.bus.publish(events.TorrentStopped(self._owner.key, code, reason))

    async def _rest(self, holdings: Holdings) -> None:
        """It is stopped: what it has open, others may need."""
        await self._idle()
        if self.state is State.STOPPED and self.holdings is holdings:
            await holdings.rest()

    def _set_state(self, state: State, reason: str = "") -> None:
        self.state = state
        if state is not State.CHECKING:
            self.announce()
        self.reason = reason
        if self._owner.awake_parts is not None:
            self._owner.awake_parts.changed.set()
        self._owner.news()
        self._shared.bus.publish(events.StateChanged(self._owner.key, state.value, reason))

    async def _life(self) -> None:
        if self._owner.known is None:
            self._set_state(State.METADATA)
            await self._owner.parts.metadata.wait()
        if self._owner.known is None or self._owner.options.metadata_only:
            self._set_state(State.PAUSED)
            return
        await self._open(self._owner.known)

    async def open(self) -> None:
        """Find out what is on the disk of one that stands still and has not run yet; it goes on standing still."""
        known = self._owner.known
        if known is not None and self.state is State.PAUSED and self.holdings is None and not self.asleep:
            await self._open(known, begin=False)

    async def _open(self, known: Known, *, begin: bool = True) -> None:
        """Find out what is on the disk, and begin."""
        self._owner.parts.talk.want_layers(known.specs.missing)
        self._set_state(State.CHECKING)
        holdings = self._hold(known)
        self.opening = True
        try:
            await self._shared.remembered()
            have = await holdings.open(known.selection.wanted, self._owner.written())
            self.holdings = holdings
        finally:
            self.opening = False
        self.unwritten = False
        self._owner.remember()
        if self._owner.options.check_only or not begin:
            self._set_state(State.PAUSED)
            return
        if holdings.record.moving:
            self._owner.parts.scope.spawn("move", self._owner.parts.relocation.go_on(holdings), contain=self.died)
        if await self._admitted(known, have):
            self._begin(known, holdings.storage, have)

    async def _admitted(self, known: Known, have: int) -> bool:
        """There is room for what is still to come of a cache torrent; it stops where there is none."""
        options, wanted = self._owner.options, known.selection.pieces
        if options.cache and options.fetches and wanted & ~have:
            try:
                await self._shared.admit(self._owner.key, known.info.geometry.bytes_in(wanted | have))
            except StorageError as error:
                self.stop(error.message, error.code)
                return False
        return True

    def _hold(self, known: Known) -> Holdings:
        return Holdings(
            self._shared, self._owner.key, known.specs.metainfo, known.specs.expected, self._owner.options,
            self._owner.parts.scope, self._open_storage, progress=self._checking, on_lost=self._lost,
            on_error=lambda error: self.stop(error.message, error.code),
        )

    def _begin(self, known: Known, storage: Storage, have: int, *, again: bool = False) -> None:
        """All is known: exchange blocks. `again`: after a sleep, of which nobody is told."""
        shared = self._shared
        geometry = known.info.geometry
        gates = self._owner.parts.gates
        picker = Picker(geometry, have, derived(shared.rng, "picker"))
        picker.sequential = self._owner.options.sequential
        picker.set_levels(known.selection.levels(ends_first=self._owner.options.ends_first))
        downloads = Downloads(
            self._owner.number, picker, shared.pool, shared.writer, storage, known.specs.get, self, shared.clock,
            gates.down_of, shared.threads.submit, self._note_blocks,
        )
        uploads = Uploads(
            geometry, storage, shared.threads, shared.buffers, self.has, gates.up_of,
            lambda error: self.stop(error.message, error.code),
        )
        self._began_incomplete = bool(picker.missing)
        self._has_bits = bytearray(bitfield.to_wire(have, geometry.piece_count))
        self.content = Content(picker, downloads, uploads)
        known.specs.begin(shared.clock())
        if picker.missing and not self._owner.options.fetches:
            self.content = None
            self._not_all_here(picker)
            return
        if self.holdings is not None:
            downloads.restore(self.holdings.journal.partial)
            self._assume(self.holdings, geometry.piece_count)
        if again and not picker.missing:
            self._owner.parts.talk.set_upload_only(True)
            self._owner.parts.complete.set()
            self._owner.parts.swarm.start(self.content)
            self._owner.parts.swarm.choker.restart()
            return
        self._set_state(State.DOWNLOADING)
        if picker.missing:
            shared.writer.prepare()
        if self._owner.options.super_seed and have == picker.full:
            self._owner.parts.swarm.super_seed = SuperSeed(picker.count)
        self._owner.parts.talk.hash_fetcher.delay = downloads.haste.delay
        self._owner.parts.swarm.start(self.content)
        self._owner.parts.web.tick(shared.clock())
        if not picker.missing:
            self._all_had()
        shared.wake()

    def _not_all_here(self, picker: Picker) -> None:
        lack = picker.missing.bit_count()
        known = self._owner.known
        if self._owner.options.in_place and known is not None:
            at = next(iter(bitfield.indices(picker.missing, picker.width))) * known.info.geometry.piece_length
            file = known.info.files[known.info.geometry.extents(at, 1)[0].file]
            self.stop(
                f"{'/'.join(file.path.parts)} has changed, or is not there: what is seeded in place is left as it is",
                CHANGED,
            )
            return
        self.stop(
            f"{lack:,} of {plural(picker.wanted.bit_count(), 'piece')} {'is' if lack == 1 else 'are'} not here "
            "or not good, and only seeding was asked for",
            "incomplete",
        )

    # -- what was assumed

    def _assume(self, holdings: Holdings, count: int) -> None:
        """Nothing is sent that was not hashed."""
        if not holdings.assumed:
            return

        def ask() -> None:
            self._owner.parts.scope.spawn("verify", self._verify(assumed, holdings), contain=self.died)

        assumed = self._owner.parts.swarm.assumed = Assumed(holdings.assumed, count, ask)

    async def _verify(self, assumed: Assumed, holdings: Holdings) -> None:
        """Hash what is asked for and was only assumed to be good."""
        swarm = self._owner.parts.swarm
        while swarm.assumed is assumed and (due := assumed.due):
            good = (await holdings.check(due)).good
            if swarm.assumed is not assumed or self.content is None:
                return
            holdings.settled(due, good)
            if due & ~good:
                self._take_back(due & ~good, self.content)
            for peer, items in assumed.settle(due):
                try:
                    self.content.uploads.requests(peer, items)
                except RemoteError as error:
                    peer.close(error)

    async def prove(self, pieces: int) -> None:
        """Hash pieces that were only taken as good; those that are not are fetched again. Raises StorageError."""
        holdings = self.opened()
        good = (await holdings.check(pieces)).good
        if self.holdings is not holdings:
            return
        holdings.settled(pieces, good)
        if pieces & ~good and self.content is not None:
            self._take_back(pieces & ~good, self.content)

    def _take_back(self, pieces: int, content: Content) -> None:
        """These pieces are not there after all: fetch them."""
        parts, picker = self._owner.parts, content.picker
        picker.lost(pieces)
        self._has_bits = bytearray(bitfield.to_wire(picker.have, picker.count))
        parts.swarm.suggestions = None
        parts.talk.lost(bitfield.indices(pieces, picker.width))
        if not self._owner.options.fetches:
            self._not_all_here(picker)
            return
        self._shared.writer.prepare()
        self._resume_download(content)

    def _resume_download(self, content: Content) -> None:
        """Something is missing again."""
        parts = self._owner.parts
        if content.picker.missing:
            parts.complete.clear()
            parts.talk.set_upload_only(False)
            self._set_state(State.DOWNLOADING)
        parts.swarm.review_interest()
        self._shared.wake()

    def _note_blocks(self, piece: int, blocks: int) -> None:
        if self.holdings is not None:
            self.holdings.journal.blocks(piece, blocks)

    def _all_had(self) -> None:
        """Everything wanted is verified: flush it, then say so."""
        self.say_upload_only()
        self._owner.parts.scope.spawn("finish", self._finish(), contain=self.died)

    def super_seed(self, on: bool) -> None:
        """The wish changed. It matters at once where everything is here and shown to peers."""
        content = self.content
        if content is None or content.picker.have != content.picker.full:
            return
        swarm = self._owner.parts.swarm
        if on and swarm.super_seed is None:
            swarm.super_seed = SuperSeed(content.picker.count)
            swarm.close_all(NetworkError("super-seeding begins"))
            self._owner.parts.links.known.all_again(self._shared.clock())
        elif not on and swarm.super_seed is not None:
            swarm.end_super_seed()
        self.say_upload_only()

    def say_upload_only(self) -> None:
        # Who seems to have nothing, as a super-seed does, and wants nothing either is sent away by others.
        self._owner.parts.talk.set_upload_only(self.whole and self._owner.parts.swarm.super_seed is None)

    async def _finish(self) -> None:
        if self.holdings is None or self._owner.known is None or not self.whole:
            return
        await self._make_layers(self._owner.known, self.holdings)
        await self.holdings.finish(self._owner.known.selection.wanted)
        final = self.holdings.final
        if final is not None:
            await self._owner.parts.relocation.move(self.holdings, final, None)
        if self.whole:
            if self._owner.tracker_list is not None and self._began_incomplete:
                self._began_incomplete = False
                self._shared.announcing.completed(self._owner.tracker_list)
            self._seed()

    async def _make_layers(self, known: Known, holdings: Holdings) -> None:
        """What is there by its v1 hashes alone has to have its v2 roots too."""
        missing = known.specs.missing
        if not missing or self.content is None:
            return
        picker = self.content.picker
        have = bitfield.indices(picker.have, picker.width)
        for root, layer in (await own_layers(self._shared.hasher, known.info, holdings.storage, have, missing)).items():
            self._owner.parts.talk.hash_fetcher.forget_layer(root)
            self._owner.layers_found(root, layer)

    def _seed(self) -> None:
        self._set_state(State.SEEDING)
        if self._owner.given:
            # Who has all needs nobody.
            self._owner.given = ()
            self._owner.remember()
        self._owner.parts.complete.set()
        self._owner.parts.changed.set()
        self._shared.bus.publish(events.TorrentComplete(self._owner.key))
        self._owner.parts.swarm.choker.restart()
        self._owner.parts.swarm.review_interest()

    async def choose(self, selection: Selection) -> None:
        """Other files are wanted than before, or in another order."""
        parts, content = self._owner.parts, self.content
        if content is None or self.holdings is None:
            return
        await self._shared.threads.run(self.holdings.storage.select, selection.wanted)
        known = self._owner.known
        if self.content is not content or known is None or not await self._admitted(known, content.picker.have):
            return
        if self.content is not content:
            return
        picker = content.picker
        picker.set_levels(selection.levels(ends_first=self._owner.options.ends_first))
        for piece in list(picker.open.values()):
            if not bitfield.has(picker.wanted, piece.index, picker.width) and not piece.handed:
                content.downloads.abandon(piece)
        self._resume_download(content)
        if not picker.missing and not parts.complete.is_set():
            self._all_had()

    def ends_first(self) -> None:
        """The wish for it changed."""
        known, content = self._owner.known, self.content
        if known is not None and content is not None:
            content.picker.set_levels(known.selection.levels(ends_first=self._owner.options.ends_first))

    def storage(self) -> Storage | None:
        return self.holdings.storage if self.holdings is not None else None

    def has(self, piece: int) -> bool:
        return piece >> 3 < len(self._has_bits) and bool(self._has_bits[piece >> 3] & (0x80 >> (piece & 7)))

    def _checking(self, done: int, total: int, good: int) -> None:
        self.check_progress = done / total if total else 1.0

    def _lost(self, pieces: int, error: StorageError) -> None:
        """The device did not keep these pieces: nothing since the last good sync is believed."""
        if self.content is not None:
            self.content.picker.lost(pieces)
        self.stop(error.message, error.code)

    def opened(self) -> Holdings:
        if self.holdings is None:
            raise UsageError("the torrent has not been opened yet")
        return self.holdings

    async def recheck(self) -> None:
        """Hash everything on the disk anew; peers are let go meanwhile."""
        holdings = self.opened()
        await self._quiet()
        self._owner.parts.complete.clear()
        self._set_state(State.CHECKING)
        have = await holdings.recheck()
        if self._owner.known is not None and await self._admitted(self._owner.known, have):
            self._begin(self._owner.known, holdings.storage, have)

    async def _quiet(self) -> None:
        """No block comes or goes any more, and the writer has nothing of ours."""
        self._leave_content(keep=True)
        self._owner.parts.swarm.stop()
        self._owner.parts.swarm.close_all(NetworkError("the torrent is being checked or stopped"))
        await self._idle()

    async def _idle(self) -> None:
        """Returns when the writer has nothing of ours."""
        if self._ended is not None:
            await self._ended.wait()

    def _leave_content(self, *, keep: bool) -> None:
        """Blocks do not come or go any more; `keep` writes what is there of incomplete pieces."""
        content, self.content = self.content, None
        if content is not None:
            self._ended = asyncio.Event()
            content.downloads.stop(keep=keep)
            content.downloads.when_idle(self._ended.set)
            content.uploads.running = False
            self._sent_before += content.uploads.sent
            self._received_before += content.downloads.received
            self._wasted_before += content.downloads.wasted

    async def pause(self) -> None:
        """Let go of all peers and stop asking; what was received is flushed."""
        if self.state in (State.PAUSED, State.STOPPED):
            return
        if self._owner.awake_parts is not None:
            await self._quiet()
        if self.holdings is not None:
            await self.holdings.journal.flush()
            await self.holdings.rest()
        self._set_state(State.PAUSED)
        self._owner.remember()

    async def resume(self) -> None:
        """Go on after a pause, or after a stop whose reason is gone."""
        if self.state not in (State.PAUSED, State.STOPPED):
            return
        self.code = ""
        self._owner.change_options(replace(self._owner.options, metadata_only=False, check_only=False))
        if self._owner.awake_parts is not None:
            self._owner.awake_parts.links.known.all_again(self._shared.clock())
        if self.asleep:
            self._set_state(State.SEEDING)
        elif self.holdings is not None and self._owner.known is not None:
            if self.state == State.STOPPED:
                await self.recheck()
            elif await self._admitted(self._owner.known, self.holdings.journal.claimed):
                self._begin(self._owner.known, self.holdings.storage, self.holdings.journal.claimed)
        else:
            self._go()
        self._owner.remember()

    # -- sleeping

    @property
    def may_sleep(self) -> bool:
        """It is complete and durable, nobody is connected, and nobody is being called."""
        parts, content, holdings = self._owner.awake_parts, self.content, self.holdings
        if parts is None or content is None or holdings is None or self.asleep:
            return False
        journal, picker = holdings.journal, content.picker
        return (
            self.state is State.SEEDING and parts.complete.is_set() and picker.have == picker.full
            and journal.durable == picker.full and not journal.pending
            and not self._owner.reading
            and not parts.swarm.peers and not parts.links.calling and parts.swarm.super_seed is None
        )

    async def sleep(self) -> None:
        """Keep what a list shows, and let go of all else. Called by the session, where `may_sleep`."""
        holdings, parts = self.holdings, self._owner.awake_parts
        if holdings is None or parts is None:
            return
        self._owner.brief = replace(self._owner.describe(), tiers=())
        self.asleep = True
        await self._quiet()
        self.holdings = None
        with contextlib.suppress(StorageError):
            await holdings.close()
        await parts.scope.close()
        self._owner.known = None
        self._has_bits = b""
        self._owner.awake_parts = None
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    async def rouse(self, lock: TorrentLock | None) -> None:
        """The opposite, from the database. Called by the session; the torrent stops where it cannot be done."""
        self.lock = lock
        try:
            raw = await self._shared.threads.run(self._shared.resume.metainfo, self._owner.key)
            if raw is None:
                raise StorageError("the state has lost its torrent file: add it again", code="state_damaged")
            known = self._owner.know(await self._shared.threads.run(Metainfo.parse, raw))
            holdings = self._hold(known)
            await self._shared.remembered()
            have = await holdings.open(known.selection.wanted)
        except WildbachError as error:
            self.stop(error.message, error.code)
            return
        self.holdings = holdings
        self.asleep = False
        if self.state in (State.PAUSED, State.STOPPED):
            return
        if await self._admitted(known, have):
            self._begin(known, holdings.storage, have, again=True)

    # -- Judge

    def passed(self, piece: OpenPiece, digests: bytes) -> None:
        index = piece.index
        bits = self._has_bits
        if isinstance(bits, bytearray):
            bits[index >> 3] |= 0x80 >> (index & 7)
        self._owner.parts.verdicts.passed(piece, digests)
        self._owner.parts.talk.pay.passed(piece)
        if self.holdings is not None:
            self.holdings.written(index)
        self._owner.parts.swarm.have(index)
        self._owner.news(index)
        self._shared.bus.publish(events.PieceDone(self._owner.key, index))
        self._shared.wake()
        if self.content is not None and not self.content.picker.missing:
            self._owner.parts.swarm.tell()
            self._all_had()

    def failed(self, piece: OpenPiece, result: ChunkResult) -> None:
        if result.conflict:
            self.stop(
                f"piece {piece.index} cannot be right: its v1 and v2 hashes disagree; the torrent is broken",
                "hybrid_conflict",
            )
            return
        self._shared.bus.publish(events.PieceFailed(self._owner.key, piece.index))
        self._owner.parts.verdicts.failed(piece, result.digests)
        self._owner.parts.talk.ask_for_hashes()

    def broken(self, result: ChunkResult) -> None:
        if result.code:
            self.stop(result.error, result.code)
        else:
            # A worker process knows the descriptor, and not the name.
            folder = self.holdings.layouts[0].root if self.holdings is not None and self.holdings.layouts else ""
            error = storage_error(OSError(result.errno, result.error), "write to", folder)
            self.stop(error.message, error.code)

    def can_mend(self, piece: int) -> bool:
        return self._owner.parts.verdicts.can_mend(piece)

    def wants_digests(self, piece: int) -> bool:
        return self._owner.parts.verdicts.wants_digests(piece)
