"""Addresses that nothing is exchanged with: the lists of the settings, and whether somebody is in one of them.

A list is a file or a URL. Files are looked at every few seconds and read again when they changed; URLs are fetched
again every `filter.refresh_hours`. What a URL gave is kept in the data directory, so it holds from the next start on,
before the network is asked. A list that cannot be read, or is none, leaves its last good form in force and says why; a
file of which there is no good form yet is a reason not to start.

Reading is work for a thread. What is in force is one immutable set of ranges that is swapped when a new one is ready.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError, StorageError, WildbachError
from wildbach.base.events import Event
from wildbach.base.settings import SettingError
from wildbach.disk import system
from wildbach.disk.shelf import Shelf
from wildbach.engine.events import FilterLoaded
from wildbach.engine.settings import FilterSettings
from wildbach.net.http import Response
from wildbach.net.resolve import Purpose
from wildbach.protocol.ipfilter import Listing, Ranges, parse
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

_LOOK_SECONDS: Final = 5.0
_RETRY_FIRST: Final = 60.0
_RETRY_MOST: Final = 3600.0
_HEAD_BYTES: Final = 2 * (limits.FILTER_VALIDATOR_CHARS + 1)
"Of a kept list: two lines that its server wants to hear again, before the list itself."
_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)

Stamp = tuple[int, int, int]
Heard = Callable[[], None]
"Told that other addresses are blocked now."


class Fetcher(Protocol):
    """`net.http.HttpClient`."""

    async def fetch(
        self, url: str, *, purpose: Purpose, limit: int, seconds: float = ..., headers: Mapping[str, str] | None = None,
    ) -> Response: ...


@dataclass(frozen=True, slots=True)
class FilterSourceView:
    """One list."""

    name: str
    "As in the settings."
    ranges: int
    loaded: float | None
    "When what is in force was read, or its server said that it still holds; seconds since 1970, None for never."
    failure: str
    "Why the newest form is not in force; empty where it is."
    bad: int
    "Lines that were not understood."
    first_bad: int
    "The number of the first of them; 0 where there is none."


@dataclass(frozen=True, slots=True)
class IpFilterView:
    ranges: int
    "Of all lists together, those that touch counted as one."
    addresses4: int
    "IPv4 addresses that are blocked."
    addresses6: int
    blocked: int
    "How often something was refused."
    sources: tuple[FilterSourceView, ...]


@dataclass(slots=True, eq=False)
class _Source:
    name: str
    ranges: Ranges = field(default_factory=Ranges)
    loaded: float | None = None
    failure: str = ""
    bad: int = 0
    first_bad: int = 0
    fresh: bool = True
    "Nothing was tried yet."
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    "One look at a time."

    def take(self, found: Listing, loaded: float) -> None:
        self.ranges, self.bad, self.first_bad = found.ranges, found.bad, found.first_bad
        self.loaded, self.failure, self.fresh = loaded, "", False

    def fail(self, why: str) -> None:
        self.failure, self.fresh = why, False

    def view(self) -> FilterSourceView:
        return FilterSourceView(self.name, len(self.ranges), self.loaded, self.failure, self.bad, self.first_bad)


@dataclass(slots=True, eq=False)
class _File(_Source):
    stamp: Stamp | None = None
    "Of the form that was read last, good or not."


@dataclass(slots=True, eq=False)
class _Url(_Source):
    etag: str = ""
    modified: str = ""
    again: float = 0.0
    "Not asked before this second of the clock, because it failed."
    fails: int = 0
    task: asyncio.Task[None] | None = None
    "The last fetch; it may be under way."

    @property
    def place(self) -> str:
        """The name under which it is kept."""
        return f"{sha256(self.name.encode('utf-8', 'backslashreplace')).hexdigest()[:32]}.list"


class IpFilter:
    """The filter of a session. `subscribe` to be told when other addresses are blocked."""

    def __init__(
        self, scope: Scope, threads: Threads, *, settings: Callable[[], FilterSettings], fetcher: Fetcher | None,
        shelf: Shelf | None, clock: Callable[[], float], report: Callable[[Exception], None],
        publish: Callable[[Event], None], wall: Callable[[], float] = time.time,
    ) -> None:
        """`fetcher`: None where URLs cannot be asked; `shelf`: where what they gave is kept, None for nowhere; `wall`:
        seconds since 1970.
        """
        self._scope = scope.child("filter")
        self._threads = threads
        self._settings = settings
        self._fetcher = fetcher
        self._shelf = shelf
        self._clock = clock
        self._wall = wall
        self._report = report
        self._publish = publish
        self._told: dict[str, tuple[Ranges, str]] = {}
        "What was published last of each list."
        self._sources: dict[str, _Source] = {}
        self._joining = asyncio.Lock()
        self._joined: tuple[Ranges, ...] = ()
        "What the ranges in force were made of."
        self._heard: list[Heard] = []
        self._ranges = Ranges()
        self._look_up = self._ranges.blocks
        self.blocked = 0
        "How often something was refused."

    def blocks(self, host: str) -> bool:
        """Whether nothing is exchanged with this literal address; counts those that are blocked."""
        if not self._joined or not self._look_up(host):
            return False
        self.blocked += 1
        return True

    def subscribe(self, heard: Heard) -> None:
        """Be told when other addresses are blocked than before."""
        self._heard.append(heard)

    async def load(self) -> None:
        """Put files in force, and what URLs gave earlier; URLs are asked from then on, and nobody waits for them."""
        await self._look_at_files()
        self._scope.spawn("watch", self._watch(), contain=self._report)

    def demand_files(self) -> None:
        """Raises SettingError where a file cannot be read or is no list: nobody of it would be blocked."""
        for source in self._sources.values():
            if source.failure and not isinstance(source, _Url):
                raise SettingError("filter.sources", _told(source.name, source.failure))

    async def reload(self) -> None:
        """Read all files and fetch all URLs now. `view` tells what failed."""
        if self._scope.closed:
            return
        await self._look_at_files(again=True)
        fetches = [self._begin(source) for source in self._urls()]
        if fetches:
            await asyncio.wait(fetches)

    async def close(self) -> None:
        await self._scope.close()

    def view(self) -> IpFilterView:
        ranges = self._ranges
        return IpFilterView(
            len(ranges), ranges.addresses4, ranges.addresses6, self.blocked,
            tuple(source.view() for source in self._sources.values()),
        )

    async def _watch(self) -> None:
        while True:
            for source in self._urls():
                if self._due(source):
                    self._begin(source)
            await asyncio.sleep(_LOOK_SECONDS)
            await self._look_at_files()

    def _due(self, source: _Url) -> bool:
        if self._clock() < source.again:
            return False
        # A time in the future is of a clock that was wrong.
        age = self._wall() - source.loaded if source.loaded is not None else -1.0
        return not 0 <= age < self._settings().refresh_hours * 3600

    def _urls(self) -> list[_Url]:
        return [source for source in self._sources.values() if isinstance(source, _Url)]

    # -- what is in the settings, and in files

    async def _look_at_files(self, *, again: bool = False) -> None:
        """Files, and what is kept of URLs that are new in the settings."""
        for gone in self._follow_settings():
            if isinstance(gone, _Url) and self._shelf is not None:
                await self._forget(self._shelf, gone)
        for source in list(self._sources.values()):
            if isinstance(source, _File):
                await self._look_at(source, again=again)
            elif isinstance(source, _Url) and source.fresh:
                await self._restore(source)
        await self._join()

    def _follow_settings(self) -> list[_Source]:
        """Take the sources from the settings; returns those that are not there any more."""
        names = tuple(dict.fromkeys(self._settings().sources))
        if names == tuple(self._sources):
            return []
        before = self._sources
        self._sources = {}
        for name in names:
            old = before.get(name)
            if len(self._sources) >= limits.FILTER_SOURCES:
                self._sources[name] = _Source(name, failure=f"more than FILTER_SOURCES ({limits.FILTER_SOURCES}) lists")
            else:
                self._sources[name] = old if isinstance(old, _File | _Url) else _source(name)
        return [source for name, source in before.items() if name not in self._sources]

    async def _look_at(self, source: _File, *, again: bool) -> None:
        async with source.lock:
            try:
                stamp, found = await self._threads.run(_read, source.name, None if again else source.stamp)
            except StorageError as error:
                source.stamp = None
                source.fail(error.message)
                return
            source.stamp = stamp
            if isinstance(found, Listing):
                source.take(found, self._wall())
            elif found is not None:
                source.fail(found.message)

    async def _join(self) -> None:
        """Put in force what the lists say now."""
        async with self._joining:
            changed = await self._put_in_force()
        if changed:
            for heard in self._heard:
                heard()
        self._tell()

    async def _put_in_force(self) -> bool:
        parts = tuple(source.ranges for source in self._sources.values() if len(source.ranges))
        if len(parts) == len(self._joined) and all(map(lambda one, other: one is other, parts, self._joined)):
            return False
        ranges = await self._threads.run(Ranges.union, parts)
        changed = ranges != self._ranges
        self._joined, self._ranges = parts, ranges
        self._look_up = lru_cache(limits.FILTER_ANSWERS)(ranges.blocks)
        return changed

    def _tell(self) -> None:
        """Publish what is new of each list."""
        total = len(self._ranges)
        for name in [name for name in self._told if name not in self._sources]:
            del self._told[name]
            self._publish(FilterLoaded(name, 0, total, ""))
        for source in self._sources.values():
            before, failed = self._told.get(source.name, (None, ""))
            tried = source.loaded is not None or source.failure
            if tried and (source.ranges is not before or source.failure != failed):
                self._told[source.name] = (source.ranges, source.failure)
                self._publish(FilterLoaded(source.name, len(source.ranges), total, source.failure))

    # -- URLs

    def _begin(self, source: _Url) -> asyncio.Task[None]:
        """Fetch it, unless that is under way."""
        if source.task is None or source.task.done():
            source.task = self._scope.spawn("fetch", self._fetch(source), contain=self._report)
        return source.task

    async def _fetch(self, source: _Url) -> None:
        try:
            async with source.lock:
                await self._ask(source)
        except (NetworkError, FormatError) as error:
            source.fail(error.message)
            source.again = self._clock() + min(_RETRY_FIRST * 2 ** min(source.fails, 10), _RETRY_MOST)
            source.fails += 1
        await self._join()

    async def _ask(self, source: _Url) -> None:
        if self._fetcher is None:
            raise NetworkError("URLs cannot be fetched here")
        asks = {}
        if source.loaded is not None and source.etag:
            asks["If-None-Match"] = source.etag
        if source.loaded is not None and source.modified:
            asks["If-Modified-Since"] = source.modified
        reply = await self._fetcher.fetch(
            source.name, purpose=Purpose.USER, limit=limits.FILTER_BYTES, seconds=limits.FILTER_SECONDS, headers=asks,
        )
        now = self._wall()
        if reply.status == 304 and asks:
            source.loaded, source.failure = now, ""
            await self._keep(source, now, None)
        elif reply.status == 200:
            found = await self._threads.run(parse, reply.body)
            if not len(found.ranges) and len(source.ranges):
                # Servers say so when they do not want to give it; whoever empties a file means it.
                raise FormatError("the list is empty now", where="filter")
            source.take(found, now)
            source.etag = _validator(reply.headers.get("etag"))
            source.modified = _validator(reply.headers.get("last-modified"))
            await self._keep(source, now, reply.body)
        else:
            raise NetworkError(f"the server answered with status {reply.status}")
        source.again, source.fails = 0.0, 0

    async def _keep(self, source: _Url, when: float, body: bytes | None) -> None:
        """For the next start; without a body, what is there still holds. One that is dropped meanwhile is not kept."""
        if self._shelf is None or self._sources.get(source.name) is not source:
            return
        try:
            if body is None:
                await self._threads.run(self._shelf.touch, source.place, when)
            else:
                head = f"{source.etag}\n{source.modified}\n".encode()
                await self._threads.run(self._shelf.put, source.place, head + body, when)
        except StorageError as error:
            # It is in force all the same, until the end of this run.
            source.failure = error.message

    async def _restore(self, source: _Url) -> None:
        """Put in force what the last run kept. Whatever is wrong with it, it will be fetched."""
        if self._shelf is None:
            source.fresh = False
            return
        async with source.lock:
            try:
                kept = await self._threads.run(self._shelf.get, source.place, limits.FILTER_BYTES + _HEAD_BYTES)
                if kept is not None and source.fresh:
                    etag, modified, body = _split(kept.data)
                    source.take(await self._threads.run(parse, body), kept.when)
                    source.etag, source.modified = etag, modified
            except (FormatError, StorageError) as error:
                source.fail(error.message)
            source.fresh = False

    async def _forget(self, shelf: Shelf, source: _Url) -> None:
        try:
            await self._threads.run(shelf.remove, source.place)
        except StorageError as error:
            self._report(error)


def require_readable(names: Iterable[str]) -> None:
    """A quick look before anything else begins. Raises SettingError for a file that is not there or may not be read."""
    for name in names:
        if isinstance(_source(name), _File):
            path = os.path.expanduser(name)
            try:
                with open(path, "rb", opener=_open) as file:
                    file.read(1)
            except OSError as error:
                raise SettingError("filter.sources", system.storage_error(error, "read", path).message) from None
            except ValueError:
                raise SettingError("filter.sources", f"{path!r} is no name that a file can have") from None


def bad_sources(names: Iterable[str]) -> dict[str, str]:
    """The files among these lists that cannot be read or are no lists, and why. Blocks."""
    found: dict[str, str] = {}
    for name in names:
        if isinstance(_source(name), _File):
            try:
                listing = _read(name, None)[1]
            except StorageError as error:
                found[name] = error.message
            else:
                if isinstance(listing, WildbachError):
                    found[name] = listing.message
    return found


def _told(name: str, failure: str) -> str:
    return failure if name in failure else f"{name}: {failure}"


def _source(name: str) -> _Source:
    return _Url(name) if name.lower().startswith(("http://", "https://")) else _File(name)


def _read(name: str, known: Stamp | None) -> tuple[Stamp, Listing | WildbachError | None]:
    """A file's stamp, and what it says, or why that is no list; None where its stamp is the known one.

    Raises StorageError where it cannot be read.
    """
    path = os.path.expanduser(name)
    try:
        with open(path, "rb", opener=_open) as file:
            at = os.fstat(file.fileno())
            if not stat.S_ISREG(at.st_mode):
                raise StorageError(f"{path} is no file", path=path)
            stamp = (at.st_mtime_ns, at.st_size, at.st_ino)
            if stamp == known:
                return stamp, None
            if at.st_size > limits.FILTER_BYTES:
                return stamp, LimitError(f"longer than FILTER_BYTES ({limits.FILTER_BYTES} bytes)")
            data = file.read(limits.FILTER_BYTES + 1)
    except OSError as error:
        raise system.storage_error(error, "read", path) from error
    except ValueError:
        raise StorageError(f"{path!r} is no name that a file can have") from None
    try:
        return stamp, parse(data)
    except FormatError as error:
        return stamp, error


def _open(path: str, flags: int) -> int:
    # A pipe that nobody writes to is not waited for.
    return os.open(path, flags | _NONBLOCK)


def _validator(text: str | None) -> str:
    """What a server said of a version, where it can be said back to it."""
    fits = text is not None and len(text) <= limits.FILTER_VALIDATOR_CHARS and text.isascii() and text.isprintable()
    return text if text is not None and fits else ""


def _split(data: bytes) -> tuple[str, str, bytes]:
    """A kept list: the validators, and the list. Raises FormatError."""
    parts = data.split(b"\n", 2)
    if len(parts) != 3:
        raise FormatError("what was kept of it is damaged", where="filter")
    etag, modified, body = parts
    return _validator(etag.decode("latin-1")), _validator(modified.decode("latin-1")), body
