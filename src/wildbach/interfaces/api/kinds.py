"""Which torrents are of which state, category, tag and tracker: what the list is filtered by, and counted.

Torrents that are alike in all of these share one object, so a hundred thousand cost little more than their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from wildbach.interfaces.api.models import Facets

_SHARED: Final = 10_000
"Kinds that are kept for sharing."


class Kind(NamedTuple):
    """Of one torrent."""

    states: tuple[str, ...]
    category: str
    tags: tuple[str, ...]
    tracker: str


class Kinds:
    """Of all torrents of the list."""

    def __init__(self) -> None:
        self._of: dict[str, Kind] = {}
        self._alike: dict[Kind, Kind] = {}
        self.states: dict[str, set[str]] = {}
        self.categories: dict[str, set[str]] = {}
        self.tags: dict[str, set[str]] = {}
        self.trackers: dict[str, set[str]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def fill(self, kinds: Iterable[tuple[str, Kind]]) -> None:
        """Put in many that are not here; those that are stay as they are. Several times as fast as one by one."""
        members: dict[Kind, list[str]] = {}
        for key, kind in kinds:
            if key not in self._of:
                members.setdefault(kind, []).append(key)
        for kind, keys in members.items():
            self._of.update(dict.fromkeys(keys, self._share(kind)))
            for sets, name in self._places(kind):
                sets.setdefault(name, set()).update(keys)

    def put(self, key: str, kind: Kind | None) -> None:
        """It is of this kind now; None: it is gone."""
        former = self._of.get(key)
        if kind == former:
            return
        if former is not None:
            del self._of[key]
            for sets, name in self._places(former):
                sets[name].discard(key)
                if not sets[name]:
                    del sets[name]
        if kind is not None:
            self._of[key] = self._share(kind)
            for sets, name in self._places(kind):
                sets.setdefault(name, set()).add(key)

    def _share(self, kind: Kind) -> Kind:
        if len(self._alike) >= _SHARED:
            self._alike.clear()
        return self._alike.setdefault(kind, kind)

    def _places(self, kind: Kind) -> Iterator[tuple[dict[str, set[str]], str]]:
        for state in kind.states:
            yield self.states, state
        yield self.categories, kind.category
        for tag in kind.tags or ("",):
            yield self.tags, tag
        yield self.trackers, kind.tracker

    def facets(self) -> Facets:
        """How many there are of each kind."""
        def counts(sets: dict[str, set[str]]) -> dict[str, int]:
            return {name: len(keys) for name, keys in sorted(sets.items())}

        return Facets(
            len(self._of), counts(self.states), counts(self.categories), counts(self.tags), counts(self.trackers))
