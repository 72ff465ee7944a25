"""Guards against losing much at once: what is counted, and when somebody has to be asked.

A guard counts before anything is done. It names who caused the loss; a yes of an owner covers what that author signed
up to a sequence, so it holds on every device and for nothing later.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.services.sync.merge import same_bytes
from wildbach.services.sync.trees import Heads, Synced

LEAST_LOST: Final = 50
"Files: fewer never need to be asked about."
SHARE: Final = 0.3
"Of all files of the folder."
WINDOW_SECONDS: Final = 3600.0


def too_many(lost: int, total: int) -> bool:
    """`total`: files before the loss."""
    return lost >= LEAST_LOST and lost >= SHARE * total


class Batch:
    """Counts what entries that come together delete or overwrite of the files in place here. It holds no entries: there
    may be more of them than memory has room for.
    """

    def __init__(self, synced: Synced) -> None:
        self._synced = synced
        self._old: dict[str, Heads] = {}
        "The heads before, of paths that have something in place."
        self._here: set[bytes] = set()
        "Lineages that are live by one of the entries."
        self._overwritten: dict[DeviceId, dict[str, int]] = {}
        self._deleted: dict[DeviceId, dict[str, tuple[int, bytes]]] = {}

    def add(self, entry: Entry, heads: Heads) -> None:
        """One that is new; `heads` are those of its path without it."""
        if not entry.deleted:
            self._here.add(entry.lineage)
        base = self._synced.get(entry.path)
        if base is None or base.deleted or base.kind is EntryKind.DIR or base.vector.knew(entry.vector):
            return
        old = self._old.setdefault(entry.path, heads)
        if not entry.deleted:
            if not any(same_bytes(entry, head) for head in old):
                self._overwritten.setdefault(entry.author, {})[entry.path] = entry.seq
        elif any(not head.deleted for head in old):
            self._deleted.setdefault(entry.author, {})[entry.path] = entry.seq, entry.lineage

    def lost(self) -> dict[DeviceId, dict[str, int]]:
        """Author → files that are lost by its entries, with the sequence that does it. What only moves, by entries of
        the same batch, is not lost.
        """
        found = self._overwritten
        for author, deleted in self._deleted.items():
            for path, (seq, lineage) in deleted.items():
                if lineage not in self._here:
                    found.setdefault(author, {})[path] = seq
        return found


@dataclass(slots=True)
class Losses:
    """What one author's changes took away here within WINDOW_SECONDS, and what of it was allowed."""

    recent: deque[tuple[float, str, int]] = field(default_factory=deque)
    "When it was heard, path, sequence."
    allowed: int = 0
    "The sequence up to which an owner said yes."
    paused: bool = False

    def note(self, lost: dict[str, int], total: int, now: float) -> bool:
        """True where this pauses the author's losses. Times that go back count as now."""
        while self.recent and not 0 <= now - self.recent[0][0] <= WINDOW_SECONDS:
            self.recent.popleft()
        self.recent.extend((now, path, seq) for path, seq in sorted(lost.items()) if seq > self.allowed)
        if too_many(len({path for _, path, _ in self.recent}), total):
            self.paused = True
        return self.paused

    def allow(self, seq: int) -> None:
        """An owner said yes to all that the author signed up to `seq`."""
        self.allowed = max(self.allowed, seq)
        self.recent = deque(each for each in self.recent if each[2] > self.allowed)
        self.paused = bool(self.paused and self.recent)

    def holds(self, seq: int) -> bool:
        return self.paused and seq > self.allowed
