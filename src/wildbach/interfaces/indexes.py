"""The time maps of media files that are being played: read once from the file itself, given to every reader of it.

Without one a reader plans by bytes; with one it fetches what is played in the next seconds. A file that has no index,
or a broken one, is played all the same.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from wildbach.base.errors import WildbachError
from wildbach.engine.reader import Reader
from wildbach.protocol.media.index import MediaIndex
from wildbach.protocol.media.scanner import IndexScanner
from wildbach.runtime.tasks import Scope

_KEPT: Final = 200

Open = Callable[[str, int], AbstractAsyncContextManager[Reader]]


class Indexes:
    """`open` gives a reader of a file."""

    def __init__(self, scope: Scope, open: Open, report: Callable[[Exception], None]) -> None:
        self._scope = scope
        self._open = open
        self._report = report
        self._found: OrderedDict[str, MediaIndex | None] = OrderedDict()
        "By tag; None where there is none to be had."
        self._waiting: dict[str, dict[Reader, None]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def get(self, tag: str) -> MediaIndex | None:
        """What is known by now."""
        return self._found.get(tag)

    def join(self, key: str, index: int, reader: Reader) -> None:
        """A reader begins: it gets the map now, or as soon as it is read."""
        tag = reader.tag
        if tag in self._found:
            self._found.move_to_end(tag)
            reader.set_map(self._found[tag])
            return
        self._waiting.setdefault(tag, {})[reader] = None
        if tag not in self._tasks and not self._scope.closed:
            self._tasks[tag] = self._scope.spawn(
                f"index:{tag[:8]}", self._look(key, index, tag), contain=self._report)

    def leave(self, reader: Reader) -> None:
        """It ends. An index that nobody waits for any more is not looked for."""
        waiting = self._waiting.get(reader.tag, {})
        waiting.pop(reader, None)
        if not waiting:
            self._waiting.pop(reader.tag, None)
            task = self._tasks.pop(reader.tag, None)
            if task is not None:
                task.cancel()

    async def _look(self, key: str, index: int, tag: str) -> None:
        try:
            found = await self._scan(key, index)
            self._found[tag] = found
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
            for reader in self._waiting.get(tag, ()):
                reader.set_map(found)
        finally:
            # Of one that was ended another may be under way already.
            if self._tasks.get(tag) is asyncio.current_task():
                self._tasks.pop(tag, None)
                self._waiting.pop(tag, None)

    async def _scan(self, key: str, index: int) -> MediaIndex | None:
        try:
            async with self._open(key, index) as reader:
                scanner = IndexScanner(reader.size)
                while (want := scanner.wants()) is not None:
                    scanner.feed(want.offset, await reader.read(want.offset, want.length))
                return scanner.result
        except WildbachError:
            # A hostile or broken index, or a torrent that stopped: players see for themselves.
            return None
