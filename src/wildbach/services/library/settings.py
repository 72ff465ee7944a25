"""The settings of the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wildbach.base.settings import Section, setting

ACTIONS = ("stop", "remove", "remove_files", "super_seed")


@dataclass(frozen=True, slots=True)
class DownloadSettings(Section):
    folder: Path = setting(Path("~/Downloads"), "Where torrents go that nothing else is said of.", live=True)
    incomplete_folder: str = setting(
        "", "Where files are until they are complete; empty: where they belong at once.", live=True)
    incomplete_suffix: str = setting("", "Appended to the names of files until they are complete, as .part.", live=True)
    layout: str = setting(
        "original", "Whether a torrent has a folder of its own: as it was made, always, or never.", live=True,
        choices=("original", "subfolder", "none"),
    )
    start: bool = setting(True, "Start what is added.", live=True)
    auto: bool = setting(
        False, "Let the folders of added torrents follow their categories, also when these change.", live=True)
    allowed: tuple[str, ...] = setting(
        ("~", "/media", "/mnt", "/data", "/downloads", "/srv", "/storage", "/tmp", "/run/media", "/config"),
        "Folders below which torrents may be put, and that can be looked into, by the API. Never folders of the home "
        "folder whose names begin with a dot. The API does not change this setting.",
        live=True,
    )
    exclude: tuple[str, ...] = setting((), "Shell patterns of files that are never fetched, as *.exe.", live=True)
    recheck: bool = setting(False, "Hash everything once more when a download is complete.", live=True)
    watch: tuple[str, ...] = setting(
        (), "Folders where torrent files and .magnet files are picked up: PATH, or PATH=CATEGORY.", live=True)


@dataclass(frozen=True, slots=True)
class QueueSettings(Section):
    enabled: bool = setting(True, "Let some torrents run at a time, and others wait their turn.", live=True)
    downloads: int = setting(5, "Downloads at a time; 0: any number.", live=True, min=0, max=100_000)
    seeds: int = setting(
        0, "Complete torrents at a time that are seeded; 0: any number. Those that nobody asks for cost hardly "
        "anything.",
        live=True, min=0, max=1_000_000)
    total: int = setting(0, "Torrents at a time in all; 0: any number.", live=True, min=0, max=1_000_000)
    slow_down: int = setting(
        2048, "A download that for slow_seconds gets fewer bytes a second does not count; 0: all count.", live=True,
        min=0, unit="B/s")
    slow_up: int = setting(
        2048, "The same for the upload of a complete torrent.", live=True, min=0, unit="B/s")
    slow_seconds: int = setting(60, "How long it has to be slow.", live=True, min=5, max=86_400)


@dataclass(frozen=True, slots=True)
class SeedingSettings(Section):
    ratio: float = setting(-1.0, "Seed until so many times the size was given; -1: no limit.", live=True, min=-1,
                           max=1e9)
    seconds: int = setting(-1, "Seed for so long; -1: no limit.", live=True, min=-1)
    idle_seconds: int = setting(-1, "Seed until for so long nobody took anything; -1: no limit.", live=True, min=-1)
    action: str = setting("stop", "What is done at a limit.", live=True, choices=ACTIONS)


@dataclass(frozen=True, slots=True)
class SlowModeSettings(Section):
    down: int = setting(
        10 << 20, "Download limit in slow mode, in bytes a second; 0: none.", live=True, min=0, unit="B/s")
    up: int = setting(
        1 << 20, "Upload limit in slow mode, in bytes a second; 0: none.", live=True, min=0, unit="B/s")
    scheduled: bool = setting(False, "Turn slow mode on and off by the clock.", live=True)
    start: str = setting("08:00", "When it begins, HH:MM of local time.", live=True)
    end: str = setting("20:00", "When it ends; before `start`: on the next day.", live=True)
    days: tuple[str, ...] = setting(
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "The days on which it begins.", live=True)


@dataclass(frozen=True, slots=True)
class TrashSettings(Section):
    hours: float = setting(
        72.0, "How long removed torrents can be had back, with their files; 0: not at all.", live=True, min=0,
        max=8760)


@dataclass(frozen=True, slots=True)
class LeechSettings(Section):
    clients: tuple[str, ...] = setting(
        (), "Patterns of client names that are not served, as *Xunlei*: such peers are banned, with that reason.",
        live=True)
    cheats: bool = setting(
        False, "Ban peers that were given more than the whole torrent and still say that they have little of it.",
        live=True)
    hours: float = setting(24.0, "How long such a ban lasts.", live=True, min=0.1, max=8760)
