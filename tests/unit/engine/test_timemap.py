"""A map is read through whoever can read the file, or there is none."""

from __future__ import annotations

import asyncio

import pytest
from tests import mediafiles

from wildbach.base.errors import StorageError
from wildbach.engine import timemap
from wildbach.engine.timemap import TimeMap, read_map
from wildbach.runtime.workers import Threads


class Held:
    """Bytes that come as a swarm brings them: a piece at most, from wherever they are asked for."""

    def __init__(self, data: bytes, piece: int = 16384) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []
        self._piece = piece

    async def read(self, offset: int, limit: int) -> bytes:
        self.asked.append((offset, limit))
        await asyncio.sleep(0)
        return self.data[offset : min(offset + limit, offset - offset % self._piece + self._piece)]


def test_the_map_of_a_film() -> None:
    held = Held(mediafiles.mkv().read_bytes())
    found: TimeMap | None = asyncio.run(read_map(held.read, len(held.data)))
    assert found is not None
    assert found.duration == pytest.approx(20.0, abs=0.1)
    assert found.keyframe(7.3) == 6.0
    assert found.seconds(found.offset(6.0)) == 6.0
    assert sum(limit for _, limit in held.asked) < 300_000


def test_a_long_index_is_parsed_in_a_thread() -> None:
    path = mediafiles.mp4("last", seconds=900.0, fps=80, size=(16, 16), gop=10.0, sounds=())
    held = Held(path.read_bytes())
    assert len(held.data) - held.data.rindex(b"moov") > timemap._LARGE
    threads = Threads(1)

    async def both() -> None:
        beside = await read_map(held.read, len(held.data), threads)
        assert beside == await read_map(held.read, len(held.data))
        assert beside is not None
        assert len(beside.times) == 90

    try:
        asyncio.run(both())
    finally:
        threads.close()


@pytest.mark.parametrize("data", [
    b"", b"text " * 1000, b"\0\0\0\x08free" * 20_000, b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x09moov\xff",
])
def test_what_is_no_film_or_lies_has_no_map(data: bytes) -> None:
    assert asyncio.run(read_map(Held(data).read, len(data))) is None


def test_a_file_that_ends_too_early_has_no_map() -> None:
    data = mediafiles.mp4("last").read_bytes()
    assert asyncio.run(read_map(Held(data[:-20_000]).read, len(data))) is None


def test_a_failure_to_read_comes_through() -> None:
    async def broken(offset: int, limit: int) -> bytes:
        raise StorageError("the disk is gone")

    with pytest.raises(StorageError):
        asyncio.run(read_map(broken, 100_000))
