from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from wildbach.interfaces.api import freespace
from wildbach.interfaces.api.freespace import FreeSpace, free_bytes
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads


def _fail(error: Exception) -> None:
    raise error


def test_the_room_of_a_folder_that_is_not_there_yet_is_that_of_the_one_above(tmp_path: Path) -> None:
    free = free_bytes(tmp_path / "a" / "b")
    assert free is not None and free > 0


def test_a_disk_that_does_not_answer_keeps_one_thread_busy_and_nobody_waiting() -> None:
    async def work() -> None:
        threads, go, looks = Threads(2), threading.Event(), []

        def look(folder: Path) -> int | None:
            looks.append(folder)
            go.wait(30)
            return 7

        async with Scope("test") as scope:
            room = FreeSpace(scope, threads, _fail, look)
            async with asyncio.timeout(freespace._WAIT_SECONDS * 30):
                assert await asyncio.gather(*(room.of(Path("/dl")) for _ in range(50))) == [None] * 50
                assert await threads.run(lambda: "the other thread is free") and len(looks) == 1
            go.set()
            while await room.of(Path("/dl")) is None:
                pass
            assert await room.of(Path("/dl")) == 7 and len(looks) == 1
        threads.close()

    asyncio.run(work())


def test_another_folder_is_looked_at_at_once() -> None:
    async def work() -> None:
        threads = Threads(1)
        async with Scope("test") as scope:
            room = FreeSpace(scope, threads, _fail, lambda folder: len(str(folder)))
            assert [await room.of(Path("/a")), await room.of(Path("/a/b"))] == [2, 4]
        threads.close()

    asyncio.run(work())
