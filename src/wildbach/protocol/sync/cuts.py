"""What counts of those who may not write any more, and whom the secrets of before are still owed to.

The roster that takes the right to write away says which entries had been accepted: the root of the list of their
hashes, which is fetched in pages (`listpages`). Anything else that the device signed, however it is dated or numbered,
does not count. Where two rosters did so without knowing of each other both lists count.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.protocol import layers
from wildbach.protocol.sync.roster import Cut
from wildbach.protocol.sync.rosters import Rosters, View


class Verdict(Enum):
    """Does an entry count?"""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    WAITS = "waits"
    "A list has to be fetched first (`lists_wanted`)."
    UNDECIDED = "undecided"
    "Rosters have to come first: the author or the epoch is not known here."


@dataclass(frozen=True, slots=True)
class Accepted:
    """The hashes of entries that were accepted of one device, in memory, as who makes a list has them."""

    hashes: frozenset[bytes]

    def __contains__(self, hash_of_entry: object) -> bool:
        return hash_of_entry in self.hashes

    @property
    def content(self) -> bytes:
        """The list as it is fetched: 32 bytes each, in order."""
        return b"".join(sorted(self.hashes))

    @property
    def root(self) -> bytes:
        """The v2 pieces root of the list; empty for an empty one."""
        return layers.file_root(layers.leaf_hashes(self.content)) if self.hashes else b""

    def cut(self, device: DeviceId, upto: int) -> Cut:
        """For a roster. `upto`: the greatest `seq` of these entries."""
        return Cut(device, upto, len(self.hashes), self.root)


def entry_hash(packed: bytes) -> bytes:
    """By which a list names an entry, of its bytes with the signature."""
    return sha256(packed).digest()


def judge(
    view: View, lists: Mapping[bytes, Container[bytes]], author: DeviceId, epoch: int, seq: int, hash_of_entry: bytes,
) -> Verdict:
    """`lists`: those that are here whole, by their roots, each with the hashes that it names. That the author signed
    the entry was checked before.
    """
    if author not in view.authors or epoch > view.newest_epoch:
        return Verdict.UNDECIDED
    cuts = view.cuts.get(author, ())
    member = view.member(author)
    if member is not None and member.role.writes and all(epoch >= since for since, _ in cuts):
        return Verdict.ACCEPTED
    waiting = False
    for _, cut in cuts:
        if seq > cut.upto or not cut.count:
            continue
        found = lists.get(cut.root)
        if found is None:
            waiting = True
        elif hash_of_entry in found:
            return Verdict.ACCEPTED
    return Verdict.WAITS if waiting else Verdict.REFUSED


def lists_wanted(view: View, lists: Container[bytes]) -> tuple[Cut, ...]:
    """The lists that rosters name and that are not here, the shortest first. One with a false count, which nobody has,
    does not take the place of another with the same root.
    """
    found = {(cut.count, cut.root): cut for cuts in view.cuts.values() for _, cut in cuts
             if cut.count and cut.root not in lists}
    return tuple(found[each] for each in sorted(found))


@dataclass(frozen=True, slots=True)
class Owed:
    """Secrets of before, by which devices are met that were away, to be given rosters and nothing else."""

    commit: bytes
    devices: tuple[DeviceId, ...]


def owed(
    rosters: Rosters, reached: Iterable[DeviceId], replaced: Mapping[bytes, float], now: float,
) -> tuple[Owed, ...]:
    """`reached`: devices that are known to have the rosters which hold. `replaced`: when this device first saw that the
    secrets of a name do not hold any more, in seconds of its own clock; `now` by the same. A clock that went back only
    prolongs it.
    """
    view = rosters.view
    waiting = set(view.state.members) - set(reached)
    found: dict[bytes, set[DeviceId]] = {}
    for roster in rosters:
        if roster.commit != view.state.commit:
            found.setdefault(roster.commit, set()).update(
                member.id for member in roster.members if member.id in waiting)
    return tuple(
        Owed(commit, tuple(sorted(devices))) for commit, devices in sorted(found.items())
        if devices and now - replaced.get(commit, now) < limits.SYNC_REKEY_SECONDS)
