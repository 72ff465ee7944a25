"""What a wallet counts and remembers, in one SQLite file: `wallet.db` in its folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from wildbach.disk.durable import DurableStore, Form

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
)
_FORM: Final = Form(
    0x77627478, 1, _TABLES, "wallet_damaged",
    "and nothing is signed: %s. Put it aside to begin anew; today's limit then counts as used")


class WalletStore(DurableStore):
    """Raises StorageError, code `wallet_damaged`: nothing is signed then."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _FORM)


def number(db: sqlite3.Connection, name: str) -> int:
    """Zero where nothing was set."""
    row = db.execute("SELECT value FROM numbers WHERE name=?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def put_number(db: sqlite3.Connection, name: str, value: int) -> None:
    db.execute("INSERT OR REPLACE INTO numbers VALUES (?,?)", (name, value))


class Numbers:
    """All of them, as one transaction sees them: read at once, and what is changed written at once, with `write`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._values: dict[str, int] = dict(db.execute("SELECT name, value FROM numbers").fetchall())
        self._changed: dict[str, int] = {}

    def get(self, name: str) -> int:
        """Zero where nothing was set."""
        return self._values.get(name, 0)

    def put(self, name: str, value: int) -> None:
        if self._values.get(name) != value:
            self._values[name] = self._changed[name] = value

    def write(self) -> None:
        if self._changed:
            rows = ",".join("(?,?)" for _ in self._changed)
            values = [value for one in self._changed.items() for value in one]
            self._db.execute(f"INSERT OR REPLACE INTO numbers VALUES {rows}", values)
            self._changed = {}
