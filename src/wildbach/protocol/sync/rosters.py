"""All rosters of a folder that are known here, and what they come to.

A roster is taken in once all that it follows is here, and only where its signer may have said what it says by what was
before: so one that a member without the right forged never gets in. What an owner may say, and yet does not count
because of what others said meanwhile, is decided by `resolving` over the whole set. The set only grows, so a device
never goes back to what was before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.protocol.sync import resolving
from wildbach.protocol.sync.devices import Device
from wildbach.protocol.sync.resolving import FIRST, Node, Stage, State, Voided
from wildbach.protocol.sync.roster import Cut, Member, Role, Roster, roster_hash


class Refused(FormatError):
    """A roster that its signer had no right to make. Who passes it on did not look at it."""

    code = "roster_refused"


class Taken(Enum):
    """What became of a roster."""

    NEW = "new"
    KNOWN = "known"
    WAITING = "waiting"
    "What it follows is not here yet (`Rosters.wanted`); nothing of it was believed."


@dataclass(frozen=True, slots=True)
class View:
    """What all rosters that are known here come to."""

    folder: FolderId
    state: State
    heads: tuple[bytes, ...]
    "Hashes of the newest that count, in order: what the next roster follows."
    voided: tuple[Voided, ...]
    cuts: Mapping[DeviceId, tuple[tuple[int, Cut], ...]]
    authors: Mapping[DeviceId, Device]
    "All devices that are or ever were members, by rosters that count: whose keys signatures are checked with."
    spent: frozenset[bytes]
    "Hashes of tokens that somebody came by, ever."
    newest_epoch: int
    "Of any roster, also one that is void: what no entry can be of yet lies above it."
    exposed: bool
    "Who came by a roster that is void has the secrets that hold, and is no member."

    def member(self, device: DeviceId) -> Member | None:
        return self.state.members.get(device)

    @property
    def merge_wanted(self) -> bool:
        """An owner has to sign a roster that follows all heads: somebody has the secrets that may not, or has them not
        and may.
        """
        return self.state.stale or self.exposed or bool(self.state.unsealed)

    @property
    def closed(self) -> bool:
        """There is no owner: nobody joins or leaves until the recovery key makes one."""
        return not self.state.owners


class Rosters:
    """Made from the first roster. Raises FormatError where that is none."""

    def __init__(self, first: bytes) -> None:
        roster = Roster.unpack(first)
        _check_first(roster)
        self.folder = FolderId(roster_hash(first))
        self._nodes: dict[bytes, Node] = {}
        self._by_index: list[Node] = []
        self._waiting: dict[bytes, tuple[bytes, Roster]] = {}
        self._states: dict[tuple[bytes, ...], State] = {}
        self._view: View | None = None
        self._size = 0
        self._put(first, roster, None, FIRST)

    @classmethod
    def of(cls, raws: Iterable[bytes], folder: FolderId) -> Rosters:
        """From a chain in any order, as it was kept or sent. Raises FormatError where the first is not among it, or
        where one was forged.
        """
        found = list(raws)
        first = next((raw for raw in found if roster_hash(raw) == folder), None)
        if first is None:
            raise FormatError("the first roster of the folder is not among these")
        made = cls(first)
        for raw in found:
            made.add(raw)
        return made

    def add(self, raw: bytes) -> Taken:
        """Take in one more. Raises FormatError for what is no roster, Refused for one that may not be."""
        name = roster_hash(raw)
        if name in self._nodes:
            return Taken.KNOWN
        if name in self._waiting:
            return Taken.WAITING
        roster = Roster.unpack(raw)
        if roster.folder != self.folder:
            raise Refused("is of another folder")
        if any(each not in self._nodes for each in roster.predecessors):
            self._wait(name, raw, roster)
            return Taken.WAITING
        self._admit(raw, roster)
        self._admit_waiting()
        return Taken.NEW

    def __contains__(self, name: bytes) -> bool:
        return name in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def wanted(self) -> tuple[bytes, ...]:
        """Hashes of rosters that others follow and that are not here."""
        return tuple(sorted({
            each for _, roster in self._waiting.values() for each in roster.predecessors
            if each not in self._nodes and each not in self._waiting}))[: limits.SYNC_HASHES]

    def raw(self, name: bytes) -> bytes | None:
        node = self._nodes.get(name)
        return None if node is None else node.raw

    def roster(self, name: bytes) -> Roster | None:
        node = self._nodes.get(name)
        return None if node is None else node.roster

    def chain(self) -> tuple[bytes, ...]:
        """All that count, and what they follow, each after what it follows: for who has none."""
        wanted = self._closure(self.view.heads)
        return tuple(node.raw for node in self._by_index if wanted >> node.index & 1)

    def all(self) -> tuple[bytes, ...]:
        """To be kept: also those that do not count."""
        return tuple(node.raw for node in self._by_index)

    def __iter__(self) -> Iterator[Roster]:
        """All that are here, each after what it follows."""
        return (node.roster for node in self._by_index)

    def after(self, heads: Iterable[bytes], upto: Iterable[bytes] | None = None) -> tuple[bytes, ...]:
        """What somebody lacks who has these and what they follow; unknown ones are passed over. `upto`: no more than
        these, which are here, and what they follow; by default all that count.
        """
        theirs = self._closure(each for each in heads if each in self._nodes)
        wanted = self._closure(self.view.heads if upto is None else upto) & ~theirs
        return tuple(node.raw for node in self._by_index if wanted >> node.index & 1)

    def removals(self, device: DeviceId) -> tuple[bytes, ...]:
        """Hashes of those that count by which a device is not a member any more, in order; of one that never was, or
        is one, none.
        """
        if device in self.view.state.members:
            return ()
        void = {each.hash for each in self.view.voided if each.why is not resolving.Why.OUTRANKED}
        counts = self._closure(self.view.heads)
        said = [node for node in self._by_index
                if counts >> node.index & 1 and node.hash not in void and ("role", device) in node.changes]
        covered = 0
        for node in said:
            covered |= node.ancestors
        return tuple(sorted(node.hash for node in said
                            if not covered >> node.index & 1 and node.changes["role", device] is None))

    def foremost(self, names: Iterable[bytes], most: int) -> tuple[bytes, ...]:
        """Of rosters that are here those whose signers stand highest, in the order of their hashes."""
        found = sorted(names, key=lambda name: (self._nodes[name].stage, name))[:most]
        return tuple(sorted(found))

    @property
    def view(self) -> View:
        if self._view is None:
            self._view = self._look()
        return self._view

    def state_at(self, heads: Iterable[bytes]) -> State:
        """What rosters that are here come to, with what they follow."""
        names = tuple(sorted(heads))
        if len(names) == 1:
            return resolving.state_of(self._nodes[names[0]].roster)
        if names not in self._states:
            closure = self._closure(names)
            self._states[names] = resolving.resolve(
                node for node in self._by_index if closure >> node.index & 1).state
        return self._states[names]

    # -- taking in

    def _admit(self, raw: bytes, roster: Roster) -> None:
        closure = 0
        for each in roster.predecessors:
            closure |= self._nodes[each].ancestors
        if any(closure >> self._nodes[each].index & 1 for each in roster.predecessors):
            raise Refused("follows a roster and what that follows")
        base = self.state_at(roster.predecessors)
        stage = _check(roster, base)
        self._check_room(raw, roster, base)
        self._put(raw, roster, base, stage)

    def _put(self, raw: bytes, roster: Roster, base: State | None, stage: Stage) -> None:
        before = [self._nodes[each] for each in roster.predecessors]
        ancestors = 0
        for each in before:
            ancestors |= each.ancestors | 1 << each.index
        node = Node(
            roster_hash(raw), raw, roster, len(self._by_index), ancestors,
            1 + max((each.depth for each in before), default=0), stage, resolving.changes_of(base, roster),
            resolving.unseated_by(base, roster))
        self._nodes[node.hash] = node
        self._by_index.append(node)
        self._size += len(raw)
        self._view = None

    def _wait(self, name: bytes, raw: bytes, roster: Roster) -> None:
        self._waiting[name] = (raw, roster)
        size = sum(len(each) for each, _ in self._waiting.values())
        while len(self._waiting) > limits.SYNC_ROSTERS_WAITING or size > limits.SYNC_ROSTERS_WAITING_BYTES:
            oldest = next(iter(self._waiting))
            size -= len(self._waiting.pop(oldest)[0])

    def _admit_waiting(self) -> None:
        """Those whose turn has come. One that was forged is dropped: who sent it is not known any more."""
        while True:
            ready = [
                name for name, (_, roster) in self._waiting.items()
                if all(each in self._nodes for each in roster.predecessors)]
            if not ready:
                return
            for name in ready:
                raw, roster = self._waiting.pop(name)
                try:
                    self._admit(raw, roster)
                except FormatError:
                    continue

    def _check_room(self, raw: bytes, roster: Roster, base: State) -> None:
        """Somebody above can always say that who filled the room is removed."""
        signed = sum(1 for node in self._by_index if node.roster.signer == roster.signer)
        if signed >= limits.SYNC_ROSTERS_SIGNER:
            raise LimitError(f"one signed more than SYNC_ROSTERS_SIGNER = {limits.SYNC_ROSTERS_SIGNER} rosters")
        above = roster.by_recovery or base.owners[0].id == roster.signer
        if len(self._by_index) >= (limits.SYNC_ROSTERS_MOST if above else limits.SYNC_ROSTERS):
            raise LimitError(f"a folder has more than SYNC_ROSTERS = {limits.SYNC_ROSTERS} rosters")
        if self._size + len(raw) > (limits.SYNC_ROSTERS_BYTES if above else limits.SYNC_ROSTERS_BYTES // 2):
            raise LimitError(f"rosters of a folder are more than SYNC_ROSTERS_BYTES = {limits.SYNC_ROSTERS_BYTES}")

    def _closure(self, names: Iterable[bytes]) -> int:
        found = 0
        for name in names:
            node = self._nodes[name]
            found |= node.ancestors | 1 << node.index
        return found

    def _look(self) -> View:
        resolved = resolving.resolve(self._by_index)
        covered = 0
        for node in resolved.valid:
            covered |= node.ancestors
        heads = tuple(sorted(node.hash for node in resolved.valid if not covered >> node.index & 1))
        authors: dict[DeviceId, Device] = {}
        spent: set[bytes] = set()
        for node in self._by_index:
            spent.update(member.link for member in node.roster.members if member.link)
        for node in resolved.valid:
            for member in node.roster.members:
                authors[member.id] = member.device
        return View(
            self.folder, resolved.state, heads, resolved.voided, resolving.cuts_of(resolved), authors,
            frozenset(spent), max(node.roster.epoch for node in self._by_index),
            any(self._exposes(self._nodes[each.hash].roster, resolved.state) for each in resolved.voided))

    @staticmethod
    def _exposes(roster: Roster, state: State) -> bool:
        """Who never had the secrets only says so: else an ex-owner could have new ones made again and again."""
        had = roster.by_recovery or roster.signer in state.readers
        return had and roster.commit == state.commit and any(
            (now := state.members.get(member.id)) is None or member.role.reads > now.role.reads
            for member in roster.members)


def _check_first(roster: Roster) -> None:
    """The first roster lists one owner, who signed it."""
    members = roster.members
    if roster.folder is not None or len(members) != 1 or members[0].role is not Role.OWNER or members[0].link:
        raise Refused("a first roster lists the one device that made the folder, as its owner")
    if (roster.epoch, roster.generation, roster.next_rank, members[0].rank) != (0, 0, 1, 0):
        raise Refused("a first roster begins to count")
    if roster.older or roster.cuts or roster.links:
        raise Refused("a first roster has a past")
    if roster.signer != members[0].id or not roster.verify(members[0].device.signing):
        raise Refused("a first roster is signed by who made it")


def _check(roster: Roster, base: State) -> Stage:
    """The standing of who signed a roster. Raises Refused where that one may not have said so, by what was before."""
    stage = _check_signer(roster, base)
    listed = roster.listed()
    _check_seats(roster, base, listed, stage)
    _check_epoch(roster, base, listed)
    if (roster.generation, roster.recovery) != (base.generation, base.recovery) and (
            not roster.by_recovery or roster.generation != base.generation + 1 or roster.recovery == base.recovery):
        raise Refused("only the recovery key puts another in its place")
    return stage


def _check_signer(roster: Roster, base: State) -> Stage:
    if roster.by_recovery:
        if roster.signer != base.recovery or not roster.verify(base.recovery):
            raise Refused("is not signed by the recovery key")
        return resolving.recovery_stage(base.generation, base.recovery)
    member = base.members.get(DeviceId(roster.signer))
    if member is None or member.role is not Role.OWNER:
        raise Refused("is signed by somebody who was no owner")
    if not roster.verify(member.device.signing):
        raise Refused("is not signed by who it says")
    return resolving.stage_of(member)


def _check_seats(roster: Roster, base: State, listed: Mapping[DeviceId, Member], stage: Stage) -> None:
    """Only who stands above takes an owner's seat, and seats are given in order."""
    for owner in base.owners:
        after = listed.get(owner.id)
        if after is not None and after.seat == owner.seat:
            continue
        own = owner.id == roster.signer
        if not own and resolving.stage_of(owner) <= stage:
            raise Refused("takes the seat of an owner who stands above")
        if own and after is not None and after.seat is not None:
            raise Refused("an owner gives itself another seat")
    given = [
        member.rank for member in roster.members if member.seat is not None and (
            (old := base.members.get(member.id)) is None or old.seat != member.seat)]
    if given != list(range(base.next_rank, base.next_rank + len(given))) or (
            roster.next_rank != base.next_rank + len(given)):
        raise Refused("gives seats out of order")
    for device, member in listed.items():
        old = base.members.get(device)
        if old is not None and (old.link, old.device) != (member.link, member.device):
            raise Refused("changes the keys of a device, or by which link it came")


def _check_epoch(roster: Roster, base: State, listed: Mapping[DeviceId, Member]) -> None:
    """Whoever may not read, find or write any more is left behind with the old secrets."""
    lost = [
        old for device, old in base.members.items()
        if device not in listed or old.role.reads > listed[device].role.reads
        or old.role.writes > listed[device].role.writes]
    cut = sorted(
        old.id for old in lost if old.role.writes and (old.id not in listed or not listed[old.id].role.writes))
    if [each.device for each in roster.cuts] != cut:
        raise Refused("does not say what was accepted of those who may not write any more, or says it of others")
    if (roster.epoch, roster.commit) == (base.epoch, base.commit):
        if lost or base.stale:
            raise Refused("takes a right away and keeps the secrets")
        return
    if roster.epoch != base.epoch + 1 or any(roster.commit == commit for _, commit in base.epochs):
        raise Refused("is neither of the epoch before it nor of the next one")
    if any(link.hash in base.links for link in roster.links):
        raise Refused("keeps a link over a change of secrets")
