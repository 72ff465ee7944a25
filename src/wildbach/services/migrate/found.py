"""What was found in the state folder of another client, as values of ours that were checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wildbach.base.ids import InfoHashes
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet


class Client(StrEnum):
    """The programs whose state is read."""

    QBITTORRENT = "qbittorrent"
    TRANSMISSION = "transmission"
    DELUGE = "deluge"
    RTORRENT = "rtorrent"

    @property
    def label(self) -> str:
        """As its makers write it."""
        return _LABELS[self]


_LABELS = {
    Client.QBITTORRENT: "qBittorrent", Client.TRANSMISSION: "Transmission", Client.DELUGE: "Deluge",
    Client.RTORRENT: "rTorrent",
}


class Start(StrEnum):
    """Whether the torrent was to run."""

    STOPPED = "stopped"
    "The user stopped or paused it."
    QUEUED = "queued"
    "It runs, or waits until the queue lets it."
    FORCED = "forced"
    "It runs whatever the queue says."


@dataclass(frozen=True, slots=True)
class State:
    """The state of one client, found and not read yet."""

    client: Client
    path: Path
    "The folder with the torrents, or the database."
    config: Path | None
    "The folder with settings, categories and labels; None where there is none."
    count: int
    "Torrents that seem to be there."
    running: str = ""
    "Why the client seems to run right now, in words; empty where nothing says so."


@dataclass(frozen=True, slots=True)
class Category:
    """A category (qBittorrent) or label (Deluge) with the folders it stands for."""

    name: str
    save_path: Path | None = None
    "None where it has none, or one that means nothing here."
    incomplete_path: Path | None = None


@dataclass(frozen=True, slots=True)
class General:
    """What holds for all torrents of a client."""

    save_path: Path | None = None
    "Where the client puts new torrents."
    incomplete_path: Path | None = None
    "Where it keeps what is not complete; None where that is off."
    suffix: str = ""
    "What it appends to names of files that are not complete."
    categories: tuple[Category, ...] = ()
    notes: tuple[str, ...] = ()
    "What could not be read, in words."


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one torrent. Of the last three, None means as in general, and infinity means none at all."""

    down: int = 0
    up: int = 0
    "Bytes a second, 0 for none."
    ratio: float | None = None
    "Stop seeding when so many times the size was given."
    seeding_seconds: float | None = None
    "Stop after so long of seeding."
    idle_seconds: float | None = None
    "Stop when nothing was asked for in so long."


@dataclass(frozen=True, slots=True)
class Found:
    """One torrent. Either `metainfo` or `magnet` is there."""

    client: Client
    hashes: InfoHashes
    name: str
    "As the client shows it."
    metainfo: Metainfo | None = None
    "With the trackers and web seeds as the user edited them."
    magnet: Magnet | None = None
    "Where the client has no metadata yet."
    save_path: Path | None = None
    "Where the files are, or go once complete. None where the client's path means nothing here: `lost` says why."
    said_path: str = ""
    "The same in the client's words."
    incomplete_path: Path | None = None
    "Where the files are until they are complete; None where that is `save_path`."
    layout: str = "original"
    "See `AddOptions.layout`."
    suffix: str = ""
    "What the names of files that are not complete end in."
    renames: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    "Files that have other paths below `save_path`, by the number of the file in `metainfo.info.files`."
    priorities: tuple[int, ...] = ()
    "0 (not wanted) to 7 for each file; empty where all are alike."
    complete: bool = False
    "The client claims all that is wanted. `lacking` says whether the files are there."
    start: Start = Start.QUEUED
    queue: int | None = None
    "The place in the client's queue, from 0."
    category: str = ""
    tags: tuple[str, ...] = ()
    trackers: tuple[tuple[str, ...], ...] = ()
    "Tiers, as the user edited them."
    sequential: bool = False
    super_seed: bool = False
    follows: bool = False
    "Its folder was that of its category, and moved with it."
    limits: Limits = Limits()
    added_at: float | None = None
    completed_at: float | None = None
    "Seconds since 1970."
    active_seconds: int = 0
    seeding_seconds: int = 0
    uploaded: int = 0
    downloaded: int = 0
    "Bytes so far."
    lost: tuple[str, ...] = ()
    "What could not be taken over of this torrent, in words."

    @property
    def torrent(self) -> bytes | None:
        """The torrent file."""
        return self.metainfo.to_bytes() if self.metainfo is not None else None

    @property
    def source(self) -> Metainfo | Magnet:
        """What `Session.add` takes."""
        return self.metainfo or self.magnet or Magnet(self.hashes, self.name)

    def wanted(self, index: int) -> bool:
        """Whether the client was to fetch this file."""
        return not self.priorities or self.priorities[index] > 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that looks like a torrent of the client and could not be read at all."""

    client: Client
    name: str
    "Of the file or entry."
    reason: str
