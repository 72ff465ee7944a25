"""What a device remembers of one folder, in an SQLite file: the three trees, and what others know.

Each commit is flushed before it returns: a row that others were told of must not be forgotten. Rows of Global carry the
number of this device's index under which they came, so that others ask for what is newer than what they have.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wildbach.base.errors import FormatError
from wildbach.base.ids import DeviceId
from wildbach.disk.durable import DurableStore, Form
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync.trees import Base, Heads, Seen

_SEEN: Final = (
    "kind TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, exec INTEGER NOT NULL, root BLOB NOT NULL,"
    " target TEXT NOT NULL, dev INTEGER NOT NULL, ino INTEGER NOT NULL, ctime INTEGER NOT NULL")
_TABLES: Final = (
    # `live`: the path's winner is live. `fold`: the path as a file system without case and accents' spellings has it.
    "CREATE TABLE paths (path TEXT PRIMARY KEY, live INTEGER NOT NULL, fold TEXT NOT NULL, row INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID",
    "CREATE INDEX live_paths ON paths (path) WHERE live",
    "CREATE INDEX folded_paths ON paths (fold) WHERE live",
    "CREATE INDEX numbered_paths ON paths (row)",
    "CREATE TABLE heads (path TEXT NOT NULL, nth INTEGER NOT NULL, entry BLOB NOT NULL, PRIMARY KEY (path, nth))"
    " STRICT, WITHOUT ROWID",
    f"CREATE TABLE local (path TEXT PRIMARY KEY, {_SEEN}) STRICT, WITHOUT ROWID",
    "CREATE INDEX local_roots ON local (root, path) WHERE root <> x''",
    "CREATE INDEX local_inodes ON local (dev, ino)",
    f"CREATE TABLE synced (path TEXT PRIMARY KEY, {_SEEN}, lineage BLOB NOT NULL, vector BLOB NOT NULL, deleted INTEGER"
    " NOT NULL, at_kind TEXT NOT NULL, at_size INTEGER NOT NULL, at_mtime INTEGER NOT NULL, at_exec INTEGER NOT NULL,"
    " at_root BLOB NOT NULL, at_target TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE layers (root BLOB PRIMARY KEY, layer BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
)
FORM: Final = Form(
    0x77627379, 1, _TABLES, "sync_damaged",
    "and the folder is not kept the same: %s. Leave the folder and join it anew: its files stay, and equal ones are "
    "not sent again")
_EMPTY: Final[Heads] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A path of Global as it is sent: its number in this device's index, and its heads."""

    number: int
    path: str
    entries: tuple[bytes, ...]


class FolderStore:
    """Of one folder. Blocks; used by one thread at a time. Raises StorageError.

    `folds`: the file system of the folder does not tell some names apart, see `alike`.
    """

    def __init__(self, path: Path, *, folds: bool = False) -> None:
        self._store = DurableStore(path, FORM)
        self._folds = folds
        self.world = _World(self)
        self.local = _Local(self)
        self.synced = _Synced(self)
        self._last: int = self._store.read("SELECT coalesce(max(row), 0) FROM paths")[0][0]

    def close(self) -> None:
        """Idempotent."""
        self._store.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Writes below are one step: all of it or nothing, and flushed at the end."""
        before = self._last
        try:
            with self._store.change():
                yield
        except BaseException:
            self._last = before
            raise

    # -- what is written; only within `change`

    def put_heads(self, path: str, heads: Heads, *, live: bool) -> int:
        """Replace the heads of a path; returns the number it has in this device's index now."""
        self._last += 1
        self._run(
            "INSERT INTO paths VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET live = excluded.live,"
            " row = excluded.row", path, int(live), fold(path), self._last)
        self._run("DELETE FROM heads WHERE path = ?", path)
        for nth, entry in enumerate(heads):
            self._run("INSERT INTO heads VALUES (?, ?, ?)", path, nth, entry.pack())
        return self._last

    def drop_heads(self, path: str) -> None:
        """Forget a path: all devices know that it is gone."""
        self._run("DELETE FROM paths WHERE path = ?", path)
        self._run("DELETE FROM heads WHERE path = ?", path)

    def put_local(self, path: str, seen: Seen | None) -> None:
        if seen is None:
            self._run("DELETE FROM local WHERE path = ?", path)
        else:
            self._run("INSERT OR REPLACE INTO local VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", path, *_row(seen))

    def put_synced(self, path: str, base: Base | None) -> None:
        if base is None:
            self._run("DELETE FROM synced WHERE path = ?", path)
            return
        seen = _row(base.seen) if base.seen is not None else ("", 0, 0, 0, b"", "", 0, 0, 0)
        self._run(
            f"INSERT OR REPLACE INTO synced VALUES ({', '.join('?' * 19)})", path, *seen, base.lineage,
            base.vector.pack(), int(base.deleted), base.kind.value, base.size, base.mtime_ns, int(base.executable),
            base.root, base.target)

    def put_layer(self, root: bytes, layer: bytes) -> None:
        """Remember the piece layer of a content: what a later edit is compared with."""
        self._run("INSERT OR REPLACE INTO layers VALUES (?, ?)", root, layer)

    def put_fact(self, name: str, value: bytes | None) -> None:
        """Anything small that is the folder's; None forgets it."""
        if value is None:
            self._run("DELETE FROM facts WHERE name = ?", name)
        else:
            self._run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    # -- what is read

    @property
    def last(self) -> int:
        """The highest number of this device's index."""
        return self._last

    def rows(self, after: int, most: int) -> list[Row]:
        """Paths of Global with numbers above `after`, in order, `most` of them."""
        found = self._store.read(
            "SELECT row, path FROM paths WHERE row > ? ORDER BY row LIMIT ?", after, most)
        return [Row(number, path, tuple(self._packed(path))) for number, path in found]

    def layer(self, root: bytes) -> bytes | None:
        found = self._store.read("SELECT layer FROM layers WHERE root = ?", root)
        return found[0][0] if found else None

    def fact(self, name: str) -> bytes | None:
        found = self._store.read("SELECT value FROM facts WHERE name = ?", name)
        return found[0][0] if found else None

    def facts(self, prefix: str) -> dict[str, bytes]:
        """Facts whose names begin so."""
        return dict(self._store.read(
            "SELECT name, value FROM facts WHERE name >= ? AND name < ? ORDER BY name", prefix, prefix + "\U0010ffff"))

    def unsettled(self, after: str, most: int) -> list[str]:
        """Paths above `after` at which Local, Global or Synced may differ: all of them, for a first look after a start.
        """
        return [path for (path,) in self._store.read(
            "SELECT path FROM paths WHERE path > ? UNION SELECT path FROM local WHERE path > ? UNION"
            " SELECT path FROM synced WHERE path > ? ORDER BY path LIMIT ?", after, after, after, most)]

    def totals(self) -> tuple[int, int]:
        """Files and bytes that lie here."""
        found = self._store.read("SELECT count(*), coalesce(sum(size), 0) FROM local WHERE kind = 'f'")
        return found[0][0], found[0][1]

    def read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._store.read(statement, *values)

    def _run(self, statement: str, *values: object) -> None:
        self._store.run(statement, *values)

    def _packed(self, path: str) -> list[bytes]:
        return [raw for (raw,) in self._store.read("SELECT entry FROM heads WHERE path = ? ORDER BY nth", path)]

    def entries(self, path: str) -> Heads:
        raw = self._packed(path)
        return tuple(map(Entry.unpack, raw)) if raw else _EMPTY

    def alike(self, path: str) -> Iterable[str]:
        if not self._folds:
            return ()
        return [other for (other,) in self._store.read(
            "SELECT path FROM paths WHERE live AND fold = ? AND path <> ? ORDER BY path", fold(path), path)]

    def sightings(self, where: str, *values: object) -> list[tuple[str, Seen]]:
        """Rows of Local."""
        return [(row[0], _seen(row[1:])) for row in self._store.read(f"SELECT * FROM local WHERE {where}", *values)]


def fold(path: str) -> str:
    """As a file system has it that tells neither case nor spellings of accents apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


class _World:
    """Global."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def get(self, path: str) -> Heads:
        return self._store.entries(path)

    def below(self, path: str) -> Iterable[str]:
        return _below(self._store, "paths", path)

    def live_below(self, path: str) -> bool:
        low, high = _range(path)
        return bool(self._store.read("SELECT 1 FROM paths WHERE live AND path > ? AND path < ? LIMIT 1", low, high))

    def alike(self, path: str) -> Iterable[str]:
        return self._store.alike(path)


class _Local:
    """Local."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def get(self, path: str) -> Seen | None:
        found = self._store.sightings("path = ?", path)
        return found[0][1] if found else None

    def below(self, path: str) -> Iterable[str]:
        return _below(self._store, "local", path)

    def holding(self, root: bytes) -> Iterable[str]:
        return [path for (path,) in self._store.read(
            "SELECT path FROM local WHERE root = ? AND root <> x'' ORDER BY path", root)]


class _Synced:
    """Synced."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def get(self, path: str) -> Base | None:
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


def _range(path: str) -> tuple[str, str]:
    """Between these lie the paths below. `0` is the character after `/`."""
    return (path + "/", path + "0") if path else ("", "\U0010ffff")


def _below(store: FolderStore, table: str, path: str) -> list[str]:
    low, high = _range(path)
    return [found for (found,) in store.read(
        f"SELECT path FROM {table} WHERE path > ? AND path < ? ORDER BY path", low, high)]


def _row(seen: Seen) -> tuple[object, ...]:
    return (
        seen.kind.value, seen.size, seen.mtime_ns, int(seen.executable), seen.root, seen.target, _signed(seen.device),
        _signed(seen.inode), seen.ctime_ns)


def _seen(row: tuple[Any, ...]) -> Seen:
    kind, size, mtime, executable, root, target, dev, ino, ctime = row
    return Seen(
        EntryKind(kind), size, mtime, bool(executable), root, target, dev & _MASK, ino & _MASK, ctime)


_MASK: Final = (1 << 64) - 1


def _signed(number: int) -> int:
    """Device and inode numbers have 64 bits without a sign, SQLite's have one."""
    return number - (1 << 64) if number >> 63 else number


def device_of(name: str) -> DeviceId:
    """From the name of a fact. Raises FormatError."""
    try:
        raw = bytes.fromhex(name)
    except ValueError:
        raise FormatError("is no device", where=name) from None
    return DeviceId(raw)
