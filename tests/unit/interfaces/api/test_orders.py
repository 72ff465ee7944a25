from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.api import orders
from wildbach.interfaces.api.orders import Order

keys = st.text("abcdefgh", min_size=1, max_size=2)
tables = st.dictionaries(keys, st.integers(-3, 3), max_size=40)


@pytest.mark.parametrize("few", [0, 100])
@given(tables, tables, st.sets(keys), st.booleans(), st.integers(0, 10), st.integers(0, 10))
def test_an_order_that_is_kept_is_what_sorting_anew_would_give(
    few: int, first: dict[str, int], then: dict[str, int], gone: set[str], descending: bool, start: int, count: int,
) -> None:
    values = dict(first)
    with mock.patch.object(orders, "_FEW", few):
        _check(values, then, gone, descending, start, count)


def _check(
    values: dict[str, int], then: dict[str, int], gone: set[str], descending: bool, start: int, count: int,
) -> None:
    order = asyncio.run(Order.of(values, lambda key: values[key]))
    assert len(order) == len(values)
    assert order.all() == sorted(values, key=lambda key: (values[key], key))
    for key in then:
        values[key] = then[key]
        order.touch(key)
    for key in gone:
        values.pop(key, None)
        order.touch(key)
    asyncio.run(order.settle(values.__contains__))
    wanted = sorted(values, key=lambda key: (values[key], key), reverse=descending)
    assert order.all(descending=descending) == wanted
    assert order.slice(start, start + count, descending=descending) == wanted[start : start + count]


def longest_run(work: Coroutine[Any, Any, Any], counted: list[str]) -> int:
    """The most items that were counted in one turn of the loop."""
    async def main() -> int:
        task = asyncio.get_running_loop().create_task(work)
        longest = before = 0
        while not task.done():
            await asyncio.sleep(0)
            longest, before = max(longest, len(counted) - before), len(counted)
        await task
        return longest

    return asyncio.run(main())


def test_many_changes_are_put_in_their_place_in_slices() -> None:
    values = {f"k{number:05d}": -number for number in range(10_000)}
    looked_at: list[str] = []

    def value(key: str) -> int:
        looked_at.append(key)
        return values[key]

    order = asyncio.run(Order.of(values, value))
    for key in values:
        values[key] = -values[key]
        order.touch(key)
    looked_at.clear()
    assert longest_run(order.settle(values.__contains__), looked_at) <= orders._SLICE
    assert len(looked_at) == len(values)
    assert order.all() == sorted(values)


def test_what_is_touched_while_many_settle_is_settled_too() -> None:
    values = {f"k{number:05d}": number for number in range(5000)}

    async def work() -> list[str]:
        order = await Order.of(values, lambda key: values[key])
        for key in values:
            order.touch(key)
        settling = asyncio.get_running_loop().create_task(order.settle(values.__contains__))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        values["k00000"] = 9999
        order.touch("k00000")
        del values["k00001"]
        order.touch("k00001")
        await settling
        return order.all()

    assert asyncio.run(work()) == sorted(values, key=lambda key: values[key])


def test_an_order_whose_making_was_given_up_loses_nothing() -> None:
    values = {f"k{number:05d}": number for number in range(5000)}

    async def work() -> list[str]:
        order = await Order.of(values, lambda key: values[key])
        values["k00000"] = 9999
        for key in values:
            order.touch(key)
        settling = asyncio.get_running_loop().create_task(order.settle(values.__contains__))
        await asyncio.sleep(0)
        settling.cancel()
        await asyncio.wait([settling])
        await order.settle(values.__contains__)
        return order.all()

    assert asyncio.run(work())[-1] == "k00000"
