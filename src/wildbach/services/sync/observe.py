"""What happened on this disk since it last agreed with Global: a pure function of Local and Synced.

What is missing was deleted, what is new was created, what differs was edited; a file that moved keeps its lineage. What
a scan finds that Global already says (after a crash between an operation and its commit, on a first join, with a lost
data base) is adopted, and nothing is signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import NOTHING, VersionVector
from wildbach.services.sync.merge import union, wanted
from wildbach.services.sync.trees import Base, Global, Local, Policy, Seen, Synced, depth


class What(Enum):
    """What is to be done about a path that changed here."""

    SIGN = "sign"
    DELETE = "delete"
    ADOPT = "adopt"
    "It is what Global says already."
    FORGET = "forget"
    "The base goes, and nothing is signed: the planner brings back what Global has."


@dataclass(frozen=True, slots=True)
class Change:
    """One path that is not what it was."""

    path: str
    what: What
    seen: Seen | None = None
    vector: VersionVector = NOTHING
    "Of what the change knew of; the author's own counter comes on top."
    lineage: bytes | None = None
    "None where it is a new file, which takes a new one."
    entry: Entry | None = None
    "Whose content was adopted; None for a directory that only its descendants need."
    base: Base | None = None
    "What was there before."


def matches(seen: Seen | None, base: Base | None) -> bool:
    """True where the disk is as it was when this path was last in step."""
    if base is None or base.deleted:
        return seen is None
    return seen is not None and base.seen is not None and seen.unchanged(base.seen)


def observe(paths: Iterable[str], world: Global, local: Local, synced: Synced, policy: Policy) -> list[Change]:
    """Changes at the dirty paths, and below those that are no directories any more; in the order in which to sign.

    New and edited files come first, then what is gone, the deepest before its directory: who hears half of it has
    files twice and not at all.
    """
    changed = _changed(paths, local, synced, policy)
    moved = _moves(changed)
    found: list[Change] = []
    for path, (seen, base) in changed.items():
        made = _change(path, seen, base, world, policy, moved)
        if made is not None:
            found.append(made)
    gone = [each for each in found if each.what is What.DELETE]
    stays = [each for each in found if each.what is not What.DELETE]
    return sorted(stays, key=lambda each: (depth(each.path), each.path)) + sorted(
        gone, key=lambda each: (-depth(each.path), each.path))


def _changed(
    paths: Iterable[str], local: Local, synced: Synced, policy: Policy
) -> dict[str, tuple[Seen | None, Base | None]]:
    """Paths that are not in step, with what was gone along with a directory."""
    found: dict[str, tuple[Seen | None, Base | None]] = {}
    todo = sorted(set(paths))
    for path in todo:
        if path in found or policy.leaves_out(path):
            continue
        seen, base = local.get(path), synced.get(path)
        if matches(seen, base):
            continue
        found[path] = seen, base
        if base is not None and base.kind is EntryKind.DIR and (seen is None or seen.kind is not EntryKind.DIR):
            for below in synced.below(path):
                there, before = local.get(below), synced.get(below)
                if not policy.leaves_out(below) and not matches(there, before):
                    found[below] = there, before
    return found


def _moves(changed: Mapping[str, tuple[Seen | None, Base | None]]) -> dict[str, bytes]:
    """New path → the lineage of the file that went there: by inode and content, else by content."""
    by_inode: dict[tuple[int, int], tuple[str, Base]] = {}
    by_root: dict[bytes, list[tuple[str, Base]]] = {}
    for path, (seen, base) in changed.items():
        if base is None or base.deleted or base.seen is None or base.kind is EntryKind.DIR:
            continue
        if base.seen.inode:
            by_inode[base.seen.device, base.seen.inode] = path, base
        if base.root and (seen is None or seen.kind is not EntryKind.FILE):
            by_root.setdefault(base.root, []).append((path, base))
    found: dict[str, bytes] = {}
    taken: set[str] = set()
    for path, (seen, _) in changed.items():
        if seen is None or not seen.inode:
            continue
        before = by_inode.get((seen.device, seen.inode))
        if before is not None and before[0] != path and seen.same_bytes(before[1]):
            found[path] = before[1].lineage
            taken.add(before[0])
    for path, (seen, base) in changed.items():
        if seen is None or not seen.root or path in found or (base is not None and not base.deleted):
            continue
        for old, before_it in by_root.get(seen.root, ()):
            if old not in taken:
                found[path] = before_it.lineage
                taken.add(old)
                break
    return found


def _change(
    path: str, seen: Seen | None, base: Base | None, world: Global, policy: Policy, moved: Mapping[str, bytes]
) -> Change | None:
    heads = world.get(path)
    if seen is None:
        if not any(not each.deleted for each in heads):
            # It is gone by Global too: it was made so here before a crash, or by several people at once.
            return Change(path, What.ADOPT, None, union(heads), entry=heads[-1] if heads else None, base=base)
        if not policy.writes:
            return None
        if policy.cautious or base is None:
            return Change(path, What.FORGET, base=base)
        return Change(path, What.DELETE, None, base.vector, base.lineage, base=base)
    adopted = _adopted(path, seen, base, heads, world)
    if adopted is not None:
        return adopted
    if not policy.writes:
        return None
    if base is None:
        return Change(path, What.SIGN, seen, NOTHING, moved.get(path))
    kept = None if base.deleted else base.lineage
    return Change(path, What.SIGN, seen, base.vector, moved.get(path, kept), base=base)


def _adopted(path: str, seen: Seen, base: Base | None, heads: tuple[Entry, ...], world: Global) -> Change | None:
    """The head whose content stands here, where it is one that this disk was not yet known to have."""
    known = base.vector if base is not None else NOTHING
    if base is not None and not base.deleted and seen.same_bytes(base):
        # Times and bits alone: a head's, where an operation was done and not noted.
        exact = [
            each for each in heads if not each.deleted and seen.same_bytes(each) and not known.knew(each.vector)
            and (seen.mtime_ns, seen.executable) == (each.mtime_ns, each.executable)]
        if exact and seen.kind is EntryKind.FILE:
            return Change(path, What.ADOPT, seen, union(exact).union(known), entry=exact[-1], base=base)
        return None
    want = wanted(world, path)
    if seen.kind is EntryKind.DIR and want.kind is EntryKind.DIR:
        return Change(path, What.ADOPT, seen, want.entry.vector if want.entry else NOTHING, entry=want.entry, base=base)
    same = [each for each in heads if not each.deleted and seen.same_bytes(each)]
    new = [each for each in same if not known.knew(each.vector)]
    if not new:
        return None
    # Of several, the one that wins; the vectors of all are of this content.
    best = want.entry if want.entry in new else new[-1]
    return Change(path, What.ADOPT, seen, union(new), entry=best, base=base)
