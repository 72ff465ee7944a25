from __future__ import annotations

import errno

import pytest

from disk_content import content, fill, read
from wildbach.base.errors import StorageError
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.wrappers import FAULTS, Faulty, Slow, Timed

WHAT = content(("a", 20_000), ("b", 50_000))


@pytest.mark.parametrize("number", FAULTS)
@pytest.mark.parametrize("kind", ["read", "write", "sync"])
def test_the_kth_call_fails_and_then_it_heals(kind: str, number: int) -> None:
    storage = Faulty(MemoryStorage(WHAT))
    fill(storage, WHAT, [0, 1])
    call = {"read": lambda: read(storage, 0, 10), "write": lambda: fill(storage, WHAT, [2]), "sync": storage.sync}[kind]
    storage.fail(kind, number, after=2, times=1)
    call()
    call()
    assert storage.try_read(0, [memoryview(bytearray(4))]) == (kind != "read")
    with pytest.raises(StorageError) as caught:
        call()
    assert caught.value.errno == number
    call()
    storage.fail(kind, number)
    for _ in range(3):
        with pytest.raises(StorageError):
            call()
    storage.heal()
    call()


def test_a_full_disk_leaves_half_of_a_write() -> None:
    storage = Faulty(MemoryStorage(WHAT))
    fill(storage, WHAT)
    storage.fail("write", errno.ENOSPC)
    with pytest.raises(StorageError) as caught:
        storage.write(0, [memoryview(bytes(100))])
    assert caught.value.code == "disk_full"
    assert read(storage, 0, 100) == bytes(50) + WHAT.linear(50, 50)


def test_slow_spends_time_by_bytes_and_never_serves_at_once() -> None:
    spent: list[float] = []
    storage = Slow(MemoryStorage(WHAT), latency=1.0, rate=16384, pause=spent.append)
    fill(storage, WHAT, [0])
    read(storage, 0, 8192)
    storage.sync()
    assert spent == [2.0, 1.5, 1.0]
    assert not storage.try_read(0, [memoryview(bytearray(1))])


def test_timed_counts() -> None:
    now = iter(range(100))
    storage = Timed(MemoryStorage(WHAT), clock=lambda: float(next(now)))
    fill(storage, WHAT, [0, 1])
    read(storage, 0, 7)
    storage.sync()
    assert storage.calls == {"write": 2, "read": 1, "sync": 1}
    assert storage.bytes["write"] == 32768
    assert storage.seconds["write"] == 2.0
