"""Who may run now: a pure function of what there is and of the settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wildbach.services.library.settings import QueueSettings


@dataclass(frozen=True, slots=True)
class Candidate:
    """A torrent that somebody wants to run."""

    key: str
    place: int
    complete: bool
    forced: bool
    slow: bool
    "It runs, and does so little that another may run beside it."


def plan(candidates: Iterable[Candidate], settings: QueueSettings) -> set[str]:
    """The keys of those that run. Downloads go before seeds, and each in the order of their places.

    What is forced runs and takes nobody's place; what is slow runs on while its place goes to another.
    """
    everybody = list(candidates)
    if not settings.enabled:
        return {one.key for one in everybody}
    run = {one.key for one in everybody if one.forced}
    total = settings.total or len(everybody)
    for complete, most in ((False, settings.downloads), (True, settings.seeds)):
        room = most or len(everybody)
        waiting = sorted((c for c in everybody if not c.forced and c.complete is complete), key=lambda c: c.place)
        for one in waiting:
            if one.slow:
                run.add(one.key)
            elif room and total:
                run.add(one.key)
                room -= 1
                total -= 1
    return run
