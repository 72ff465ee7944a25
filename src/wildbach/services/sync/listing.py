"""Fetching the lists of what was accepted of those who may not write any more, page by page, of whoever is connected.

A page that came is written before the next one is asked for. So nothing is asked for twice, whoever goes away
meanwhile, and one page is in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from wildbach.base.errors import StorageError
from wildbach.protocol.sync.listpages import Page
from wildbach.protocol.sync.roster import Cut
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.fetching import Fetching
from wildbach.services.sync.session import Link

AGAIN_SECONDS: Final = 60.0
"After which those who are connected are asked again for what none of them had."

Wanted = list[tuple[Cut, list[int]]]


class Listing:
    """Of one folder. For the loop."""

    def __init__(
        self, fetching: Fetching, scope: Scope, call: Callable[[Callable[[], Any]], Awaitable[Any]],
        links: Callable[[], Sequence[Link]], wanted: Callable[[], Wanted], take: Callable[[Cut, int, Page], None],
        report: Callable[[Exception], None],
    ) -> None:
        """`call` runs something in the folder's thread, as `wanted` and `take` have to be."""
        self._fetching = fetching
        self._scope = scope
        self._call = call
        self._links = links
        self._wanted = wanted
        self._take = take
        self._report = report
        self._news = asyncio.Event()
        self._running = False

    def look(self) -> None:
        """There may be a list to fetch, or somebody else who has it."""
        self._news.set()
        if not self._running:
            self._running = True
            self._scope.spawn("lists", self._run(), contain=self._report)

    async def _run(self) -> None:
        try:
            while True:
                self._news.clear()
                came = 0
                try:
                    wanted: Wanted = await self._call(self._wanted)
                    if not wanted:
                        if self._news.is_set():
                            continue
                        return
                    for cut, numbers in wanted:
                        came += await self._fetch(cut, numbers)
                except StorageError:
                    # The disk is full, or the folder is being closed.
                    came = 0
                if not came:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(AGAIN_SECONDS):
                            await self._news.wait()
        finally:
            self._running = False

    async def _fetch(self, cut: Cut, numbers: Sequence[int]) -> int:
        """Pages in order, so that who has some of them has the first ones. Returns how many came."""
        for done, number in enumerate(numbers):
            page = await self._fetching.page(self._links(), cut, number)
            if page is None:
                return done
            await self._call(partial(self._take, cut, number, page))
        return len(numbers)
