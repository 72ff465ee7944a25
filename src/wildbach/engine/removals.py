"""Removing torrents with their files, to the end: also after a kill in the middle.

A removal is written down before the first file goes, and struck out after the torrent was forgotten. What is written
down when a run begins is not listed as a torrent any more: the rest of its files goes, then it is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

from wildbach.base.errors import StorageError, WildbachError
from wildbach.disk.layout import Layout
from wildbach.disk.moving import delete, layouts_of
from wildbach.disk.parts import parts_name
from wildbach.disk.registry import PathRegistry, Places
from wildbach.disk.resume import ResumeStore
from wildbach.engine.brief import UNOPENED
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.runtime.turns import in_turns
from wildbach.runtime.workers import Threads

log = logging.getLogger(__name__)

AREA: Final = "removals"
"Where the store keeps the keys of torrents whose files are going."
_SLICE: Final = 2000
"Torrents looked at in one turn of the loop."


class RemovalsOwner(Protocol):
    @property
    def torrents(self) -> Sequence[Torrent]: ...

    def torrent(self, key: str) -> Torrent | None: ...


class Removals:
    """One at a time. `wake_up` opens a torrent that sleeps: before, nobody knows which files are its own."""

    def __init__(
        self, owner: RemovalsOwner, threads: Threads, store: ResumeStore, paths: PathRegistry,
        wake_up: Callable[[str], Awaitable[None]], *, lasting: bool,
    ) -> None:
        """Where the store is not `lasting`, no run before this one can have left anything."""
        self._owner = owner
        self._threads = threads
        self._store = store
        self._paths = paths
        self._wake_up = wake_up
        self._gate = asyncio.Lock()
        self._marked: set[str] | None = None if lasting else set()

    async def marked(self) -> set[str]:
        """The keys of those that are going. Raises StorageError."""
        if self._marked is None:
            found = await self._threads.run(self._store.kept, AREA)
            if self._marked is None:
                self._marked = set(found)
        return self._marked

    async def recorded(self, key: str, info: Info) -> list[Layout]:
        """Where the files of a torrent are that is not open; nothing where nobody looked for them yet. Raises
        StorageError.
        """
        record = await self._threads.run(self._store.load, key)
        if record is None or record.options.get(UNOPENED) is True:
            return []
        layouts = layouts_of(record)
        self._paths.register(key, [top for layout in layouts for top in layout.tops(info)])
        return layouts

    async def wake_near(self, info: Info, layouts: Sequence[Layout]) -> None:
        """Torrents that may share files with this one are woken, to say which these are."""
        places = Places(top for layout in layouts for top in layout.tops(info))
        async for sleeper in in_turns(tuple(self._owner.torrents), _SLICE):
            if sleeper.asleep and _may_meet(sleeper, places):
                await self._wake_up(sleeper.key)

    async def remove(
        self, key: str, info: Info, layouts: Sequence[Layout], let_go: Callable[[], Awaitable[None]],
    ) -> None:
        """Delete the files of a torrent that `let_go` closes, but for those that others have, and forget it. Raises
        StorageError.
        """
        async with self._gate:
            marked = await self.marked()
            try:
                await self._mark(key, b"1")
                marked.add(key)
            except StorageError as error:
                # On a full disk only removing makes room.
                if error.code != "disk_full":
                    raise
            await let_go()
            try:
                await self._delete(key, info, layouts)
            except StorageError:
                await self._forget(key)
                raise
            await self._forget(key)

    async def over(self, key: str) -> None:
        """Returns when nothing of a torrent with this key is being removed. Raises StorageError."""
        if key in await self.marked():
            async with self._gate:
                if key in await self.marked():
                    await self._finish(key)

    async def go_on(self) -> None:
        """With what the last run did not finish."""
        for key in sorted(await self.marked()):
            if self._owner.torrent(key) is None:
                await self.over(key)

    async def _finish(self, key: str) -> None:
        record, raw = await self._threads.run(self._store.load, key), await self._threads.run(self._store.metainfo, key)
        name = key if record is None else record.name or key
        try:
            if record is not None and raw is not None:
                info = (await self._threads.run(Metainfo.parse, raw)).info
                layouts = layouts_of(record)
                self._paths.register(key, [top for layout in layouts for top in layout.tops(info)])
                await self.wake_near(info, layouts)
                await self._delete(key, info, layouts)
        except WildbachError as error:
            log.warning("files of %s, which was removed, are still there: %s", name, error)
        else:
            log.info("the removal of %s that was cut off is finished", name)
        finally:
            self._paths.unregister(key)
        await self._forget(key)

    async def _delete(self, key: str, info: Info, layouts: Sequence[Layout]) -> None:
        others = [
            (other.info, layout) for neighbour in await self._threads.run(self._paths.neighbours, key)
            if (other := self._owner.torrent(neighbour)) is not None and other.info is not None
            for layout in other.layouts
        ]
        await self._threads.run(partial(delete, info, layouts, others, parts_file=parts_name(key)))

    async def _forget(self, key: str) -> None:
        await self._threads.run(self._store.remove, key)
        marked = await self.marked()
        if key in marked:
            await self._mark(key, None)
            marked.discard(key)

    async def _mark(self, key: str, value: bytes | None) -> None:
        await self._threads.run(partial(self._store.keep, AREA, {key: value}, durable=True))


def _may_meet(sleeper: Torrent, places: Places) -> bool:
    """Whether a torrent whose files are not at hand may have some of these. Of most the name says where all are."""
    options = sleeper.options
    roots = [str(options.save_path.absolute())]
    if options.incomplete_path is not None:
        roots.append(str(options.incomplete_path.absolute()))
    if options.layout == "none" or options.renames:
        return any(places.meet(root) for root in roots)
    names = {sleeper.name, os.path.splitext(sleeper.name)[0]}
    return any(places.meet(os.path.join(root, name)) for root in roots for name in names)
