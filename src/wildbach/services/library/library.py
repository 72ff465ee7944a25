"""The library: what was said of each torrent, and what follows from it, once a second.

A torrent of the cache (`AddOptions.cache`) is nobody's download: it does not wait in the queue, meets no limit, is in
no trash, and nobody is told that it is complete, until it is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from wildbach.base.errors import FormatError, UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.engine import events as engine_events
from wildbach.engine.session import Session
from wildbach.engine.settings import RateSettings
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.runtime.bus import Bus, Lagged
from wildbach.runtime.tasks import Scope
from wildbach.runtime.turns import batches, in_turns
from wildbach.services.library import schedule, shares
from wildbach.services.library.book import Book
from wildbach.services.library.checks import Checks
from wildbach.services.library.counting import Counting
from wildbach.services.library.entry import Entry
from wildbach.services.library.events import (
    DownloadFinished,
    LeechBanned,
    LimitReached,
    SlowModeChanged,
    TorrentChanged,
)
from wildbach.services.library.groups import Groups
from wildbach.services.library.history import History
from wildbach.services.library.leeches import leeches
from wildbach.services.library.queue import Candidate, plan, reordered
from wildbach.services.library.settings import (
    DownloadSettings,
    LeechSettings,
    QueueSettings,
    SeedingSettings,
    SlowModeSettings,
    TrashSettings,
)

_TICK_SECONDS: Final = 1.0
_FLUSH_TICKS: Final = 10
_HISTORY_TICKS: Final = 300
"How fast it was is written down so often; the rest of it is lost in a crash."
_HISTORY: Final = "library_history"
_ALL: Final = "all"
_LEECH_TICKS: Final = 5
_SWEEP: Final = 200
"Torrents looked at in one tick for limits and running time: all of a hundred thousand in ten minutes."
_SWEEP_SECONDS: Final = 10.0
"A round takes at least so long."
_AT_ONCE: Final = 8
"Torrents that are started and stopped at the same time."
_TURNS: Final = 10
"Of these, so many in one turn of the loop where nothing has to be waited for."
BATCH: Final = 1000
"Torrents of which one durable step says something, where it is said of many."
_SLICE: Final = 200
"Torrents that change in one turn of the loop."


class LibrarySettings(Protocol):
    @property
    def rates(self) -> RateSettings: ...

    @property
    def downloads(self) -> DownloadSettings: ...

    @property
    def queue(self) -> QueueSettings: ...

    @property
    def seeding(self) -> SeedingSettings: ...

    @property
    def slow_mode(self) -> SlowModeSettings: ...

    @property
    def trash(self) -> TrashSettings: ...

    @property
    def leeches(self) -> LeechSettings: ...


class Library:
    """Of one session. `load` before the session restores its torrents, `run` after that."""

    def __init__(
        self, session: Session, scope: Scope, settings: Callable[[], LibrarySettings],
        report: Callable[[Exception], None], *, wall: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._scope = scope
        self._settings = settings
        self._report = report
        self._wall = wall
        self._clock = asyncio.get_running_loop().time
        self.bus = Bus()
        self.book = Book(session, report)
        self.entries: dict[str, Entry] = self.book.entries
        self.counting = Counting(self.entries, self._clock, wall)
        self.history = History(self._clock, wall)
        self.held: set[str] = set()
        "Those that wait for their turn."
        self.trash: dict[str, None] = {}
        "Those that were thrown away, as their entries say."
        self.checks = Checks(session, scope, self.wants, self.changed, report)
        self._turning: set[str] = set()
        "Those that are in `_turns`, or being started or stopped."
        self._turns: deque[tuple[Torrent, bool]] = deque()
        "What is to be started (True) or stopped."
        self._turners = 0
        self._going: set[str] = set()
        "Those that are being removed for good."
        self._thrown: dict[str, tuple[int, float]] = {}
        "When the clock of this run would have been, when a torrent was thrown away at this time of the wall."
        self._slow_since: dict[str, float] = {}
        self._incomplete: set[str] = set()
        self._queue_due = True
        self._asked: set[str] = set()
        "Those of which something was said since the queue was looked at."
        self._ranks: dict[str, int] | None = None
        self._sweeping: Iterator[str] = iter(())
        self._sweep_after = 0.0
        self._ticks = 0
        self._scheduled: bool | None = None
        self._running = False
        self._lowest = self._highest = 0
        "Places in the queue that are taken are between these."

    # -- from start to end

    async def load(self) -> None:
        await self.book.load()
        self.trash.update((key, None) for key, entry in self.entries.items() if entry.trashed)
        raw = (await self._session.kept(_HISTORY)).get(_ALL)
        if raw is not None:
            try:
                self.history.load(raw)
            except FormatError as error:
                self._report(error)

    async def run(self) -> None:
        """The session has its torrents: go on with them as was said."""
        now = int(self._wall())
        gone = [key for key in self.entries if self._session.torrent(key) is None]
        for key in gone:
            self._forget(key)
            self.book.touch(key)
        for number, torrent in enumerate(self._session.torrents):
            entry = self.entries.get(torrent.key)
            if entry is None:
                entry = self.entries[torrent.key] = Entry(added_at=now, stopped=torrent.state is State.PAUSED)
                self.book.touch(torrent.key)
            self._lowest, self._highest = min(self._lowest, entry.place), max(self._highest, entry.place)
            if entry.trashed:
                self._trashed_for(torrent.key, entry)
            if torrent.asleep:
                entry.complete = True
            if not entry.complete:
                self._incomplete.add(torrent.key)
            self.counting.state(torrent)
            if number % 250 == 0:
                await asyncio.sleep(0)
        self._running = True
        self._scope.spawn("library:events", self._follow(), contain=self._report)
        self._scope.spawn("library:ticks", self._ticking(), contain=self._report)
        self._scope.spawn("library:lent", self._give_all_back(), contain=self._report)

    async def close(self) -> None:
        """Write down what was counted."""
        self.bus.close()
        if self._running:
            self._running = False
            self._count()
            for key in self.entries:
                if self.counting.settle(key):
                    self.book.touch(key)
            await self._flush(durable=True)
            await self._save_history()

    def _count(self) -> Iterable[str]:
        """Returns whose counts changed."""
        moved = self.counting.look(self._session.awake)
        self.history.feed(moved)
        for key in moved:
            self.book.touch(key)
        return moved

    async def _save_history(self) -> None:
        await self._session.keep(_HISTORY, {_ALL: self.history.save()})

    async def _flush(self, *, durable: bool = False) -> None:
        await self.book.flush(durable=durable)
        untold = self.counting.untold
        if any(untold.values()):
            await self._session.count(**untold)
            self.counting.told(untold)

    # -- what is known

    @property
    def groups(self) -> Groups:
        return self.book.groups

    def entry(self, key: str) -> Entry:
        """Of a torrent of the session."""
        entry = self.entries.get(key)
        if entry is None:
            entry = self.entries[key] = Entry(added_at=int(self._wall()), place=self._last_place())
            self.book.touch(key)
        return entry

    def wants(self, key: str) -> bool:
        """It is to run, when its turn comes."""
        entry = self.entries.get(key)
        return entry is not None and not entry.stopped and not entry.trashed

    def rank(self, key: str) -> int:
        """Its place in the queue of downloads, from 1; 0 for none."""
        if self._ranks is None:
            order = sorted(
                (key for key in self._incomplete
                 if key in self.entries and not self.entries[key].trashed and not self.cached(key)),
                key=lambda key: self.entries[key].place)
            self._ranks = {key: number for number, key in enumerate(order, 1)}
        return self._ranks.get(key, 0)

    def ratio(self, key: str) -> float:
        entry = self.entry(key)
        return shares.ratio(entry.uploaded, entry.downloaded, entry.done)

    def limits(self, key: str) -> shares.Limits:
        return shares.limits_of(self.entry(key), self.groups, self._settings().seeding)

    def seeding_seconds(self, key: str) -> int:
        entry = self.entry(key)
        return entry.seeding_seconds + (self.counting.unsettled(key) if entry.complete else 0)

    def active_seconds(self, key: str) -> int:
        return self.entry(key).active_seconds + self.counting.unsettled(key)

    def changed(self, key: str) -> None:
        """Tell that something of an entry changed."""
        self._ranks = None
        self._queue_due = True
        self._asked.add(key)
        self.bus.publish(TorrentChanged(key))

    # -- what people say

    async def enlist(self, key: str, entry: Entry, *, top: bool = False) -> None:
        """A torrent is about to be added: remember what was said of it first."""
        entry.added_at = entry.added_at or int(self._wall())
        entry.place = self._first_place() if top else self._last_place()
        self.entries[key] = entry
        self._incomplete.add(key)
        self._ranks = None
        try:
            await self.book.write([key])
        except WildbachError:
            del self.entries[key]
            raise

    async def unlist(self, key: str) -> None:
        """It was not added after all."""
        self._forget(key)
        await self.book.write([key])

    @property
    def queue(self) -> QueueSettings:
        return self._settings().queue

    def room(self) -> bool:
        """One more download would run at once."""
        queue = self._settings().queue
        if not queue.enabled or not queue.downloads:
            return True
        running = sum(
            1 for key in self._incomplete if self.wants(key) and key not in self.held and not self.cached(key))
        return running < queue.downloads

    async def start(
        self, keys: Iterable[str], *, forced: bool | None = None, lent: tuple[bool, bool, bool] | None = None,
    ) -> None:
        """Let them run, when their turn comes, or at once where forced. `lent`: as in an entry."""
        for batch in batches(list(keys), BATCH):
            for key in batch:
                entry = self.entry(key)
                entry.stopped = entry.reached = False
                if forced is not None:
                    entry.forced = forced
                elif entry.lent is not None:
                    entry.forced = entry.lent[1]
                entry.lent = lent
            await self.book.write(batch)
            async for key in in_turns(batch, _SLICE):
                torrent = self._session.torrent(key)
                if torrent is not None and torrent.state is State.STOPPED:
                    self._turn(torrent, run=True)
                self.changed(key)
            if not self._limited:
                self._queue()
        self._queue()

    async def stop(self, keys: Iterable[str]) -> None:
        for batch in batches(list(keys), BATCH):
            for key in batch:
                entry = self.entry(key)
                entry.stopped, entry.lent = True, None
            await self.book.write(batch)
            async for key in in_turns(batch, _SLICE):
                self.held.discard(key)
                torrent = self._session.torrent(key)
                if torrent is not None and torrent.state is not State.PAUSED:
                    self._turn(torrent, run=False)
                self.changed(key)

    async def lend(self, key: str) -> None:
        """Let it run at once, until `give_back` or a restart: somebody plays it. Raises StorageError."""
        entry = self.entry(key)
        before = entry.lent if entry.lent is not None else (entry.stopped, entry.forced, entry.reached)
        await self.start([key], forced=True, lent=before)

    async def give_back(self, key: str) -> None:
        """It is as before `lend`, unless somebody started, stopped or forced it since. Raises StorageError."""
        entry = self.entries.get(key)
        if entry is None or entry.lent is None:
            return
        stopped, entry.forced, entry.reached = entry.lent
        if stopped:
            await self.stop([key])
            return
        entry.lent = None
        await self.book.write([key])
        self.changed(key)
        self._queue()

    async def _give_all_back(self) -> None:
        """What the last run lent: nobody plays it any more."""
        for key in [key for key, entry in self.entries.items() if entry.lent is not None]:
            await self.give_back(key)

    async def reorder(self, keys: Iterable[str], to: str | int) -> None:
        """To the `top` or the `bottom` of the queue, one place `up` or `down`, or to a place from 1."""
        order = sorted(
            (key for key in self._incomplete & self.entries.keys() if not self.cached(key)),
            key=lambda key: self.entries[key].place)
        picked = set(keys).intersection(order)
        if not picked:
            return
        order = reordered(order, picked, to)
        moved = []
        self._lowest, self._highest = 0, max(self._highest, len(order))
        for place, key in enumerate(order, 1):
            if self.entries[key].place != place:
                self.entries[key].place = place
                moved.append(key)
        await self.book.write(moved)
        for key in moved:
            self.changed(key)

    async def throw_away(self, keys: Sequence[str], *, files: bool) -> None:
        """Into the trash, in one step. Raises StorageError; then they stay as they were."""
        now = int(self._wall())
        await self._write_trash(dict.fromkeys(keys, (now, files)))
        async for key in in_turns(keys, _SLICE):
            self._thrown[key] = now, self._clock()
            self.held.discard(key)
            torrent = self._session.torrent(key)
            if torrent is not None:
                self._turn(torrent, run=False)
            self.changed(key)

    async def take_back(self, keys: Sequence[str]) -> list[str]:
        """Out of the trash, in one step, to go on as before. Returns those that were there. Raises StorageError; then
        they stay in it.
        """
        found = [key for key in keys if self.in_trash(key)]
        await self._write_trash(dict.fromkeys(found, (0, False)))
        async for key in in_turns(found, _SLICE):
            self.changed(key)
        self._queue()
        return found

    async def _write_trash(self, marks: Mapping[str, tuple[int, bool]]) -> None:
        """Since when each is in the trash, and whether its files go with it."""
        before = {}
        for key, (removed_at, files) in marks.items():
            entry = self.entry(key)
            before[key] = entry.removed_at, entry.remove_files
            self._mark_trash(key, entry, removed_at, files)
        try:
            await self.book.write(marks)
        except WildbachError:
            # Who was told that they stay does not want them to go some days later.
            for key, (removed_at, files) in before.items():
                self._mark_trash(key, self.entry(key), removed_at, files)
            raise

    def _mark_trash(self, key: str, entry: Entry, removed_at: int, files: bool) -> None:
        entry.removed_at, entry.remove_files = removed_at, files
        if removed_at:
            self.trash[key] = None
        else:
            self.trash.pop(key, None)

    def in_trash(self, key: str) -> bool:
        """And nobody removes it for good just now."""
        return key in self.trash and key not in self._going

    async def remove(self, key: str, *, files: bool) -> None:
        """For good. Does nothing where that is under way. Raises StorageError."""
        if not files:
            await self.remove_all([key])
        elif key not in self._going:
            with self._removing([key]):
                torrent = self._session.torrent(key)
                if torrent is not None:
                    await self._session.remove(torrent, delete_files=True)
                self._forget(key)
                await self.book.write([key])

    async def remove_all(self, keys: Sequence[str]) -> None:
        """For good, in one step; their files stay. Those of which that is under way are left out. Raises
        StorageError.
        """
        chosen = [key for key in keys if key not in self._going]
        with self._removing(chosen):
            torrents = [torrent for key in chosen if (torrent := self._session.torrent(key)) is not None]
            await self._session.remove_all(torrents)
            for key in chosen:
                self._forget(key)
            await self.book.write(chosen)

    @contextlib.contextmanager
    def _removing(self, keys: Sequence[str]) -> Iterator[None]:
        self._going.update(keys)
        try:
            yield
        finally:
            self._going.difference_update(keys)

    async def empty(self, key: str) -> None:
        """For good, where it is in the trash. Raises UsageError, StorageError."""
        if not self.in_trash(key):
            raise UsageError("there is no such torrent in the trash", code="not_found")
        await self.remove(key, files=self.entry(key).remove_files)

    def overdue(self, key: str) -> bool:
        """Its time in the trash is over. A wall clock that is put forward is no time that went by: the files would be
        gone at once.
        """
        entry = self.entries.get(key)
        return entry is not None and entry.trashed and (
            self._trashed_for(key, entry) >= self._settings().trash.hours * 3600)

    def _trashed_for(self, key: str, entry: Entry) -> float:
        """Seconds. What was before this run is told by the wall, all else by the clock."""
        known = self._thrown.get(key)
        if known is None or known[0] != entry.removed_at:
            before = max(0.0, self._wall() - entry.removed_at)
            known = self._thrown[key] = entry.removed_at, self._clock() - before
        return self._clock() - known[1]

    def cached(self, key: str) -> bool:
        """It is only cache: it leaves when room is needed."""
        torrent = self._session.torrent(key)
        return torrent is not None and bool(torrent.options.cache)

    def kept(self, key: str) -> None:
        """A torrent of the cache is a download from now on."""
        entry, torrent = self.entry(key), self._session.torrent(key)
        self.changed(key)
        if torrent is not None and entry.complete and entry.completed_at:
            self.bus.publish(DownloadFinished(key, torrent.name, torrent.save_path))

    def _forget(self, key: str) -> None:
        self.entries.pop(key, None)
        self.trash.pop(key, None)
        self._incomplete.discard(key)
        self.held.discard(key)
        self.counting.forget(key)
        self.history.forget(key)
        self._thrown.pop(key, None)
        self._slow_since.pop(key, None)
        self._ranks = None
        self._queue_due = True

    # -- slow mode

    @property
    def slow(self) -> bool:
        """The alternative limits hold."""
        return self.book.state.get("slow_mode") == "on"

    async def set_slow(self, on: bool) -> None:
        if on is not self.slow:
            await self.book.write_state("slow_mode", "on" if on else None)
            self.bus.publish(SlowModeChanged(on))

    def rates(self) -> tuple[int, int]:
        """The limits that hold now, down and up."""
        settings = self._settings()
        chosen = settings.slow_mode if self.slow else settings.rates
        return chosen.down, chosen.up

    # -- what happens

    async def _follow(self) -> None:
        with self._session.subscribe(
            engine_events.StateChanged, engine_events.TorrentAdded, engine_events.CacheEvicted, size=20_000
        ) as happenings:
            async for event in happenings:
                if isinstance(event, Lagged):
                    for torrent in self._session.torrents:
                        self._look(torrent)
                    continue
                found = self._session.torrent(event.torrent)
                if found is not None:
                    self._look(found)
                elif isinstance(event, engine_events.CacheEvicted):
                    self._forget(event.torrent)
                    self.book.touch(event.torrent)

    def _look(self, torrent: Torrent) -> None:
        """Its state may be another."""
        key = torrent.key
        entry = self.entry(key)
        self.counting.settle(key)
        self.counting.state(torrent)
        if torrent.state is State.SEEDING:
            # Verified, and flushed to the disk.
            self._set_complete(key, entry, True)
            if not entry.completed_at:
                self._finished(torrent, entry)
        elif torrent.state is State.DOWNLOADING and not torrent.whole:
            self._set_complete(key, entry, False)
        settled = torrent.state is State.SEEDING or (torrent.state is State.DOWNLOADING and not torrent.whole)
        if settled and (not self.wants(key) or key in self.held):
            self._turn(torrent, run=False)  # it was only to be checked, or was stopped while it began
        self._queue_due = True

    def _set_complete(self, key: str, entry: Entry, complete: bool) -> None:
        if complete:
            self._incomplete.discard(key)
        else:
            self._incomplete.add(key)
        if entry.complete is not complete:
            entry.complete = complete
            self.book.touch(key)
            self.changed(key)

    def _finished(self, torrent: Torrent, entry: Entry) -> None:
        entry.done = torrent.view().done
        entry.completed_at = int(self._wall())
        self.book.touch(torrent.key)
        if not torrent.options.cache:
            self.bus.publish(DownloadFinished(torrent.key, torrent.name, torrent.save_path))

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.tick()
            self._ticks += 1
            if self._ticks % _FLUSH_TICKS == 0:
                try:
                    await self._flush()
                    if self._ticks % _HISTORY_TICKS == 0:
                        await self._save_history()
                except WildbachError as error:
                    self._report(error)

    def tick(self) -> None:
        """Once a second."""
        for key in self._count():
            self.bus.publish(TorrentChanged(key))
        self._note_slow()
        if self._queue_due:
            self._queue()
        self._clockwork()
        self._sweep()
        if self._ticks % _LEECH_TICKS == 0:
            self._ban_leeches()

    def _ban_leeches(self) -> None:
        settings = self._settings().leeches
        if not settings.clients and not settings.cheats:
            return
        for torrent in self._session.awake:
            info = torrent.info
            for leech in leeches(torrent.peers(), info.size if info is not None else 0, settings):
                host, _, port = leech.endpoint.rpartition(":")
                endpoint = Endpoint(host.strip("[]"), int(port))
                self._session.ban(endpoint, leech.reason, settings.hours * 3600)
                self.bus.publish(LeechBanned(torrent.key, leech.endpoint, leech.reason))

    # -- the queue

    def _note_slow(self) -> None:
        """Since when is which of the running ones slow?"""
        settings = self._settings().queue
        if not settings.enabled:
            return
        now = self._clock()
        for key in list(self._slow_since):
            if key not in self._incomplete or key in self.held:
                del self._slow_since[key]
        if not settings.slow_down:
            return
        for key in self._incomplete:
            torrent = self._session.torrent(key)
            if torrent is None or torrent.state not in (State.DOWNLOADING, State.METADATA):
                continue
            if torrent.down_rate >= settings.slow_down:
                if self._slow_since.pop(key, now) + settings.slow_seconds <= now:
                    self._queue_due = True
            elif self._slow_since.setdefault(key, now) + settings.slow_seconds <= now and self.held:
                self._queue_due = True

    @property
    def _limited(self) -> bool:
        """Not every seed may run: the queue has to look at all torrents."""
        settings = self._settings().queue
        return settings.enabled and bool(settings.seeds or settings.total)

    def _queue(self) -> None:
        """Start those whose turn it is, stop those whose turn is over."""
        self._queue_due = False
        settings = self._settings().queue
        now = self._clock()
        if self._limited:
            among: Collection[str] = self.entries.keys()
            self._asked.clear()
        else:
            # Seeds run whatever the others do, so those of which much was said can wait for the next look.
            asked = {self._asked.pop() for _ in range(min(BATCH, len(self._asked)))}
            among = self._incomplete | self.held | asked
            self._queue_due = bool(self._asked)
        wanting = []
        for key in among:
            torrent = self._session.torrent(key)
            if torrent is None or torrent.state is State.STOPPED or not self.wants(key):
                continue
            entry = self.entries[key]
            since = self._slow_since.get(key)
            slow = since is not None and now - since >= settings.slow_seconds and torrent.state is not State.PAUSED
            forced = entry.forced or bool(torrent.options.cache)  # somebody watches it now
            wanting.append(Candidate(key, entry.place, entry.complete, forced, slow))
        run = plan(wanting, settings)
        for one in wanting:
            torrent = self._session.torrent(one.key)
            if torrent is None:
                continue
            if one.key in run:
                if one.key in self.held:
                    self.held.discard(one.key)
                    self.bus.publish(TorrentChanged(one.key))
                if torrent.state is State.PAUSED and not _waits_for_somebody(torrent):
                    self._turn(torrent, run=True)
            else:
                if one.key not in self.held:
                    self.held.add(one.key)
                    self.bus.publish(TorrentChanged(one.key))
                if torrent.state is not State.PAUSED:  # else thousands that wait would be told so again each time
                    self._turn(torrent, run=False)

    def _turn(self, torrent: Torrent, *, run: bool) -> None:
        if torrent.key not in self._turning:
            self._turning.add(torrent.key)
            self._turns.append((torrent, run))
            self._wake_turners()

    def _wake_turners(self) -> None:
        if self._turners < _AT_ONCE:
            self._turners += 1
            self._scope.spawn("turns", self._take_turns(), contain=self._report)

    async def _take_turns(self) -> None:
        try:
            while self._turns:
                for _ in range(min(_TURNS, len(self._turns))):
                    torrent, run = self._turns.popleft()
                    await self._turned(torrent, run=run)
                    if not self._turns:
                        break
                await asyncio.sleep(0)
        finally:
            self._turners -= 1
            if self._turns and not self._scope.closed:
                self._wake_turners()  # a bug ended this one; the others are turned all the same

    async def _turned(self, torrent: Torrent, *, run: bool) -> None:
        key = torrent.key
        try:
            if self._session.torrent(key) is not torrent:
                return
            if run:
                await torrent.resume()
            else:
                await torrent.pause()
        finally:
            self._turning.discard(key)
        # What was said meanwhile counts.
        wanted = self.wants(key) and key not in self.held
        if wanted is not run and self._session.torrent(key) is torrent:
            self._turn(torrent, run=wanted)

    # -- the clock

    def _clockwork(self) -> None:
        settings = self._settings().slow_mode
        if not settings.scheduled:
            self._scheduled = None
            return
        try:
            slow = schedule.slow_at(settings, datetime.fromtimestamp(self._wall()))  # noqa: DTZ006 - local time is meant
        except UsageError:
            return
        if slow is not self._scheduled:
            # Only where the clock turns it: in between, people may.
            self._scheduled = slow
            self._scope.spawn("slow-mode", self.set_slow(slow), contain=self._report)

    def _sweep(self) -> None:
        """Look at a part of all torrents: limits, the trash."""
        now = self._clock()
        for _ in range(max(_SWEEP, len(self.entries) // 600)):
            key = next(self._sweeping, None)
            if key is None:
                if now < self._sweep_after:
                    return
                self._sweep_after = now + _SWEEP_SECONDS
                self._sweeping = iter(list(self.entries))
                return
            entry = self.entries.get(key)
            if entry is None:
                continue
            if entry.trashed:
                if self.overdue(key) and key not in self._going:
                    self._scope.spawn(f"gone:{key[:8]}", self._gone(key), contain=self._report)
            elif entry.complete and not entry.stopped:
                self._limit(key, entry)
            if self.counting.unsettled(key) > 1800 and self.counting.settle(key):
                self.book.touch(key)

    async def _gone(self, key: str) -> None:
        if self.overdue(key):
            with contextlib.suppress(UsageError):
                await self.empty(key)

    def _limit(self, key: str, entry: Entry) -> None:
        torrent = self._session.torrent(key)
        if torrent is None or torrent.state is not State.SEEDING or entry.forced or torrent.options.cache:
            return
        limits = self.limits(key)
        since = max(entry.active_at, entry.completed_at)
        idle = min(int(self._wall()) - since if since else 0, self.seeding_seconds(key))
        reason = shares.reached(limits, given=self.ratio(key), seeding=self.seeding_seconds(key), idle=idle)
        if reason:
            self._scope.spawn(f"limit:{key[:8]}", self._enough(torrent, entry, limits, reason), contain=self._report)

    async def _enough(self, torrent: Torrent, entry: Entry, limits: shares.Limits, reason: str) -> None:
        if entry.reached:
            return
        entry.reached = True
        self.bus.publish(LimitReached(torrent.key, torrent.name, reason, limits.action))
        if limits.action == "super_seed":
            torrent.set_super_seed(True)
            await self.book.write([torrent.key])
        elif limits.action in ("remove", "remove_files"):
            with contextlib.suppress(UsageError):
                await self.throw_away([torrent.key], files=limits.action == "remove_files")
        else:
            await self.stop([torrent.key])

    # -- places

    def _last_place(self) -> int:
        self._highest += 1
        return self._highest

    def _first_place(self) -> int:
        self._lowest -= 1
        return self._lowest


def _waits_for_somebody(torrent: Torrent) -> bool:
    """It stopped by itself as it was asked to."""
    return torrent.options.metadata_only or torrent.options.check_only
