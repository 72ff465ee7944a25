"""The entries of all torrents, and how they get into the database.

What a person said is durable before it is done; counts follow a few seconds later, many in one step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from wildbach.base.errors import FormatError
from wildbach.runtime.turns import batches
from wildbach.services.library.entry import Entry, decode, encode
from wildbach.services.library.groups import Groups

ENTRIES: Final = "library"
GROUPS: Final = "library_groups"
STATE: Final = "library_state"
_BATCH: Final = 2000
_DECODED: Final = 1000
"Entries read in one turn of the loop."


class Store(Protocol):
    """Keeps values by area and name; the session."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None: ...


class Book:
    """All that is remembered of torrents, categories and tags."""

    def __init__(self, store: Store, report: Callable[[Exception], None]) -> None:
        self._store = store
        self._report = report
        self.entries: dict[str, Entry] = {}
        self.groups = Groups()
        self.state: dict[str, str] = {}
        "Small things that hold until somebody says otherwise."
        self._dirty: dict[str, None] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read it all. What cannot be read is passed over, and told of."""
        try:
            self.groups = Groups.decode(await self._store.kept(GROUPS))
        except FormatError as error:
            self._report(error)
        self.state = {name: raw.decode("utf-8", "replace") for name, raw in (await self._store.kept(STATE)).items()}
        strings: dict[str, str] = {}
        tag_sets: dict[tuple[str, ...], tuple[str, ...]] = {}
        for number, (key, raw) in enumerate((await self._store.kept(ENTRIES)).items()):
            try:
                entry = decode(raw)
            except FormatError as error:
                self._report(error)
                continue
            # A hundred thousand torrents have a few categories between them.
            entry.category = strings.setdefault(entry.category, entry.category)
            entry.tags = tag_sets.setdefault(entry.tags, entry.tags)
            self.entries[key] = entry
            if number % _DECODED == 0:
                await asyncio.sleep(0)

    def touch(self, key: str) -> None:
        """It changed, in a way that may be lost: written with the next batch."""
        self._dirty[key] = None

    async def write(self, keys: Iterable[str]) -> None:
        """Durable when this returns, or StorageError. So many at a time are written, all or none."""
        async with self._writing:
            for batch in batches(list(dict.fromkeys(keys)), _BATCH):
                await self._put(batch, durable=True)

    async def write_groups(self) -> None:
        async with self._writing:
            await self._store.keep(GROUPS, self.groups.encode(), durable=True)

    async def write_state(self, name: str, value: str | None) -> None:
        async with self._writing:
            await self._store.keep(STATE, {name: value.encode() if value is not None else None}, durable=True)
        if value is None:
            self.state.pop(name, None)
        else:
            self.state[name] = value

    async def flush(self, *, durable: bool = False) -> None:
        """Write what is left over."""
        async with self._writing:
            while self._dirty:
                await self._put(list(self._dirty)[:_BATCH], durable=durable)

    async def _put(self, keys: Iterable[str], *, durable: bool) -> None:
        """Write them as they are now. What changes while this goes on is left over for the next batch."""
        changes = {key: self._raw(key) for key in keys}
        for key in changes:
            self._dirty.pop(key, None)
        try:
            await self._store.keep(ENTRIES, changes, durable=durable)
        except BaseException:
            # Nobody knows what is there now.
            self._dirty |= dict.fromkeys(changes)
            raise

    def _raw(self, key: str) -> bytes | None:
        entry = self.entries.get(key)
        return encode(entry) if entry is not None else None
