"""What the parts of the Api work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from wildbach.engine.session import Session
from wildbach.interfaces.api import places
from wildbach.interfaces.api.catalog import Catalog
from wildbach.interfaces.api.choices import Choices
from wildbach.interfaces.api.countries import Countries
from wildbach.interfaces.api.freespace import FreeSpace
from wildbach.interfaces.api.jobs import JobList
from wildbach.interfaces.api.lately import Lately
from wildbach.interfaces.api.logbook import Logbook
from wildbach.interfaces.api.tree import FileTree
from wildbach.interfaces.settings import ClientSettings
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.library.library import Library

_TREES: Final = 8
_TREE_SECONDS: Final = 120.0


@dataclass(slots=True)
class Core:
    """Of one daemon."""

    session: Session
    library: Library
    catalog: Catalog
    choices: Choices
    jobs: JobList
    log: Logbook
    scope: Scope
    threads: Threads
    report: Callable[[Exception], None]
    room: FreeSpace
    countries: Countries
    trees: Lately[FileTree] = field(init=False)
    "By torrent, of those that are looked at."
    own: tuple[Path, ...] = ()
    "Folders and files of wildbach itself, in which no torrent may be."
    was_called: bool = False
    "A peer from outside our network called, in this run."
    made: dict[str, bytes] = field(default_factory=dict)
    "Torrent files that were made lately, by key."
    restored: asyncio.Event = field(default_factory=asyncio.Event)
    "The torrents of the last run are listed."
    adding: asyncio.Lock = field(default_factory=asyncio.Lock)
    "Held while a torrent is looked for and added."
    sorting: asyncio.Lock = field(default_factory=asyncio.Lock)
    "Held while a large tree is made or looked at: of several threads that compute, the loop would wait for each."

    def __post_init__(self) -> None:
        self.trees = Lately(self.scope, self.report, seconds=_TREE_SECONDS, most=_TREES)

    @property
    def settings(self) -> ClientSettings:
        return self.choices.settings

    async def place(self, text: str, *, whole: bool = True, allowed: Sequence[str | Path] | None = None) -> Path:
        """A folder or file that may be touched, with all that is below it where `whole`. Raises UsageError."""
        if allowed is None:
            allowed = (*self.settings.downloads.allowed, self.settings.downloads.folder)
        return await self.threads.run(partial(places.judge, text, allowed, own=self.own, whole=whole))

    async def apart(self, folder: Path) -> Path:
        """A folder that the owner chose, wherever it is, but for wildbach's own. Raises UsageError."""
        await self.threads.run(places.keep_apart, folder, self.own)
        return folder

    async def free_space(self) -> int | None:
        """Bytes in the folder where torrents go. Raises UsageError."""
        return await self.room.of(places.home(self.settings.downloads.folder))

    def folder_for(self, category: str) -> Path:
        """Where torrents of a category go. Raises UsageError."""
        return self.library.groups.folder(category, places.home(self.settings.downloads.folder))
