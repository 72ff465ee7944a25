import asyncio
import gc

import pytest

from wildbach.runtime.tasks import Scope


def run(coroutine):
    return asyncio.run(coroutine)


async def _forever(log, name):
    try:
        await asyncio.Event().wait()
    finally:
        log.append(name)


def test_leaving_ends_the_tasks_in_the_order_they_were_spawned():
    log = []

    async def main():
        async with Scope("root") as scope:
            for name in "abcdef":
                scope.spawn(name, _forever(log, name))
            await asyncio.sleep(0)
        assert scope.tasks == ()

    run(main())
    assert log == list("abcdef")


def test_a_task_cancelled_before_its_first_step_leaves_no_warning():
    async def main():
        async with Scope("root") as scope:
            scope.spawn("never", _forever([], "never"))
        gc.collect()

    run(main())  # warnings are errors in this suite


def test_a_contained_error_ends_only_its_task():
    errors = []

    async def bad():
        raise ValueError("theirs")

    async def main():
        async with Scope("root") as scope:
            task = scope.spawn("bad", bad(), contain=errors.append)
            await task
            assert not scope.closed

    run(main())
    assert [str(error) for error in errors] == ["theirs"]


def test_an_error_nobody_contains_ends_the_root():
    log = []

    async def bad():
        raise ValueError("bug")

    async def main():
        async with Scope("root") as scope:
            scope.child("a").spawn("other", _forever(log, "other"))
            scope.child("b").spawn("bad", bad())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert [str(error) for error in caught.value.exceptions] == ["bug"]
    assert log == ["other"]


def test_an_error_of_the_block_leaves_as_it_is():
    log = []

    async def main():
        async with Scope("root") as scope:
            scope.spawn("other", _forever(log, "other"))
            await asyncio.sleep(0)
            raise KeyError("mine")

    with pytest.raises(KeyError):
        run(main())
    assert log == ["other"]


def test_a_child_is_closed_from_any_task_and_leaves_the_others_alone():
    log = []

    async def main():
        async with Scope("root") as scope:
            one, two = scope.child("one"), scope.child("two")
            one.spawn("t", _forever(log, "one"))
            two.spawn("t", _forever(log, "two"))
            await asyncio.sleep(0)
            await one.close()
            assert log == ["one"]
            assert [task.get_name() for task in scope.tasks] == ["root/two/t"]
            with pytest.raises(RuntimeError):
                one.spawn("late", _forever(log, "late"))
            assert not two.closed

    run(main())
    assert log == ["one", "two"]


def test_a_task_may_close_its_own_scope():
    log = []

    async def main():
        async with Scope("root") as scope:
            child = scope.child("child")

            async def last():
                await child.close()
                log.append("closed")

            child.spawn("other", _forever(log, "other"))
            await asyncio.sleep(0)
            await child.spawn("last", last())

    run(main())
    assert log == ["other", "closed"]


def test_cancelling_the_owner_ends_the_tasks():
    log = []

    async def owner():
        async with Scope("root") as scope:
            scope.spawn("t", _forever(log, "t"))
            await asyncio.Event().wait()

    async def main():
        task = asyncio.get_running_loop().create_task(owner())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert log == ["t"]
