"""What the kernel says of a folder, until it has been quiet long enough to be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.watch import Dirty, Inotify
from wildbach.runtime.workers import Threads
from wildbach.services.sync.place import Place

_EVERY: Final = 0.1
"Seconds between two looks at what is quiet by now, while something is not."


class Watching:
    """Of one folder. `look` gets paths that changed. Without a kernel that tells, `problem` says so: scans find the
    changes then, later.
    """

    def __init__(self, place: Place, ignores: Ignores, look: Callable[[Iterable[str]], None]) -> None:
        self._place = place
        self._ignores = ignores
        self._look = look
        self._threads = Threads(1, "watch")
        self._inotify: Inotify | None = None
        self._dirty = Dirty()
        self._readable = asyncio.Event()
        self.problem = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            inotify = self._inotify = await self._threads.run(self._open)
        except StorageError as error:
            self.problem = error.message
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(inotify.fileno(), self._readable.set)
        try:
            # What changed before the watches were there is found by a look at all of it.
            self._look(("",))
            while True:
                await self._wait()
                if self._readable.is_set():
                    self._readable.clear()
                    for event in await self._threads.run(inotify.read):
                        self._dirty.changed(event.path, loop.time(), finished=event.finished)
                due = self._dirty.due(loop.time())
                if due:
                    self._look(due)
                if inotify.full and not self.problem:
                    self.problem = ("the system lets too few folders be watched (fs.inotify.max_user_watches): changes "
                                    "in the others are found within the hour")
        finally:
            loop.remove_reader(inotify.fileno())
            self._threads.close()
            inotify.close()

    def _open(self) -> Inotify:
        inotify = Inotify(self._place.fs, ignores=self._ignores)
        inotify.add_tree()
        return inotify

    async def _wait(self) -> None:
        if not self._dirty:
            await self._readable.wait()
            return
        try:
            async with asyncio.timeout(_EVERY):
                await self._readable.wait()
        except TimeoutError:
            pass
