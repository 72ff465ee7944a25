"""`served`: a test that gets a remuxer of its own, on a loop of its own."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from wildbach.runtime.tasks import Scope
from wildbach.services.stream.remux import Remuxer

SECONDS = 20.0


def served(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    async def run(given: dict[str, Any]) -> None:
        async with asyncio.timeout(SECONDS), Scope("test") as scope:
            remuxer = Remuxer(scope)
            try:
                await test(remuxer, **given)
            finally:
                await remuxer.close()

    @functools.wraps(test)
    def plain(**given: Any) -> None:
        asyncio.run(run(given))

    signature = inspect.signature(test)
    plain.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[each for each in signature.parameters.values() if each.name != "remuxer"])
    del plain.__wrapped__  # type: ignore[attr-defined]
    return plain
