"""What accounts own, as keys and values over a base that does not change; and every change can be taken back.

Nothing is copied for a transaction or a call of a contract: what was there before a change is noted, and undoing walks
the notes back. The changes of a block go to the store in one piece, with what they replaced.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from wildbach.protocol.tron.keys import keccak

Base = Callable[[bytes], bytes | None]
Changes = dict[bytes, bytes | None]
"None where nothing is any more."

NO_CODE: Final = bytes(32)
_ACCOUNT: Final = struct.Struct(">QQQQQI32s")
_MOST: Final = (1 << 63) - 1
_ZERO: Final = bytes(32)


class Account(NamedTuple):
    """`balance`: SUN; `created`, `active`: ms since 1970, of the first and the newest transaction. `used` bytes of free
    bandwidth were used at `slot`. `code`: the hash of what runs there, NO_CODE for people. `serial` counts what a
    contract does, for py-evm.
    """

    balance: int = 0
    created: int = 0
    active: int = 0
    used: int = 0
    slot: int = 0
    serial: int = 0
    code: bytes = NO_CODE

    @property
    def is_contract(self) -> bool:
        return self.code != NO_CODE


class Overflow(Exception):
    """An account would have more than 2^63 − 1 SUN."""


class State:
    """`base` tells what is there without the changes made here."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self.changes: Changes = {}
        self._undo: list[tuple[bytes, bytes | None, bool]] = []
        self._zeros: list[bytes] = []
        "Slots that were set to zero since `settle`."

    def get(self, key: bytes) -> bytes | None:
        return self.changes[key] if key in self.changes else self._base(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        if key in self.changes:
            self._undo.append((key, self.changes[key], True))
        else:
            self._undo.append((key, None, False))
        self.changes[key] = value

    def mark(self) -> int:
        """A place to go back to."""
        return len(self._undo)

    def back(self, mark: int) -> None:
        """As it was at that place."""
        while len(self._undo) > mark:
            key, value, changed = self._undo.pop()
            if changed:
                self.changes[key] = value
            else:
                del self.changes[key]

    def settle(self) -> None:
        """A transaction is over: nothing of it is taken back any more."""
        for key in self._zeros:
            if self.changes.get(key) == _ZERO:
                self.changes[key] = None
        self._zeros.clear()
        self._undo.clear()

    def replaced(self) -> Changes:
        """What was there before, for every key that changed."""
        return {key: self._base(key) for key in self.changes}

    # -- accounts

    def account(self, who: bytes) -> Account | None:
        """`who`: 20 bytes."""
        raw = self.get(b"a" + who)
        return None if raw is None else Account._make(_ACCOUNT.unpack(raw))

    def put_account(self, who: bytes, account: Account) -> None:
        if account.balance > _MOST:
            raise Overflow
        self.put(b"a" + who, _ACCOUNT.pack(*account))

    def balance(self, who: bytes) -> int:
        found = self.account(who)
        return 0 if found is None else found.balance

    def pay(self, who: bytes, amount: int, now: int) -> None:
        """`amount`: SUN, below zero to take. An account that was not there is made at `now`, ms."""
        found = self.account(who) or Account(created=now)
        self.put_account(who, found._replace(balance=found.balance + amount))

    def remove(self, who: bytes) -> None:
        """An account with its code; what it stored is left behind and nobody can read it."""
        for kind in (b"a", b"m"):
            self.put(kind + who, None)

    # -- contracts

    def code(self, who: bytes) -> bytes:
        found = self.account(who)
        if found is None or not found.is_contract:
            return b""
        return self.get(b"c" + found.code) or b""

    def put_code(self, who: bytes, code: bytes, now: int) -> None:
        name = keccak(code)
        self.put(b"c" + name, code)
        found = self.account(who) or Account(created=now)
        self.put_account(who, found._replace(code=name))

    def slot(self, who: bytes, slot: int) -> int:
        raw = self.get(b"s" + who + slot.to_bytes(32, "big"))
        return 0 if raw is None else int.from_bytes(raw, "big")

    def put_slot(self, who: bytes, slot: int, value: int) -> None:
        """What was never written, and what this transaction set to zero, is told apart: java-tron wants less energy to
        set the second one anew.
        """
        key = b"s" + who + slot.to_bytes(32, "big")
        if not value:
            self._zeros.append(key)
        self.put(key, value.to_bytes(32, "big"))

    def has_slot(self, who: bytes, slot: int) -> bool:
        """Something is there, or this transaction set it to zero."""
        return self.get(b"s" + who + slot.to_bytes(32, "big")) is not None

    def about(self, who: bytes) -> bytes | None:
        """What was said of a contract when it was made."""
        return self.get(b"m" + who)

    def put_about(self, who: bytes, about: bytes) -> None:
        self.put(b"m" + who, about)
