"""Devices with the rosters that each of them knows, for tests: who signs what, and who heard of it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from random import Random

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.roster import Role, Roster
from wildbach.protocol.sync.rosters import Rosters, View
from wildbach.protocol.sync.writing import Changes, Newcomer, amend, create, held, take_over

RECOVERY = RecoveryKey(sha256(b"recovery").digest())


def keys_of(name: str) -> DeviceKeys:
    return DeviceKeys(sha256(name.encode()).digest())


class Desk:
    """One device: its keys, and all rosters that it knows."""

    def __init__(self, name: str, first: bytes, random: Random) -> None:
        self.name = name
        self.keys = keys_of(name)
        self.random = random
        self.rosters = Rosters(first)

    @property
    def id(self) -> DeviceId:
        return self.keys.id

    @property
    def view(self) -> View:
        return self.rosters.view

    def sign(self, changes: Changes) -> bytes:
        raw = self.draft(changes)
        self.rosters.add(raw)
        return raw

    def draft(self, changes: Changes) -> bytes:
        """Signed, and told to nobody yet, not even to itself."""
        return amend(self.rosters, self.keys, held(self.rosters, self.keys), changes, self.random.randbytes)

    def take_over(self, recovery: RecoveryKey = RECOVERY, *remove: DeviceId) -> bytes:
        raw = take_over(
            self.rosters, recovery, self.keys, held(self.rosters, self.keys), self.random.randbytes, remove=remove)
        self.rosters.add(raw)
        return raw

    def add(self, *names: str, role: Role = Role.READ_WRITE) -> bytes:
        return self.sign(Changes(add=tuple(
            Newcomer(keys_of(name).public, role, name, sha256(name.encode()).digest()) for name in names)))

    def remove(self, *names: str) -> bytes:
        return self.sign(Changes(remove=tuple(keys_of(name).id for name in names)))

    def hear(self, other: Desk) -> None:
        """All that the other has."""
        for raw in other.rosters.all():
            self.rosters.add(raw)

    def reads(self) -> bool:
        """It has the secret that holds."""
        return self.view.state.commit in held(self.rosters, self.keys).reads

    def names(self) -> set[str]:
        return {member.name for member in self.view.state.members.values()}


class Bed:
    """A folder made by `a`."""

    def __init__(self, seed: int = 1) -> None:
        self.random = Random(seed)
        self.first, self.secret = create(
            keys_of("a"), "Papers", RECOVERY.public, self.random.randbytes, device_name="a")
        self.a = Desk("a", self.first, self.random)

    def desk(self, name: str, *heard: Desk) -> Desk:
        desk = Desk(name, self.first, self.random)
        for each in heard:
            desk.hear(each)
        return desk


def forged(raw: bytes, keys: DeviceKeys, **different: object) -> bytes:
    """A roster that somebody else made, changed and signed by these keys in their own name."""
    roster = replace(Roster.unpack(raw), **{"signer": bytes(keys.id), **different})  # type: ignore[arg-type]  # fields
    return roster.signed_with(keys).pack()
