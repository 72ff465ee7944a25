"""Who is sought, and what this device says of itself: in a folder, and on the two sides of a link."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync import rendezvous, tags
from wildbach.protocol.sync.rendezvous import Place


@dataclass(frozen=True, slots=True)
class Sought:
    """Somebody who is to be met: a member of the folder, or the other side of a link."""

    name: bytes
    "The device id; of a link another name, as the device is not known before."
    places: Callable[[int], Sequence[Place]] = field(repr=False)
    "Where its record stands on a day; several where members are still met by the secret of an older epoch."
    signers: frozenset[bytes] | None
    "Ed25519 keys of which its record may be; None: of anybody's who has the secret."
    tokens: Callable[[float], Sequence[bytes]] = field(repr=False)
    "What is shown to a relay at this time (seconds since 1970)."
    side: int
    "Which side of a relay is ours: 0 or 1, the other one's is the other."


@dataclass(frozen=True, slots=True)
class Beacon:
    """What this device says of itself."""

    key: bytes
    "Its public Ed25519 key."
    sign: rendezvous.Sign = field(repr=False)
    places: Callable[[int], Sequence[Place]] = field(repr=False)
    "Where its record stands on a day."


def member(secrets: Sequence[bytes], own: DeviceId, device: DeviceId, key: bytes) -> Sought:
    """A member of a folder. `secrets`: what members find each other by, of this epoch and, while some are still to be
    met by them, of older ones. `key`: its public Ed25519 key.
    """
    newest = secrets[0]
    return Sought(
        device, lambda day: [rendezvous.member_place(secret, device, day) for secret in secrets], frozenset((key,)),
        lambda wall: tags.member_tokens(newest, own, device, wall), 0 if own < device else 1)


def inviter(token: bytes, name: bytes, keys: Iterable[bytes]) -> Sought:
    """Who gave a link: for who joins by it. `keys`: of the devices that may have."""
    return Sought(
        name, lambda day: [rendezvous.join_place(token, day)], frozenset(keys),
        lambda wall: tags.link_tokens(token, wall), 0)


def joiner(token: bytes, name: bytes) -> Sought:
    """Who knocks by a link: for who gave it."""
    return Sought(
        name, lambda day: [rendezvous.knock_place(token, day)], None, lambda wall: tags.link_tokens(token, wall), 1)


def of_member(key: bytes, sign: rendezvous.Sign, secrets: Sequence[bytes], own: DeviceId) -> Beacon:
    return Beacon(
        key, sign, lambda day: [rendezvous.member_place(secret, own, day) for secret in secrets])


def of_inviter(key: bytes, sign: rendezvous.Sign, token: bytes) -> Beacon:
    return Beacon(key, sign, lambda day: [rendezvous.join_place(token, day)])


def of_joiner(key: bytes, sign: rendezvous.Sign, token: bytes) -> Beacon:
    return Beacon(key, sign, lambda day: [rendezvous.knock_place(token, day)])
