"""One folder of this device, at work: it is watched and scanned, its index goes to the other devices, and what they
changed is made here.

All that touches the data base or changes the disk runs in one thread of the folder, step by step. Scans run in a second
one, and what others ask for is read in a third (`giving`). The loop only carries messages and content.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from wildbach.base.errors import RemoteError, StorageError, WildbachError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.disk.folder import names, scan
from wildbach.disk.folder.local import IGNORE, IGNORE_SHARED, VERSIONS
from wildbach.disk.folder.marker import Finding
from wildbach.disk.folder.staging import doing
from wildbach.engine.contents import Contents
from wildbach.net.mux import Channel
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.protocol.sync.entries import LINEAGE_BYTES, Entry, EntryKind
from wildbach.protocol.sync.listpages import Page
from wildbach.protocol.sync.messages import (
    Ack,
    Entries,
    Index,
    RosterHeads,
    Rosters,
    RosterWanted,
    Status,
    Whereabouts,
)
from wildbach.protocol.sync.roster import Cut
from wildbach.runtime import garbage
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.sync.collecting import Collecting
from wildbach.services.sync.core import Core
from wildbach.services.sync.exchange import Exchange
from wildbach.services.sync.fetching import Fetching, File, is_small
from wildbach.services.sync.giving import Giving
from wildbach.services.sync.guards import SETTLE_SECONDS
from wildbach.services.sync.hands import Findings, Outcome, failed
from wildbach.services.sync.listing import Listing
from wildbach.services.sync.membership import Membership
from wildbach.services.sync.merging import Merging
from wildbach.services.sync.owing import Owing
from wildbach.services.sync.passing import Passing
from wildbach.services.sync.place import GONE, DiskNames, Place
from wildbach.services.sync.planner import Act, Op, Why
from wildbach.services.sync.session import FolderMessage, Link, Offer
from wildbach.services.sync.stager import Stager, Written, discard
from wildbach.services.sync.stale import Stale
from wildbach.services.sync.standing import Event, Standing, counted
from wildbach.services.sync.store import FolderStore
from wildbach.services.sync.telling import Lobby, Telling
from wildbach.services.sync.transfers import Transfers
from wildbach.services.sync.trees import Policy, ancestors
from wildbach.services.sync.watched import Watched

T = TypeVar("T")

RESCAN_SECONDS: Final = 3600.0
"Between two looks at everything, give or take a quarter."
_LOOKED: Final = "looked"
_RETRY_SECONDS: Final = 15.0
"After which what failed is tried again."
_OPEN_SECONDS: Final = 5.0
"Between two looks whether a folder is back that was away, and after a step that the data base could not write down."
_MESSAGES: Final = 16
"That are read from the data base in one go."
_COMPARE_SECONDS: Final = 600.0
"After which a device has said all that it has, or deletions are not held back for it any more."
_HEARD: Final = 200
"That are taken in before something else has its turn."
_REPLACED_SECONDS: Final = 3 * 365 * 86_400
"For which it is remembered whose change replaced an old version."
_HISTORY: Final = 200


class Signer:
    """Signs entries for the core, with what holds now."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    def sign(self, entry: Entry) -> Entry:
        return entry.sign(self._membership.folder, self._membership.keys.signing)

    def lineage(self) -> bytes:
        return secrets.token_bytes(LINEAGE_BYTES)


class Folder:
    """A `session.Port`. `changed` is called when something is to be shown, `renewed` when another roster counts,
    `report` with a bug.
    """

    def __init__(
        self, path: Path, store: FolderStore, keys: DeviceKeys, contents: Contents, scope: Scope, rng: Rng,
        changed: Callable[[Folder], None], renewed: Callable[[Folder], None], report: Callable[[Exception], None],
    ) -> None:
        self.path = path
        self.store = store
        self.membership = Membership(keys, store)
        self.id: FolderId = self.membership.folder
        self.links: dict[DeviceId, Link] = {}
        self.standing = Standing()
        self.state = "starting"
        self.problem: WildbachError | None = None
        "Why it cannot go on."
        self.skipped: dict[str, scan.Skipped] = {}
        self.refusals: dict[str, str] = {}
        "What the disk said last to what could not be done at a path; of paths that are held for it."
        self.told: dict[DeviceId, Status] = {}
        "What the other devices say of themselves."
        self.events: deque[Event] = deque(maxlen=_HISTORY)
        self.scanned_at = 0.0
        self.changed_at = 0.0
        self.paused = False
        self._scope = scope.child(f"sync:{self.id.hex()[:8]}")
        self._rng = rng
        self._changed = changed
        self._renewed = renewed
        self._report = report
        self._work = Threads(1, "sync")
        self._looking = Threads(1, "scan")
        self._place: Place | None = None
        self.watched = Watched(self.look)
        self._core = Core(
            keys.id, store, Signer(self.membership), names=DiskNames(), epoch=self.membership.epoch,
            settle=SETTLE_SECONDS)
        self._merging = Merging(self.membership, secrets.token_bytes)
        self._exchange = Exchange(keys.id, self.id, store, self._core, self.membership)
        self._telling = Telling(self.membership)
        self.lobby = Lobby(self._greet_early, self._take_in)
        self.owing = Owing(self.membership, store, self._exchange.epochs)
        self._collecting = Collecting(store, self._core, self._exchange)
        self._stager = Stager()
        self._many = garbage.Wish()
        self._stale = Stale()
        self.giving = Giving(store, lambda: self.place)
        self._fetching = Fetching(self.giving.threads, self._scope, self._stir, report)
        self._listing = Listing(
            self._fetching, self._scope, self.call, lambda: list(self.links.values()),
            lambda: self.membership.lists.wanted(self.membership.view), self._take_page, report)
        self.transfers = Transfers(contents, self._scope, self.giving, self._stir, report)
        self._inbox: deque[tuple[Link, FolderMessage]] = deque()
        self._calls: deque[tuple[Callable[[], object], Callable[[object, Exception | None], None]]] = deque()
        self._first_met: dict[DeviceId, float] = {}
        self._open_links: set[Link] = set()
        "Those of which the exchange knows."
        self._new_roster = False
        self._want_lists = False
        self.passing = Passing(self._stir)
        self._keeps_recovery = bool(self.membership.recovery_words)
        self._said: dict[DeviceId, Status] = {}
        self._dirty: set[str] = set()
        self._scanning = False
        self._stop_scan = False
        self._wake = asyncio.Event()
        self._next_scan = 0.0
        self._retry_at = 0.0
        self._settle_at = 0.0
        "When deletions that were seen here are signed."
        self._merge_at = 0.0
        self._scan_after = 0.0
        self._open_at = 0.0
        self._new = False
        self._looked = False
        "All of the directory was looked at once. What is in it is not fetched before."
        self._dead: WildbachError | None = None
        "Why nothing is done here any more."
        self.mode = "both"
        self.excluded: tuple[str, ...] = ()

    # -- from the start to the end

    async def begin(self, *, new: bool = False) -> None:
        """Open the directory and go to work. Where it cannot be opened, `problem` says why, and it is tried again."""
        self._new = new
        self._scope.spawn("work", self._run(), contain=self._died)

    async def close(self) -> None:
        """Idempotent. What is being done is finished, nothing else is begun."""
        self._stop_scan = True
        self.passing.close()
        await self.watched.leave()
        await self.transfers.close()
        self._scope.cancel()
        self._many.set(False)
        self._dead = self._dead or StorageError("the folder is being closed", code="closed")
        self._refuse_calls(self._dead)
        await asyncio.get_running_loop().run_in_executor(None, self._end)

    def _end(self) -> None:
        self.watched.end()
        self._looking.close()
        self.giving.close()
        self.transfers.end()
        self._work.close()
        self._stager.close()
        self.store.close()
        if self._place is not None:
            self._place.close()

    def _failed(self, error: Exception) -> None:
        self.state = "stopped"
        if isinstance(error, WildbachError):
            self.problem = error
        else:
            self.problem = StorageError("an internal error; the log has it", code="bug")
            self._report(error)
        self._changed(self)

    def _died(self, error: Exception) -> None:
        """A bug ended the work. Who waits for it is told."""
        self._many.set(False)
        self._failed(error)
        self._dead = self.problem
        if self._dead is not None:
            self._refuse_calls(self._dead)

    def _refuse_calls(self, error: WildbachError) -> None:
        while self._inbox:
            self._inbox.popleft()[0].session.taken()
        while self._calls:
            _, ended = self._calls.popleft()
            ended(None, error)

    async def call(self, work: Callable[[], T]) -> T:
        """Run something in the folder's thread, between two steps; then there may be something to do."""
        if self._dead is not None:
            raise self._dead
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def ended(result: object, error: Exception | None) -> None:
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]  # what `work` returned

        self._calls.append((work, ended))
        self._wake.set()
        return await done

    async def read(self, work: Callable[[], T]) -> T:
        """The same without waiting for a step to end: only what reads the data base."""
        return await self.giving.read(work)

    def _stir(self) -> None:
        self._wake.set()

    @property
    def core(self) -> Core:
        """For use within `call`."""
        return self._core

    @property
    def place(self) -> Place:
        """Raises StorageError where the directory is not open."""
        if self._place is None:
            raise self.problem or StorageError("the folder is not open yet", code="starting")
        return self._place

    def set_policy(self, mode: str, excluded: tuple[str, ...]) -> None:
        """Within `call`. `mode`: `both` or `send`."""
        self.mode, self.excluded = mode, excluded
        role = self.membership.role
        self._core.epoch = self.membership.epoch
        self.owing.look(time.time())
        self._core.set_policy(Policy(
            writes=role is not None and role.writes, applies=mode == "both", excluded=excluded))

    @property
    def keeps_recovery(self) -> bool:
        """The recovery key lies here, as nobody has said that it is saved."""
        return self._keeps_recovery

    def forget_recovery(self) -> None:
        """Within `call`: its words are saved."""
        self.membership.keep_recovery("")
        self._keeps_recovery = False

    def answer(self, yes: bool) -> None:
        """Within `call`: to what the folder asks."""
        if self._core.paused:
            if yes:
                self._core.allow_own()
            else:
                self._core.bring_back()
            return
        for author in self._core.paused_authors():
            if yes:
                self._core.allow(author, max(self._exchange.have().counter(author), self._core.highest(author)))
            else:
                self._core.keep_against(author)

    def renew_policy(self) -> None:
        """Within `call`: `mode`, `excluded` or the role is another one."""
        self.set_policy(self.mode, self.excluded)

    def happened(self, what: str, path: str, by: str = "") -> None:
        """For the history."""
        self.events.append(Event(time.time(), what, path, by))
        self._changed(self)

    def pause(self, paused: bool) -> None:
        self.paused = paused
        if self.state != "stopped":
            self.state = self._state()
        self._wake.set()

    def look(self, paths: Iterable[str] = ("",)) -> None:
        """These paths may have changed; `""` is all."""
        self._dirty.update(paths)
        self._wake.set()

    # -- the work

    async def _run(self) -> None:
        await self._work.run(self.store.own)
        await self._work.run(self.set_policy, self.mode, self.excluded)
        self.look()
        while True:
            due = [self._next_scan] if self._place is not None else [self._open_at]
            due += [each for each in (
                self._retry_at, self._settle_at, self._merge_at, self._scan_after, self.watched.due) if each]
            timeout = max(0.05, min(due) - time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._turn()
            except StorageError as error:
                await self._broke_off(error)

    async def _broke_off(self, error: StorageError) -> None:
        """A step was not written down, as where the disk of the data base is full: it did not happen. What the others
        said meanwhile is said again on new connections.
        """
        self._stopped(error)
        await self._work.run(self.store.undo)
        for link in (*self.links.values(), *self.lobby.links):
            link.session.close(error)
        await asyncio.sleep(_OPEN_SECONDS)
        self.look()

    def _stopped(self, error: StorageError) -> None:
        self.state, self.problem = "stopped", error
        self._retry_at = self._scan_after = time.monotonic() + _RETRY_SECONDS
        self._dirty.add("")
        self._changed(self)

    async def _be_there(self) -> None:
        """Open the directory and watch it; where it is away, look again later."""
        now = time.monotonic()
        if self._place is not None:
            await self.watched.again(self._place, now)
        if self._place is not None or now < self._open_at:
            return
        try:
            await self._work.run(self._open, self._new)
        except StorageError as error:
            self._stopped(error)
            self._open_at = now + _OPEN_SECONDS
            return
        self._new = False
        self.state, self.problem, self._scan_after = "scanning", None, 0.0
        self.look()
        await self.watched.begin(self.place, now)

    async def _gone(self) -> None:
        """The directory is not where it was: nothing is done with the one that was open."""
        place, self._place = self._place, None
        self._open_at, self._scan_after = time.monotonic() + _OPEN_SECONDS, 0.0
        await self.watched.leave()
        if place is not None:
            # What other threads do with it is over before it is let go.
            await self._work.run(lambda: None)
            await self.giving.read(lambda: None)
            await self._looking.run(place.close)

    def _open(self, new: bool) -> None:
        place = Place(self.path, self.id, self.store)
        try:
            finding = place.begin(new=new)
            if finding in GONE:
                raise StorageError(GONE[finding], path=str(self.path), code="folder_gone")
            if finding not in (Finding.SAME, Finding.OTHER_DEVICE):
                # One of the two is an old copy: nothing counts as deleted before all was compared.
                self._core.remembered(max(self.store.number("sequence") + 1, int(time.time() * 1000)))
            self._look_at_unfinished(place)
        except BaseException:
            place.close()
            raise
        self._place = place
        self._looked = bool(self.store.number(_LOOKED))
        self._core.retry(Why.UNSTORABLE)  # another disk may take other names
        self._exchange.retry(time.time())

    def _look_at_unfinished(self, place: Place) -> None:
        paths = self._core.unfinished()
        if not paths:
            return
        found = place.look(paths, lambda: False)
        for path in paths:
            found.changes.setdefault(path, self.store.local.get(path))
        self._core.saw(found.changes.items(), time.time())

    async def _turn(self) -> None:
        """All that is to be done now, a piece of each at a time."""
        now = time.monotonic()
        if now >= self._next_scan:
            self._dirty.add("")
            self._next_scan = now + RESCAN_SECONDS * (0.75 + 0.5 * self._rng.random())
        if self._retry_at and now >= self._retry_at:
            self._retry_at = 0.0
            self._stale.clear()
            await self._work.run(
                self._core.retry, Why.NOWHERE, Why.NO_ROOM, Why.DISK, Why.NOT_EMPTY, Why.NOT_SCANNED)
        await self._be_there()
        await self._answer_calls()
        await self._hear()
        if self._new_roster:
            self._new_roster = False
            self._tell_of_rosters()
        elif self.owing.take_news():
            self._renewed(self)
        if self.membership.view.merge_wanted and await self._work.run(self._merge, self._there(), now):
            self.happened("rekeyed", "")
            self._wake.set()
        if self._want_lists and self.links:
            self._want_lists = False
            self._listing.look()
        if self._dirty and not self._scanning and self._place is not None and now >= self._scan_after:
            paths, self._dirty = self._dirty, set()
            self._scanning, self._scan_after = True, 0.0
            self._scope.spawn("scan", self._scan(paths), contain=self._failed)
        if self.transfers.coming:
            coming = {file: tuple(one.paths) for file, one in self.transfers.coming.items()}
            self.transfers.give_up(await self._work.run(self._unwanted, coming))
        self.transfers.pump()
        came = self.transfers.take_arrived() + self._fetching.take_arrived()
        if came:
            await self._work.run(self._core.again, came)
        if not self.paused:
            await self._step()
        await self._tell()
        await self._stand()

    async def _answer_calls(self) -> None:
        while self._calls:
            work, ended = self._calls.popleft()
            try:
                result = await self._work.run(work)
            except Exception as error:  # noqa: BLE001 - it is the caller's, who waits for it
                await self._work.run(self.store.undo)
                ended(None, error)
            else:
                ended(result, None)

    # -- scans

    async def _scan(self, paths: set[str]) -> None:
        whole = "" in paths
        compared = self._compared()
        try:
            if self.membership.role is None:
                return
            await self._looking.run(self.place.check)
            if whole or paths & {IGNORE, IGNORE_SHARED}:
                await self._work.run(self.place.read_ignores)
                await self.watched.ignore(self.place.ignores)
                paths = {""}
            with garbage.seldom():
                found = await self._looking.run(self.place.look, paths, lambda: self._stop_scan)
                await self._work.run(self._saw, found, paths, whole)
            if whole and not found.stopped:
                self.scanned_at = time.time()
                await self._work.run(self._tidy, self.transfers.names)
                if compared:
                    await self._work.run(self._core.compared)
        except StorageError as error:
            self._stopped(error)
            if error.code == "missing":
                await self._gone()
        else:
            self._scan_after = 0.0
            if self.state in ("scanning", "stopped"):
                self.state, self.problem = "idle", None
        finally:
            self._scanning = False
            self._wake.set()

    def _compared(self) -> bool:
        """All that is to be known of what the others have is known. Who does not come to an end is not waited for."""
        late = time.monotonic() - _COMPARE_SECONDS
        known = {device: self._exchange.compared(device) for device in self.links}
        return any(known.values()) and all(
            compared or self._first_met.get(device, late) < late for device, compared in known.items())

    def _saw(self, found: Findings, paths: Collection[str], whole: bool) -> None:
        moved = self.place.hands.confirmed(found)
        for root, layer in found.layers.items():
            self.store.put_layer(root, layer)
        looked_at = {names.printable(path) for path in paths}
        for path in [] if whole else list(self.skipped):
            if not looked_at.isdisjoint((path, *ancestors(path))):
                del self.skipped[path]
        if whole:
            self.skipped.clear()
        for path, why in found.skipped.items():
            if why.why is scan.Why.IGNORED:
                self._forget(path)
            elif len(self.skipped) < _HISTORY * 50:
                self.skipped[path] = why
        self.place.reserve(time.time())
        self._core.saw(found.changes.items(), time.time())
        if again := self._stale.looked_at(paths):
            self._core.again(again)
        if moved:
            self._dirty.update(moved)

    def _tidy(self, busy: list[str]) -> None:
        """Once in a while: old versions thin out; what came of files that nobody wants, old deletions and so on go."""
        self.place.sweep(busy)
        with doing("thin", VERSIONS):
            self.place.versions.thin()
        self.store.trim_layers()
        self.store.trim_replaced(int((time.time() - _REPLACED_SECONDS) * 1000))
        self.store.set_number(_LOOKED, 1)
        self.store.commit()
        self._looked = True
        self._collecting.look(time.time())
        self.owing.look(time.time())

    def _forget(self, path: str) -> None:
        """It is left out by a pattern now: neither ours nor deleted."""
        for each in (path, *self.store.local.below(path)):
            self.store.put_seen(each, None)
            self.store.put_base(each, None)

    # -- what is to be done here

    async def _step(self) -> None:
        """One round of the plan. What others have to send comes meanwhile."""
        if self.membership.role is None or self._place is None or not self._looked:
            return
        self._many.set(True)
        ops, more = await self._work.run(self._plan)
        while more and not ops:
            # Much changed here: the others look at what is signed while the rest of it is.
            await self._tell()
            ops, more = await self._work.run(self._plan)
        self._many.set(bool(ops))
        if not ops:
            return
        self._wake.set()
        for group in self._fetching.groups(ops):
            content, late = await self._fetching.small(group, self._by_author)
            written = await self._stager.write(group, content, self.place.installer)
            outcomes = await self._work.run(self._do, group, late, written)
            for each in outcomes:
                self._note(each)
        self.transfers.pump()
        self._changed(self)

    def _plan(self) -> tuple[list[Op], bool]:
        """What to do, and whether there is more to look at."""
        self.place.reserve(time.time())
        ops = self._core.step(time.time(), pausing=True)
        left = self._core.settling(time.time())
        self._settle_at = time.monotonic() + left if left else 0.0
        more = self._core.unsigned
        if not ops and not more:
            self.store.rest()
        return ops, more

    def _by_author(self, op: Op) -> list[Link]:
        """Whom to ask for a content: who wrote it first, then the others by how little they have to do."""
        author = op.entry.author if op.entry is not None else None
        return sorted(self.links.values(), key=lambda link: (link.device != author, link.session.queued, link.device))

    def _do(self, ops: Sequence[Op], late: set[File], written: Written) -> list[Outcome]:
        """In order, with one look at the disk's names at the end; only then the data base says that it was done."""
        place = self.place
        outcomes: list[Outcome] = []
        try:
            place.check()
            with place.hands.batch():
                for op in ops:
                    outcomes.append(self._one(op, late, written))
        except StorageError as error:
            outcomes = [Outcome(op, None, Why.DISK, error) for op in ops]
        finally:
            discard(written)
        now = time.time()
        with self.store.gathered():
            for each in outcomes:
                if each.why is None:
                    self._core.done(each.op, each.seen, now)
                    self._note_replaced(each.op, now)
                else:
                    self._core.failed(each.op, each.why)
        return outcomes

    def _note_replaced(self, op: Op, now: float) -> None:
        file = op.expect is not None and op.expect.kind is not EntryKind.DIR
        if file and op.entry is not None and op.act in (Act.INSTALL, Act.RENAME, Act.DELETE, Act.MKDIR):
            self.store.put_replaced(
                op.path, int(now * 1000), op.entry.author, deleted=op.act in (Act.DELETE, Act.MKDIR))

    def _one(self, op: Op, late: set[File], written: Written) -> Outcome:
        entry = op.entry
        if op.act not in (Act.INSTALL, Act.COPY) or op.source is not None or entry is None or not entry.root:
            return self.place.hands.do(op)
        there = written.pop(op.path, None)
        if isinstance(there, StorageError):
            return failed(op, there)
        if there is not None:
            return self.place.hands.do(op, there)
        if is_small(op) and (entry.root, entry.size) in late:
            return Outcome(op, None, Why.COMING)
        kept = self.transfers.staged(entry.root, entry.size)
        if kept is not None:
            return self.place.hands.do(op, kept)
        return self.transfers.want(op, entry, self.place, self.store)

    def _unwanted(self, coming: dict[File, tuple[str, ...]]) -> list[File]:
        """In the folder's thread: contents that no path of those is to have any more."""
        return [file for file, paths in coming.items() if not any(
            (head.root, head.size) == file and not head.deleted
            for path in paths for head in self.store.world.get(path))]

    def _note(self, outcome: Outcome) -> None:
        op = outcome.op
        for path in (op.path, op.source) if op.source is not None else (op.path,):
            self.refusals.pop(path, None)
            if outcome.error is not None and len(self.refusals) < _HISTORY * 50:
                self.refusals[path] = outcome.error.message
        if outcome.why is not None:
            if outcome.why is Why.NOT_SCANNED:
                self._dirty.update(self._stale.failed(op))
            if outcome.why is not Why.COMING and not self._retry_at:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
            return
        self.changed_at = time.time()
        what = {
            Act.INSTALL: "received", Act.DELETE: "deleted", Act.RENAME: "renamed", Act.COPY: "conflict",
        }.get(op.act)
        if what is not None:
            by = self.membership.name_of(op.entry.author) if op.entry is not None else ""
            self.events.append(Event(self.changed_at, what, op.path, by, op.entry.size if op.entry is not None else 0))

    # -- session.Port

    def offers(self) -> list[Offer]:
        """By which this device proves that it has the folder."""
        found: list[Offer] = []
        secret = self.membership.secret
        if secret is not None:
            found.append(Offer(self.id, secret.commit, secret.store.cfg, secret.cfg))
        # Whoever was away when the secrets changed proves those of before, and is told of the rosters.
        found += [Offer(self.id, each.commit, each.store.cfg, each.cfg, holds=False) for each in self.owing.secrets]
        return found

    def member(self, exchange: bytes) -> DeviceId | None:
        device = self.membership.by_exchange(exchange)
        member = self.membership.view.member(device) if device is not None else None
        return device if member is not None and member.role.reads else None

    def met(self, link: Link) -> None:
        before = self.links.get(link.device)
        if before is not None and before.better(link):
            # Both sides called at the same time, and both leave the same one.
            link.session.bye("another_session")
            return
        self.links[link.device] = link
        if before is not None and before is not link:
            self._open_links.discard(before)
            self._said.pop(link.device, None)
            self.transfers.parted(before)
            if before.session is not link.session:
                before.session.bye("another_session")
        self._first_met.setdefault(link.device, time.monotonic())
        self._want_lists = True
        self.transfers.met(link)
        self._calls.append((lambda: self._greet(link), lambda said, error: self._greeted(link, said, error)))
        self._retry_at = time.monotonic()
        self._wake.set()
        self._changed(self)

    def _greet(self, link: Link) -> tuple[RosterHeads, Index]:
        self.owing.proved(link.device, link.commit, time.time())
        return self._telling.heads(link), self._exchange.open(link.device, link.tag)

    def _greet_early(self, link: Link) -> None:
        """Of rosters alone."""
        def greeted(said: object, error: Exception | None) -> None:
            if error is not None:
                self._failed(error)
            elif isinstance(said, RosterHeads) and link in self.lobby:
                link.say(said)

        self._calls.append((lambda: self._telling.heads(link), greeted))
        self._wake.set()

    def _greeted(self, link: Link, said: object, error: Exception | None) -> None:
        if error is not None:
            self._failed(error)
        elif isinstance(said, tuple) and self.links.get(link.device) is link:
            self._open_links.add(link)
            self.passing.met()
            for each in said:
                link.say(each)

    def parted(self, link: Link) -> None:
        if self.links.get(link.device) is not link:
            return
        del self.links[link.device]
        self.told.pop(link.device, None)
        self._said.pop(link.device, None)
        self.passing.parted(link.device)
        self.transfers.parted(link)
        self._open_links.discard(link)
        device = link.device
        self._calls.append((lambda: self._closed(device), self._ended))
        self._wake.set()
        self._changed(self)

    def _ended(self, _: object, error: Exception | None) -> None:
        if error is not None:
            self._failed(error)

    def _closed(self, device: DeviceId) -> None:
        if device not in self.links:
            self._exchange.close(device)

    def heard(self, link: Link, message: FolderMessage) -> None:
        if isinstance(message, Status):
            self.told[link.device] = message
            self._changed(self)
            return
        if isinstance(message, Whereabouts):
            self.passing.heard(message.records)
            return
        self._take_in(link, message)

    def _take_in(self, link: Link, message: FolderMessage) -> None:
        if self._dead is None:
            self._inbox.append((link, message))
            link.session.waits()
            self._wake.set()

    def drained(self, link: Link) -> None:
        self._wake.set()

    async def bundle(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        return await self.giving.bundle(files)

    async def page(self, root: bytes, count: int, number: int) -> Page:
        return await self.giving.read(lambda: self.membership.lists.page(root, count, number))

    def content(self, link: Link, root: bytes, size: int, channel: Channel) -> bool:
        return self._place is not None and self.transfers.serve(root, size, channel, self._place)

    # -- what was heard, and what is said

    async def _hear(self) -> None:
        early: list[tuple[Link, FolderMessage]] = []
        for _ in range(min(_HEARD, len(self._inbox))):
            if not self._inbox:
                break
            link, message = self._inbox.popleft()
            if link not in self._open_links and self.links.get(link.device) is link:
                early.append((link, message))
                continue
            link.session.taken()
            if self.links.get(link.device) is not link and link not in self.lobby:
                continue
            try:
                said = await self._work.run(self._answer, link, message)
            except RemoteError as error:
                await self._work.run(self.store.undo)
                link.session.close(error)
                continue
            for other, answer in said:
                other.say(answer)
        if self._inbox:
            self._wake.set()
        self._inbox.extendleft(reversed(early))

    def _tell_of_rosters(self) -> None:
        """Others count than before."""
        for link in self._open_links:
            link.say(self._telling.news(link))
        for link in self.lobby.greeted:
            link.say(self._telling.heads(link))
        self.owing.take_news()
        self._renewed(self)

    def _answer(self, link: Link, message: FolderMessage) -> list[tuple[Link, FolderMessage]]:
        """In the folder's thread: take in what a device said, and what it is told at once."""
        now, device, exchange = time.time(), link.device, self._exchange
        match message:
            case RosterHeads() | RosterWanted() | Rosters():
                said, new = self._telling.heard(link, message)
                if new:
                    self.roster_changed()
                return [(link, each) for each in said]
            case Index():
                anew = exchange.heard_index(device, message, now)
                return [(self.links[each], index) for each, index in anew.items() if each in self.links]
            case Entries():
                with garbage.seldom():
                    count = exchange.heard_entries(device, message, now)
                if count:
                    self.changed_at = now
            case Ack():
                if exchange.heard_ack(device, message):
                    self.owing.heard(now)
            case _:
                pass
        return []

    def roster_changed(self) -> None:
        """In the folder's thread: another roster counts."""
        self.set_policy(self.mode, self.excluded)
        self._exchange.retry(time.time())
        self._new_roster = self._want_lists = True

    def _there(self) -> frozenset[DeviceId]:
        """Who is connected, also who has no secrets that hold yet."""
        return frozenset((*self.links, *(link.device for link in self.lobby.links)))

    def _merge(self, there: frozenset[DeviceId], now: float) -> bool:
        """In the folder's thread. True where there are new keys."""
        due = self._merging.due(there, now)
        self._merge_at = due if due is not None and due > now else 0.0
        if due is None or due > now or not self._merging.merge(time.time()):
            return False
        self.roster_changed()
        return True

    def _take_page(self, cut: Cut, number: int, page: Page) -> None:
        """In the folder's thread: a page of a list of what was accepted of who may not write any more."""
        if self.membership.lists.take(cut, number, page):
            self._exchange.retry(time.time())

    async def _tell(self) -> None:
        """Send what the others lack, as far as their connections take it."""
        self.passing.tell(self.links, self._open_links)
        for device, link in list(self.links.items()):
            while not link.busy and self.links.get(device) is link:
                try:
                    said = await self._work.run(self._next, device)
                except RemoteError as error:
                    link.session.close(error)
                    break
                for message in said:
                    link.say(message)
                if len(said) < _MESSAGES:
                    break

    def _next(self, device: DeviceId) -> list[Index | Ack | Entries]:
        found: list[Index | Ack | Entries] = []
        while len(found) < _MESSAGES and (message := self._exchange.next(device)) is not None:
            found.append(message)
        return found

    # -- how it stands

    async def _stand(self) -> None:
        standing = await self._work.run(self._counted)
        different = standing != self.standing
        self.standing = standing
        if self.state != "stopped":
            self.state = self._state()
        for device, link in self.links.items():
            said = Status(link.tag, self.state, standing.need_files, standing.need_bytes, self._why())
            if link in self._open_links and self._said.get(device) != said and not link.busy:
                self._said[device] = said
                link.say(said)
        if different:
            self._changed(self)

    def _state(self) -> str:
        if self.paused:
            return "paused"
        if self.standing.paused or self.standing.authors:
            return "asking"
        if self._scanning and not self.scanned_at:
            return "scanning"
        return "syncing" if self.standing.need_files else "idle"

    def _why(self) -> str:
        return self.problem.message[:200] if self.problem is not None else ""

    def _counted(self) -> Standing:
        """In the folder's thread."""
        self._keeps_recovery = bool(self.membership.recovery_words)
        return counted(self.store, self._core, self._place.versions.total if self._place is not None else 0)
