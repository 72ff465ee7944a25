"""Who has a folder, as this device knows it: its rosters, its secrets, and what of others' entries counts.

All of it lies in the folder's data base; what is believed was written before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.protocol.sync import cuts, writing
from wildbach.protocol.sync.cuts import Accepted, Verdict, entry_hash
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.protocol.sync.entries import Entry
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.roster import Cut, Role
from wildbach.protocol.sync.rosters import Rosters, Taken, View
from wildbach.protocol.sync.sealing import Chance
from wildbach.protocol.sync.secrets import ReadSecret
from wildbach.protocol.sync.writing import Changes, Held
from wildbach.services.sync.lists import Lists
from wildbach.services.sync.store import FolderStore

_ROSTER: Final = "roster "
_FOLDER: Final = "folder"
_RECOVERY: Final = "recovery"
_MERGES: Final = "merges"


class Membership:
    """Of this device in one folder; an `exchange.Members`. For the thread of the store, but for what is read."""

    def __init__(self, keys: DeviceKeys, store: FolderStore) -> None:
        """Raises FormatError where the data base has no rosters."""
        raw = store.fact(_FOLDER)
        if raw is None:
            raise FormatError("the data base has no folder")
        self.keys = keys
        self.folder = FolderId(raw)
        self.rosters = Rosters.of(store.facts(_ROSTER).values(), self.folder)
        self._store = store
        self.lists = Lists(store)
        self._keys: dict[DeviceId, Ed25519PublicKey] = {}
        self.held = Held()
        self._refresh()

    @classmethod
    def begin(cls, keys: DeviceKeys, store: FolderStore, chain: Iterable[bytes]) -> Membership:
        """From a chain of rosters, which are written down first."""
        found = list(chain)
        for raw in found:
            store.put_fact(_ROSTER + cuts.entry_hash(raw).hex(), raw)
        rosters = Rosters(found[0])
        store.put_fact(_FOLDER, bytes(rosters.folder))
        store.commit()
        return cls(keys, store)

    def _refresh(self) -> None:
        self.held = writing.held(self.rosters, self.keys)

    # -- what holds

    @property
    def view(self) -> View:
        return self.rosters.view

    @property
    def epoch(self) -> int:
        return self.view.state.epoch

    @property
    def role(self) -> Role | None:
        """None: this device is not in the folder any more."""
        member = self.view.member(self.keys.id)
        return member.role if member is not None else None

    @property
    def secret(self) -> ReadSecret | None:
        """The one that holds; None until somebody gives it to us."""
        return self.held.reads.get(self.view.state.commit)

    @property
    def me(self) -> DeviceId:
        return self.keys.id

    def devices(self) -> list[DeviceId]:
        return sorted(self.view.state.members)

    def by_exchange(self, exchange: bytes) -> DeviceId | None:
        """Whom the roster lists with this X25519 key."""
        return next(
            (each.id for each in self.view.state.members.values() if each.device.exchange == exchange), None)

    def was(self, exchange: bytes) -> DeviceId | None:
        """Whom any roster that counts ever listed with this X25519 key."""
        return next((device for device, each in self.view.authors.items() if each.exchange == exchange), None)

    def name_of(self, device: DeviceId) -> str:
        """What the roster calls it; empty where it is not there any more."""
        member = self.view.member(device)
        return member.name if member is not None else ""

    # -- exchange.Members

    def key(self, device: DeviceId) -> Ed25519PublicKey | None:
        found = self._keys.get(device)
        if found is None:
            author = self.view.authors.get(device)
            if author is None:
                return None
            found = self._keys[device] = Ed25519PublicKey.from_public_bytes(author.signing)
        return found

    def judge(self, entry: Entry, packed: bytes) -> Verdict:
        return cuts.judge(
            self.view, self.lists.whole, entry.author, entry.epoch, entry.seq, entry_hash(packed))

    def writes(self, device: DeviceId) -> bool:
        member = self.view.member(device)
        return member is not None and member.role.writes

    def doubtful(self) -> list[DeviceId]:
        return [each for each in sorted(self.view.authors) if each in self.view.cuts or not self.writes(each)]

    def standing(self, device: DeviceId) -> bytes:
        cut = [(since, each.upto, each.count, each.root) for since, each in self.view.cuts.get(device, ())]
        return entry_hash(repr((self.writes(device), cut)).encode())

    def settled(self, device: DeviceId) -> bool:
        return all(not cut.count or cut.root in self.lists.whole for _, cut in self.view.cuts.get(device, ()))

    def sign(self, message: bytes) -> bytes:
        return self.keys.sign(message)

    # -- rosters come

    def take(self, raws: Iterable[bytes]) -> bool:
        """Rosters of others, written down before they count. True where something is new. Raises FormatError for what
        is none.
        """
        new = False
        for raw in raws:
            taken = self.rosters.add(raw)
            new = new or taken is Taken.NEW
        if new:
            self._keep()
        return new

    def _keep(self) -> None:
        for raw in self.rosters.all():
            name = _ROSTER + entry_hash(raw).hex()
            if self._store.fact(name) is None:
                self._store.put_fact(name, raw)
        self._store.commit()
        self._refresh()

    # -- as an owner

    def amend(self, changes: Changes, chance: Chance, recovery: RecoveryKey | None = None) -> None:
        """Sign another roster and let it count here. Raises UsageError where this device may not."""
        raw = writing.amend(self.rosters, recovery or self.keys, self.held, changes, chance)
        self._taken(raw)

    def take_over(
        self, recovery: RecoveryKey, chance: Chance, successor: RecoveryKey | None, name: str,
    ) -> None:
        self._taken(writing.take_over(
            self.rosters, recovery, self.keys, self.held, chance, successor=successor, name=name))

    def _taken(self, raw: bytes) -> None:
        if self.rosters.add(raw) is not Taken.NEW:
            raise UsageError("the roster did not change")
        self._keep()

    def accepted_of(self, devices: Iterable[DeviceId]) -> Mapping[DeviceId, Cut]:
        """What of these is in Global now: what a roster says that takes the right to write from them. Its lists are
        kept, as others will ask for them.
        """
        wanted = {device: set[bytes]() for device in devices}
        upto = dict.fromkeys(wanted, 0)
        for (raw,) in self._store.read("SELECT entry FROM heads"):
            entry = Entry.unpack(raw)
            if entry.author in wanted:
                wanted[entry.author].add(entry_hash(raw))
                upto[entry.author] = max(upto[entry.author], entry.seq)
        found: dict[DeviceId, Cut] = {}
        for device, hashes in wanted.items():
            made = Accepted(frozenset(hashes))
            found[device] = made.cut(device, upto[device])
            self.lists.keep(made)
        self._store.commit()
        return found

    @property
    def merges(self) -> tuple[float, ...]:
        """When this device made new keys by itself, lately; seconds since 1970."""
        return tuple(float(each) for each in (self._store.fact(_MERGES) or b"").decode().split())

    def note_merge(self, times: Iterable[float]) -> None:
        self._store.put_fact(_MERGES, " ".join(str(int(each)) for each in times).encode())
        self._store.commit()

    # -- the recovery key, until it is saved

    @property
    def recovery_words(self) -> str:
        return (self._store.fact(_RECOVERY) or b"").decode()

    def keep_recovery(self, words: str) -> None:
        """Empty: it is saved elsewhere, and forgotten here."""
        self._store.put_fact(_RECOVERY, words.encode() if words else None)
        self._store.commit()
