"""Owned tasks: the only place in wildbach that starts one.

A task belongs to a scope, and a scope ends its tasks before it ends itself, so nothing runs on after its owner. The
scope of a session is entered by `async with`; the scopes of its torrents are children of it, opened and closed from
any task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

Contain = Callable[[Exception], None]


class Scope:
    """Tasks that are named, listed and ended together.

    An exception that leaves a task without `contain` is a bug: it cancels every task of the root scope and leaves the
    root's `async with` in an ExceptionGroup. An exception of the block itself leaves it as it is.

    Cancellation goes in the order of spawning, so that a simulation is the same in every process.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._group = asyncio.TaskGroup()
        self._parent: Scope | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._closed = False

    async def __aenter__(self) -> Scope:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self.cancel()
        if error is None or isinstance(error, asyncio.CancelledError):
            await self._group.__aexit__(kind, error, trace)
            return
        try:
            # The group would wrap the block's own error; only errors of tasks need a group.
            await self._group.__aexit__(None, None, None)
        except BaseExceptionGroup as bugs:
            raise BaseExceptionGroup(bugs.message, [error, *bugs.exceptions]) from None

    def child(self, name: str) -> Scope:
        """A scope whose tasks also end with this one. Close it with `close()`; it is not for `async with`."""
        scope = Scope(f"{self.name}/{name}")
        scope._group = self._group
        scope._parent = self
        return scope

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """The tasks that still run, those of the children included, in the order they were spawned."""
        return tuple(self._tasks)

    @property
    def closed(self) -> bool:
        """True once no task may be spawned any more."""
        return self._closed or (self._parent is not None and self._parent.closed)

    def spawn(
        self, name: str, work: Coroutine[Any, Any, None], *, contain: Contain | None = None
    ) -> asyncio.Task[None]:
        """Run `work` until it ends or the scope does.

        `contain` gets the exception that ends it; without one an exception ends the root scope. Raises RuntimeError
        where the scope is closed; `work` is then closed too.
        """
        if self.closed:
            work.close()
            raise RuntimeError(f"scope {self.name} is closed")
        runner = _run(work, contain)
        try:
            task = self._group.create_task(runner, name=f"{self.name}/{name}")
        except RuntimeError:
            runner.close()
            work.close()
            raise
        scope: Scope | None = self
        while scope is not None:
            scope._tasks[task] = None
            scope = scope._parent
        # A task cancelled before its first step never touches `work`, which would then complain at its end.
        task.add_done_callback(lambda done: self._forget(done, work))
        return task

    def cancel(self) -> None:
        """Ask every task to end. Does not wait; a task that asks does not cancel itself."""
        own = _current()
        for task in tuple(self._tasks):
            if task is not own:
                task.cancel()

    async def close(self) -> None:
        """Take no more tasks, end those there are, and wait for them. May be called by one of them, and twice."""
        self._closed = True
        self.cancel()
        own = _current()
        rest = [task for task in self._tasks if task is not own]
        if rest:
            await asyncio.wait(rest)

    def _forget(self, task: asyncio.Task[None], work: Coroutine[Any, Any, None]) -> None:
        work.close()
        scope: Scope | None = self
        while scope is not None:
            scope._tasks.pop(task, None)
            scope = scope._parent


async def _run(work: Coroutine[Any, Any, None], contain: Contain | None) -> None:
    try:
        await work
    except Exception as error:
        if contain is None:
            raise
        contain(error)


def _current() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None  # called by a callback while no loop runs
