"""Hands received chunks to whoever hashes and writes them: worker processes where they can, threads otherwise."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol

from wildbach.base.errors import StorageError
from wildbach.disk.piecework import ChunkJob, ChunkResult, PieceWork
from wildbach.disk.pool import Chunk, ChunkPool
from wildbach.disk.storage import Storage, Target
from wildbach.runtime.workers import Threads, WorkerProcess

_TARGETS = 500
"A chunk with more files than fit into one message, or descriptors into one call, is written by a thread."

Done = Callable[[ChunkResult], None]


class Writer(Protocol):
    """Hash and write one chunk; `done` is called on the loop, later. One job of a piece at a time."""

    def prepare(self) -> None:
        """Work will come soon."""
        ...

    def submit(self, job: ChunkJob, chunk: Chunk, storage: Storage, done: Done) -> None: ...

    def forget(self, torrent: int, piece: int) -> None:
        """The piece will not be finished: drop its running hash."""
        ...

    def close(self) -> None: ...


class ThreadWriter:
    """Runs the work in threads of this process (in simulation: in virtual time)."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._work = PieceWork()

    def prepare(self) -> None:
        pass

    def submit(self, job: ChunkJob, chunk: Chunk, storage: Storage, done: Done) -> None:
        def write(offset: int, view: memoryview) -> None:
            storage.write(offset, [view])

        def read(offset: int, view: memoryview) -> None:
            storage.read_into(offset, [view])

        def ended(outcome: ChunkResult | BaseException) -> None:
            if isinstance(outcome, StorageError):
                self._work.forget(job.torrent, job.piece)
                outcome = ChunkResult(None, errno=outcome.errno, error=outcome.message, code=outcome.code)
            if isinstance(outcome, BaseException):
                raise outcome
            done(outcome)

        self._threads.submit(lambda: self._work.run(job, chunk.view, write, read), ended)

    def forget(self, torrent: int, piece: int) -> None:
        self._work.forget(torrent, piece)

    def close(self) -> None:
        pass


class ProcessWriter:
    """Runs the work in child processes that share the pool's memory and get the files' descriptors.

    All chunks of a piece go to the same child. Where storage has no descriptors to give, or a child is not there (yet, or
    any more), threads do the job.
    """

    def __init__(self, pool: ChunkPool, threads: Threads, count: int) -> None:
        self._fallback = ThreadWriter(threads)
        self._pool = pool
        self._count = count
        self._children: list[WorkerProcess] = []
        self._sent: list[dict[int, None]] = [{} for _ in range(count)]
        self._homes: dict[tuple[int, int], int] = {}
        "The child that has begun a piece of several chunks."
        self._threaded: dict[tuple[int, int], None] = {}
        "Multi-chunk pieces that began in threads and stay there."

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(child.pid for child in self._children if child.alive)

    def prepare(self) -> None:
        """Start the children; who only seeds has no use for them."""
        if self._children:
            return
        pool = self._pool
        self._children = [
            WorkerProcess("wildbach.disk.worker", [pool.fd], [str(pool.fd), str(pool.size)])
            for _ in range(self._count)
        ]

    def submit(self, job: ChunkJob, chunk: Chunk, storage: Storage, done: Done) -> None:
        self.prepare()
        key = (job.torrent, job.piece)
        number = self._home(key, job, chunk)
        child = self._children[number]
        targets = None
        if child.ready and key not in self._threaded:
            try:
                targets = storage.targets(job.offset, chunk.length)
            except StorageError as error:
                failed = ChunkResult(None, errno=error.errno, error=error.message, code=error.code)
                asyncio.get_running_loop().call_soon(done, failed)
                return
        if targets is not None and len(targets) > _TARGETS:
            storage.release(targets)
            targets = None
        if targets is None:
            if job.spec.size > chunk.length:
                self._threaded[key] = None
                if job.last:
                    del self._threaded[key]
            self._fallback.submit(job, chunk, storage, done)
            return
        sent = self._sent[number]
        fresh = [target for target in targets if target.fd >= 0 and target.file not in sent]
        if fresh:
            for target in fresh:
                sent[target.file] = None
            unique = {target.file: target.fd for target in fresh}
            child.tell(("files", list(unique)), list(unique.values()))
        places = [(target.file, target.fd >= 0, target.offset, target.length) for target in targets]
        message = ("chunk", tuple(job[:6]), tuple(job.spec), chunk.start, chunk.length, places)
        kept: list[Target] = targets

        def ended(answer: Any) -> None:
            storage.release(kept)
            result = None if answer is None else ChunkResult(*answer)
            if result is None or result.code == "read_back":
                # The child died, or the piece came out of order: a thread reads back what it needs.
                self._fallback.submit(job, chunk, storage, done)
            else:
                done(result)

        child.call(message, ended)

    def _home(self, key: tuple[int, int], job: ChunkJob, chunk: Chunk) -> int:
        """The child for a chunk: the one that has the rest of its piece, else the one with the least to do."""
        home = self._homes.pop(key, None) if job.last else self._homes.get(key)
        if home is None:
            home = min(range(self._count), key=lambda number: self._children[number].backlog)
            if not job.last and job.spec.size > chunk.length:
                self._homes[key] = home
        return home

    def forget(self, torrent: int, piece: int) -> None:
        key = (torrent, piece)
        self._threaded.pop(key, None)
        self._fallback.forget(torrent, piece)
        home = self._homes.pop(key, None)
        if home is not None:
            self._children[home].tell(("forget", torrent, piece))

    def retire(self, files: list[int]) -> None:
        """These files are closed here: the children close their descriptors too."""
        for child, sent in zip(self._children, self._sent, strict=False):
            gone = [file for file in files if sent.pop(file, 0) is None]
            if gone:
                child.tell(("close", gone))

    def close(self) -> None:
        for child in self._children:
            child.close()


def default_writer(pool: ChunkPool, threads: Threads) -> Writer:
    """Processes where memory can be shared with them, one for each core up to four, else threads."""
    if pool.fd < 0:
        return ThreadWriter(threads)
    return ProcessWriter(pool, threads, max(1, min(4, os.cpu_count() or 2)))
