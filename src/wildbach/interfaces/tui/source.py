"""What the screen shows, asked of an Api once a second and whenever the screen shows something else.

Nothing that is shown is older than the last answer: where one does not come, the screen is told that there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
from msgspec import Struct

from wildbach.base.errors import NetworkError, UsageError, WildbachError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api

Opener = Callable[[], AbstractAsyncContextManager[Api]]
Part = Literal["overview", "files", "peers", "trackers", "pieces", "log"]
PARTS: Final[tuple[Part, ...]] = ("overview", "files", "peers", "trackers", "pieces", "log")

_ANSWER_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 1.0
_MANY_FOLDERS: Final = 8
"Where more are open they are read anew only so often:"
_FOLDERS_EVERY: Final = 5
_HISTORY: Final = 300
_LOG_LINES: Final = 1000


@dataclass(frozen=True, slots=True)
class Shows:
    """What is on the screen. Nothing else is asked for."""

    listing: m.Listing = field(default_factory=m.Listing)
    key: str = ""
    "Whose details; empty: none."
    part: Part = "overview"
    folders: tuple[tuple[str, int], ...] = ()
    "Open folders of its files, and how many entries of each."
    cells: int = 0
    "Of the map of its pieces that there is room for; 0: one a piece."


@dataclass(frozen=True, slots=True)
class Details:
    """Of the torrent that `Shows` names."""

    key: str
    torrent: m.TorrentDetail
    folders: dict[str, m.Tree] | None = None
    "None here and below: not asked for."
    peers: tuple[m.PeerRow, ...] | None = None
    trackers: tuple[m.TrackerRow, ...] | None = None
    pieces: m.PieceMap | None = None


@dataclass(frozen=True, slots=True)
class News:
    """The whole of what is shown, as it is now."""

    listing: m.Listing
    page: m.TorrentPage
    facets: m.Facets
    transfer: m.Transfer
    jobs: tuple[m.Job, ...]
    details: Details | None
    log: tuple[m.LogLine, ...]
    past: m.History | None
    "Speeds until now, the first time."


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer; it is tried again until there is."""

    why: str


Deliver = Callable[[News | Lost], None]


class Source:
    """Polls. Another one may be told of changes: the screen only knows `show`, `look`, `api` and what it delivers."""

    def __init__(self, opener: Opener, deliver: Deliver, *, seconds: float = 1.0) -> None:
        self._open = opener
        self._deliver = deliver
        self._seconds = seconds
        self._shows = Shows()
        self._changed = asyncio.Event()
        self._rests = asyncio.Event()
        self._api: Api | None = None
        self._log: list[m.LogLine] = []
        self._folders: tuple[tuple[str, tuple[tuple[str, int], ...]], dict[str, m.Tree]] = (("", ()), {})
        self._turn = 0

    @property
    def api(self) -> Api:
        """Raises NetworkError, code `no_daemon`, while there is no connection."""
        if self._api is None:
            raise NetworkError("there is no connection to the daemon", code="no_daemon")
        return self._api

    def show(self, shows: Shows) -> None:
        """Something else is on the screen."""
        if shows != self._shows:
            self._shows = shows
            self._rests.clear()
            self._changed.set()

    async def rested(self) -> None:
        """All that is shown was delivered."""
        await self._rests.wait()

    def look(self) -> None:
        """Something was done: ask now, for the folders too."""
        self._folders = (("", ()), {})
        self._rests.clear()
        self._changed.set()

    async def run(self) -> None:
        while True:
            try:
                async with self._open() as api:
                    await self._follow(api)
            except WildbachError as error:
                self._deliver(Lost(error.message))
            except TimeoutError:
                self._deliver(Lost("the daemon does not answer"))
            finally:
                self._api = None
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self, api: Api) -> None:
        self._log, self._folders = [], (("", ()), {})
        async with asyncio.timeout(_ANSWER_SECONDS):
            past: m.History | None = await api.history(m.HistoryQuery(span=_HISTORY))
        while True:
            self._changed.clear()
            self._rests.clear()
            shows = self._shows
            async with asyncio.timeout(_ANSWER_SECONDS):
                news = await self._news(api, shows, past)
            self._api = api
            if shows == self._shows:
                self._deliver(news)
                past = None
            if not self._changed.is_set():
                self._rests.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._changed.wait()

    async def _news(self, api: Api, shows: Shows, past: m.History | None) -> News:
        self._turn += 1
        page = await api.list_torrents(shows.listing)
        details = await self._details(api, shows) if shows.key else None
        if shows.key and shows.part == "log":
            await self._read_log(api)
        return News(
            shows.listing, page, await api.facets(), await api.transfer(), (await api.jobs()).jobs, details,
            tuple(self._log), past)

    async def _details(self, api: Api, shows: Shows) -> Details | None:
        key = shows.key
        try:
            details = Details(key, await api.torrent(key))
            part: Struct | None = None
            if shows.part == "files":
                return Details(key, details.torrent, folders=await self._read_folders(api, shows))
            if shows.part == "peers":
                part = await api.peers(key)
                return Details(key, details.torrent, peers=part.peers)
            if shows.part == "trackers":
                part = await api.trackers(key)
                return Details(key, details.torrent, trackers=part.trackers)
            if shows.part == "pieces":
                return Details(key, details.torrent, pieces=await api.pieces(key, m.PieceQuery(shows.cells)))
        except UsageError:
            # It is gone, or this is not for a guest to see.
            return None
        return details

    async def _read_log(self, api: Api) -> None:
        try:
            lines = (await api.log(m.LogQuery(self._log[-1].id if self._log else -1, limit=_LOG_LINES))).lines
        except UsageError as error:
            self._log = [m.LogLine(-1, 0, "warning", error.message)]
        else:
            self._log = [*self._log, *lines][-_LOG_LINES:]

    async def _read_folders(self, api: Api, shows: Shows) -> dict[str, m.Tree]:
        known, folders = self._folders
        if known == (shows.key, shows.folders) and len(folders) > _MANY_FOLDERS and self._turn % _FOLDERS_EVERY:
            return folders
        found: dict[str, m.Tree] = {}
        for folder, count in shows.folders:
            try:
                found[folder] = await _folder(api, shows.key, folder, count)
            except UsageError:
                # Without metadata there are none yet, and one that was renamed is not there any more.
                continue
        self._folders = ((shows.key, shows.folders), found)
        return found


async def _folder(api: Api, key: str, folder: str, count: int) -> m.Tree:
    entries: list[m.TreeEntry] = []
    while True:
        page = await api.tree(key, m.TreeQuery(folder, offset=len(entries), limit=min(1000, count - len(entries))))
        entries += page.entries
        if not page.entries or len(entries) >= min(page.total, count):
            return msgspec.structs.replace(page, entries=tuple(entries))


async def keys_between(api: Api, listing: m.Listing, first: int, last: int) -> tuple[str, ...]:
    """The keys of a part of the list, by place."""
    if last < first:
        return ()
    found = await api.keys(m.KeyListing(
        listing.sort, listing.descending, first, last - first + 1, state=listing.state, search=listing.search))
    return found.keys
