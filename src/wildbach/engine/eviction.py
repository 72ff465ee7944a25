"""Which cache torrents go when room is needed: those that were not used for longest, and no more than it takes.

What is pinned or in use stays, whatever happens; so does everything where no choice would make enough room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stock:
    """One cache torrent, as the quota sees it."""

    key: str
    present: int
    "Bytes on disk."
    planned: int
    "Those and what is still to come."
    used_at: float
    "When it was last used, in seconds of wall clock time."
    free: bool
    "It may go: nobody pinned it, and nobody uses it."
    device: int
    "The file system it is on."


@dataclass(frozen=True, slots=True)
class Bounds:
    quota: int
    "Bytes that all cache torrents may have."
    percent: int
    "Of what would be free on a file system without the cache: what it may have of that."
    min_free: int
    "Bytes that stay free on a file system."


@dataclass(frozen=True, slots=True)
class Need:
    """What has to go: so many bytes of any cache torrent, and so many of those on one file system."""

    anywhere: int
    there: int
    device: int

    @property
    def met(self) -> bool:
        return self.anywhere <= 0 and self.there <= 0


def need(stocks: Iterable[Stock], bounds: Bounds, device: int, free: int) -> Need:
    """What has to go so that all that is planned has room; `free` are the bytes that `device` has left."""
    total = planned = present = 0
    for one in stocks:
        total += one.planned
        if one.device == device:
            planned += one.planned
            present += one.present
    share = (free + present) * bounds.percent // 100
    return Need(total - bounds.quota, max(planned - share, bounds.min_free - (free - (planned - present))), device)


def choose(stocks: Iterable[Stock], wanted: Need) -> list[str] | None:
    """The keys of those that go, in this order; None where it would not be enough."""
    anywhere, there = wanted.anywhere, wanted.there
    chosen: list[str] = []
    for one in sorted((one for one in stocks if one.free), key=lambda one: (one.used_at, one.key)):
        if anywhere <= 0 and there <= 0:
            break
        helps = one.device == wanted.device
        if not one.planned or (anywhere <= 0 and not helps):
            continue
        chosen.append(one.key)
        anywhere -= one.planned
        there -= one.planned if helps else 0
    return chosen if anywhere <= 0 and there <= 0 else None


def oldest(stocks: Sequence[Stock], size: int) -> list[str]:
    """The keys of those that go to give `size` bytes back, or as many as there are."""
    chosen: list[str] = []
    for one in sorted((one for one in stocks if one.free and one.present), key=lambda one: (one.used_at, one.key)):
        if size <= 0:
            break
        chosen.append(one.key)
        size -= one.present
    return chosen
