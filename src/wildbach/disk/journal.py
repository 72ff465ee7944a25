"""Carries verified pieces of one torrent from *written* to *durable* (see `disk.resume`).

The order is the whole point: data is synced first, then the claim. Syncs are batched (16 MiB or 2 s) and one at a
time on each file system. After a failed sync nothing since the last good one is believed: those pieces go back to
the engine, to be hashed again from the device. Where somebody else changed the files, none at all is believed.

All methods run on the loop; blocking work goes through the Runner. Nothing runs while there is nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.base.geometry import Geometry
from wildbach.disk.resume import Note, Progress, ResumeStore
from wildbach.disk.storage import CHANGED, Runner, Storage

BATCH_BYTES = 16 << 20
BATCH_SECONDS = 2.0
RETRY_SECONDS = 5.0
"Between two tries to save a claim, after the state's own disk failed."
NOTE_SECONDS = 0.01
"Pieces come in bursts; the first one waits so long for the others before they are noted."

Spawn = Callable[[str, Coroutine[Any, Any, None]], object]


class SyncGates:
    """One sync in flight a file system: more only make the disk seek."""

    def __init__(self) -> None:
        self._gates: dict[int, asyncio.Lock] = {}

    def of(self, device: int) -> asyncio.Lock:
        """The gate of a file system, by its device number."""
        return self._gates.setdefault(device, asyncio.Lock())


class Journal:
    """The written and durable pieces of one torrent.

    `on_durable(pieces)` tells a set that may now be claimed; `on_lost(pieces, error)` a set that is to be hashed
    again, with the reason; `on_error(error)` that the state could not be saved. It is tried again, and nobody is told
    where another process only keeps the state to itself for too long (code `state_busy`).
    """

    def __init__(
        self, key: str, geometry: Geometry, progress: Progress, storage: Storage, store: ResumeStore,
        runner: Runner, spawn: Spawn, *, gate: asyncio.Lock | None = None,
        on_durable: Callable[[int], None] | None = None,
        on_lost: Callable[[int, StorageError], None] | None = None,
        on_error: Callable[[StorageError], None] | None = None,
    ) -> None:
        piece_count = geometry.piece_count
        if progress.piece_count != piece_count:
            progress = Progress(piece_count, check=progress.check or progress.piece_count > 0)
        self._key = key
        self._geometry = geometry
        self._count = piece_count
        self._width = bitfield.width_of(piece_count)
        self.durable = progress.durable
        self.pending = 0
        "Written in this run and not durable."
        self.unchecked = bitfield.full(self._count) if progress.check else progress.written & ~progress.durable
        "What the last run wrote without a sync: to be hashed first of all, and remembered until then."
        self.partial = dict(progress.partial)
        self._storage = storage
        self._store = store
        self._runner = runner
        self._spawn = spawn
        self._gate = gate or asyncio.Lock()
        self._on_durable = on_durable
        self._on_lost = on_lost
        self._on_error = on_error
        self._note = Note(self._count)
        self._noting = False
        self._early = False
        "A note may be taken before the next tick: one a tick."
        self._syncing = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._bytes = 0
        self._found = 0
        self._since = -1.0
        self._retry_at = -1.0
        self._withdrawn = False

    @property
    def claimed(self) -> int:
        """Pieces that were verified, durable or not."""
        return self.durable | self.pending

    @property
    def waiting(self) -> bool:
        """Something is not saved yet: `tick` has work."""
        return bool(self.pending or self._note or self._withdrawn)

    # told by the engine

    def written(self, piece: int, nbytes: int) -> None:
        """A verified piece was written."""
        mask = bitfield.bit(piece, self._width)
        if self.durable & mask:
            return
        self.pending |= mask
        self.unchecked &= ~mask
        if self.partial.pop(piece, 0):
            self._note.partial[piece] = 0
        self._note.written.append(piece)
        self._bytes += nbytes
        self._note_early()

    def blocks(self, piece: int, blocks: int) -> None:
        """The blocks of an incomplete piece that are on disk now (bit *b* is block *b*); 0 forgets them."""
        if blocks:
            self.partial[piece] = blocks
        else:
            self.partial.pop(piece, None)
        self._note.partial[piece] = blocks
        self._note_early()

    def found(self, pieces: int) -> None:
        """These pieces were hashed where they lay on disk, and are good; whoever wrote them may not have synced."""
        fresh = pieces & ~self.durable
        self.pending |= fresh
        self._found |= fresh
        self._bytes += fresh.bit_count() * self._geometry.piece_length
        self.unchecked &= ~pieces

    def checked(self, pieces: int) -> None:
        """These pieces of `unchecked` were hashed; those that are good were told by `found`."""
        self.unchecked &= ~pieces

    def withdraw(self, pieces: int) -> None:
        """These pieces are not there after all (a hash failed, a file vanished). The claim goes with the next tick."""
        self.durable &= ~pieces
        self.pending &= ~pieces
        self._withdrawn = True

    def tick(self, now: float) -> None:
        """Start what is due. Call it at least every 100 ms while the torrent is active."""
        self._early = True
        if self._note and not self._noting:
            self._noting = True
            self._spawn("note", self._take_note(0.0))
        if not self.pending and not self._withdrawn:
            self._since = -1.0
            return
        if self._since < 0:
            self._since = now
        due = self._withdrawn or self._bytes >= BATCH_BYTES or now - self._since >= BATCH_SECONDS
        if due and now >= self._retry_at and not self._syncing.locked():
            self._since = now
            self._retry_at = now + RETRY_SECONDS  # taken back by success
            self._spawn("sync", self._sync_quietly())

    async def flush(self) -> None:
        """Everything written so far, names and attributes included, is durable when this returns. StorageError."""
        await self._sync()

    async def close(self) -> None:
        """Flush, and keep the blocks of incomplete pieces."""
        await self._sync()

    # work

    def _note_early(self) -> None:
        if self._early and not self._noting:
            self._early = False
            self._noting = True
            self._spawn("note", self._take_note(NOTE_SECONDS))

    async def _take_note(self, delay: float) -> None:
        note = Note(self._count)
        try:
            if delay:
                await asyncio.sleep(delay)
            # Not while a claim is being saved: it replaces what was noted before it was drawn up.
            async with self._saving:
                note, self._note = self._note, note
                await self._runner.run(self._store.note, self._key, note)
        except StorageError as error:
            # Only the next restart would miss it, and hash or fetch a little more.
            if error.code == "state_busy":
                newer = self._note
                self._note = Note(self._count, note.written + newer.written, {**note.partial, **newer.partial})
            self._tell(error)
        finally:
            self._noting = False

    async def _sync_quietly(self) -> None:
        try:
            await self._sync()
        except StorageError as error:
            self._tell(error)

    def _tell(self, error: StorageError) -> None:
        if self._on_error is not None and error.code != "state_busy":
            self._on_error(error)

    async def _sync(self) -> None:
        async with self._syncing:
            batch = self.pending
            self._bytes = 0
            async with self._gate:
                try:
                    if self._found:
                        found, self._found = self._found, 0
                        await self._runner.run(self._cover, found)
                    await self._runner.run(self._storage.sync)
                except StorageError as error:
                    self._distrust(error)
                    if error.code == CHANGED:
                        async with self._saving:
                            await self._commit(0)
                    raise
            async with self._saving:
                await self._commit(batch)
            self._retry_at = -1.0
            # Pieces withdrawn meanwhile are in neither set any more.
            batch &= self.pending
            self.durable |= batch
            self.pending &= ~batch
            if batch and self._on_durable is not None:
                self._on_durable(batch)

    def _cover(self, pieces: int) -> None:
        length = self._geometry.piece_length
        start, end = 0, 0
        for piece in bitfield.indices(pieces, self._width):
            if piece * length != end:
                if end > start:
                    self._storage.found(start, end - start)
                start = piece * length
            end = piece * length + self._geometry.piece_size(piece)
        if end > start:
            self._storage.found(start, end - start)

    async def _commit(self, batch: int) -> None:
        batch &= self.pending
        rest = (self.pending & ~batch) | self.unchecked
        claim = Progress(self._count, self.durable | batch, rest & ~self.durable, dict(self.partial))
        self._withdrawn = False
        try:
            await self._runner.run(self._store.commit, self._key, claim)
        except StorageError:
            self._withdrawn = True
            raise

    def _distrust(self, error: StorageError) -> None:
        lost, self.pending = self.pending, 0
        if error.code == CHANGED:
            # Somebody else writes to the files: what was claimed is to be hashed too.
            lost |= self.durable
            self.unchecked |= lost
            self.durable = 0
        self._bytes = 0
        self._retry_at = -1.0
        if lost and self._on_lost is not None:
            self._on_lost(lost, error)
