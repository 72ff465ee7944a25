"""What is to be done on this disk: a pure function of Global, Local and Synced for a set of paths.

The operations are in an order that can be carried out: no file before its directory, none over what still has to be
copied, moves before what they read is gone. Each says what must be in place when it is done, and is refused where a
user was faster. A path that cannot be brought in step is *held*, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import NOTHING, VersionVector
from wildbach.services.sync import conflicts
from wildbach.services.sync.merge import Want, named, same_bytes, union, wanted
from wildbach.services.sync.observe import matches
from wildbach.services.sync.trees import Base, Global, Heads, Local, Policy, Seen, Synced, ancestors, depth, parent


class Act(Enum):
    """Kinds of operations. ADOPT and JOIN touch the data base alone."""

    ADOPT = "adopt"
    "What stands here is what Global says: only the base is new."
    JOIN = "join"
    "All losers have their copies: sign that the path is settled."
    COPY = "copy"
    "Put a loser's content beside the path, as a file of its own."
    MKDIR = "mkdir"
    INSTALL = "install"
    "A file or a link, over what is there, which goes into the versions."
    RENAME = "rename"
    META = "meta"
    "Time and executable bit of a file whose content is right."
    DELETE = "delete"
    "Move a file or a link into the versions."
    RMDIR = "rmdir"
    "Only if it is empty."


class Why(Enum):
    """Why a path stays out of step."""

    CHANGED_HERE = "changed here"
    SEND_ONLY = "this folder only sends"
    SUSPENDED = "deletions wait until all is compared"
    SHADOWED = "another name that this file system cannot tell apart"
    UNSTORABLE = "the name cannot be stored here"
    NOT_SCANNED = "changed and not scanned yet"
    LATER = "its directory comes first"
    UNDERWAY = "being done"
    NOT_EMPTY = "the directory has files that are not kept in step"
    GUARD = "too many files would go at once"
    COMING = "on its way"
    NOWHERE = "no device in reach has it"
    NO_ROOM = "no room on the disk"
    DISK = "the disk refused"


@dataclass(frozen=True, slots=True)
class Op:
    """One step, checked again before it is done: `expect` must still be what is in place."""

    act: Act
    path: str
    entry: Entry | None = None
    "What the path is to be, or was."
    vector: VersionVector = NOTHING
    "Of the base when it is done."
    expect: Seen | None = None
    source: str | None = None
    "A path that has the content here: to move for RENAME, to copy for the others. None: from versions or from devices."
    source_expect: Seen | None = None
    of: str | None = None
    "For a COPY: the path of the conflict."
    old: Op | None = None
    "For a RENAME: the deletion that it does along the way."


@dataclass(slots=True)
class Plan:
    """What to do, in order, and what waits for what."""

    ops: list[Op] = field(default_factory=list)
    held: dict[str, Why] = field(default_factory=dict)
    lost: dict[str, Heads] = field(default_factory=dict)
    "Of the paths that have some: losers, see `merge.Want`."


class Names:
    """Which names this disk takes. This one takes all."""

    def storable(self, path: str) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class View:
    """The trees, and what this device is."""

    me: DeviceId
    world: Global
    local: Local
    synced: Synced
    policy: Policy
    names: Names = field(default_factory=Names)


def plan(paths: Iterable[str], view: View) -> Plan:
    """The operations that bring the paths in step, as far as they can be."""
    made = Plan()
    wished: dict[str, Op] = {}
    for path in sorted(set(paths)):
        if view.policy.leaves_out(path):
            continue
        want = wanted(view.world, path)
        if want.losers:
            made.lost[path] = want.losers
        found = _wish(path, want, view)
        if isinstance(found, Why):
            made.held[path] = found
            continue
        for each in found:
            wished[each.path] = each
    _respell(wished, made, view)
    for path, op in list(wished.items()):
        why = _blocked(op, wished, made.held, view)
        if why is not None:
            made.held[path] = why
            del wished[path]
    made.ops = _ordered(wished, view)
    return made


def _respell(wished: dict[str, Op], made: Plan, view: View) -> None:
    """A directory whose name changes only in ways that this disk does not see moves whole; the rest comes after."""
    for path, op in list(wished.items()):
        if op.act is not Act.MKDIR or op.expect is not None or wished.get(path) is not op:
            continue
        for old in view.local.alike(path):
            going = wished.get(old)
            if going is None or going.act is not Act.RMDIR or parent(old) != parent(path):
                continue
            for below in [each for each in wished if each.startswith((old + "/", path + "/"))]:
                del wished[below]
                made.held[below] = Why.LATER
            del wished[old]
            wished[path] = Op(Act.RENAME, path, op.entry, op.vector, None, old, going.expect, old=going)
            break


def _blocked(op: Op, wished: dict[str, Op], held: dict[str, Why], view: View) -> Why | None:
    """Why the directory of what is to be made cannot be there first."""
    if op.act not in (Act.COPY, Act.MKDIR, Act.INSTALL):
        return None
    for each in view.local.alike(op.path):
        going = wished.get(each)
        if going is None or going.act not in (Act.DELETE, Act.RMDIR):
            return Why.SHADOWED
    for each in ancestors(op.path):
        seen = view.local.get(each)
        if seen is not None and seen.kind is EntryKind.DIR:
            continue
        above = wished.get(each)
        if above is None or above.act is not Act.MKDIR:
            return held.get(each, Why.LATER)
    return None


def join_vector(want: Want, heads: Heads, me: DeviceId) -> tuple[VersionVector, bool] | None:
    """The vector of a join by this device, and True where its own counter comes on top; None where it is not its turn.

    A join knows of all heads and of nothing more, so an edit that knew of them all knew of the join too, and joins by
    several devices are one. Only a directory that took the place of a single file needs a counter of its own.
    """
    knew = union(heads)
    if all(each.vector != knew for each in heads):
        return (knew, False) if named(knew, me) else None
    return (knew, True) if want.kind is EntryKind.DIR or named(knew, me) else None


def shadowed(path: str, view: View) -> bool:
    """True where this disk has room for one of several names that it cannot tell apart, and another has it."""
    for each in (path, *ancestors(path)):
        rivals = [other for other in view.world.alike(each) if other != each]
        if not rivals:
            continue
        here = [other for other in (each, *rivals) if view.local.get(other) is not None]
        if min(here or (each, *rivals)) != each:
            return True
    return False


def covered(path: str, want: Want, view: View) -> VersionVector:
    """What the next change of a path knows of, once `want` is in place.

    Not of a loser that has no copy yet: an edit of the winner must not make it vanish unseen.
    """
    heads = view.world.get(path)
    lost = [each for each in want.losers if not conflicts.settled(view.world, each)]
    return union(each for each in heads if each.deleted or not any(same_bytes(each, one) for one in lost))


def _wish(path: str, want: Want, view: View) -> list[Op] | Why:
    seen, base = view.local.get(path), view.synced.get(path)
    policy = view.policy
    if not matches(seen, base) and not (_agrees(want, seen) and _other(seen, base)):
        return Why.NOT_SCANNED if policy.writes else Why.CHANGED_HERE
    if want.live and not view.names.storable(path):
        return Why.UNSTORABLE
    if want.live and shadowed(path, view):
        return Why.SHADOWED
    copies = _copies(want, seen, view) if policy.writes and policy.applies else []
    vector = covered(path, want, view)
    if _agrees(want, seen):
        return copies + _in_step(path, want, seen, base, vector, view)
    if not policy.applies:
        return Why.SEND_ONLY
    if policy.writes and seen is not None and any(
            seen.same_bytes(each) and not conflicts.settled(view.world, each) for each in want.losers):
        # What is in place is a loser without a copy: nothing goes over it before the copy is signed.
        return copies or Why.NOT_SCANNED
    if not want.live:
        if policy.cautious:
            return Why.SUSPENDED
        act = Act.RMDIR if seen is not None and seen.kind is EntryKind.DIR else Act.DELETE
        return [*copies, Op(act, path, want.entry, vector, seen)]
    if want.kind is EntryKind.DIR:
        return [*copies, Op(Act.MKDIR, path, want.entry, vector, seen)]
    return [*copies, Op(Act.INSTALL, path, want.entry, vector, seen)]


def _other(seen: Seen | None, base: Base | None) -> bool:
    """True where the content is not that of the base, so that it is more than a time or a bit that a user set."""
    return seen is None or base is None or base.deleted or not seen.same_bytes(base)


def _agrees(want: Want, seen: Seen | None) -> bool:
    """True where the disk has the content that is wanted."""
    if seen is None or not want.live:
        return seen is None and not want.live
    if want.kind is EntryKind.DIR:
        return seen.kind is EntryKind.DIR
    return want.entry is not None and seen.same_bytes(want.entry)


def _in_step(
    path: str, want: Want, seen: Seen | None, base: Base | None, vector: VersionVector, view: View
) -> list[Op]:
    entry = want.entry
    if seen is not None and seen.kind is EntryKind.FILE and entry is not None and base is not None and (
            view.policy.applies and _stale(entry, base)):
        return [Op(Act.META, path, entry, vector, seen)]
    if view.policy.writes and _joins(want, view):
        return [Op(Act.JOIN, path, entry, vector, seen)]
    known = base is not None and base.deleted is (not want.live) and base.vector == vector
    # A base that outlived its entries, or a file that came back by other means, is set right here as well.
    if known or (base is None and not want.live and not view.world.get(path)):
        return []
    return [Op(Act.ADOPT, path, entry, vector, seen)]


def _stale(entry: Entry, base: Base) -> bool:
    return (entry.mtime_ns, entry.executable) != (base.mtime_ns, base.executable)


def _joins(want: Want, view: View) -> bool:
    """True where all losers have their copies, and this device is one of those who may say so."""
    if not want.losers or not all(conflicts.settled(view.world, each) for each in want.losers):
        return False
    return join_vector(want, view.world.get(want.losers[0].path), view.me) is not None


def _copies(want: Want, seen: Seen | None, view: View) -> list[Op]:
    found: list[Op] = []
    for loser in want.losers:
        path, done = conflicts.copy_path(view.world, loser)
        if done or view.policy.leaves_out(path) or view.local.get(path) is not None or not view.names.storable(path):
            continue
        source = loser.path if seen is not None and seen.same_bytes(loser) else None
        found.append(Op(Act.COPY, path, loser, NOTHING, None, source, seen if source else None, of=loser.path))
    return found


def _ordered(wished: dict[str, Op], view: View) -> list[Op]:
    """In the order in which they can be done."""
    ops = list(wished.values())
    renames = _paired(wished, view)
    moved = {each.source for each in renames.values()}
    room: list[Op] = []
    dirs: list[Op] = []
    moves: list[Op] = []
    gone: list[Op] = []
    fetched: list[Op] = []
    rest: list[Op] = []
    copies: list[Op] = []
    for op in ops:
        if op.act is Act.COPY:
            copies.append(op)
        elif op.act is Act.MKDIR:
            dirs.append(op)
        elif op.act is Act.INSTALL:
            op = renames.get(op.path) or _sourced(op, view)
            (moves if op.source is not None and not _under_dir(op, view) else fetched).append(op)
        elif op.act in (Act.DELETE, Act.RMDIR):
            if op.path not in moved:
                (room if op.act is Act.DELETE and _in_the_way(op.path, wished, view) else gone).append(op)
        elif op.act is Act.RENAME:
            dirs.append(op)
        else:
            rest.append(op)
    return [
        *rest, *room, *sorted(dirs, key=_shallow), *copies, *_untangled(moves, gone),
        *sorted(gone, key=_deep), *sorted(fetched, key=_shallow),
    ]


def _shallow(op: Op) -> tuple[int, str]:
    return depth(op.path), op.path


def _deep(op: Op) -> tuple[int, str]:
    return -depth(op.path), op.path


def _in_the_way(path: str, wished: dict[str, Op], view: View) -> bool:
    """True where a new name is one that this disk cannot tell from the one that goes."""
    return any(each in wished and wished[each].act in (Act.INSTALL, Act.MKDIR) for each in view.world.alike(path))


def _paired(wished: dict[str, Op], view: View) -> dict[str, Op]:
    """New path → the rename that brings a file there which goes elsewhere: by lineage, else by content."""
    going: dict[bytes, list[Op]] = {}
    for op in wished.values():
        if op.act is Act.DELETE and op.expect is not None and op.expect.root:
            going.setdefault(op.expect.root, []).append(op)
    found: dict[str, Op] = {}
    for path, op in wished.items():
        if op.act is not Act.INSTALL or op.entry is None or not op.entry.root or _under_dir(op, view):
            continue
        fit = [each for each in going.get(op.entry.root, ()) if not path.startswith(each.path + "/")]
        if not fit:
            continue
        old = next((each for each in fit if _lineage(each, view) == op.entry.lineage), fit[0])
        going[op.entry.root].remove(old)
        found[path] = Op(
            Act.RENAME, path, op.entry, op.vector, op.expect, old.path, old.expect, old=old)
    return found


def _under_dir(op: Op, view: View) -> bool:
    """True where a directory has the place of a file that is to come, under this name or one that is the same here."""
    there = (op.expect, *(view.local.get(each) for each in view.local.alike(op.path)))
    return any(each is not None and each.kind is EntryKind.DIR for each in there)


def _lineage(op: Op, view: View) -> bytes | None:
    base = view.synced.get(op.path)
    return base.lineage if base is not None else None


def _sourced(op: Op, view: View) -> Op:
    if op.entry is None or not op.entry.root:
        return op
    for path in view.local.holding(op.entry.root):
        if path != op.path:
            return Op(op.act, op.path, op.entry, op.vector, op.expect, path, view.local.get(path))
    return op


def _untangled(moves: list[Op], gone: list[Op]) -> list[Op]:
    """Each move before whatever overwrites or takes away what it reads. Of a circle, one reads from the versions."""
    by_path = {each.path: each for each in moves}
    takes: dict[str, list[Op]] = {}
    for each in moves:
        if each.source is not None:
            takes.setdefault(each.source, []).append(each)
    done: dict[str, None] = {}
    for start in sorted(by_path):
        stack = [(start, False)]
        open_: set[str] = set()
        while stack:
            path, ready = stack.pop()
            if ready:
                done.setdefault(path)
                continue
            if path in done or path in open_:
                continue
            open_.add(path)
            stack.append((path, True))
            op = by_path[path]
            # Who reads what this one overwrites, and who copies what this one moves away.
            first = list(takes.get(path, ()))
            if op.act is Act.RENAME and op.source is not None:
                first += [each for each in takes.get(op.source, ()) if each.act is not Act.RENAME]
            stack.extend((each.path, False) for each in reversed(first) if each.path not in done)
    return [by_path[path] for path in done]


def parents_first(paths: Iterable[str]) -> list[str]:
    """Paths with the directories that they lie in, each once."""
    found: dict[str, None] = {}
    for path in paths:
        for each in (*reversed(list(ancestors(path))), path):
            found.setdefault(each)
    return list(found)

