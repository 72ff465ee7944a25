"""What a device remembers of one folder, in an SQLite file: the three trees, and what is still to be looked at.

Each commit is flushed before it returns: what others were told of must not be forgotten. Rows of Global carry the
number of this device's index under which they came, so that others ask for what is newer than what they have.
"""

from __future__ import annotations

import contextlib
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.disk.durable import DurableStore, Form
from wildbach.disk.spool import Spool
from wildbach.protocol.sync.entries import Entry, EntryKind, author_of
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync.conflicts import Conflict, told
from wildbach.services.sync.merge import live, winner
from wildbach.services.sync.planner import Why
from wildbach.services.sync.trees import Base, Heads, Seen, ancestors, parent

T = TypeVar("T")
_SEEN: Final = (
    "kind TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, exec INTEGER NOT NULL, root BLOB NOT NULL,"
    " target TEXT NOT NULL, dev INTEGER NOT NULL, ino INTEGER NOT NULL, ctime INTEGER NOT NULL")
_TABLES: Final = (
    # `live`: the path's winner is live. `fold`: the path as a file system has it that does not tell case apart.
    "CREATE TABLE paths (path TEXT PRIMARY KEY, live INTEGER NOT NULL, fold TEXT NOT NULL, row INTEGER NOT NULL,"
    " lineage BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX path_lineages ON paths (lineage)",
    "CREATE INDEX live_paths ON paths (path) WHERE live",
    "CREATE INDEX dead_paths ON paths (path) WHERE NOT live",
    "CREATE INDEX folded_paths ON paths (fold)",
    "CREATE UNIQUE INDEX numbered_paths ON paths (row)",
    "CREATE TABLE heads (path TEXT NOT NULL, nth INTEGER NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (path, nth))"
    " STRICT, WITHOUT ROWID",
    f"CREATE TABLE local (path TEXT PRIMARY KEY, {_SEEN}, parent TEXT NOT NULL, fold TEXT NOT NULL)"
    " STRICT, WITHOUT ROWID",
    "CREATE INDEX local_folds ON local (fold)",
    "CREATE INDEX local_parents ON local (parent)",
    "CREATE INDEX local_roots ON local (root, path) WHERE root <> x''",
    "CREATE INDEX local_inodes ON local (ino)",
    f"CREATE TABLE synced (path TEXT PRIMARY KEY, {_SEEN}, lineage BLOB NOT NULL, vector BLOB NOT NULL, deleted INTEGER"
    " NOT NULL, at_kind TEXT NOT NULL, at_size INTEGER NOT NULL, at_mtime INTEGER NOT NULL, at_exec INTEGER NOT NULL,"
    " at_root BLOB NOT NULL, at_target TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX synced_inodes ON synced (ino)",
    "CREATE TABLE marks (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE holds (path TEXT PRIMARY KEY, why TEXT NOT NULL, since INTEGER NOT NULL DEFAULT (unixepoch()))"
    " STRICT, WITHOUT ROWID",
    "CREATE INDEX held_why ON holds (why)",
    # `open`: the path's heads have losers now.
    "CREATE TABLE conflicts (path TEXT NOT NULL, copy TEXT NOT NULL, record BLOB NOT NULL, PRIMARY KEY (path, copy))"
    " STRICT, WITHOUT ROWID",
    "CREATE TABLE conflicted (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE layers (root BLOB PRIMARY KEY, layer BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    # Files that went, by whose change. `at`: ms. `seq`: of the entry that takes the file away.
    "CREATE TABLE losses (author BLOB NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT"
    " NULL, PRIMARY KEY (author, path)) STRICT, WITHOUT ROWID",
    # What a change by another device replaced here. `at`: ms.
    "CREATE TABLE replaced (path TEXT NOT NULL, at INTEGER NOT NULL, author BLOB NOT NULL, deleted"
    " INTEGER NOT NULL, PRIMARY KEY (path, at)) STRICT, WITHOUT ROWID",
    "CREATE TABLE guards (author BLOB PRIMARY KEY, allowed INTEGER NOT NULL, paused INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID",
)
FORM: Final = Form(
    0x77627379, 2, _TABLES, "sync_damaged",
    "and the folder is not kept the same: %s. Leave the folder and join it anew: its files stay, and equal ones are "
    "not sent again")
_END: Final = "\U0010ffff"
_SOME: Final = 1000
"Paths that are read in one go."
_BACK: Final = "back "
"And a path of which an entry was taken back."
_KNOWN: Final = 24_576
"Paths of each tree that are held in memory while there is work: of some 10,000 files that move, both names."
_RESTING: Final = 1024
"And while there is none."


class FolderStore:
    """Of one folder; a `seams.Store`. Blocks; for one thread at a time. Raises StorageError.

    `folds`: the file system of the folder does not tell some names apart, see `Global.alike`.
    """

    def __init__(self, path: Path, *, folds: bool = False) -> None:
        self._file = DurableStore(path, FORM)
        self._folder = path.parent
        self._spools: dict[DeviceId, Spool] = {}
        self.folds = folds
        self.world = _World(self)
        self.local = _Local(self)
        self.synced = _Synced(self)
        self._gathering = False
        self.owner = 0
        self._load()

    def own(self) -> None:
        """This thread is the one that writes from now on: for it alone what it reads is remembered. Others read what
        stands in the file, so that nothing old is remembered in place of what is written meanwhile.
        """
        self.owner = threading.get_ident()

    def remembered(self, known: dict[str, T], path: str, read: Callable[[str], T]) -> T:
        """What stands under a path, from memory where it is remembered (`own`)."""
        if threading.get_ident() != self.owner:
            return read(path)
        if path not in known:
            _bounded(known)
            known[path] = read(path)
        return known[path]

    def _load(self) -> None:
        self.heads: dict[str, Heads] = {}
        "What was read or written lately of each tree: a step looks at the same paths several times."
        self.sights: dict[str, Seen | None] = {}
        self.bases: dict[str, Base | None] = {}
        self.lived: dict[str, bool] = {}
        "Is something live below a path?"
        self._last: int = self.read("SELECT coalesce(max(row), 0) FROM paths")[0][0]
        self._last = max(self._last, self._number("last"))
        self._files: int = self.read("SELECT count(*) FROM synced WHERE NOT deleted AND at_kind <> 'd'")[0][0]
        found = self.read("SELECT count(*), coalesce(sum(size), 0) FROM local WHERE kind = 'f'")
        self._seen_files, self._seen_bytes = int(found[0][0]), int(found[0][1])
        self._numbers: dict[str, int] = dict(self.read("SELECT name, value FROM numbers"))
        self._new_numbers: set[str] = set()
        "Those that are written with the next commit: one of them changes with each entry that is signed."
        self._marks: set[str] = set()
        "Paths that are known to be marked: each file marks all directories above it."
        self._conflicted: set[str] = set(self._paths("SELECT path FROM conflicted"))
        self._holds = self._any_holds()
        "There may be some."
        self._backs: dict[str, tuple[DeviceId, int]] = {
            name.removeprefix(_BACK): (DeviceId(raw[: DeviceId.SIZE]), int.from_bytes(raw[DeviceId.SIZE :], "big"))
            for name, raw in self.facts(_BACK).items()}

    def close(self) -> None:
        """Idempotent."""
        for spool in self._spools.values():
            spool.clear()
        self._file.close()

    def commit(self) -> None:
        if self._gathering:
            return
        for name in sorted(self._new_numbers):
            self._run("INSERT OR REPLACE INTO numbers VALUES (?, ?)", name, self._numbers[name])
        self._new_numbers.clear()
        self._holds = self._holds and self._any_holds()
        self._file.commit()

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Commits inside are one, at the end: for what is on the disk already and only has to be noted."""
        self._gathering = True
        try:
            yield
        finally:
            self._gathering = False
        self.commit()

    def rest(self) -> None:
        """There is no work: what was read or written lately need not be in memory, where it is much."""
        for known in (self.heads, self.sights, self.bases, self.lived):
            if len(known) > _RESTING:
                known.clear()

    def undo(self) -> None:
        """What was not committed did not happen."""
        self._file.undo()
        self._load()

    # -- the trees

    def put_heads(self, path: str, heads: Heads) -> None:
        before = self.world.get(path)
        self.heads[path] = heads
        if live(before) is not live(heads):
            for each in ancestors(path):
                self.lived.pop(each, None)
        if len(heads) < len(before):
            self._run("DELETE FROM heads WHERE path = ? AND nth >= ?", path, len(heads))
        if not heads:
            self._run("DELETE FROM paths WHERE path = ?", path)
            # The number that it had is not given again, also after a start.
            self.set_number("last", self._last)
            return
        self._last += 1
        best = winner(heads)
        self._run(
            "INSERT INTO paths VALUES (?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET live = excluded.live,"
            " row = excluded.row, lineage = excluded.lineage", path, int(best is not None and not best.deleted),
            fold(path), self._last, best.lineage if best is not None else b"")
        for nth, entry in enumerate(heads):
            self._run("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", path, nth, entry.pack())
        conflict = told(best) if best is not None and best.extra else None
        if conflict is not None:
            # What was noted here when both sides were seen says more.
            self._run(
                "INSERT OR IGNORE INTO conflicts VALUES (?, ?, ?)", conflict.path, path,
                msgspec.msgpack.encode(conflict))

    def put_seen(self, path: str, seen: Seen | None) -> None:
        self._count_seen(self.local.get(path), -1)
        self._count_seen(seen, 1)
        self.sights[path] = seen
        if seen is None:
            self._run("DELETE FROM local WHERE path = ?", path)
        else:
            self._run(
                f"INSERT OR REPLACE INTO local VALUES ({', '.join('?' * 12)})", path, *_row(seen), parent(path),
                fold(path))

    def _count_seen(self, seen: Seen | None, sign: int) -> None:
        if seen is not None and seen.kind is EntryKind.FILE:
            self._seen_files += sign
            self._seen_bytes += sign * seen.size

    def put_base(self, path: str, base: Base | None) -> None:
        before = self.synced.get(path)
        self._files -= before is not None and not before.deleted and before.kind is not EntryKind.DIR
        self.bases[path] = base
        if base is None:
            if before is not None:
                self._run("DELETE FROM synced WHERE path = ?", path)
            return
        self._files += not base.deleted and base.kind is not EntryKind.DIR
        seen = _row(base.seen) if base.seen is not None else ("", 0, 0, 0, b"", "", 0, 0, 0)
        self._run(
            f"INSERT OR REPLACE INTO synced VALUES ({', '.join('?' * 19)})", path, *seen, base.lineage,
            base.vector.pack(), int(base.deleted), base.kind.value, base.size, base.mtime_ns, int(base.executable),
            base.root, base.target)

    def files(self) -> int:
        return self._files

    # -- what is to be looked at

    def mark(self, path: str) -> None:
        if path in self._marks:
            return
        _bounded(self._marks)
        self._marks.add(path)
        self._run("INSERT OR IGNORE INTO marks VALUES (?)", path)

    def unmark(self, path: str) -> None:
        self._marks.discard(path)
        self._run("DELETE FROM marks WHERE path = ?", path)

    def marked(self, limit: int) -> list[str]:
        return self._paths("SELECT path FROM marks ORDER BY path LIMIT ?", limit)

    def related(self, path: str) -> list[str]:
        return self._paths(
            "SELECT b.path FROM local a JOIN synced b ON b.ino = a.ino WHERE a.path = ?1 AND a.ino <> 0"
            " AND b.path <> ?1 UNION SELECT b.path FROM synced a JOIN local b ON b.ino = a.ino WHERE a.path = ?1"
            " AND a.ino <> 0"
            " AND b.path <> ?1 UNION SELECT b.path FROM paths a JOIN paths b ON b.lineage = a.lineage"
            " WHERE a.path = ?1 AND b.path <> ?1 ORDER BY 1 LIMIT 64", path)

    def hold(self, path: str, why: Why | None) -> None:
        if why is None:
            if self._holds:
                self._run("DELETE FROM holds WHERE path = ?", path)
        else:
            self._holds = True
            self._run(
                "INSERT INTO holds (path, why) VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET why = excluded.why",
                path, why.name)

    def held(self, *whys: Why) -> list[str]:
        wanted = ", ".join("?" * len(whys))
        return self._paths(
            f"SELECT path FROM holds WHERE why IN ({wanted}) ORDER BY path", *(why.name for why in whys))

    def held_below(self, path: str) -> list[str]:
        if not self._holds:
            return []
        return self._paths("SELECT path FROM holds WHERE path > ? AND path < ? ORDER BY path", *below(path))

    def note(self, path: str, conflicts: tuple[Conflict, ...]) -> None:
        if not conflicts:
            if path in self._conflicted:
                self._conflicted.remove(path)
                self._run("DELETE FROM conflicted WHERE path = ?", path)
            return
        self._conflicted.add(path)
        self._run("INSERT OR IGNORE INTO conflicted VALUES (?)", path)
        for each in conflicts:
            self._run(
                "INSERT OR REPLACE INTO conflicts VALUES (?, ?, ?)", path, each.copy, msgspec.msgpack.encode(each))

    def conflicted(self) -> list[str]:
        return sorted(self._conflicted)

    # -- small things

    def number(self, name: str) -> int:
        return self._numbers.get(name, 0)

    def set_number(self, name: str, value: int) -> None:
        if self._numbers.get(name) != value:
            self._numbers[name] = value
            self._new_numbers.add(name)

    def put_layer(self, root: bytes, layer: bytes) -> None:
        """Remember the piece layer of a content: what a later edit is compared with."""
        self._run("INSERT OR REPLACE INTO layers VALUES (?, ?)", root, layer)

    def layer(self, root: bytes) -> bytes | None:
        found = self.read("SELECT layer FROM layers WHERE root = ?", root)
        return found[0][0] if found else None

    def trim_layers(self) -> None:
        """Forget the layers of what is nowhere in place any more."""
        self._run("DELETE FROM layers WHERE root NOT IN (SELECT root FROM local)")

    def put_fact(self, name: str, value: bytes | None) -> None:
        """Anything small that is the folder's; None forgets it."""
        if value is None:
            self._run("DELETE FROM facts WHERE name = ?", name)
        else:
            self._run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def fact(self, name: str) -> bytes | None:
        found = self.read("SELECT value FROM facts WHERE name = ?", name)
        return found[0][0] if found else None

    def facts(self, prefix: str) -> dict[str, bytes]:
        """Facts whose names begin so."""
        return dict(self.read(
            "SELECT name, value FROM facts WHERE name >= ? AND name < ? ORDER BY name", prefix, prefix + _END))

    def put_back(self, path: str, back: tuple[DeviceId, int] | None) -> None:
        if back is not None:
            self._backs[path] = back
            self.put_fact(_BACK + path, back[0] + back[1].to_bytes(8, "big"))
        elif self._backs.pop(path, None) is not None:
            self.put_fact(_BACK + path, None)

    def back(self, path: str) -> tuple[DeviceId, int] | None:
        return self._backs.get(path)

    def heads_by(self, authors: Collection[DeviceId]) -> Iterator[Entry]:
        """Of all paths. They may be changed meanwhile."""
        after = ""
        while paths := self._paths("SELECT path FROM paths WHERE path > ? ORDER BY path LIMIT ?", after, _SOME):
            for (raw,) in self.read(
                    "SELECT entry FROM heads WHERE path > ? AND path <= ? ORDER BY path, nth", after, paths[-1]):
                if author_of(raw) in authors:
                    yield Entry.unpack(raw)
            after = paths[-1]

    # -- the index

    def since(self, sequence: int, limit: int) -> tuple[list[Entry], int]:
        packed, upto = self.packed_since(sequence, limit)
        return [Entry.unpack(raw, checked=True) for raw in packed], upto

    def packed_since(self, sequence: int, limit: int, last: int | None = None) -> tuple[list[bytes], int]:
        """The same as bytes: `limit` paths at most, and not many where their entries are long; none after `last`."""
        end = self._last if last is None else last
        rows = self.read(
            "SELECT row, path FROM paths WHERE row > ? AND row <= ? ORDER BY row LIMIT ?", sequence, end, limit)
        found: list[bytes] = []
        size = 0
        for row, path in rows:
            packed = self._packed(path)
            found += packed
            size += sum(map(len, packed))
            if size > limits.MIB:
                return found, row
        return found, rows[-1][0] if len(rows) == limit else end

    def last(self) -> int:
        return self._last

    def spool(self, device: DeviceId) -> Spool:
        """For rows that come of a device and are not all there; empty. None of them is in the data base."""
        found = self._spools.setdefault(device, Spool(self._folder))
        found.clear()
        return found

    def tombstones(self) -> Iterable[str]:
        return self._paths("SELECT path FROM paths WHERE NOT live ORDER BY path")

    # -- who replaced what: for the list of old versions

    def put_replaced(self, path: str, at: int, author: DeviceId, *, deleted: bool) -> None:
        """`at`: ms."""
        self._run("INSERT OR REPLACE INTO replaced VALUES (?, ?, ?, ?)", path, at, author, int(deleted))

    def replaced(self, path: str, since: int, until: int) -> tuple[DeviceId, bool] | None:
        """Whose change did it, and whether it was a deletion; None where that is not known (any more)."""
        found = self.read(
            "SELECT author, deleted FROM replaced WHERE path = ? AND at BETWEEN ? AND ? ORDER BY at LIMIT 1", path,
            since, until)
        return (DeviceId(found[0][0]), bool(found[0][1])) if found else None

    def trim_replaced(self, before: int) -> None:
        self._run("DELETE FROM replaced WHERE at < ?", before)

    # -- what the guards count

    def put_loss(self, author: DeviceId, path: str, loss: tuple[int, int] | None) -> None:
        if loss is None:
            self._run("DELETE FROM losses WHERE author = ? AND path = ?", author, path)
        else:
            self._run("INSERT OR REPLACE INTO losses VALUES (?, ?, ?, ?)", author, path, *loss)

    def losses(self, author: DeviceId) -> tuple[int, int]:
        count, there = self.read(
            "SELECT count(*), count(b.path) FROM losses a LEFT JOIN synced b ON b.path = a.path AND NOT b.deleted"
            " WHERE a.author = ?", author)[0]
        return count, count - there

    def last_loss(self, author: DeviceId) -> int:
        return int(self.read("SELECT coalesce(max(seq), 0) FROM losses WHERE author = ?", author)[0][0])

    def trim_losses(self, author: DeviceId, since: int, now: int) -> None:
        self._run("UPDATE losses SET at = ? WHERE author = ? AND at > ?", now, author, now)
        self._run("DELETE FROM losses WHERE author = ? AND at < ?", author, since)

    def forgive_losses(self, author: DeviceId, upto: int) -> None:
        self._run("DELETE FROM losses WHERE author = ? AND seq <= ?", author, upto)

    def guard(self, author: DeviceId) -> tuple[int, bool]:
        found = self.read("SELECT allowed, paused FROM guards WHERE author = ?", author)
        return (found[0][0], bool(found[0][1])) if found else (0, False)

    def put_guard(self, author: DeviceId, allowed: int, paused: bool) -> None:
        self._run("INSERT OR REPLACE INTO guards VALUES (?, ?, ?)", author, allowed, int(paused))

    def guarded(self) -> list[DeviceId]:
        return [DeviceId(raw) for (raw,) in self.read("SELECT author FROM guards WHERE paused ORDER BY author")]

    # -- for the parts above

    def read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return self._file.read(statement, *values)

    def totals(self) -> tuple[int, int]:
        """Files that lie here, and their bytes."""
        return self._seen_files, self._seen_bytes

    def missing(self) -> int:
        """Files and links that were in place and are not there."""
        return int(self.read(
            "SELECT count(*) FROM synced WHERE NOT deleted AND at_kind <> 'd'"
            " AND NOT EXISTS (SELECT 1 FROM local WHERE local.path = synced.path)")[0][0])

    def guarded_files(self) -> int:
        """Files and links that stay until somebody says that they may go."""
        return int(self.read(
            "SELECT count(*) FROM holds JOIN synced ON synced.path = holds.path WHERE why = ? AND at_kind <> 'd'",
            Why.GUARD.name)[0][0])

    def sightings(self, where: str, *values: object) -> list[tuple[str, Seen]]:
        """Rows of Local."""
        return [(row[0], _seen(row[1:10])) for row in self.read(f"SELECT * FROM local WHERE {where}", *values)]

    def by_inode(self, inode: int) -> list[tuple[str, Seen]]:
        return self.sightings("ino = ?", _signed(inode))

    def conflicts(self) -> list[Conflict]:
        """All that were noted and not dropped, open ones and others."""
        return [
            msgspec.msgpack.decode(raw, type=Conflict)
            for (raw,) in self.read("SELECT record FROM conflicts ORDER BY path, copy")]

    def open_conflicts(self) -> int:
        """How many of them nobody has resolved (`conflicts.is_open`)."""
        found = self.read("SELECT count(*) FROM conflicts JOIN paths ON paths.path = conflicts.copy WHERE paths.live")
        return int(found[0][0])

    def drop_conflict(self, conflict: Conflict) -> None:
        self._run("DELETE FROM conflicts WHERE path = ? AND copy = ?", conflict.path, conflict.copy)

    def _any_holds(self) -> bool:
        return bool(self.read("SELECT 1 FROM holds LIMIT 1"))

    def _number(self, name: str) -> int:
        found = self.read("SELECT value FROM numbers WHERE name = ?", name)
        return found[0][0] if found else 0

    def _run(self, statement: str, *values: object) -> None:
        self._file.write(statement, *values)

    def _paths(self, statement: str, *values: object) -> list[str]:
        return [path for (path,) in self.read(statement, *values)]

    def _packed(self, path: str) -> list[bytes]:
        return [raw for (raw,) in self.read("SELECT entry FROM heads WHERE path = ? ORDER BY nth", path)]


def fold(path: str) -> str:
    """As a file system has it that tells neither case nor spellings of accents apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def below(path: str) -> tuple[str, str]:
    """Between these two lie the paths below. `0` is the character after `/`."""
    return (path + "/", path + "0") if path else ("", _END)


class _World:
    """Global."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def get(self, path: str) -> Heads:
        return self._store.remembered(self._store.heads, path, self._read)

    def _read(self, path: str) -> Heads:
        return tuple(Entry.unpack(raw, checked=True) for raw in self._store._packed(path))

    def below(self, path: str) -> Iterable[str]:
        return _below(self._store, "paths", path)

    def live_below(self, path: str) -> bool:
        return self._store.remembered(self._store.lived, path, self._any_below)

    def _any_below(self, path: str) -> bool:
        return bool(self._store.read(
            "SELECT 1 FROM paths WHERE live AND path > ? AND path < ? LIMIT 1", *below(path)))

    def alike(self, path: str) -> Iterable[str]:
        if not self._store.folds:
            return ()
        return [
            other for other, live in self._store.read(
                "SELECT path, live FROM paths WHERE fold = ? AND path <> ? ORDER BY path", fold(path), path)
            if live or self.live_below(other)]


class _Local:
    """Local."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def get(self, path: str) -> Seen | None:
        return self._store.remembered(self._store.sights, path, self._read)

    def _read(self, path: str) -> Seen | None:
        found = self._store.sightings("path = ?", path)
        return found[0][1] if found else None

    def below(self, path: str) -> Iterable[str]:
        return _below(self._store, "local", path)

    def holding(self, root: bytes) -> Iterable[str]:
        return [path for (path,) in self._store.read(
            "SELECT path FROM local WHERE root = ? AND root <> x'' ORDER BY path", root)]

    def alike(self, path: str) -> Iterable[str]:
        if not self._store.folds:
            return ()
        return [other for (other,) in self._store.read(
            "SELECT path FROM local WHERE fold = ? AND path <> ? ORDER BY path", fold(path), path)]


class _Synced:
    """Synced."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def get(self, path: str) -> Base | None:
        return self._store.remembered(self._store.bases, path, self._read)

    def _read(self, path: str) -> Base | None:
        found = self._store.read("SELECT * FROM synced WHERE path = ?", path)
        if not found:
            return None
        row = found[0]
        seen = _seen(row[1:10]) if row[1] else None
        lineage, vector, deleted, kind, size, mtime, executable, root, target = row[10:]
        return Base(
            EntryKind(kind), size, mtime, bool(executable), root, target, lineage, VersionVector.unpack(vector),
            bool(deleted), seen)

    def below(self, path: str) -> Iterable[str]:
        return _below(self._store, "synced", path)


def _bounded(known: dict[str, Any] | set[str]) -> None:
    if len(known) >= _KNOWN:
        known.clear()


def _below(store: FolderStore, table: str, path: str) -> list[str]:
    return [found for (found,) in store.read(
        f"SELECT path FROM {table} WHERE path > ? AND path < ? ORDER BY path", *below(path))]


def _row(seen: Seen) -> tuple[object, ...]:
    return (
        seen.kind.value, seen.size, seen.mtime_ns, int(seen.executable), seen.root, seen.target, _signed(seen.device),
        _signed(seen.inode), seen.ctime_ns)


def _seen(row: tuple[Any, ...]) -> Seen:
    kind, size, mtime, executable, root, target, dev, ino, ctime = row
    return Seen(KIND[kind], size, mtime, bool(executable), root, target, dev & MASK, ino & MASK, ctime)


KIND: Final = {each.value: each for each in EntryKind}
"To call the class costs more than all else that is done for a row."
MASK: Final = (1 << 64) - 1
"Device and inode numbers as they are, of those with a sign that SQLite has."


def _signed(number: int) -> int:
    """Device and inode numbers have 64 bits without a sign, SQLite's have one."""
    return number - (1 << 64) if number >> 63 else number
