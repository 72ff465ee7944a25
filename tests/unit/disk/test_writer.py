"""Threads and worker processes that hash and write: the same results, and nothing lost when a process dies."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from wildbach.base.errors import StorageError
from wildbach.base.geometry import BLOCK
from wildbach.disk.piecework import ChunkJob, ChunkResult, PieceSpec
from wildbach.disk.pool import SLAB, Chunk, ChunkPool
from wildbach.disk.storage import Storage, Target
from wildbach.disk.writer import ProcessWriter, ThreadWriter, Writer
from wildbach.protocol import layers
from wildbach.runtime.workers import Threads

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="worker processes need memfd")


class OneFile:
    """Storage of one file; `split` says that it was cut into targets of that size."""

    def __init__(self, path: Path, size: int, *, split: int = 0) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT)
        os.ftruncate(self.fd, size)
        self.size = size
        self.split = split
        self.lent = 0
        self.broken = False
        self.thread_writes = 0
        self._lock = threading.Lock()

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        os.preadv(self.fd, buffers, offset)

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        return False

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        if self.broken:
            raise StorageError("no space left on device", code="disk_full")
        with self._lock:
            self.thread_writes += 1
        os.pwritev(self.fd, buffers, offset)

    def targets(self, offset: int, length: int) -> list[Target] | None:
        if self.broken:
            raise StorageError("no space left on device", code="disk_full")
        step = self.split or length
        found = [
            Target(1, self.fd, at, min(step, offset + length - at)) for at in range(offset, offset + length, step)
        ]
        self.lent += len(found)
        return found

    def release(self, targets: Sequence[Target]) -> None:
        self.lent -= len(targets)

    def content(self) -> bytes:
        return os.pread(self.fd, self.size, 0)


class Bed:
    """A piece of several chunks, in memory that worker processes share."""

    def __init__(self, path: Path, pieces: int = 4, size: int = 2 * SLAB + 5 * BLOCK + 7) -> None:
        self.size = size
        self.data = Random(1).randbytes(pieces * size)
        self.pool = ChunkPool(32 * SLAB)
        self.threads = Threads(2)
        self.storage = OneFile(path / "file", len(self.data))
        self.results: list[tuple[int, int, ChunkResult]] = []
        self.height = layers.piece_level(4 * SLAB)

    def spec(self, piece: int) -> PieceSpec:
        data = self.data[piece * self.size : (piece + 1) * self.size]
        root = layers.layer_root(layers.leaf_hashes(data), 0, self.height)
        return PieceSpec(len(data), hashlib.sha1(data).digest(), 0, root, self.height, True)

    async def hand(self, writer: Writer, piece: int, number: int, *, last: bool, storage: OneFile | None = None,
                   before: Callable[[], None] = lambda: None) -> ChunkResult:
        """Hand in one chunk and wait for what becomes of it."""
        start = piece * self.size + number * SLAB
        data = self.data[start : min(start + SLAB, (piece + 1) * self.size)]
        chunk = self.pool.take(len(data))
        assert chunk is not None
        chunk.view[:] = data
        return await self._submit(writer, piece, number, last, chunk, start, storage or self.storage, before)

    async def _submit(
        self, writer: Writer, piece: int, number: int, last: bool, chunk: Chunk, start: int, storage: OneFile,
        before: Callable[[], None],
    ) -> ChunkResult:
        done: asyncio.Future[ChunkResult] = asyncio.get_running_loop().create_future()
        job = ChunkJob(1, piece, number, start, last, False, self.spec(piece))
        held: Storage = storage  # type: ignore[assignment]  # as much of it as a writer needs
        before()
        writer.submit(job, chunk, held, done.set_result)
        assert not done.done(), "never at once"
        async with asyncio.timeout(20):
            result = await done
        chunk.view.release()
        self.pool.give(chunk)
        return result

    async def piece(self, writer: Writer, piece: int, order: Sequence[int] = (0, 1, 2)) -> ChunkResult:
        for at, number in enumerate(order):
            result = await self.hand(writer, piece, number, last=at == len(order) - 1)
        return result

    def close(self) -> None:
        self.threads.close()
        os.close(self.storage.fd)
        self.pool.close()


async def ready(writer: ProcessWriter, bed: Bed) -> None:
    """Wait until the child is up: from then on it does the work."""
    writer.prepare()
    async with asyncio.timeout(20):
        while not all(child.ready for child in writer._children):
            await asyncio.sleep(0.01)


def with_bed(path: Path, main: Callable[[Bed, ProcessWriter], object], count: int = 1) -> None:
    async def run() -> None:
        bed = Bed(path)
        writer = ProcessWriter(bed.pool, bed.threads, count)
        try:
            await ready(writer, bed)
            await main(bed, writer)  # type: ignore[misc]  # a coroutine function
        finally:
            writer.close()
            bed.close()

    asyncio.run(run())


def test_processes_hash_and_write(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        for piece in range(4):
            assert (await bed.piece(writer, piece)).good
        assert bed.storage.content() == bed.data
        assert not bed.storage.thread_writes and not bed.storage.lent

    with_bed(tmp_path, main, count=2)


def test_chunks_out_of_order_are_finished_by_a_thread(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        assert (await bed.piece(writer, 0, (2, 0, 1))).good
        assert bed.storage.content()[: bed.size] == bed.data[: bed.size]

    with_bed(tmp_path, main)


def test_a_bad_piece_of_a_process_has_all_its_digests(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        data = bed.data
        bed.data = bytes(10) + data[10:]
        await bed.hand(writer, 0, 0, last=False)
        bed.data = data
        result = await bed.piece(writer, 0, (1, 2))
        assert result.good is False and not result.conflict
        assert len(result.digests) == 32 * -(-bed.size // BLOCK)
        assert result.digests[:32] == hashlib.sha256(bytes(10) + data[10:BLOCK]).digest()

    with_bed(tmp_path, main)


@pytest.mark.parametrize("when", [0, 1, 2])
def test_a_killed_process_loses_nothing(tmp_path: Path, when: int) -> None:
    """Killed before it gets chunk `when`, and before anybody has noticed: a thread does what it did not."""

    async def main(bed: Bed, writer: ProcessWriter) -> None:
        (pid,) = writer.pids

        def kill() -> None:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

        for number in range(3):
            before = kill if number == when else lambda: None
            result = await bed.hand(writer, 0, number, last=number == 2, before=before)
        assert result.good and bed.storage.content()[: bed.size] == bed.data[: bed.size]
        assert bed.storage.thread_writes >= 3 - when and not bed.storage.lent and not writer.pids
        assert (await bed.piece(writer, 1)).good
        writer.forget(1, 1)
        writer.retire([1])

    with_bed(tmp_path, main)


def test_a_process_killed_in_the_middle_of_its_work_loses_nothing(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        (pid,) = writer.pids
        os.kill(pid, signal.SIGSTOP)

        async def kill() -> None:
            assert writer._children[0].backlog == 4
            os.kill(pid, signal.SIGKILL)

        await asyncio.gather(*[bed.hand(writer, piece, 0, last=False) for piece in range(4)], kill())
        for piece in range(4):
            assert (await bed.piece(writer, piece, (1, 2))).good
        assert bed.storage.content() == bed.data

    with_bed(tmp_path, main)


def test_a_full_disk_is_told_later_and_not_at_once(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        bed.storage.broken = True
        result = await bed.hand(writer, 0, 0, last=False)
        assert result.code == "disk_full" and result.error and result.good is None
        threads = ThreadWriter(bed.threads)
        result = await bed.hand(threads, 0, 0, last=False)
        assert result.code == "disk_full"
        bed.storage.broken = False
        assert (await bed.piece(threads, 0)).good

    with_bed(tmp_path, main)


def test_a_write_that_fails_in_the_process_is_told(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        fd = bed.storage.fd
        bed.storage.fd = os.open(tmp_path / "file", os.O_RDONLY)
        result = await bed.hand(writer, 0, 0, last=False)
        os.close(bed.storage.fd)
        bed.storage.fd = fd
        assert result.errno and result.error and result.good is None

    with_bed(tmp_path, main)


def test_a_chunk_over_many_files_is_written_by_a_thread(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        bed.storage.split = 1000
        assert (await bed.piece(writer, 0)).good
        assert bed.storage.thread_writes and not bed.storage.lent
        assert bed.storage.content()[: bed.size] == bed.data[: bed.size]

    with_bed(tmp_path, main)


def test_closed_files_are_closed_in_the_process_too(tmp_path: Path) -> None:
    async def main(bed: Bed, writer: ProcessWriter) -> None:
        assert (await bed.piece(writer, 0)).good
        (pid,) = writer.pids

        def held() -> int:
            links = (Path(f"/proc/{pid}/fd") / name for name in os.listdir(f"/proc/{pid}/fd"))
            return sum(os.readlink(link) == str(tmp_path / "file") for link in links)

        assert held() == 1
        writer.retire([1])
        assert (await bed.piece(writer, 1)).good  # answered in order: the first closing is done by now
        assert held() == 1, "sent anew, under the same number"

    with_bed(tmp_path, main)
