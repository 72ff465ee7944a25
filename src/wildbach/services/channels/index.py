"""The items of all channels in one SQLite file of our own, to be searched. A file that came from elsewhere is never
opened as a database: items get in through `protocol.channels` alone.

All that is in it can be had again from the channels, so a damaged file is thrown away. Every place of an item is kept
(an archive, or the head), and the one that is nearest to the end of its channel is shown. An archive that was read once
must be the same for ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wildbach.base.errors import FormatError, StorageError
from wildbach.protocol.channels.items import Item, read_item, write_item

_VERSION: Final = 1
_HEAD: Final = 1 << 30
"The place behind all archives."
_PER_SECOND: Final = 20
"Bits of an id below the date."
_BUCKETS: Final = 24
_BUSY_SECONDS: Final = 15.0
_TABLES: Final = (
    "CREATE TABLE channels (id INTEGER PRIMARY KEY, key TEXT UNIQUE, signer TEXT, version TEXT, turn INTEGER,"
    " archives TEXT)",
    "CREATE TABLE places (channel INTEGER, guid TEXT, place INTEGER, raw BLOB, PRIMARY KEY (channel, guid, place))"
    " WITHOUT ROWID",
    "CREATE INDEX by_place ON places (channel, place)",
    "CREATE TABLE shown (id INTEGER PRIMARY KEY, channel INTEGER, guid TEXT, place INTEGER, duration REAL,"
    " fresh INTEGER)",
    "CREATE UNIQUE INDEX by_guid ON shown (channel, guid)",
    "CREATE INDEX by_fresh ON shown (channel, fresh)",
    "CREATE VIRTUAL TABLE words USING fts5(title, body, tags, facets, content='', tokenize='unicode61',"
    " prefix='2 3 4 5')",
)


@dataclass(frozen=True, slots=True)
class Content:
    """The items of one version."""

    key: str
    "Of the channel, in hex."
    signer: str
    "The key that signed the version. Where it is another than before, all is read anew."
    version: str
    archives: Sequence[tuple[str, Callable[[], tuple[Item, ...]]]]
    "The root of each, and what reads it; only those are read that are new."
    head: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Query:
    words: str = ""
    channels: tuple[str, ...] = ()
    "Keys in hex; none for all."
    kind: str = ""
    lang: str = ""
    "`de` finds `de-AT` too."
    licence: str = ""
    shortest: float = 0
    longest: float = math.inf
    "Seconds."
    newer: Mapping[str, int] | None = None
    "Only items that came after this turn of their channel, by key; other channels are left out."
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Hit:
    channel: str
    item: Item
    turn: int
    "With which update of the channel it came."


@dataclass(frozen=True, slots=True)
class Found:
    hits: tuple[Hit, ...]
    more: bool
    "There are more behind these."


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a channel is in the index."""

    version: str
    turn: int
    "Updates that were taken."
    items: int


@dataclass(slots=True)
class _Row:
    id: int
    turn: int
    archives: list[str] = field(default_factory=list)


class Index:
    """Used by one writing thread and one searching thread. `wall`: seconds since 1970. Raises StorageError."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self._path = path
        self._wall = wall
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def close(self) -> None:
        """Idempotent."""
        with self._writing, self._reading:
            for db in (self._reader, self._db):
                if db is not None:
                    with contextlib.suppress(sqlite3.Error):
                        db.close()
            self._db = self._reader = None

    # -- changing

    def update(self, content: Content) -> int:
        """Take a version; how many items it has that none before had. Raises FormatError where an archive is not as it
        was, or one of the files is wrong, and then nothing has changed.
        """
        with self._change() as db:
            row = self._row(db, content)
            first = row.turn == 0
            turn = row.turn + 1
            roots = [root for root, _ in content.archives]
            for number, root in enumerate(row.archives):
                if number >= len(roots) or roots[number] != root:
                    raise FormatError("is not as it was, and must never change", where=f"archive {number:04}")
            old = {guid: bytes(raw) for guid, raw in db.execute(
                "SELECT guid, raw FROM places WHERE channel=? AND place=?", (row.id, _HEAD))}
            new = {item.guid: write_item(item) for item in content.head}
            touched = {guid: None for guid in (*old, *new) if old.get(guid) != new.get(guid)}
            db.executemany(
                "DELETE FROM places WHERE channel=? AND guid=? AND place=?",
                [(row.id, guid, _HEAD) for guid in touched if guid in old])
            db.executemany(
                "INSERT INTO places VALUES (?, ?, ?, ?)",
                [(row.id, guid, _HEAD, new[guid]) for guid in touched if guid in new])
            for number in range(len(row.archives), len(roots)):
                items = content.archives[number][1]()
                db.executemany(
                    "INSERT INTO places VALUES (?, ?, ?, ?)",
                    [(row.id, item.guid, number, write_item(item)) for item in items])
                touched.update((item.guid, None) for item in items)
            before = {} if first else old
            fresh = sum(self._show(db, row.id, guid, turn, before) for guid in touched)
            db.execute(
                "UPDATE channels SET version=?, turn=?, archives=? WHERE id=?",
                (content.version, turn, json.dumps(roots), row.id))
            return fresh

    def _row(self, db: sqlite3.Connection, content: Content) -> _Row:
        there = db.execute("SELECT id, signer, turn, archives FROM channels WHERE key=?", (content.key,)).fetchone()
        if there is not None and there[1] != content.signer:
            # After a stolen key what a thief sealed is no measure.
            self._clear(db, there[0])
            db.execute("UPDATE channels SET signer=? WHERE id=?", (content.signer, there[0]))
            return _Row(there[0], there[2])
        if there is not None:
            return _Row(there[0], there[2], json.loads(there[3]))
        made = db.execute(
            "INSERT INTO channels (key, signer, version, turn, archives) VALUES (?, ?, '', 0, '[]')",
            (content.key, content.signer))
        return _Row(int(made.lastrowid or 0), 0)

    def _show(self, db: sqlite3.Connection, channel: int, guid: str, turn: int, before: Mapping[str, bytes]) -> bool:
        """Have the newest place of an item shown; whether none of it was shown before. `before`: what the head had."""
        newest = db.execute(
            "SELECT place, raw FROM places WHERE channel=? AND guid=? ORDER BY place DESC LIMIT 1",
            (channel, guid)).fetchone()
        shown = db.execute(
            "SELECT id, place, fresh FROM shown WHERE channel=? AND guid=?", (channel, guid)).fetchone()
        raw = bytes(newest[1]) if newest is not None else b""
        item = read_item(raw) if newest is not None else None
        if shown is not None:
            former = before[guid] if shown[1] == _HEAD and guid in before else self._raw(db, channel, guid, shown[1])
            if former == raw:
                db.execute("UPDATE shown SET place=? WHERE id=?", (newest[0], shown[0]))
                return False
            self._hide(db, channel, shown[0], read_item(former))
        if item is None or item.removed:
            return False
        place = self._place(db, min(item.date, int(self._wall())))
        fresh = turn if shown is None else shown[2]
        db.execute(
            "INSERT INTO shown VALUES (?, ?, ?, ?, ?, ?)", (place, channel, guid, newest[0], item.duration, fresh))
        db.execute(
            "INSERT INTO words (rowid, title, body, tags, facets) VALUES (?, ?, ?, ?, ?)",
            (place, *_words(channel, item)))
        return shown is None

    @staticmethod
    def _raw(db: sqlite3.Connection, channel: int, guid: str, place: int) -> bytes:
        found = db.execute(
            "SELECT raw FROM places WHERE channel=? AND guid=? AND place=?", (channel, guid, place)).fetchone()
        return bytes(found[0]) if found is not None else b""

    @staticmethod
    def _hide(db: sqlite3.Connection, channel: int, place: int, item: Item) -> None:
        # A table without content is told what it has to forget.
        db.execute(
            "INSERT INTO words (words, rowid, title, body, tags, facets) VALUES ('delete', ?, ?, ?, ?, ?)",
            (place, *_words(channel, item)))
        db.execute("DELETE FROM shown WHERE id=?", (place,))

    @staticmethod
    def _place(db: sqlite3.Connection, date: int) -> int:
        """A free id, so that a newer item has a higher one: then the newest are found first without sorting."""
        base, end = date << _PER_SECOND, (date + 1) << _PER_SECOND
        (last,) = db.execute("SELECT max(id) FROM shown WHERE id>=? AND id<?", (base, end)).fetchone()
        place = base if last is None else int(last) + 1
        while place >= end and db.execute("SELECT 1 FROM shown WHERE id=?", (place,)).fetchone():
            place += 1
        return place

    def drop(self, key: str) -> None:
        """Forget a channel."""
        with self._change() as db:
            there = db.execute("SELECT id FROM channels WHERE key=?", (key,)).fetchone()
            if there is not None:
                self._clear(db, there[0])
                db.execute("DELETE FROM channels WHERE id=?", (there[0],))

    def _clear(self, db: sqlite3.Connection, channel: int) -> None:
        rows = db.execute("SELECT id, guid, place FROM shown WHERE channel=?", (channel,)).fetchall()
        for place, guid, at in rows:
            self._hide(db, channel, place, read_item(self._raw(db, channel, guid, at)))
        db.execute("DELETE FROM places WHERE channel=?", (channel,))

    # -- looking

    def standing(self, key: str) -> Standing | None:
        with self._look() as db:
            row = db.execute("SELECT id, version, turn FROM channels WHERE key=?", (key,)).fetchone()
            if row is None:
                return None
            (count,) = db.execute("SELECT count(*) FROM shown WHERE channel=?", (row[0],)).fetchone()
            return Standing(row[1], row[2], count)

    def archives(self, key: str, signer: str) -> tuple[str, ...]:
        """The roots of the archives that were read of a channel, as long as this key signs it."""
        with self._look() as db:
            row = db.execute("SELECT archives FROM channels WHERE key=? AND signer=?", (key, signer)).fetchone()
            return tuple(json.loads(row[0])) if row is not None else ()

    def count_newer(self, key: str, turn: int) -> int:
        """Items that came after this turn of a channel."""
        with self._look() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM shown JOIN channels ON channels.id = channel WHERE key=? AND fresh>?",
                (key, turn)).fetchone()
            return int(count)

    def item(self, key: str, guid: str) -> Hit | None:
        with self._look() as db:
            row = db.execute(
                "SELECT shown.id FROM shown JOIN channels ON channels.id = channel WHERE key=? AND guid=?",
                (key, guid)).fetchone()
            return next(iter(self._hits(db, [row[0]])), None) if row is not None else None

    def search(self, query: Query) -> Found:
        """Items whose title has all the words before those that have them elsewhere, and newer before older."""
        with self._look() as db:
            ids: list[int] = []
            need = query.offset + query.limit + 1
            channels = self._channels(db, query)
            if channels == []:
                return Found((), more=False)
            for match in _matches(query, channels):
                # What was found by its title is found again; as many more are asked for.
                found = dict.fromkeys(ids)
                ids += [each for each in self._ids(db, query, match, need + len(ids)) if each not in found]
                if len(ids) >= need:
                    break
            page = ids[query.offset : query.offset + query.limit]
            return Found(tuple(self._hits(db, page)), len(ids) >= need)

    @staticmethod
    def _channels(db: sqlite3.Connection, query: Query) -> list[int] | None:
        keys = query.channels or (tuple(query.newer) if query.newer is not None else ())
        if not keys:
            return None if query.newer is None else []
        numbers = dict(db.execute(
            f"SELECT key, id FROM channels WHERE key IN ({','.join('?' * len(keys))})", keys))
        if query.newer is None:
            (count,) = db.execute("SELECT count(*) FROM channels").fetchone()
            if len(numbers) == count:
                return None  # all that there are
        return [numbers[key] for key in keys if key in numbers]

    @staticmethod
    def _ids(db: sqlite3.Connection, query: Query, match: str, most: int) -> list[int]:
        where: list[str] = []
        given: list[object] = []
        if query.shortest > 0 or query.longest < math.inf:
            where.append("duration BETWEEN ? AND ?")
            given += [query.shortest, min(query.longest, 1e12)]
        if query.newer is not None:
            where.append("(" + " OR ".join(
                ["(channel=(SELECT id FROM channels WHERE key=?) AND fresh>?)"] * len(query.newer)) + ")")
            given += [each for pair in query.newer.items() for each in pair]
        if not match:
            text = "SELECT id FROM shown" + (" WHERE " + " AND ".join(where) if where else "")
            return [row[0] for row in db.execute(text + " ORDER BY id DESC LIMIT ?", (*given, most))]
        if not where:
            return [row[0] for row in db.execute(
                "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?", (match, most))]
        if query.newer is not None:
            # Few are new: they are looked up one by one in what has the words.
            text = (f"SELECT id FROM shown WHERE {' AND '.join(where)}"
                    " AND id IN (SELECT rowid FROM words WHERE words MATCH ?)")
            return [row[0] for row in db.execute(text + " ORDER BY id DESC LIMIT ?", (*given, match, most))]
        text = ("SELECT words.rowid FROM words JOIN shown ON shown.id = words.rowid WHERE words MATCH ? AND "
                + " AND ".join(where))
        return [row[0] for row in db.execute(text + " ORDER BY words.rowid DESC LIMIT ?", (match, *given, most))]

    @staticmethod
    def _hits(db: sqlite3.Connection, ids: Iterable[int]) -> Iterator[Hit]:
        for place in ids:
            row = db.execute(
                "SELECT key, raw, fresh FROM shown JOIN channels ON channels.id = shown.channel JOIN places"
                " ON places.channel = shown.channel AND places.guid = shown.guid AND places.place = shown.place"
                " WHERE shown.id=?", (place,)).fetchone()
            if row is not None:
                yield Hit(row[0], read_item(bytes(row[1])), row[2])

    # -- the file

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._translated(), self._writing:
            db = self._opened()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextlib.contextmanager
    def _look(self) -> Iterator[sqlite3.Connection]:
        with self._translated(), contextlib.ExitStack() as held:
            if self._db is None:
                # Not while the other lock is held: who closes takes both, in this order.
                with self._writing:
                    self._opened()
            held.enter_context(self._reading)
            if self._reader is None:
                self._reader = sqlite3.connect(
                    self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
                self._reader.execute("PRAGMA query_only=1")
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._db = self._open()
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _DAMAGED:
                    raise
                self._throw_away()
                self._db = self._open()
        return self._db

    def _open(self) -> sqlite3.Connection:
        os.makedirs(self._path.parent, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        with contextlib.ExitStack() as undo:
            undo.callback(db.close)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    raise sqlite3.DatabaseError("of another version")
                db.execute("BEGIN IMMEDIATE")
                for statement in _TABLES:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={_VERSION}")
                db.execute("COMMIT")
            undo.pop_all()
        return db

    def _throw_away(self) -> None:
        for tail in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._path}{tail}")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors as the caller knows them. A damaged file is made anew when it is next used."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                self.close()
                self._throw_away()
                raise StorageError(
                    f"{self._path} was damaged and is made anew", path=str(self._path), code="state_damaged") from error
            full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
            raise StorageError(
                f"{self._path}: {error}", path=str(self._path), code="disk_full" if full else None) from error
        except OSError as error:
            raise StorageError(
                f"{self._path}: {error.strerror}", path=str(self._path), errno=error.errno or 0) from error


_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _words(channel: int, item: Item) -> tuple[str, str, str, str]:
    """What of an item is searched. Facets are words that no text can have: they stand in a column of their own."""
    facets = [f"xc{channel}", f"xk{item.kind}", f"xd{_bucket(item.duration)}"]
    lang = _plain(item.lang)
    if lang:
        facets += dict.fromkeys((f"xl{lang}", f"xl{_plain(item.lang.partition('-')[0])}"))
    if item.licence:
        facets.append(_licence(item.licence))
    return item.title, item.text, " ".join(item.tags), " ".join(facets)


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isascii() and character.isalnum())


def _licence(text: str) -> str:
    return "xi" + hashlib.blake2b(text.strip().lower().encode("utf-8", "replace"), digest_size=8).hexdigest()


def _bucket(seconds: float) -> int:
    """Lengths within a factor of two; what is in a bucket at the edge of a filter is looked at one by one."""
    return min(_BUCKETS - 1, int(math.log2(1 + max(0.0, seconds))))


def _matches(query: Query, channels: Sequence[int] | None) -> Iterator[str]:
    """Expressions of FTS5, one after the other; an empty one for everything."""
    facets: list[str] = []
    if channels is not None and query.newer is None:
        facets.append("(" + " OR ".join(f'"xc{number}"' for number in channels) + ")")
    if query.kind:
        facets.append(f'"xk{_plain(query.kind)}"')
    if query.lang:
        facets.append(f'"xl{_plain(query.lang)}"')
    if query.licence:
        facets.append(f'"{_licence(query.licence)}"')
    if query.shortest > 0 or query.longest < math.inf:
        last = _BUCKETS - 1 if query.longest == math.inf else _bucket(query.longest)
        buckets = range(_bucket(query.shortest), last + 1)
        if len(buckets) < _BUCKETS:
            facets.append("(" + (" OR ".join(f'"xd{number}"' for number in buckets) or '"x"') + ")")
    limited = f"facets : ({' AND '.join(facets)})" if facets else ""
    words = _asked(query.words)
    if not words:
        if not query.words.strip():
            yield limited
        return
    behind = f" AND {limited}" if limited else ""
    yield f"title : ({words}){behind}"
    yield f"{{title body tags}} : ({words}){behind}"


def _asked(text: str) -> str:
    """The words of a person, none of which means anything to FTS5. The last may be the beginning of one."""
    words = re.findall(r"\w+", text[:500])[:20]
    quoted = [f'"{word}"' for word in words]
    if quoted and len(words[-1]) >= 2 and not text[-1:].isspace():
        quoted[-1] += " *"
    return " AND ".join(quoted)
