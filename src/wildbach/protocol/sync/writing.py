"""Rosters as owners make them: the first one of a folder, and what changes it.

All is signed over what the writer knows: a new roster follows all newest ones, so it is also how branches are merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.devices import Device, DeviceKeys, check_name
from wildbach.protocol.sync.links import check_role
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.resolving import State, stage_of
from wildbach.protocol.sync.roster import (
    Cut,
    Member,
    OpenLink,
    Role,
    Roster,
    box_context,
    link_context,
    ordered_members,
)
from wildbach.protocol.sync.rosters import Rosters
from wildbach.protocol.sync.sealing import Chance, seal, unseal
from wildbach.protocol.sync.secrets import ReadSecret, StoreSecret, Token


@dataclass(frozen=True, slots=True)
class Held:
    """The secrets that a device was given, by the names of their epochs."""

    reads: Mapping[bytes, ReadSecret] = field(default_factory=dict)
    stores: Mapping[bytes, StoreSecret] = field(default_factory=dict)
    "Of all epochs, also those that it reads."


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A device that is to be listed."""

    device: Device
    role: Role
    name: str = ""
    link: bytes = b""
    "The hash of the token that it came by."


@dataclass(frozen=True, slots=True)
class Changes:
    """What an owner wants to be different."""

    add: tuple[Newcomer, ...] = ()
    remove: tuple[DeviceId, ...] = ()
    roles: Mapping[DeviceId, Role] = field(default_factory=dict)
    cuts: Mapping[DeviceId, Cut] = field(default_factory=dict)
    "What was accepted of each that wrote and does not any more; nothing, where it is left out."
    names: Mapping[DeviceId, str] = field(default_factory=dict)
    "Of devices."
    name: str | None = None
    "Of the folder."
    open_links: tuple[tuple[Token, Role], ...] = ()
    close_links: tuple[bytes, ...] = ()
    "Hashes of tokens."
    recovery: bytes | None = None
    "The public half of another recovery key; signed by the one before."
    first: DeviceId | None = None
    "This one is to stand above all other owners; signed by the recovery key."
    rekey: bool = False
    "New secrets, also where nobody lost a right."


def create(
    keys: DeviceKeys, name: str, recovery: bytes, chance: Chance, *, device_name: str = "",
) -> tuple[bytes, ReadSecret]:
    """The first roster of a new folder, and its secret. `recovery`: the public half of a new recovery key."""
    secret = ReadSecret(chance(32))
    member = Member(keys.public, Role.OWNER, 0, b"", check_name(device_name))
    roster = Roster(
        folder=None, predecessors=(), epoch=0, commit=secret.commit, members=(member,),
        boxes=(_box(member, secret, chance),), recovery=recovery, generation=0, next_rank=1, name=check_name(name),
        older=(), cuts=(), links=(), signer=keys.id)
    return roster.signed_with(keys).pack(), secret


def held(rosters: Rosters, keys: DeviceKeys) -> Held:
    """All secrets that were sealed to this device, and those that these open. One that was sealed wrong is passed
    over: the hash in its place says which it had to be.
    """
    reads: dict[bytes, ReadSecret] = {}
    stores: dict[bytes, StoreSecret] = {}
    found = list(rosters)
    for roster in found:
        box = roster.box_of(keys.id)
        if box is None or roster.commit in reads:
            continue
        try:
            plain = unseal(keys, box, box_context(roster.commit, keys.id))
            if (read := ReadSecret(plain)).commit == roster.commit:
                reads[roster.commit] = read
            elif (store := StoreSecret(plain)).commit == roster.commit:
                stores[roster.commit] = store
        except FormatError:
            continue
    for roster in reversed(found):
        for commit, box in roster.older:
            if commit not in reads and roster.commit in reads:
                try:
                    reads[commit] = reads[roster.commit].open_older(commit, box)
                except FormatError:
                    continue
    stores.update({commit: read.store for commit, read in reads.items()})
    return Held(reads, stores)


def amend(rosters: Rosters, signer: DeviceKeys | RecoveryKey, secrets: Held, changes: Changes, chance: Chance) -> bytes:
    """A signed roster with these changes, which is yet to be added. Raises UsageError where the signer may not make
    them, or where they make no sense.
    """
    heads = _followed(rosters)
    state = rosters.state_at(heads)
    members = _members(state, changes)
    lost = [
        old for device, old in state.members.items()
        if device not in members or old.role.reads > members[device].role.reads
        or old.role.writes > members[device].role.writes]
    secret = secrets.reads.get(state.commit)
    cut = sorted(
        old.id for old in lost if old.role.writes and (old.id not in members or not members[old.id].role.writes))
    older: tuple[tuple[bytes, bytes], ...] = ()
    epoch = state.epoch
    fresh = bool(lost) or state.stale or rosters.view.exposed or changes.rekey or secret is None
    if fresh or secret is None:
        secret, epoch = ReadSecret(chance(32)), state.epoch + 1
        older = tuple(sorted(
            (commit, secret.seal_older(secrets.reads[commit]))
            for commit in sorted({commit for _, commit in state.epochs}) if commit in secrets.reads))
    members, next_rank = _seats(state, members, changes.first)
    listed = ordered_members(members)
    if len(listed) > limits.SYNC_DEVICES:
        raise LimitError(f"a folder has more than SYNC_DEVICES = {limits.SYNC_DEVICES} devices")
    recovery = changes.recovery is not None and changes.recovery != state.recovery
    roster = Roster(
        folder=rosters.folder, predecessors=heads, epoch=epoch, commit=secret.commit, members=listed,
        boxes=tuple(_box(member, secret, chance) for member in listed),
        recovery=state.recovery if changes.recovery is None else changes.recovery,
        generation=state.generation + recovery, next_rank=next_rank,
        name=state.name if changes.name is None else check_name(changes.name), older=older,
        cuts=tuple(changes.cuts.get(device, Cut(device, 0, 0, b"")) for device in cut),
        links=_links(state, listed, changes, chance, fresh=fresh),
        signer=signer.public if isinstance(signer, RecoveryKey) else signer.id)
    _check_may(state, roster, signer)
    return replace(roster, signature=signer.sign(roster.signed_bytes())).pack()


def take_over(
    rosters: Rosters, recovery: RecoveryKey, keys: DeviceKeys, secrets: Held, chance: Chance, *,
    remove: Iterable[DeviceId] = (), cuts: Mapping[DeviceId, Cut] | None = None, successor: RecoveryKey | None = None,
    name: str = "",
) -> bytes:
    """A roster by which this device becomes the first owner. `remove`: who is lost or stolen. `successor`: a new
    recovery key, as this one was on a device by now. Without the folder's secret here new ones are made.
    """
    state = rosters.view.state
    add = () if keys.id in state.members else (Newcomer(keys.public, Role.OWNER, name),)
    roles = {keys.id: Role.OWNER} if keys.id in state.members else {}
    return amend(rosters, recovery, secrets, Changes(
        add=add, remove=tuple(remove), roles=roles, cuts=cuts or {}, first=keys.id,
        recovery=None if successor is None else successor.public), chance)


def open_token(rosters: Rosters, keys: DeviceKeys, token_hash: bytes) -> Token | None:
    """The token of an open link, as it was sealed to this owner."""
    link = rosters.view.state.links.get(token_hash)
    box = None if link is None else dict(link.boxes).get(keys.id)
    if box is None:
        return None
    try:
        token = Token(unseal(keys, box, link_context(token_hash, keys.id)))
    except FormatError:
        return None
    return token if token.hash == token_hash else None


def _followed(rosters: Rosters) -> tuple[bytes, ...]:
    """The heads; where there are too many, those of the signers with the highest standing."""
    heads = rosters.view.heads
    if len(heads) > limits.SYNC_ROSTER_HEADS:
        heads = rosters.foremost(heads, limits.SYNC_ROSTER_HEADS)
    return heads


def _members(state: State, changes: Changes) -> dict[DeviceId, Member]:
    members = dict(state.members)
    for device in (*changes.remove, *changes.roles, *changes.names):
        if device not in members:
            raise UsageError("the device is not in this folder", code="unknown_device", device=device.hex())
    for device, role in changes.roles.items():
        old = members[device]
        members[device] = replace(old, role=role, rank=old.rank if old.role is role else 0)
    for device, name in changes.names.items():
        members[device] = replace(members[device], name=check_name(name))
    for device in changes.remove:
        del members[device]
    for each in changes.add:
        device = each.device.id
        if device in members:
            raise UsageError("the device is in this folder already", code="device_listed", device=device.hex())
        members[device] = Member(each.device, each.role, 0, each.link, check_name(each.name))
    return members


def _seats(
    state: State, members: dict[DeviceId, Member], first: DeviceId | None,
) -> tuple[dict[DeviceId, Member], int]:
    """Ranks for new owners, in the order in which they were named; with `first`, for all after that one."""
    rank = state.next_rank
    found = dict(members)

    def waits(member: Member) -> bool:
        return member.role is Role.OWNER and (first is not None or not _was_owner(state, member.id))

    waiting = sorted(
        (member for member in members.values() if waits(member)),
        key=lambda member: (member.id != first, member.rank if _was_owner(state, member.id) else rank))
    for member in waiting:
        found[member.id] = replace(member, rank=rank)
        rank += 1
    return found, rank


def _was_owner(state: State, device: DeviceId) -> bool:
    old = state.members.get(device)
    return old is not None and old.role is Role.OWNER


def _links(
    state: State, listed: tuple[Member, ...], changes: Changes, chance: Chance, *, fresh: bool,
) -> tuple[OpenLink, ...]:
    owners = sorted((member for member in listed if member.role is Role.OWNER), key=lambda member: member.id)
    links = {} if fresh else {token: link for token, link in state.links.items() if token not in changes.close_links}
    for token, role in changes.open_links:
        check_role(role)
        links[token.hash] = OpenLink(token.hash, role, tuple(
            (owner.id, seal(owner.device, token.raw, link_context(token.hash, owner.id), chance)) for owner in owners))
    if len(links) > limits.SYNC_OPEN_LINKS:
        raise LimitError(f"a folder has more than SYNC_OPEN_LINKS = {limits.SYNC_OPEN_LINKS} open links")
    return tuple(links[token] for token in sorted(links))


def _box(member: Member, secret: ReadSecret, chance: Chance) -> bytes:
    plain = secret.raw if member.role.reads else secret.store.raw
    return seal(member.device, plain, box_context(secret.commit, member.id), chance)


def _check_may(state: State, roster: Roster, signer: DeviceKeys | RecoveryKey) -> None:
    """What others would refuse is not signed."""
    if isinstance(signer, RecoveryKey):
        if signer.public != state.recovery:
            raise UsageError("this is not the recovery key of the folder", code="wrong_recovery_key")
        return
    own = state.members.get(signer.id)
    if own is None or own.role is not Role.OWNER:
        raise UsageError("only owners change who has a folder", code="not_owner")
    if roster.generation != state.generation:
        raise UsageError("only the recovery key puts another in its place", code="not_allowed")
    listed = roster.listed()
    for owner in state.owners:
        after = listed.get(owner.id)
        changed = after is None or after.seat != owner.seat
        if changed and owner.id != signer.id and stage_of(owner) < stage_of(own):
            raise UsageError("this owner stands above: only owners above it, or it itself, remove it",
                             code="owner_above", device=owner.id.hex())
        if changed and owner.id == signer.id and after is not None and after.seat is not None:
            raise UsageError("the first place is given by the recovery key", code="not_allowed")
