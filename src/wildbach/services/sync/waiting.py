"""Entries of who may not write any more that came before the list that says which of them count. They wait in the data
base, each once whoever sent it, so nothing else waits for them, and nobody has to send them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.cuts import Verdict, entry_hash
from wildbach.protocol.sync.entries import Entry
from wildbach.services.sync.store import FolderStore

_WAITS: Final = "waits "
"And the author, and the hash of the entry."
_END: Final = _WAITS[:-1] + "!"
_ROWS: Final = 500


class Waiting:
    """Of one folder; in the thread of its store."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store
        self.authors: frozenset[DeviceId] = frozenset()
        "Of whom some wait."
        self._look()

    def _look(self) -> None:
        first, size = len(_WAITS) + 1, 2 * DeviceId.SIZE
        self.authors = frozenset(DeviceId(bytes.fromhex(author)) for (author,) in self._store.read(
            f"SELECT DISTINCT substr(name, {first}, {size}) FROM facts WHERE name > ? AND name < ?", _WAITS, _END))

    def has_room(self, size: int) -> bool:
        """For entries of so many bytes."""
        (waiting,) = self._store.read(
            "SELECT coalesce(sum(length(value)), 0) FROM facts WHERE name > ? AND name < ?", _WAITS, _END)[0]
        return int(waiting) + size <= limits.SYNC_WAITING_BYTES

    def add(self, author: DeviceId, packed: bytes) -> None:
        """One whose signature is good. It is written with the next commit."""
        self._store.put_fact(f"{_WAITS}{author.hex()} {entry_hash(packed).hex()}", packed)
        self.authors |= {author}

    def decided(self, judge: Callable[[Entry, bytes], Verdict], refused: Callable[[Entry], None]) -> Iterator[Entry]:
        """Those that count now; they and those that do not are taken out, with the next commit. To be used up."""
        after = _WAITS
        while rows := self._store.read(
                "SELECT name, value FROM facts WHERE name > ? AND name < ? ORDER BY name LIMIT ?", after, _END, _ROWS):
            after = rows[-1][0]
            for name, packed in rows:
                entry = Entry.unpack(packed)
                verdict = judge(entry, packed)
                if verdict not in (Verdict.ACCEPTED, Verdict.REFUSED):
                    continue
                self._store.put_fact(name, None)
                if verdict is Verdict.ACCEPTED:
                    yield entry
                else:
                    refused(entry)
        self._look()
