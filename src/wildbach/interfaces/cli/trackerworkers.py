"""The worker processes of `wildbach tracker --workers N`: this command again, once for each, with the same flags."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any

from wildbach.base.errors import NetworkError
from wildbach.runtime.tasks import Scope
from wildbach.services.tracker.metrics import combined
from wildbach.services.tracker.server import TrackerStats

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_RESTART_SECONDS = 1.0
_LINE_BYTES = 1 << 16
_OWN_FLAGS = ("--workers", "--metrics")


class Workers:
    """`start` returns once all listen; a worker that ends later is started anew. `say` hears of that."""

    def __init__(self, count: int, say: Callable[[str], None]) -> None:
        self._count = count
        self._say = say
        self._scope = Scope("workers")
        self._processes: dict[int, Process] = {}
        self._stats: dict[int, TrackerStats] = {}
        self._ready: dict[int, asyncio.Event] = {}
        self._closing = False
        self.urls: tuple[str, ...] = ()

    async def start(self) -> None:
        """Raises NetworkError where one does not come up; its own words are on stderr then."""
        await self._scope.__aenter__()
        for number in range(self._count):
            self._ready[number] = asyncio.Event()
            self._scope.spawn(f"worker {number}", self._keep(number))
        try:
            async with asyncio.timeout(_START_SECONDS):
                for ready in self._ready.values():
                    await ready.wait()
        except TimeoutError:
            raise NetworkError("the workers did not start") from None
        if not self.urls:
            raise NetworkError("a worker did not start; it said why above")

    async def close(self) -> None:
        """Ask them to stop, and wait for it."""
        self._closing = True
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        for process in self._processes.values():
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
        await self._scope.__aexit__(None, None, None)

    def stats(self) -> TrackerStats:
        """All of them together."""
        return combined(list(self._stats.values()))

    async def _keep(self, number: int) -> None:
        while True:
            process = self._processes[number] = await asyncio.create_subprocess_exec(
                *worker_command(sys.argv[1:]), stdout=PIPE, limit=_LINE_BYTES,
            )
            if self._closing:
                process.terminate()  # `close` had not heard of it
            if process.stdout is not None:
                async for line in process.stdout:
                    self._heard(number, line)
            code = await process.wait()
            if not self._ready[number].is_set():
                # It never listened, and the next one would not either.
                self.urls = ()
                for ready in self._ready.values():
                    ready.set()
                return
            # Ctrl-C reaches them and us alike; they may be the first to end.
            await asyncio.sleep(_RESTART_SECONDS)
            if self._closing:
                return
            self._say(f"a worker ended with code {code} and is started anew")

    def _heard(self, number: int, line: bytes) -> None:
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            return
        if said.get("event") == "listening":
            self.urls = tuple(said["urls"])
            self._ready[number].set()
        elif said.pop("event", "") == "stats":
            self._stats[number] = TrackerStats(**said)


def worker_command(flags: list[str]) -> list[str]:
    """How a worker is called: with the flags of this process, but those that are not for it."""
    out = [sys.executable, "-m", "wildbach.interfaces.cli.main"]
    skip = False
    for word in flags:
        if skip:
            skip = False
        elif word in _OWN_FLAGS:
            skip = True
        elif not word.startswith(tuple(f"{flag}=" for flag in _OWN_FLAGS)):
            out.append(word)
    return [*out, "--worker", *([] if "--json" in out else ["--json"])]
