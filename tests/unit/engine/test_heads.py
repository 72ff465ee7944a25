"""What is remembered of heads: it never goes back, and it is on the disk before anybody hears of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

import pytest

from wildbach.base import limits
from wildbach.base.ids import InfoHashes
from wildbach.disk.resume import MemoryResume
from wildbach.engine.heads import AREA, Heads
from wildbach.protocol.dht.items import Item, public_key, signed
from wildbach.protocol.heads import ROTATION, Rotation, value_of
from wildbach.runtime.workers import Threads
from wildbach.testing.loop import sim

SECRETS = [bytes([number]) * 32 for number in range(1, 40)]
KEYS = [public_key(secret) for secret in SECRETS]
ONE, TWO = InfoHashes(bytes(20)), InfoHashes(bytes(range(20)))


def head(seq: int, hashes: InfoHashes = ONE, number: int = 0, salt: bytes = b"s") -> Item:
    return signed(SECRETS[number], value_of(hashes), seq, salt)


def rotation(number: int, to: int | None = None) -> Item:
    """The key of this number gives way to the next; its recovery key is ten further on."""
    to = number + 1 if to is None else to
    return signed(SECRETS[number + 10], Rotation(KEYS[number], KEYS[to], KEYS[to + 10]).value(), 1, ROTATION)


class Table:
    def __init__(self, store: MemoryResume | None = None) -> None:
        self.store = store if store is not None else MemoryResume()
        self.now = 1000.0
        self.threads = Threads(1)
        self.heads = Heads(self.store, self.threads, lambda: self.now)

    def run(self, story: Callable[[Heads], Coroutine[None, None, None]]) -> Heads:
        async def main() -> None:
            await self.heads.load()
            await story(self.heads)

        sim(1).run(main())
        self.threads.close()
        return self.heads

    def after_a_power_cut(self) -> Heads:
        self.store.lose_unsynced()

        async def nothing(_heads: Heads) -> None:
            pass

        return Table(self.store).run(nothing)


def test_the_highest_number_stays_also_after_a_power_cut() -> None:
    async def story(heads: Heads) -> None:
        record = heads.record(KEYS[0], b"s")
        assert record.seq == -1
        assert await heads.saw(record, head(7))
        assert not await heads.saw(record, head(6, TWO))
        assert record.seq == 7

    table = Table()
    table.run(story)
    record = table.after_a_power_cut().record(KEYS[0], b"s")
    assert (record.newest, record.heard_at) == (head(7), 1000)


def test_of_two_with_one_number_the_first_counts() -> None:
    async def story(heads: Heads) -> None:
        record = heads.record(KEYS[0], b"s")
        await heads.saw(record, head(7))
        assert not await heads.saw(record, head(7, TWO))
        assert record.newest == head(7)

    Table().run(story)


def test_only_somebody_elses_word_counts_as_heard() -> None:
    table = Table()

    async def story(heads: Heads) -> None:
        record = heads.record(KEYS[0], b"s")
        await heads.saw(record, head(7))
        table.now = 5000.0
        await heads.saw(record, head(7), heard=False)
        assert record.heard_at == 1000
        await heads.write(record, head(8))
        assert (record.heard_at, record.seq) == (1000, 8)
        await heads.saw(record, head(8))
        assert record.heard_at == 5000

    table.run(story)


def test_what_was_written_here_is_known_after_a_power_cut() -> None:
    async def story(heads: Heads) -> None:
        await heads.write(heads.record(KEYS[0], b""), head(3, salt=b""))
        await heads.pin(heads.record(KEYS[0], b""), KEYS[5])

    table = Table()
    table.run(story)
    record = table.after_a_power_cut().record(KEYS[0], b"")
    assert (record.wrote, record.recovery) == (head(3, salt=b""), KEYS[5])


def test_a_chain_of_keys_is_followed_to_its_end_and_no_further_than_the_limit() -> None:
    async def story(heads: Heads) -> None:
        for number in range(3):
            await heads.move(heads.record(KEYS[number], b"s"), rotation(number))

    table = Table()
    table.run(story)
    heads = table.after_a_power_cut()
    chain = heads.chain(KEYS[0], b"s")
    assert [record.key for record in chain] == KEYS[:4]
    assert [record.recovery for record in chain[1:]] == KEYS[11:14]
    assert [record.key for record in heads.chain(KEYS[2], b"s")] == KEYS[2:4]
    assert [record.key for record in heads.chain(KEYS[0], b"other")] == [KEYS[0]]


def test_a_chain_that_comes_back_to_itself_ends() -> None:
    async def story(heads: Heads) -> None:
        await heads.move(heads.record(KEYS[0], b"s"), rotation(0))
        await heads.move(heads.record(KEYS[1], b"s"), rotation(1, to=0))
        assert [record.key for record in heads.chain(KEYS[0], b"s")] == KEYS[:2]

    Table().run(story)


def test_what_nobody_wants_gives_way_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADS_KEPT", 10)
    table = Table()

    async def story(heads: Heads) -> None:
        await heads.write(heads.record(KEYS[0], b""), head(1, salt=b""))
        followed = heads.record(KEYS[1], b"")
        followed.users = 1
        for number in range(2, 30):
            table.now += 1
            await heads.saw(heads.record(KEYS[number], b""), head(1, number=number, salt=b""))
        assert heads.record(KEYS[0], b"").wrote is not None
        assert heads.record(KEYS[1], b"") is followed
        assert heads.record(KEYS[29], b"").seq == 1

    table.run(story)
    after = table.after_a_power_cut()
    assert len(table.store.kept(AREA)) <= 10
    assert (after.record(KEYS[0], b"").seq, after.record(KEYS[29], b"").seq) == (1, 1)


def test_damaged_records_are_as_if_they_had_never_been() -> None:
    store = MemoryResume()
    store.keep(AREA, {"x": b"nonsense", "y": b"d1:k2:abe", f"{KEYS[0].hex()}.": b"de"})
    table = Table(store)

    async def story(heads: Heads) -> None:
        assert heads.record(KEYS[0], b"").seq == -1

    table.run(story)
