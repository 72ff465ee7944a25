"""Addresses that are paid for one torrent each, so that payments for two torrents do not show who they belong to.

They follow from the words by hardened steps, so they are made while the passphrase is there, some at a time, and handed
out later.
"""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.errors import StorageError, UsageError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.services.pay.wallet.derivation import cold_key, payee_key
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.store import WalletStore


@dataclass(frozen=True, slots=True)
class Payee:
    """`number`: n of m/44'/195'/d'/1'/n'. `torrent`: 32 bytes, empty while it is free."""

    number: int
    address: Address
    torrent: bytes


class Payees:
    """Of the wallet that pays from `payer`. Blocks; raises StorageError."""

    def __init__(self, store: WalletStore, payer: Address) -> None:
        self._store = store
        self._payer = payer

    def all(self) -> list[Payee]:
        with self._store.look() as db:
            rows = db.execute("SELECT number, address, torrent FROM payees ORDER BY number").fetchall()
        return [Payee(number, Address(raw), torrent or b"") for number, raw, torrent in rows]

    def add(self, phrase: Phrase, device: int, count: int) -> list[Address]:
        """So many more."""
        seed = phrase.seed()
        if cold_key(seed, device).address != self._payer:
            raise StorageError("these words are of another wallet", code="key_damaged")
        with self._store.change() as db:
            (first,) = db.execute("SELECT coalesce(max(number) + 1, 0) FROM payees").fetchone()
            made = [(number, payee_key(seed, device, number).address) for number in range(first, first + count)]
            db.executemany("INSERT INTO payees VALUES (?,?,NULL)", [(number, one.raw) for number, one in made])
        return [one for _, one in made]

    def of(self, torrent: bytes) -> Address:
        """The address of a torrent, the same each time. Raises UsageError, code `no_payee`, where none is left."""
        if len(torrent) != 32:
            raise UsageError("a torrent has 32 bytes here", code="bad_share")
        with self._store.change() as db:
            row = db.execute("SELECT address FROM payees WHERE torrent=?", (torrent,)).fetchone()
            if row is None:
                row = db.execute(
                    "UPDATE payees SET torrent=? WHERE number=(SELECT min(number) FROM payees WHERE torrent IS NULL)"
                    " RETURNING address", (torrent,)).fetchone()
        if row is None:
            raise UsageError("no address is left for another torrent: make more with the passphrase", code="no_payee")
        return Address(row[0])

    def key(self, phrase: Phrase, device: int, address: Address) -> SecretKey:
        """The key of one of them, to spend what it got. Raises UsageError for one of somebody else."""
        for one in self.all():
            if one.address == address:
                return payee_key(phrase.seed(), device, one.number)
        raise UsageError("this address is not of this wallet", code="foreign_account")
