from __future__ import annotations

import random

from disk_content import content, fill, read
from wildbach.disk.memory import MemoryStorage

WHAT = content(("a", 20_000), ("b", 50_000), ("zero", 0))


def test_a_power_cut_takes_what_was_not_synced() -> None:
    storage = MemoryStorage(WHAT)
    fill(storage, WHAT, [0])
    storage.sync()
    fill(storage, WHAT, [1, 2])
    storage.write(0, [memoryview(bytes(10))])
    storage.lose_unsynced()
    assert read(storage, 0, 16384) == WHAT.piece(0)[1]
    assert read(storage, 16384, 3616) == bytes(3616)
    assert storage.file(1) == b""


def test_some_of_it_may_have_got_out_in_time() -> None:
    rng = random.Random(3)
    storage = MemoryStorage(WHAT)
    fill(storage, WHAT)
    storage.sync()
    for _ in range(50):
        storage.write(0, [memoryview(bytes(8192))])
        storage.write(8192, [memoryview(bytes(8192))])
        storage.lose_unsynced(lambda: rng.random() < 0.5)
        halves = (read(storage, 0, 8192), read(storage, 8192, 8192))
        assert all(half in (bytes(8192), right) for half, right in zip(
            halves, (WHAT.linear(0, 8192), WHAT.linear(8192, 8192)), strict=True))
        fill(storage, WHAT, [0])
        storage.sync()
