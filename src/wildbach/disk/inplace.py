"""Files of somebody else, seeded where they are: opened for reading alone, whatever is asked for.

`mark` remembers how each file looks (its size, its time of change, which file it is); from then on a read of a file
that looks otherwise fails with code `changed`, so nothing is given away that was not what was hashed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.disk.files import FileStorage
from wildbach.disk.storage import CHANGED, Target

Look = tuple[int, int, int]
_RACY_SECONDS: Final = 2.0
"A file that was changed so lately may change again without looking otherwise: clocks of file systems are coarse."


class InPlaceFiles(FileStorage):
    """A `disk.storage.Storage` that writes, makes, renames and removes nothing."""

    _looks: dict[int, Look] | None = None

    def mark(self) -> str:
        """Remember how the files look now; a text that is the same in another run where they look the same, and empty
        where that cannot be told yet. Blocks.
        """
        looks: dict[int, Look] = {}
        lines = hashlib.blake2b(digest_size=16)
        newest = 0
        for file, entry in enumerate(self.content.files):
            if entry.pad or not entry.length or entry.symlink is not None:
                continue
            found = look_of_path(self.path(file))
            looks[file] = found
            newest = max(newest, found[1])
            lines.update(f"{file} {found}\n".encode())
        self._looks = looks
        return lines.hexdigest() if newest < (time.time() - _RACY_SECONDS) * 1e9 else ""

    def altered(self, files: Iterable[int] | None = None) -> str:
        """The path of a file that does not look as it did at `mark`, of these or all; empty where none does. Blocks."""
        looks = self._looks or {}
        for file in looks if files is None else files:
            if file in looks and look_of_path(self.path(file)) != looks[file]:
                return self.path(file)
        return ""

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        super().read_into(offset, buffers)
        altered = self._altered_open(offset, sum(b.nbytes for b in buffers))
        if altered:
            raise StorageError(f"{altered} has changed", path=altered, code=CHANGED)

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        # Where it has changed, the worker's read meets it again and reports it.
        return super().try_read(offset, buffers) and not self._altered_open(offset, sum(b.nbytes for b in buffers))

    def _altered_open(self, offset: int, length: int) -> str:
        """The path of a file that these bytes were read from, where it is not as it was."""
        if self._looks is None:
            return ""
        for place in self.places(offset, length):
            if place.file < 0 or place.file not in self._looks:
                continue
            handle = self._pool.pin(self._table, place.file, False)
            if handle is None:
                look = look_of_path(self.path(place.file))
            else:
                try:
                    look = _look_of(os.fstat(handle.fd))
                finally:
                    self._pool.unpin(handle)
            if look != self._looks[place.file]:
                return self.path(place.file)
        return ""

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        raise self._refusal()

    def targets(self, offset: int, length: int) -> list[Target] | None:
        raise self._refusal()

    def create(self, root: str, parts: tuple[str, ...]) -> int:
        raise self._refusal()

    def rename(self, old: tuple[str, tuple[str, ...]], new: tuple[str, tuple[str, ...]]) -> None:
        raise self._refusal()

    def drop(self, file: int) -> None:
        raise self._refusal()

    def _refusal(self) -> StorageError:
        return StorageError(
            f"{self.layout.root} is seeded in place: nothing is written there", path=self.layout.root, code="in_place")

    def prepare(self) -> None:
        """Nothing is made."""

    def select(self, wanted: Iterable[int]) -> None:
        """What is not wanted stays where it is, too."""

    def finish(self, files: Iterable[int]) -> None:
        """They have the names and attributes that their owner gave them."""


def look_of_path(path: str) -> Look:
    """How a file looks: its size, time of change in ns, and inode; zeros where it is not there."""
    with contextlib.suppress(OSError):
        return _look_of(os.lstat(path))
    return 0, 0, 0


def _look_of(state: os.stat_result) -> Look:
    return state.st_size, state.st_mtime_ns, state.st_ino
