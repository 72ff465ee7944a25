"""What the parts of the Api work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wildbach.engine.session import Session
from wildbach.interfaces.api import places
from wildbach.interfaces.api.catalog import Catalog
from wildbach.interfaces.api.choices import Choices
from wildbach.interfaces.api.jobs import JobList
from wildbach.interfaces.api.logbook import Logbook
from wildbach.interfaces.settings import ClientSettings
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.library.library import Library


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
    made: dict[str, bytes] = field(default_factory=dict)
    "Torrent files that were made lately, by key."

    @property
    def settings(self) -> ClientSettings:
        return self.choices.settings

    async def place(self, text: str) -> Path:
        """A folder or file that may be touched. Raises UsageError."""
        allowed = (*self.settings.downloads.allowed, self.settings.downloads.folder)
        return await self.threads.run(places.judge, text, allowed)

    def folder_for(self, category: str) -> Path:
        """Where torrents of a category go."""
        root = self.settings.downloads.folder.expanduser()
        return self.library.groups.folder(category, root)
