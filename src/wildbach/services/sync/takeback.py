"""Taking back what was merged and does not count any more: a roster came late that says so.

The heads go, and what stands below them is not known any more: an entry that knows of others takes their place. So
those who have these are asked for all that they have, and until one of them has answered nothing is deleted here. Then
the path goes back to what counts, or to nothing. What stood there lies in the versions, as after any change.

How much goes back at once is counted as if the author had deleted it: who makes a list by an old data base would
empty the folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.services.sync.guards import Losses
from wildbach.services.sync.planner import Act, Op, Why
from wildbach.services.sync.seams import Store

_ASKING: Final = "taken back"
"1: nobody has said yet what stands below."
_LOSING: Final = (Act.DELETE, Act.RMDIR)


class TakeBack:
    """Of one folder. Paths are noted until they are in step with what counts."""

    def __init__(self, store: Store, losses: Losses) -> None:
        self._store = store
        self._losses = losses

    def take(self, entries: Iterable[Entry], now: float) -> list[str]:
        """Returns the paths that are to be looked at."""
        store = self._store
        found: dict[str, None] = {}
        lost: dict[DeviceId, dict[str, int]] = {}
        for entry in entries:
            path, heads = entry.path, store.world.get(entry.path)
            left = tuple(each for each in heads if each != entry)
            if len(left) == len(heads):
                continue
            store.put_heads(path, left)
            store.put_back(path, (entry.author, entry.seq))
            found[path] = None
            base = store.synced.get(path)
            if base is not None and not base.deleted and base.kind is not EntryKind.DIR and base.vector.knew(
                    entry.vector):
                lost.setdefault(entry.author, {})[path] = entry.seq
        for author, paths in lost.items():
            self._losses.note(author, paths, now)
        if found:
            store.set_number(_ASKING, 1)
        return list(found)

    def heard(self) -> bool:
        """All that somebody has is known. True where that was waited for."""
        if not self._store.number(_ASKING):
            return False
        self._store.set_number(_ASKING, 0)
        return True

    def excuses(self, path: str) -> bool:
        """What comes for the path is what stood there before, however old it is."""
        return self._store.back(path) is not None

    def held(self, op: Op) -> Why | None:
        """Why an operation on a path that goes back is not done now."""
        back = self._store.back(op.path)
        if back is None:
            return None
        if op.act in _LOSING and self._store.number(_ASKING):
            return Why.SUSPENDED
        loses = op.act in _LOSING or (op.act is Act.INSTALL and op.expect is not None)
        return Why.GUARD if loses and self._losses.holds(*back) else None

    def author(self, path: str) -> DeviceId | None:
        """Whose change goes back there."""
        back = self._store.back(path)
        return back[0] if back is not None else None

    def settled(self, path: str) -> None:
        """Nothing is to be done there. While nothing is known of it, what comes later is still what stood there."""
        if self._store.back(path) is not None and self._store.world.get(path):
            self._store.put_back(path, None)
