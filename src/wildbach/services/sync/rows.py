"""Rows of indexes on their way: those of a device that came and are not whole yet, and those that it need not be sent.

Whether authors signed what came is looked at as it comes, so that little is left to do when it is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from wildbach.disk.spool import Spool
from wildbach.protocol.sync.entries import Entry

_MEMORY: Final = 4 * 1024 * 1024
"Bytes of rows whose entries are held as such; later ones are read anew from the spool."
_RANGES: Final = 1000
"Of a device; what is not remembered is sent once more."


class Ranges:
    """Numbers that only grow, as ranges."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int]] = []
        "(the number before, the last one)"

    def add(self, numbers: Iterable[int]) -> None:
        """Greater than all that were added before, in order."""
        for each in numbers:
            if self._found and self._found[-1][1] == each - 1:
                self._found[-1] = (self._found[-1][0], each)
            elif len(self._found) < _RANGES:
                self._found.append((each - 1, each))

    def after(self, number: int) -> int:
        """The last number of the range that follows it; `number` where none does at once. Those before are forgotten,
        as what is asked for only grows.
        """
        while self._found and self._found[0][0] <= number:
            number = max(number, self._found.pop(0)[1])
        return number

    def before(self, last: int) -> int:
        """The number before the first range, and `last` at most."""
        return min(self._found[0][0], last) if self._found else last

    def clear(self) -> None:
        self._found.clear()


class Arriving:
    """Of one connection. Blocks; raises StorageError."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._first: list[Entry] = []
        self._signed = bytearray()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._spool.size

    def add(self, rows: Sequence[bytes], entries: Sequence[Entry], signed: bytes) -> None:
        """`signed`: a byte for each, 1 where its author signed it."""
        self._spool.add(rows)
        if self._spool.size <= _MEMORY:
            self._first += entries
        self._signed += signed

    def rows(self) -> Iterator[tuple[bytes, Entry, int]]:
        """All of them in order: as they came, as entries, and 1 where the author is known to have signed it."""
        for nth, raw in enumerate(self._spool.rows()):
            entry = self._first[nth] if nth < len(self._first) else Entry.unpack(raw, checked=True)
            yield raw, entry, self._signed[nth]

    def clear(self) -> None:
        """Idempotent."""
        self._spool.clear()
        self._first.clear()
        self._signed.clear()
