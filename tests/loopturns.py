"""How long the turns of a daemon's loop are, as its own process writes them down for whoever started it."""

from __future__ import annotations

import asyncio.events
import os
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

OVER: Final = 0.05
"Seconds of a turn from which on it is written down."


@dataclass(frozen=True)
class Turn:
    """`at`: `time.monotonic`. `seconds` by the clock, so with what other threads took of it; `work` of the processor.
    `what`: the longest call of it."""

    at: float
    seconds: float
    work: float
    what: str


class _Selector(selectors.EpollSelector):
    """What a loop does between two waits is one turn."""

    note: Callable[[float, float, float], None]

    def __init__(self) -> None:
        super().__init__()
        self._began: tuple[float, float] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._began is not None:
            now = time.monotonic()
            if now - self._began[0] >= OVER:
                type(self).note(now, now - self._began[0], time.thread_time() - self._began[1])
        try:
            return super().select(timeout)
        finally:
            self._began = time.monotonic(), time.thread_time()


def watch(place: str) -> None:
    """From the next loop on that this process makes; into the file `place`, a line for each long turn."""
    longest: list[tuple[float, str]] = []
    run = asyncio.events.Handle._run
    file = open(place, "a", buffering=1)  # noqa: SIM115 - as long as the process

    def timed(self: Any) -> None:
        began = time.monotonic()
        run(self)
        took = time.monotonic() - began
        if took > 0.01:
            longest.append((took, repr(self)[:300]))

    def note(at: float, seconds: float, work: float) -> None:
        what = max(longest, default=(0.0, ""))[1].replace("\n", " ")
        file.write(f"{at}\t{seconds}\t{work}\t{what}\n")
        longest.clear()

    asyncio.events.Handle._run = timed  # type: ignore[method-assign]  # to see what is slow
    _Selector.note = staticmethod(note)  # of the class: a loop makes its own
    selectors.DefaultSelector = _Selector  # type: ignore[misc,assignment]  # what a new loop takes


def turns(place: Path, since: float = 0.0) -> list[Turn]:
    """Those over `OVER` seconds that ended after `since`."""
    if not place.exists():
        return []
    found = []
    for line in place.read_text().splitlines():
        at, seconds, work, what = line.split("\t", 3)
        found.append(Turn(float(at), float(seconds), float(work), what))
    return [each for each in found if each.at >= since]


def begin_of(environment: dict[str, str], place: Path) -> str:
    """Python that a process begins with to be watched. Its `environment` gets what that needs."""
    root = str(Path(__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [environment.get("PYTHONPATH", ""), root]))
    return f"from tests import loopturns; loopturns.watch({str(place)!r}); "
