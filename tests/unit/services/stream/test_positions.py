from __future__ import annotations

import asyncio

import pytest

from api_fakes import FakeKeeper
from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.services.stream import positions
from wildbach.services.stream.positions import Position, Positions

FAR = Position(torrent="t", index=3, seconds=100.0, duration=1000.0, audio="de", speed=1.5)


def made(keeper: FakeKeeper, now: list[float] | None = None) -> tuple[Positions, list[Exception]]:
    told: list[Exception] = []
    clock = now if now is not None else [1.0]
    return Positions(keeper, lambda: clock[0], told.append), told


def test_the_next_run_goes_on_where_this_one_was() -> None:
    async def main() -> None:
        keeper = FakeKeeper()
        first, _ = made(keeper, [77.0])
        put = await first.put("tag", FAR)
        assert put.updated_at == 77 and put.resume == 100.0 and not put.done
        second, _ = made(keeper)
        await second.load()
        assert second.get("tag") == put and second.recent() == [("tag", put)]
    asyncio.run(main())


@pytest.mark.parametrize("seconds, byte, done", [
    (949.0, 0, False), (950.0, 0, True), (0.0, 94, False), (0.0, 95, True)])
def test_what_was_seen_to_95_percent_is_done_and_begins_anew(seconds: float, byte: int, done: bool) -> None:
    checked = positions.checked(Position(seconds=seconds, byte=byte, duration=1000.0), size=100)
    assert checked.done == done
    assert not (done and checked.resume)


def test_the_latest_comes_first_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PLAY_POSITIONS", 3)

    async def main() -> None:
        keeper, now = FakeKeeper(), [0.0]
        found, _ = made(keeper, now)
        for number in range(5):
            now[0] = number
            await found.put(f"tag {number}", FAR)
        await found.put("tag 2", FAR)
        assert [tag for tag, _ in found.recent()] == ["tag 2", "tag 4", "tag 3"]
        assert sorted(keeper.areas[positions.AREA]) == ["tag 2", "tag 3", "tag 4"]
        await found.forget(["tag 4", "tag 9"])
        assert sorted(keeper.areas[positions.AREA]) == ["tag 2", "tag 3"]
    asyncio.run(main())


def test_where_the_disk_is_full_nothing_changed() -> None:
    async def main() -> None:
        keeper = FakeKeeper()
        found, _ = made(keeper)
        before = await found.put("tag", FAR)
        keeper.full = True
        with pytest.raises(StorageError):
            await found.put("tag", Position(seconds=500.0))
        assert found.get("tag") == before
    asyncio.run(main())


def test_what_cannot_be_read_is_passed_over_and_told_of() -> None:
    async def main() -> None:
        keeper = FakeKeeper()
        found, _ = made(keeper)
        await found.put("good", FAR)
        keeper.areas[positions.AREA]["bad"] = b"{"
        again, told = made(keeper)
        await again.load()
        assert [tag for tag, _ in again.recent()] == ["good"] and len(told) == 1
    asyncio.run(main())


@pytest.mark.parametrize("bad", [
    Position(seconds=-1.0), Position(seconds=float("nan")), Position(duration=float("inf")), Position(speed=0.0),
    Position(byte=-1), Position(audio="x" * 1000), Position(index=-1), Position(subtitle_offset=1e9),
])
def test_numbers_that_cannot_be_are_refused(bad: Position) -> None:
    with pytest.raises(UsageError):
        positions.checked(bad)
