"""Lists of keys that stay sorted while single values change: the list of a hundred thousand torrents by any field.

Sorting them all takes longer than the loop may stand still, so an order is made once, in slices, and then kept.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from heapq import merge
from typing import Any, Final

_SLICE: Final = 2000


class Order:
    """Keys by a value. Equal values go by key."""

    def __init__(self, value: Callable[[str], Any]) -> None:
        self._value = value
        self._items: list[tuple[Any, str]] = []
        self._values: dict[str, Any] = {}
        self._stale: set[str] = set()

    @classmethod
    async def of(cls, keys: Iterable[str], value: Callable[[str], Any]) -> Order:
        order = cls(value)
        everything = list(keys)
        runs = []
        for at in range(0, len(everything), _SLICE):
            runs.append(sorted((value(key), key) for key in everything[at : at + _SLICE]))
            await asyncio.sleep(0)
        items = order._items
        for number, item in enumerate(merge(*runs)):
            items.append(item)
            order._values[item[1]] = item[0]
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        return order

    def touch(self, key: str) -> None:
        """Its value may be another, or it is new, or gone."""
        self._stale.add(key)

    def settle(self, there: Callable[[str], bool]) -> None:
        """Put what was touched in its place."""
        for key in self._stale:
            if key in self._values:
                old = self._values.pop(key)
                at = bisect_left(self._items, (old, key))
                if at < len(self._items) and self._items[at][1] == key:
                    del self._items[at]
            if there(key):
                fresh = self._values[key] = self._value(key)
                insort(self._items, (fresh, key))
        self._stale.clear()

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
