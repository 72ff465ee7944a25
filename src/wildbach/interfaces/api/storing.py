"""The cache: what is in it, what stays, and what becomes a download of one's own."""

from __future__ import annotations

from pathlib import Path

from wildbach.base.words import plural
from wildbach.engine.content import ContentStore
from wildbach.interfaces.api import contentmodels as cm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.acting import Acting


class Storing(Acting):
    """A part of the Api."""

    async def storage(self) -> cm.Storage:
        view = await self._cache.view()
        library = self.core.library
        return cm.Storage(
            view.quota, view.limit, view.used, view.planned, view.free,
            {owner: cm.StorageOwner(count, size) for owner, (count, size) in view.owners.items()},
            tuple(cm.CachedTorrent(
                one.key, library.entry(one.key).name or one.name, one.owner, one.size, one.planned, one.used_at,
                one.pinned, one.in_use) for one in view.torrents))

    async def pin_storage(self, pins: cm.StoragePins) -> m.Outcome:
        pinned = await self.each_key(pins.pin, self._cache.pin)
        unpinned = await self.each_key(pins.unpin, self._cache.unpin)
        return m.Outcome(pinned.done + unpinned.done, (*pinned.failed, *unpinned.failed))

    async def keep_storage(self, keeping: cm.StorageKeeping) -> cm.StorageKept:
        # A folder that may not be is said before anything is done.
        folder = await self.core.place(keeping.folder) if keeping.folder else None
        jobs: list[m.Job] = []

        async def keep(key: str) -> None:
            await self._keep_one(key, folder, jobs)

        came = await self.each_key(keeping.keys, keep)
        return cm.StorageKept(came.done, came.failed, tuple(jobs))

    async def _keep_one(self, key: str, folder: Path | None, jobs: list[m.Job]) -> None:
        await self._cache.keep(key)
        torrent = self.core.catalog.torrent(key)
        self.core.log.write("info", f"{torrent.name} is kept: it is no cache any more", key)
        self.core.library.kept(key)
        if folder is not None:
            jobs.append(self._start_move(torrent, folder))

    async def free_storage(self, need: cm.StorageNeed) -> cm.StorageFreed:
        freed = await self._cache.free(need.size)
        self.core.log.write("info", f"{plural(freed, 'byte')} of the cache were freed")
        return cm.StorageFreed(freed)

    async def evict_storage(self, eviction: cm.StorageEviction) -> m.Outcome:
        return await self.evict_all(eviction.keys)

    @property
    def _cache(self) -> ContentStore:
        return self.core.session.content
