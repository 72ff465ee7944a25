"""Counts of who has what, against a plain list of counters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import bitfield
from wildbach.engine.availability import Availability

COUNT = 37
WIDTH = bitfield.width_of(COUNT)
masks = st.sets(st.integers(0, COUNT - 1)).map(lambda pieces: bitfield.of(sorted(pieces), WIDTH))
steps = st.lists(st.one_of(
    st.tuples(st.just("add"), masks), st.tuples(st.just("remove"), st.integers(0, 99)),
    st.tuples(st.just("have"), st.integers(0, COUNT - 1)), st.tuples(st.just("seed"), st.booleans()),
), max_size=60)


@given(steps, masks)
def test_it_agrees_with_plain_counters(steps: list[tuple[str, int]], asked: int) -> None:
    ours = Availability(COUNT)
    counts = [0] * COUNT
    added: list[int] = []
    seeds = 0
    for what, value in steps:
        if what == "add":
            ours.add(value)
            added.append(value)
            for piece in bitfield.indices(value, WIDTH):
                counts[piece] += 1
        elif what == "remove" and added:
            mask = added.pop(value % len(added))
            ours.remove(mask)
            for piece in bitfield.indices(mask, WIDTH):
                counts[piece] -= 1
        elif what == "have":
            ours.have(value)
            counts[value] += 1
        elif what == "seed":
            if value:
                ours.add_seed()
                seeds += 1
            elif seeds:
                ours.remove_seed()
                seeds -= 1
    total = [count + seeds for count in counts]
    assert ours.counts(COUNT) == total
    assert [ours.count(piece) for piece in range(COUNT)] == total
    assert ours.somebody() == bitfield.of([p for p in range(COUNT) if counts[p]], WIDTH)
    assert ours.copies(COUNT) == min(total) + sum(c > min(total) for c in total) / COUNT
    if asked:
        among = list(bitfield.indices(asked, WIDTH))
        least = min(counts[piece] for piece in among)
        assert ours.rarest(asked) == bitfield.of([p for p in among if counts[p] == least], WIDTH)


def test_nothing_is_nothing() -> None:
    assert Availability(0).copies(0) == 0.0
