"""The three trees of a folder, and what stands in them for a path.

*Global* is what all devices signed, *Local* what the last scan saw on this disk, *Synced* what Local and Global last
agreed on: the base of every comparison. They are seams, because 100,000 files lie in a data base and not in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import VersionVector

Heads = tuple[Entry, ...]
"The entries of a path of which none knew of another; by author and sequence."


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scan saw at a path. Two that are equal are the same state of the disk."""

    kind: EntryKind
    size: int = 0
    mtime_ns: int = 0
    executable: bool = False
    root: bytes = b""
    target: str = ""
    device: int = 0
    inode: int = 0
    "Of the file system; they tell a rename from a deletion and a new file."
    ctime_ns: int = 0

    def same_bytes(self, other: Entry | Base | Seen) -> bool:
        """True where both are the same kind with the same content; times and the executable bit apart."""
        return (self.kind, self.size, self.root, self.target) == (other.kind, other.size, other.root, other.target)

    def unchanged(self, other: Seen) -> bool:
        """True where no user changed anything between the two. Times of directories and links are not kept."""
        return self.same_bytes(other) and (
            self.kind is not EntryKind.FILE or (self.mtime_ns, self.executable) == (other.mtime_ns, other.executable))


@dataclass(frozen=True, slots=True)
class Base:
    """What was in place at a path when Local and Global last agreed, and which changes it knew of."""

    kind: EntryKind
    size: int
    mtime_ns: int
    executable: bool
    root: bytes
    target: str
    lineage: bytes
    vector: VersionVector
    "Of what a change that is made here now knows of."
    deleted: bool = False
    seen: Seen | None = None
    "How it lay on the disk: a file system that rounds times must not look as if somebody had changed them."

    @classmethod
    def of(cls, entry: Entry, vector: VersionVector, seen: Seen | None) -> Base:
        return cls(
            entry.kind, entry.size, entry.mtime_ns, entry.executable, entry.root, entry.target, entry.lineage, vector,
            entry.deleted, seen)


class Global(Protocol):
    """What all devices signed."""

    def get(self, path: str) -> Heads:
        """Empty where nobody ever signed anything for it."""
        ...

    def below(self, path: str) -> Iterable[str]:
        """Paths strictly below with heads, deleted ones too, in order; "" stands for the folder."""
        ...

    def live_below(self, path: str) -> bool:
        """True where the winner of any path strictly below is live."""
        ...

    def alike(self, path: str) -> Iterable[str]:
        """Other paths that this file system cannot tell from it, and that are live or have something live below. None
        where it keeps all names apart.
        """
        ...


class Local(Protocol):
    """What the last scan saw here."""

    def get(self, path: str) -> Seen | None: ...

    def below(self, path: str) -> Iterable[str]: ...

    def holding(self, root: bytes) -> Iterable[str]:
        """Paths of files with this content, in order."""
        ...

    def alike(self, path: str) -> Iterable[str]:
        """Other paths that this file system cannot tell from it. None where it keeps all names apart."""
        ...


class Synced(Protocol):
    """What Local and Global last agreed on."""

    def get(self, path: str) -> Base | None: ...

    def below(self, path: str) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What this device may and does in a folder."""

    writes: bool = True
    "False for the role `ro`: it signs nothing."
    applies: bool = True
    "False for a folder that only sends: changes of others are shown and not made here."
    cautious: bool = False
    "Merge, never delete: nothing that is missing here counts as deleted, and deletions of others wait."
    excluded: tuple[str, ...] = ()
    "Paths that are not kept here, with all below: neither fetched nor deleted."

    def leaves_out(self, path: str) -> bool:
        return any(path == each or path.startswith(each + "/") for each in self.excluded)


def parent(path: str) -> str:
    """The directory of a path, "" at the top."""
    return path.rpartition("/")[0]


def ancestors(path: str) -> Iterable[str]:
    """Its directories from the nearest up, without the folder itself."""
    while path := parent(path):
        yield path


def depth(path: str) -> int:
    return path.count("/")
