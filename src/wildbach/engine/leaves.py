"""The leaves of pieces we hold, for peers that look for a false block (BEP 52): hashed from the disk when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wildbach.base import limits
from wildbach.base.errors import StorageError
from wildbach.disk.pool import SLAB
from wildbach.disk.storage import Storage
from wildbach.protocol import layers
from wildbach.protocol.metainfo.info import Info
from wildbach.runtime.workers import Threads


class Leaves:
    """Makes and keeps leaf hashes. Files with equal contents share a root, and any of them will do."""

    def __init__(
        self, info: Info, hashes: layers.PieceHashes, has: Callable[[int], bool],
        storage: Callable[[], Storage | None], threads: Threads,
    ) -> None:
        self._info = info
        self._hashes = hashes
        self._has = has
        self._storage = storage
        self._threads = threads
        self._starts: dict[bytes, list[int]] = {}
        for number, file in enumerate(info.files):
            if file.root is not None and file.length:
                self._starts.setdefault(file.root, []).append(info.geometry.file_pieces(number).start)
        self._kept: dict[tuple[bytes, int], bytes] = {}
        self._bytes = 0
        self._loading = 0

    def get(self, root: bytes, piece: int) -> bytes | None:
        """The leaves of a piece (counted within its file) if they are at hand."""
        return self._kept.get((root, piece))

    def places(self, root: bytes, piece: int) -> list[int]:
        """Where in the torrent a piece of the file with this root lies."""
        return [start + piece for start in self._starts.get(root, ())]

    def load(self, root: bytes, pieces: Sequence[int], done: Callable[[], None]) -> bool:
        """Hash what is not at hand of these pieces, then call `done`. False where we lack one, or much is asked."""
        storage = self._storage()
        wanted: list[tuple[int, int]] = []
        for piece in pieces:
            if (root, piece) not in self._kept:
                at = next((place for place in self.places(root, piece) if self._has(place)), -1)
                if at < 0:
                    return False
                wanted.append((piece, at))
        if storage is None or self._loading >= limits.LEAF_JOBS:
            return False
        self._loading += 1
        info = self._info

        def work() -> list[tuple[int, int, bytes]]:
            return [
                (piece, at, _hash(storage, at * info.piece_length, info.geometry.piece_size(at)))
                for piece, at in wanted
            ]

        def ended(outcome: list[tuple[int, int, bytes]] | BaseException) -> None:
            self._loading -= 1
            if isinstance(outcome, list):
                for piece, at, hashes in outcome:
                    # Others may have changed the file under us: false leaves would make liars of us.
                    if layers.layer_root(hashes, 0, self._hashes.height(at)) == self._hashes.get(at):
                        self._keep(root, piece, hashes)
            elif not isinstance(outcome, StorageError):
                raise outcome
            done()

        self._threads.submit(work, ended)
        return True

    def _keep(self, root: bytes, piece: int, hashes: bytes) -> None:
        self._bytes += len(hashes) - len(self._kept.pop((root, piece), b""))
        self._kept[root, piece] = hashes
        while self._bytes > limits.LEAF_CACHE_BYTES and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._bytes -= len(self._kept.pop(oldest))


def _hash(storage: Storage, offset: int, size: int) -> bytes:
    buffer = memoryview(bytearray(min(SLAB, size)))
    out = []
    for at in range(0, size, SLAB):
        part = buffer[: min(SLAB, size - at)]
        storage.read_into(offset + at, [part])
        out.append(layers.leaf_hashes(part))
    return b"".join(out)
