"""How fast this machine is just now: what a test allows is work, in seconds of the machine that goals are set on.

No test asserts a time as such. `within` measures a fixed piece of work before and after, and allows as much more as
that took longer than on the machine of the goals; the best of a few tries counts. What became slow is slow every time,
what else runs on the machine is not there every time.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

TRIES: Final = 5
_REFERENCE: Final = 0.0050
"Seconds that `_work` takes on the machine of the goals while nothing else runs there."


def _work() -> int:
    """Some of everything that Python code is made of: calls, strings, dictionaries, lists, sorting."""
    found: dict[str, list[int]] = {}
    for number in range(8000):
        found.setdefault(f"{number % 977:03x}", []).append(number * 7 % 1009)
    return sum(len(name) + max(sorted(some)) for name, some in sorted(found.items()))


def seconds(work: Callable[[], object]) -> float:
    """Of this thread's processor time."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def factor() -> float:
    """How many times longer things take now than on the machine of the goals; at least 1."""
    return max(1.0, min(seconds(_work) for _ in range(5)) / _REFERENCE)


def within(measure: Callable[[], dict[str, float]], **allowed: float) -> None:
    """Fails unless each figure of `measure`, in seconds of processor time, is no more than what is `allowed` for it in
    one of a few tries. Allowed is in seconds of the machine of the goals."""
    over: dict[str, list[str]] = {name: [] for name in allowed}
    for _ in range(TRIES):
        before = factor()
        took = measure()
        now = max(before, factor())
        for name in list(over):
            if took[name] <= allowed[name] * now:
                del over[name]
            else:
                over[name].append(f"{1000 * took[name]:.1f} ms where {1000 * allowed[name] * now:.1f} are allowed")
        if not over:
            return
    raise AssertionError(f"too much work, {TRIES} times: {over}")


def takes_at_most(allowed: float, work: Callable[[], object]) -> None:
    """`within` for a call as a whole."""
    within(lambda: {"took": seconds(work)}, took=allowed)


class Turns:
    """How long other tasks have the loop to themselves, in seconds of its thread. What runs in `watch` is a task beside
    what is measured; it ends when `over` is set."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.over = asyncio.Event()

    async def watch(self) -> None:
        while not self.over.is_set():
            last = time.thread_time()
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.thread_time() - last)


@contextmanager
def collector_off() -> Iterator[None]:
    """What the test runner has in memory is not the daemon's, which with much in memory hardly ever collects it all."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
