"""The content store: where whole files lie, and what of them is only cache.

A torrent that was added with `AddOptions.cache` is removed with its files when room is needed. Never one that is
pinned or in use, and never a file that another torrent has: it goes by the same steps as a removal that the user asks
for (`engine.removals`), so a kill in the middle leaves nothing half. All else stays until its user says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from wildbach.base.errors import StorageError, UsageError
from wildbach.disk import system
from wildbach.disk.resume import ResumeStore
from wildbach.engine import events, eviction, reuse
from wildbach.engine.brief import FIELD
from wildbach.engine.contentviews import Cached, CachedView, ContentView, sizes_of, view_of
from wildbach.engine.eviction import Bounds, Need, Stock
from wildbach.engine.options import AddOptions
from wildbach.engine.reuse import Place
from wildbach.engine.settings import ContentSettings
from wildbach.engine.state import State
from wildbach.runtime.bus import Bus
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

log = logging.getLogger(__name__)

AREA: Final = "content"
"Where the store keeps when cache torrents were used, and which are pinned, by key."
FOLDER: Final = "cache"
"Of the data directory."
_LOOK_SECONDS: Final = 30.0


class ContentOwner(Protocol):
    """The session."""

    def torrent(self, key: str) -> Cached | None: ...

    async def evict(self, key: str) -> None:
        """Remove a torrent with the files that no other one has."""
        ...


@dataclass(slots=True)
class _Use:
    used_at: float
    "In seconds of wall clock time."
    pinned: bool = False


class ContentStore:
    """`session.content`. A torrent that is not cache is not known here, but for `places` and `claim`."""

    def __init__(
        self, owner: ContentOwner, scope: Scope, threads: Threads, store: ResumeStore, bus: Bus, *,
        settings: Callable[[], ContentSettings], report: Callable[[Exception], None], folder: Path | None,
        real: bool = True, now: Callable[[], float] = time.time,
    ) -> None:
        """`folder` has the cache; None where there is no data directory. `real`: torrents are on real disks."""
        self._owner = owner
        self._scope = scope
        self._threads = threads
        self._store = store
        self._bus = bus
        self._settings = settings
        self._report = report
        self.folder = folder
        self._real = real
        self._now = now
        self._uses: dict[str, _Use] = {}
        "Of all cache torrents."
        self._read: dict[str, _Use] = {}
        "Of those of the last run that are not listed yet."
        self._unwritten: set[str] = set()
        self._claims: Counter[str] = Counter()
        self._going: dict[str, asyncio.Event] = {}
        "Those that are being removed for room; set once they are gone."
        self._gate = asyncio.Lock()
        "One makes room at a time."
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self) -> None:
        self._scope.spawn("content", self._help_full(), contain=self._report)

    async def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        with contextlib.suppress(StorageError):
            await self._write()

    # -- where whole files are

    async def places(self, root: bytes) -> tuple[Place, ...]:
        """Where a file with this `pieces root` (v2), or with this SHA-1, lies that a torrent of the session verified
        whole. A hint: who takes bytes from there hashes them. Raises StorageError.
        """
        return await self._threads.run(reuse.places, self._store, root)

    # -- told by the session

    async def load(self) -> None:
        """What the last run knew of its cache; before its torrents are listed. Raises StorageError."""
        for key, raw in (await self._threads.run(self._store.kept, AREA)).items():
            try:
                row = json.loads(raw)
                self._read[key] = _Use(float(row["used"]), row["pinned"] is True)
            except (ValueError, KeyError, TypeError):
                continue

    async def settle(self) -> None:
        """All torrents are listed: what is remembered of others is forgotten. Raises StorageError."""
        gone, self._read = self._read, {}
        if gone:
            await self._threads.run(self._store.keep, AREA, dict.fromkeys(gone))
        if self.folder is not None:
            await self._threads.run(self._tidy, self.folder)

    def _tidy(self, folder: Path) -> None:
        """A kill may have left the empty folder of a torrent that is gone."""
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                if self._owner.torrent(name) is None:
                    with contextlib.suppress(OSError):
                        os.rmdir(folder / name)

    def placed(self, key: str, options: AddOptions) -> AddOptions:
        """A cache torrent without a folder gets one of its own. Raises UsageError where there is no cache."""
        if not options.cache or options.save_path != Path():
            return options
        if self.folder is None:
            raise UsageError("a cache needs a data directory, or a save_path")
        return replace(options, save_path=self.folder / key)

    def listed(self, torrent: Cached) -> None:
        """The session has it from now on."""
        key = torrent.key
        if torrent.options.cache:
            known = self._read.pop(key, None)
            self._uses[key] = known if known is not None else _Use(self._now())
            if known is None:
                self._unwritten.add(key)
            self._arm()

    def forgotten(self, key: str) -> None:
        """It has it no more."""
        if self._uses.pop(key, None) is not None:
            self._unwritten.add(key)

    def review(self) -> None:
        """The settings changed."""
        self._look()

    async def over(self, key: str) -> None:
        """Returns when this torrent is not being removed for room."""
        gone = self._going.get(key)
        if gone is not None:
            await gone.wait()

    # -- use

    @contextlib.contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """A torrent is in use, and stays, inside this block. Raises StorageError, code `going`, where it is being
        removed just now: add it again.
        """
        self._stays(key)
        self._claims[key] += 1
        self.touch(key)
        try:
            yield
        finally:
            self.touch(key)
            self._claims[key] -= 1
            if not self._claims[key]:
                del self._claims[key]

    def _stays(self, key: str) -> None:
        if key in self._going:
            raise StorageError("it is being removed from the cache, which is full", code="going")

    def touch(self, key: str) -> None:
        """A torrent was used."""
        use = self._uses.get(key)
        if use is not None:
            use.used_at = self._now()
            self._unwritten.add(key)
            self._arm()

    async def pin(self, key: str) -> None:
        """It stays until it is unpinned, also over restarts. Raises UsageError for what is no cache torrent."""
        await self._set_pin(key, True)

    async def unpin(self, key: str) -> None:
        await self._set_pin(key, False)

    async def _set_pin(self, key: str, pinned: bool) -> None:
        use = self._use(key)
        self._stays(key)
        before, use.pinned = use.pinned, pinned
        try:
            await self._threads.run(self._keep_one, key, use)
        except StorageError:
            use.pinned = before
            raise

    def _keep_one(self, key: str, use: _Use) -> None:
        self._store.keep(AREA, {key: _to_bytes(use)}, durable=True)

    def _use(self, key: str) -> _Use:
        use = self._uses.get(key)
        if use is None:
            raise UsageError("that is no torrent of the cache", code="not_found")
        return use

    async def keep(self, key: str, folder: Path | None = None) -> None:
        """A cache torrent is the user's own from now on; with `folder` its files move there. Raises UsageError for
        what is no cache torrent, StorageError where it cannot be written down or moved.
        """
        self._use(key)
        self._stays(key)
        torrent = self._owner.torrent(key)
        if torrent is None:
            raise UsageError("that is no torrent of the cache", code="not_found")
        with self.claim(key):
            before = torrent.options
            torrent.change_options(replace(before, cache=""))
            try:
                await self._threads.run(self._store.change, FIELD, {key: torrent.written()})
            except StorageError:
                torrent.change_options(replace(torrent.options, cache=before.cache))
                raise
            self.forgotten(key)
            await self._write()
            if torrent.code == "cache_full":
                await torrent.resume()
            if folder is not None:
                await torrent.move(folder)

    # -- room

    async def admit(self, key: str, planned: int) -> None:
        """A cache torrent is about to have so many bytes on disk: others go where there is no room. Raises
        StorageError, code `cache_full`, where there is none after that either.
        """
        torrent = self._owner.torrent(key)
        if key not in self._uses or torrent is None or key in self._going:
            return
        self.touch(key)
        with self.claim(key):
            if not await self._make_room(torrent, planned=planned):
                raise StorageError(
                    f"the cache is full: this needs {planned:,} bytes. Unpin or remove something, raise content.quota, "
                    "or keep it as a download of your own", code="cache_full",
                )

    async def evict(self, key: str) -> None:
        """Remove a cache torrent with its files now. Raises UsageError, code `in_use` or `pinned`, where it stays."""
        use = self._use(key)
        if use.pinned:
            raise UsageError("it is pinned: unpin it first", code="pinned")
        if self._busy(key):
            raise UsageError("it is in use", code="in_use")
        async with self._gate:
            await self._remove(key)

    async def free(self, size: int) -> int:
        """Remove what was not used for the longest time, until `size` bytes are free that were not. Returns how many
        that are: fewer where there is no more. Raises StorageError.
        """
        async with self._gate:
            stocks = await self._stocks()
            sizes = {one.key: one.present for one in stocks}
            return sum([sizes[key] for key in eviction.oldest(stocks, size) if await self._try_remove(key)])

    def _busy(self, key: str) -> bool:
        torrent = self._owner.torrent(key)
        reading = torrent is None or torrent.state is State.CHECKING
        return reading or key in self._going or bool(self._claims[key])

    async def _make_room(self, torrent: Cached | None, *, planned: int = 0, more: int = 0) -> bool:
        """Whether there is room for all that is planned, with so much for this torrent, and `more` bytes where it is.
        Only a choice that makes enough room is carried out.
        """
        async with self._gate:
            while True:
                stocks = await self._stocks(torrent, planned)
                wanted = await self._need(stocks, torrent, more)
                if wanted.met:
                    return True
                chosen = eviction.choose(stocks, wanted)
                if chosen is None:
                    return False
                if not any([await self._try_remove(key) for key in chosen]):
                    return False
                more = 0

    async def _need(self, stocks: Sequence[Stock], torrent: Cached | None, more: int) -> Need:
        chosen = self._settings()
        bounds = Bounds(chosen.quota, chosen.disk_percent, chosen.min_free)
        if not self._real:
            return Need(sum(one.planned for one in stocks) - bounds.quota, more, 0)
        device, free = await self._threads.run(self._device, self._root(torrent))
        found = eviction.need(stocks, bounds, device, free)
        return replace(found, there=max(found.there, more))

    def _root(self, torrent: Cached | None) -> str:
        if torrent is None:
            return str(self.folder) if self.folder is not None else ""
        layouts = torrent.layouts
        return layouts[0].root if layouts else str(torrent.options.save_path.absolute())

    def _device(self, path: str) -> tuple[int, int]:
        """The file system that has a path, which may not be there yet, and the bytes it has left."""
        while True:
            try:
                return os.stat(path or "/").st_dev, system.free_space(path or "/")
            except FileNotFoundError:
                path = os.path.dirname(path)
            except OSError as error:
                raise system.storage_error(error, "look at", path) from error

    async def _stocks(self, chosen: Cached | None = None, planned: int = 0) -> list[Stock]:
        """All cache torrents; of one is known better what is planned for it."""
        found: list[tuple[str, str, int, int, _Use]] = []
        for key, use in self._uses.items():
            torrent = self._owner.torrent(key)
            if torrent is not None:
                size, coming = sizes_of(torrent)
                if torrent is chosen:
                    coming = max(planned, size)
                found.append((key, self._root(torrent), size, coming, use))
        devices = await self._threads.run(self._devices, {root for _, root, *_ in found}) if self._real else {}
        return [
            Stock(key, size, coming, use.used_at, not use.pinned and not self._busy(key), devices.get(root, 0))
            for key, root, size, coming, use in found
        ]

    def _devices(self, roots: set[str]) -> dict[str, int]:
        return {root: self._device(root)[0] for root in roots}

    async def _try_remove(self, key: str) -> bool:
        use = self._uses.get(key)
        if use is None or use.pinned or self._busy(key):
            return False
        try:
            await self._remove(key)
        except StorageError as error:
            log.warning("%s cannot be removed from the cache: %s", key, error)
            return False
        return True

    async def _remove(self, key: str) -> None:
        """Whoever waits for this may go: what was begun is brought to an end."""
        failed: list[Exception] = []
        if self._busy(key):
            raise UsageError("it is in use", code="in_use")
        self._going[key] = asyncio.Event()
        await asyncio.wait([self._scope.spawn(f"evict:{key[:8]}", self._removal(key), contain=failed.append)])
        if failed:
            raise failed[0]

    async def _removal(self, key: str) -> None:
        try:
            torrent = self._owner.torrent(key)
            if torrent is None:
                return
            size, folder = sizes_of(torrent)[0], torrent.options.save_path
            name, owner = torrent.name, torrent.options.cache
            await self._owner.evict(key)
            if self.folder is not None and self.folder in folder.parents:
                await self._threads.run(_remove_empty, folder)
            self._bus.publish(events.CacheEvicted(key, name, owner, size))
        finally:
            self._going.pop(key).set()

    # -- now and then

    async def _help_full(self) -> None:
        """A torrent that stopped because the disk is full goes on once the cache made room."""
        with self._bus.subscribe(events.TorrentStopped) as stops:
            async for event in stops:
                if not isinstance(event, events.TorrentStopped) or event.code != "disk_full" or not self._uses:
                    continue
                torrent = self._owner.torrent(event.torrent)
                if torrent is None or torrent.state is not State.STOPPED or torrent.code != event.code:
                    continue
                size, coming = sizes_of(torrent, going_on=True)
                before = set(self._uses)
                with contextlib.suppress(StorageError):
                    room = await self._make_room(torrent, planned=coming, more=max(1, coming - size))
                    if room and before - set(self._uses) and self._owner.torrent(torrent.key) is torrent:
                        await torrent.resume()

    def _arm(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._closed and (self._uses or self._unwritten):
            self._scope.spawn("look", self._tend(), contain=self._report)

    async def _tend(self) -> None:
        """Write down what was used, and give room back where others filled the disk or the quota is smaller."""
        try:
            await self._write()
            if self._uses:
                await self._make_room(None)
        except StorageError as error:
            log.warning("the cache could not be looked after: %s", error)
        if self._uses:
            self._arm()

    async def _write(self) -> None:
        keys, self._unwritten = self._unwritten, set()
        rows: Mapping[str, bytes | None] = {
            key: _to_bytes(self._uses[key]) if key in self._uses else None for key in sorted(keys)}
        if rows:
            await self._threads.run(self._store.keep, AREA, rows)

    # -- looking

    async def view(self) -> ContentView:
        """The cache as it is. Raises StorageError where its disk cannot be looked at."""
        rows = []
        for key, use in self._uses.items():
            torrent = self._owner.torrent(key)
            if torrent is not None:
                size, planned = sizes_of(torrent)
                rows.append(CachedView(
                    key, torrent.name, torrent.options.cache, size, planned, use.used_at, use.pinned,
                    self._busy(key),
                ))
        settings = self._settings()
        bounds = Bounds(settings.quota, settings.disk_percent, settings.min_free)
        free: int | None = None
        if self._real and self.folder is not None:
            free = (await self._threads.run(self._device, str(self.folder)))[1]
        return view_of(rows, bounds, free)


Admit = Callable[[str, int], Awaitable[None]]


def _to_bytes(use: _Use) -> bytes:
    return json.dumps({"used": round(use.used_at, 3), "pinned": use.pinned}).encode()


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(folder)
