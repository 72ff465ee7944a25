"""Joins what is made of files (`remuxed`) to the media host and to the readers of the engine.

Invariant: a reader that a browser's segments were read with stays open for a while after the last of them, so that what
comes next in the film goes on being fetched first while the browser has enough for now. There is one of these a file.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, Protocol

from wildbach.interfaces.http.mediahost import PartHandler, Shown
from wildbach.interfaces.http.remuxed import Remuxed
from wildbach.net.httpd import Answer, Request
from wildbach.runtime.tasks import Scope
from wildbach.services.stream.mediaprocess import ReadsFile

KINDS: Final = ("hls", "sub", "thumb")
_LINGER_SECONDS: Final = 20.0
_LINGERING: Final = 32
"Files whose readers stay open."


class Opens(Protocol):
    """Where readers come from: the stage of the media host."""

    def open(self, key: str, index: int) -> AbstractAsyncContextManager[ReadsFile]: ...

    def check(self, key: str, index: int) -> None:
        """Raises UsageError where a file will never come."""


class RemuxParts:
    """Answers for `/TOKEN/INDEX/hls/...`, `sub/...` and `thumb/...`."""

    def __init__(self, scope: Scope, stage: Opens, remuxed: Remuxed, *, linger: float = _LINGER_SECONDS) -> None:
        self._scope = scope
        self._stage = stage
        self._remuxed = remuxed
        self._linger = linger
        self._lingering: dict[tuple[str, int], tuple[AsyncExitStack, asyncio.TimerHandle]] = {}

    def add_to(self, parts: dict[str, PartHandler]) -> None:
        for kind in KINDS:
            parts[kind] = self._for(kind)

    async def close(self) -> None:
        for place in tuple(self._lingering):
            await self._let_go(place)

    @property
    def lingering(self) -> int:
        """Readers that stay open though nobody reads."""
        return len(self._lingering)

    def _for(self, kind: str) -> PartHandler:
        async def answer(request: Request, shown: Shown, index: int, rest: tuple[str, ...]) -> Answer:
            request.with_client()
            self._stage.check(shown.key, index)
            name = shown.info.files[index].path.name
            async with AsyncExitStack() as stack:
                file = await stack.enter_async_context(self._stage.open(shown.key, index))
                made = await self._remuxed(request, file, name, "/".join((kind, *rest)))
                if kind == "hls" and rest[-1].endswith(".m4s"):
                    await self._keep((shown.key, index), stack.pop_all())
                return made

        return answer

    async def _keep(self, place: tuple[str, int], stack: AsyncExitStack) -> None:
        await self._let_go(place)
        while len(self._lingering) >= _LINGERING:
            await self._let_go(next(iter(self._lingering)))
        timer = asyncio.get_running_loop().call_later(self._linger, self._enough, place)
        self._lingering[place] = stack, timer

    def _enough(self, place: tuple[str, int]) -> None:
        if not self._scope.closed:
            self._scope.spawn("a reader ends", self._let_go(place))

    async def _let_go(self, place: tuple[str, int]) -> None:
        found = self._lingering.pop(place, None)
        if found is not None:
            stack, timer = found
            timer.cancel()
            await stack.aclose()
