from __future__ import annotations

import asyncio

from wildbach.runtime.turns import batches, in_turns


def test_between_so_many_items_the_loop_does_other_things() -> None:
    async def work() -> list[int]:
        seen: list[int] = []
        runs: list[int] = []

        async def look() -> None:
            async for item in in_turns(range(10), 4):
                seen.append(item)

        task = asyncio.get_running_loop().create_task(look())
        while not task.done():
            before = len(seen)
            await asyncio.sleep(0)
            runs.append(len(seen) - before)
        assert seen == list(range(10))
        return [run for run in runs if run]

    assert asyncio.run(work()) == [4, 4, 2]


def test_batches_are_all_items_in_their_order() -> None:
    assert [list(batch) for batch in batches("abcde", 2)] == [["a", "b"], ["c", "d"], ["e"]]
    assert list(batches([], 2)) == []
