"""The processes that read media: a few, each with one file open, the longest idle of which makes room for another file.

A process is lent to one request at a time. Segments go before what only adorns: pictures and subtitles never take the
last process. One that was left in the middle is asked to stop before it is lent again; one that died is forgotten.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from wildbach.base import limits
from wildbach.runtime.tasks import Scope
from wildbach.services.stream.mediaprocess import MediaError, MediaProcess, ReadsFile

_IDLE_SECONDS: Final = 60.0
"An idle process is ended then."


class MediaPool:
    def __init__(
        self, scope: Scope, *, processes: int = limits.MEDIA_WORKERS, seconds: float = limits.MEDIA_WORK_SECONDS,
        idle: float = _IDLE_SECONDS,
    ) -> None:
        self._scope = scope
        self._most = max(2, processes)
        self._seconds = seconds
        self._idle_seconds = idle
        self._idle: dict[MediaProcess, asyncio.TimerHandle] = {}
        "The longest idle first."
        self._lent: dict[MediaProcess, None] = {}
        self._starting = 0
        self._ending: dict[MediaProcess, None] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def processes(self) -> tuple[MediaProcess, ...]:
        return (*self._lent, *self._idle)

    @asynccontextmanager
    async def lend(self, file: ReadsFile, *, adorns: bool = False) -> AsyncIterator[MediaProcess]:
        """A process that has this file open, or will. Raises MediaError (`media_busy`): too many wait already."""
        process = await self._take(file, adorns=adorns)
        try:
            yield process
        finally:
            self._give_back(process)

    async def close(self) -> None:
        self._closed = True
        for timer in self._idle.values():
            timer.cancel()
        for process in (*self.processes, *self._ending):
            await process.close()
        self._idle.clear()
        self._lent.clear()
        self._ending.clear()

    async def _take(self, file: ReadsFile, *, adorns: bool) -> MediaProcess:
        while True:
            if self._closed:
                raise MediaError("wildbach ends", "media_busy")
            if not adorns or len(self._lent) + self._starting < self._most - 1:
                process = self._fitting(file.tag)
                if process is not None:
                    return process
                if len(self._lent) + self._starting < self._most:
                    return await self._start(file)
            await self._turn()

    def _fitting(self, tag: str) -> MediaProcess | None:
        for process in tuple(self._idle):
            if not process.alive:
                self._idle.pop(process).cancel()
                self._end(process)
            elif process.tag == tag:
                self._idle.pop(process).cancel()
                self._lent[process] = None
                return process
        return None

    async def _start(self, file: ReadsFile) -> MediaProcess:
        if len(self._idle) + len(self._lent) + self._starting >= self._most:
            oldest = next(iter(self._idle))
            self._idle.pop(oldest).cancel()
            self._end(oldest)
        self._starting += 1
        try:
            process = await MediaProcess.start(file.tag, file.size, seconds=self._seconds)
        finally:
            self._starting -= 1
            self._next()
        self._lent[process] = None
        return process

    async def _turn(self) -> None:
        if len(self._waiting) >= limits.MEDIA_WAITING:
            raise MediaError("too much is asked of the processes that read media", "media_busy")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def _next(self) -> None:
        """Everybody looks again: whose turn it is depends on what they want."""
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def _give_back(self, process: MediaProcess) -> None:
        if process.alive and process.busy and not self._scope.closed:
            self._scope.spawn("media process stops", self._recover(process))
            return
        self._rest(process)

    async def _recover(self, process: MediaProcess) -> None:
        try:
            await process.recover()
        finally:
            self._rest(process)

    def _rest(self, process: MediaProcess) -> None:
        self._lent.pop(process, None)
        if process.alive and not process.busy and not self._closed:
            loop = asyncio.get_running_loop()
            self._idle[process] = loop.call_later(self._idle_seconds, self._too_long_idle, process)
        else:
            self._end(process)
        self._next()

    def _too_long_idle(self, process: MediaProcess) -> None:
        self._idle.pop(process, None)
        self._end(process)

    def _end(self, process: MediaProcess) -> None:
        process.kill()
        self._ending[process] = None
        if not self._scope.closed:
            self._scope.spawn("media process ends", self._wait_for(process))

    async def _wait_for(self, process: MediaProcess) -> None:
        await process.close()
        self._ending.pop(process, None)
