"""A disk in memory: a tree of nodes, with trouble at every call."""

from __future__ import annotations

import errno
import hashlib
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from wildbach.protocol.sync.entries import EntryKind
from wildbach.services.sync.trees import Seen, parent


def root_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest() if data else b""


def fold(path: str) -> str:
    """As a file system that keeps no case apart."""
    return unicodedata.normalize("NFC", path).casefold()


@dataclass(frozen=True, slots=True)
class Node:
    kind: EntryKind
    data: bytes = b""
    mtime_ns: int = 0
    executable: bool = False
    target: str = ""
    inode: int = 0
    ctime: int = 0


class Crash(Exception):
    """The process died just before a call."""


class Disk:
    """Paths with `/`. Every call asks `trouble`, which may raise Crash or OSError."""

    def __init__(self, *, folds: bool = False, trouble: Callable[[str], None] | None = None) -> None:
        self.folds = folds
        self.trouble = trouble
        self._nodes: dict[str, tuple[str, Node]] = {}
        self.versions: dict[bytes, bytes] = {}
        "Root → content of what changes of others replaced."
        self.temporary: dict[str, bytes] = {}
        self.high_water = 0
        self.writes = 0
        self._count = 0

    @property
    def left(self) -> list[str]:
        """Temporary files."""
        return list(self.temporary)

    def _key(self, path: str) -> str:
        return fold(path) if self.folds else path

    def _call(self, name: str) -> None:
        if self.trouble is not None:
            self.trouble(name)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def walk(self) -> Iterator[tuple[str, Node]]:
        return iter(sorted(self._nodes.values(), key=lambda each: each[0]))

    def get(self, path: str) -> Node | None:
        """None where it is not there under this very name."""
        found = self._nodes.get(self._key(path))
        return found[1] if found is not None and found[0] == path else None

    def taken(self, path: str) -> bool:
        """True where the name opens something, whatever its spelling."""
        return self._key(path) in self._nodes

    def children(self, path: str) -> list[str]:
        return [each for each, _ in self.walk() if parent(each) == path]

    def put(self, path: str, node: Node) -> None:
        """As a user or the system does: over a file or link."""
        above = parent(path)
        if above and (self.get(above) or Node(EntryKind.FILE)).kind is not EntryKind.DIR:
            raise OSError(errno.ENOTDIR, path)
        self._nodes[self._key(path)] = path, replace(node, ctime=self._next(), inode=node.inode or self._next())

    def remove(self, path: str) -> None:
        if self.children(path):
            raise OSError(errno.ENOTEMPTY, path)
        del self._nodes[self._key(path)]

    def move(self, old: str, new: str) -> None:
        """A file, a link or a directory with all that is in it."""
        found = [(path, node) for path, node in self.walk() if path == old or path.startswith(old + "/")]
        for path, _ in found:
            del self._nodes[self._key(path)]
        for path, node in found:
            self.put(new + path[len(old):], node)

    def seen(self, path: str) -> Seen | None:
        node = self.get(path)
        if node is None:
            return None
        return Seen(
            node.kind, len(node.data), node.mtime_ns if node.kind is EntryKind.FILE else 0, node.executable,
            root_of(node.data), node.target, 1, node.inode, node.ctime)

    # --- what the device does, each a call that can fail

    def archive(self, path: str) -> None:
        """Into the versions, by a rename."""
        self._call("archive")
        node = self.get(path)
        assert node is not None
        if node.kind is EntryKind.DIR:
            self.remove(path)
        else:
            if node.kind is EntryKind.FILE:
                self.versions[root_of(node.data)] = node.data
            del self._nodes[self._key(path)]
        self.writes += 1

    def keep(self, path: str) -> None:
        """A second name in the versions, before something goes over it."""
        self._call("keep")
        node = self.get(path)
        if node is not None and node.kind is EntryKind.FILE:
            self.versions[root_of(node.data)] = node.data
        self.writes += 1

    def stage(self, path: str, data: bytes) -> None:
        self._call("stage")
        self.temporary[path] = data
        self.writes += 1

    def place(self, path: str, node: Node) -> None:
        self._call("place")
        self.temporary.pop(path, None)
        self.put(path, node)
        self.writes += 1

    def rename(self, old: str, new: str) -> None:
        self._call("rename")
        self.move(old, new)
        self.writes += 1

    def rmdir(self, path: str) -> None:
        self._call("rmdir")
        self.remove(path)
        self.writes += 1

    def mkdir(self, path: str) -> None:
        self._call("mkdir")
        self.put(path, Node(EntryKind.DIR))
        self.writes += 1

    def touch(self, path: str, mtime_ns: int, executable: bool) -> None:
        self._call("touch")
        node = self.get(path)
        assert node is not None
        self.put(path, replace(node, mtime_ns=mtime_ns, executable=executable))
        self.writes += 1
