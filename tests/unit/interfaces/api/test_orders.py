from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.api.orders import Order

keys = st.text("abcdefgh", min_size=1, max_size=2)
tables = st.dictionaries(keys, st.integers(-3, 3), max_size=40)


@given(tables, tables, st.sets(keys), st.booleans(), st.integers(0, 10), st.integers(0, 10))
def test_an_order_that_is_kept_is_what_sorting_anew_would_give(
    first: dict[str, int], then: dict[str, int], gone: set[str], descending: bool, start: int, count: int,
) -> None:
    values = dict(first)
    order = asyncio.run(Order.of(values, lambda key: values[key]))
    assert order.all() == sorted(values, key=lambda key: (values[key], key))
    for key in then:
        values[key] = then[key]
        order.touch(key)
    for key in gone:
        values.pop(key, None)
        order.touch(key)
    order.settle(values.__contains__)
    wanted = sorted(values, key=lambda key: (values[key], key), reverse=descending)
    assert order.all(descending=descending) == wanted
    assert order.slice(start, start + count, descending=descending) == wanted[start : start + count]
