"""Lists of keys that stay sorted while single values change: the list of a hundred thousand torrents by any field.

Sorting them all takes longer than the loop may stand still, so an order is made once, in slices, and then kept. What
many changes do to it is done in slices too.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from heapq import merge
from typing import Any, Final

from wildbach.runtime.turns import batches, in_turns

_SLICE: Final = 1000
"Keys in one turn of the loop."
_FEW: Final = 100
"Changes that are put in their place one by one: each moves half of the list in memory."
_GONE: Final = object()


class Order:
    """Keys by a value. Equal values go by key. One settles it at a time."""

    def __init__(self, value: Callable[[str], Any]) -> None:
        self._value = value
        self._items: list[tuple[Any, str]] = []
        self._values: dict[str, Any] = {}
        self._stale: set[str] = set()

    @classmethod
    async def of(cls, keys: Iterable[str], value: Callable[[str], Any]) -> Order:
        order = cls(value)
        order._stale.update(keys)
        await order._settle_many(lambda _: True)
        return order

    def touch(self, key: str) -> None:
        """Its value may be another, or it is new, or gone."""
        self._stale.add(key)

    async def settle(self, there: Callable[[str], bool]) -> None:
        """Put what was touched in its place. What is touched meanwhile may wait for the next time."""
        while len(self._stale) > _FEW:
            await self._settle_many(there)
        for key in self._stale:
            fresh = self._value(key) if there(key) else _GONE
            if fresh != self._values.get(key, _GONE):
                self._place(key, fresh)
        self._stale.clear()

    def _place(self, key: str, fresh: Any) -> None:
        if key in self._values:
            old = self._values.pop(key)
            at = bisect_left(self._items, (old, key))
            if at < len(self._items) and self._items[at][1] == key:
                del self._items[at]
        if fresh is not _GONE:
            self._values[key] = fresh
            insort(self._items, (fresh, key))

    async def _settle_many(self, there: Callable[[str], bool]) -> None:
        """Most have the value that they had. The others are taken out and sorted, and the two lists merged."""
        stale, self._stale = self._stale, set()
        try:
            moved: dict[str, Any] = {}
            async for key in in_turns(stale, _SLICE):
                fresh = self._value(key) if there(key) else _GONE
                if fresh != self._values.get(key, _GONE):
                    moved[key] = fresh
            if len(moved) > _FEW:
                await self._merge(moved)
            else:
                for key, fresh in moved.items():
                    self._place(key, fresh)
        except BaseException:
            self._stale |= stale
            raise

    async def _merge(self, moved: dict[str, Any]) -> None:
        runs = []
        for keys in batches(list(moved), _SLICE):
            runs.append(sorted((moved[key], key) for key in keys if moved[key] is not _GONE))
            await asyncio.sleep(0)
        items: list[tuple[Any, str]] = []
        values: dict[str, Any] = {}
        kept = (item for item in self._items if item[1] not in moved)
        async for item in in_turns(merge(kept, *runs), _SLICE):
            items.append(item)
            values[item[1]] = item[0]
        self._items, self._values = items, values

    def all(self, *, descending: bool = False) -> list[str]:
        """All keys, as a list of the caller's own."""
        keys = [item[1] for item in self._items]
        if descending:
            keys.reverse()
        return keys

    def slice(self, start: int, stop: int, *, descending: bool = False) -> list[str]:
        """The keys at these places."""
        if descending:
            count = len(self._items)
            return [item[1] for item in reversed(self._items[max(0, count - stop) : max(0, count - start)])]
        return [item[1] for item in self._items[start:stop]]

    def __len__(self) -> int:
        return len(self._items)
