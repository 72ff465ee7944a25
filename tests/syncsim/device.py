"""One device: a disk, a store, the core, and hands that carry out what the core says."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.syncsim.disk import Crash, Disk, Node, fold, root_of
from tests.syncsim.memory import MemoryStore

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.cuts import entry_hash
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.services.sync.core import Core
from wildbach.services.sync.planner import Act, Op, Why
from wildbach.services.sync.trees import Policy, Seen

Fetch = Callable[[bytes], bytes | None]


class Key:
    """Signs by hashing: who forges is another test's matter."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def sign(self, entry: Entry) -> Entry:
        said = f"{entry.path}|{entry.author.hex()}|{entry.seq}|{entry.root.hex()}|{entry.vector!r}"
        digest = hashlib.sha256(said.encode()).digest()
        return replace(entry, signature=digest + digest)

    def lineage(self) -> bytes:
        return self._rng.randbytes(16)


class Device:
    """Dead until `start`."""

    def __init__(
        self, name: int, rng: Random, *, policy: Policy | None = None, folds: bool = False, skew: float = 0.0,
        settle: float = 0.0,
    ) -> None:
        self.name = name
        self.me = DeviceId(hashlib.sha256(b"device %d" % name).digest()[:16])
        self.rng = rng
        self.policy = policy or Policy()
        self.skew = skew
        self.settle = settle
        self.crash_chance = 0.0
        self.error_chance = 0.0
        self.disk = self._make_disk(folds)
        self.store = MemoryStore(fold if folds else None, self._committing)
        self.core = self._core()
        self.cuts: dict[DeviceId, frozenset[bytes]] = {}
        "Hashes of what counts of those who were taken out, as far as this device knows."
        self.have: dict[int, int] = {}
        "Device → its local sequence up to which all was merged."
        self.index_id = 0
        self.crashes = 0
        self.signed = 0
        self.ops: list[str] = []

    def _make_disk(self, folds: bool) -> Disk:
        return Disk(folds=folds, trouble=self._trouble)

    def _core(self) -> Core:
        return Core(self.me, self.store, Key(self.rng), self.policy, settle=self.settle)

    def _trouble(self, call: str) -> None:
        if self.rng.random() < self.crash_chance:
            raise Crash
        if self.rng.random() < self.error_chance:
            raise OSError(self.rng.choice((errno.ENOSPC, errno.EIO)), call)

    def _committing(self) -> None:
        if self.rng.random() < self.crash_chance:
            raise Crash
        self.disk.high_water = max(self.disk.high_water, self.store.number("sequence"))

    def clock(self, now: float) -> float:
        return now + self.skew

    def crashed(self, now: float) -> None:
        """The process died and starts again."""
        self.crashes += 1
        self.store.crashed()
        self._recover()
        self.core = self._core()
        self._starts(now)

    def _recover(self) -> None:
        """What a start does with what the last process left on the disk."""
        self.disk.temporary.clear()

    def _starts(self, now: float) -> None:
        """A real start dies again where it must; here it is let through."""
        chance, self.crash_chance = self.crash_chance, 0.0
        self.core.remembered(self.disk.high_water)
        left = self.core.unfinished()
        if left:
            self.core.saw([(path, self.look(path)) for path in left], self.clock(now))
        self._take_back(now)
        self.crash_chance = chance

    def counts(self, entry: Entry) -> bool:
        return entry.author not in self.cuts or entry_hash(entry.pack()) in self.cuts[entry.author]

    def learn(self, cuts: dict[DeviceId, frozenset[bytes]], now: float) -> None:
        """Who was taken out, and what counts of them. Of several lists all count."""
        before = dict(self.cuts)
        for author, accepted in cuts.items():
            self.cuts[author] = accepted | self.cuts.get(author, frozenset())
        if self.cuts != before:
            # What was refused may count.
            self.have.clear()
            self._take_back(now)

    def _take_back(self, now: float) -> None:
        heads = [each for path in self.store.world.below("") for each in self.store.world.get(path)]
        if self.core.take_back([each for each in heads if not self.counts(each)], self.clock(now)):
            self.have.clear()

    def restored(self, copy: list[dict[str, object]], have: dict[int, int], index_id: int, now: float) -> None:
        """The data base is an old copy; the folder is not."""
        self.store.restore(copy)
        self.have = dict(have)
        self.index_id = index_id
        self.core = self._core()
        self._starts(now)

    def scan(self, now: float, only: list[str] | None = None) -> bool:
        """Tell the core what is not as it was. True where something is."""
        changes: list[tuple[str, Seen | None]] = []
        there = {path for path, _ in self.disk.walk()}
        for path in sorted(there | set(self.store.local.items)):
            if only is not None and path not in only:
                continue
            seen = self.disk.seen(path)
            if seen != self.store.local.get(path):
                changes.append((path, seen))
        if changes:
            self.core.saw(changes, self.clock(now))
        return bool(changes)

    def look(self, path: str) -> Seen | None:
        """How a path lies on the disk now."""
        return self.disk.seen(path)

    def work(self, now: float, fetch: Fetch, limit: int = 10_000, *, pausing: bool = False) -> int:
        """One step of the core, and its operations. Returns how many were carried out or refused."""
        ops = self.core.step(self.clock(now), limit, pausing=pausing)
        for op in ops:
            why = self._do(op, fetch)
            if why is None:
                self.ops.append(f"{op.act.value} {op.path}")
                self.core.done(op, self.look(op.path), self.clock(now))
            else:
                self.core.failed(op, why)
                if why is Why.NOT_SCANNED:
                    paths = [op.path] + ([op.source] if op.source else [])
                    # Both are looked at again, whether or not they changed: the other name may have.
                    self.core.saw([(path, self.look(path)) for path in paths], self.clock(now))
        return len(ops)

    def _do(self, op: Op, fetch: Fetch) -> Why | None:
        try:
            return self._carry_out(op, fetch)
        except OSError as error:
            self.disk.temporary.pop(op.path, None)
            if error.errno == errno.ENOTEMPTY:
                return Why.NOT_EMPTY
            if error.errno == errno.ENOSPC:
                return Why.NO_ROOM
            return Why.DISK if error.errno == errno.EIO else Why.NOT_SCANNED

    def _carry_out(self, op: Op, fetch: Fetch) -> Why | None:
        disk = self.disk
        if disk.seen(op.path) != op.expect or (op.expect is None and disk.taken(op.path) and not (
                op.act is Act.RENAME and op.source is not None and fold(op.source) == fold(op.path))):
            return Why.NOT_SCANNED
        if op.act is Act.DELETE:
            disk.archive(op.path)
        elif op.act is Act.RMDIR:
            disk.rmdir(op.path)
        elif op.act is Act.MKDIR:
            if op.expect is not None:
                disk.archive(op.path)
            disk.mkdir(op.path)
        elif op.act is Act.META:
            assert op.entry is not None
            disk.touch(op.path, op.entry.mtime_ns, op.entry.executable)
        elif op.act is Act.RENAME:
            assert op.source is not None
            if disk.seen(op.source) != op.source_expect:
                return Why.NOT_SCANNED
            if op.expect is not None:
                disk.keep(op.path)
            disk.rename(op.source, op.path)
            if op.entry is not None and op.entry.kind is EntryKind.FILE:
                disk.touch(op.path, op.entry.mtime_ns, op.entry.executable)
        else:
            return self._install(op, fetch)
        return None

    def _install(self, op: Op, fetch: Fetch) -> Why | None:
        entry, disk = op.entry, self.disk
        assert entry is not None
        data = b""
        if entry.kind is EntryKind.FILE and entry.root:
            node = disk.get(op.source) if op.source is not None else None
            got = node.data if node is not None and root_of(node.data) == entry.root else None
            got = got if got is not None else disk.versions.get(entry.root)
            got = got if got is not None else fetch(entry.root)
            if got is None:
                return Why.NOWHERE
            data = got
        if op.expect is not None and op.expect.kind is EntryKind.DIR and disk.children(op.path):
            return Why.NOT_EMPTY
        disk.stage(op.path, data)
        if op.expect is not None and op.expect.kind is EntryKind.DIR:
            disk.rmdir(op.path)
        elif op.expect is not None:
            disk.keep(op.path)
        disk.place(op.path, Node(entry.kind, data, entry.mtime_ns, entry.executable, entry.target))
        return None
