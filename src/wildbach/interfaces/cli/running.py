"""Running a command that takes time: Ctrl-C and SIGTERM ask it to stop cleanly, a second one ends it at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wildbach.interfaces.cli import output
from wildbach.interfaces.cli.exits import Exit
from wildbach.runtime.tasks import Scope

T = TypeVar("T")

_SIGNALS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


class Stop:
    """Set once somebody asked the command to stop; `code` is then its exit code."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._news = asyncio.Event()
        self.code = Exit.OK

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self, code: Exit) -> None:
        """Ask for a clean stop; asked a second time by a signal, end at once."""
        if self.asked and code in _SIGNALS.values():
            os._exit(code)
        self.code = code
        self._asked.set()
        self._news.set()

    def nudge(self) -> None:
        """End the pause there may be: something happened that should be looked at."""
        self._news.set()

    async def pause(self, seconds: float) -> None:
        """Wait between two looks at something; shorter after `ask` or `nudge`, but others always get their turn."""
        await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        if not self.asked:
            self._news.clear()

    async def wait(self) -> None:
        await self._asked.wait()


def run(work: Callable[[Stop], Awaitable[Exit]]) -> int:
    """Run `work` on a new loop; its exit code. `work` looks at its `Stop` and leaves its scopes when asked to."""
    return asyncio.run(_watched(work))


async def _watched(work: Callable[[Stop], Awaitable[Exit]]) -> Exit:
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number, code in _SIGNALS.items():
        try:
            loop.add_signal_handler(number, stop.ask, code)
        except (NotImplementedError, RuntimeError, ValueError):
            # Windows has no handlers on the loop, and a loop beside the main thread none at all.
            continue
    return await work(stop)


async def unless_stopped(stop: Stop, work: Callable[[], Awaitable[T]]) -> T | None:
    """What `work` gives; None where somebody asked to stop first, and the work was ended."""
    found: list[T] = []
    errors: list[Exception] = []

    async def run_work() -> None:
        found.append(await work())

    async def end_on_stop(task: asyncio.Task[None]) -> None:
        await stop.wait()
        task.cancel()

    async with Scope("command") as scope:
        task = scope.spawn("work", run_work(), contain=errors.append)
        scope.spawn("stop", end_on_stop(task))
        await asyncio.wait([task])
    if errors:
        raise errors[0]
    return found[0] if found else None


def say_stopping() -> None:
    """The line between Ctrl-C and the end of a clean stop."""
    output.line("Stopping cleanly (Ctrl-C again ends at once) …")
