"""What the door remembers between requests: the list as it was told, for each program what it knows of that, and
searches. All of it is lost at the end, and programs that ask for differences get everything anew then.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from wildbach.base import limits
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.doors.qbittorrent.mirror import Mirror
from wildbach.interfaces.doors.qbittorrent.names import Globals, shown_hash

_RID_MOST: Final = 1_000_000
_LONG_KEYS: Final = 100_000

T = TypeVar("T")


class Answers(Generic[T]):
    """The last answers to one program, by their numbers: the next one tells what is different from one of them.

    An answer that was lost can be asked for again. Numbers begin anywhere, so that one of an earlier run means nothing.
    """

    def __init__(self) -> None:
        self._last = secrets.randbelow(_RID_MOST)
        self._told: dict[int, T] = {}

    def told(self, rid: int) -> T | None:
        """What the answer of this number said; None where that is not known."""
        return self._told.get(rid)

    def tell(self, value: T) -> int:
        """Note an answer; its number, from 1."""
        self._last = self._last % _RID_MOST + 1
        self._told[self._last] = value
        while len(self._told) > limits.DOOR_ANSWERS:
            del self._told[next(iter(self._told))]
        return self._last


@dataclass(frozen=True, slots=True)
class Whole:
    """What an answer of sync/maindata said."""

    tick: int
    server: dict[str, Any]
    categories: dict[str, dict[str, Any]]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Peers:
    """What an answer of sync/torrentPeers said."""

    key: str
    peers: dict[str, dict[str, Any]]


@dataclass(slots=True)
class Viewer:
    """One program that asks for differences."""

    whole: Answers[Whole] = field(default_factory=Answers)
    peers: Answers[Peers] = field(default_factory=Answers)


class Shared:
    """What is remembered for all."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.mirror = Mirror()
        self.searches: dict[int, str] = {}
        "Patterns by number."
        self.next_search = 1
        self._viewers: dict[str, Viewer] = {}
        self._long: dict[str, str] = {}

    async def usual(self) -> tuple[Globals, bool]:
        """The limits of torrents that have none of their own, and whether there is a queue: all that guests may know
        of the settings.
        """
        values = (await self._api.settings()).values
        return Globals(
            float(values.get("seeding.ratio", -1)), int(values.get("seeding.seconds", -1)),
            int(values.get("seeding.idle_seconds", -1)),
        ), bool(values.get("queue.enabled", False))

    def viewer(self, name: str) -> Viewer:
        """By session; the one that was away longest makes room."""
        viewer = self._viewers.pop(name, None) or Viewer()
        self._viewers[name] = viewer
        while len(self._viewers) > limits.DOOR_VIEWERS:
            del self._viewers[next(iter(self._viewers))]
        return viewer

    def forget(self, name: str) -> None:
        self._viewers.pop(name, None)

    def key(self, given: str) -> str:
        """Our key of a hash: torrents of v2 alone are known by the first digits of theirs."""
        return self._long.get(given, given)

    def shown(self, key: str) -> str:
        """The hash that is told for a key."""
        if len(key) > 40:
            self._long[shown_hash(key)] = key
            while len(self._long) > _LONG_KEYS:
                del self._long[next(iter(self._long))]
        return shown_hash(key)
