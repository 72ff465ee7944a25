"""The program of a worker process: `main` is called with SOCKET POOL SIZE. See `disk.writer`."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import sys
from typing import Any

from wildbach.disk.piecework import ChunkJob, ChunkResult, PieceSpec, PieceWork
from wildbach.runtime.serving import serve


class _Child:
    def __init__(self, pool: memoryview) -> None:
        self._pool = pool
        self._files: dict[int, int] = {}
        self._work = PieceWork()

    def answer(self, message: Any, fds: list[int]) -> object | None:
        kind = message[0]
        if kind == "chunk":
            return self._chunk(*message[1:])
        if kind == "files":
            self._files.update(zip(message[1], fds, strict=True))
        elif kind == "close":
            for file in message[1]:
                os.close(self._files.pop(file))
        elif kind == "forget":
            self._work.forget(message[1], message[2])
        return None

    def _chunk(
        self, head: tuple[Any, ...], spec: tuple[Any, ...], start: int, length: int,
        places: list[tuple[int, bool, int, int]],
    ) -> tuple[Any, ...]:
        job = ChunkJob._make((*head, PieceSpec._make(spec)))

        def write(_offset: int, view: memoryview) -> None:
            at = 0
            for file, real, offset, size in places:
                part = view[at : at + size]
                at += size
                if real:
                    _write_all(self._files[file], part, offset)

        def read(_offset: int, _view: memoryview) -> None:
            # Chunks that came out of order are read back by the parent, which has all the files.
            raise _OutOfOrder

        try:
            result = self._work.run(job, self._pool[start : start + length], write, read)
        except OSError as error:
            self._work.forget(job.torrent, job.piece)
            return tuple(ChunkResult(None, errno=error.errno or 5, error=error.strerror or str(error)))
        except _OutOfOrder:
            return tuple(ChunkResult(None, code="read_back"))
        return tuple(result)


class _OutOfOrder(Exception):
    pass


def _write_all(fd: int, view: memoryview, offset: int) -> None:
    while view:
        done = os.pwrite(fd, view, offset)
        view = view[done:]
        offset += done


def main() -> None:
    # Ctrl-C is for the parent, which ends its children by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sock = socket.socket(fileno=int(sys.argv[1]))
    fd, size = int(sys.argv[2]), int(sys.argv[3])
    shared = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
    serve(sock, _Child(memoryview(shared)).answer)

