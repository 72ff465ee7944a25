"""The indexes of the devices of one folder, sent to each other: who has what, what is asked for, what is taken over.

Each device numbers the rows of its index. Another one remembers up to which number it has them, under the name of that
index, so after a pause only what is newer is sent. A device whose data base went back in time notices it here: somebody
remembers more of it than it has itself. What did not count when it came, and does by another roster, is asked for anew.
No sockets and no clocks; what is to be sent is asked for with `next`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wildbach.base import limits
from wildbach.base.errors import LimitError, RemoteError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.protocol.sync.cuts import Verdict
from wildbach.protocol.sync.entries import Entry
from wildbach.protocol.sync.messages import INDEX_BYTES, Ack, Entries, Index, batches
from wildbach.protocol.sync.vectors import NOTHING, VersionVector
from wildbach.services.sync.core import Core
from wildbach.services.sync.rows import Arriving, Ranges
from wildbach.services.sync.store import FolderStore
from wildbach.services.sync.waiting import Waiting

_INDEX: Final = "index"
_THEIRS: Final = "index of "
_HAVE: Final = "have"
_ACK: Final = "ack of "
_ACK_CONTEXT: Final = b"wildbach sync ack 1\0"
_REFUSED: Final = "refused "
"And an author of whom entries did not count: by which standing."
_NO, _YES, _WAITS = range(3)
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

    def doubtful(self) -> list[DeviceId]:
        """Authors of whom not all counts that they signed."""
        ...

    def standing(self, device: DeviceId) -> bytes:
        """While this is the same, what does not count of its entries does not."""
        ...

    def settled(self, device: DeviceId) -> bool:
        """No list has to be fetched to tell which of them count."""
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
    waiting: Arriving
    "Rows that came and are not whole."
    sent: int = -1
    "It has ours up to here; -1: it has not said yet."
    parked: bool = False
    "They are whole, and something has to be known first to tell which of them count."
    upto: int = 0
    knows: VersionVector = NOTHING
    "What it had of each author when it sent what made its rows whole."
    queue: list[Ack | Entries] = field(default_factory=list)
    whole: bool = True
    "The last rows that were sent to it made them whole."
    theirs: Ranges = field(default_factory=Ranges)
    "Rows of ours that say what it said itself."
    told: bytes = b""
    "The last acknowledgement of ours that it got."
    passed: dict[DeviceId, bytes] = field(default_factory=dict)
    "Those of others."
    compared: bool = False
    "All that it has was taken over."
    took: VersionVector = NOTHING
    "What it had of each author by what was taken over."
    anew: bool = False
    "It is to be asked for all of its rows again."
    error: RemoteError | None = None
    "What it did wrong, as was seen later."


class Exchange:
    """Of one folder on one device. For one thread at a time, the one of the store."""

    def __init__(self, me: DeviceId, folder: FolderId, store: FolderStore, core: Core, members: Members) -> None:
        self._me = me
        self._folder = folder
        self._store = store
        self._core = core
        self._members = members
        self._peers: dict[DeviceId, _Peer] = {}
        self._renamed = False
        self._waiting = Waiting(store)
        self._reviewed: dict[DeviceId, tuple[bytes, bool]] = {}
        "By which standing what was merged of an author was looked at last."
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
        peer = _Peer(
            tag, raw[:INDEX_BYTES], int.from_bytes(raw[INDEX_BYTES:], "big"), Arriving(self._store.spool(device)))
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
                self._begin(each, 0)
            if peer.have == said.last or any(each.compared for each in self._peers.values()):
                # All that one of them has is here already; it says nothing more that could be waited for.
                self._core.heard()
            return {each: self._index(one) for each, one in self._peers.items()}
        self._begin(peer, said.peer_last if said.peer_index == self.index else 0)
        if peer.have == said.last and peer.index == said.index:
            self._whole(peer)
        return {}

    def _begin(self, peer: _Peer, sent: int) -> None:
        """Send rows from there on."""
        peer.sent, peer.whole, peer.told = sent, True, b""
        peer.queue.clear()
        peer.theirs.clear()

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
        entries = [Entry.unpack(raw) for raw in said.entries]
        peer.waiting.add(said.entries, entries, bytes(map(self._verified, entries)))
        peer.upto = said.upto
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
        """There is another roster, or a list of what was accepted, or the directory is open: what waited for it is
        looked at again. Returns how many entries were new.
        """
        if self._core.unfinished():
            return 0
        count = 0
        if self._waiting.authors:
            count += self._core.merge(self._waiting.decided(self._members.judge, self._note_refused), now)
            for peer in self._peers.values():
                self._have(peer.took)
            self._store.commit()
        for device, peer in list(self._peers.items()):
            if peer.parked:
                try:
                    count += self._take_over(device, peer, now)
                except RemoteError as error:
                    peer.error, peer.parked = error, False
                    peer.waiting.clear()
        with self._store.gathered():
            if self._take_back(now) or self._may_count():
                self._begin_anew()
        return count

    def _take_back(self, now: float) -> bool:
        """What was merged and does not count any more. True where there was some."""
        members = self._members
        if self._me not in members.devices():
            # Who is not in the folder any more keeps what it has.
            return False
        now_is = {each: (members.standing(each), members.settled(each)) for each in members.doubtful()}
        new = {each for each, standing in now_is.items() if self._reviewed.get(each) != standing}
        self._reviewed = now_is
        if not new:
            return False

        def refused() -> Iterator[Entry]:
            for entry in self._store.heads_by(new):
                if members.judge(entry, entry.pack()) is Verdict.REFUSED:
                    self._note_refused(entry)
                    yield entry

        return self._core.take_back(refused(), now)

    def _take_over(self, device: DeviceId, peer: _Peer, now: float) -> int:
        # What a crash left has to be scanned first, as where the directory is away.
        found = None if self._core.unfinished() else self._checked(peer.waiting)
        peer.parked = found is None
        if found is None:
            return 0
        plain: list[int] = []
        count = self._core.merge(self._counted(peer.waiting, found), now, plain)
        peer.theirs.add(plain)
        peer.waiting.clear()
        peer.have = peer.upto
        self._store.put_fact(_THEIRS + device.hex(), peer.index + peer.have.to_bytes(8, "big"))
        if self._members.writes(device):
            # Who may not write may not say either that nothing is lacking: deletions are forgotten by that.
            peer.took = peer.knows
            self._have(peer.took)
        self._store.commit()
        self._whole(peer)
        return count

    def _whole(self, peer: _Peer) -> None:
        if not peer.compared:
            peer.compared = True
            self._core.heard()

    def _counted(self, waiting: Arriving, found: bytes) -> Iterator[Entry]:
        """What counts of the rows; what waits for a list goes to the others that do."""
        for (raw, entry, _), each in zip(waiting.rows(), found, strict=True):
            if each == _WAITS:
                self._waiting.add(entry.author, raw)
            elif each == _YES:
                yield entry

    def _checked(self, waiting: Arriving) -> bytes | None:
        """For each row a byte: whether its entry counts, or waits for a list; None where it cannot be told yet."""
        found = bytearray()
        size = 0
        for raw, entry, signed in waiting.rows():
            signed = signed or self._verified(entry)
            verdict = self._members.judge(entry, raw)
            if verdict is Verdict.UNDECIDED or not self._known(entry.vector) or not signed:
                return None
            if verdict is Verdict.WAITS:
                size += len(raw)
                found.append(_WAITS)
            else:
                found.append(_YES if verdict is Verdict.ACCEPTED else _NO)
                if verdict is Verdict.REFUSED:
                    self._note_refused(entry)
        return bytes(found) if not size or self._waiting.has_room(size) else None

    def _note_refused(self, entry: Entry) -> None:
        """Should another roster say that it counts, it has to come again."""
        name, standing = _REFUSED + entry.author.hex(), self._members.standing(entry.author)
        if self._store.fact(name) != standing:
            self._store.put_fact(name, standing)

    def _may_count(self) -> bool:
        """Entries were refused that may count by what holds now."""
        found = [name for name, standing in self._store.facts(_REFUSED).items()
                 if self._members.standing(DeviceId(bytes.fromhex(name.removeprefix(_REFUSED)))) != standing]
        for name in found:
            self._store.put_fact(name, None)
        return bool(found)

    def _begin_anew(self) -> None:
        """Have all send all of their rows again: what stands in them did not count when they came, or was in the shade
        of what does not count any more.
        """
        for name in self._store.facts(_THEIRS):
            self._store.put_fact(name, None)
        for peer in self._peers.values():
            if peer.have:
                peer.have = peer.upto = 0
                peer.waiting.clear()
                peer.parked = peer.compared = False
                peer.anew = True
        self._store.commit()

    def _verified(self, entry: Entry) -> bool:
        """False where its author is not known yet. Raises RemoteError where it did not sign that."""
        if entry in self._store.world.get(entry.path):
            return True
        key = self._members.key(entry.author)
        if key is not None and not entry.verify(self._folder, key):
            raise RemoteError("an entry that its author did not sign")
        return key is not None

    def _known(self, vector: VersionVector) -> bool:
        """All that it names are devices of the folder. Made-up ones would fill the vectors of all later changes."""
        return all(self._members.key(device) is not None for device, _ in vector.counters)

    # -- what goes

    def next(self, device: DeviceId) -> Index | Ack | Entries | None:
        """What is to be sent to a device now; None where it has all. Asked again when that has left. Raises
        RemoteError where it is seen only now that it broke a rule.
        """
        peer = self._peers.get(device)
        if peer is None or peer.sent < 0:
            return None
        if peer.error is not None:
            raise peer.error
        if peer.anew:
            peer.anew = False
            return self._index(peer)
        if not peer.queue:
            self._fill(peer)
        if not peer.queue:
            return self._next_ack(device, peer)
        found = peer.queue.pop(0)
        if isinstance(found, Entries):
            peer.sent, peer.whole = found.upto, found.whole
        return found

    def _fill(self, peer: _Peer) -> None:
        """Messages with rows that the device lacks. Those that it said itself it has.

        They go while changes are still being signed, and are whole when all of these are.
        """
        last, after, packed = self._store.last(), peer.sent, list[bytes]()
        whole = not self._core.unsigned
        if after == last and (peer.whole or not whole):
            return
        upto = peer.theirs.after(after)
        while upto < last and not packed:
            packed, upto = self._store.packed_since(upto, _PAGE, peer.theirs.before(last))
            upto = peer.theirs.after(upto)
        whole = whole and upto >= last
        if not whole and not packed:
            return
        runs = batches(packed) or [[]]
        for number, run in enumerate(runs, 1):
            end = upto if number == len(runs) else after
            made = Entries(peer.tag, after, end, tuple(run), whole=whole and number == len(runs))
            if made.whole and (ack := self._own_ack(peer)) is not None:
                # It says up to where the rows are all that there is, of what this device has now.
                peer.queue.append(ack)
            peer.queue.append(made)
            after = end

    # -- who has what

    def _have(self, more: VersionVector) -> None:
        have = self.have().union(VersionVector(
            (author, upto) for author, upto in more.counters if author not in self._waiting.authors))
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
