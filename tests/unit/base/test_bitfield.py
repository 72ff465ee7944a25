"""Sets of pieces as integers: questions that are answered by shifting."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import bitfield


@given(st.lists(st.booleans(), min_size=1, max_size=200).filter(any))
def test_the_longest_row_is_found(members: list[bool]) -> None:
    width = bitfield.width_of(len(members))
    mask = bitfield.of([i for i, member in enumerate(members) if member], width)
    rows = [(len(list(group)), member) for member, group in groupby(members)]
    start, length = bitfield.longest_row(mask, width)
    assert length == max(size for size, member in rows if member)
    assert all(members[start : start + length])
    assert not any(members[max(0, start - 1) : start]) and not any(members[start + length : start + length + 1])
