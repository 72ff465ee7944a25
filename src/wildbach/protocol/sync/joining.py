"""How a device joins by a link: what both sides say, and which links the side that gave them still honours.

Both have met under the token (`opening`), so each knows that the other has it; `session` is the hash of that handshake.

    joiner  -> Asking: its keys and name, signed over session and token
    inviter -> Welcome, in as many parts as its rosters need, the last of which lists the joiner; or a Refusal
    joiner     believes the rosters where they begin with the folder of the link and have its newest one among them

A link is used once and for a day, by the clock of the device that gave it, which only goes forward here, and at that
device alone. It ends with the epoch. A token whose hash any roster has is spent, also where this state was restored
from a back-up. Open links stand in the roster, and any owner honours them.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.base.ids import DeviceId
from wildbach.protocol import bencode
from wildbach.protocol.metainfo.fields import take_bytes, take_int, take_list
from wildbach.protocol.sync.devices import Device, DeviceKeys, check_name, signed_by
from wildbach.protocol.sync.links import SyncLink, check_role
from wildbach.protocol.sync.roster import Member, Role
from wildbach.protocol.sync.rosters import Rosters, View
from wildbach.protocol.sync.sealing import Chance
from wildbach.protocol.sync.secrets import COMMIT_BYTES, Token
from wildbach.protocol.sync.writing import Held, Newcomer, held

_CONTEXT: Final = b"wildbach sync join 1\0"
_SESSION: Final = 32
_ROOM: Final = 64
"Bytes of a Welcome around its rosters, and around each."


class Reason(Enum):
    """Why nobody joins by a link, as it is told to who tries."""

    UNKNOWN = "unknown"
    "It was given by another device, or withdrawn."
    EXPIRED = "expired"
    SPENT = "spent"
    "Somebody came by it."
    EPOCH = "epoch"
    "The folder's secrets were changed since."
    NOT_OWNER = "not_owner"
    "The device that gave it is no owner any more."
    FULL = "full"
    "It is one for many, and as many came by it as may."
    REMOVED = "removed"
    "The device was removed: it needs a new link."


class LinkRefused(FormatError):
    """Nobody joins by this link. `reason` is told to the other side."""

    code = "link_refused"

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the link is refused: {reason.value}", reason=reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Given:
    """One link that this device gave."""

    token: Token
    role: Role
    commit: bytes
    "The epoch that it ends with."
    until: float
    "By this device's clock, in seconds since 1970."
    taken_by: bytes = b""
    "The id of the device that came by it, from before that is listed."


@dataclass(frozen=True, slots=True)
class Links:
    """The links to one folder that this device gave. A value; `pack` is what is kept, and secret."""

    given: Mapping[bytes, Given] = field(default_factory=dict)
    "By the hash of the token."
    clock: float = 0.0
    "The latest time that was seen: a clock that is set back prolongs nothing."

    def give(
        self, view: View, role: Role, token: Token, now: float, seconds: float = limits.SYNC_LINK_SECONDS,
    ) -> Links:
        """With a link that is used once. Raises UsageError for owners, LimitError where there are too many."""
        check_role(role)
        clock = max(now, self.clock)
        kept = {
            name: each for name, each in self.given.items()
            if each.until > clock and each.commit == view.state.commit and name not in view.spent}
        if len(kept) >= limits.SYNC_LINKS:
            raise LimitError(f"there are SYNC_LINKS = {limits.SYNC_LINKS} links that nobody used yet")
        kept[token.hash] = Given(token, role, view.state.commit, clock + seconds)
        return Links(kept, clock)

    def withdraw(self, token_hash: bytes) -> Links:
        return replace(self, given={name: each for name, each in self.given.items() if name != token_hash})

    def open(self, view: View, now: float) -> tuple[Given, ...]:
        """Those that somebody may come by: whose tokens this device answers to."""
        clock = max(now, self.clock)
        return tuple(
            each for name, each in sorted(self.given.items())
            if each.until > clock and each.commit == view.state.commit and name not in view.spent)

    def redeem(
        self, view: View, own: DeviceId, asking: Asking, token_hash: bytes, now: float,
    ) -> tuple[Links, Newcomer | None]:
        """Who is to be listed for it, and the links after that, to be kept *before* the roster is signed. None instead
        where that device is listed already and only needs the rosters again. Raises LinkRefused.
        """
        after = replace(self, clock=max(now, self.clock))
        device = asking.device.id
        listed = view.member(device)
        if listed is not None and listed.link == token_hash:
            return after, None
        _check_owner(view, own)
        if listed is not None:
            return after, None
        given = self.given.get(token_hash)
        opened = view.state.links.get(token_hash)
        if opened is not None:
            if device in view.authors:
                # Who was removed and heard of the link would be back: this takes a link of its own.
                raise LinkRefused(Reason.REMOVED)
            came = sum(member.link == token_hash for member in view.state.members.values())
            if came >= limits.SYNC_OPEN_LINK_DEVICES:
                raise LinkRefused(Reason.FULL)
            return after, Newcomer(asking.device, opened.role, asking.name, token_hash)
        if given is None:
            raise LinkRefused(Reason.SPENT if token_hash in view.spent else Reason.UNKNOWN)
        if token_hash in view.spent or given.taken_by not in (b"", device):
            raise LinkRefused(Reason.SPENT)
        if given.commit != view.state.commit:
            raise LinkRefused(Reason.EPOCH)
        if given.until <= after.clock:
            raise LinkRefused(Reason.EXPIRED)
        taken = {**self.given, token_hash: replace(given, taken_by=bytes(device))}
        return replace(after, given=taken), Newcomer(asking.device, given.role, asking.name, token_hash)

    def pack(self) -> bytes:
        """Has tokens in it: to be kept where nobody else can read it."""
        return bencode.encode({
            b"g": [
                [each.token.raw, each.role.value.encode(), each.commit, int(each.until * 1000), each.taken_by]
                for _, each in sorted(self.given.items())],
            b"t": int(self.clock * 1000)})

    @classmethod
    def unpack(cls, raw: bytes) -> Links:
        """What `pack` made. Raises FormatError or LimitError."""
        value = _table(raw, "links", tokens=16 + 8 * limits.SYNC_LINKS)
        rows = take_list(value, b"g", "links")
        if len(rows) > limits.SYNC_LINKS:
            raise LimitError(f"more than SYNC_LINKS = {limits.SYNC_LINKS}", where="links.g")
        found: dict[bytes, Given] = {}
        for row in rows:
            if not isinstance(row, list) or len(row) != 5:
                raise FormatError("has a row that is no link", where="links.g")
            token, letter, commit, until, taken = row
            role = next((role for role in Role if role.value.encode() == letter), None)
            if (
                role is None or not isinstance(token, bytes) or not isinstance(until, int)
                or not isinstance(commit, bytes) or not isinstance(taken, bytes)
                or len(commit) != COMMIT_BYTES or len(taken) not in (0, DeviceId.SIZE)
                or not 0 <= until <= limits.SYNC_COUNTER
            ):
                raise FormatError("has a row that is no link", where="links.g")
            given = Given(Token(token), role, commit, until / 1000, taken)
            found[given.token.hash] = given
        clock = take_int(value, b"t", "links")
        if not 0 <= clock <= limits.SYNC_COUNTER:
            raise FormatError("is no time", where="links.t")
        return cls(found, clock / 1000)


@dataclass(frozen=True, slots=True)
class Asking:
    """What the joiner says."""

    device: Device
    name: str
    signature: bytes

    @classmethod
    def signed(cls, keys: DeviceKeys, name: str, token: Token, session: bytes) -> Asking:
        """`session`: the hash of the handshake, 32 bytes."""
        made = cls(keys.public, check_name(name), b"")
        return replace(made, signature=keys.sign(made._signed_bytes(token.hash, session)))

    def verify(self, static: bytes, token_hash: bytes, session: bytes) -> bool:
        """Is it from who is at the other end (whose key of the handshake is `static`), by this link, now?"""
        return hmac.compare_digest(static, self.device.exchange) and signed_by(
            self.device.signing, self.signature, self._signed_bytes(token_hash, session))

    def pack(self) -> bytes:
        return bencode.encode({
            b"d": self.device.pack(), b"n": self.name.encode(), b"s": self.signature, b"t": b"join"})

    @classmethod
    def unpack(cls, raw: bytes) -> Asking:
        """Raises FormatError or LimitError."""
        value = _table(raw, "join", tokens=32)
        if value.get(b"t") != b"join":
            raise FormatError("is no request to join", where="join.t")
        signature = take_bytes(value, b"s", "join")
        if len(signature) != 64:
            raise FormatError("is no signature", where="join.s")
        return cls(Device.unpack(take_bytes(value, b"d", "join")), _name(value), signature)

    def _signed_bytes(self, token_hash: bytes, session: bytes) -> bytes:
        if len(session) != _SESSION:
            raise UsageError("the hash of a handshake has 32 bytes")
        return _CONTEXT + token_hash + session + self.device.pack() + self.name.encode()


@dataclass(frozen=True, slots=True)
class Welcome:
    """A part of the inviter's rosters. `more`: how many parts follow."""

    rosters: tuple[bytes, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Joined:
    """A folder as the joiner has it after the last part."""

    rosters: Rosters
    secrets: Held
    member: Member


def new_token(chance: Chance) -> Token:
    return Token(chance(32))


def welcome(chain: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Messages that bring rosters (`Rosters.chain`), each of at most SYNC_MESSAGE_BYTES."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for raw in chain:
        if size + len(raw) + _ROOM > limits.SYNC_MESSAGE_BYTES - _ROOM or len(parts[-1]) >= limits.SYNC_HASHES:
            parts.append([])
            size = 0
        parts[-1].append(raw)
        size += len(raw) + _ROOM
    return tuple(
        bencode.encode({b"m": len(parts) - number, b"r": list(part), b"t": b"welcome"})
        for number, part in enumerate(parts, 1))


def refusal(reason: Reason) -> bytes:
    return bencode.encode({b"t": b"refused", b"w": reason.value.encode()})


def read_answer(raw: bytes) -> Welcome | Refusal:
    """Raises FormatError or LimitError."""
    if len(raw) > limits.SYNC_MESSAGE_BYTES:
        raise LimitError(f"longer than SYNC_MESSAGE_BYTES = {limits.SYNC_MESSAGE_BYTES}", where="answer")
    value = _table(raw, "answer", tokens=16 + limits.SYNC_HASHES)
    if value.get(b"t") == b"refused":
        why = take_bytes(value, b"w", "answer")
        return Refusal(next((each for each in Reason if each.value.encode() == why), Reason.UNKNOWN))
    if value.get(b"t") != b"welcome":
        raise FormatError("is neither a welcome nor a refusal", where="answer.t")
    rosters: list[bytes] = []
    for each in take_list(value, b"r", "answer"):
        if not isinstance(each, bytes):
            raise FormatError("has a part that is no roster", where="answer.r")
        rosters.append(each)
    more = take_int(value, b"m", "answer")
    if not 0 <= more <= limits.SYNC_ROSTERS_MOST:
        raise LimitError(f"announces more than SYNC_ROSTERS_MOST = {limits.SYNC_ROSTERS_MOST}", where="answer.m")
    return Welcome(tuple(rosters), more)


class Reception:
    """The parts of a Welcome, until all are here."""

    def __init__(self) -> None:
        self._raws: list[bytes] = []
        self._size = 0
        self._more: int | None = None

    def take(self, part: Welcome) -> bool:
        """True after the last part. Raises FormatError where one is missing, LimitError where they are too much."""
        if self._more is not None and part.more != self._more - 1:
            raise FormatError("a part of the rosters is missing", where="answer.m")
        self._more = part.more
        self._raws.extend(part.rosters)
        self._size += sum(map(len, part.rosters))
        if self._size > limits.SYNC_ROSTERS_BYTES or len(self._raws) > limits.SYNC_ROSTERS_MOST:
            raise LimitError(f"rosters of more than SYNC_ROSTERS_BYTES = {limits.SYNC_ROSTERS_BYTES}", where="answer")
        return part.more == 0

    @property
    def rosters(self) -> tuple[bytes, ...]:
        return tuple(self._raws)


def joined(link: SyncLink, raws: tuple[bytes, ...], keys: DeviceKeys) -> Joined:
    """What the joiner makes of all parts together (`Reception`). Raises FormatError where the link promised otherwise:
    another folder, a history without the roster that the link names, one that does not list this device, or no box.
    """
    rosters = Rosters.of(raws, link.folder)
    if link.roster not in rosters:
        raise FormatError("the rosters do not have the one that the link names", where="answer")
    member = rosters.view.member(keys.id)
    if member is None or link.inviter.id not in rosters.view.authors:
        raise FormatError("the rosters do not list this device, or never listed who gave the link", where="answer")
    secrets = held(rosters, keys)
    if rosters.view.state.commit not in (secrets.reads if member.role.reads else secrets.stores):
        raise FormatError("the rosters have no secret for this device", where="answer")
    return Joined(rosters, secrets, member)


def _check_owner(view: View, own: DeviceId) -> None:
    member = view.member(own)
    if member is None or member.role is not Role.OWNER:
        raise LinkRefused(Reason.NOT_OWNER)


def _table(raw: bytes, where: str, *, tokens: int) -> dict[bytes, bencode.Value]:
    value = bencode.decode(raw, depth=4, tokens=tokens)
    if not isinstance(value, dict):
        raise FormatError("is no dictionary", where=where)
    return value


def _name(value: dict[bytes, bencode.Value]) -> str:
    try:
        return check_name(take_bytes(value, b"n", "join").decode())
    except UnicodeDecodeError:
        raise FormatError("is not UTF-8", where="join.n") from None
