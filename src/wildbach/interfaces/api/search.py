"""Looking for words in the names of all torrents.

What was looked for lately is kept and brought up to date by what changed: whoever types a word, scrolls, or looks at
the list every second does not have a hundred thousand names searched each time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

_SLICE: Final = 2000
"Names looked at in one turn of the loop."
_KEPT: Final = 4


class Search:
    """`keys` gives those of all torrents, `name` the name of one, or None where it is gone."""

    def __init__(self, keys: Callable[[], Iterable[str]], name: Callable[[str], str | None]) -> None:
        self._keys = keys
        self._name = name
        self._names: dict[str, str] = {}
        "Folded, of those that were asked for once."
        self._begun = False
        self._stale: set[str] = set()
        self._found: OrderedDict[tuple[str, ...], set[str]] = OrderedDict()

    def touch(self, key: str) -> None:
        """Its name may be another, or it is new, or gone."""
        if self._begun:
            self._stale.add(key)

    def forget(self) -> None:
        """Nothing is known of what changed: look through all names anew."""
        self._begun = False
        self._names, self._found = {}, OrderedDict()
        self._stale = set()

    async def find(self, words: tuple[str, ...]) -> set[str]:
        """The keys of those whose name has all the words, which are folded. Not to be changed."""
        if not self._begun:
            self._begun = True
            self._stale.update(self._keys())
        await self._settle()
        found = self._found.get(words)
        if found is None:
            found = self._found[words] = set()
            # What changes from here on is put in, or taken out, by `_settle`.
            items = list(self._names.items())
            for at in range(0, len(items), _SLICE):
                for key, name in items[at : at + _SLICE]:
                    if all(word in name for word in words):
                        found.add(key)
                await asyncio.sleep(0)
            await self._settle()
            found.intersection_update(self._names)
        self._found.move_to_end(words)
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)
        return found

    async def _settle(self) -> None:
        """Returns in the turn of the loop in which nothing is stale."""
        while self._stale:
            for _ in range(min(_SLICE, len(self._stale))):
                self._renew(self._stale.pop())
            if self._stale:
                await asyncio.sleep(0)

    def _renew(self, key: str) -> None:
        name = self._name(key)
        if name is None:
            self._names.pop(key, None)
            for found in self._found.values():
                found.discard(key)
            return
        folded = self._names[key] = name.casefold()
        for words, found in self._found.items():
            if all(word in folded for word in words):
                found.add(key)
            else:
                found.discard(key)
