"""Agreements of a sponsor, how far they are, and what every probe found, in one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.disk.durable import DurableStore, Form
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.sponsor.sponsoring import Agreement, Running

_TABLES: Final = (
    "CREATE TABLE salt (value BLOB NOT NULL) STRICT",
    "CREATE TABLE agreements (id INTEGER PRIMARY KEY, torrent BLOB NOT NULL, payee BLOB NOT NULL, host TEXT NOT NULL,"
    " port INTEGER NOT NULL, rate INTEGER NOT NULL, price INTEGER NOT NULL, period INTEGER NOT NULL, periods INTEGER"
    " NOT NULL, probes INTEGER NOT NULL, begins INTEGER NOT NULL, reserved INTEGER NOT NULL) STRICT",
    "CREATE TABLE running (id INTEGER PRIMARY KEY REFERENCES agreements (id), period INTEGER NOT NULL, times TEXT NOT"
    " NULL, made INTEGER NOT NULL CHECK (made >= 0), passed INTEGER NOT NULL CHECK (passed BETWEEN 0 AND made), earned"
    " INTEGER NOT NULL CHECK (earned >= 0), paid INTEGER NOT NULL CHECK (paid BETWEEN 0 AND earned), paying INTEGER NOT"
    " NULL CHECK (paying = 0 OR paying > paid), good INTEGER NOT NULL, bad INTEGER NOT NULL, unseen INTEGER NOT NULL,"
    " stopped INTEGER NOT NULL) STRICT",
    "CREATE TABLE probes (number INTEGER PRIMARY KEY, id INTEGER NOT NULL, period INTEGER NOT NULL, at INTEGER NOT"
    " NULL, why TEXT NOT NULL, size INTEGER NOT NULL, rate INTEGER NOT NULL) STRICT",
    "CREATE INDEX probes_of ON probes (id)",
)
_FORM: Final = Form(
    0x77627370, 1, _TABLES, "sponsoring_damaged",
    "and nobody is looked at or paid: %s. Put it aside to begin anew; what is reserved stays so until its date")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a probe found. `at`: seconds since 1970; `why`: of `engine.probing.Why`; `rate`: bytes a second."""

    id: int
    period: int
    at: int
    why: str
    size: int
    rate: int


class SponsorStore:
    """Blocks; raises StorageError, code `sponsoring_damaged` where the file cannot be trusted."""

    def __init__(self, path: Path) -> None:
        self._store = DurableStore(path, _FORM)
        with self._store.change() as db:
            if db.execute("SELECT count(*) FROM salt").fetchone()[0] == 0:
                db.execute("INSERT INTO salt VALUES (?)", (os.urandom(16),))

    def close(self) -> None:
        self._store.close()

    @property
    def salt(self) -> bytes:
        """16 bytes that are another file's never."""
        with self._store.look() as db:
            return bytes(db.execute("SELECT value FROM salt").fetchone()[0])

    def load(self) -> list[Running]:
        with self._store.look() as db:
            try:
                return [_running(row) for row in db.execute(
                    "SELECT * FROM agreements JOIN running USING (id) ORDER BY id").fetchall()]
            except (UsageError, FormatError, ValueError) as error:
                raise self._store.damaged(str(error)) from error

    def put(self, changed: Sequence[Running], log: Sequence[Entry] = ()) -> None:
        """All of it or nothing; durable when this returns."""
        with self._store.change() as db:
            for one in changed:
                a = one.agreement
                db.execute(
                    "INSERT INTO agreements VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                    (a.id, a.torrent, a.payee.raw, a.endpoint.host, a.endpoint.port, a.rate, a.price, a.period,
                     a.periods, a.probes, a.begins, a.reserved))
                db.execute(
                    "INSERT OR REPLACE INTO running VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                    (a.id, one.period, " ".join(map(str, one.times)), one.made, one.passed, one.earned, one.paid,
                     one.paying, one.good, one.bad, one.unseen, int(one.stopped)))
            db.executemany(
                "INSERT INTO probes (id, period, at, why, size, rate) VALUES (?,?,?,?,?,?)",
                [(one.id, one.period, one.at, one.why, one.size, one.rate) for one in log])

    def log(self, id_: int, count: int = 100) -> list[Entry]:
        """The newest first."""
        with self._store.look() as db:
            return [Entry(*row) for row in db.execute(
                "SELECT id, period, at, why, size, rate FROM probes WHERE id=? ORDER BY number DESC LIMIT ?",
                (id_, count)).fetchall()]


def _running(row: Sequence[object]) -> Running:
    (id_, torrent, payee, host, port, rate, price, period, periods, probes, begins, reserved,
     at, times, made, passed, earned, paid, paying, good, bad, unseen, stopped) = row
    agreement = Agreement(
        _int(id_), bytes(torrent) if isinstance(torrent, bytes) else b"",
        Address(payee if isinstance(payee, bytes) else b""), Endpoint(str(host), _int(port)), _int(rate), _int(price),
        _int(period), _int(periods), _int(probes), _int(begins), _int(reserved))
    return Running(
        agreement, _int(at), [int(one) for one in str(times).split()], _int(made), _int(passed), _int(earned),
        _int(paid), _int(paying), _int(good), _int(bad), _int(unseen), bool(stopped))


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("a number is none")
    return value
