"""Torrents made of files on the daemon's machine."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from wildbach.base.errors import UsageError
from wildbach.disk.shelf import Shelf
from wildbach.engine.options import AddOptions
from wildbach.interfaces import maker, scan
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.jobs import Progress
from wildbach.protocol.metainfo import Metainfo
from wildbach.services.library.entry import Entry


class Making:
    """A part of the Api."""

    core: Core

    async def create_torrent(self, request: m.CreateRequest) -> m.Job:
        path = await self.core.place(request.path)
        target = await self.core.place(request.save_to) if request.save_to else None
        if target is not None and target.suffix != ".torrent":
            raise UsageError(f"{target}: the name of a torrent file ends with .torrent", code="bad_path")
        recipe = maker.Recipe(
            request.kind, request.piece_length, request.trackers, request.web_seeds, request.private, request.source,
            request.comment, int(time.time()),
        )
        # What is wrong with the path is told now, and not by a job that failed.
        found = await self.core.threads.run(scan.scan, path, request.exclude, target)
        return self.core.jobs.start(
            "create", str(path), partial(self._create, found, recipe, target, request.seed))

    async def _create(
        self, found: scan.Found, recipe: maker.Recipe, target: Path | None, seed: bool, progress: Progress,
    ) -> None:
        def hashed(done: int, total: int) -> None:
            progress.share = done / total if total else 1.0

        torrent = await maker.make(found, recipe, hashed)
        data = torrent.to_bytes()
        progress.result["key"] = torrent.info.hashes.key
        progress.result["size"] = len(data)
        self.core.made[torrent.info.hashes.key] = data
        while len(self.core.made) > 50:
            del self.core.made[next(iter(self.core.made))]
        if target is not None:
            await self.core.threads.run(Shelf(target.parent).put, target.name, data, time.time())
        if seed:
            await self._seed(torrent, found.root)

    async def _seed(self, torrent: Metainfo, root: Path) -> None:
        key = torrent.info.hashes.key
        if self.core.session.known(torrent.info.hashes) is None:
            await self.core.library.enlist(key, Entry())
            await self.core.session.add(torrent, AddOptions(save_path=root, seed_only=True))
            self.core.catalog.touch(key)

    async def created_file(self, id: str) -> bytes:
        job = self.core.jobs.view(id)
        data = self.core.made.get(str(job.result.get("key", "")))
        if job.kind != "create" or data is None:
            raise UsageError("that job has made no torrent file, or not yet", code="not_found")
        return data
