"""The ledger: what was bought, sold, deposited, redeemed and burnt, in double entry, and the lanes as they stand.

A row moves an amount from one account to another, so all of them together are always zero. Rows are never changed nor
taken away: SQLite refuses it, and each row's seal covers the one before. What lanes hold is written in the same
transaction as the rows that explain it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

from wildbach.base import limits
from wildbach.disk.durable import DurableStore, Form
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.buying import Buying
from wildbach.services.pay.ledger.selling import Lane, Selling
from wildbach.services.pay.ledger.terms import LaneId

_SEAL: Final = 16
_TABLES: Final = (
    "CREATE TABLE rows (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL, debit TEXT NOT NULL,"
    " credit TEXT NOT NULL CHECK (credit <> debit), amount INTEGER NOT NULL CHECK (amount > 0), party BLOB NOT NULL,"
    " epoch INTEGER NOT NULL, torrent BLOB NOT NULL, mark BLOB NOT NULL, seal BLOB NOT NULL) STRICT",
    "CREATE TRIGGER rows_stay BEFORE UPDATE ON rows BEGIN SELECT RAISE(ABORT, 'rows are not changed'); END",
    "CREATE TRIGGER rows_are_kept BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'rows are not taken away'); END",
    "CREATE UNIQUE INDEX rows_once ON rows (mark, what) WHERE length(mark) > 0 AND what <> 'voucher'",
    "CREATE TABLE sums (account TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE bought (payee BLOB, epoch INTEGER, owed TEXT NOT NULL, bytes INTEGER NOT NULL, signed INTEGER"
    " NOT NULL CHECK (signed >= 0), paid INTEGER NOT NULL CHECK (paid >= 0), PRIMARY KEY (payee, epoch)) STRICT,"
    " WITHOUT ROWID",
    "CREATE TABLE payers (payer BLOB PRIMARY KEY, first INTEGER NOT NULL, most INTEGER NOT NULL, window INTEGER"
    " NOT NULL, billed TEXT NOT NULL, bytes INTEGER NOT NULL, off INTEGER NOT NULL, units_off TEXT NOT NULL,"
    " grown_at INTEGER NOT NULL, signer BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE sold (payer BLOB, payee BLOB, epoch INTEGER, total INTEGER NOT NULL CHECK (total >= 0), signature"
    " BLOB NOT NULL, redeemed INTEGER NOT NULL CHECK (redeemed BETWEEN 0 AND total), sent INTEGER NOT NULL, units"
    " TEXT NOT NULL, PRIMARY KEY (payer, payee, epoch)) STRICT, WITHOUT ROWID",
)
_FORM: Final = Form(
    0x7762626B, 1, _TABLES, "ledger_damaged",
    "and nothing is bought or sold: %s. Put it aside to begin anew; vouchers in it that were not redeemed are lost "
    "then, unless their payers show them again")


class Account(Enum):
    """Where amounts are, and where they went. What is ours is above zero, what we promised and earned below."""

    WALLET = "wallet"
    "Of the cold address and the fee key, on the chain."
    DEPOSIT = "deposit"
    "In the vault, for vouchers of ours."
    HELD = "held"
    "Vouchers of others that were not redeemed."
    CREDIT = "credit"
    "Redeemed in the vault, not fetched."
    PROMISED = "promised"
    "Vouchers of ours that were not redeemed."
    EARNED = "earned"
    BOUGHT = "bought"
    GIVEN = "given"
    "Tips, and periods of seeding that were sponsored."
    BURNT = "burnt"
    "Fees of the chain."
    OUTSIDE = "outside"
    "What came from elsewhere, and went there."


@dataclass(frozen=True, slots=True)
class Row:
    """`at`: seconds since 1970. `amount`: SUN, from `credit` to `debit`. `party`: who is on the other side. `torrent`:
    32 bytes, or empty. `mark`: of a voucher its digest, of a transaction its id; or empty.
    """

    number: int
    at: int
    what: str
    debit: Account
    credit: Account
    amount: int
    party: Address | None = None
    epoch: int = 0
    torrent: bytes = b""
    mark: bytes = b""


@dataclass(frozen=True, slots=True)
class Part:
    """What of a sum is for which torrent."""

    torrent: bytes
    amount: int


@dataclass(slots=True)
class Payer:
    """A seller's books of one payer, and whose key signs for him."""

    books: Selling
    signer: Address | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A voucher that can be brought to the vault. `worth`: SUN that it would bring."""

    payer: Address
    lane: LaneId
    total: int
    signature: bytes
    worth: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A voucher with a good signature, as it is to be stored. `mark`: its digest. `at`: seconds since 1970."""

    payer: Address
    lane: LaneId
    total: int
    signature: bytes
    mark: bytes
    torrent: bytes
    at: int


class Ledger:
    """Of one paying address on one chain. Blocks; raises StorageError."""

    def __init__(self, path: Path) -> None:
        self._store = DurableStore(path, _FORM)
        with self._store.change() as db:
            # No part of the form: what was written stays as it is.
            db.execute("CREATE INDEX IF NOT EXISTS rows_by_time ON rows (at, debit, credit, amount, party)")

    def close(self) -> None:
        self._store.close()

    # -- bought

    def bought(self) -> dict[LaneId, tuple[Buying, int]]:
        """All lanes to others, and what of each was redeemed (SUN)."""
        with self._store.look() as db:
            rows = db.execute("SELECT payee, epoch, owed, bytes, signed, paid FROM bought").fetchall()
        return {
            LaneId(Address(payee), epoch): (Buying(epoch, int(owed), size, signed), paid)
            for payee, epoch, owed, size, signed, paid in rows}

    def owes(self, lanes: Sequence[tuple[LaneId, Buying]]) -> None:
        """How far they are, between two vouchers."""
        with self._store.change() as db:
            for lane, books in lanes:
                _put_bought(db, lane, books)

    def signed(
        self, at: int, lane: LaneId, books: Buying, parts: Sequence[Part], mark: bytes, *, gift: bool = False,
    ) -> None:
        """A voucher of ours of a higher total, which may leave when this returns. `gift`: it is for no blocks, and
        `mark` names what it is for; that is given once.
        """
        with self._store.change() as db:
            _put_bought(db, lane, books)
            if gift:
                for part in parts:
                    _post(db, Row(
                        0, at, "gift", Account.GIVEN, Account.PROMISED, part.amount, lane.payee, lane.epoch,
                        part.torrent, mark))
                return
            for part in parts:
                spent = Account.BOUGHT if part.torrent else Account.GIVEN
                _post(db, Row(
                    0, at, "voucher", spent, Account.PROMISED, part.amount, lane.payee, lane.epoch, part.torrent, mark))

    def given(self, mark: bytes) -> bool:
        """There is a gift with this mark."""
        with self._store.look() as db:
            return db.execute("SELECT 1 FROM rows WHERE mark=? AND what='gift'", (mark,)).fetchone() is not None

    def spent(self, at: int, lane: LaneId, paid: int) -> int:
        """The vault has paid so much of a lane of ours in all, at a solidified block. Returns what is new of it."""
        with self._store.change() as db:
            row = db.execute(
                "SELECT paid FROM bought WHERE payee=? AND epoch=?", (lane.payee.raw, lane.epoch)).fetchone()
            before = 0 if row is None else int(row[0])
            if row is None:
                _put_bought(db, lane, Buying(lane.epoch))
            db.execute("UPDATE bought SET paid=? WHERE payee=? AND epoch=?", (paid, lane.payee.raw, lane.epoch))
            _move(db, at, "redeemed", Account.PROMISED, Account.DEPOSIT, paid - before, lane.payee, lane.epoch)
        return paid - before

    # -- sold

    def payers(self) -> list[Address]:
        with self._store.look() as db:
            return [Address(raw) for (raw,) in db.execute("SELECT payer FROM payers ORDER BY payer").fetchall()]

    def payer(self, payer: Address) -> Payer | None:
        with self._store.look() as db:
            row = db.execute(
                "SELECT first, most, window, billed, bytes, off, units_off, grown_at, signer FROM payers WHERE payer=?",
                (payer.raw,)).fetchone()
            if row is None:
                return None
            first, most, window, billed, size, off, units_off, grown_at, signer = row
            lanes = {
                LaneId(Address(payee), epoch): Lane(total, signature, redeemed, sent, int(units))
                for payee, epoch, total, signature, redeemed, sent, units in db.execute(
                    "SELECT payee, epoch, total, signature, redeemed, sent, units FROM sold WHERE payer=?",
                    (payer.raw,)).fetchall()}
        books = Selling(window, first, most, int(billed), size, off, int(units_off), lanes, grown_at)
        return Payer(books, Address(signer) if signer else None)

    def billed(self, payers: Sequence[tuple[Address, Payer]]) -> None:
        """How far sales are, between two vouchers."""
        with self._store.change() as db:
            for payer, state in payers:
                _put_payer(db, payer, state)

    def held(self, vouchers: Sequence[Taken]) -> None:
        """They count when this returns."""
        with self._store.change() as db:
            for one in vouchers:
                key = (one.payer.raw, one.lane.payee.raw, one.lane.epoch)
                row = db.execute("SELECT total FROM sold WHERE payer=? AND payee=? AND epoch=?", key).fetchone()
                before = 0 if row is None else int(row[0])
                if one.total <= before:
                    continue
                db.execute(
                    "INSERT INTO sold VALUES (?,?,?,?,?,0,0,'0') ON CONFLICT DO UPDATE SET total=excluded.total,"
                    " signature=excluded.signature", (*key, one.total, one.signature))
                _post(db, Row(
                    0, one.at, "voucher", Account.HELD, Account.EARNED, one.total - before, one.payer, one.lane.epoch,
                    one.torrent, one.mark))

    def redeemed(self, at: int, payer: Address, lane: LaneId, paid: int) -> int:
        """The vault has paid us so much of a lane in all, at a solidified block; after a reorganisation it may be less.
        Returns what is new of it.
        """
        with self._store.change() as db:
            row = db.execute(
                "SELECT redeemed, total FROM sold WHERE payer=? AND payee=? AND epoch=?",
                (payer.raw, lane.payee.raw, lane.epoch)).fetchone()
            if row is None:
                return 0
            more = min(paid, int(row[1])) - int(row[0])
            db.execute(
                "UPDATE sold SET redeemed=redeemed+? WHERE payer=? AND payee=? AND epoch=?",
                (more, payer.raw, lane.payee.raw, lane.epoch))
            _move(db, at, "redeemed", Account.CREDIT, Account.HELD, more, payer, lane.epoch)
        return more

    def unredeemed(self) -> list[Held]:
        """What the vault has not paid, those worth most first."""
        with self._store.look() as db:
            return [
                Held(Address(payer), LaneId(Address(payee), epoch), total, signature, worth)
                for payer, payee, epoch, total, signature, worth in db.execute(
                    "SELECT payer, payee, epoch, total, signature, total - redeemed FROM sold WHERE total > redeemed"
                    " ORDER BY total - redeemed DESC, payer, payee, epoch").fetchall()]

    # -- the chain

    def post(
        self, at: int, what: str, debit: Account, credit: Account, amount: int, *, party: Address | None = None,
        mark: bytes = b"",
    ) -> bool:
        """What a transaction moved or burnt: once for each (`mark`), however often it is said. False where it was
        there.
        """
        with self._store.change() as db:
            if mark and db.execute("SELECT 1 FROM rows WHERE mark=? AND what=?", (mark, what)).fetchone():
                return False
            _move(db, at, what, debit, credit, amount, party, 0, mark)
        return True

    # -- what it says

    def balances(self) -> dict[Account, int]:
        """SUN, of every account."""
        with self._store.look() as db:
            sums = dict(db.execute("SELECT account, amount FROM sums").fetchall())
        return {account: sums.get(account.value, 0) for account in Account}

    def rows(self, after: int = 0, count: int = 1000) -> list[Row]:
        """In the order they were written."""
        with self._store.look() as db:
            return [_row(one) for one in db.execute(
                "SELECT number, at, what, debit, credit, amount, party, epoch, torrent, mark FROM rows WHERE number > ?"
                " ORDER BY number LIMIT ?", (after, count)).fetchall()]

    def newest(self, count: int, before: int | None = None) -> list[Row]:
        """The newest first."""
        with self._store.look() as db:
            return [_row(one) for one in db.execute(
                "SELECT number, at, what, debit, credit, amount, party, epoch, torrent, mark FROM rows WHERE number < ?"
                " ORDER BY number DESC LIMIT ?", (before if before is not None else 1 << 62, count)).fetchall()]

    def since(self, at: int) -> dict[str, int]:
        """SUN that were earned, bought, given and burnt from a time on."""
        with self._store.look() as db:
            gone = dict(db.execute(
                "SELECT debit, sum(amount) FROM rows WHERE at >= ? GROUP BY debit", (at,)).fetchall())
            came = dict(db.execute(
                "SELECT credit, sum(amount) FROM rows WHERE at >= ? GROUP BY credit", (at,)).fetchall())
        flows = (Account.EARNED, Account.BOUGHT, Account.GIVEN, Account.BURNT)
        return {one.value: abs(gone.get(one.value, 0) - came.get(one.value, 0)) for one in flows}

    def earned(self, at: int) -> dict[Address, int]:
        """SUN in vouchers of others that came from a time on, by payer."""
        with self._store.look() as db:
            rows = db.execute(
                "SELECT party, sum(amount) FROM rows WHERE at >= ? AND credit=? GROUP BY party",
                (at, Account.EARNED.value)).fetchall()
        return {Address(raw): amount for raw, amount in rows if raw}

    def check(self) -> None:
        """See that seals, sums and lanes agree. Raises StorageError, code `ledger_damaged`."""
        with self._store.look() as db:
            seal = b""
            sums: dict[str, int] = {}
            for number, at, what, debit, credit, amount, party, epoch, torrent, mark, has in db.execute(
                "SELECT * FROM rows ORDER BY number"
            ):
                seal = _seal(seal, at, what, debit, credit, amount, party, epoch, torrent, mark)
                if seal != has:
                    raise self._store.damaged(f"row {number} is not what was written")
                sums[debit] = sums.get(debit, 0) + amount
                sums[credit] = sums.get(credit, 0) - amount
            if {name: amount for name, amount in sums.items() if amount} != {
                    name: amount for name, amount in db.execute("SELECT account, amount FROM sums") if amount}:
                raise self._store.damaged("its sums do not agree with its rows")
            for account, query in (
                (Account.HELD, "SELECT coalesce(sum(total - redeemed), 0) FROM sold"),
                (Account.PROMISED, "SELECT coalesce(sum(paid - signed), 0) FROM bought"),
            ):
                if db.execute(query).fetchone()[0] != sums.get(account.value, 0):
                    raise self._store.damaged(f"its lanes do not agree with what is {account.value}")

    def table(self) -> Iterator[str]:
        """All rows as CSV, part by part."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(("number", "time", "what", "to", "from", "amount_sun", "party", "epoch", "torrent", "mark"))
        number = 0
        while True:
            rows = self.rows(number)
            for row in rows:
                number = row.number
                when = datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                writer.writerow((
                    row.number, when, row.what, row.debit.value, row.credit.value, row.amount, row.party or "",
                    row.epoch or "", row.torrent.hex(), row.mark.hex()))
            yield out.getvalue()
            out.seek(0)
            out.truncate()
            if not rows:
                return


def _put_bought(db: sqlite3.Connection, lane: LaneId, books: Buying) -> None:
    db.execute(
        "INSERT INTO bought VALUES (?,?,?,?,?,0) ON CONFLICT DO UPDATE SET owed=excluded.owed, bytes=excluded.bytes,"
        " signed=excluded.signed",
        (lane.payee.raw, lane.epoch, str(books.owed), books.bytes_owed, books.signed))


def _put_payer(db: sqlite3.Connection, payer: Address, state: Payer) -> None:
    books = state.books
    db.execute(
        "INSERT OR REPLACE INTO payers VALUES (?,?,?,?,?,?,?,?,?,?)",
        (payer.raw, books.first, books.most, books.window, str(books.billed), books.bytes_billed, books.off,
         str(books.units_off), books.grown_at, state.signer.raw if state.signer is not None else b""))
    # Lanes without a voucher are as these books have them, and no more.
    db.execute("DELETE FROM sold WHERE payer=? AND total=0", (payer.raw,))
    # Totals, signatures and what was redeemed come with the rows that explain them.
    db.executemany(
        "INSERT INTO sold VALUES (?,?,?,0,x'',0,?,?) ON CONFLICT DO UPDATE SET sent=excluded.sent,"
        " units=excluded.units",
        [(payer.raw, one.payee.raw, one.epoch, lane.sent, str(lane.units)) for one, lane in books.lanes.items()])


def _move(
    db: sqlite3.Connection, at: int, what: str, debit: Account, credit: Account, amount: int,
    party: Address | None, epoch: int, mark: bytes = b"",
) -> None:
    """Below zero it goes the other way."""
    if amount < 0:
        debit, credit, amount = credit, debit, -amount
    if amount:
        _post(db, Row(0, at, what, debit, credit, amount, party, epoch, b"", mark))


def _post(db: sqlite3.Connection, row: Row) -> None:
    if row.amount > limits.WALLET_AMOUNT:
        raise ValueError("no row has so much")
    last = db.execute("SELECT seal FROM rows ORDER BY number DESC LIMIT 1").fetchone()
    values = (
        row.at, row.what, row.debit.value, row.credit.value, row.amount, row.party.raw if row.party else b"",
        row.epoch, row.torrent, row.mark)
    db.execute(
        "INSERT INTO rows (at, what, debit, credit, amount, party, epoch, torrent, mark, seal)"
        " VALUES (?,?,?,?,?,?,?,?,?,?)", (*values, _seal(last[0] if last else b"", *values)))
    db.execute(
        "INSERT INTO sums VALUES (?,?),(?,?) ON CONFLICT DO UPDATE SET amount=amount+excluded.amount",
        (row.debit.value, row.amount, row.credit.value, -row.amount))


def _seal(before: bytes, *values: object) -> bytes:
    text = "\0".join(one.hex() if isinstance(one, bytes) else str(one) for one in values)
    return hashlib.blake2b(before + text.encode(), digest_size=_SEAL).digest()


def _row(values: tuple[int, int, str, str, str, int, bytes, int, bytes, bytes]) -> Row:
    number, at, what, debit, credit, amount, party, epoch, torrent, mark = values
    return Row(
        number, at, what, Account(debit), Account(credit), amount, Address(party) if party else None, epoch, torrent,
        mark)
