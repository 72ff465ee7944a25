"""The indexes of the devices of one folder, sent to each other: who has what, what is asked for, what is taken over.

Each device numbers the rows of its index. Another one remembers up to which number it has them, under the name of that
index, so after a pause only what is newer is sent. A device whose data base went back in time notices it here: somebody
remembers more of it than it has itself. No sockets and no clocks; what is to be sent is asked for with `next`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wildbach.base import limits
from wildbach.base.errors import LimitError, RemoteError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.disk.spool import Spool
from wildbach.protocol.sync.cuts import Verdict
from wildbach.protocol.sync.entries import Entry
from wildbach.protocol.sync.messages import INDEX_BYTES, Ack, Entries, Index, batches
from wildbach.protocol.sync.vectors import NOTHING, VersionVector
from wildbach.services.sync.core import Core
from wildbach.services.sync.store import FolderStore

_INDEX: Final = "index"
_THEIRS: Final = "index of "
_HAVE: Final = "have"
_ACK: Final = "ack of "
_ACK_CONTEXT: Final = b"wildbach sync ack 1\0"
_PAGE: Final = 200
"Paths that are read for one go of messages."


class Members(Protocol):
    """Who may say what in the folder, by its roster."""

    @property
    def epoch(self) -> int: ...

    def devices(self) -> list[DeviceId]:
        """All that are in the roster now, with this one."""
        ...

    def key(self, device: DeviceId) -> Ed25519PublicKey | None:
        """By which a device signs; None where no roster ever named it."""
        ...

    def judge(self, entry: Entry, packed: bytes) -> Verdict:
        """May its author write, or might it when it did? The signature apart."""
        ...

    def writes(self, device: DeviceId) -> bool:
        """May it write now?"""
        ...

    def sign(self, message: bytes) -> bytes:
        """With this device's key."""
        ...


@dataclass(slots=True)
class _Peer:
    """One device that is connected, on this side of the connection."""

    tag: bytes
    index: bytes
    "The name of its index."
    have: int
    "We have its rows up to here."
    waiting: Spool
    "Rows that came and are not whole."
    sent: int = -1
    "It has ours up to here; -1: it has not said yet."
    parked: bool = False
    "They are whole, and something has to be known first to tell which of them count."
    upto: int = 0
    knows: VersionVector = NOTHING
    "What it had of each author when it began to send."
    queue: list[Entries] = field(default_factory=list)
    told: bytes = b""
    "The last acknowledgement of ours that it got."
    passed: dict[DeviceId, bytes] = field(default_factory=dict)
    "Those of others."
    compared: bool = False
    "All that it has was taken over."


class Exchange:
    """Of one folder on one device. `refused` gets entries that the roster does not permit.

    For one thread at a time, the one of the store.
    """

    def __init__(
        self, me: DeviceId, folder: FolderId, store: FolderStore, core: Core, members: Members,
        refused: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        self._me = me
        self._folder = folder
        self._store = store
        self._core = core
        self._members = members
        self._refused = refused
        self._peers: dict[DeviceId, _Peer] = {}
        self._renamed = False
        if store.fact(_INDEX) is None:
            self._rename_index()
            store.commit()

    def _rename_index(self) -> None:
        self._store.put_fact(_INDEX, secrets.token_bytes(INDEX_BYTES))

    @property
    def index(self) -> bytes:
        """The name of this device's index."""
        return self._store.fact(_INDEX) or b""

    @property
    def peers(self) -> list[DeviceId]:
        return list(self._peers)

    def compared(self, device: DeviceId) -> bool:
        """All that the device had when it was met is known here."""
        peer = self._peers.get(device)
        return peer is not None and peer.compared

    # -- a connection

    def open(self, device: DeviceId, tag: bytes) -> Index:
        """A device is connected, which is a member; what is said to it first."""
        raw = self._store.fact(_THEIRS + device.hex()) or bytes(INDEX_BYTES)
        peer = _Peer(tag, raw[:INDEX_BYTES], int.from_bytes(raw[INDEX_BYTES:], "big"), self._store.spool(device))
        self._peers[device] = peer
        return self._index(peer)

    def close(self, device: DeviceId) -> None:
        """It is not connected any more. What came and was not whole is forgotten, and will be sent again."""
        peer = self._peers.pop(device, None)
        if peer is not None:
            peer.waiting.clear()

    def _index(self, peer: _Peer) -> Index:
        return Index(peer.tag, self.index, self._store.last(), peer.index, peer.have)

    def heard_index(self, device: DeviceId, said: Index, now: float) -> dict[DeviceId, Index]:
        """What it has, and what it wants of ours. Returns what is to be said anew, and to whom, where our data base is
        an old copy.
        """
        peer = self._peers[device]
        if said.index != peer.index or said.last < peer.have:
            # It lost its data base, or it has an old one: all of it is to be compared.
            peer.index, peer.have = said.index, 0
            peer.waiting.clear()
            peer.upto = 0
        peer.upto = max(peer.have, peer.upto)
        if said.peer_index == self.index and said.peer_last > self._store.last():
            if self._renamed:
                # A data base goes back before a start and not while it is open, and its index has a new name then.
                raise RemoteError("claims more rows of an index than there ever were")
            self._renamed = True
            self._rename_index()
            self._core.remembered(max(self._store.number("sequence") + 1, int(now * 1000)))
            self._store.commit()
            for each in self._peers.values():
                each.sent = 0
                each.queue.clear()
            if peer.have == said.last or any(each.compared for each in self._peers.values()):
                # All that one of them has is here already; it says nothing more that could be waited for.
                self._core.heard()
            return {each: self._index(one) for each, one in self._peers.items()}
        peer.sent = said.peer_last if said.peer_index == self.index else 0
        peer.queue.clear()
        if peer.have == said.last and peer.index == said.index:
            self._whole(peer)
        return {}

    # -- what comes

    def heard_entries(self, device: DeviceId, said: Entries, now: float) -> int:
        """Rows of its index; returns how many entries were new. Raises RemoteError where they are not what they must
        be: then nothing of them was taken.
        """
        peer = self._peers[device]
        if said.after != peer.upto:
            # Sent before it heard that we begin anew.
            if peer.have or peer.upto:
                raise RemoteError("rows of an index that do not follow those that are here")
            return 0
        peer.upto = said.upto
        peer.waiting.add(said.entries)
        self._check_room(peer)
        if not said.whole:
            peer.parked = False
            return 0
        return self._take_over(device, peer, now)

    def _check_room(self, peer: _Peer) -> None:
        """Raises LimitError where a device lets more wait than it may, or than its share of what all may."""
        size = peer.waiting.size
        if size > limits.SYNC_EXCHANGE_BYTES:
            raise LimitError(f"an index is longer than SYNC_EXCHANGE_BYTES = {limits.SYNC_EXCHANGE_BYTES}")
        every = [each.waiting.size for each in self._peers.values() if each.waiting.size]
        if sum(every) > limits.SYNC_EXCHANGES_BYTES < size * len(every):
            raise LimitError(
                f"more waits of its index than its share of SYNC_EXCHANGES_BYTES = {limits.SYNC_EXCHANGES_BYTES}")

    def retry(self, now: float) -> int:
        """There is another roster, or a list of what was accepted: what waited for it is looked at again."""
        return sum(self._take_over(device, peer, now) for device, peer in list(self._peers.items()) if peer.parked)

    def _take_over(self, device: DeviceId, peer: _Peer, now: float) -> int:
        counted = self._checked(peer.waiting)
        peer.parked = counted is None
        if counted is None:
            return 0
        count = self._core.merge(compress(map(Entry.unpack, peer.waiting.rows()), counted), now)
        peer.waiting.clear()
        peer.have = peer.upto
        self._store.put_fact(_THEIRS + device.hex(), peer.index + peer.have.to_bytes(8, "big"))
        if self._members.writes(device):
            # Who may not write may not say either that nothing is lacking: deletions are forgotten by that.
            self._have(peer.knows)
        self._store.commit()
        self._whole(peer)
        return count

    def _whole(self, peer: _Peer) -> None:
        if not peer.compared:
            peer.compared = True
            self._core.heard()

    def _checked(self, waiting: Spool) -> bytes | None:
        """For each row a byte, 1 where its entry counts; None where it cannot be told yet."""
        found = bytearray()
        for raw in waiting.rows():
            entry = Entry.unpack(raw)
            key = self._members.key(entry.author)
            verdict = self._members.judge(entry, raw)
            if key is None or verdict is Verdict.UNDECIDED or not self._known(entry.vector):
                return None
            if not entry.verify(self._folder, key):
                raise RemoteError("an entry that its author did not sign")
            found.append(verdict is Verdict.ACCEPTED)
            if verdict is not Verdict.ACCEPTED:
                self._refused(entry)
        return bytes(found)

    def _known(self, vector: VersionVector) -> bool:
        """All that it names are devices of the folder. Made-up ones would fill the vectors of all later changes."""
        return all(self._members.key(device) is not None for device, _ in vector.counters)

    # -- what goes

    def next(self, device: DeviceId) -> Ack | Entries | None:
        """What is to be sent to a device now; None where it has all. Asked again when that has left."""
        peer = self._peers.get(device)
        if peer is None or peer.sent < 0:
            return None
        if not peer.queue and peer.sent < self._store.last() and not self._store.marked(1):
            self._fill(peer)
        elif not peer.queue and (ack := self._next_ack(device, peer)) is not None:
            return ack
        if not peer.queue:
            return None
        if peer.queue[0].after == peer.sent and (ack := self._own_ack(peer)) is not None:
            # It says up to where the rows that follow are all that there is.
            return ack
        found = peer.queue.pop(0)
        peer.sent = found.upto
        return found

    def _fill(self, peer: _Peer) -> None:
        """Messages with all rows that the device lacks, so that the last one makes them whole."""
        last, after = self._store.last(), peer.sent
        packed, upto = self._store.packed_since(after, _PAGE)
        runs = batches(packed) or [[]]
        for number, run in enumerate(runs, 1):
            end = upto if number == len(runs) else after
            peer.queue.append(Entries(peer.tag, after, end, tuple(run), whole=number == len(runs) and upto >= last))
            after = end

    # -- who has what

    def _have(self, more: VersionVector) -> None:
        have = self.have().union(more)
        self._store.put_fact(_HAVE, have.pack())

    def have(self) -> VersionVector:
        """Author → the sequence up to which all that it signed is known here."""
        known = VersionVector.unpack(self._store.fact(_HAVE) or b"")
        own = self._store.number("sequence")
        return known.union(VersionVector({self._me: own})) if own else known

    def _own_ack(self, peer: _Peer) -> Ack | None:
        have = self.have().pack()
        if have == peer.told:
            return None
        peer.told = have
        epoch = self._members.epoch
        unsigned = Ack(peer.tag, self._me, epoch, VersionVector.unpack(have), b"")
        return replace(unsigned, signature=self._members.sign(self._signed(unsigned)))

    def _next_ack(self, device: DeviceId, peer: _Peer) -> Ack | None:
        own = self._own_ack(peer)
        if own is not None:
            return own
        for name, raw in self._store.facts(_ACK).items():
            other = DeviceId(bytes.fromhex(name.removeprefix(_ACK)))
            if other != device and peer.passed.get(other) != raw:
                peer.passed[other] = raw
                return Ack(peer.tag, other, int.from_bytes(raw[:8], "big"), VersionVector.unpack(raw[72:]), raw[8:72])
        return None

    def epochs(self) -> dict[DeviceId, int]:
        """Device → the epoch in which it signed last what it has."""
        return {DeviceId(bytes.fromhex(name.removeprefix(_ACK))): int.from_bytes(raw[:8], "big")
                for name, raw in self._store.facts(_ACK).items()}

    def heard_ack(self, device: DeviceId, said: Ack) -> bool:
        """What a member has, from itself or passed on; True where it signed that in another epoch than before. Raises
        RemoteError where it did not sign it.
        """
        peer = self._peers[device]
        key = self._members.key(said.device)
        if key is None:
            if said.device == device:
                raise RemoteError("an acknowledgement of a device that no roster names")
            return False
        try:
            key.verify(said.signature, self._signed(said))
        except InvalidSignature:
            raise RemoteError("an acknowledgement that its device did not sign") from None
        if said.device == device:
            peer.knows = VersionVector(
                (each, count) for each, count in said.upto.counters if self._members.key(each) is not None)
        if said.device == self._me:
            return False
        name = _ACK + said.device.hex()
        before = self._store.fact(name)
        if before is not None and (
                not said.upto.knew(known := VersionVector.unpack(before[72:]))
                or (said.upto == known and said.epoch < int.from_bytes(before[:8], "big"))):
            return False
        raw = said.epoch.to_bytes(8, "big") + said.signature + said.upto.pack()
        if raw != before:
            self._store.put_fact(name, raw)
            self._store.commit()
            peer.passed[said.device] = raw
        return before is None or raw[:8] != before[:8]

    def _signed(self, ack: Ack) -> bytes:
        return _ACK_CONTEXT + self._folder + ack.device + ack.epoch.to_bytes(8, "big") + ack.upto.pack()

    def acks(self) -> dict[DeviceId, dict[DeviceId, int]]:
        """Device → author → sequence, for all of the roster; of one that never said anything, nothing."""
        found: dict[DeviceId, dict[DeviceId, int]] = {}
        for device in self._members.devices():
            if device == self._me:
                found[device] = dict(self.have().counters)
            else:
                raw = self._store.fact(_ACK + device.hex())
                found[device] = dict(VersionVector.unpack(raw[72:]).counters) if raw is not None else {}
        return found

    def agreed(self) -> dict[DeviceId, int]:
        """Author → the sequence up to which each device of the roster has said, signed, that it has those entries; no
        more than was seen of that author: who says that it has more cannot make others believe it.
        """
        acks = list(self.acks().values())
        authors = {author for have in acks for author in have}
        found = {each: min(self._core.highest(each), *(have.get(each, 0) for have in acks)) for each in sorted(authors)}
        return {author: seq for author, seq in found.items() if seq}
