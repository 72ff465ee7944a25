"""A chain in SQLite: blocks, transactions, and the state after the newest block. A block is one transaction of SQLite.

So a process that is killed at any moment leaves whole blocks. Power that fails may take the newest ones, and no more.
What blocks replaced is kept as long as they may be undone. One process has the file to itself; all calls come from one
thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.disk import system
from wildbach.services.devchain.blocks import Header
from wildbach.services.devchain.executing import Receipt
from wildbach.services.devchain.state import Changes

_VERSION: Final = 1
_APPLICATION: Final = 0x77626463
"Marks the file as a chain of wildbach."
_TABLES: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE blocks (number INTEGER PRIMARY KEY, id BLOB UNIQUE, header BLOB)",
    "CREATE TABLE transactions (id BLOB PRIMARY KEY, number INTEGER, place INTEGER, data BLOB, receipt BLOB)",
    "CREATE INDEX transactions_by_block ON transactions (number, place)",
    "CREATE TABLE logs (contract BLOB, number INTEGER, place INTEGER, PRIMARY KEY (contract, number, place)) "
    "WITHOUT ROWID",
    "CREATE TABLE undo (number INTEGER PRIMARY KEY, data BLOB)",
)
_changes: Final = msgspec.msgpack.Decoder(dict[bytes, bytes | None])
_headers: Final = msgspec.msgpack.Decoder(Header)
_receipts: Final = msgspec.msgpack.Decoder(Receipt)


class Kept(NamedTuple):
    """A transaction in a block. `data`: its bytes with signatures."""

    data: bytes
    receipt: Receipt


class Store:
    """`path`: a file, made where there is none; None for a chain in memory. Raises StorageError where the file cannot
    be read or written, UsageError where another process has it.
    """

    def __init__(self, path: Path | None) -> None:
        self._cache: Changes = {}
        self._name = str(path) if path is not None else ":memory:"
        with self._translated():
            if path is not None:
                for grown in system.make_root(str(path.parent)):
                    system.sync_path(grown)
                # It holds the keys of the faucet and of the witness.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | system.CLOEXEC, 0o600))
            self._db = sqlite3.connect(self._name, timeout=0.5, isolation_level=None, check_same_thread=False)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            (application,), (version,) = (
                self._db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version"))
            if application == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in _TABLES:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id={_APPLICATION}")
                self._db.execute(f"PRAGMA user_version={_VERSION}")
            elif (application, version) != (_APPLICATION, _VERSION):
                raise StorageError(f"{self._name} is no chain of this version of wildbach")
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        with self._translated():
            self._db.close()

    # -- small things

    def meta(self, name: str) -> bytes | None:
        with self._translated():
            row = self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return None if row is None else row[0]

    def put_meta(self, name: str, value: bytes) -> None:
        with self._translated():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # -- state

    def get(self, key: bytes) -> bytes | None:
        """After the newest block."""
        try:
            return self._cache[key]
        except KeyError:
            pass
        with self._translated():
            row = self._db.execute("SELECT value FROM state WHERE key=?", (key,)).fetchone()
        self._remember({key: None if row is None else row[0]})
        return self._cache[key]

    def _remember(self, values: Changes) -> None:
        if len(self._cache) + len(values) > limits.DEVCHAIN_CACHE:
            self._cache.clear()
        self._cache.update(values)

    def _write_state(self, changes: Changes) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO state VALUES (?, ?)",
            [(key, value) for key, value in changes.items() if value is not None])
        self._db.executemany(
            "DELETE FROM state WHERE key=?", [(key,) for key, value in changes.items() if value is None])

    # -- blocks

    def append(
        self, header: Header, kept: Sequence[Kept], changes: Changes, replaced: Changes, solid: int,
        meta: dict[str, bytes] | None = None,
    ) -> None:
        """A block with its transactions. What blocks up to number `solid` replaced is forgotten."""
        with self._step():
            for name, value in (meta or {}).items():
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
            self._db.execute(
                "INSERT INTO blocks VALUES (?, ?, ?)", (header.number, header.id, msgspec.msgpack.encode(header)))
            self._db.executemany(
                "INSERT INTO transactions VALUES (?, ?, ?, ?, ?)",
                [(one.receipt.txid, header.number, place, one.data, msgspec.msgpack.encode(one.receipt))
                 for place, one in enumerate(kept)])
            self._db.executemany(
                "INSERT OR IGNORE INTO logs VALUES (?, ?, ?)",
                [(contract, header.number, place)
                 for place, one in enumerate(kept) for contract, _, _ in one.receipt.logs])
            self._write_state(changes)
            if header.number > solid:
                self._db.execute("INSERT INTO undo VALUES (?, ?)", (header.number, msgspec.msgpack.encode(replaced)))
            self._db.execute("DELETE FROM undo WHERE number<=?", (solid,))
        self._remember(changes)

    def drop(self, number: int, meta: dict[str, bytes]) -> list[bytes]:
        """Undo all blocks from this number on; the transactions that were in them, in their order."""
        with self._step():
            for name, value in meta.items():
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
            dropped = [row[0] for row in self._db.execute(
                "SELECT data FROM transactions WHERE number>=? ORDER BY number, place", (number,))]
            for row in self._db.execute(
                "SELECT data FROM undo WHERE number>=? ORDER BY number DESC", (number,)).fetchall():
                self._write_state(_changes.decode(row[0]))
            for table in ("blocks", "transactions", "logs", "undo"):
                self._db.execute(f"DELETE FROM {table} WHERE number>=?", (number,))
        self._cache.clear()
        return dropped

    def replaced(self) -> dict[int, Changes]:
        """What each block replaced that may still be undone."""
        with self._translated():
            rows = self._db.execute("SELECT number, data FROM undo ORDER BY number").fetchall()
        return {number: _changes.decode(data) for number, data in rows}

    def newest(self) -> Header | None:
        return self._header("ORDER BY number DESC LIMIT 1")

    def header(self, number: int) -> Header | None:
        return self._header("WHERE number=?", number) if 0 <= number < 1 << 62 else None

    def header_of(self, block: bytes) -> Header | None:
        """By its id."""
        return self._header("WHERE id=?", block)

    def _header(self, where: str, *values: object) -> Header | None:
        with self._translated():
            row = self._db.execute(f"SELECT header FROM blocks {where}", values).fetchone()
        return None if row is None else _headers.decode(row[0])

    # -- transactions

    def has(self, txid: bytes) -> bool:
        with self._translated():
            return self._db.execute("SELECT 1 FROM transactions WHERE id=?", (txid,)).fetchone() is not None

    def transaction(self, txid: bytes) -> Kept | None:
        with self._translated():
            row = self._db.execute("SELECT data, receipt FROM transactions WHERE id=?", (txid,)).fetchone()
        return None if row is None else Kept(row[0], _receipts.decode(row[1]))

    def transactions(self, number: int) -> list[Kept]:
        """Of a block."""
        with self._translated():
            rows = self._db.execute(
                "SELECT data, receipt FROM transactions WHERE number=? ORDER BY place", (number,)).fetchall()
        return [Kept(data, _receipts.decode(receipt)) for data, receipt in rows]

    def logged(self, contract: bytes, most: int) -> list[Kept]:
        """The newest transactions in which a contract wrote events."""
        with self._translated():
            rows = self._db.execute(
                "SELECT data, receipt FROM logs JOIN transactions USING (number, place) WHERE contract=? "
                "ORDER BY number DESC, place DESC LIMIT ?", (contract, most)).fetchall()
        return [Kept(data, _receipts.decode(receipt)) for data, receipt in rows]

    # -- inside

    @contextmanager
    def _step(self) -> Iterator[None]:
        """All of it, or nothing."""
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                self._cache.clear()
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise UsageError(f"another process runs the chain in {self._name}", code="chain_in_use") from error
            raise StorageError(f"the chain in {self._name} cannot be used: {error}") from error
        except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
            raise StorageError(f"the chain in {self._name} cannot be used: {error}") from error
