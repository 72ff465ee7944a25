"""Guards against losing much at once: what is counted, and when somebody has to be asked.

A guard counts before anything is done. It names who caused the loss; a yes covers what that author signed up to a
sequence, and nothing later. It holds on the device where it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Final

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.services.sync.merge import same_bytes
from wildbach.services.sync.observe import Change, What
from wildbach.services.sync.seams import Store
from wildbach.services.sync.trees import Heads, Local, Seen, Synced, ancestors

LEAST_LOST: Final = 50
"Files: fewer never need to be asked about."
SHARE: Final = 0.3
"Of all files of the folder."
WINDOW_SECONDS: Final = 3600.0
"In which losses add up: `rm` may take minutes."
SETTLE_SECONDS: Final = 1.0
"After the last loss seen here, before any of them is told: one `rm` is asked about as a whole."
SETTLE_MOST: Final = 10.0
"After the first one, however many follow."


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


def lost_here(found: Mapping[str, Seen | None], synced: Synced) -> list[str]:
    """What a scan found → files that are missing, and are not among what is new."""
    new = {(seen.device, seen.inode) for seen in found.values() if seen is not None and seen.inode}
    roots = {seen.root for seen in found.values() if seen is not None and seen.root}
    lost: list[str] = []
    for path, seen in found.items():
        base = synced.get(path)
        if seen is not None or base is None or base.deleted or base.kind is EntryKind.DIR:
            continue
        there = base.seen
        if not (there is not None and (there.device, there.inode) in new) and base.root not in roots:
            lost.append(path)
    return lost


def waiting(changes: Iterable[Change], local: Local) -> Set[str]:
    """Of what is gone, which files are lost, and their directories; neither what moved, nor what made room for a
    file that has a directory's name now.
    """
    gone = [each for each in changes if each.what is What.DELETE]
    moved = {each.lineage for each in changes if each.what is What.SIGN and each.lineage is not None}
    found: set[str] = set()
    for each in gone:
        above = tuple(ancestors(each.path))
        seen = [local.get(path) for path in above]
        file = each.base is not None and each.base.kind is not EntryKind.DIR
        replaced = any(there is not None and there.kind is not EntryKind.DIR for there in seen)
        if file and each.lineage not in moved and not replaced:
            found.update((each.path, *above))
    return found


class Losses:
    """What went here within WINDOW_SECONDS and by whom, what of it was allowed, and whose losses wait for a yes.

    All of it is in the data base, within the commit of what it counts: a restart forgets nothing. Losses of `me` are
    what is missing here; they have no sequence.
    """

    def __init__(self, store: Store, me: DeviceId) -> None:
        self._store = store
        self._me = me

    def _count(self, author: DeviceId, now: float) -> tuple[int, int]:
        at = int(now * 1000)
        self._store.trim_losses(author, at - int(WINDOW_SECONDS * 1000), at)
        return self._store.losses(author)

    def note(self, author: DeviceId, lost: dict[str, int], now: float) -> bool:
        """Path → sequence. True where this pauses the author's losses. A clock that goes back forgets nothing."""
        store = self._store
        allowed, paused = store.guard(author)
        new = {path: seq for path, seq in lost.items() if seq > allowed}
        for path, seq in sorted(new.items()):
            store.put_loss(author, path, (int(now * 1000), seq))
        if new and not paused:
            count, gone = self._count(author, now)
            paused = too_many(count, store.files() + gone)
            if paused:
                store.put_guard(author, allowed, paused)
        return paused

    def missing(self, paths: Iterable[str], now: float) -> int | None:
        """Files that are not here any more. Where that is too many, how many of this hour the others were told of."""
        store = self._store
        for path in sorted(paths):
            store.put_loss(self._me, path, (int(now * 1000), 0))
        count, gone = self._count(self._me, now)
        return gone if too_many(count, store.files() + gone) else None

    def found(self, path: str) -> None:
        """It is here, or has moved: it was not lost."""
        self._store.put_loss(self._me, path, None)

    def some_missing(self) -> bool:
        return self._store.losses(self._me)[0] > 0

    def answered(self) -> None:
        """What is missing here is not counted any more."""
        self._store.forgive_losses(self._me, 0)

    def paused(self) -> list[DeviceId]:
        """Authors whose losses wait."""
        return self._store.guarded()

    def allow(self, author: DeviceId, seq: int) -> None:
        """Yes to all that the author signed up to `seq`."""
        allowed, paused = self._store.guard(author)
        allowed = max(allowed, seq)
        self._store.forgive_losses(author, allowed)
        self._store.put_guard(author, allowed, paused and self._store.losses(author)[0] > 0)

    def forgive(self, author: DeviceId) -> None:
        """All that was lost until now is answered."""
        self.allow(author, self._store.last_loss(author))

    def holds(self, author: DeviceId, seq: int) -> bool:
        allowed, paused = self._store.guard(author)
        return paused and seq > allowed
