from __future__ import annotations

import asyncio
import os
import signal

import pytest

from wildbach.base.errors import NetworkError
from wildbach.interfaces.cli import running
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.running import Stop


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_asks_to_stop_and_names_the_exit_code(number: int, code: int) -> None:
    async def work(stop: Stop) -> Exit:
        os.kill(os.getpid(), number)
        await stop.wait()
        return stop.code

    assert running.run(work) == code


def test_work_that_looks_again_and_again_is_ended_by_a_stop() -> None:
    async def work(stop: Stop) -> Exit:
        async def look() -> None:
            while True:
                if not stop.asked:
                    stop.ask(Exit.INTERRUPTED)
                await stop.pause(3600)

        assert await running.unless_stopped(stop, look) is None
        return stop.code

    assert running.run(work) == 130


def test_a_nudge_ends_one_pause() -> None:
    async def work(stop: Stop) -> Exit:
        stop.nudge()
        await stop.pause(3600)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await stop.pause(3600)
        return Exit.OK

    assert running.run(work) == 0


def test_results_and_errors_of_work_come_through() -> None:
    async def work(stop: Stop) -> Exit:
        async def good() -> int:
            return 7

        async def bad() -> int:
            raise NetworkError("gone")

        assert await running.unless_stopped(stop, good) == 7
        with pytest.raises(NetworkError, match="gone"):
            await running.unless_stopped(stop, bad)
        return Exit.OK

    assert running.run(work) == 0
