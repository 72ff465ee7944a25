"""Transactions from the moment they are signed until they cannot be undone.

    prepared -> pending -> confirmed | failed
        \\__________\\____-> expired

A transaction is written down with its id and signature before any node hears of it, and a retry sends the same bytes:
what is paid is paid once, whatever crashes. What a node says is a note; only solidified blocks decide. Expired is what
no solidified block has though their time is past its end: it can be sent anew then, and not before.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, StorageError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import recover
from wildbach.protocol.tron.transaction import CreateContract, RawTransaction, Transfer, TriggerContract
from wildbach.runtime.workers import Threads
from wildbach.services.pay.wallet.fees import amount_of
from wildbach.services.pay.wallet.seams import Chain, ChainAnswer, ChainOutcome
from wildbach.services.pay.wallet.signer import checked
from wildbach.services.pay.wallet.store import WalletStore

PREPARED: Final = "prepared"
PENDING: Final = "pending"
CONFIRMED: Final = "confirmed"
FAILED: Final = "failed"
EXPIRED: Final = "expired"
_AGAIN: Final = 15.0
"Seconds after which a node is told of a transaction again that no block has."
_COLUMNS: Final = (
    "id, key, signer, kind, created, expiration, txid, raw, signature, hold, state, note, block, fee, tries, tried,"
    " ended"
)


@dataclass(frozen=True, slots=True)
class Send:
    """`created` and `ended`: seconds since 1970; `expiration`: ms. `note`: what a node said of it, or why it failed.
    `block`: the solidified one that has it, or 0. `fee`: SUN that were burnt.
    """

    id: int
    key: str
    "Of whoever asked for it: asking twice with one key sends once."
    signer: str
    "cold or fee."
    kind: str
    created: int
    expiration: int
    txid: bytes
    raw: RawTransaction
    encoded: bytes
    signature: bytes
    hold: int
    "SUN of the vault's free balance that it takes away when it is confirmed."
    state: str
    note: str
    block: int
    fee: int
    tries: int
    tried: int
    ended: int

    @property
    def amount(self) -> int:
        """SUN."""
        return amount_of(self.raw)

    @property
    def recipient(self) -> Address | None:
        """An account or a contract."""
        match self.raw.contract:
            case Transfer(to=to):
                return to
            case TriggerContract(contract=contract):
                return contract
            case CreateContract():
                return None

    @property
    def open(self) -> bool:
        return self.state in (PREPARED, PENDING)


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction that was shown, agreed to and signed: `raw` is what was shown."""

    key: str
    signer: str
    kind: str
    raw: RawTransaction
    signature: bytes
    hold: int = 0


class Sends:
    """`wall`: seconds since 1970."""

    def __init__(self, store: WalletStore, threads: Threads, wall: Callable[[], float]) -> None:
        self._store = store
        self._threads = threads
        self._wall = wall
        self._polling = asyncio.Lock()

    # -- keeping

    def record(self, signed: Sequence[Signed]) -> list[Send]:
        """Write down what was signed, all or nothing; from here on it goes out, after a crash too. One whose key is
        known is given as it was written down, where it asks for the same. Blocks. Raises UsageError, StorageError.
        """
        rows = [(one, checked(one.raw)) for one in signed]
        for one, encoded in rows:
            if recover(transaction.txid_of(encoded), one.signature) != one.raw.contract.owner:
                raise UsageError("somebody else signed it", code="foreign_signature")
        now = int(self._wall())
        with self._store.change() as db:
            self._room(db, len(rows))
            for one, encoded in rows:
                there = _by_key(db, one.key)
                if there is not None:
                    check_same(there, one.kind, one.raw)
                    continue
                db.execute(
                    f"INSERT INTO sends ({_COLUMNS}) VALUES (NULL,?,?,?,?,?,?,?,?,?,?,'',0,0,0,0,0)",
                    (one.key, one.signer, one.kind, now, one.raw.expiration, transaction.txid_of(encoded), encoded,
                     one.signature, one.hold, PREPARED))
            kept = [_by_key(db, one.key) for one in signed]
        return [one for one in kept if one is not None]

    @staticmethod
    def _room(db: sqlite3.Connection, more: int) -> None:
        (open_,) = db.execute("SELECT count(*) FROM sends WHERE state IN (?,?)", (PREPARED, PENDING)).fetchone()
        (all_,) = db.execute("SELECT count(*) FROM sends").fetchone()
        if open_ + more > limits.WALLET_SENDS_OPEN:
            raise UsageError("limits.WALLET_SENDS_OPEN transactions are on their way", code="too_many_open")
        if all_ + more > limits.WALLET_SENDS:
            raise UsageError("limits.WALLET_SENDS transactions are remembered: export them", code="history_full")

    def get(self, key: str) -> Send | None:
        """By the key it was asked for with. Blocks."""
        with self._store.look() as db:
            return _by_key(db, key)

    def history(self, *, offset: int = 0, limit: int = limits.WALLET_SENDS) -> list[Send]:
        """The newest first. Blocks."""
        with self._store.look() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM sends ORDER BY id DESC LIMIT ? OFFSET ?", (limit, offset)).fetchall()
        return [_send(row) for row in rows]

    def total(self) -> int:
        """How many are remembered. Blocks."""
        with self._store.look() as db:
            (count,) = db.execute("SELECT count(*) FROM sends").fetchone()
        return int(count)

    def on_their_way(self) -> list[Send]:
        """The oldest first. Blocks."""
        with self._store.look() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM sends WHERE state IN (?,?) ORDER BY id", (PREPARED, PENDING)).fetchall()
        return [_send(row) for row in rows]

    def paid(self) -> list[Address]:
        """Who got something. Blocks."""
        with self._store.look() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM sends WHERE state=?", (CONFIRMED,)).fetchall()
        found = dict.fromkeys(one.recipient for one in map(_send, rows))
        return [one for one in found if one is not None]

    # -- the way to a block

    async def poll(self, chain: Chain) -> list[Send]:
        """Go one step on with all that is open; those that changed their state. Raises NetworkError where no node
        answers: nothing is lost, and the next call goes on.
        """
        async with self._polling:
            changed = []
            for one in await self._threads.run(self.on_their_way):
                after = await self._step(chain, one)
                if after.state != one.state:
                    changed.append(after)
            return changed

    async def run(self, chain: Callable[[], Chain | None], pause: float = 3.0) -> None:
        """`poll` for ever, in a task of whoever starts it. `chain`: None while there is none."""
        while True:
            now = chain()
            if now is not None:
                try:
                    await self.poll(now)
                except (NetworkError, FormatError):
                    await asyncio.sleep(pause)
            await asyncio.sleep(pause)

    async def _step(self, chain: Chain, one: Send) -> Send:
        # The time is read first: a block that comes after it cannot have what has expired by then.
        solid = await chain.solid_time()
        outcome = await chain.outcome(one.txid) if one.tries or solid > one.expiration else None
        if outcome is not None:
            return await self._threads.run(self._decided, one, outcome)
        if solid > one.expiration:
            return await self._threads.run(self._update, one, EXPIRED, one.note, True)
        if one.state == PREPARED or self._wall() - one.tried >= _AGAIN:
            # Before the node hears of it: after a crash it may have been heard.
            await self._threads.run(self._trying, one)
            try:
                answer = await chain.broadcast(transaction.signed(one.encoded, one.signature))
            except NetworkError as error:
                answer = ChainAnswer(False, str(error))
            state = PENDING if answer.accepted else one.state
            return await self._threads.run(self._update, one, state, "" if answer.accepted else answer.message, False)
        return one

    def _trying(self, one: Send) -> None:
        with self._store.change() as db:
            db.execute("UPDATE sends SET tries=tries+1, tried=? WHERE id=?", (int(self._wall()), one.id))

    def _update(self, one: Send, state: str, note: str, ended: bool) -> Send:
        with self._store.change() as db:
            db.execute(
                "UPDATE sends SET state=?, note=?, ended=? WHERE id=? AND state IN (?,?)",
                (state, _note(note), int(self._wall()) if ended else 0, one.id, PREPARED, PENDING))
            return _by_id(db, one.id)

    def _decided(self, one: Send, outcome: ChainOutcome) -> Send:
        with self._store.change() as db:
            db.execute(
                "UPDATE sends SET state=?, note=?, block=?, fee=?, ended=? WHERE id=? AND state IN (?,?)",
                (CONFIRMED if outcome.succeeded else FAILED, _note(outcome.message), outcome.block, outcome.fee,
                 int(self._wall()), one.id, PREPARED, PENDING))
            return _by_id(db, one.id)


def check_same(there: Send, kind: str, raw: RawTransaction) -> None:
    """Raises UsageError where one key was given for two things."""
    if (there.kind, there.raw.contract, there.raw.memo) != (kind, raw.contract, raw.memo):
        raise UsageError("something else was sent under this key", code="key_used")


def _note(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text[: limits.WALLET_NOTE_CHARS])


def _by_key(db: sqlite3.Connection, key: str) -> Send | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM sends WHERE key=?", (key,)).fetchone()
    return None if row is None else _send(row)


def _by_id(db: sqlite3.Connection, id_: int) -> Send:
    return _send(db.execute(f"SELECT {_COLUMNS} FROM sends WHERE id=?", (id_,)).fetchone())


def _send(row: tuple[object, ...]) -> Send:
    (id_, key, signer, kind, created, expiration, txid, raw, signature, hold, state, note, block, fee, tries, tried,
     ended) = row
    encoded = _bytes(raw)
    try:
        meant = transaction.decode(encoded)
    except FormatError as error:
        raise StorageError(f"a transaction of the wallet is damaged: {error}", code="wallet_damaged") from error
    if transaction.txid_of(encoded) != txid:
        raise StorageError("a transaction of the wallet is not as it was written", code="wallet_damaged")
    return Send(
        _int(id_), str(key), str(signer), str(kind), _int(created), _int(expiration), _bytes(txid), meant, encoded,
        _bytes(signature), _int(hold), str(state), str(note), _int(block), _int(fee), _int(tries), _int(tried),
        _int(ended))


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
