import random

from hypothesis import given
from hypothesis import strategies as st

from wildbach.testing.storage import SharedStorage

DATA = random.Random(1).randbytes(70_000)


def test_it_is_whole_when_all_that_was_written_is_true():
    storage = SharedStorage(DATA)
    storage.write(0, [memoryview(DATA)[:40_000]])
    storage.write(40_000, [memoryview(bytes(30_000))])
    assert not storage.whole
    storage.write(32768, [memoryview(DATA)[32768:]])
    assert storage.whole
    assert SharedStorage(DATA, complete=True).whole


@given(st.lists(st.tuples(st.integers(0, 69_999), st.integers(1, 40_000), st.booleans()), max_size=8))
def test_it_holds_what_was_written_true_or_not(writes):
    storage, right = SharedStorage(DATA, complete=True), bytearray(DATA)
    for offset, length, true in writes:
        length = min(length, len(DATA) - offset)
        data = DATA[offset : offset + length] if true else bytes(length)
        storage.write(offset, [memoryview(data)])
        right[offset : offset + length] = data
    got = bytearray(len(DATA))
    storage.read_into(0, [memoryview(got)])
    assert got == right
