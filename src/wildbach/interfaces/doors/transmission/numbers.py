"""The numbers by which programs name torrents, and which torrents changed lately.

A torrent keeps its number for as long as it is there and this process runs; numbers are given in the order in which
torrents were added, and none is given twice. Whenever somebody asks, the Api is asked first what changed since.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api

_PAGE: Final = 500
_LATELY_SECONDS: Final = 60.0
_TRIES: Final = 5


def shown_hash(row: m.TorrentRow) -> str:
    """Forty digits: of v1, or the beginning of that of v2."""
    return row.infohash_v1 or row.key[:40]


class Facts(Struct, frozen=True, gc=False):
    """What of a torrent never changes once its metadata is here. The garbage collector does not look through a hundred
    thousand of them.
    """

    creator: str = ""
    created_at: int = 0
    piece_length: int = 0
    pieces: int = 0
    files: int = 0
    mime_type: str = ""
    "Empty where nobody has asked for it."


class Numbers:
    """`clock` gives seconds that never go back."""

    def __init__(self, api: Api, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self.keys: dict[int, str] = {}
        "By number; in their order."
        self._numbers: dict[str, int] = {}
        self._hashes: dict[str, str] = {}
        "Keys by the hashes that are shown in their place."
        self._others: dict[str, tuple[str, ...]] = {}
        "Those hashes by key."
        self.latent: dict[str, dict[str, float]] = {}
        "Of torrents: values that were given and are switched off, such as a limit."
        self.facts: dict[str, Facts] = {}
        "Of torrents that were asked for them, so that those that sleep are not woken each time."
        self._changed: dict[str, float] = {}
        "When each torrent changed that did; the one that changed last is the last."
        self._removed: deque[tuple[float, int]] = deque(maxlen=limits.RPC_REMOVED)
        self._next = 1
        self._revision: int | None = None
        self._refreshing = asyncio.Lock()

    def number(self, key: str) -> int:
        """Raises UsageError, code `not_found`."""
        found = self._numbers.get(key)
        if found is None:
            raise UsageError(f"there is no torrent {key}", code="not_found")
        return found

    def find(self, name: str | int) -> str | None:
        """The key of a number or a hash."""
        if isinstance(name, int):
            return self.keys.get(name)
        name = name.lower()
        return name if name in self._numbers else self._hashes.get(name)

    @property
    def count(self) -> int:
        return len(self.keys)

    def lately(self) -> list[str]:
        """Keys of those that changed in the last minute, in the order of their numbers."""
        since = self._clock() - _LATELY_SECONDS
        found = []
        for key in reversed(self._changed):
            if self._changed[key] < since:
                break
            found.append(key)
        return sorted(found, key=lambda key: self._numbers[key])

    def removed_lately(self) -> list[int]:
        since = self._clock() - _LATELY_SECONDS
        return [number for at, number in self._removed if at >= since]

    async def refresh(self) -> None:
        """Bring it up to date."""
        async with self._refreshing:
            for _ in range(_TRIES):
                if self._revision is None:
                    await self._load()
                if await self._follow():
                    return

    async def _load(self) -> None:
        revision: int | None = None
        there: dict[str, None] = {}
        while True:
            page = await self._api.list_torrents(m.Listing(sort="added_at", offset=len(there), limit=_PAGE))
            revision = page.revision if revision is None else revision
            before = len(there)
            self._put(page.torrents)
            there.update(dict.fromkeys(row.key for row in page.torrents))
            if len(there) == before or len(there) >= page.total:
                break
            await asyncio.sleep(0)
        for key in [key for key in self._numbers if key not in there]:
            self._remove(key)
        self._revision = revision

    async def _follow(self) -> bool:
        while self._revision is not None:
            changes = await self._api.changes(m.Since(self._revision, _PAGE))
            if changes.full:
                self._revision = None
                return False
            for key in changes.removed:
                self._remove(key)
            self._put(changes.changed)
            self._revision = changes.revision
            if not changes.more:
                return True
            await asyncio.sleep(0)
        return False

    def _put(self, rows: Iterable[m.TorrentRow]) -> None:
        now = self._clock()
        for row in rows:
            key = row.key
            if key not in self._numbers:
                self._numbers[key] = self._next
                self.keys[self._next] = key
                self._next += 1
            for other in (row.infohash_v1, key[:40]):
                if other and other != key and self._hashes.get(other) != key:
                    self._hashes[other] = key
                    self._others[key] = (*self._others.get(key, ()), other)
            self._changed.pop(key, None)
            self._changed[key] = now

    def _remove(self, key: str) -> None:
        number = self._numbers.pop(key, None)
        if number is None:
            return
        del self.keys[number]
        for other in self._others.pop(key, ()):
            self._hashes.pop(other, None)
        self.latent.pop(key, None)
        self.facts.pop(key, None)
        self._changed.pop(key, None)
        self._removed.append((self._clock(), number))
