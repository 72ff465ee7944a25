import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError
from wildbach.protocol.tracker.announce import ScrapeStats
from wildbach.services.tracker import replica as module
from wildbach.services.tracker.replica import Replica, cut, decode_batch, encode_batch
from wildbach.services.tracker.store import COMPLETED, STOPPED, Store

SWARM = b"s" * 20
SLOT = 450.0


class FakeServer:
    """A log in memory that can go away and lose everything."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.counts: dict[bytes, int] = {}
        self.run = 1
        self.down = False


class FakeLog:
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._at = 0
        self._run = 0

    def _check(self) -> None:
        if self._server.down:
            raise NetworkError("the log is away")

    async def open(self) -> bool:
        self._check()
        changed = bool(self._run) and self._run != self._server.run
        if changed:
            self._at = 0
        self._run = self._server.run
        return changed

    async def append(self, batches: list[bytes], completed: list[bytes]) -> None:
        self._check()
        self._server.entries += batches
        for one in completed:
            self._server.counts[one] = self._server.counts.get(one, 0) + 1

    async def read(self, seconds: float) -> list[bytes]:
        self._check()
        found = self._server.entries[self._at : self._at + 3]
        self._at += len(found)
        return found

    async def completions(self, hashes: list[bytes]) -> list[int]:
        self._check()
        return [self._server.counts.get(one, 0) for one in hashes]

    async def secret(self, fresh: bytes) -> bytes:
        return fresh


class Member:
    """One process of a tracker, with a clock of the test."""

    def __init__(self, server: FakeServer) -> None:
        self.now = 10_000.0
        self.store = Store(random.Random(1), slot=SLOT)
        self.store.tick(self.now)
        self.replica = Replica(self.store, FakeLog(server), slot=SLOT, wall=lambda: self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.store.tick(self.now)

    def announce(self, number: int, *, seed: bool = False, event: int = 0, size: int = 4) -> None:
        self.store.announce(SWARM, number.to_bytes(size, "big") + b"\x1a\xe1", seed=seed, event=event)


async def in_step(*members: Member) -> None:
    for _ in range(3):
        for one in members:
            if not one.replica.up:
                await one.replica.connect()
            await one.replica.flush()
        for one in members:
            await one.replica.follow(0.0)


def seen(member: Member) -> ScrapeStats | None:
    return member.store.scrape(SWARM)


def test_peers_of_one_process_are_known_to_the_other() -> None:
    async def main() -> None:
        server = FakeServer()
        one, two = Member(server), Member(server)
        one.announce(1)
        one.announce(2, seed=True, size=16)
        two.announce(3)
        await in_step(one, two)
        assert seen(one) == seen(two) == ScrapeStats(1, 2, 0)
        one.announce(1, event=STOPPED)
        two.announce(3, seed=True, event=COMPLETED)
        await in_step(one, two)
        assert seen(one) == seen(two) == ScrapeStats(2, 0, 1)
        assert server.counts == {SWARM: 1}

    asyncio.run(main())


def test_who_comes_later_reads_it_all_with_the_count_of_completions() -> None:
    async def main() -> None:
        server = FakeServer()
        one = Member(server)
        for number in range(1, 50):
            one.announce(number)
        one.announce(1, seed=True, event=COMPLETED)
        await in_step(one)
        server.counts[SWARM] = 17
        late = Member(server)
        await in_step(late)
        assert seen(late) == ScrapeStats(1, 48, 17)

    asyncio.run(main())


def test_a_peer_that_stays_is_logged_once_in_a_slot_of_time() -> None:
    async def main() -> None:
        server = FakeServer()
        one, two = Member(server), Member(server)
        for _ in range(10):
            one.announce(1)
            await in_step(one, two)
            two.announce(1)
            await in_step(one, two)
        assert len(server.entries) == 1
        for member in (one, two):
            member.pass_time(SLOT)
        one.announce(1)
        await in_step(one, two)
        assert len(server.entries) == 2

    asyncio.run(main())


def test_old_entries_do_not_make_peers_young() -> None:
    async def main() -> None:
        server = FakeServer()
        one = Member(server)
        one.announce(1)
        await in_step(one)
        late = Member(server)
        late.pass_time(7 * SLOT)
        await in_step(late)
        assert seen(late) == ScrapeStats(0, 1, 0)
        for _ in range(30):
            late.pass_time(SLOT / 10)
        assert late.store.peers == 0
        never = Member(server)
        never.pass_time(9 * SLOT)
        await in_step(never)
        assert never.store.torrents == 0

    asyncio.run(main())


def test_a_log_that_was_away_gets_what_it_missed() -> None:
    async def main() -> None:
        server = FakeServer()
        one, two = Member(server), Member(server)
        one.announce(1)
        await in_step(one, two)
        server.down = True
        one.announce(2)
        two.announce(3)
        for member in (one, two):
            with pytest.raises(NetworkError) as caught:
                await member.replica.flush()
            member.replica.away(caught.value)
            assert not member.replica.up and member.replica.trouble == "the log is away"
        assert seen(one) == ScrapeStats(0, 2, 0)
        server.down = False
        await in_step(one, two)
        assert seen(one) == seen(two) == ScrapeStats(0, 3, 0)

    asyncio.run(main())


def test_a_log_that_lost_everything_is_filled_again_from_the_tables() -> None:
    async def main() -> None:
        server = FakeServer()
        one, two = Member(server), Member(server)
        for number in range(1, 6000):
            one.announce(number, seed=number % 2 == 0)
        await in_step(one, two)
        one.pass_time(2 * SLOT)
        server.entries.clear()
        server.run = 2
        one.replica.away(NetworkError("gone"))
        for _ in range(10):
            await in_step(one)
        late = Member(server)
        late.pass_time(2 * SLOT)
        await in_step(late, late, late)
        assert seen(late) == seen(one)
        for _ in range(80):
            late.pass_time(SLOT / 10)
        assert late.store.peers == 0, "they are as old as they were"

    asyncio.run(main())


def test_what_waits_for_the_log_is_bounded_and_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(limits, "TRACKER_SERVER_UNWRITTEN_BYTES", 5000)
        server = FakeServer()
        one, two = Member(server), Member(server)
        await in_step(one, two)
        server.down = True
        one.replica.away(NetworkError("gone"))
        for number in range(1, 1000):
            one.announce(number)
            one.replica.bound()
            assert len(one.store.changes or b"") <= 5000
        assert one.replica.dropped > 0
        server.down = False
        await in_step(one, two)
        assert seen(two) == seen(one) == ScrapeStats(0, 999, 0)

    asyncio.run(main())


def test_what_is_not_ours_in_the_log_is_counted_and_passed_over() -> None:
    async def main() -> None:
        server = FakeServer()
        one = Member(server)
        good = encode_batch(b"someone!", 10_000, b"\0" + SWARM + b"abcd\0\1")
        server.entries = [b"", b"rubbish" * 10, good[:-1], b"\2" + good[1:], good[:17] + b"\xf0" + good[18:], good]
        await in_step(one)
        assert one.replica.bad == 5
        assert seen(one) == ScrapeStats(0, 1, 0)

    asyncio.run(main())


def test_the_limits_hold_for_what_others_say() -> None:
    store = Store(random.Random(1), torrents=2, peers=5)
    store.tick(0.0)
    for number in range(100):
        store.apply(bytes((number % 10,)) * 20, number.to_bytes(4, "big") + b"\0\1", 0, 0)
    assert (store.torrents, store.peers) == (2, 5)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=50), st.integers(40, 300))
def test_records_are_cut_between_each_other(kinds: list[tuple[bool, int]], size: int) -> None:
    records = b"".join(bytes((flags | 8 if six else flags,)) + SWARM + bytes(18 if six else 6) for six, flags in kinds)
    parts = cut(records, size)
    assert b"".join(parts) == records
    assert all(len(part) <= size for part in parts)
    read = [record for part in parts for record in decode_batch(encode_batch(b"o" * 8, 1, part))[2]]
    assert [(bool(flags & 8), flags & 7) for flags, _, _ in read] == kinds


@given(st.binary(max_size=200))
def test_any_entry_is_read_or_refused(data: bytes) -> None:
    for batch in (data, b"\1" + data):
        try:
            decode_batch(batch)
        except FormatError as error:
            assert error.where == "batch"


def test_the_loop_says_when_the_log_goes_and_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FLUSH_SECONDS", 0.001)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.001)

    async def main() -> None:
        server = FakeServer()
        member = Member(server)
        await member.replica.connect()
        said: list[str] = []
        heard = asyncio.Event()

        def say(words: str) -> None:
            said.append(words)
            heard.set()

        async def next_word() -> None:
            async with asyncio.timeout(10):
                await heard.wait()
            heard.clear()

        task = asyncio.get_running_loop().create_task(module.share(member.replica, say))
        server.down = True
        await next_word()
        server.down = False
        await next_word()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "from this process's own memory" in said[0] and "reachable again" in said[1]

    asyncio.run(main())
