"""The watch of one folder's directory: the kernel tells what changes in it. Where the system has none to give, as other
programs have them all (fs.inotify.max_user_instances), it is asked again until it has; what changes meanwhile is found
by scans only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.watch import Inotify
from wildbach.disk.folder.watching import FolderWatch
from wildbach.runtime.workers import Threads
from wildbach.services.sync.place import Place

AGAIN_SECONDS: Final = 5.0
"Before the system is asked again for a watch."


class Watched:
    """For the loop. `changed` gets the paths that may have changed; `""` is all."""

    def __init__(self, changed: Callable[[list[str]], None]) -> None:
        self.reason = ""
        "Why changes are found by scans only, in plain words; empty where the kernel tells of them."
        self.due = 0.0
        "When a watch is asked for again (time.monotonic); 0: not at all."
        self._changed = changed
        self._threads = Threads(1, "watch")
        self._watch: FolderWatch | None = None

    async def begin(self, place: Place, now: float) -> None:
        """What changes in the directory from now on is told. A scan of all comes after it."""
        self.reason, self.due = "", 0.0
        try:
            inotify = Inotify(place.fs, ignores=place.ignores)
            self._watch = FolderWatch(inotify, self._threads, self._changed, self._limited)
            await self._watch.start()
        except StorageError as error:
            await self.leave()
            self.reason = error.message
            self.due = now + AGAIN_SECONDS if error.code != "not_supported" else 0.0

    async def again(self, place: Place, now: float) -> None:
        """Ask for a watch where there was none to have, if it is time. All is looked at where there is one now."""
        if self.due and now >= self.due:
            await self.begin(place, now)
            if not self.due:
                self._changed([""])

    async def ignore(self, ignores: Ignores) -> None:
        """Other patterns hold: what was left out so far may have to be watched."""
        if self._watch is not None:
            await self._watch.ignore(ignores)

    async def leave(self) -> None:
        """The directory is closed. Idempotent."""
        watch, self._watch, self.due = self._watch, None, 0.0
        if watch is not None:
            await watch.close()

    def end(self) -> None:
        """After `leave`, in no hurry: blocks."""
        self._threads.close()

    def _limited(self) -> None:
        self.reason = ("the system lets too few folders be watched (fs.inotify.max_user_watches): what changes in "
                       "the others is found within the hour")
