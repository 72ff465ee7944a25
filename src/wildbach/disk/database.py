"""The state of all torrents in one SQLite file, shared by every process that uses the same data directory.

Write-ahead log; notes are committed without a sync and claims with one. Each row carries a checksum over its
contents, and so does the count of torrents: whatever part of the file is damaged, the file is put aside (`damaged`
tells where), a new one is made of the rows that are whole, and every torrent in it is to be hashed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from wildbach.base import bitfield
from wildbach.base.errors import FormatError, StorageError
from wildbach.disk import system
from wildbach.disk.resume import Note, Progress, ResumeRecord, Summary, apply

_log = logging.getLogger(__name__)

T = TypeVar("T")

VERSION = 2
APPLICATION = 0x77696C64
"Marks the file as wildbach's."
BUSY_SECONDS = 15.0
"How long others may keep the file to themselves: a commit long, but for a process that was stopped within one."
REPAIR_SECONDS = 2.0
"How long a repair waits for the others to let go of a damaged file."
POLL_SECONDS = 0.01
KEEP_DAMAGED = 3
"Damaged files kept; older ones are removed."
PAGE_BYTES = 4096
PAGE = 500
"Torrents read from the list at a time."
SMALLEST = 512
"Bytes of the smallest database there is."
_MISSES = 10_000
"Looks in turn at places that cannot be read, after which there is nothing."
_LONGER = 16
"A file that was cut short was at most so many times longer,"
_LEAST = 1 << 20
"where it was longer than this."
CHECK_BYTES = 32 << 20
"Files up to this size are checked page by page when they are opened."

_TABLES = {
    "torrents": "CREATE TABLE torrents (key TEXT PRIMARY KEY, place INTEGER, record BLOB, sum BLOB)",
    "progress": "CREATE TABLE progress (key TEXT PRIMARY KEY, complete INTEGER, pieces INTEGER, data BLOB, sum BLOB)",
    "metainfo": "CREATE TABLE metainfo (key TEXT PRIMARY KEY, data BLOB, sum BLOB)",
    "notes": "CREATE TABLE notes (id INTEGER PRIMARY KEY, key TEXT, data BLOB, sum BLOB)",
    "roots": "CREATE TABLE roots (root BLOB, key TEXT, file INTEGER)",
    "settings": "CREATE TABLE settings (name TEXT PRIMARY KEY, data BLOB, sum BLOB)",
    "statistics": "CREATE TABLE statistics (name TEXT PRIMARY KEY, value INTEGER, sum BLOB)",
}
_KEPT = {"kept": "CREATE TABLE kept (area TEXT, name TEXT, data BLOB, sum BLOB, PRIMARY KEY (area, name))"}
_OURS = ("version", "torrents", "places")
"Totals that are the store's own."
_INDEXES = (
    "CREATE INDEX notes_by_key ON notes (key)",
    "CREATE INDEX roots_by_root ON roots (root)",
    "CREATE INDEX roots_by_key ON roots (key)",
)

_MIGRATIONS: tuple[tuple[str, ...], ...] = ((*_TABLES.values(), *_INDEXES), (*_KEPT.values(),))
"The statements that lead from each version to the next."


class Damaged(Exception):
    """The file contradicts itself. Never leaves this module."""


def _lacks_pages(path: str, size: int) -> bool:
    """Whether the file is shorter than its header says. SQLite takes what is missing for zeros, without a word. Beside
    a log the header says nothing: pages may be in the log alone.
    """
    try:
        if os.stat(f"{path}-wal").st_size:
            return False
    except FileNotFoundError:
        pass
    with open(path, "rb") as file:
        header = file.read(100)
    page = int.from_bytes(header[16:18], "big")
    counted = header[24:28] == header[92:96]
    return counted and size < int.from_bytes(header[28:32], "big") * (page if page != 1 else 65536)


def _sum(*values: object) -> bytes:
    parts: list[bytes] = []
    for value in values:
        raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        parts += (len(raw).to_bytes(8, "big"), raw)
    return hashlib.blake2b(b"".join(parts), digest_size=8).digest()


class Database:
    """A `disk.resume.ResumeStore` in a file. One connection, used by one thread at a time."""

    def __init__(self, path: Path | str) -> None:
        self.path = os.path.abspath(path)
        self.damaged: list[str] = []
        "Where damaged state was put aside, in this run."
        self._lock = threading.RLock()
        self._closed = False
        self._full: bool | None = None
        self._file: os.stat_result
        with _translated(self.path), contextlib.ExitStack() as undo:
            for grown in system.make_root(os.path.dirname(self.path)):
                system.sync_path(grown)
            self._guard = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT | system.CLOEXEC, 0o600)
            undo.callback(os.close, self._guard)
            system.lock(self._guard, shared=True, wait=True)
            try:
                self._db = self._open()
            except (Damaged, sqlite3.Error, UnicodeDecodeError) as error:
                if not self._is_damage(error):
                    raise
                self._db = self._rescue(opening=True)
            undo.callback(self._db.close)
            system.sync_path(os.path.dirname(self.path))
            undo.pop_all()

    # opening

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        with contextlib.ExitStack() as undo:
            undo.callback(db.close)
            db.text_factory = bytes
            self._file = os.stat(self.path)
            size = self._file.st_size
            if 0 < size < SMALLEST:
                raise Damaged("cut short")  # SQLite would begin anew without a word
            if not size:
                db.execute(f"PRAGMA page_size={PAGE_BYTES}")
            elif _lacks_pages(self.path, size):
                raise Damaged("cut short")
            if size <= CHECK_BYTES:
                report = db.execute("PRAGMA quick_check").fetchall()
                if report != [(b"ok",)]:
                    raise Damaged(str(report[:3]))
            _share(db)
            db.execute("PRAGMA synchronous=FULL")
            self._full = True
            self._migrate(db)
            undo.pop_all()
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        # Looked at in the same transaction: others write meanwhile, and half of what they wrote would seem damaged.
        with _transaction(db):
            self._bring_up(db)
            self._verify(db)

    def _bring_up(self, db: sqlite3.Connection) -> None:
        """Lead from its version to ours, in a transaction of the caller's."""
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not version and not application and not tables:
            db.execute(f"PRAGMA application_id={APPLICATION}")
        elif application != APPLICATION or not version:
            raise Damaged("not a state file")
        elif version > VERSION:
            if self._newer(db, version):
                raise StorageError(
                    f"{self.path} was written by a newer version of wildbach", path=self.path, code="newer_state"
                )
            raise Damaged("its version is not what it says")
        if version < VERSION:
            for statements in _MIGRATIONS[version:]:
                for statement in statements:
                    db.execute(statement)
            db.execute(f"PRAGMA user_version={VERSION}")
            self._put_statistic(db, "version", VERSION)
            if not version:
                self._put_statistic(db, "torrents", 0)

    @staticmethod
    def _newer(db: sqlite3.Connection, version: int) -> bool:
        """A version is only believed where its checksummed copy agrees."""
        row = db.execute("SELECT value, sum FROM statistics WHERE name='version'").fetchone()
        return row is not None and row[0] == version and row[1] == _sum("version", version)

    def _verify(self, db: sqlite3.Connection) -> None:
        found = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type='table'"))
        for name, text in (*_TABLES.items(), *_KEPT.items()):
            if found.get(name.encode()) != text.encode():
                raise Damaged(f"the table {name} is not as it was made")
        if self._statistic(db, "version") != VERSION:
            raise Damaged("its version is not what it says")
        (count,) = db.execute("SELECT count(*) FROM torrents").fetchone()
        if count != self._statistic(db, "torrents"):
            raise Damaged("torrents are missing")

    # damage

    def _rescue(self, *, opening: bool = False) -> sqlite3.Connection:
        """Put the damaged file aside and make a new one of what is whole in it. `opening`: it was the whole file that
        seemed damaged, so it is looked at again when nobody else is at work.
        """
        self._be_alone()
        if self._repaired():
            system.lock(self._guard, shared=True, wait=True)
            return self._open()
        if opening:
            try:
                db = self._open()
            except (Damaged, sqlite3.Error, UnicodeDecodeError) as error:
                if not self._is_damage(error):
                    raise
            else:
                system.lock(self._guard, shared=True, wait=True)
                return db
        aside = self._put_aside()
        self.damaged.append(aside)
        db = self._open()
        count = _salvage(aside, db, self._put_statistic)
        _log.error(
            "the state in %s was damaged: %d torrents are whole and are checked again, the damaged file is kept as %s",
            self.path, count, aside)
        system.lock(self._guard, shared=True, wait=True)
        return db

    def _be_alone(self) -> None:
        # A try that fails gives up the shared lock, so of several that met the same damage one gets its turn.
        until = time.monotonic() + REPAIR_SECONDS
        while not system.lock(self._guard):
            if time.monotonic() > until:
                system.lock(self._guard, shared=True, wait=True)
                raise StorageError(
                    f"{self.path} is damaged and in use by another process: end that first",
                    path=self.path, code="state_damaged",
                )
            time.sleep(POLL_SECONDS)

    def _repaired(self) -> bool:
        """Another process met the same damage and was faster: there is another file now."""
        try:
            return not os.path.samestat(os.stat(self.path), self._file)
        except FileNotFoundError:
            return False

    def _is_damage(self, error: Damaged | sqlite3.Error | UnicodeDecodeError) -> bool:
        """True where the file is at fault, not the place it is in."""
        if not isinstance(error, sqlite3.Error):
            return True  # SQLite quotes damaged text in its messages, which need not decode
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            # A damaged header says so too; then the file itself may be written.
            return os.access(self.path, os.R_OK | os.W_OK) and os.access(os.path.dirname(self.path), os.W_OK)
        return code not in _ENVIRONMENT

    def _put_aside(self) -> str:
        folder, name = os.path.split(f"{self.path}.damaged-")
        taken = [entry.removeprefix(name) for entry in os.listdir(folder) if entry.startswith(name)]
        number = 1 + max((int(tail) for tail in taken if tail.isdecimal()), default=0)
        aside = f"{self.path}.damaged-{number}"
        for tail in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.path + tail, aside + tail)
        for old in range(number - KEEP_DAMAGED, 0, -1):
            for tail in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{self.path}.damaged-{old}{tail}")
        return aside

    def _do(self, work: Callable[[sqlite3.Connection], T], *, durable: bool | None = None) -> T:
        """Run `work`, in a transaction where `durable` says with or without a sync; once more after a rescue."""
        with self._lock, _translated(self.path):
            if self._closed:
                raise StorageError("the state file is closed", path=self.path, code="closed")
            try:
                return self._once(work, durable)
            except (Damaged, sqlite3.Error, UnicodeDecodeError) as error:
                if not self._is_damage(error):
                    raise
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = self._rescue()
            return self._once(work, durable)

    def _once(self, work: Callable[[sqlite3.Connection], T], durable: bool | None) -> T:
        if durable is None:
            return work(self._db)
        if durable is not self._full:
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._full = durable
        with _transaction(self._db):
            return work(self._db)

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        with self._lock:
            if not self._closed:
                self._closed = True
                with contextlib.suppress(sqlite3.Error):
                    self._db.close()
                os.close(self._guard)

    # torrents

    def summaries(self) -> Iterator[Summary]:
        # In pages, so that neither the memory nor the time others wait grows with the number of torrents.
        keys = self._do(lambda db: [row[0] for row in db.execute("SELECT key FROM torrents ORDER BY place, key")])
        for at in range(0, len(keys), PAGE):
            page = keys[at : at + PAGE]
            yield from self._do(partial(self._summaries, keys=page))

    @staticmethod
    def _summaries(db: sqlite3.Connection, keys: list[bytes]) -> list[Summary]:
        marks = ",".join("?" * len(keys))
        rows = {
            row[0]: row for row in db.execute(
                "SELECT t.key, t.place, t.record, t.sum, p.complete, p.pieces, p.data, p.sum FROM torrents t"
                f" LEFT JOIN progress p ON p.key = t.key WHERE t.key IN ({marks})",
                [_text(key) for key in keys])
        }
        out = []
        for raw_key in keys:
            row = rows.get(raw_key)
            if row is None:
                # Removed since the keys were listed; or the index does not lead to what is in the table.
                if raw_key in [found[0] for found in db.execute("SELECT key FROM torrents NOT INDEXED")]:
                    raise Damaged(f"the index does not know {_text(raw_key)}")
                continue
            key, place, raw, check, *progress = row
            record = _record(key, place, raw, check, read=ResumeRecord.listed)
            if progress[3] != _sum(record.key, *progress[:3]):
                raise Damaged(f"the progress of {record.key} is not as it was written")
            record.progress.piece_count = progress[1]
            if progress[0]:
                record.progress.durable = bitfield.full(record.progress.piece_count)
            out.append(Summary(record, bool(progress[0])))
        return out

    def load(self, key: str) -> ResumeRecord | None:
        return self._do(lambda db: self._load(db, key))

    @staticmethod
    def _load(db: sqlite3.Connection, key: str) -> ResumeRecord | None:
        row = db.execute("SELECT key, place, record, sum FROM torrents WHERE key=?", (key,)).fetchone()
        if row is None:
            return None
        record = _record(*row)
        row = db.execute("SELECT key, complete, pieces, data, sum FROM progress WHERE key=?", (key,)).fetchone()
        if row is None:
            raise Damaged(f"the progress of {key} is missing")
        record.progress = _progress(*row)
        for number, data, check in db.execute("SELECT id, data, sum FROM notes WHERE key=? ORDER BY id", (key,)):
            if check != _sum(key, number, data):
                raise Damaged(f"a note of {key} is not as it was written")
            apply(record.progress, _unpack_note(data))
        return record

    def save(self, record: ResumeRecord, metainfo: bytes | None = None) -> None:
        raw = _raw(record)

        def work(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT place FROM torrents WHERE key=?", (record.key,)).fetchone()
            if row is None:
                # Kept as a total of its own: looking for the greatest would read every torrent for each new one.
                last = self._statistic(db, "places")
                if not last:
                    last = db.execute("SELECT max(place) FROM torrents").fetchone()[0] or 0
                place = last + 1
                self._put_statistic(db, "places", place)
                self._put_statistic(db, "torrents", self._statistic(db, "torrents") + 1)
                _put_progress(db, record.key, record.progress)
            else:
                place = row[0]
            _put_record(db, record.key, place, raw)
            if metainfo is not None:
                db.execute(
                    "INSERT OR REPLACE INTO metainfo VALUES (?,?,?)",
                    (record.key, metainfo, _sum(record.key, metainfo)),
                )

        self._do(work, durable=True)

    def metainfo(self, key: str) -> bytes | None:
        def work(db: sqlite3.Connection) -> bytes | None:
            row = db.execute("SELECT data, sum FROM metainfo WHERE key=?", (key,)).fetchone()
            if row is None:
                return None
            if row[1] != _sum(key, row[0]):
                raise Damaged(f"the metainfo of {key} is not as it was written")
            return bytes(row[0])

        return self._do(work)

    def note(self, key: str, note: Note) -> None:
        data = _pack_note(note)

        def work(db: sqlite3.Connection) -> None:
            number = (db.execute("SELECT max(id) FROM notes").fetchone()[0] or 0) + 1
            db.execute("INSERT INTO notes VALUES (?,?,?,?)", (number, key, data, _sum(key, number, data)))

        self._do(work, durable=False)

    def commit(self, key: str, progress: Progress) -> None:
        def work(db: sqlite3.Connection) -> None:
            if db.execute("SELECT 1 FROM torrents WHERE key=?", (key,)).fetchone() is not None:
                _put_progress(db, key, progress)
                db.execute("DELETE FROM notes WHERE key=?", (key,))

        self._do(work, durable=True)

    def remove(self, *keys: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            gone = 0
            for key in keys:
                gone += db.execute("DELETE FROM torrents WHERE key=?", (key,)).rowcount
                for table in ("progress", "metainfo", "notes", "roots"):
                    db.execute(f"DELETE FROM {table} WHERE key=?", (key,))
            if gone:
                self._put_statistic(db, "torrents", self._statistic(db, "torrents") - gone)

        self._do(work, durable=True)

    def change(self, name: str, values: Mapping[str, Any]) -> None:
        def work(db: sqlite3.Connection) -> None:
            for key, value in values.items():
                row = db.execute("SELECT key, place, record, sum FROM torrents WHERE key=?", (key,)).fetchone()
                if row is not None:
                    record = _record(*row)
                    if record.options.get(name) != value:
                        record.options[name] = value
                        _put_record(db, key, row[1], _raw(record))

        self._do(work, durable=True)

    def offer(self, key: str, marks: Mapping[int, bytes]) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM roots WHERE key=?", (key,))
            db.executemany("INSERT INTO roots VALUES (?,?,?)", [(mark, key, file) for file, mark in marks.items()])

        self._do(work, durable=False)

    def holders(self, mark: bytes) -> list[tuple[str, int]]:
        def work(db: sqlite3.Connection) -> list[tuple[str, int]]:
            rows = db.execute("SELECT key, file FROM roots WHERE root=? ORDER BY key, file", (mark,))
            return [(_text(key), int(file)) for key, file in rows]

        return self._do(work)

    # totals and settings

    @staticmethod
    def _statistic(db: sqlite3.Connection, name: str) -> int:
        row = db.execute("SELECT value, sum FROM statistics WHERE name=?", (name,)).fetchone()
        if row is None:
            return 0
        if row[1] != _sum(name, row[0]):
            raise Damaged(f"the total {name} is not as it was written")
        return int(row[0])

    @staticmethod
    def _put_statistic(db: sqlite3.Connection, name: str, value: int) -> None:
        db.execute("INSERT OR REPLACE INTO statistics VALUES (?,?,?)", (name, value, _sum(name, value)))

    def statistics(self) -> dict[str, int]:
        def work(db: sqlite3.Connection) -> dict[str, int]:
            names = [_text(row[0]) for row in db.execute("SELECT name FROM statistics ORDER BY name")]
            return {name: self._statistic(db, name) for name in names if name not in _OURS}

        return self._do(work)

    def count(self, **amounts: int) -> None:
        def work(db: sqlite3.Connection) -> None:
            for name, amount in amounts.items():
                self._put_statistic(db, name, self._statistic(db, name) + amount)

        self._do(work, durable=False)

    def setting(self, name: str) -> str | None:
        def work(db: sqlite3.Connection) -> str | None:
            row = db.execute("SELECT data, sum FROM settings WHERE name=?", (name,)).fetchone()
            if row is None:
                return None
            if row[1] != _sum(name, row[0]):
                raise Damaged(f"the setting {name} is not as it was written")
            return bytes(row[0]).decode()

        return self._do(work)

    def set_setting(self, name: str, value: str | None) -> None:
        def work(db: sqlite3.Connection) -> None:
            if value is None:
                db.execute("DELETE FROM settings WHERE name=?", (name,))
            else:
                raw = value.encode()
                db.execute("INSERT OR REPLACE INTO settings VALUES (?,?,?)", (name, raw, _sum(name, raw)))

        self._do(work, durable=True)

    # what parts of the engine keep

    def kept(self, area: str) -> dict[str, bytes]:
        def work(db: sqlite3.Connection) -> dict[str, bytes]:
            out = {}
            for raw, data, check in db.execute("SELECT name, data, sum FROM kept WHERE area=? ORDER BY name", (area,)):
                name = _text(raw)
                if check != _sum(area, name, data):
                    raise Damaged(f"{name} of {area} is not as it was written")
                out[name] = bytes(data)
            return out

        return self._do(work)

    def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        def work(db: sqlite3.Connection) -> None:
            for name, data in changes.items():
                if data is None:
                    db.execute("DELETE FROM kept WHERE area=? AND name=?", (area, name))
                else:
                    db.execute(
                        "INSERT OR REPLACE INTO kept VALUES (?,?,?,?)", (area, name, data, _sum(area, name, data))
                    )

        self._do(work, durable=durable)


# rows


def _raw(record: ResumeRecord) -> bytes:
    return json.dumps(record.to_json(), separators=(",", ":"), sort_keys=True).encode()


def _put_record(db: sqlite3.Connection, key: str, place: int, raw: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO torrents VALUES (?,?,?,?)", (key, place, raw, _sum(key, place, raw)))


def _read(raw: bytes) -> ResumeRecord:
    values = json.loads(raw)
    if not isinstance(values, dict):
        raise FormatError("is no record", where="record")
    return ResumeRecord.from_json(values)


def _record(
    key: bytes, place: int, raw: bytes, check: bytes, *, read: Callable[[bytes], ResumeRecord] = _read,
) -> ResumeRecord:
    name = _text(key)
    if check != _sum(name, place, raw):
        raise Damaged(f"the record of {name} is not as it was written")
    try:
        record = read(raw)
    except (ValueError, FormatError) as error:
        raise Damaged(f"the record of {name}: {error}") from error
    record.key = name
    return record


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Damaged("a key is not text") from error


def _put_progress(db: sqlite3.Connection, key: str, progress: Progress) -> None:
    complete = int(progress.complete)
    data = b"" if complete else _pack_progress(progress)
    db.execute(
        "INSERT OR REPLACE INTO progress VALUES (?,?,?,?,?)",
        (key, complete, progress.piece_count, data, _sum(key, complete, progress.piece_count, data)),
    )


def _pack_progress(progress: Progress) -> bytes:
    size = bitfield.width_of(progress.piece_count) >> 3
    partial = json.dumps({str(piece): f"{blocks:x}" for piece, blocks in progress.partial.items()}).encode()
    return b"".join((
        bytes([progress.check]), progress.durable.to_bytes(size, "big"), progress.written.to_bytes(size, "big"),
        partial,
    ))


def _progress(key: bytes, complete: int, pieces: int, data: bytes, check: bytes) -> Progress:
    if check != _sum(_text(key), complete, pieces, data):
        raise Damaged(f"the progress of {_text(key)} is not as it was written")
    if complete:
        return Progress(pieces, bitfield.full(pieces))
    size = bitfield.width_of(pieces) >> 3
    try:
        partial = {int(piece): int(blocks, 16) for piece, blocks in json.loads(data[1 + 2 * size :]).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise Damaged(f"the progress of {_text(key)}: {error}") from error
    return Progress(
        pieces, int.from_bytes(data[1 : 1 + size], "big"), int.from_bytes(data[1 + size : 1 + 2 * size], "big"),
        partial, bool(data[0]),
    )


def _pack_note(note: Note) -> bytes:
    partial = {str(piece): f"{blocks:x}" for piece, blocks in note.partial.items()}
    return json.dumps([note.piece_count, note.written, partial], separators=(",", ":")).encode()


def _unpack_note(data: bytes) -> Note:
    try:
        count, written, partial = json.loads(data)
        return Note(int(count), [int(piece) for piece in written], {
            int(piece): int(blocks, 16) for piece, blocks in partial.items()})
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Damaged(f"a note is not as it was written: {error}") from error


# access


def _share(db: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, as everybody does who opens the file; only the first changes something.

    That change turns a read lock into a write lock. Two that try at once would wait for each other for ever, so SQLite
    does not wait at all there, whatever the time-out: it has to be tried again.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")


_ENVIRONMENT = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_BUSY: "state_busy",
    sqlite3.SQLITE_LOCKED: "state_busy",
    sqlite3.SQLITE_PROTOCOL: "state_busy",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_IOERR: "io_error",
    sqlite3.SQLITE_PERM: "no_permission",
    sqlite3.SQLITE_AUTH: "no_permission",
    sqlite3.SQLITE_NOMEM: "no_memory",
    sqlite3.SQLITE_CANTOPEN: "no_permission",
}
"Faults of the place the file is in, not of the file."


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = _ENVIRONMENT.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "state_damaged")
        if code == "state_busy":
            raise StorageError(
                f"another process has kept the state in {path} to itself for {BUSY_SECONDS:.0f} seconds: "
                "end it, or let it go on", path=path, code=code,
            ) from error
        raise StorageError(f"cannot use the state in {path}: {error}", path=path, code=code) from error
    except (Damaged, UnicodeDecodeError) as error:
        raise StorageError(f"the state in {path} is damaged: {error}", path=path, code="state_damaged") from error
    except OSError as error:
        raise system.storage_error(error, "use the state in", path) from error


def _salvage(aside: str, db: sqlite3.Connection, put_statistic: Callable[[sqlite3.Connection, str, int], None]) -> int:
    """Copy the rows that are whole; whatever they claim about pieces is to be checked. The number of torrents."""
    _lengthen(aside)
    count = 0
    try:
        old = sqlite3.connect(aside, isolation_level=None)
    except sqlite3.Error:
        return 0
    old.text_factory = bytes
    try:
        with _transaction(db):
            for key, place, raw, check in _rows(old, "torrents", "key, place, record, sum"):
                try:
                    record = _record(key, place, raw, check)
                except (Damaged, TypeError, AttributeError):
                    continue
                count += db.execute(
                    "INSERT OR IGNORE INTO torrents VALUES (?,?,?,?)", (record.key, place, raw, check)
                ).rowcount
                _put_progress(db, record.key, Progress(check=True))
            put_statistic(db, "torrents", count)
            for table, column in (("metainfo", "key"), ("settings", "name")):
                for name, data, check in _rows(old, table, f"{column}, data, sum"):
                    with contextlib.suppress(Damaged, TypeError, AttributeError):
                        if check == _sum(_text(name), data):
                            db.execute(f"INSERT OR IGNORE INTO {table} VALUES (?,?,?)", (_text(name), data, check))
            for area, name, data, check in _rows(old, "kept", "area, name, data, sum"):
                with contextlib.suppress(Damaged, TypeError, AttributeError):
                    row = (_text(area), _text(name), data, check)
                    if check == _sum(*row[:3]):
                        db.execute("INSERT OR IGNORE INTO kept VALUES (?,?,?,?)", row)
            for name, value, check in _rows(old, "statistics", "name, value, sum"):
                with contextlib.suppress(Damaged, TypeError, AttributeError):
                    if check == _sum(_text(name), value) and _text(name) not in _OURS:
                        put_statistic(db, _text(name), value)
    finally:
        old.close()
    return count


def _lengthen(aside: str) -> None:
    """Of a file that was cut short SQLite reads nothing at all. With the missing pages empty it reads the others."""
    with contextlib.suppress(OSError), open(aside, "r+b") as file:
        head = file.read(32)
        page, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
        size = os.fstat(file.fileno()).st_size
        if page >= SMALLEST and size < pages * page <= _LONGER * max(size, _LEAST):
            file.truncate(pages * page)


def _rows(db: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows that can still be read, those behind a damaged page too."""
    after, misses = 0, 0
    try:
        db.execute(f"SELECT {columns} FROM {table} WHERE 0")
    except (sqlite3.Error, UnicodeDecodeError):
        return  # not even the table is there
    while misses < _MISSES and after < 1 << 62:
        try:
            for number, *row in db.execute(
                f"SELECT rowid, {columns} FROM {table} WHERE rowid > ? ORDER BY rowid", (after,),
            ):
                if number > after:  # in a damaged tree they come in any order
                    after, misses = number, 0
                yield tuple(row)
            return
        except (sqlite3.Error, UnicodeDecodeError):
            # Where the next whole page begins is not known. The longer the gap, the longer the steps: a hundredth of
            # what is missing is passed over beside it at most.
            after += 1 + misses // 100
            misses += 1
