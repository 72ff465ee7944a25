"""One file of somebody else, sent while its owner may change it: what is not what was hashed is never given.

A read of a file that looks as it did is good. Where it looks otherwise, or was changed so lately that its look proves
nothing, the leaves decide, block by block, if they are known; else the read fails with code `changed`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.base.geometry import BLOCK
from wildbach.disk.files import FileStorage
from wildbach.disk.inplace import InPlaceFiles, Look, look_of_path
from wildbach.disk.layout import Layout
from wildbach.disk.storage import CHANGED, Content
from wildbach.disk.table import FileOptions
from wildbach.protocol import layers

_RACY_SECONDS: Final = 2.0


class ServedFile(InPlaceFiles):
    """A `disk.storage.Storage` of one file that writes nothing."""

    def __init__(self, content: Content, path: Path, *, options: FileOptions | None = None) -> None:
        super().__init__(content, layout_of(path), options=options)
        self.leaves: bytes | None = None
        "Of all blocks, where they were hashed."
        self.racy = False
        "It was changed just before it was looked at: it may be changed again without looking so."

    def settle(self) -> Look:
        """Note how it looks from now on, and return that. Blocks. StorageError `changed` where it has another size."""
        self.mark()
        look = (self._looks or {}).get(0, (0, 0, 0))
        if look[0] != self.content.files[0].length:
            raise self._changed()
        self.racy = look[1] > (time.time() - _RACY_SECONDS) * 1e9
        return look

    def unchanged(self) -> bool:
        """It looks as it did at `settle`. Blocks."""
        return not self.altered()

    def hash_leaves(self) -> bytes:
        """The leaves of all blocks. Blocks, for long. StorageError where it cannot be read."""
        size = self.content.files[0].length
        buffer = memoryview(bytearray(min(size, 1 << 20)))
        out = []
        for at in range(0, size, 1 << 20):
            part = buffer[: min(1 << 20, size - at)]
            FileStorage.read_into(self, at, [part])
            out.append(layers.leaf_hashes(part))
        return b"".join(out)

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        FileStorage.read_into(self, offset, buffers)
        length = sum(buffer.nbytes for buffer in buffers)
        if (self.racy or self._altered_open(offset, length)) and not self._proven(offset, buffers):
            raise self._changed()

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        return not self.racy and super().try_read(offset, buffers)

    def _proven(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        """What was read is what the leaves say. What is no row of whole blocks cannot be told."""
        if self.leaves is None or offset % BLOCK:
            return False
        data = b"".join(buffers)
        if len(data) % BLOCK and offset + len(data) != self.content.files[0].length:
            return False
        first = offset // BLOCK * layers.HASH
        found = layers.leaf_hashes(data)
        return found == self.leaves[first : first + len(found)]

    def _changed(self) -> StorageError:
        return StorageError(f"{self.path(0)} has changed", path=self.path(0), code=CHANGED)


def layout_of(path: Path) -> Layout:
    """The layout of a content of one file that lies at `path`, whatever its name there is."""
    absolute = path.absolute()
    return Layout(str(absolute.parent), "original", {0: (absolute.name,)})


__all__ = ["Look", "ServedFile", "layout_of", "look_of_path"]
