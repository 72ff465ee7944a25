"""When a torrent has given enough."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.words import span
from wildbach.services.library.entry import GLOBAL, Entry
from wildbach.services.library.groups import Groups
from wildbach.services.library.settings import SeedingSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one torrent; -1: none."""

    ratio: float
    seconds: int
    idle_seconds: int
    action: str


def limits_of(entry: Entry, groups: Groups, settings: SeedingSettings) -> Limits:
    """Its own limits, else those of its category, else those of the settings."""

    def effective(own: float, field: str, usual: float) -> float:
        if own != GLOBAL:
            return own
        of_group = groups.limit(entry.category, field)
        return usual if of_group == GLOBAL else float(of_group)

    return Limits(
        effective(entry.ratio_limit, "ratio_limit", settings.ratio),
        int(effective(entry.seeding_limit, "seeding_limit", settings.seconds)),
        int(effective(entry.idle_limit, "idle_limit", settings.idle_seconds)),
        entry.limit_action or str(groups.limit(entry.category, "limit_action")) or settings.action,
    )


def ratio(uploaded: int, downloaded: int, done: int) -> float:
    """How often the content was given. What was not downloaded here counts as if it had been."""
    base = downloaded if downloaded * 100 >= done else done
    return uploaded / base if base else 0.0


def reached(limits: Limits, *, given: float, seeding: int, idle: int) -> str:
    """Which limit was met, in plain words; empty for none."""
    if 0 <= limits.ratio <= given:
        return f"it gave {limits.ratio:g} times its size"
    if 0 <= limits.seconds <= seeding:
        return f"it was seeded for {span(limits.seconds)}"
    if 0 <= limits.idle_seconds <= idle:
        return f"nobody took anything for {span(limits.idle_seconds)}"
    return ""
