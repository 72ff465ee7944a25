"""Addresses by name, and what to say before money goes to one.

Who wants to be paid by mistake makes an address that begins and ends like one that was used before, and sends a little
from it: the eye sees both ends and no middle. So each address is compared with those in the book and with those that
got something. An address that sent something proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.services.pay.wallet.store import WalletStore

_ALIKE: Final = 5
"So many equal characters at both ends together, the T not counted: of one address in 656 million."


@dataclass(frozen=True, slots=True)
class Known:
    address: Address
    label: str
    added: int
    "Seconds since 1970."


@dataclass(frozen=True, slots=True)
class Caution:
    """`code`: look_alike, first_time, nobody, own_address. `like`: the address that it is taken for."""

    code: str
    message: str
    like: Address | None = None


class Book:
    """Blocks; raises StorageError, UsageError."""

    def __init__(self, store: WalletStore, wall: Callable[[], float]) -> None:
        self._store = store
        self._wall = wall

    def put(self, address: Address, label: str) -> Known:
        """Under a new name where it has one."""
        label = " ".join(label.split())
        if not label or len(label) > limits.WALLET_NOTE_CHARS or not label.isprintable():
            raise UsageError(f"a name has 1 to {limits.WALLET_NOTE_CHARS} characters to be printed", code="bad_label")
        with self._store.change() as db:
            (count,) = db.execute("SELECT count(*) FROM book WHERE address<>?", (address.raw,)).fetchone()
            if count >= limits.WALLET_BOOK:
                raise UsageError("the book has limits.WALLET_BOOK addresses", code="book_full")
            now = int(self._wall())
            db.execute(
                "INSERT INTO book VALUES (?,?,?) ON CONFLICT (address) DO UPDATE SET label=excluded.label",
                (address.raw, label, now))
            (added,) = db.execute("SELECT added FROM book WHERE address=?", (address.raw,)).fetchone()
        return Known(address, label, int(added))

    def remove(self, address: Address) -> bool:
        with self._store.change() as db:
            return db.execute("DELETE FROM book WHERE address=?", (address.raw,)).rowcount > 0

    def entries(self) -> list[Known]:
        with self._store.look() as db:
            rows = db.execute("SELECT address, label, added FROM book ORDER BY label, address").fetchall()
        return [Known(Address(raw), label, added) for raw, label, added in rows]

    def label(self, address: Address) -> str:
        """Empty for none."""
        with self._store.look() as db:
            row = db.execute("SELECT label FROM book WHERE address=?", (address.raw,)).fetchone()
        return "" if row is None else str(row[0])

    def warnings(self, address: Address, paid: Iterable[Address], own: Iterable[Address]) -> tuple[Caution, ...]:
        """What to say before money goes there. `paid`: addresses that got something; `own`: of this wallet."""
        found = []
        booked = [one.address for one in self.entries()]
        before = dict.fromkeys(paid)
        mine = dict.fromkeys(own)
        if address == NOBODY:
            found.append(Caution("nobody", "nobody has the key of this address: what goes there is lost"))
        if address in mine:
            found.append(Caution("own_address", "this is an address of this wallet"))
        known = dict.fromkeys((*booked, *before, *mine))
        if address not in known:
            found.append(Caution("first_time", "nothing was sent to this address before: compare every character"))
            found += [
                Caution("look_alike", f"this looks like {like} and is another: compare the middle", like)
                for like in known if _alike(str(address), str(like))
            ]
        return tuple(found)


def _alike(one: str, other: str) -> bool:
    if one == other:
        return False
    return _common(one[1:], other[1:]) + _common(one[:0:-1], other[:0:-1]) >= _ALIKE


def _common(one: str, other: str) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine.lower() != theirs.lower():
            break
        count += 1
    return count
