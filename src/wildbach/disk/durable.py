"""What must not be lost, in one SQLite file of its own: each change is one transaction and durable when it returns.

A file that is damaged or contradicts itself is not mended and not replaced: its owner says what is to be.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wildbach.base.errors import StorageError
from wildbach.disk import system

_BUSY_SECONDS: Final = 15.0
_ENVIRONMENT: Final = {
    sqlite3.SQLITE_FULL: "disk_full", sqlite3.SQLITE_BUSY: "state_busy", sqlite3.SQLITE_LOCKED: "state_busy",
    sqlite3.SQLITE_READONLY: "read_only", sqlite3.SQLITE_IOERR: "io_error", sqlite3.SQLITE_CANTOPEN: "no_permission",
    sqlite3.SQLITE_PERM: "no_permission", sqlite3.SQLITE_NOMEM: "no_memory",
}
"Faults of the place the file is in, not of the file."


@dataclass(frozen=True, slots=True)
class Form:
    """Of a file. `application`: the number that marks it. `damaged`: what follows where it cannot be trusted, and what
    to do. `code`: of the error then.
    """

    application: int
    version: int
    statements: Sequence[str]
    code: str
    damaged: str


class DurableStore:
    """One connection, used by one thread at a time. Blocks; raises StorageError, with the code of the form where the
    file is no longer what was written.
    """

    def __init__(self, path: Path, form: Form) -> None:
        self.path = path
        self._form = form
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
                for statement in self._form.statements:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id={self._form.application}")
                db.execute(f"PRAGMA user_version={self._form.version}")
            elif version != self._form.version:
                raise self.damaged(f"it is of version {version}, and this is version {self._form.version}")
            db.execute("COMMIT")
            if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise self.damaged("SQLite finds faults in it")
            undo.pop_all()
        return db

    def damaged(self, why: str) -> StorageError:
        return StorageError(
            f"{self.path} cannot be trusted, {self._form.damaged % why}", path=str(self.path), code=self._form.code)

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

    def read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one query, all of them; with what the open change did."""
        with self._lock:
            if self._closed:
                self._check_open()
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise self._error(error) from error

    def write(self, statement: str, *values: object) -> None:
        """One statement of a change that lasts until `commit` or `undo`; it begins with the first one."""
        with self._lock:
            if self._closed:
                self._check_open()
            try:
                if not self._db.in_transaction:
                    self._db.execute("BEGIN IMMEDIATE")
                self._db.execute(statement, values)
            except sqlite3.Error as error:
                raise self._error(error) from error

    def commit(self) -> None:
        """What was written is durable, all of it. Nothing where nothing was."""
        with self._lock, self._translated():
            self._check_open()
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def undo(self) -> None:
        """Nothing of what was written since the last commit is kept."""
        with self._lock, self._translated():
            self._check_open()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

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
            raise self._error(error) from error
        except OSError as error:
            raise system.storage_error(error, "use", str(self.path)) from error

    def _error(self, error: sqlite3.Error) -> StorageError:
        code = _ENVIRONMENT.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF)
        if code is None:
            return self.damaged(str(error))
        return StorageError(f"cannot use {self.path}: {error}", path=str(self.path), code=code)
