"""Devices that send each other their indexes in memory, with the real data base and exchange."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.syncsim.made import entry, seen

from wildbach.base.ids import DeviceId, FolderId
from wildbach.protocol.sync.cuts import Verdict
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.protocol.sync.entries import Entry
from wildbach.protocol.sync.messages import Ack, Entries, Index
from wildbach.services.sync.core import Core
from wildbach.services.sync.exchange import Exchange
from wildbach.services.sync.store import FolderStore

FOLDER = FolderId(bytes(range(32)))
TAG = b"t" * 16
NOW = 1_800_000_000.0


class Roster:
    """`exchange.Members` of one device: all are known, and `verdicts` says whose entries do not count."""

    epoch = 0

    def __init__(self, keys: DeviceKeys, all_keys: dict[DeviceId, DeviceKeys]) -> None:
        self._keys = keys
        self._all = all_keys
        self.verdicts: dict[DeviceId, Verdict] = {}
        self.unknown: set[DeviceId] = set()
        self.readers: set[DeviceId] = set()

    def devices(self) -> list[DeviceId]:
        return sorted(self._all)

    def key(self, device: DeviceId) -> Ed25519PublicKey | None:
        if device not in self._all or device in self.unknown:
            return None
        return Ed25519PublicKey.from_public_bytes(self._all[device].public.signing)

    def judge(self, entry: Entry, packed: bytes) -> Verdict:
        return self.verdicts.get(entry.author, Verdict.ACCEPTED)

    def writes(self, device: DeviceId) -> bool:
        return device not in self.readers

    def doubtful(self) -> list[DeviceId]:
        return sorted(self.verdicts)

    def standing(self, device: DeviceId) -> bytes:
        return self.verdicts.get(device, Verdict.ACCEPTED).value.encode()

    def settled(self, device: DeviceId) -> bool:
        return self.verdicts.get(device) is not Verdict.WAITS

    def sign(self, message: bytes) -> bytes:
        return self._keys.sign(message)


class Device:
    """Its `core` takes files as a scan finds them, and nothing is put on a disk."""

    def __init__(self, name: str, folder: Path, everybody: dict[DeviceId, DeviceKeys]) -> None:
        self.keys = DeviceKeys(hashlib.sha256(name.encode()).digest())
        everybody[self.keys.id] = self.keys
        self.id = self.keys.id
        self.path = folder / f"{name}.db"
        self.roster = Roster(self.keys, everybody)
        self.made = 0
        self.begin()

    def begin(self) -> None:
        self.store = FolderStore(self.path)
        self.core = Core(self.id, self.store, self)
        self.exchange = Exchange(self.id, FOLDER, self.store, self.core, self.roster)

    def again(self) -> None:
        """A new process."""
        self.store.close()
        self.begin()

    # -- core.Signer

    def sign(self, entry: Entry) -> Entry:
        return replace(entry, signature=self.keys.sign(entry.signed_bytes(FOLDER)))

    def lineage(self) -> bytes:
        self.made += 1
        return hashlib.sha256(self.id + bytes([self.made % 256, self.made >> 8])).digest()[:16]

    def save(self, path: str, content: str) -> None:
        """A user saves a file, and a scan finds it."""
        self.core.saw([(path, seen(entry(path, content), len(path)))], NOW)
        self.settle()

    def settle(self) -> None:
        """What is planned is taken for done."""
        for _ in range(20):
            ops = self.core.step(NOW)
            for op in ops:
                done = op.entry
                self.core.done(op, None if done is None or done.deleted else seen(done), NOW)
            if not ops and not self.store.marked(1):
                return

    def world(self) -> dict[str, tuple[bytes, ...]]:
        return {path: tuple(each.pack() for each in self.store.world.get(path)) for path in self.store.world.below("")}


def deliver(one: Device, said: Index | Entries | Ack, other: Device) -> int:
    """`other` says something to `one`; what follows at once is done."""
    match said:
        case Index():
            for each, index in one.exchange.heard_index(other.id, said, NOW).items():
                if each == other.id:
                    deliver(other, index, one)
        case Entries():
            count = one.exchange.heard_entries(other.id, said, NOW)
            one.settle()
            return count
        case Ack():
            one.exchange.heard_ack(other.id, said)
    return 0


def meet(one: Device, other: Device) -> None:
    hello, answer = one.exchange.open(other.id, TAG), other.exchange.open(one.id, TAG)
    deliver(other, hello, one)
    deliver(one, answer, other)


def part(one: Device, other: Device) -> None:
    one.exchange.close(other.id)
    other.exchange.close(one.id)


def talk(one: Device, other: Device, most: int = 10_000) -> int:
    """Until nobody has anything to say; how many entries went."""
    went = 0
    for _ in range(most):
        quiet = True
        for sender, taker in ((one, other), (other, one)):
            said = sender.exchange.next(taker.id)
            if said is not None:
                quiet = False
                went += len(said.entries) if isinstance(said, Entries) else 0
                deliver(taker, said, sender)
        if quiet:
            return went
    raise AssertionError("it never ends")


@contextlib.contextmanager
def devices(folder: Path, *names: str) -> Iterator[list[Device]]:
    everybody: dict[DeviceId, DeviceKeys] = {}
    made = [Device(name, folder, everybody) for name in names]
    try:
        yield made
    finally:
        for each in made:
            each.store.close()
