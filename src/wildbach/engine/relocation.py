"""Bringing a torrent's files to another folder, or to other names, while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wildbach.base.errors import StorageError, UsageError
from wildbach.disk.layout import Layout
from wildbach.engine.holdings import Holdings

Progress = Callable[[int, int], None]
"Called with (bytes moved, bytes in all)."


class Relocation:
    """The moves of one torrent, one at a time. Errors are those of `disk.moving`."""

    __slots__ = ("_busy", "share")

    def __init__(self) -> None:
        self._busy = False
        self.share: float | None = None
        "Of the bytes that are at their new place; None while nothing is being moved."

    async def move(self, holdings: Holdings, folder: Path, progress: Progress | None) -> None:
        await self._go(holdings, holdings.target(folder, {}), progress)

    async def rename(self, holdings: Holdings, index: int, path: str) -> None:
        """Give a file another path. Raises UsageError for what is no path."""
        parts = tuple(path.split("/"))
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise UsageError(f"not a path: {path!r}")
        await self._go(holdings, holdings.target(None, {index: parts}), None)

    async def go_on(self, holdings: Holdings) -> None:
        """With the move that the last run did not finish."""
        await self._go(holdings, None, None)

    async def _go(self, holdings: Holdings, target: Layout | None, progress: Progress | None) -> None:
        def moved(done: int, total: int) -> None:
            self.share = done / total if total else 1.0
            if progress is not None:
                progress(done, total)

        if self._busy:
            raise StorageError("the torrent is being moved already", code="busy")
        self._busy = True
        try:
            await holdings.move(target, moved)
        finally:
            self._busy = False
            self.share = None
