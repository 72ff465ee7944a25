"""The table of the last scan in memory, in place of the database's."""

from __future__ import annotations

from collections.abc import Iterable

from wildbach.disk.folder.local import LocalFile, parent_of
from wildbach.disk.folder.scan import Change, Found, Why


class MemoryTable:
    """A `disk.folder.local.Known` that takes what a scan finds."""

    def __init__(self) -> None:
        self.files: dict[str, LocalFile] = {}
        self._children: dict[str, dict[str, LocalFile]] = {}
        self._inodes: dict[int, dict[str, LocalFile]] = {}

    def get(self, path: str) -> LocalFile | None:
        return self.files.get(path)

    def children(self, folder: str) -> Iterable[LocalFile]:
        return list(self._children.get(folder, {}).values())

    def by_inode(self, ino: int) -> Iterable[LocalFile]:
        return list(self._inodes.get(ino, {}).values())

    def put(self, file: LocalFile) -> None:
        self.remove(file.path)
        self.files[file.path] = file
        self._children.setdefault(parent_of(file.path), {})[file.path] = file
        self._inodes.setdefault(file.ino, {})[file.path] = file

    def remove(self, path: str) -> None:
        old = self.files.pop(path, None)
        if old is not None:
            del self._children[parent_of(path)][path]
            del self._inodes[old.ino][path]

    def take(self, found: Found) -> None:
        """Write a finding down: what is gone or ignored, with all below it, is forgotten."""
        if isinstance(found, Change):
            if found.renamed and found.old is not None:
                self.remove(found.old.path)
            if found.new is not None:
                self.put(found.new)
            elif found.old is not None:
                self.remove(found.path)
        elif found.why is Why.IGNORED:
            for path in [path for path in self.files if path == found.path or path.startswith(found.path + "/")]:
                self.remove(path)
