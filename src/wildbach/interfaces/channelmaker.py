"""Torrents for channels: of films and music, and of the files of a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wildbach.interfaces import maker, scan
from wildbach.protocol.metainfo import Metainfo
from wildbach.runtime.workers import Threads


class ChannelMaker:
    """The `Maker` of channels."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def build(self, path: Path, *, only_v2: bool, progress: Callable[[float], None]) -> Metainfo:
        found = await self._threads.run(scan.scan, path)
        recipe = maker.Recipe(kind="v2" if only_v2 else "hybrid")
        return await maker.make(found, recipe, lambda done, total: progress(done / total if total else 1.0))
