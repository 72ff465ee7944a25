from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from disk_content import content, fill
from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.disk.journal import Journal, SyncGates
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.resume import MemoryResume, Progress, ResumeRecord
from wildbach.disk.wrappers import Faulty

WHAT = content(("a", 20 * 16384))
COUNT = WHAT.geometry.piece_count
WIDTH = bitfield.width_of(COUNT)


class Held:
    """Runs calls only when told to, one after the other."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    async def run(self, fn: Callable[..., Any], *args: object) -> Any:
        await self.open.wait()
        return fn(*args)


class Rig:
    def __init__(self, progress: Progress | None = None, gate: asyncio.Lock | None = None) -> None:
        self.storage = Faulty(MemoryStorage(WHAT))
        self.store = MemoryResume()
        self.store.save(ResumeRecord("k", progress=progress or Progress()))
        self.runner = Held()
        self.tasks: list[asyncio.Task[None]] = []
        self.durable: list[int] = []
        self.lost: list[int] = []
        self.errors: list[StorageError] = []
        record = self.store.load("k")
        assert record is not None
        self.journal = Journal(
            "k", WHAT.geometry, record.progress, self.storage, self.store, self.runner, self.spawn, gate=gate,
            on_durable=self.durable.append, on_lost=lambda pieces, error: self.lost.append(pieces),
            on_error=self.errors.append,
        )

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def settle(self) -> None:
        while self.tasks:
            await self.tasks.pop(0)

    def write(self, *pieces: int) -> None:
        fill(self.storage, WHAT, list(pieces))
        for piece in pieces:
            self.journal.written(piece, 16384)

    def saved(self) -> Progress:
        record = self.store.load("k")
        assert record is not None
        return record.progress


def of(*pieces: int) -> int:
    return bitfield.of(pieces, WIDTH)


def rigged(test: Callable[[Rig], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            await test(Rig())

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


@rigged
async def test_a_written_piece_is_noted_at_once_and_claimed_after_two_seconds(rig: Rig) -> None:
    rig.write(3)
    rig.journal.tick(10.0)
    await rig.settle()
    assert rig.saved() == Progress(COUNT, 0, of(3))
    rig.journal.tick(11.9)
    await rig.settle()
    assert rig.durable == []
    rig.journal.tick(12.0)
    await rig.settle()
    assert rig.durable == [of(3)]
    assert rig.saved() == Progress(COUNT, of(3), 0)
    assert rig.storage.calls["sync"] == 1
    rig.journal.tick(20.0)
    assert rig.tasks == []


@rigged
async def test_many_bytes_are_claimed_early(rig: Rig) -> None:
    fill(rig.storage, WHAT, [1])
    rig.journal.written(1, 16 << 20)
    rig.journal.tick(0.0)
    await rig.settle()
    assert rig.durable == [of(1)]


@rigged
async def test_what_is_written_during_a_sync_is_not_claimed_by_it(rig: Rig) -> None:
    rig.write(1)
    rig.journal.tick(0.0)
    await rig.settle()
    rig.runner.open.clear()
    rig.journal.tick(2.0)
    await asyncio.sleep(0)
    rig.write(2)
    rig.journal.tick(9.0)
    rig.runner.open.set()
    await rig.settle()
    assert rig.durable == [of(1)]
    assert rig.saved().durable == of(1)
    assert rig.saved().written == of(2)
    assert rig.storage.calls["sync"] == 1


@rigged
async def test_flush_makes_everything_durable(rig: Rig) -> None:
    rig.write(1, 2)
    rig.journal.blocks(7, 0b101)
    await rig.journal.flush()
    assert rig.journal.durable == of(1, 2)
    assert rig.saved() == Progress(COUNT, of(1, 2), 0, {7: 0b101})


@rigged
async def test_blocks_of_incomplete_pieces_are_noted_until_the_piece_is_complete(rig: Rig) -> None:
    rig.journal.blocks(7, 0b1)
    rig.journal.tick(0.0)
    await rig.settle()
    rig.journal.blocks(7, 0b11)
    rig.journal.tick(0.1)
    await rig.settle()
    assert rig.saved().partial == {7: 0b11}
    rig.write(7)
    rig.journal.tick(0.2)
    await rig.settle()
    assert rig.saved().partial == {}


@rigged
async def test_after_a_failed_sync_nothing_since_the_last_good_one_is_believed(rig: Rig) -> None:
    rig.write(1)
    await rig.journal.flush()
    rig.write(2, 3)
    rig.storage.fail("sync", errno.EIO, times=1)
    with pytest.raises(StorageError):
        await rig.journal.flush()
    assert rig.lost == [of(2, 3)]
    assert rig.journal.claimed == of(1)
    rig.write(2)
    rig.write(3)
    await rig.journal.flush()
    assert rig.saved().durable == of(1, 2, 3)


@rigged
async def test_where_somebody_changed_the_files_all_is_hashed_again_also_by_another_run(rig: Rig) -> None:
    rig.write(1)
    await rig.journal.flush()
    rig.write(2, 3)
    rig.storage.fail("sync", errno.ESTALE, times=1)
    with pytest.raises(StorageError):
        await rig.journal.flush()
    assert rig.lost == [of(1, 2, 3)]
    assert rig.journal.claimed == 0
    assert rig.saved() == Progress(COUNT, 0, of(1, 2, 3))


@rigged
async def test_a_failed_sync_by_the_clock_is_told_and_does_not_spin(rig: Rig) -> None:
    rig.write(1)
    rig.storage.fail("sync", errno.ENOSPC)
    rig.journal.tick(0.0)
    rig.journal.tick(2.0)
    await rig.settle()
    assert [e.code for e in rig.errors] == ["disk_full"]
    for now in range(3, 30):
        rig.journal.tick(float(now))
        await rig.settle()
    assert rig.storage.calls["sync"] == 1


@rigged
async def test_a_state_that_cannot_be_saved_is_tried_again_later(rig: Rig) -> None:
    real, calls = rig.store.commit, []

    def commit(key: str, progress: Progress) -> None:
        calls.append(key)
        if len(calls) < 3:
            raise StorageError("no space", code="disk_full")
        real(key, progress)

    rig.store.commit = commit  # type: ignore[method-assign]
    rig.write(1)
    for tenth in range(200):
        rig.journal.tick(tenth / 10)
        await rig.settle()
    assert len(calls) == 3
    assert len(rig.errors) == 2
    assert rig.durable == [of(1)]


@rigged
async def test_while_another_process_keeps_the_state_to_itself_notes_and_claims_wait(rig: Rig) -> None:
    def busy(*_: object) -> None:
        raise StorageError("another process has it", code="state_busy")

    with pytest.MonkeyPatch.context() as meanwhile:
        meanwhile.setattr(rig.store, "note", busy)
        meanwhile.setattr(rig.store, "commit", busy)
        rig.journal.blocks(7, 0b101)
        rig.write(1)
        rig.journal.tick(0.0)
        rig.journal.tick(2.1)
        await rig.settle()
        assert rig.errors == []
    rig.journal.tick(2.2)
    await rig.settle()
    assert rig.saved() == Progress(COUNT, 0, bitfield.bit(1, WIDTH), {7: 0b101})
    rig.journal.tick(8.0)
    await rig.settle()
    assert rig.saved().durable == bitfield.bit(1, WIDTH)


@rigged
async def test_withdrawn_pieces_lose_their_claim(rig: Rig) -> None:
    rig.write(1, 2)
    await rig.journal.flush()
    rig.journal.withdraw(of(2))
    assert rig.journal.claimed == of(1)
    rig.journal.tick(0.0)
    await rig.settle()
    assert rig.saved().durable == of(1)


@rigged
async def test_a_piece_withdrawn_during_its_sync_is_not_claimed(rig: Rig) -> None:
    rig.write(1, 2)
    rig.runner.open.clear()
    flush = asyncio.get_running_loop().create_task(rig.journal.flush())
    await asyncio.sleep(0)
    rig.journal.withdraw(of(2))
    rig.runner.open.set()
    await flush
    assert rig.durable == [of(1)]
    assert rig.saved().durable == of(1)


def test_what_the_last_run_wrote_is_remembered_until_it_was_hashed() -> None:
    async def main() -> None:
        rig = Rig(Progress(COUNT, of(0), of(1, 2, 3)))
        assert rig.journal.durable == of(0)
        assert rig.journal.claimed == of(0)
        assert rig.journal.unchecked == of(1, 2, 3)
        rig.write(9)
        await rig.journal.flush()
        assert rig.saved().written == of(1, 2, 3)
        fill(rig.storage, WHAT, [1])
        rig.storage.inner.restart()  # type: ignore[attr-defined]
        rig.journal.found(of(1))
        rig.journal.checked(of(1, 2))
        await rig.journal.flush()
        assert rig.saved() == Progress(COUNT, of(0, 1, 9), of(3))
        rig.storage.inner.lose_unsynced()  # type: ignore[attr-defined]
        assert rig.storage.inner.file(0)[16384:32768] == WHAT.piece(1)[1]  # type: ignore[attr-defined]

    asyncio.run(main())


@pytest.mark.parametrize("progress", [Progress(0, check=True), Progress(COUNT, of(1), check=True), Progress(7, 1)])
def test_a_record_that_cannot_be_right_means_hash_everything(progress: Progress) -> None:
    async def main() -> None:
        rig = Rig(progress)
        assert rig.journal.unchecked == bitfield.full(COUNT)

    asyncio.run(main())


def test_one_sync_at_a_time_on_a_file_system() -> None:
    async def main() -> None:
        gates = SyncGates()
        rigs = [Rig(gate=gates.of(1)) for _ in range(3)]
        assert gates.of(1) is not gates.of(2)
        inside = [0, 0]

        async def run(fn: Callable[..., Any], *args: object) -> Any:
            if fn.__name__ == "sync":
                inside[0] += 1
                inside[1] = max(inside)
                await asyncio.sleep(0)
                inside[0] -= 1
            return fn(*args)

        for rig in rigs:
            rig.runner.run = run  # type: ignore[method-assign]
            rig.write(1)
        await asyncio.gather(*(rig.journal.flush() for rig in rigs))
        assert inside == [0, 1]

    asyncio.run(main())
