"""What the door knows of the list of torrents, and when each field of each last changed.

Programs ask every second or two for what is different. `refresh` brings the rows that changed since it last asked;
each difference gets the number of that refresh, a tick. What changed since a tick is then found without looking at the
rest, for any number of viewers, and costs as much as changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.doors.qbittorrent import names

_PAGE: Final = 500
_GONE: Final = 100_000
"Torrents and trackers that went, of which is remembered when."
_TRIES: Final = 5


class Entry(Struct, gc=False):
    """One torrent. The garbage collector does not look at entries: there are many, and no cycle begins at one."""

    row: m.TorrentRow
    since: int
    "The tick of its coming: before, it was not there at all."
    at: int
    "Of its last change."
    fields: dict[str, int] | None = None
    "The last change of each field that has changed."


class Mirror:
    """The list, as of the last refresh."""

    def __init__(self) -> None:
        self.tick = 0
        self.floor = 0
        "What changed since an earlier tick is not known."
        self.usual = names.Globals()
        self.entries: dict[str, Entry] = {}
        "By key; the one that changed last is the last."
        self.trackers: dict[str, dict[str, None]] = {}
        "Hashes by URL."
        self._tracker_ticks: dict[str, int] = {}
        self._gone: dict[str, int] = {}
        self._gone_trackers: dict[str, int] = {}
        self._revision: int | None = None
        self._refreshing = asyncio.Lock()

    async def refresh(self, api: Api, usual: names.Globals) -> int:
        """Bring it up to date; the tick that this has."""
        async with self._refreshing:
            if usual != self.usual:
                # Rows show what the settings say where a torrent has no limits of its own.
                self.usual = usual
                self._forget()
            tick = self.tick + 1
            for _ in range(_TRIES):
                if self._revision is None:
                    await self._load(api, tick)
                if await self._follow(api, tick):
                    break
            self.tick = tick
            self._prune()
            return tick

    def known(self, tick: int) -> bool:
        return self.floor <= tick <= self.tick

    def changed(self, since: int) -> list[str]:
        """Keys of torrents that changed after a tick, the last one first."""
        return [key for key, _ in _after(self.entries, since, lambda entry: entry.at)]

    def gone(self, since: int) -> list[str]:
        """Hashes of torrents that went after a tick."""
        return [name for name, _ in _after(self._gone, since, int)]

    def changed_trackers(self, since: int) -> list[str]:
        return [url for url, _ in _after(self._tracker_ticks, since, int)]

    def gone_trackers(self, since: int) -> list[str]:
        return [url for url, _ in _after(self._gone_trackers, since, int)]

    def difference(self, entry: Entry, since: int) -> dict[str, Any]:
        """What of a torrent to tell one who knows it as it was at a tick."""
        shown = names.torrent(entry.row, self.usual)
        if entry.since > since:
            return shown
        fields = entry.fields or {}
        return {name: value for name, value in shown.items() if fields.get(name, 0) > since}

    # -- following the Api

    async def _load(self, api: Api, tick: int) -> None:
        self._forget()
        self.floor = tick
        revision: int | None = None
        offset = 0
        while True:
            page = await api.list_torrents(m.Listing(sort="key", offset=offset, limit=_PAGE))
            if revision is None:
                revision = page.revision
            for row in page.torrents:
                self._put(row, tick)
            offset += len(page.torrents)
            if not page.torrents or offset >= page.total:
                break
            await asyncio.sleep(0)
        self._revision = revision

    async def _follow(self, api: Api, tick: int) -> bool:
        while self._revision is not None:
            changes = await api.changes(m.Since(self._revision, _PAGE))
            if changes.full:
                self._revision = None
                return False
            for key in changes.removed:
                self._remove(key, tick)
            for row in changes.changed:
                self._put(row, tick)
            self._revision = changes.revision
            if not changes.more:
                return True
            await asyncio.sleep(0)
        return False

    def _forget(self) -> None:
        self.entries.clear()
        self.trackers.clear()
        self._tracker_ticks.clear()
        self._gone.clear()
        self._gone_trackers.clear()
        self._revision = None
        self.floor = self.tick + 1

    def _put(self, row: m.TorrentRow, tick: int) -> None:
        shown_hash = names.shown_hash(row.key)
        entry = self.entries.get(row.key)
        if entry is None:
            self.entries[row.key] = Entry(row, tick, tick)
            self._gone.pop(shown_hash, None)
            self._track(row.tracker, shown_hash, tick)
            return
        if entry.row is row:
            return
        old = names.torrent(entry.row, self.usual)
        new = names.torrent(row, self.usual)
        changed = [name for name, value in new.items() if old[name] != value]
        if entry.row.tracker != row.tracker:
            self._untrack(entry.row.tracker, shown_hash, tick)
            self._track(row.tracker, shown_hash, tick)
        entry.row = row
        if changed:
            if entry.fields is None:
                entry.fields = {}
            entry.fields.update(dict.fromkeys(changed, tick))
            entry.at = tick
            self.entries[row.key] = self.entries.pop(row.key)

    def _remove(self, key: str, tick: int) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            shown_hash = names.shown_hash(key)
            _note(self._gone, shown_hash, tick)
            self._untrack(entry.row.tracker, shown_hash, tick)

    def _track(self, url: str, shown_hash: str, tick: int) -> None:
        if url:
            self.trackers.setdefault(url, {})[shown_hash] = None
            _note(self._tracker_ticks, url, tick)
            self._gone_trackers.pop(url, None)

    def _untrack(self, url: str, shown_hash: str, tick: int) -> None:
        hashes = self.trackers.get(url)
        if hashes is None:
            return
        hashes.pop(shown_hash, None)
        if hashes:
            _note(self._tracker_ticks, url, tick)
        else:
            del self.trackers[url]
            del self._tracker_ticks[url]
            _note(self._gone_trackers, url, tick)

    def _prune(self) -> None:
        for gone in (self._gone, self._gone_trackers):
            for name in list(islice(gone, max(0, len(gone) - _GONE))):
                self.floor = max(self.floor, gone.pop(name))


def _note(ticks: dict[str, int], name: str, tick: int) -> None:
    """The last one that changed is the last of all."""
    ticks.pop(name, None)
    ticks[name] = tick


def _after(found: dict[str, Any], since: int, tick: Any) -> list[tuple[str, Any]]:
    """The items from the end whose tick is later."""
    items: Iterator[tuple[str, Any]] = reversed(found.items())
    newer = []
    for name, value in items:
        if tick(value) <= since:
            break
        newer.append((name, value))
    return newer
