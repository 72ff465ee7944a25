"""Heads: what is left of all that was ever signed for a path, and what follows from it.

Merging keeps the entries that no other one knew of. It is a join of sets: the order, the grouping and repeats do not
matter, so all devices that saw the same entries have the same heads, and everything below is a function of those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import NOTHING, Order, VersionVector
from wildbach.services.sync.trees import Global, Heads


def same_bytes(one: Entry, other: Entry) -> bool:
    """True where nothing is lost when one takes the place of the other: times and the executable bit apart."""
    return (one.kind, one.size, one.root, one.target) == (other.kind, other.size, other.root, other.target)


def _rank(entry: Entry) -> tuple[bool, int, bytes, int, bytes]:
    return (not entry.deleted, entry.mtime_ns, entry.author, entry.seq, entry.signature)


def _falls(one: Entry, other: Entry) -> bool:
    """True where `other` makes `one` needless: it knew of it, or it says the same under the same vector."""
    order = other.vector.order(one.vector)
    if order is Order.EQUAL:
        # Joins by several devices are one; a device that forgot and counted twice is two, and a conflict.
        return one.same_content(other) and _rank(one) < _rank(other)
    return order is Order.AFTER


def merged(heads: Heads, *entries: Entry) -> Heads:
    """The heads when these entries are known too. The same tuple where nothing is new.

    An author has SYNC_HEADS of a path at most, the newest: an honest one has one, or two after its data base was lost.
    """
    found = list(heads)
    for entry in entries:
        if any(each == entry or _falls(entry, each) for each in found):
            continue
        found = [each for each in found if not _falls(each, entry)]
        found.append(entry)
    if len(found) == len(heads) and all(any(each is head for head in heads) for each in found):
        return heads
    found.sort(key=lambda each: (each.author, each.seq, each.signature))
    kept: list[Entry] = []
    for at, entry in enumerate(found):
        nth = at + limits.SYNC_HEADS
        if nth >= len(found) or found[nth].author != entry.author:
            kept.append(entry)
    return tuple(kept)


def winner(heads: Heads) -> Entry | None:
    """What stands at the path by its heads alone: live before deleted, then the newer time, then the greater author."""
    return max(heads, key=_rank, default=None)


def live(heads: Heads) -> bool:
    return any(not each.deleted for each in heads)


def union(heads: Iterable[Entry]) -> VersionVector:
    return NOTHING.union(*(each.vector for each in heads))


@dataclass(frozen=True, slots=True)
class Want:
    """What stands at a path when all that is below it is looked at too."""

    kind: EntryKind | None
    "None where nothing stands there."
    entry: Entry | None
    "Which says so; None for a directory that only its descendants need."
    losers: Heads = ()
    "Live heads with another content, each of which becomes a conflict copy."

    @property
    def live(self) -> bool:
        return self.kind is not None


def wanted(tree: Global, path: str) -> Want:
    """A pure function of Global: a directory that a live descendant needs wins over all else."""
    heads = tree.get(path)
    best = winner(heads)
    if best is not None and not best.deleted and best.kind is EntryKind.DIR:
        return Want(EntryKind.DIR, best, _losers(heads, best))
    if tree.live_below(path):
        standing = winner(tuple(each for each in heads if not each.deleted and each.kind is EntryKind.DIR))
        return Want(EntryKind.DIR, standing, _losers(heads, standing))
    if best is None or best.deleted:
        return Want(None, best)
    return Want(best.kind, best, _losers(heads, best))


def _content(entry: Entry) -> bool:
    return not entry.deleted and entry.kind is not EntryKind.DIR


def _losers(heads: Heads, best: Entry | None) -> Heads:
    found: list[Entry] = []
    for each in heads:
        if not _content(each) or (best is not None and same_bytes(each, best)):
            continue
        if not any(same_bytes(each, other) for other in found):
            found.append(each)
    return tuple(found)


def named(vector: VersionVector, device: DeviceId) -> bool:
    return vector.counter(device) > 0
