"""One torrent takes the place of another: the one that a followed link leads to now of the one it led to before.

The metadata of the new one comes first. Then the old one lets go of its files, the new one opens them, fetches what
differs, and the old one is removed. Half a change is none, and a file that was not the old one's is never overwritten
unasked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol

from wildbach.base.errors import WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.disk.layout import Layout, look
from wildbach.disk.resume import ResumeStore
from wildbach.engine import events
from wildbach.engine.following import Following
from wildbach.engine.options import AddOptions
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.runtime.bus import Bus
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

_SETTLED: Final = (State.DOWNLOADING, State.SEEDING, State.STOPPED)


class Library(Protocol):
    """What following needs of a session."""

    async def add(self, source: Magnet, options: AddOptions | None = None) -> Torrent: ...

    def torrent(self, key: str) -> Torrent | None: ...

    async def remove(self, torrent: Torrent, delete_files: bool = False) -> None: ...


class Exchange:
    """`saved` writes down how far a link has led."""

    def __init__(
        self, library: Library, scope: Scope, store: ResumeStore, threads: Threads, bus: Bus,
        saved: Callable[[Following], Awaitable[None]],
    ) -> None:
        self._library = library
        self._scope = scope
        self._store = store
        self._threads = threads
        self._bus = bus
        self._saved = saved

    async def wait(self, one: Following, seconds: float) -> None:
        """Until it is to be looked up again; a torrent whose metadata comes meanwhile takes the old one's place."""
        until = asyncio.get_running_loop().time() + seconds
        pending = one.pending
        if pending is not None:
            try:
                async with asyncio.timeout_at(until):
                    await _first(one.look.wait(), pending.metadata(), self._scope)
            except TimeoutError:
                return
            except WildbachError as error:
                one.reason = error.message
            if not one.look.is_set() and pending.info is not None:
                # Not within the time limit: half a change is none.
                await self._replace(one, pending)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await one.look.wait()

    async def lead(self, one: Following, seq: int, hashes: InfoHashes) -> None:
        """The link leads to this torrent: it is there, or it is fetched."""
        there = self._library.torrent(one.place)
        if there is not None and there.hashes.matches(hashes):
            await self._settle(one, seq, there)
        elif one.pending is None or not one.pending.hashes.matches(hashes):
            await self._fetch(one, seq, hashes)
        else:
            one.pending_seq = seq

    async def _fetch(self, one: Following, seq: int, hashes: InfoHashes) -> None:
        """Begin with another torrent than the one that is there."""
        if one.pending is not None:
            await self._library.remove(one.pending)
            one.pending = None
        former = one.place if one.place != hashes.key else ""
        options = one.options if not former else replace(one.options, metadata_only=True)
        torrent = await self._library.add(magnet_of(one, hashes), options)
        if not former:
            await self._settle(one, seq, torrent)
        else:
            one.pending, one.pending_seq = torrent, seq

    async def _replace(self, one: Following, new: Torrent) -> None:
        """The metadata of the new torrent is here: it takes over the files and the place of the old one."""
        old = self._library.torrent(one.place)
        paused = old is not None and old.state is State.PAUSED
        ours = await self._threads.run(_paths, self._store, one.place)
        options = replace(
            new.options, metadata_only=one.options.metadata_only, existing=one.options.existing,
            similar=old.hashes.swarms if old is not None else (),
        )
        foreign = "" if new.info is None else await self._threads.run(_foreign, new.info, options, ours)
        if not foreign:
            options = replace(options, existing="overwrite")
        if old is not None:
            await old.pause()
        new.change_options(options)
        if foreign and options.existing == "stop":
            new.life.stop(
                f"{foreign} is in the way and does not belong to the torrent that this one replaces: move it, then go "
                "on",
                "target_exists",
            )
        else:
            await self._opened(new)
        if new.state is State.STOPPED:
            # The old one stays in its place until there is a newer one.
            one.reason, one.seq, one.pending = new.reason, one.pending_seq, None
            if old is not None and not paused:
                await old.resume()
            await self._saved(one)
            return
        if paused:
            await new.pause()
        one.pending = None
        await self._settle(one, one.pending_seq, new)
        if old is not None:
            await self._library.remove(old)

    async def _opened(self, new: Torrent) -> None:
        """Go on with a torrent until it is known what is on the disk."""
        with self._bus.subscribe(events.StateChanged) as changes:
            await new.resume()
            while new.state not in _SETTLED:
                await anext(changes)

    async def _settle(self, one: Following, seq: int, torrent: Torrent) -> None:
        """The link leads to this torrent."""
        former, one.place = one.place, torrent.key
        changed = one.withheld or seq != one.seq or former != torrent.key
        one.seq = one.pending_seq = seq
        one.withheld = False
        one.reason = ""
        one.found.set()
        if changed:
            await self._saved(one)
            self._bus.publish(events.MutableUpdated(
                torrent.key, one.link.public_key.hex(), one.link.salt.hex(), seq, former
            ))


def magnet_of(one: Following, hashes: InfoHashes) -> Magnet:
    """A torrent, with what the link says of each."""
    return Magnet(hashes, one.link.name, one.link.trackers, peers=one.link.peers)


async def _first(one: Awaitable[object], two: Awaitable[object], scope: Scope) -> None:
    """Wait for either; the other one is ended. An error of either is raised."""
    errors: list[Exception] = []

    async def run(work: Awaitable[object]) -> None:
        await work

    tasks = [scope.spawn("wait", run(work), contain=errors.append) for work in (one, two)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    if errors:
        raise errors[0]


def _paths(store: ResumeStore, key: str) -> dict[str, None]:
    """The files that a torrent has, by what the store knows of it."""
    record, raw = store.load(key) if key else None, store.metainfo(key) if key else None
    if record is None or raw is None:
        return {}
    try:
        info = Metainfo.parse(raw).info
    except WildbachError:
        return {}
    root = record.incomplete_path or record.save_path
    return _all_paths(info, Layout(root, record.layout, record.renames, record.suffix))


def _all_paths(info: Info, layout: Layout) -> dict[str, None]:
    names = [layout.path(info, number) for number in range(len(info.files))]
    return dict.fromkeys((*names, *(name + layout.suffix for name in names)))


def _foreign(info: Info, options: AddOptions, ours: dict[str, None]) -> str:
    """What lies at the place of one of a torrent's files and does not belong to the torrent it replaces; empty where
    there is nothing. Else a publisher could have files overwritten that were never his.
    """
    layout = Layout(str(options.save_path.absolute()), options.layout, {}, options.suffix)
    there = look(info, layout)
    found = [layout.path(info, number) for number in there.existing]
    return next((path for path in (*there.obstacles, *found) if path not in ours), "")
