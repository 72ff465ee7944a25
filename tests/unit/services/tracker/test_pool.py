import random

from hypothesis import given
from hypothesis import strategies as st

from wildbach.services.tracker import pool
from wildbach.services.tracker.pool import Pool

VALID = bytes(range(8))


def key(number: int) -> bytes:
    return number.to_bytes(6, "big")


def large(count: int) -> Pool:
    rng = random.Random(2)
    made = Pool(7, pool.factor(rng), bytearray())
    for number in range(count):
        made.bucket(key(number)).extend(key(number) + b"\0")
        made.grown()
    return made


def test_every_peer_of_a_large_pool_is_found_in_its_string() -> None:
    made = large(5000)
    assert made.count == 5000
    assert sum(map(len, made.buckets)) == 7 * 5000
    assert all(pool.find(made.bucket(key(n)), key(n)) >= 0 for n in range(5000))
    assert pool.find(made.bucket(key(5000)), key(5000)) == -1


def test_strings_stay_short() -> None:
    assert max(len(bucket) // 7 for bucket in large(20_000).buckets) < 3 * pool.BUCKET


def test_a_place_between_two_records_is_no_peer() -> None:
    one, two = b"abcdef", b"ghijkl"
    bucket = bytearray(one + b"\1" + two + b"\1")
    assert pool.find(bucket, b"bcdef\1") == -1
    assert pool.find(bucket, two) == 7
    assert pool.find(bytearray(b"xabcdef" + b"abcdef\1"), b"abcdef") == 7


def test_what_is_picked_stands_together_and_is_never_oneself() -> None:
    made = large(1000)
    rng = random.Random(3)
    seen = set()
    for number in range(1000):
        raw = bytes(pool.without(pool.some(made, 7, 51, rng.random()), 7, key(number), 50))
        got = [raw[at : at + 6] for at in range(0, len(raw), 6)]
        assert len(got) == len(set(got)) == 50
        assert key(number) not in got
        seen.update(got)
    assert len(seen) == 1000


@given(st.integers(0, 200), st.integers(0, 210), st.floats(0, 0.999), st.integers(0, 250))
def test_as_many_are_picked_as_there_are(count: int, want: int, chance: float, own: int) -> None:
    peers = large(count) if count > 100 else bytearray(b"".join(key(n) + b"\0" for n in range(count)))
    raw = bytes(pool.without(pool.some(peers, 7, want + 1, chance), 7, key(own), want))
    got = {raw[at : at + 6] for at in range(0, len(raw), 6)}
    assert len(got) * 6 == len(raw)
    assert len(got) == min(want, count - (own < count))
    assert got <= {key(n) for n in range(count) if n != own}


@given(st.lists(st.integers(0, 15), max_size=80))
def test_who_was_not_seen_lately_is_dropped(seen: list[int]) -> None:
    bucket = bytearray(b"".join(key(n) + bytes((when,)) for n, when in enumerate(seen)))
    gone = pool.expire(bucket, 7, VALID)
    left = {bytes(bucket[at : at + 6]) for at in range(0, len(bucket), 7)}
    assert left == {key(n) for n, when in enumerate(seen) if when < 8}
    assert gone == len(seen) - len(left)
