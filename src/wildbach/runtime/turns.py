"""Long work on the loop in slices, so that nothing else waits for more than one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


async def in_turns(items: Iterable[T], most: int) -> AsyncIterator[T]:
    """The items, at most so many in one turn of the loop. They are looked at one by one: copy what may change."""
    for number, item in enumerate(items):
        if number and number % most == 0:
            await asyncio.sleep(0)
        yield item


def batches(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The items in groups of at most so many."""
    for at in range(0, len(items), most):
        yield items[at : at + most]
