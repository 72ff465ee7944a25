"""What is seen of the content store: its torrents, and how full the cache is. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wildbach.disk.layout import Layout
from wildbach.engine.brief import Brief
from wildbach.engine.eviction import Bounds
from wildbach.engine.holdings import Holdings
from wildbach.engine.options import AddOptions
from wildbach.engine.parts import Known
from wildbach.engine.state import State


class Cached(Protocol):
    """A torrent."""

    key: str
    options: AddOptions
    brief: Brief | None
    known: Known | None

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> State: ...

    @property
    def code(self) -> str: ...

    @property
    def asleep(self) -> bool: ...

    @property
    def had(self) -> tuple[int, int]:
        """The pieces that are wanted, and those that are verified."""
        ...

    @property
    def holdings(self) -> Holdings | None: ...

    @property
    def layouts(self) -> list[Layout]: ...

    def change_options(self, options: AddOptions) -> None: ...

    def written(self) -> dict[str, object]:
        """What the next run is to know of it, as JSON values."""
        ...

    async def resume(self) -> None: ...

    async def move(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class CachedView:
    """One cache torrent."""

    key: str
    name: str
    owner: str
    "For whom it is kept: `stream`, `site`, `channel`."
    size: int
    "Bytes on disk."
    planned: int
    "Those and what is still to come."
    used_at: float
    pinned: bool
    in_use: bool
    "Somebody reads it just now."


@dataclass(frozen=True, slots=True)
class ContentView:
    """The cache, and how full it is. Sizes are in bytes."""

    quota: int
    "As it was set."
    limit: int
    "What it may have now, as the disk is."
    used: int
    planned: int
    free: int
    "On the disk of the cache."
    torrents: tuple[CachedView, ...]
    "The longest unused first."

    @property
    def owners(self) -> dict[str, tuple[int, int]]:
        """How many torrents each has, and their bytes on disk."""
        out: dict[str, tuple[int, int]] = {}
        for one in self.torrents:
            count, size = out.get(one.owner, (0, 0))
            out[one.owner] = count + 1, size + one.size
        return dict(sorted(out.items()))


def sizes_of(torrent: Cached, *, going_on: bool = False) -> tuple[int, int]:
    """Bytes it has on disk, and those it has or will have as things are; `going_on`: as if it went on."""
    known = torrent.known
    if known is None:
        size = torrent.brief.size if torrent.asleep and torrent.brief is not None else 0
        return size, size
    geometry = known.info.geometry
    wanted, have = torrent.had
    if torrent.holdings is None:
        # Nobody looked yet: what is wanted may be there.
        size = geometry.bytes_in(wanted)
        return size, size
    size = geometry.bytes_in(have)
    if torrent.state in (State.PAUSED, State.STOPPED) and not going_on:
        return size, size
    return size, geometry.bytes_in(wanted | have)


def view_of(rows: Iterable[CachedView], bounds: Bounds, free: int | None) -> ContentView:
    """`free`: bytes that the disk of the cache has left; None where it is on no real one."""
    torrents = tuple(sorted(rows, key=lambda row: (row.used_at, row.key)))
    used = sum(row.size for row in torrents)
    limit = bounds.quota
    if free is not None:
        limit = max(0, min(limit, (free + used) * bounds.percent // 100, used + free - bounds.min_free))
    return ContentView(bounds.quota, limit, used, sum(row.planned for row in torrents), free or 0, torrents)
