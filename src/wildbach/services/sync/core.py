"""One folder on one device, without sockets, files and clocks: events come in, operations go out.

What is stored are observations (what was seen, what was signed, what both last agreed on) and which paths are still to
be looked at; work to do is derived from them anew each time. So a crash at any point loses no decision, and 100,000
files in step cost nothing.

What is taken over of others makes whole prefixes of what each author signed: while there is something `unsigned`, what
is signed does not count for them yet, and an index of a peer is merged in one commit (`merge` takes all of an
exchange). Else a file could come before the deletion of the directory in its place, and look like a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import NOTHING, VersionVector
from wildbach.services.sync import conflicts, guards
from wildbach.services.sync.merge import live, merged, union, wanted
from wildbach.services.sync.observe import Change, What, observe
from wildbach.services.sync.planner import Act, Names, Op, Plan, View, Why, join_vector, parents_first, plan
from wildbach.services.sync.seams import Signer, Store
from wildbach.services.sync.takeback import TakeBack
from wildbach.services.sync.trees import Base, Heads, Policy, Seen, ancestors

STEP_PATHS: Final = 1000
"Paths that one step looks at, with their directories."
_SEQUENCE: Final = "sequence"
_MUTE: Final = "mute"
_CAUTIOUS: Final = "cautious"
_PAUSED: Final = "paused"
_GONE: Final = "gone before"
"Deletions of this hour that were signed before the guard asked."
_SETTLES: Final = "settles"
"When (ms) what is missing is signed; 0: nothing waits for that."
_SETTLING: Final = "settling since"
_FLOOR: Final = "floor "
"And an author: deletions of theirs up to this sequence were forgotten."
_HIGHEST: Final = "highest "
"And an author: the newest sequence of theirs that was merged."
_AHEAD: Final = 1 << 40
"A counter of ours so far ahead of all that we signed, and of the clock in ms, was forged: its path is not signed."
_EMPTY: Final = Seen(EntryKind.DIR)


@dataclass(slots=True)
class _Signing:
    """What changed at some paths, and how much of it is signed."""

    paths: list[str]
    changes: list[Change]
    done: int = 0

    def next(self, most: int) -> list[Change]:
        begun, self.done = self.done, min(self.done + most, len(self.changes))
        return self.changes[begun : self.done]


class Core:
    """Times are seconds since 1970 by this device's clock, which may be wrong by years."""

    def __init__(
        self, me: DeviceId, store: Store, signer: Signer, policy: Policy | None = None, names: Names | None = None,
        epoch: int = 0, settle: float = 0.0,
    ) -> None:
        """`settle`: seconds after the last loss seen here before any is signed."""
        self.me = me
        self.epoch = epoch
        self._store = store
        self._signer = signer
        self._policy = policy if policy is not None else Policy()
        self._names = names if names is not None else Names()
        self._settle = settle
        self._losses = guards.Losses(store, me)
        self._back = TakeBack(store, self._losses)
        self._unsure = set(store.held(Why.UNDERWAY))
        self._signing: _Signing | None = None

    @property
    def policy(self) -> Policy:
        """As it was set, and cautious while the data base is behind what it once knew."""
        return replace(self._policy, cautious=self._policy.cautious or bool(self._store.number(_CAUTIOUS)))

    def set_policy(self, policy: Policy) -> None:
        """A new role, or another choice of what is kept here. Paths that it frees are looked at again."""
        before, self._policy = self._policy, policy
        for path in {*before.excluded, *policy.excluded}:
            for each in (path, *self._store.world.below(path)):
                if policy.leaves_out(each):
                    # Left out: it counts neither as ours nor as deleted.
                    self._store.put_base(each, None)
                    self._store.unmark(each)
                    self._store.hold(each, None)
                else:
                    self._mark(each)
        self._look_again(*Why)
        self._commit()

    def _commit(self) -> None:
        """Something is new: what was not signed yet is looked at anew."""
        self._signing = None
        self._store.commit()

    # --- what happened

    def unfinished(self) -> list[str]:
        """Paths of operations that a crash may have cut short, or done and not noted. `saw` has to hear of all of them
        before anything is merged: what lies there is compared with what was known when it was put there.
        """
        return sorted(self._unsure)

    def saw(self, changes: Iterable[tuple[str, Seen | None]], now: float) -> None:
        """What a scan found at these paths. What a path that is no directory had below is gone with it."""
        store = self._store
        found = dict(changes)
        for path, seen in list(found.items()):
            if seen is None or seen.kind is not EntryKind.DIR:
                for below in list(store.local.below(path)):
                    found.setdefault(below, None)
        lost = guards.lost_here(found, store.synced)
        for path, seen in sorted(found.items()):
            store.put_seen(path, seen)
            self._touched(path)
        self._count(found, lost, now)
        if self._unsure:
            for each in self._observed(parents_first(sorted(self._unsure & found.keys())), now):
                self._changed(each, now)
            for path in self._unsure & found.keys():
                store.hold(path, None)
        self._commit()
        self._unsure -= found.keys()

    def _count(self, found: Mapping[str, Seen | None], lost: list[str], now: float) -> None:
        """Losses of this hour, also where several scans saw them."""
        store = self._store
        if self._losses.some_missing():
            for path, seen in found.items():
                if seen is not None and seen.kind is not EntryKind.DIR:
                    for each in (path, *store.related(path)):
                        self._losses.found(each)
        if not lost:
            return
        gone = self._losses.missing(lost, now)
        if gone is not None and not store.number(_PAUSED):
            store.set_number(_PAUSED, 1)
            store.set_number(_GONE, gone)
        if self._settle:
            at = int(now * 1000)
            since = store.number(_SETTLING)
            since = since if 0 < since <= at else at
            store.set_number(_SETTLING, since)
            store.set_number(_SETTLES, min(at + int(self._settle * 1000), since + int(guards.SETTLE_MOST * 1000)))

    def settling(self, now: float) -> float:
        """Seconds until what is missing here is signed; 0 where nothing waits for that."""
        left = self._store.number(_SETTLES) / 1000 - now
        return left if 0 < left <= self._settle else 0.0

    def _settled(self, now: float) -> None:
        if self._store.number(_SETTLES) and not self.settling(now):
            self._store.set_number(_SETTLES, 0)
            self._store.set_number(_SETTLING, 0)
            self._look_again(Why.NOT_SCANNED)

    def merge(self, entries: Iterable[Entry], now: float, plain: list[int] | None = None) -> int:
        """What a peer has: all of one exchange, each entry checked and its signature too. Returns how many were new.

        `plain` gets the local sequences under which stands what came and nothing else.

        Entries that are ours and that we do not remember show that the data base went back in time. Raises UsageError
        while there is something `unfinished`.
        """
        if self._unsure:
            raise UsageError("what a crash left has to be scanned before anything is merged")
        store = self._store
        batch = guards.Batch(store.synced)
        new = 0
        highest: dict[DeviceId, int] = {}
        late: list[Entry] = []
        # Who cannot say no follows those who can.
        refuses = self.policy.writes and not store.number(_MUTE)

        def take(entry: Entry) -> int:
            heads = store.world.get(entry.path)
            after = merged(heads, entry)
            if after is heads:
                return 0
            if not self._back.excuses(entry.path):
                batch.add(entry, heads)
            store.put_heads(entry.path, after)
            if plain is not None and len(after) == 1:
                plain.append(store.last())
            self._touched(entry.path)
            return 1

        for entry in entries:
            highest[entry.author] = max(highest.get(entry.author, 0), entry.seq)
            floor = store.number(_FLOOR + entry.author.hex()) if refuses else 0
            if entry.seq <= floor and not store.world.get(entry.path) and not self._back.excuses(entry.path):
                late.append(entry)
            else:
                new += take(entry)
        for author, seq in highest.items():
            if seq > store.number(_HIGHEST + author.hex()):
                store.set_number(_HIGHEST + author.hex(), seq)
        if highest.get(self.me, 0) > store.number(_SEQUENCE):
            self._went_back(highest[self.me])
        for entry in late:
            # Others know of the path what is not forgotten, so this one is merged as ever.
            if store.world.get(entry.path):
                new += take(entry)
        for entry in late:
            self._refuse(entry, now)
        if new:
            for author, lost in batch.lost().items():
                if author != self.me:
                    self._losses.note(author, lost, now)
            self._mark_conflicts()
        self._commit()
        return new

    def take_back(self, entries: Iterable[Entry], now: float) -> bool:
        """These were merged and do not count any more. True where there were any: then all that others have has to
        come again, as what stood there before is not known here. Raises UsageError while there is something
        `unfinished`.
        """
        if self._unsure:
            raise UsageError("what a crash left has to be scanned before anything is taken back")
        found = self._back.take(entries, now)
        for path in found:
            self._touched(path)
        if found:
            self._mark_conflicts()
        self._commit()
        return bool(found)

    def _refuse(self, entry: Entry, now: float) -> None:
        """Its deletion was known to all and is forgotten. Who brings it has an old data base, or plays it again: it is
        deleted anew.
        """
        forged = entry.vector.counter(self.me) > self._store.number(_SEQUENCE) or self._forged(entry.path, now)
        if not entry.deleted and not forged and not self._store.world.get(entry.path):
            drawn = replace(entry, deleted=True, author=self.me, epoch=self.epoch, signature=b"", extra={})
            self._sign(drawn, entry.vector, now)
            self._touched(entry.path)

    def highest(self, author: DeviceId) -> int:
        """The newest sequence that an author was seen to have signed."""
        return self._store.number(_SEQUENCE if author == self.me else _HIGHEST + author.hex())

    def remembered(self, sequence: int) -> None:
        """A peer, or the mark in the folder, knows a sequence of ours: where it is higher than what the data base has,
        that is an old copy. Nothing is signed then before an exchange (`compared`), and nothing is deleted.
        """
        if sequence > self._store.number(_SEQUENCE):
            self._went_back(sequence)
            self._commit()

    def _went_back(self, sequence: int) -> None:
        self._store.set_number(_SEQUENCE, sequence)
        self._store.set_number(_MUTE, 1)
        self._store.set_number(_CAUTIOUS, 1)

    def heard(self) -> None:
        """All that a peer has was merged: what is found here is now told from what others did."""
        mute, asked = self._store.number(_MUTE), self._back.heard()
        if mute:
            self._store.set_number(_MUTE, 0)
        if mute or asked:
            self._look_again(*(Why if mute else (Why.SUSPENDED,)))
            self._commit()

    def compared(self) -> None:
        """A whole scan ended after an exchange, and all of it was looked at: deletions count again."""
        if self._store.number(_CAUTIOUS) and not self._store.number(_MUTE):
            self._store.set_number(_CAUTIOUS, 0)
            self._look_again(*Why)
            self._commit()

    def _look_again(self, *whys: Why) -> None:
        for path in self._store.held(*whys):
            self._store.mark(path)

    # --- what is to be done

    def step(self, now: float, limit: int = STEP_PATHS, *, pausing: bool = False) -> list[Op]:
        """Sign what changed here and say what to do next.

        Each operation is answered with `done` or `failed` before the next step. Empty: all is in step, or held; or with
        `pausing`, which stops after each `limit` paths, more is `unsigned`.
        """
        store = self._store
        self._settled(now)
        while self._signing is not None or (paths := self._next(limit)):
            todo = self._signing or _Signing(paths, self._observed(paths, now))
            self._signing = None
            for each in todo.next(limit if pausing else len(todo.changes)):
                self._changed(each, now)
            if todo.done < len(todo.changes):
                self._signing = todo
                break
            # What was signed may concern more than was looked at: losers, and directories that are needed now.
            made = plan(parents_first([*todo.paths, *(each.path for each in todo.changes)]), self._view())
            ops = self._planned(todo.paths, made, now)
            if ops:
                store.commit()
                return ops
            if pausing:
                break
        store.commit()
        return []

    @property
    def unsigned(self) -> bool:
        """There are paths that have to be looked at by `step`: others are not to take what was signed for all."""
        return bool(self._store.marked(1))

    def _next(self, limit: int) -> list[str]:
        """Paths to look at: where there are more than are looked at in one go, with those that they moved from and to,
        so that a move is seen whole.
        """
        store, marked = self._store, self._store.marked(limit)
        if len(marked) >= limit:
            whole = dict.fromkeys(marked)
            for path in marked:
                base = store.synced.get(path)
                if base is not None and base.kind is EntryKind.DIR and store.local.get(path) is None:
                    # It is gone with all that was in it, which is signed together.
                    whole.update(dict.fromkeys(store.synced.below(path)))
            marked = [each for path in whole for each in (path, *store.related(path))]
        return parents_first(marked)

    def _view(self) -> View:
        store = self._store
        return View(self.me, store.world, store.local, store.synced, self.policy, self._names)

    def _observed(self, paths: list[str], now: float) -> list[Change]:
        store, policy = self._store, self.policy
        found: list[Change] = []
        changes = observe(paths, store.world, store.local, store.synced, policy)
        waiting = guards.waiting(changes, store.local) if self.settling(now) else frozenset()
        for each in changes:
            quiet = store.number(_MUTE) or (
                each.what is What.DELETE and (store.number(_PAUSED) or each.path in waiting))
            if each.what in (What.SIGN, What.DELETE) and (quiet or self._forged(each.path, now)):
                continue
            found.append(each)
        return found

    def _changed(self, change: Change, now: float) -> None:
        store, path, seen = self._store, change.path, change.seen
        if change.what is What.FORGET:
            store.put_base(path, None)
        elif change.what is What.ADOPT:
            self._adopt(path, change.entry, change.vector, seen)
        else:
            before = change.base
            if change.what is What.DELETE and before is not None:
                drawn = Entry(
                    path, before.kind, before.size, before.mtime_ns, before.executable, before.root, before.target,
                    change.lineage or before.lineage, NOTHING, True, self.me, self.epoch, 1)
            else:
                there = seen or _EMPTY
                drawn = Entry(
                    path, there.kind, there.size, there.mtime_ns if there.kind is EntryKind.FILE else 0,
                    there.executable, there.root, there.target, change.lineage or self._signer.lineage(), NOTHING,
                    False, self.me, self.epoch, 1)
            entry = self._sign(drawn, change.vector, now)
            store.put_base(path, Base.of(entry, entry.vector, seen))
            self._touched(path)

    def _adopt(self, path: str, entry: Entry | None, vector: VersionVector, seen: Seen | None) -> None:
        if entry is None and seen is None:
            self._store.put_base(path, None)
            return
        base = _base(entry, vector, seen)
        if seen is not None and seen.kind is EntryKind.FILE:
            # Its time and its bit are set where they are others than the entry's.
            base = replace(base, mtime_ns=seen.mtime_ns, executable=seen.executable)
        self._store.put_base(path, base)

    def _sign(self, drawn: Entry, vector: VersionVector, now: float, *, counts: bool = True) -> Entry:
        """Sign and merge an entry. Its counter is its sequence, so no two entries of a device have the same one."""
        store = self._store
        heads = store.world.get(drawn.path)
        sequence = max(store.number(_SEQUENCE) + 1, int(now * 1000), self._own(drawn.path) + 1)
        store.set_number(_SEQUENCE, sequence)
        after = vector.bumped(self.me, sequence) if counts else vector
        entry = self._signer.sign(replace(drawn, vector=after, seq=sequence))
        store.put_heads(drawn.path, merged(heads, entry))
        self._mark_conflicts()
        return entry

    def _own(self, path: str) -> int:
        """The greatest counter of ours that the heads of a path name."""
        return max((each.vector.counter(self.me) for each in self._store.world.get(path)), default=0)

    def _forged(self, path: str, now: float) -> bool:
        """Its heads name a counter of ours that we never gave."""
        own = self._own(path)
        return own > max(self._store.number(_SEQUENCE), int(now * 1000)) + _AHEAD or own >= limits.SYNC_COUNTER

    def _planned(self, paths: list[str], made: Plan, now: float) -> list[Op]:
        store = self._store
        for path in paths:
            store.unmark(path)
            store.hold(path, None)
            self._note(path, made.lost.get(path, ()))
        for path, why in made.held.items():
            store.hold(path, why)
        ops: list[Op] = []
        waiting = set(made.held)
        for op in made.ops:
            if (why_not := self._held(op)) is not None:
                store.hold(op.path, why_not)
                waiting.add(op.path)
            elif op.act is Act.ADOPT:
                self._adopt_op(op)
            elif op.act is Act.JOIN:
                self._join(op, now)
            else:
                ops.append(op)
                store.hold(op.path, Why.UNDERWAY)
                if op.old is not None:
                    store.hold(op.old.path, Why.UNDERWAY)
        waiting.update(each.path for op in ops for each in (op, op.old) if each is not None)
        for path in paths:
            if path not in waiting:
                self._back.settled(path)
        return ops

    def _adopt_op(self, op: Op) -> None:
        store = self._store
        base = store.synced.get(op.path)
        if base is None or base.deleted or op.expect is None or not op.expect.same_bytes(base):
            self._adopt(op.path, op.entry, op.vector, op.expect)
        else:
            store.put_base(op.path, _base(op.entry, op.vector, op.expect))
        if op.entry is not None and op.expect is not None and op.expect.kind is EntryKind.FILE and (
                op.entry.mtime_ns, op.entry.executable) != (op.expect.mtime_ns, op.expect.executable) and (
                base is None or base.deleted):
            store.mark(op.path)

    def _join(self, op: Op, now: float) -> None:
        store = self._store
        heads, want = store.world.get(op.path), wanted(store.world, op.path)
        turn = join_vector(want, heads, self.me)
        if turn is None or self._forged(op.path, now):
            return
        if want.entry is not None:
            drawn = replace(want.entry, author=self.me, epoch=self.epoch, signature=b"", extra={})
        else:
            drawn = Entry(
                op.path, EntryKind.DIR, 0, 0, False, b"", "", self._signer.lineage(), NOTHING, False, self.me,
                self.epoch, 1)
        entry = self._sign(drawn, turn[0], now, counts=turn[1])
        store.put_base(op.path, Base.of(entry, entry.vector, op.expect))
        self._touched(op.path)

    def _held(self, op: Op) -> Why | None:
        """A loss by an author who made too many of them waits for an owner."""
        if self._back.excuses(op.path):
            return self._back.held(op)
        if op.act not in (Act.DELETE, Act.RMDIR) and not (op.act is Act.INSTALL and op.expect is not None):
            return None
        return Why.GUARD if op.entry is not None and self._losses.holds(op.entry.author, op.entry.seq) else None

    def _note(self, path: str, lost: Heads) -> None:
        store = self._store
        if not lost:
            store.note(path, ())
            return
        base = store.synced.get(path)
        store.note(path, tuple(conflicts.record(store.world, path, each, base) for each in lost))

    # --- what came of it

    def done(self, op: Op, seen: Seen | None, now: float) -> None:
        """The operation was carried out, and this is how the path lies on the disk now."""
        store = self._store
        store.hold(op.path, None)
        if op.old is not None:
            store.hold(op.old.path, None)
        if op.act in (Act.DELETE, Act.RMDIR):
            # What was known below a directory that could be removed went before, and no scan has said so yet.
            for below in list(store.local.below(op.path)) if op.act is Act.RMDIR else ():
                store.put_seen(below, None)
                self._touched(below)
            store.put_seen(op.path, None)
            store.put_base(op.path, Base.of(op.entry, op.vector, None) if op.entry is not None else None)
        elif op.act is Act.COPY and op.entry is not None:
            store.put_seen(op.path, seen)
            if not live(store.world.get(op.path)) and not self._forged(op.path, now):
                drawn = replace(
                    op.entry, path=op.path, lineage=conflicts.lineage(op.entry), author=self.me, epoch=self.epoch,
                    signature=b"", extra=conflicts.marked(op.of or op.entry.path, op.entry))
                entry = self._sign(drawn, union(store.world.get(op.path)), now)
                store.put_base(op.path, Base.of(entry, entry.vector, seen))
            if op.of is not None:
                self._touched(op.of)
        else:
            store.put_seen(op.path, seen)
            store.put_base(op.path, _base(op.entry, op.vector, seen))
        if op.old is not None:
            if seen is not None and seen.kind is EntryKind.DIR:
                self._moved(op.old.path, op.path)
            store.put_seen(op.old.path, None)
            was = op.old.entry
            store.put_base(op.old.path, Base.of(was, op.old.vector, None) if was is not None else None)
            self._touched(op.old.path)
        self._touched(op.path)
        self._look_again(Why.LATER)
        self._commit()

    def _moved(self, old: str, new: str) -> None:
        """All below a directory goes with it: in step with nothing yet, and changed by nobody."""
        store = self._store
        for path in list(store.local.below(old)):
            seen, base = store.local.get(path), store.synced.get(path)
            if seen is None:
                continue
            there = new + path[len(old):]
            store.put_seen(there, seen)
            store.put_seen(path, None)
            if base is not None and not base.deleted:
                store.put_base(there, replace(base, vector=NOTHING))
            store.put_base(path, None)
            self._touched(path)
            self._touched(there)

    def failed(self, op: Op, why: Why) -> None:
        """It was not carried out. After NOT_SCANNED, `saw` has to hear of its paths, changed or not."""
        self._store.hold(op.path, why)
        if op.old is not None:
            self._store.hold(op.old.path, why)
        self._commit()

    def give_up(self, paths: Iterable[str], now: float) -> None:
        """The user waits no more for contents that no device has: their entries are signed as deleted."""
        store = self._store
        for path in paths:
            entry = wanted(store.world, path).entry
            if entry is None or entry.deleted or entry.kind is EntryKind.DIR or not self.policy.writes:
                continue
            if self._forged(path, now):
                continue
            drawn = replace(entry, deleted=True, author=self.me, epoch=self.epoch, signature=b"", extra={})
            self._sign(drawn, entry.vector, now)
            self._touched(path)
        self._commit()

    def again(self, paths: Iterable[str]) -> None:
        """What held these paths is over: their content came."""
        for path in paths:
            self._mark(path)
        self._mark_conflicts()
        self._commit()

    def retry(self, *whys: Why) -> None:
        """What held these paths may be over: a device came, there is room again."""
        self._look_again(*whys)
        self._mark_conflicts()
        self._commit()

    def _mark_conflicts(self) -> None:
        """The copy of a loser is planned with the path of the conflict: what was to be copied may be here now."""
        for path in self._store.conflicted():
            self._store.mark(path)

    # --- guards

    @property
    def paused(self) -> bool:
        """Too many files went within an hour: deletions made here wait for `allow_own` or `bring_back`."""
        return bool(self._store.number(_PAUSED))

    @property
    def gone_before(self) -> int:
        """Deletions of that hour that the other devices were told of before."""
        return self._store.number(_GONE)

    def paused_authors(self) -> list[DeviceId]:
        return self._losses.paused()

    def allow(self, author: DeviceId, sequence: int) -> None:
        """Yes to the losses by what `author` signed up to a sequence."""
        self._losses.allow(author, sequence)
        self.retry(Why.GUARD)

    def keep_against(self, author: DeviceId) -> None:
        """The user wants to keep what this author took away: it is signed anew, so that it comes back everywhere."""
        store = self._store
        for path in store.held(Why.GUARD):
            heads = store.world.get(path)
            seen = store.local.get(path)
            if seen is None or (all(each.author != author for each in heads) and self._back.author(path) != author):
                continue
            base = store.synced.get(path)
            if base is not None:
                # What the author did is known, and what stands here is the next change.
                store.put_base(path, replace(base, vector=union(heads), seen=None))
            self._mark(path)
        self._losses.forgive(author)
        self._commit()

    def allow_own(self) -> None:
        """The user said that what is missing here was deleted on purpose."""
        self._answered()
        self.retry(Why.NOT_SCANNED)

    def _answered(self) -> None:
        for each in (_PAUSED, _GONE, _SETTLES, _SETTLING):
            self._store.set_number(each, 0)
        self._losses.answered()

    def bring_back(self) -> None:
        """The user wants back what is missing here."""
        store = self._store
        self._answered()
        for path in store.held(Why.NOT_SCANNED):
            if store.local.get(path) is None:
                store.put_base(path, None)
                self._mark(path)
        self._commit()

    def revert(self, paths: Iterable[str]) -> None:
        """Give up what was changed here and cannot be sent. What stands there goes into the versions."""
        store = self._store
        for path in paths:
            seen = store.local.get(path)
            store.put_base(path, _base(None, NOTHING, seen) if seen is not None else None)
            self._mark(path)
        self._commit()

    # --- the index

    def index(self, since: int, limit: int) -> tuple[list[Entry], int]:
        """Heads of paths that changed after a local sequence, and the sequence up to which they are."""
        return self._store.since(since, limit)

    def collect(self, floor: Mapping[DeviceId, int]) -> int:
        """Forget deletions that every device of the roster has. Returns how many.

        `floor`: author → the sequence up to which all have that author's entries. An entry up to it, of a path of which
        nothing is known any more, is refused from then on.
        """
        store = self._store
        if self._unsure or store.number(_MUTE) or store.number(_CAUTIOUS):
            return 0
        gone = 0
        for path in list(store.tombstones()):
            heads = store.world.get(path)
            base = store.synced.get(path)
            there = store.local.get(path) is not None or (base is not None and not base.deleted)
            if there or store.world.live_below(path):
                continue
            if all(each.seq <= floor.get(each.author, 0) for each in heads):
                store.put_heads(path, ())
                store.put_base(path, None)
                store.unmark(path)
                store.hold(path, None)
                gone += 1
        for author, seq in floor.items():
            store.set_number(_FLOOR + author.hex(), max(seq, store.number(_FLOOR + author.hex())))
        self._commit()
        return gone

    def _mark(self, path: str) -> None:
        self._store.mark(path)
        for each in ancestors(path):
            self._store.mark(each)

    def _touched(self, path: str) -> None:
        """Something about a path is new: with it, its directories may be needed or not, and names fit again."""
        store = self._store
        self._mark(path)
        for each in store.held_below(path):
            store.mark(each)
        for each in store.world.alike(path):
            store.mark(each)
            for below in store.world.below(each):
                store.mark(below)


def _base(entry: Entry | None, vector: VersionVector, seen: Seen | None) -> Base:
    """What is in place now; a directory that only its descendants need has no entry."""
    if entry is not None and (seen is None or entry.kind is seen.kind):
        if entry.deleted and seen is not None:
            return replace(Base.of(entry, vector, seen), deleted=False)
        return Base.of(entry, vector, seen)
    there = seen or _EMPTY
    return Base(
        there.kind, there.size, there.mtime_ns, there.executable, there.root, there.target, bytes(16), vector, False,
        seen)
