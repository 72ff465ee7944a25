"""Guards against losing much at once: what is counted, and when somebody has to be asked.

A guard counts before anything is done. It names who caused the loss; a yes of an owner covers what that author signed
up to a sequence, so it holds on every device and for nothing later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
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


def lost_by_entries(old: dict[str, Heads], entries: Iterable[Entry], synced: Synced) -> dict[DeviceId, dict[str, int]]:
    """Author → files in place here that its entries delete or overwrite, with the sequence that does it.

    `old`: the heads before. A file that only moves, in the same batch, is not lost.
    """
    found = list(entries)
    moved = {each.lineage for each in found if not each.deleted}
    lost: dict[DeviceId, dict[str, int]] = {}
    for each in found:
        base = synced.get(each.path)
        if base is None or base.deleted or base.kind is EntryKind.DIR or base.vector.knew(each.vector):
            continue
        if each.deleted:
            gone = each.lineage not in moved and any(not head.deleted for head in old.get(each.path, ()))
        else:
            gone = not any(same_bytes(each, head) for head in old.get(each.path, ()))
        if gone:
            lost.setdefault(each.author, {})[each.path] = each.seq
    return lost


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
