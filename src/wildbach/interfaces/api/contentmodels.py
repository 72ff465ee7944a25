"""What goes in and out of the Api about the cache: torrents that leave by themselves when room is needed. Sizes are in
bytes, times are seconds since 1970.
"""

from __future__ import annotations

from wildbach.interfaces.api.models import Amount, Failure, Job, Keys, Model, PathText


class CachedTorrent(Model, frozen=True):
    """One torrent of the cache."""

    key: str
    name: str
    owner: str
    "What it was fetched for: `stream`, `site`, `channel`."
    size: int
    "On the disk."
    planned: int
    "That, and what is still to come."
    used_at: float
    pinned: bool
    "It stays until it is unpinned, however full the cache is."
    in_use: bool
    "It is being read or checked just now, and stays for that long."


class StorageOwner(Model, frozen=True):
    torrents: int
    size: int


class Storage(Model, frozen=True):
    """The cache, and how full it is."""

    quota: int
    "As `content.quota` says."
    limit: int
    "What it may have now: less than the quota where the disk is nearly full."
    used: int
    planned: int
    "What it will have once all that is being fetched is here."
    free: int
    "What its disk has left; 0 where there is none."
    owners: dict[str, StorageOwner]
    torrents: tuple[CachedTorrent, ...]
    "The longest unused, which goes first, is the first."


class StoragePins(Model, frozen=True):
    """Torrents of the cache that are to stay, and those that need not any more."""

    pin: Keys = ()
    unpin: Keys = ()


class StorageKeeping(Model, frozen=True):
    """Torrents of the cache that are to be downloads of one's own."""

    keys: Keys
    folder: PathText = ""
    "Where their files are to go; empty: they stay where they are."


class StorageKept(Model, frozen=True):
    done: int
    failed: tuple[Failure, ...] = ()
    jobs: tuple[Job, ...] = ()
    "Their files on the way to the folder."


class StorageNeed(Model, frozen=True):
    size: Amount
    "Bytes that are to be free that are not."


class StorageFreed(Model, frozen=True):
    size: int
    "Bytes: fewer than were asked for where no more could go."


class StorageEviction(Model, frozen=True):
    keys: Keys
