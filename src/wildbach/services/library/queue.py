"""Who may run now: a pure function of what there is and of the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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


def reordered(order: Sequence[str], picked: Collection[str], to: str | int) -> list[str]:
    """The queue with those picked at the `top` or the `bottom`, each one place `up` or `down`, or at a place from 1; in
    linear time, where `picked` is a set. Those that are picked never pass each other.
    """
    if isinstance(to, int) or to in ("top", "bottom"):
        chosen = [key for key in order if key in picked]
        rest = [key for key in order if key not in picked]
        at = {"top": 0, "bottom": len(rest)}[to] if isinstance(to, str) else max(0, to - 1)
        return rest[:at] + chosen + rest[at:]
    # Downwards is upwards from the other end.
    out = list(order) if to == "up" else list(reversed(order))
    for at in range(1, len(out)):
        if out[at] in picked and out[at - 1] not in picked:
            out[at - 1], out[at] = out[at], out[at - 1]
    return out if to == "up" else out[::-1]
