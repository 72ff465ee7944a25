from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.vectors import NOTHING, Order, VersionVector

A, B, C = (DeviceId(bytes([each]) * 16) for each in b"abc")
devices = st.sampled_from([A, B, C])
vectors = st.dictionaries(devices, st.integers(1, 5)).map(VersionVector)


@given(vectors, vectors)
def test_the_order_is_that_of_the_counters(one: VersionVector, two: VersionVector) -> None:
    less = all(one.counter(each) <= two.counter(each) for each in (A, B, C))
    more = all(one.counter(each) >= two.counter(each) for each in (A, B, C))
    wanted = {
        (True, True): Order.EQUAL, (True, False): Order.BEFORE, (False, True): Order.AFTER,
        (False, False): Order.CONCURRENT,
    }
    assert one.order(two) is wanted[less, more]
    assert one.knew(two) is more


@given(vectors, vectors, vectors)
def test_a_union_knew_of_all_and_of_nothing_else(one: VersionVector, two: VersionVector, three: VersionVector) -> None:
    union = one.union(two, three)
    assert all(union.knew(each) for each in (one, two, three))
    assert union == three.union(one).union(two)
    assert all(union.counter(each) in {v.counter(each) for v in (one, two, three)} for each in (A, B, C))


@given(vectors, devices, st.floats(-1e12, 1e12))
def test_a_change_is_after_what_it_knew_of(one: VersionVector, device: DeviceId, wall: float) -> None:
    assert one.bumped(device, wall).order(one) is Order.AFTER


def test_a_change_counts_by_the_clock_where_that_is_ahead() -> None:
    assert NOTHING.bumped(A, 1000.7).counter(A) == 1000
    assert VersionVector({A: 2000}).bumped(A, 1000.7).counter(A) == 2001


def test_there_is_a_last_counter() -> None:
    with pytest.raises(LimitError):
        VersionVector({A: limits.SYNC_COUNTER}).bumped(A, 0)


@given(vectors)
def test_a_vector_survives_the_wire(one: VersionVector) -> None:
    assert VersionVector.unpack(one.pack()) == one
    assert hash(VersionVector.unpack(one.pack())) == hash(one)


@given(st.binary(max_size=100))
def test_bytes_are_a_vector_or_refused(raw: bytes) -> None:
    try:
        found = VersionVector.unpack(raw)
    except FormatError:
        return
    assert found.pack() == raw


def test_another_spelling_is_refused() -> None:
    one = A + (1).to_bytes(8, "big")
    two = B + (2).to_bytes(8, "big")
    for raw in (two + one, one + one, A + bytes(8), A + b"\xff" * 8, one[:-1]):
        with pytest.raises(FormatError):
            VersionVector.unpack(raw)
