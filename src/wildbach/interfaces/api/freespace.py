"""How much room there is where torrents go."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

_GOOD_SECONDS: Final = 5.0
"How long an answer is good."
_WAIT_SECONDS: Final = 0.5
"For a disk that does not answer; then what is known is told."


class FreeSpace:
    """Of one folder at a time. However many ask and however slow the disk is, it keeps one thread busy at most."""

    def __init__(
        self, scope: Scope, threads: Threads, report: Callable[[Exception], None],
        look: Callable[[Path], int | None] | None = None,
    ) -> None:
        self._scope = scope
        self._threads = threads
        self._report = report
        self._look = look if look is not None else free_bytes
        self._clock = asyncio.get_running_loop().time
        self._looking: asyncio.Task[None] | None = None
        self._folder: Path | None = None
        self._free: int | None = None
        self._until = 0.0

    async def of(self, folder: Path) -> int | None:
        """Bytes; None where that is not known, or not yet."""
        if (self._looking is None or self._looking.done()) and (
            folder != self._folder or self._clock() >= self._until
        ):
            self._looking = self._scope.spawn("free-space", self._ask(folder), contain=self._report)
        if self._looking is not None and not self._looking.done():
            await asyncio.wait([self._looking], timeout=_WAIT_SECONDS)
        return self._free if folder == self._folder else None

    async def _ask(self, folder: Path) -> None:
        free = await self._threads.run(self._look, folder)
        self._folder, self._free, self._until = folder, free, self._clock() + _GOOD_SECONDS


def space(folder: Path) -> tuple[int | None, int | None]:
    """Free bytes, and all, of the file system that has a folder, or would. Blocks."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None, None
    return usage.free, usage.total


def free_bytes(folder: Path) -> int | None:
    return space(folder)[0]
