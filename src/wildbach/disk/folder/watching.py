"""A watched folder on the loop: paths come when they are ready to be looked at.

All calls to the kernel run in the given threads, one at a time; the loop only hears of them. No task is started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.watch import Dirty, Event, Inotify
from wildbach.runtime.workers import Threads

TICK: Final = 0.1
"Seconds between two looks at what became quiet."


class FolderWatch:
    """Calls `changed` with paths (`""`: all of it) that were quiet for long enough, and `limited` once where not every
    directory can be watched, so that the folder is scanned more often.

    `close` ends it; it is awaited, as a call may be under way.
    """

    def __init__(
        self, inotify: Inotify, threads: Threads, changed: Callable[[list[str]], None],
        limited: Callable[[], None] = lambda: None,
    ) -> None:
        self._inotify = inotify
        self._threads = threads
        self._changed = changed
        self._limited = limited
        self._said = False
        self._dirty = Dirty()
        self._timer: asyncio.TimerHandle | None = None
        self._busy: asyncio.Future[list[Event]] | None = None
        self._closed = False

    async def start(self) -> None:
        """Watch all there is. Returns when that is so: what changes from now on is told. A scan comes after it."""
        await self._threads.run(self._inotify.add_tree)
        self._say()
        if not self._closed:
            self._listen()

    async def ignore(self, ignores: Ignores) -> None:
        """Other patterns hold from now on: what they do not name any more is watched. Raises StorageError."""
        if not self._closed:
            await self._threads.run(self._inotify.ignore, ignores)
            self._say()

    async def close(self) -> None:
        """Idempotent."""
        if self._closed:
            return
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        if self._timer is not None:
            self._timer.cancel()
        # What the thread does with it is over before it is let go.
        await self._threads.run(lambda: None)
        self._inotify.close()

    def again(self, path: str) -> None:
        """Look at a path once more, as at one that is being written."""
        self._note([Event(path, False)])

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._readable)

    def _readable(self) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._busy = self._threads.begin(self._inotify.read)
        self._busy.add_done_callback(self._read)

    def _read(self, done: asyncio.Future[list[Event]]) -> None:
        self._busy = None
        if self._closed or done.cancelled():
            return
        error = done.exception()
        if isinstance(error, (OSError, StorageError)):
            # What was not heard is found by a scan of everything.
            self._note([Event("", True)])
        elif error is not None:
            raise error
        else:
            self._note(done.result())
        self._say()
        self._listen()

    def _say(self) -> None:
        if self._inotify.full and not self._said:
            self._said = True
            self._limited()

    def _note(self, events: list[Event]) -> None:
        loop = asyncio.get_running_loop()
        for event in events:
            self._dirty.changed(event.path, loop.time(), finished=event.finished)
        if self._dirty and self._timer is None and not self._closed:
            self._timer = loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        due = self._dirty.due(loop.time())
        if self._dirty:
            self._timer = loop.call_later(TICK, self._tick)
        if due:
            self._changed(due)
