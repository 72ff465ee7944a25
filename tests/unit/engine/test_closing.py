"""A session that ends lets go of everything, however it ends. That nothing stays open is looked at after each test."""

from __future__ import annotations

import asyncio

import pytest

from wildbach.engine.session import Session
from wildbach.engine.settings import ConnectionSettings, DhtSettings, Settings

QUIET = Settings(connections=ConnectionSettings(listen=("127.0.0.1:0",)), dht=DhtSettings(enabled=False))


def test_a_task_that_is_cancelled_inside_a_session_closes_it_whole() -> None:
    async def main() -> None:
        began = asyncio.Event()
        sessions: list[Session] = []

        async def live() -> None:
            async with Session(QUIET) as session:
                sessions.append(session)
                began.set()
                await asyncio.Event().wait()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(live())
            await began.wait()
            task.cancel()
        assert task.cancelled()
        assert sessions[0]._pool.fd == -1

    asyncio.run(main())


def test_an_error_inside_a_session_closes_it_whole() -> None:
    async def main() -> None:
        async with Session(QUIET) as session:
            made.append(session)
            raise ZeroDivisionError

    made: list[Session] = []
    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert made[0]._pool.fd == -1
