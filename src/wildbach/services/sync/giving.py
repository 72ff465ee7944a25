"""What other devices ask for of one folder, read while the folder works: small files in bundles, and where a large one
lies. A thread of its own does it, so that nobody waits for a scan or a step; the loop touches neither disk nor data
base.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from wildbach.base.errors import StorageError
from wildbach.runtime.workers import Threads
from wildbach.services.sync.place import Place
from wildbach.services.sync.store import FolderStore
from wildbach.services.sync.trees import Seen

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """A content that lies in the folder, as it was seen last."""

    path: str
    seen: Seen
    layer: bytes | None
    "Its piece layer, where that is remembered."


class Giving:
    """Of one folder. `place`: where it is open; raises StorageError where it is not."""

    def __init__(self, store: FolderStore, place: Callable[[], Place]) -> None:
        self.threads = Threads(1, "give")
        "For short work only, as one request waits for the other."
        self._store = store
        self._place = place

    async def read(self, work: Callable[[], T]) -> T:
        """Run what only reads the data base or a small file."""
        return await self.threads.run(work)

    async def bundle(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Small files by root and size; empty for those that are not here."""
        return await self.threads.run(self._bundle, files)

    async def find(self, root: bytes, size: int) -> Held | None:
        """Where a content lies in this folder; None where it does not. Raises StorageError."""
        return await self.threads.run(self._held, root, size)

    def close(self) -> None:
        """Blocks."""
        self.threads.close()

    def _bundle(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        found: list[bytes] = []
        for root, size in files:
            raw = b""
            with contextlib.suppress(StorageError, OSError):
                raw = self._content(root, size)
            found.append(raw)
        return found

    def _content(self, root: bytes, size: int) -> bytes:
        found = self._find(root, size)
        return self._place().read(found[0], size) if found is not None else b""

    def _held(self, root: bytes, size: int) -> Held | None:
        found = self._find(root, size)
        return Held(*found, self._store.layer(root)) if found is not None else None

    def _find(self, root: bytes, size: int) -> tuple[str, Seen] | None:
        for path in self._store.local.holding(root):
            seen = self._store.local.get(path)
            if seen is not None and seen.size == size:
                return path, seen
        return None
