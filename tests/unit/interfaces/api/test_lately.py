"""What nobody asks for goes, without being asked to."""

from __future__ import annotations

import asyncio

from wildbach.interfaces.api.lately import Lately
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim


def fail(error: Exception) -> None:
    raise error


def test_what_is_asked_for_stays_and_the_rest_goes_in_time() -> None:
    async def main() -> None:
        gone: list[str] = []
        async with Scope("test") as scope:
            kept = Lately[str](scope, fail, seconds=60, most=3, gone=gone.append)
            kept.put("a", "A")
            await asyncio.sleep(40)
            kept.put("b", "B")
            assert kept.get("a") == "A"
            await asyncio.sleep(59)
            assert gone == [] and list(kept) == ["B", "A"]
            await asyncio.sleep(2)
            assert gone == ["B", "A"] and kept.get("a") is None and not scope.tasks
            kept.put("c", "C")
            await asyncio.sleep(61)
            assert gone == ["B", "A", "C"] and len(kept) == 0

    sim(1).run(main())


def test_what_is_busy_stays_until_it_is_not() -> None:
    async def main() -> None:
        gone: list[str] = []
        busy = {"A"}
        async with Scope("test") as scope:
            kept = Lately[str](scope, fail, seconds=60, most=3, gone=gone.append, busy=busy.__contains__)
            kept.put("a", "A")
            kept.put("b", "B")
            await asyncio.sleep(130)
            assert gone == ["B"] and list(kept) == ["A"]
            busy.clear()
            await asyncio.sleep(60)
            assert gone == ["B", "A"] and not scope.tasks

    sim(1).run(main())


def test_there_are_never_more_than_the_most() -> None:
    async def main() -> None:
        gone: list[str] = []
        async with Scope("test") as scope:
            kept = Lately[str](scope, fail, seconds=60, most=2, gone=gone.append)
            for name in "abc":
                kept.put(name, name)
            assert gone == ["a"] and list(kept) == ["b", "c"]
            kept.put("b", "B")
            assert gone == ["a", "b"] and list(kept) == ["c", "B"]
            kept.drop("nothing")
            kept.drop("c")
            assert gone == ["a", "b", "c"]

    sim(1).run(main())
