"""Values that are kept as long as somebody asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from wildbach.runtime.tasks import Contain, Scope

T = TypeVar("T")


class Lately(Generic[T]):
    """By key. One that nobody asked for in `seconds` and that is not `busy` goes; so does the one that was asked for
    longest ago, where there would be more than `most`. `gone` is told.
    """

    def __init__(
        self, scope: Scope, report: Contain, *, seconds: float, most: int, gone: Callable[[T], None] | None = None,
        busy: Callable[[T], bool] = lambda value: False,
    ) -> None:
        self._scope = scope
        self._report = report
        self._seconds = seconds
        self._most = most
        self._gone = gone
        self._busy = busy
        self._kept: dict[str, tuple[float, T]] = {}
        "With when it was last asked for, the longest ago first."
        self._forgetting = False

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        return iter([value for _, value in self._kept.values()])

    def get(self, key: str) -> T | None:
        """Asked for now."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        self._kept[key] = (self._now(), found[1])
        return found[1]

    def put(self, key: str, value: T) -> None:
        self.drop(key)
        self._kept[key] = (self._now(), value)
        while len(self._kept) > self._most:
            self.drop(next(iter(self._kept)))
        if not self._forgetting:
            self._forgetting = True
            self._scope.spawn("forget", self._forget(), contain=self._report)

    def drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        if found is not None and self._gone is not None:
            self._gone(found[1])

    async def _forget(self) -> None:
        try:
            while self._kept:
                key, (asked, value) = next(iter(self._kept.items()))
                left = asked + self._seconds - self._now()
                if left > 0:
                    await asyncio.sleep(left)
                elif self._busy(value):
                    self.get(key)
                else:
                    self.drop(key)
        finally:
            self._forgetting = False

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
