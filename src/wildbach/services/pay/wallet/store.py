"""What a wallet counts and remembers, in one SQLite file: `wallet.db` in its folder.

Each change is one transaction and durable when it returns. A file that is damaged or contradicts itself is not mended
and not replaced: nothing is signed until its owner has said what is to be.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.disk import system

_VERSION: Final = 1
_APPLICATION: Final = 0x77627478
"Marks the file as a wallet's."
_BUSY_SECONDS: Final = 15.0
_TABLES: Final = (
    "CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL CHECK (value >= 0)) STRICT",
    "CREATE TABLE lanes (payee BLOB, epoch INTEGER CHECK (epoch >= 0), total INTEGER NOT NULL CHECK (total >= 0),"
    " PRIMARY KEY (payee, epoch)) STRICT, WITHOUT ROWID",
    "CREATE TABLE spent (kind TEXT CHECK (kind IN ('peer', 'torrent')), id BLOB, amount INTEGER NOT NULL"
    " CHECK (amount >= 0), PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID",
    "CREATE TABLE signers (address BLOB PRIMARY KEY, since INTEGER NOT NULL, current INTEGER NOT NULL) STRICT",
    "CREATE TABLE sends (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, signer TEXT NOT NULL, kind TEXT NOT NULL,"
    " created INTEGER NOT NULL, expiration INTEGER NOT NULL, txid BLOB UNIQUE NOT NULL, raw BLOB NOT NULL,"
    " signature BLOB NOT NULL, hold INTEGER NOT NULL CHECK (hold >= 0), state TEXT NOT NULL, note TEXT NOT NULL,"
    " block INTEGER NOT NULL, fee INTEGER NOT NULL, tries INTEGER NOT NULL, tried INTEGER NOT NULL,"
    " ended INTEGER NOT NULL) STRICT",
    "CREATE INDEX sends_by_state ON sends (state)",
    "CREATE TABLE book (address BLOB PRIMARY KEY, label TEXT NOT NULL, added INTEGER NOT NULL) STRICT",
    "CREATE TABLE payees (number INTEGER PRIMARY KEY, address BLOB UNIQUE NOT NULL, torrent BLOB UNIQUE) STRICT",
)
_ENVIRONMENT: Final = {
    sqlite3.SQLITE_FULL: "disk_full", sqlite3.SQLITE_BUSY: "state_busy", sqlite3.SQLITE_LOCKED: "state_busy",
    sqlite3.SQLITE_READONLY: "read_only", sqlite3.SQLITE_IOERR: "io_error", sqlite3.SQLITE_CANTOPEN: "no_permission",
    sqlite3.SQLITE_PERM: "no_permission", sqlite3.SQLITE_NOMEM: "no_memory",
}
"Faults of the place the file is in, not of the file."


class WalletStore:
    """One connection, used by one thread at a time. Blocks; raises StorageError, code `wallet_damaged` where the file
    is no longer what was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._closed = False
        with self._translated():
            new = not path.exists()
            if new:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | system.CLOEXEC, 0o600))
            self._db = self._open()
            if new:
                system.sync_path(str(path.parent))

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        with contextlib.ExitStack() as undo:
            undo.callback(db.close)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA trusted_schema=OFF")
            db.execute("BEGIN IMMEDIATE")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0 and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _TABLES:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id={_APPLICATION}")
                db.execute(f"PRAGMA user_version={_VERSION}")
            elif version != _VERSION:
                raise self.damaged(f"it is of version {version}, and this is version {_VERSION}")
            db.execute("COMMIT")
            if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise self.damaged("SQLite finds faults in it")
            undo.pop_all()
        return db

    def damaged(self, why: str) -> StorageError:
        return StorageError(
            f"{self.path} cannot be trusted, and nothing is signed: {why}. Put it aside to begin anew; today's "
            "limit then counts as used", path=str(self.path), code="wallet_damaged")

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and durable at the end."""
        with self._lock, self._translated():
            self._check_open()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")

    @contextlib.contextmanager
    def look(self) -> Iterator[sqlite3.Connection]:
        """One state of it, whatever others write meanwhile."""
        with self._lock, self._translated():
            self._check_open()
            self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                if self._db.in_transaction:
                    self._db.execute("COMMIT")

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError(f"{self.path} is closed", path=str(self.path), code="closed")

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            self._closed = True
            self._db.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = _ENVIRONMENT.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF)
            if code is None:
                raise self.damaged(str(error)) from error
            raise StorageError(f"cannot use {self.path}: {error}", path=str(self.path), code=code) from error
        except OSError as error:
            raise system.storage_error(error, "use", str(self.path)) from error


def number(db: sqlite3.Connection, name: str) -> int:
    """Zero where nothing was set."""
    row = db.execute("SELECT value FROM numbers WHERE name=?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def put_number(db: sqlite3.Connection, name: str, value: int) -> None:
    db.execute("INSERT OR REPLACE INTO numbers VALUES (?,?)", (name, value))
