"""What a set of rosters comes to: a pure function of the set, the same on every device and in every order of arrival.

Each roster is read as what it changed of what was known to its signer. Rosters are gone through by the standing of
who signed them: the recovery key first, then owners by rank. So when one is looked at, all that could make it void was
looked at before. A roster does not count (is void) where its signer

- was no owner by the rosters before it that count, or
- lost the seat by a roster of somebody above, or by one of its own, that neither follows this one nor precedes it.

Of what counts, the newest word on each thing holds. Where several know nothing of each other, removal wins over all
else, then the lower role; of secrets the highest epoch, then the lower hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.roster import Cut, Member, OpenLink, Role, Roster

Stage: TypeAlias = tuple[int, int, bytes]
"The standing of a signer: whoever has the lower one stands above."
FIRST: Final[Stage] = (0, 0, b"")

Key: TypeAlias = tuple[str, bytes]
Value: TypeAlias = Member | OpenLink | str | tuple[int, bytes] | None

_NAME: Final[Key] = ("name", b"")
_RECOVERY: Final[Key] = ("recovery", b"")
_EPOCH: Final[Key] = ("epoch", b"")


@dataclass(frozen=True, slots=True)
class State:
    """Who has the folder, at some point of its history."""

    members: Mapping[DeviceId, Member]
    recovery: bytes
    generation: int
    next_rank: int
    name: str
    epoch: int
    commit: bytes
    "Names the secrets that hold."
    links: Mapping[bytes, OpenLink]
    "The open ones, by the hash of their token."
    stale: bool = False
    "The secrets that hold are known to a device that may not have them any more: an owner has to make new ones."
    unsealed: frozenset[DeviceId] = frozenset()
    "Members that were not given the secrets that hold: an owner has to."
    epochs: tuple[tuple[int, bytes], ...] = ()
    "All newest epochs, where there are several: number and name."
    readers: frozenset[DeviceId] = frozenset()
    "Who was given the secrets that hold, to read."

    @property
    def owners(self) -> list[Member]:
        """By rank."""
        return sorted((each for each in self.members.values() if each.role is Role.OWNER), key=lambda each: (
            each.rank, each.id))


@dataclass(frozen=True, slots=True)
class Node:
    """A roster that may stand where it stands, in the graph of those known here."""

    hash: bytes
    raw: bytes = field(repr=False)
    roster: Roster = field(repr=False)
    index: int
    ancestors: int = field(repr=False)
    "The indices of all rosters that it follows, as bits."
    depth: int
    stage: Stage
    changes: Mapping[Key, Value] = field(repr=False)
    unseated: frozenset[bytes]
    "Owners, or the recovery key, whose seat it ended."

    @property
    def ends_own(self) -> bool:
        return self.roster.signer in self.unseated

    def follows(self, other: Node) -> bool:
        return bool(self.ancestors >> other.index & 1)


class Why(Enum):
    """Why a roster, or a part of it, does not count."""

    NO_OWNER = "no_owner"
    "What made its signer an owner does not count."
    UNSEATED = "unseated"
    "Somebody above took its signer's seat meanwhile, or the signer gave it up elsewhere."
    OUTRANKED = "outranked"
    "It changed an owner who stands above its signer; the rest of it counts."


@dataclass(frozen=True, slots=True)
class Voided:
    """What was signed and does not count, for people to look at."""

    hash: bytes
    signer: bytes
    why: Why
    by: bytes = b""
    "The hash of the roster because of which."
    added: tuple[DeviceId, ...] = ()
    "Devices that it took in."
    removed: tuple[DeviceId, ...] = ()
    "Devices that it removed; where it was outranked, those whose removal or change was left out."


@dataclass(frozen=True, slots=True)
class Resolved:
    state: State
    valid: tuple[Node, ...]
    voided: tuple[Voided, ...]


def state_of(roster: Roster) -> State:
    """What a roster says by itself."""
    return State(
        roster.listed(), roster.recovery, roster.generation, roster.next_rank, roster.name, roster.epoch, roster.commit,
        {link.hash: link for link in roster.links}, epochs=((roster.epoch, roster.commit),),
        readers=frozenset(member.id for member in roster.members if member.role.reads))


def changes_of(base: State | None, roster: Roster) -> dict[Key, Value]:
    """What a roster changed of what was before it."""
    changes: dict[Key, Value] = {}
    listed = roster.listed()
    before = {} if base is None else base.members
    for device in before:
        if device not in listed:
            changes["role", device] = None
    for device, member in listed.items():
        old = before.get(device)
        if old is None or (old.role, old.rank, old.link) != (member.role, member.rank, member.link):
            changes["role", device] = member
        if old is None or old.name != member.name:
            changes["called", device] = member.name
    links = {link.hash: link for link in roster.links}
    if base is None or (base.epoch, base.commit) != (roster.epoch, roster.commit):
        changes[_EPOCH] = (roster.epoch, roster.commit)
    else:
        changes.update({("link", token): None for token in base.links if token not in links})
    changes.update({
        ("link", token): link for token, link in links.items() if base is None or base.links.get(token) != link})
    if base is None or base.name != roster.name:
        changes[_NAME] = roster.name
    if base is None or (base.generation, base.recovery) != (roster.generation, roster.recovery):
        changes[_RECOVERY] = (roster.generation, roster.recovery)
    return changes


def unseated_by(base: State | None, roster: Roster) -> frozenset[bytes]:
    """Owners of before who have not the same seat after, and the recovery key where it was replaced."""
    if base is None:
        return frozenset()
    listed = roster.listed()
    found: set[bytes] = {
        member.id for member in base.owners if member.id not in listed or listed[member.id].seat != member.seat}
    if base.recovery != roster.recovery:
        found.add(base.recovery)
    return frozenset(found)


def resolve(nodes: Iterable[Node]) -> Resolved:
    """Of rosters with all that they follow."""
    return _Resolution(sorted(
        nodes, key=lambda node: (node.stage, not node.ends_own, node.depth, node.hash))).run()


class _Resolution:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._valid: list[Node] = []
        self._voided: list[Voided] = []
        self._words: dict[Key, list[tuple[Node, Value]]] = {}
        "All that valid rosters say, by what they say it of."
        self._unseating: dict[bytes, list[Node]] = {}

    def run(self) -> Resolved:
        for node in self._nodes:
            why = self._why_void(node)
            if why is not None:
                self._voided.append(why)
            else:
                self._take(node)
        return Resolved(self._state(), tuple(self._valid), tuple(sorted(
            self._voided, key=lambda each: (each.hash, each.why.value))))

    def _why_void(self, node: Node) -> Voided | None:
        if node.stage == FIRST:
            return None
        signer = node.roster.signer
        if node.roster.by_recovery:
            seated = any(value == (node.stage[1], signer) for _, value in self._before(node, _RECOVERY))
        else:
            member = _settle_role([value for _, value in self._before(node, ("role", signer))])
            seated = member is not None and member.role is Role.OWNER
        if not seated:
            return _void(node, Why.NO_OWNER)
        for other in self._unseating.get(signer, ()):
            if node.follows(other) or other.follows(node):
                continue
            if other.roster.signer != signer or not node.ends_own:
                return _void(node, Why.UNSEATED, other.hash)
        return None

    def _take(self, node: Node) -> None:
        self._valid.append(node)
        outranked: list[DeviceId] = []
        for key, value in node.changes.items():
            if key[0] == "role" and key[1] != node.roster.signer:
                member = _settle_role([each for _, each in self._before(node, key)])
                if member is not None and member.role is Role.OWNER and stage_of(member) < node.stage:
                    outranked.append(member.id)
                    continue
            self._words.setdefault(key, []).append((node, value))
        if outranked:
            self._voided.append(Voided(
                node.hash, node.roster.signer, Why.OUTRANKED, removed=tuple(sorted(outranked))))
        for each in sorted(node.unseated):
            if each not in outranked:
                self._unseating.setdefault(each, []).append(node)

    def _before(self, node: Node, key: Key) -> list[tuple[Node, Value]]:
        """The newest words on something that a roster follows."""
        return _newest([word for word in self._words.get(key, ()) if node.follows(word[0])])

    def _state(self) -> State:
        newest = {key: _newest(words) for key, words in self._words.items()}
        members: dict[DeviceId, Member] = {}
        for (kind, device), words in newest.items():
            if kind == "role":
                member = _settle_role([value for _, value in words])
                if member is not None:
                    # Nobody whose word counts named it where the roster that took it in is void.
                    called = _by_standing(newest.get(("called", device), words))
                    members[member.id] = replace(member, name=called) if isinstance(called, str) else member
        epochs = sorted(
            ((value[0], value[1], node.hash) for node, value in newest[_EPOCH] if isinstance(value, tuple)),
            key=lambda each: (-each[0], each[2]))
        given = self._given()
        # Of those with the highest number one that nobody has who must not, where there is one.
        highest = [each for each in epochs if each[0] == epochs[0][0]]
        epoch, commit, _ = next((each for each in highest if not self._stale(given[each[1]], members)), highest[0])
        generation, recovery = max(
            ((value, node) for node, value in newest[_RECOVERY] if isinstance(value, tuple)),
            key=lambda each: (each[0][0], [-octet for octet in each[1].hash]))[0]
        name = _by_standing(newest[_NAME])
        links: dict[bytes, OpenLink] = {}
        for (kind, token), words in newest.items():
            values = [value for node, value in words if value is None or node.roster.commit == commit]
            if kind == "link" and values and None not in values:
                links[token] = min(
                    (value for value in values if isinstance(value, OpenLink)),
                    key=lambda link: (link.role.strength, link.boxes))
        readers, holders = given[commit]
        unsealed = frozenset(
            each for each, member in members.items() if each not in (readers if member.role.reads else holders))
        return State(
            members, recovery, generation, max(node.roster.next_rank for node in self._valid),
            name if isinstance(name, str) else "", epoch, commit, links, self._stale(given[commit], members), unsealed,
            tuple((each[0], each[1]) for each in epochs), frozenset(readers))

    def _given(self) -> dict[bytes, tuple[set[DeviceId], set[DeviceId]]]:
        """By epoch who was given its secrets by rosters that count: to read, and to store alone."""
        given: dict[bytes, tuple[set[DeviceId], set[DeviceId]]] = {}
        counts = {node.hash for node in self._valid}
        for node in self._valid:
            readers, holders = given.setdefault(node.roster.commit, (set(), set()))
            followed = node.roster.predecessors
            if _EPOCH in node.changes or len(followed) != 1 or followed[0] not in counts:
                listed: Iterable[Value] = node.roster.members
            else:
                listed = node.changes.values()  # all others were given it by the one that it follows
            for member in listed:
                if isinstance(member, Member):
                    (readers if member.role.reads else holders).add(member.id)
        return given

    @staticmethod
    def _stale(given: tuple[set[DeviceId], set[DeviceId]], members: Mapping[DeviceId, Member]) -> bool:
        readers, holders = given
        return any(each not in members or not members[each].role.reads for each in readers) or any(
            each not in members for each in holders)


def stage_of(member: Member) -> Stage:
    """The standing of an owner."""
    return 2, member.rank, member.id


def recovery_stage(generation: int, key: bytes) -> Stage:
    return 1, generation, key


def cuts_of(resolved: Resolved) -> dict[DeviceId, tuple[tuple[int, Cut], ...]]:
    """Of each device that lost the right to write: the epoch that began with it, and what was accepted until then."""
    found: dict[DeviceId, list[tuple[int, Cut]]] = {}
    left_out = {(void.hash, device) for void in resolved.voided for device in void.removed}
    for node in resolved.valid:
        for cut in node.roster.cuts:
            if (node.hash, cut.device) not in left_out:
                found.setdefault(cut.device, []).append((node.roster.epoch, cut))
    return {
        device: tuple(sorted(set(cuts), key=lambda each: (each[0], each[1].root, each[1].upto)))
        for device, cuts in found.items()}


def _newest(words: Sequence[tuple[Node, Value]]) -> list[tuple[Node, Value]]:
    """Without those that another one follows."""
    covered = 0
    for node, _ in words:
        covered |= node.ancestors
    return [word for word in words if not covered >> word[0].index & 1]


def _settle_role(values: Iterable[Value]) -> Member | None:
    """Removal, or the lowest role; of seats the lower one."""
    found: Member | None = None
    for value in values:
        if not isinstance(value, Member):
            return None
        if found is None:
            found = value
        else:
            lower = min(found, value, key=lambda each: (each.role.strength, -each.rank))
            found = replace(lower, link=min(found.link, value.link), name=min(found.name, value.name))
    return found


def _by_standing(words: Sequence[tuple[Node, Value]]) -> Value:
    return min(words, key=lambda word: (word[0].stage, word[0].hash))[1]


def _void(node: Node, why: Why, by: bytes = b"") -> Voided:
    listed = node.roster.listed()
    return Voided(
        node.hash, node.roster.signer, why, by,
        tuple(sorted(device for (kind, device) in _devices(node) if kind and device in listed)),
        tuple(sorted(device for (kind, device) in _devices(node) if not kind)))


def _devices(node: Node) -> list[tuple[bool, DeviceId]]:
    return [
        (value is not None, DeviceId(name)) for (kind, name), value in node.changes.items() if kind == "role"]
