"""Processes that hash, for work with many small hashes, which threads of one interpreter cannot share out.

They start with their first job, serve checks and creations alike, and end with the pool. A process that dies is
replaced; its job is done again.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from wildbach.base.errors import StorageError
from wildbach.disk import hashworker
from wildbach.disk.hashworker import Piece, Result, Segment
from wildbach.disk.system import storage_error


class _Process:
    """One hash process and the socket to it."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", os.path.abspath(hashworker.__file__)],
                stdin=theirs.fileno(), start_new_session=True,
            )
        except OSError:
            self.sock.close()
            raise
        finally:
            theirs.close()
        self._sent: list[int] = []

    def call(
        self, fds: dict[int, int], segments: Sequence[Segment], pieces: Sequence[Piece], v1: bool, v2: bool
    ) -> object:
        hashworker.send(
            self.sock, (list(fds), self._sent, list(segments), list(pieces), v1, v2), list(fds.values())
        )
        self._sent = list(fds)
        return hashworker.receive(self.sock)[0]

    def close(self) -> None:
        self.sock.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class HashPool:
    """`size` processes; `hash` blocks until one of them has done the job, and may be called from many threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._number = 0

    def hash(
        self, files: dict[int, int], segments: Sequence[Segment], pieces: Sequence[Piece], v1: bool, v2: bool
    ) -> Result:
        """Hash `pieces` from `segments`, whose file numbers are keys of `files` (number → descriptor)."""
        with self._lock:
            first = self._number
            self._number += len(files)
        # The process keeps descriptors until its next job: numbers are never used twice.
        renamed = {file: first + at for at, file in enumerate(files)}
        fds = {renamed[file]: fd for file, fd in files.items()}
        mapped = [(renamed.get(number, number), offset, length) for number, offset, length in segments]
        process = self._idle.get()
        try:
            try:
                process = process or _Process()
                reply = process.call(fds, mapped, pieces, v1, v2)
            except (EOFError, ConnectionError):
                if process is not None:
                    process.close()
                process = _Process()
                reply = process.call(fds, mapped, pieces, v1, v2)
        except (EOFError, ConnectionError) as error:
            raise StorageError(f"a hash process died twice over one job: {error}", code="io_error") from error
        except OSError as error:
            raise storage_error(error, "start a hash process") from error
        finally:
            self._idle.put(process)
        match reply:
            case (bytes() as status, bytes() as sha1s, bytes() as roots):
                return status, sha1s, roots
            case (int() as number, str() as text):
                raise storage_error(OSError(number, text), "read")
        raise StorageError("a hash process answered nonsense", code="io_error")

    def close(self) -> None:
        """End the processes. Jobs that run are waited for."""
        for _ in range(self.size):
            process = self._idle.get()
            if process is not None:
                process.close()
