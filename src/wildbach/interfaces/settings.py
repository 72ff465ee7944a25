"""The settings of the client: those of the engine, and those of what is built on it."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.settings import section
from wildbach.engine.settings import Settings
from wildbach.services.library.settings import (
    DownloadSettings,
    QueueSettings,
    SeedingSettings,
    SlowModeSettings,
    TrashSettings,
)


@dataclass(frozen=True, slots=True)
class ClientSettings(Settings):
    """Everything that can be chosen for a daemon."""

    downloads: DownloadSettings = section(DownloadSettings, "Where torrents go, and how they begin.")
    queue: QueueSettings = section(QueueSettings, "How many run at a time.")
    seeding: SeedingSettings = section(SeedingSettings, "When a torrent has given enough.")
    slow_mode: SlowModeSettings = section(SlowModeSettings, "The alternative speed limits, and when they hold.")
    trash: TrashSettings = section(TrashSettings, "What was removed.")
