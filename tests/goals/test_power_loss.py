"""G2 and G3 on models: a power cut, or a fault, at every call that touches a disk.

A small download runs against a storage and a store that lose what was not synced (or, for each write, a coin is
tossed). After each cut the torrent is taken up again as a session would, and finished.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from disk_content import content
from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.disk.hasher import Expected, Hasher
from wildbach.disk.journal import Journal
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.resume import MemoryResume, ResumeRecord
from wildbach.disk.wrappers import Faulty

pytestmark = pytest.mark.goal

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
CUTS = int(os.environ.get("WILDBACH_G2_CUTS", "1000"))
WHAT = content(("a", 100_000), ("b", 300_001), ("empty", 0), ("c", 77_777))
GEOMETRY = WHAT.geometry
COUNT = GEOMETRY.piece_count
WIDTH = bitfield.width_of(COUNT)
FULL = bitfield.full(COUNT)
RIGHT = Expected(v1=b"".join(hashlib.sha1(WHAT.piece(i)[1]).digest() for i in range(COUNT)))


class Machine:
    """Disks that a power cut or the next run finds again, and the calls that lead to them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.storage = MemoryStorage(WHAT)
        self.faulty = Faulty(self.storage)
        self.store = MemoryResume()
        self.store.save(ResumeRecord("k"))
        self.calls = 0
        self.cut_at = -1
        self.dead = False
        self.kill = False
        "The next cut ends only the process."
        self.fetched: Counter[int] = Counter()
        self.now = 0.0
        self.done_at: dict[int, float] = {}
        "When each piece was written."

    def seconds_lost(self) -> float:
        """The age of the oldest written piece that is not claimed any more."""
        record = self.store.load("k")
        durable = record.progress.durable if record is not None else 0
        return max((self.now - at for p, at in self.done_at.items() if not bitfield.has(durable, p, WIDTH)), default=0)

    def cut(self) -> None:
        """The power goes: some writes may have got out, and the first few of the notes."""
        self.dead = True
        if self.kill:
            self.kill = False
            self.storage.restart()
        elif self.rng.random() < 0.5:
            self.storage.lose_unsynced()
            self.store.lose_unsynced()
        else:
            self.storage.lose_unsynced(lambda: self.rng.random() < 0.5)
            self.store.lose_unsynced(keep=self.rng.randint(0, self.store.unsynced))

    async def run(self, fn: Callable[..., Any], *args: object) -> Any:
        """A worker: each call may be the one during which the power goes, before or after its effect."""
        await asyncio.sleep(0)
        if self.dead:
            raise StorageError("no power", code="dead")
        self.calls += 1
        if self.calls == self.cut_at:
            if self.rng.random() < 0.5:
                fn(*args)
            self.cut()
            raise StorageError("no power", code="dead")
        return fn(*args)


class Download:
    """One run of a program that fetches the torrent."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.tasks: list[asyncio.Task[None]] = []
        self.lost = 0
        record = machine.store.load("k")
        if record is None:
            raise AssertionError("the record is gone")
        self.record = record
        self.journal = Journal(
            "k", WHAT.geometry, record.progress, machine.faulty, machine.store, machine, self.spawn, on_lost=self.lose,
        )

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def lose(self, pieces: int, error: StorageError) -> None:
        self.lost |= pieces

    async def settle(self) -> None:
        while self.tasks:
            await self.tasks.pop(0)

    async def recheck(self, pieces: int) -> None:
        """Hash these pieces again; the good ones are written, not durable."""
        found = await Hasher(self.machine, lanes=1, processes=False).check(
            GEOMETRY, self.machine.faulty, RIGHT, pieces=pieces
        )
        self.journal.found(found.good)
        self.journal.checked(pieces)

    async def go(self) -> None:
        """Fetch what is missing. Raises StorageError where the disk stops it."""
        rng = self.machine.rng
        if self.journal.unchecked:
            await self.recheck(self.journal.unchecked)
        missing = list(bitfield.indices(FULL & ~self.journal.claimed, WIDTH))
        rng.shuffle(missing)
        for piece in missing:
            offset, data = WHAT.piece(piece)
            self.machine.fetched[piece] += 1
            half = len(data) // 2
            await self.machine.run(self.machine.faulty.write, offset, [memoryview(data[:half])])
            self.journal.blocks(piece, 1)
            self.tick()
            await self.machine.run(self.machine.faulty.write, offset + half, [memoryview(data[half:])])
            self.journal.written(piece, len(data))
            self.machine.done_at[piece] = self.machine.now
            self.tick()
            if rng.random() < 0.5:
                await self.settle()
        await self.settle()
        if self.lost:
            lost, self.lost = self.lost, 0
            await self.recheck(lost)
            raise StorageError("a sync failed", code="io_error")
        await self.journal.flush()

    def tick(self) -> None:
        self.machine.now += self.machine.rng.choice((0.05, 0.1, 0.9))
        self.journal.tick(self.machine.now)


def check_claims(machine: Machine) -> None:
    """Everything that is claimed to be durable is there and right."""
    record = machine.store.load("k")
    assert record is not None, "the record is gone"
    for piece in bitfield.indices(record.progress.durable, WIDTH):
        offset, data = WHAT.piece(piece)
        found = bytearray(len(data))
        machine.storage.read_into(offset, [memoryview(found)])
        assert found == data, f"piece {piece} is claimed and bad"


async def attempt(machine: Machine) -> bool:
    download = Download(machine)
    try:
        await download.go()
    except StorageError:
        return False
    finally:
        await download.settle()
    return True


def test_no_power_cut_makes_a_false_claim() -> None:
    print(f"seed {SEED}")
    refetched = 0
    oldest = 0.0

    async def scenario(number: int) -> None:
        nonlocal refetched, oldest
        machine = Machine(SEED * 1_000_000 + number)
        for _ in range(machine.rng.choice((1, 1, 2, 4))):
            machine.dead, machine.calls, machine.done_at = False, 0, {}
            machine.cut_at = 1 + machine.rng.randrange(120)
            machine.kill = machine.rng.random() < 0.3
            finished = await attempt(machine)
            check_claims(machine)
            oldest = max(oldest, machine.seconds_lost())
            if finished:
                machine.cut()
                check_claims(machine)
                break
        machine.dead, machine.cut_at = False, -1
        assert await attempt(machine)
        machine.cut()
        check_claims(machine)
        record = machine.store.load("k")
        assert record is not None
        assert record.progress.complete
        refetched += sum(n - 1 for n in machine.fetched.values())

    for number in range(CUTS):
        asyncio.run(scenario(number))
    print(f"{CUTS} power cuts: 0 bad claims, {refetched * 16384 / CUTS / 2**20:.2f} MiB fetched again per cut, "
          f"at most {oldest:.1f} s of progress lost")
    assert oldest <= 5.0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE], ids=errno.errorcode.get)
@pytest.mark.parametrize("kind", ["read", "write", "sync"])
def test_a_fault_at_any_call_stops_cleanly_and_heals(kind: str, number: int) -> None:
    async def scenario(after: int) -> bool:
        machine = Machine(after)
        # A run that left written pieces behind, so that reads happen too.
        machine.cut_at = 40
        await attempt(machine)
        machine.dead, machine.cut_at = False, -1
        machine.storage.restart()
        before = machine.faulty.calls[kind]
        machine.faulty.fail(kind, number, after=after)
        finished = await attempt(machine)
        reached = machine.faulty.calls[kind] - before > after
        check_claims(machine)
        assert finished != reached, "a fault that was met ends the run, and nothing else does"
        machine.faulty.heal()
        if not finished:
            assert await attempt(machine)
        check_claims(machine)
        record = machine.store.load("k")
        assert record is not None
        assert record.progress.complete
        return reached

    after = 0
    while asyncio.run(scenario(after)):
        after += 1
    print(f"{errno.errorcode[number]} at each of {after} calls of {kind}: no false claim, all finished after healing")
    assert after > 0


@pytest.mark.parametrize("method", ["note", "commit"])
def test_a_state_disk_that_fails_stops_no_claim_from_being_true(method: str) -> None:
    async def scenario(after: int) -> bool:
        machine = Machine(after)
        real = getattr(machine.store, method)
        calls = 0

        def failing(*args: object) -> None:
            nonlocal calls
            calls += 1
            if calls > after:
                raise StorageError("no space", code="disk_full")
            real(*args)

        setattr(machine.store, method, failing)
        await attempt(machine)
        machine.cut()
        check_claims(machine)
        setattr(machine.store, method, real)
        machine.dead = False
        assert await attempt(machine)
        check_claims(machine)
        return calls > after

    after = 0
    while asyncio.run(scenario(after)):
        after += 1
    assert after > 0
