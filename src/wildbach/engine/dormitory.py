"""Which torrents of a session are awake.

A complete torrent that nobody asks for is a few strings and its trackers: no files, no metainfo, no peers' state. It
wakes when a peer calls whose handshake names it, when a tracker or the DHT has peers for it (`engine.rumours`), or when
its user wants more than the list shows; it sleeps again after a while without peers. Only what is awake is ever looked
at by a clock.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from wildbach.base.errors import FormatError, StorageError, WildbachError
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.disk.datadir import DataDir, TorrentLock
from wildbach.disk.layout import excluded
from wildbach.disk.resume import Progress, ResumeRecord, ResumeStore, Summary
from wildbach.engine import brief as briefs
from wildbach.engine.brief import Brief, OptionsReader
from wildbach.engine.options import AddOptions
from wildbach.engine.reuse import OWN
from wildbach.engine.rumours import Rumours
from wildbach.engine.selection import Selection
from wildbach.engine.settings import Settings
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.runtime import garbage
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

_PAGE: Final = 250
"Torrents restored in one turn of the loop."
_ANNOUNCE_PAUSE: Final = 0.05
"Between pages of torrents that are announced for the first time in a run."
_AT_ONCE: Final = 4
"Torrents that wake or go to sleep at the same time."
_WAITING: Final = 256
"Torrents that wait to be woken for peers a tracker named; the next announce names them again."
_WRITTEN: Final = 250
"Torrents of which it is written down in one step what was asked of them."
_MANY: Final = 1000
"Restored torrents from which on the garbage collector is to leave them alone."
_LOOK_SECONDS: Final = 10.0
_IDLE_MOST: Final = 100
"Torrents that may be awake without peers; of more than that the longest idle go to sleep early."


class DormitoryOwner(Protocol):
    settings: Settings

    def adopt(self, key: str, hashes: InfoHashes, options: AddOptions, brief: Brief | None) -> Torrent:
        """Make a torrent that is listed and can be called."""

    def known(self, hashes: InfoHashes) -> Torrent | None: ...

    def torrent(self, key: str) -> Torrent | None: ...


class Dormitory:
    """Wakes torrents, sends them to sleep, and restores those of the last run."""

    def __init__(
        self, owner: DormitoryOwner, scope: Scope, threads: Threads, clock: Callable[[], float],
        report: Callable[[Exception], None], *, resume: ResumeStore, lasting: bool, data: DataDir | None,
    ) -> None:
        self._owner = owner
        self._scope = scope
        self._threads = threads
        self._clock = clock
        self._report = report
        self._resume = resume
        self._lasting = lasting
        "The store keeps what it was given: torrents may sleep."
        self._data = data
        self.awake: dict[str, Torrent] = {}
        self._idle: dict[str, float] = {}
        "Since when torrents that may sleep are without peers, the longest first."
        self._turning: dict[str, asyncio.Task[None]] = {}
        self._rumours = Rumours()
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._timer: asyncio.TimerHandle | None = None
        self._many = False
        """The collector was told to leave torrents alone: to see them all would stop the loop for long, and so would
        the lists and sets that others make of them."""
        self._unwritten: dict[str, int] = {}
        "Torrents that are not open and of which the store does not know all, each with the number of its last change."
        self._changes = 0
        self._written = asyncio.Event()
        self.closed = False

    async def close(self) -> None:
        self.closed = True
        if self._many:
            self._many = False
            garbage.end()
            gc.unfreeze()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._write_all()

    # -- awake

    def stirred(self, key: str) -> None:
        """A torrent has got the parts it has while awake."""
        torrent = self._owner.torrent(key)
        if torrent is not None:
            self.awake[key] = torrent
            self._arm()

    def forget(self, torrent: Torrent) -> None:
        """It is no torrent of the session any more."""
        self.awake.pop(torrent.key, None)
        self._idle.pop(torrent.key, None)
        self._unwritten.pop(torrent.key, None)
        self._rumours.forget(torrent.key)

    async def wake_up(self, key: str) -> None:
        """Returns when a torrent that sleeps is awake, or has stopped because it cannot be."""
        while not self.closed:
            torrent = self._owner.torrent(key)
            if torrent is None or not torrent.asleep:
                return
            task = self._turning.get(key)
            if task is None:
                task = self._turn(torrent, self._rouse(torrent))
            await asyncio.wait([task])

    def wake_for(self, key: str, endpoints: tuple[Endpoint, ...], source: str) -> None:
        """Wake a torrent to call these peers. Those that the user did not name may have to wait for the next time."""
        if source == "dht" and not self.closed:
            # Those that are waking hear of no more: each reply of a lookup would have a task.
            waking = key in self._turning or len(self._turning) >= _WAITING
            endpoints = self._rumours.news(key, endpoints, self._clock()) if not waking else ()
        if endpoints and not self.closed and (source == "user" or len(self._turning) < _WAITING):
            self._scope.spawn(f"wake:{key[:8]}", self._wake_for(key, endpoints, source), contain=self._report)

    async def _wake_for(self, key: str, endpoints: tuple[Endpoint, ...], source: str) -> None:
        await self.wake_up(key)
        torrent = self._owner.torrent(key)
        if torrent is not None and not torrent.asleep:
            torrent.add_peers(endpoints, source)

    def _turn(self, torrent: Torrent, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        key = torrent.key
        task = self._scope.spawn(f"turn:{key[:8]}", work, contain=self._report)
        self._turning[key] = task
        task.add_done_callback(lambda _: self._turning.pop(key, None))
        return task

    async def _rouse(self, torrent: Torrent) -> None:
        async with self._gate:
            try:
                lock = await self.claim(torrent.key)
            except StorageError as error:
                torrent.life.stop(error.message, error.code)
                return
            await torrent.life.rouse(lock)

    async def claim(self, key: str) -> TorrentLock | None:
        """The right to write to a torrent. Raises StorageError where another process has it."""
        return await self._threads.run(self._data.claim, key) if self._data is not None else None

    # -- to sleep

    def _arm(self) -> None:
        if self._timer is None and self._lasting and not self.closed and self.awake:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Who has been without peers for long enough?"""
        self._timer = None
        now = self._clock()
        patience = self._owner.settings.disk.sleep_after
        if patience:
            for key, torrent in self.awake.items():
                if not torrent.life.may_sleep:
                    self._idle.pop(key, None)
                else:
                    self._idle.setdefault(key, now)
            for number, (key, since) in enumerate(list(self._idle.items())):
                if now - since < patience and len(self._idle) - number <= _IDLE_MOST:
                    break
                if key not in self._turning:
                    self._turn(self.awake[key], self._retire(self.awake[key]))
        self._arm()

    async def _retire(self, torrent: Torrent) -> None:
        async with self._gate:
            self._idle.pop(torrent.key, None)
            if torrent.life.may_sleep:
                await torrent.life.sleep()
                self.awake.pop(torrent.key, None)

    # -- from one run to the next

    async def restore(self, leaving: frozenset[str] = frozenset()) -> int:
        """Take on what the store remembers, but for those that are `leaving`. Returns how many torrents that are."""
        collecting = gc.isenabled()
        gc.disable()  # nothing is dropped while the list grows; looking for garbage in it again and again costs a third
        try:
            asleep, unfinished = await self._read(leaving)
        finally:
            if collecting:
                gc.enable()
        if len(asleep) >= _MANY:
            self._many = True
            garbage.begin()
            gc.freeze()
        self._scope.spawn("announce", self._announce(asleep), contain=self._report)
        count = len(asleep)
        for summary in unfinished:
            if not self.closed:
                count += await self._restore_awake(summary)
        return count

    async def _read(self, leaving: frozenset[str]) -> tuple[list[Torrent], list[Summary]]:
        """List what is complete. Returns that, and the rest."""
        rows = self._resume.summaries()
        asleep: list[Torrent] = []
        unfinished: list[Summary] = []
        options = OptionsReader()
        ahead = self._threads.begin(_take, rows)
        while (page := await ahead) and not self.closed:
            # The next page is read while this one is listed.
            ahead = self._threads.begin(_take, rows)
            for summary in page:
                if summary.record.key in leaving:
                    continue
                torrent = self._restore_asleep(summary, options) if summary.complete else None
                if torrent is not None:
                    asleep.append(torrent)
                else:
                    unfinished.append(summary)
        return asleep, unfinished

    async def _announce(self, torrents: list[Torrent]) -> None:
        for at in range(0, len(torrents), _PAGE):
            for torrent in torrents[at : at + _PAGE]:
                if self._owner.torrent(torrent.key) is torrent:
                    torrent.start_announcing()
            if self._many and not self.closed:
                gc.freeze()
            # Whoever has so many that this takes long wants to see them listed first.
            await asyncio.sleep(_ANNOUNCE_PAUSE)

    def _restore_asleep(self, summary: Summary, options: OptionsReader) -> Torrent | None:
        """List a complete torrent; None where that takes more than its record."""
        record = summary.record
        if record.moving:
            return None  # its files were on their way when the last run ended, and go on once it is open
        try:
            found, chosen = briefs.read(record), options.read(record)
        except FormatError:
            return None
        if found is None:
            return None
        hashes, brief = found
        if any(priority == 0 for priority in brief.priorities) or self._owner.known(hashes) is not None:
            return None
        torrent = self._owner.adopt(record.key, hashes, chosen, brief if not brief.tiers else Brief(
            brief.name, brief.size, brief.pieces, brief.paused, brief.private, (), brief.priorities,
        ))
        torrent.start_asleep(brief)
        return torrent

    async def _restore_awake(self, summary: Summary) -> int:
        """One that is not complete is opened; so is what only its metainfo tells enough of."""
        record = summary.record
        raw = await self._threads.run(self._resume.metainfo, record.key)
        try:
            metainfo = await self._threads.run(Metainfo.parse, raw) if raw is not None else None
            magnet = Magnet.parse(record.source) if record.source and metainfo is None else None
            found, options = briefs.read(record), OptionsReader().read(record)
        except WildbachError as error:
            self._report(error)
            return 0
        hashes = metainfo.info.hashes if metainfo is not None else magnet.hashes if magnet is not None else None
        if hashes is None or self._owner.known(hashes) is not None:
            return 0
        brief = found[1] if found is not None else None
        if magnet is not None and magnet.select:
            options = replace(options, select=magnet.wants)
        torrent = self._owner.adopt(record.key, hashes, options, brief)
        try:
            torrent.life.lock = await self.claim(torrent.key)
        except StorageError as error:
            torrent.life.stop(error.message, error.code)
            return 1
        if brief is not None:
            tiers: Sequence[Sequence[str]] = brief.tiers
        else:
            tiers = metainfo.trackers if metainfo is not None else ()
        torrent.given = briefs.given(record)
        torrent.start(metainfo, tiers)
        if magnet is not None:
            torrent.parts.web.add(magnet.web_seeds)
            torrent.add_peers([Endpoint(host, port) for host, port in magnet.peers], "magnet")
            torrent.look_for_file(magnet.sources)
        return 1

    async def restore_at(self, key: str, folder: Path) -> None:
        """Take on a torrent that was let go, as one whose files are in another folder; all of them are hashed. Where
        that cannot be written down, it is where it was. Raises StorageError.
        """
        try:
            await self._threads.run(self._write_place, key, folder)
        finally:
            record = await self._threads.run(self._resume.load, key)
            if record is not None:
                await self._restore_awake(Summary(record, False))

    def _write_place(self, key: str, folder: Path) -> None:
        record = self._resume.load(key)
        if record is not None:
            # First nothing is known for sure: a kill in between costs a check, and claims nothing.
            self._resume.commit(key, Progress(record.progress.piece_count, check=True))
            record.save_path, record.incomplete_path, record.moving = str(folder.absolute()), "", {}
            record.options.pop(OWN, None)
            self._resume.save(record)

    async def enlist(
        self, hashes: InfoHashes, metainfo: Metainfo, options: AddOptions, tiers: Sequence[Sequence[str]],
    ) -> None:
        """Remember a torrent before anything else is done for it: it is there after a crash."""
        if not self._lasting:
            return
        info = metainfo.info
        chosen = Selection(info, options.select, excluded=excluded(info, options.exclude))
        record = briefs.new_record(hashes.key, info.name, options)
        record.options[briefs.UNOPENED] = True
        brief = Brief(
            info.name, info.size, info.geometry.piece_count, options.paused, info.private,
            tuple([tuple(tier) for tier in tiers]), tuple(chosen.priorities) if chosen.chosen else (),
        )
        record.options[briefs.FIELD] = brief.to_json(hashes, options)
        await self._threads.run(self._write_new, record, metainfo)

    def _write_new(self, record: ResumeRecord, metainfo: Metainfo) -> None:
        if self._resume.load(record.key) is None:
            self._resume.save(record, metainfo.to_bytes())

    async def look_up(
        self, key: str, magnet: Magnet, options: AddOptions, tiers: Sequence[Sequence[str]],
    ) -> Metainfo | None:
        """The torrent file of a magnet link, where a run of before has fetched it. Else the link is remembered."""
        raw = await self._threads.run(self._resume.metainfo, key)
        if raw is not None:
            return await self._threads.run(Metainfo.parse, raw)
        record = briefs.new_record(key, magnet.name, options)
        record.source = magnet.to_uri()
        record.options[briefs.UNOPENED] = True
        brief = Brief(magnet.name, 0, 0, options.paused, tiers=tuple([tuple(tier) for tier in tiers]))
        record.options[briefs.FIELD] = brief.to_json(magnet.hashes, options)
        await self._threads.run(self._resume.save, record)
        return None

    def remember(self, key: str) -> None:
        """What was asked of a torrent changed: write it down soon, as it is then."""
        if not self.closed:
            idle = not self._unwritten
            self._changes += 1
            self._unwritten[key] = self._changes
            self._written.clear()
            if idle:
                self._scope.spawn("remember", self._write_all(), contain=self._report)

    async def _write_all(self) -> None:
        while self._unwritten:
            batch = dict(islice(self._unwritten.items(), _WRITTEN))
            values = {
                key: torrent.written() for key in batch if (torrent := self._owner.torrent(key)) is not None}
            try:
                await self._threads.run(self._resume.change, briefs.FIELD, values)
            except StorageError as error:
                self._report(error)
            for key, change in batch.items():
                if self._unwritten.get(key) == change:
                    del self._unwritten[key]
        self._written.set()

    async def remembered(self) -> None:
        """Returns when nothing is left to be written down."""
        while self._unwritten:
            await self._written.wait()


def _take(rows: Iterator[Summary]) -> list[Summary]:
    return list(islice(rows, _PAGE))
