"""When Python's collector looks at all objects of the process: seldom, while somebody has many of them in hand.

It stops every thread while it looks, which is some tenth of a second for each half million, and whoever has so many
drops none of them meanwhile. What is young is collected as ever. Counted for the whole process; for any thread.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator
from typing import Final

_SELDOM: Final = 1000
"Collections of what is young before all is looked at; usually 10."


class _Collector:
    """Of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking = 0
        self._usual = gc.get_threshold()

    def begin(self) -> None:
        with self._lock:
            self._asking += 1
            if self._asking == 1:
                self._usual = young, middle, _ = gc.get_threshold()
                gc.set_threshold(young, middle, _SELDOM)

    def end(self) -> None:
        with self._lock:
            self._asking -= 1
            if not self._asking:
                gc.set_threshold(*self._usual)


_collector = _Collector()


def begin() -> None:
    """All is looked at seldom, until `end` was called as often."""
    _collector.begin()


def end() -> None:
    """What `begin` began."""
    _collector.end()


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """For one piece of work."""
    begin()
    try:
        yield
    finally:
        end()


class Wish:
    """Of one who has many objects in hand at times, over several pieces of work."""

    def __init__(self) -> None:
        self._is_on = False

    def set(self, on: bool) -> None:
        if on is not self._is_on:
            self._is_on = on
            (begin if on else end)()
