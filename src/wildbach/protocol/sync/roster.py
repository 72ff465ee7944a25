"""A roster: who has a folder, in which role, and the folder's secrets sealed to each of them, signed.

A roster is whole: it lists all devices, not what changed. It names the rosters it follows by their hashes, so rosters
form a graph without cycles, and the hash of the first is the folder's id. What is checked here is one roster by itself;
whether its signer may have said so follows from the rosters before it (`rosters`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import sha256
from itertools import pairwise
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.protocol import bencode
from wildbach.protocol.metainfo.fields import take_bytes, take_int, take_list
from wildbach.protocol.sync.devices import KEY_BYTES, Device, DeviceKeys, check_name, signed_by
from wildbach.protocol.sync.sealing import OVERHEAD
from wildbach.protocol.sync.secrets import COMMIT_BYTES, OLDER_BYTES, SECRET_BYTES

HASH_BYTES: Final = 32
BOX_BYTES: Final = OVERHEAD + SECRET_BYTES
VERSION: Final = 1
_CONTEXT: Final = b"wildbach sync roster 1\0"
_SIGNATURE: Final = b"~"
_RANKS: Final = 1 << 40


class Role(Enum):
    """What a device may do. The value is its letter in a roster."""

    OWNER = "o"
    READ_WRITE = "w"
    READ_ONLY = "r"
    STORE = "s"

    @property
    def writes(self) -> bool:
        return self in (Role.OWNER, Role.READ_WRITE)

    @property
    def reads(self) -> bool:
        return self is not Role.STORE

    @property
    def strength(self) -> int:
        """0 for a store to 3 for an owner: of two at once the lesser counts."""
        return 3 - list(Role).index(self)


@dataclass(frozen=True, slots=True)
class Member:
    """A device as it is listed."""

    device: Device
    role: Role
    rank: int = 0
    "Of an owner: who has the lower one stands above. It is given once, in the order in which devices became owners."
    link: bytes = b""
    "The hash of the token of the link that it came by; empty for none."
    name: str = ""

    @property
    def id(self) -> DeviceId:
        return self.device.id

    @property
    def seat(self) -> tuple[int, DeviceId] | None:
        """An owner's place among owners."""
        return (self.rank, self.id) if self.role is Role.OWNER else None


@dataclass(frozen=True, slots=True)
class Cut:
    """What was accepted of a device that may not write any more: all else that it signed is refused."""

    device: DeviceId
    upto: int
    "The greatest `seq` of its entries that were accepted; 0 for none."
    count: int
    "Entries that were accepted."
    root: bytes
    "The v2 pieces root of the list of their hashes (`cuts`), by which it is fetched; empty for an empty list."


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link by which any number of devices may come, while the epoch lasts. Any owner may take them in."""

    hash: bytes
    "Of the token."
    role: Role
    boxes: tuple[tuple[DeviceId, bytes], ...]
    "The token, sealed to each owner, in the order of their ids."


@dataclass(frozen=True, slots=True)
class Roster:
    """One roster as it was signed. `unpack` checks its form and nothing of its signature."""

    folder: FolderId | None
    "None in the first roster, whose hash it is."
    predecessors: tuple[bytes, ...]
    "Hashes, in order."
    epoch: int
    commit: bytes
    "Names the secrets of the epoch."
    members: tuple[Member, ...]
    "Owners by rank, then the others by id."
    boxes: tuple[bytes, ...]
    "The secret of each member, sealed to it, in the order of `members`."
    recovery: bytes
    "The public half of the recovery key."
    generation: int
    "How often that was replaced."
    next_rank: int
    "The rank of who becomes an owner next."
    name: str
    "The folder's."
    older: tuple[tuple[bytes, bytes], ...]
    "Names of epochs before, in order, with their secrets sealed under this one's; where the epoch is new."
    cuts: tuple[Cut, ...]
    "Of those who wrote before and do not any more, in the order of their ids."
    links: tuple[OpenLink, ...]
    "In the order of their hashes."
    signer: bytes
    "The id of a device, or the recovery key's public half."
    signature: bytes = b""

    @property
    def by_recovery(self) -> bool:
        return len(self.signer) == KEY_BYTES

    def listed(self) -> dict[DeviceId, Member]:
        return {member.id: member for member in self.members}

    def box_of(self, device: DeviceId) -> bytes | None:
        return next((box for member, box in zip(self.members, self.boxes, strict=True) if member.id == device), None)

    def signed_bytes(self) -> bytes:
        return _CONTEXT + bencode.encode(self._fields())

    def signed_with(self, keys: DeviceKeys) -> Roster:
        return replace(self, signature=keys.sign(self.signed_bytes()))

    def verify(self, public: bytes) -> bool:
        """Did the owner of this Ed25519 key sign it?"""
        return signed_by(public, self.signature, self.signed_bytes())

    def pack(self) -> bytes:
        """Raises LimitError where it is longer than SYNC_ROSTER_BYTES."""
        raw = bencode.encode({**self._fields(), _SIGNATURE: self.signature})
        if len(raw) > limits.SYNC_ROSTER_BYTES:
            raise LimitError(f"a roster is longer than SYNC_ROSTER_BYTES = {limits.SYNC_ROSTER_BYTES}")
        return raw

    def _fields(self) -> dict[bytes, bencode.Value]:
        fields: dict[bytes, bencode.Value] = {
            b"V": VERSION, b"a": self.signer, b"c": self.commit,
            b"d": [
                [member.device.pack(), member.role.value.encode(), member.rank, member.link, member.name.encode(), box]
                for member, box in zip(self.members, self.boxes, strict=True)
            ],
            b"e": self.epoch, b"g": self.generation, b"k": self.recovery, b"n": self.name.encode(),
            b"p": list(self.predecessors), b"r": self.next_rank,
        }
        if self.folder is not None:
            fields[b"f"] = bytes(self.folder)
        if self.older:
            fields[b"o"] = [[commit, box] for commit, box in self.older]
        if self.cuts:
            fields[b"x"] = [[bytes(cut.device), cut.upto, cut.count, cut.root] for cut in self.cuts]
        if self.links:
            fields[b"l"] = [
                [link.hash, link.role.value.encode(), [[bytes(device), box] for device, box in link.boxes]]
                for link in self.links
            ]
        return fields

    @classmethod
    def unpack(cls, raw: bytes) -> Roster:
        """Raises FormatError or LimitError for what `pack` did not make."""
        if len(raw) > limits.SYNC_ROSTER_BYTES:
            raise LimitError(f"a roster is longer than SYNC_ROSTER_BYTES = {limits.SYNC_ROSTER_BYTES}")
        value = bencode.decode(raw, depth=5, tokens=limits.SYNC_ROSTER_TOKENS)
        if not isinstance(value, dict):
            raise FormatError("a roster is no dictionary")
        if value.get(b"V") != VERSION:
            raise FormatError("is of another version", where="roster.V")
        members, boxes = _members(value)
        signer = take_bytes(value, b"a", "roster")
        if len(signer) not in (DeviceId.SIZE, KEY_BYTES):
            raise FormatError("is neither a device nor a recovery key", where="roster.a")
        made = cls(
            folder=FolderId(_sized(take_bytes(value, b"f", "roster"), FolderId.SIZE, "f")) if b"f" in value else None,
            predecessors=_ordered(
                (_sized(each, HASH_BYTES, "p") for each in take_list(value, b"p", "roster")),
                limits.SYNC_ROSTER_HEADS, "p"),
            epoch=_range(take_int(value, b"e", "roster"), limits.SYNC_EPOCHS, "e"),
            commit=_sized(value.get(b"c"), COMMIT_BYTES, "c"), members=members, boxes=boxes,
            recovery=_sized(value.get(b"k"), KEY_BYTES, "k"),
            generation=_range(value.get(b"g"), _RANKS, "g"), next_rank=_range(value.get(b"r"), _RANKS, "r"),
            name=check_name(_text(take_bytes(value, b"n", "roster"), "n")), older=_older(value), cuts=_cuts(value),
            links=_links(value), signer=signer, signature=_sized(value.get(_SIGNATURE), 64, "~"),
        )
        if (made.folder is None) is not (not made.predecessors):
            raise FormatError("only the first roster has no folder and follows none", where="roster.p")
        if any(member.rank >= made.next_rank for member in members if member.role is Role.OWNER):
            raise FormatError("an owner's rank is yet to be given", where="roster.r")
        if made.pack() != raw:
            raise FormatError("a roster is spelt in another way than the one there is")
        return made


def roster_hash(raw: bytes) -> bytes:
    """By which a roster is named; that of the first is the folder's id."""
    return sha256(raw).digest()


def ordered_members(members: Mapping[DeviceId, Member]) -> tuple[Member, ...]:
    """As they stand in a roster."""
    return tuple(sorted(members.values(), key=_place))


def box_context(commit: bytes, device: DeviceId) -> bytes:
    """What the box of a member's secret is bound to. The commit is as random as the secret, so it names the folder."""
    return b"roster" + commit + device


def link_context(token_hash: bytes, device: DeviceId) -> bytes:
    """What the box of an open link's token is bound to."""
    return b"link" + token_hash + device


def _place(member: Member) -> tuple[bool, int, DeviceId]:
    return member.role is not Role.OWNER, member.rank, member.id


def _members(value: dict[bytes, bencode.Value]) -> tuple[tuple[Member, ...], tuple[bytes, ...]]:
    rows = take_list(value, b"d", "roster")
    if len(rows) > limits.SYNC_DEVICES:
        raise LimitError(f"lists more than SYNC_DEVICES = {limits.SYNC_DEVICES}", where="roster.d")
    members: list[Member] = []
    boxes: list[bytes] = []
    for row in rows:
        keys, letter, rank, link, name, box = _row(row, 6, "d")
        role = _role(letter, "d")
        if not isinstance(name, bytes) or not isinstance(keys, bytes) or not isinstance(link, bytes):
            raise FormatError("is no member", where="roster.d")
        if len(link) not in (0, HASH_BYTES):
            raise FormatError("is no hash of a link", where="roster.d")
        members.append(Member(
            Device.unpack(keys), role, _range(rank, _RANKS, "d"), link, check_name(_text(name, "d"))))
        if rank and role is not Role.OWNER:
            raise FormatError("only owners have ranks", where="roster.d")
        boxes.append(_sized(box, BOX_BYTES, "d"))
    if len({member.id for member in members}) != len(members):
        raise FormatError("lists a device twice", where="roster.d")
    if sorted(members, key=_place) != members:
        raise FormatError("is out of order", where="roster.d")
    return tuple(members), tuple(boxes)


def _older(value: dict[bytes, bencode.Value]) -> tuple[tuple[bytes, bytes], ...]:
    found: dict[bytes, bytes] = {}
    for row in _optional(value, b"o"):
        commit, box = _row(row, 2, "o")
        found[_sized(commit, COMMIT_BYTES, "o")] = _sized(box, OLDER_BYTES, "o")
    _ordered(found, limits.SYNC_ROSTER_HEADS, "o")
    return tuple(found.items())


def _cuts(value: dict[bytes, bencode.Value]) -> tuple[Cut, ...]:
    found: list[Cut] = []
    for row in _optional(value, b"x"):
        device, upto, count, root = _row(row, 4, "x")
        count = _range(count, limits.SYNC_CUT_ENTRIES, "x")
        found.append(Cut(
            DeviceId(_sized(device, DeviceId.SIZE, "x")), _range(upto, limits.SYNC_COUNTER, "x"), count,
            _sized(root, HASH_BYTES if count else 0, "x")))
    _ordered((cut.device for cut in found), limits.SYNC_DEVICES, "x")
    return tuple(found)


def _links(value: dict[bytes, bencode.Value]) -> tuple[OpenLink, ...]:
    found: list[OpenLink] = []
    for row in _optional(value, b"l"):
        token_hash, letter, boxes = _row(row, 3, "l")
        if not isinstance(boxes, list):
            raise FormatError("is no link", where="roster.l")
        sealed: list[tuple[DeviceId, bytes]] = []
        for pair in boxes:
            device, box = _row(pair, 2, "l")
            sealed.append((DeviceId(_sized(device, DeviceId.SIZE, "l")), _sized(box, BOX_BYTES, "l")))
        _ordered((device for device, _ in sealed), limits.SYNC_DEVICES, "l")
        role = _role(letter, "l")
        if role is Role.OWNER:
            raise FormatError("nobody becomes an owner by an open link", where="roster.l")
        found.append(OpenLink(_sized(token_hash, HASH_BYTES, "l"), role, tuple(sealed)))
    _ordered((link.hash for link in found), limits.SYNC_OPEN_LINKS, "l")
    return tuple(found)


def _optional(value: dict[bytes, bencode.Value], key: bytes) -> list[bencode.Value]:
    if key not in value:
        return []
    found = take_list(value, key, "roster")
    if not found:
        raise FormatError("is empty and yet there", where=f"roster.{key.decode()}")
    return found


def _row(value: bencode.Value, size: int, where: str) -> list[bencode.Value]:
    if not isinstance(value, list) or len(value) != size:
        raise FormatError(f"has a row that is not of {size} parts", where=f"roster.{where}")
    return value


def _ordered(values: Iterable[bytes], most: int, where: str) -> tuple[bytes, ...]:
    """Strictly ascending, and not more than `most`."""
    found = list(values)
    if len(found) > most:
        raise LimitError(f"has more than {most} parts", where=f"roster.{where}")
    if any(one >= two for one, two in pairwise(found)):
        raise FormatError("is out of order, or has one twice", where=f"roster.{where}")
    return tuple(found)


def _role(value: bencode.Value, where: str) -> Role:
    for role in Role:
        if role.value.encode() == value:
            return role
    raise FormatError("is no role", where=f"roster.{where}")


def _sized(value: bencode.Value | None, size: int, where: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise FormatError(f"is not {size} bytes", where=f"roster.{where}")
    return value


def _range(value: bencode.Value | None, most: int, where: str) -> int:
    if not isinstance(value, int) or not 0 <= value <= most:
        raise FormatError(f"is not from 0 to {most}", where=f"roster.{where}")
    return value


def _text(raw: bytes, where: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise FormatError("is not UTF-8", where=f"roster.{where}") from None
