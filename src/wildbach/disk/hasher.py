"""Hashing whole torrents: checking what is on disk, and making the hashes of new ones.

The work is cut into batches of some 16 MiB. Several lanes run at once, each batch in a thread, or in a hash process
where there are many small hashes (v2 leaves, small v1 pieces). Only the loop sees results; stopping the awaiting task
stops the work after the batches that run. Memory: one buffer of 1 MiB a lane.
"""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.base.geometry import BLOCK, Extent, Geometry
from wildbach.disk import hashworker
from wildbach.disk.hashpool import HashPool
from wildbach.disk.hashworker import BUFFER, HOLE, MISSING, NOWHERE, ZEROS, Piece, Result, Segment
from wildbach.disk.storage import PAD, FileBacked, Runner, Storage
from wildbach.disk.system import storage_error
from wildbach.protocol.layers import height_of, piece_level
from wildbach.runtime.tasks import Scope

BATCH_BYTES = 16 << 20
BATCH_PIECES = 1024
BATCH_FILES = 100
"Descriptors sent with one batch."
PROCESS_BYTES = 64 << 20
"Below this much work, starting processes does not pay."
SMALL_PIECE = 128 << 10
"v1 pieces shorter than this are hashed in processes."

Progress = Callable[[int, int, int], None]
"Called on the loop with (bytes done, bytes in all, set of good pieces so far)."


@dataclass(frozen=True, slots=True)
class Expected:
    """What the pieces should hash to: 20 bytes a piece for v1, a lookup for v2 (None: not known yet)."""

    v1: bytes | None = None
    v2: Callable[[int], bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, as sets of pieces (see `base.bitfield`)."""

    good: int
    bad: int
    "Pieces whose bytes are there and do not hash right, or whose hash is not known."
    conflicts: tuple[int, ...]
    "Hybrid pieces whose SHA-1 and SHA-256 disagree: such a torrent contradicts itself. They count as bad."


@dataclass(frozen=True, slots=True)
class Digests:
    """The hashes of new content, a piece each: 20 bytes of SHA-1, 32 bytes of Merkle root."""

    v1: bytes
    v2: bytes


@dataclass(frozen=True, slots=True)
class _Batch:
    numbers: range | list[int]
    pieces: list[Piece]
    bytes: int


class Hasher:
    """Checks and makes hashes for one session. Close it to end its processes."""

    def __init__(self, runner: Runner, *, lanes: int | None = None, processes: bool = True) -> None:
        self._runner = runner
        self.lanes = lanes or max(1, min(8, os.cpu_count() or 1))
        self._pool = HashPool(self.lanes) if processes and hasattr(os, "fork") else None
        self._buffers: queue.LifoQueue[memoryview] = queue.LifoQueue()

    def close(self) -> None:
        """End the hash processes."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    async def check(
        self, geometry: Geometry, storage: Storage, expected: Expected, *, pieces: int | None = None,
        progress: Progress | None = None,
    ) -> Checked:
        """Hash the set `pieces` (all by default) and compare. What is not on disk is neither good nor bad.

        Raises StorageError where reading fails for another reason than missing bytes.
        """
        width = bitfield.width_of(geometry.piece_count)
        chosen = bitfield.full(geometry.piece_count) if pieces is None else pieces
        good: list[int] = []
        bad: list[int] = []
        conflicts: list[int] = []
        mask = 0

        def found(batch: _Batch, result: Result) -> None:
            nonlocal mask
            first = len(good)
            _compare(batch, result, expected, good, bad, conflicts)
            mask |= bitfield.of(good[first:], width)

        total = sum(geometry.piece_size(i) for i in bitfield.indices(chosen, width)) if progress else 0
        done = 0

        def report(batch: _Batch, result: Result) -> None:
            nonlocal done
            found(batch, result)
            done += batch.bytes
            if progress is not None:
                progress(done, total, mask)

        v1, v2 = expected.v1 is not None, expected.v2 is not None
        await self._run(geometry, storage, bitfield.indices(chosen, width), v1, v2, report)
        return Checked(mask, bitfield.of(bad, width), tuple(sorted(conflicts)))

    async def digest(
        self, geometry: Geometry, storage: Storage, *, v1: bool, v2: bool, progress: Progress | None = None,
        pieces: range | None = None,
    ) -> Digests:
        """The hashes of these pieces, by default of all.

        Raises StorageError, code `changed`, where bytes of the content are missing.
        """
        sha1s: dict[int, bytes] = {}
        roots: dict[int, bytes] = {}
        numbers = range(geometry.piece_count) if pieces is None else pieces
        total = sum(geometry.piece_size(i) for i in numbers)
        done = 0

        def found(batch: _Batch, result: Result) -> None:
            nonlocal done
            if MISSING in result[0]:
                raise StorageError("files became shorter or vanished while they were hashed", code="changed")
            sha1s[batch.numbers[0]] = result[1]
            roots[batch.numbers[0]] = result[2]
            done += batch.bytes
            if progress is not None:
                progress(done, total, 0)

        await self._run(geometry, storage, numbers, v1, v2, found)
        return Digests(
            b"".join(sha1s[at] for at in sorted(sha1s)) if v1 else b"",
            b"".join(roots[at] for at in sorted(roots)) if v2 else b"",
        )

    async def _run(
        self, geometry: Geometry, storage: Storage, numbers: Iterable[int], v1: bool, v2: bool,
        found: Callable[[_Batch, Result], None],
    ) -> None:
        batches = _batches(geometry, numbers, v2)
        small = v2 or geometry.piece_length < SMALL_PIECE
        pool = self._pool if small and geometry.size >= PROCESS_BYTES else None
        errors: list[StorageError] = []

        async def lane() -> None:
            for batch in batches:
                if errors:
                    return
                try:
                    found(batch, await self._runner.run(self._hash, geometry, storage, batch, v1, v2, pool))
                except StorageError as error:
                    errors.append(error)

        async with Scope("hash") as scope:
            for task in [scope.spawn(f"lane {i}", lane()) for i in range(self.lanes)]:
                await task
        if errors:
            raise errors[0]

    # in a thread

    def _hash(
        self, geometry: Geometry, storage: Storage, batch: _Batch, v1: bool, v2: bool, pool: HashPool | None
    ) -> Result:
        if isinstance(storage, FileBacked):
            places = _merged(storage, geometry, batch)
            files = {place.file for place in places if place.file != PAD}
            if len(files) <= BATCH_FILES:
                return self._hash_files(storage, places, batch, v1, v2, pool)
        reader = _StorageReader(storage)
        segments: list[Segment] = [
            (0, number * geometry.piece_length, piece[0])
            for number, piece in zip(batch.numbers, batch.pieces, strict=True)
        ]
        with self._buffer() as buffer:
            return hashworker.hash_pieces(reader.read, reader.holes, segments, batch.pieces, v1, v2, buffer)

    def _hash_files(
        self, storage: FileBacked, places: list[Extent], batch: _Batch, v1: bool, v2: bool, pool: HashPool | None
    ) -> Result:
        fds: dict[int, int] = {}
        numbers: dict[int, int] = {PAD: ZEROS}
        try:
            for place in places:
                if place.file in numbers:
                    continue
                try:
                    fd = storage.lend(place.file)
                except StorageError as error:
                    _absent(error)
                    numbers[place.file] = NOWHERE
                else:
                    numbers[place.file] = len(fds)
                    fds[len(fds)] = fd
            segments = [(numbers[place.file], place.offset, place.length) for place in places]
            if pool is not None:
                return pool.hash(fds, segments, batch.pieces, v1, v2)
            files = hashworker.Descriptors()
            for number, fd in fds.items():
                files.add(number, fd)
            with self._buffer() as buffer:
                return hashworker.hash_pieces(files.read, files.holes, segments, batch.pieces, v1, v2, buffer)
        except OSError as error:
            raise storage_error(error, "read") from error
        finally:
            for fd in fds.values():
                os.close(fd)

    @contextlib.contextmanager
    def _buffer(self) -> Iterator[memoryview]:
        try:
            buffer = self._buffers.get_nowait()
        except queue.Empty:
            buffer = memoryview(bytearray(BUFFER))
        try:
            yield buffer
        finally:
            self._buffers.put(buffer)


class _StorageReader:
    """Reads the address space through the storage, where no descriptors can be had."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, number: int, offset: int, view: memoryview) -> int:
        try:
            self._storage.read_into(offset, [view])
        except StorageError as error:
            _absent(error)
            return 0
        return view.nbytes

    def holes(self, number: int, offset: int) -> int:
        return offset


def _absent(error: StorageError) -> None:
    """Missing bytes are a finding here; anything else is raised."""
    if error.code not in ("missing", "short_file"):
        raise error


def _batches(geometry: Geometry, numbers: Iterable[int], v2: bool) -> Iterator[_Batch]:
    levels = _Levels(geometry) if v2 else None
    batch: list[int] = []
    pieces: list[Piece] = []
    size = 0
    for number in numbers:
        length = geometry.piece_size(number)
        batch.append(number)
        pieces.append((length, geometry.v1_tail(number), levels.of(number) if levels is not None else 0))
        size += length
        if size >= BATCH_BYTES or len(batch) >= BATCH_PIECES:
            yield _Batch(batch, pieces, size)
            batch, pieces, size = [], [], 0
    if batch:
        yield _Batch(batch, pieces, size)


class _Levels:
    """The level of each piece's Merkle root; pieces are asked for in ascending order."""

    def __init__(self, geometry: Geometry) -> None:
        self._usual = piece_level(geometry.piece_length) if geometry.piece_length >= BLOCK else 0
        self._low = {
            span.offset // geometry.piece_length: height_of(span.length)
            for span in geometry.files
            if 0 < span.length <= geometry.piece_length // 2
        }

    def of(self, piece: int) -> int:
        return self._low.get(piece, self._usual)


def _merged(storage: FileBacked, geometry: Geometry, batch: _Batch) -> list[Extent]:
    """Where the bytes of a batch lie, ranges that follow each other in one file joined."""
    out: list[Extent] = []
    for number, piece in zip(batch.numbers, batch.pieces, strict=True):
        for place in storage.places(number * geometry.piece_length, piece[0]):
            if out:
                last = out[-1]
                if last.file == place.file and (place.file == PAD or last.offset + last.length == place.offset):
                    out[-1] = Extent(last.file, last.offset, last.length + place.length)
                    continue
            out.append(place)
    return out


def _compare(
    batch: _Batch, result: Result, expected: Expected, good: list[int], bad: list[int], conflicts: list[int]
) -> None:
    status, sha1s, roots = result
    for at, number in enumerate(batch.numbers):
        if status[at] == MISSING:
            continue
        v1 = expected.v1 is None or sha1s[20 * at : 20 * at + 20] == expected.v1[20 * number : 20 * number + 20]
        known = expected.v2(number) if expected.v2 is not None else b""
        v2 = expected.v2 is None or roots[32 * at : 32 * at + 32] == known
        if v1 and v2:
            good.append(number)
            continue
        if status[at] == HOLE:
            continue
        bad.append(number)
        if expected.v1 is not None and expected.v2 is not None and v1 != v2 and known is not None:
            conflicts.append(number)
