"""What a method knows when it is called, and which torrents are meant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.doors.transmission.names import RECENTLY_ACTIVE, Dialect
from wildbach.interfaces.doors.transmission.numbers import Numbers
from wildbach.interfaces.doors.transmission.parameters import Params
from wildbach.interfaces.http.access import Who

Given = dict[str, Any] | AsyncIterator[bytes]
"What a method gives: by names of 4.1, or JSON in the words of the dialect, made while it is sent."

BATCH: Final = 100
"Torrents that are looked at together."
_TURN_SECONDS: Final = 0.004


class Pace:
    """Lets the loop do other things now and then."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def due(self) -> bool:
        return time.perf_counter() - self._began > _TURN_SECONDS

    async def rest(self) -> None:
        if self.due():
            await asyncio.sleep(0)
            self._began = time.perf_counter()


@dataclass(slots=True)
class Shared:
    """What the door remembers between calls, of one run."""

    numbers: Numbers
    latent: dict[str, Any]
    "Settings that were given and are switched off, such as a limit."
    started: float
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call."""

    api: Api
    shared: Shared
    params: Params
    dialect: Dialect
    who: Who

    @property
    def numbers(self) -> Numbers:
        return self.shared.numbers

    @property
    def lately(self) -> bool:
        """Only torrents are meant on which something happened."""
        if "ids" not in self.params:
            return False
        ids = self.params.mixed("ids")
        return isinstance(ids, str) and ids in RECENTLY_ACTIVE

    async def keys(self) -> list[str]:
        """The torrents that are meant: all where nothing is said; unknown ones are left out."""
        await self.numbers.refresh()
        ids = self.params.mixed("ids")
        if ids is None:
            return list(self.numbers.keys.values())
        found: dict[str, None] = {}
        for one in ids if isinstance(ids, list) else [ids]:
            if isinstance(one, str) and one in RECENTLY_ACTIVE:
                found.update(dict.fromkeys(self.numbers.lately()))
                continue
            key = self.numbers.find(one)
            if key is not None:
                found[key] = None
        return list(found)

    async def rows(self, keys: list[str]) -> AsyncIterator[m.TorrentRow]:
        """In their order, without those that are gone meanwhile."""
        pace = Pace()
        for start in range(0, len(keys), BATCH):
            part = tuple(keys[start:start + BATCH])
            page = await self.api.list_torrents(m.Listing(sort="key", limit=len(part), keys=part))
            rows = {row.key: row for row in page.torrents}
            for key in part:
                if key in rows:
                    yield rows[key]
            await pace.rest()

    async def files(self, key: str) -> list[m.FileRow]:
        """All of a torrent; none before its metadata is here."""
        found: list[m.FileRow] = []
        pace = Pace()
        while True:
            page = await self.api.files(key, m.FileListing(len(found), _FILES))
            found += page.files
            if not page.files or len(found) >= page.total:
                return found
            await pace.rest()


_FILES: Final = 10_000
