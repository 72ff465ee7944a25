"""What the last scan found at a path, and the table of it that is compared with the disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.base.errors import StorageError
from wildbach.disk.folder.fs import Kind, Stat
from wildbach.protocol.sync.entries import RESERVED, EntryKind

HOME: Final = RESERVED
TMP: Final = f"{HOME}/tmp"
VERSIONS: Final = f"{HOME}/versions"
IGNORE: Final = ".wbignore"
"Patterns of this device alone; the file is never sent."
IGNORE_SHARED: Final = ".wbignore.shared"
"Patterns of all devices: an ordinary file of the folder."

KINDS: Final = {Kind.FILE: EntryKind.FILE, Kind.DIR: EntryKind.DIR, Kind.LINK: EntryKind.LINK}


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A path as it was when it was last looked at. Times are in nanoseconds since 1970."""

    path: str
    kind: EntryKind
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    dev: int = 0
    ino: int = 0
    executable: bool = False
    root: bytes = b""
    "The v2 `pieces root` of a file that is not empty."
    target: str = ""
    "Of a symbolic link."

    def matches(self, stat: Stat) -> bool:
        """True where nothing can have changed since. A directory is the same one whatever it holds.

        `dev` is not asked: many systems number devices anew at each start, and a scan never leaves its own.
        """
        if stat.kind is Kind.FILE:
            # Of each file that a scan passes, so without a further call.
            return (
                self.kind is EntryKind.FILE and stat.ino == self.ino and stat.ctime_ns == self.ctime_ns
                and stat.mtime_ns == self.mtime_ns and stat.size == self.size)
        return self.same_inode(stat) and (self.kind is EntryKind.DIR or self.ctime_ns == stat.ctime_ns)

    def same_inode(self, stat: Stat) -> bool:
        """True where it is the same thing under another name: a rename changes only the ctime."""
        if KINDS.get(stat.kind) is not self.kind or stat.ino != self.ino:
            return False
        if self.kind is EntryKind.DIR:
            return True
        return self.mtime_ns == stat.mtime_ns and (self.kind is EntryKind.LINK or self.size == stat.size)

    @classmethod
    def made(cls, path: str, stat: Stat, *, root: bytes = b"", target: str = "") -> LocalFile:
        kind = KINDS[stat.kind]
        file = kind is EntryKind.FILE
        return cls(
            path, kind, stat.size if file else 0, stat.mtime_ns, stat.ctime_ns, stat.dev, stat.ino,
            file and bool(stat.mode & 0o100), root if file else b"", target,
        )


class Known(Protocol):
    """The table of the last scan. It stays where it is kept, in a database: a scan holds one directory of it."""

    def get(self, path: str) -> LocalFile | None: ...

    def children(self, folder: str) -> Iterable[LocalFile]:
        """What stands directly in a directory; `""` is the top. It is read to its end before anything else."""
        ...

    def by_inode(self, ino: int) -> Iterable[LocalFile]:
        """All paths that had this inode."""
        ...


class FolderError(StorageError):
    """A step on the disk that was not done; nothing has changed. `path` is relative to the folder."""

    code = "folder_error"


class Stale(FolderError):
    """The disk does not hold what the table knows: scan the path first."""

    code = "stale"


class NoRoom(FolderError):
    """There is no room for the new file, or for the old one among the versions: the change waits."""

    code = "no_room"


class BadName(FolderError):
    """No file of that name can be made here."""

    code = "bad_name"


class Shadowed(FolderError):
    """On this file system the name is the same as that of another file."""

    code = "shadowed"


class Blocked(FolderError):
    """What should hold the path is not a directory."""

    code = "blocked"


class WrongContent(FolderError):
    """The new file does not have the hash that it should have."""

    code = "wrong_content"


def parent_of(path: str) -> str:
    return path.rpartition("/")[0]


def under(path: str, folder: str) -> bool:
    """True for what lies below `folder`; `""` is the top."""
    return not folder or path.startswith(folder + "/")
