"""Our own record: when it is put, and what happens where something stands there already."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from syncbed import SECRET, WALL, Board, Words
from wildbach.base.ids import DeviceId, Endpoint
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import LAST_SEQ
from wildbach.protocol.sync import rendezvous, tags
from wildbach.runtime.rng import seeded
from wildbach.runtime.tasks import Scope
from wildbach.services.sync import sought
from wildbach.services.sync.beacons import PUT_SECONDS, OwnRecord
from wildbach.testing.loop import sim
from wildbach.testing.network import Network

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()
OWN = DeviceId(hashlib.sha256(PUBLIC).digest()[:16])
HERE = Endpoint("9.9.9.9", 6881)


class Bed:
    def __init__(self, *, last: int = 0) -> None:
        self.network = Network()
        self.board = Board()
        self.here = [HERE]
        self.off = 0.0
        self.moves = 0
        rng = seeded(1)
        self.own = OwnRecord(
            Words(self.board, self.network.host()), sought.of_member(PUBLIC, KEY.sign, [SECRET], OWN),
            lambda: tuple(self.here), tuple, clock=self.network.loop.time,
            wall=lambda: WALL + self.off + self.network.loop.time(), rng=rng, chance=rng.randbytes, last=last,
            moved=self.moved)

    def moved(self) -> None:
        self.moves += 1

    def place(self, days: int = 0) -> rendezvous.Place:
        return rendezvous.member_place(SECRET, OWN, tags.day_of(WALL) + days)

    def item(self, days: int = 0) -> Item | None:
        return self.board.items.get(self.place(days).target)

    def record(self, days: int = 0) -> rendezvous.Record:
        item = self.item(days)
        assert item is not None
        return rendezvous.read(self.place(days), item, {PUBLIC})


def test_it_is_put_every_hour_when_we_move_and_when_somebody_looks() -> None:
    async def story() -> None:
        bed = Bed()
        async with Scope("bed") as scope:
            scope.spawn("run", bed.own.run())
            await asyncio.sleep(30)
            assert bed.board.puts == 1 and bed.record().endpoints == (HERE,)
            await asyncio.sleep(4 * PUT_SECONDS)
            assert bed.board.puts in (5, 6)
            before = bed.board.puts
            bed.here = [Endpoint("9.9.9.9", 7000)]
            await asyncio.sleep(60)
            assert bed.board.puts == before + 1 and bed.record().endpoints == (Endpoint("9.9.9.9", 7000),)
            assert bed.moves == 1
            for _ in range(600):
                bed.own.renew()
                await asyncio.sleep(1)
            assert before + 8 <= bed.board.puts <= before + 12  # once a minute at most
            bed.here = []
            before = bed.board.puts
            await asyncio.sleep(4 * PUT_SECONDS)
            assert bed.board.puts == before  # nobody can call us: there is nothing to say
            bed.here = [Endpoint("9.9.9.9", 7000)]
            await asyncio.sleep(60)
            assert bed.moves == 1

    sim(1).run(story())


def test_a_silent_dht_is_asked_ever_more_rarely_and_told_of() -> None:
    async def story() -> None:
        bed = Bed()
        bed.board.mood = "silent"
        tries = 0
        put = bed.own._put

        async def counted(here: tuple[Endpoint, ...]) -> bool:
            nonlocal tries
            tries += 1
            return await put(here)

        bed.own._put = counted  # type: ignore[method-assign]  # counts
        async with Scope("bed") as scope:
            scope.spawn("run", bed.own.run())
            await asyncio.sleep(6 * 3600)
            assert 30 < tries < 60 and "silent" in bed.own.silent
            bed.board.mood = "fine"
            await asyncio.sleep(700)
            assert bed.record().endpoints == (HERE,) and not bed.own.silent

    sim(1).run(story())


@pytest.mark.parametrize("seq", [1 << 50, LAST_SEQ - 1])
def test_what_was_written_over_is_put_above(seq: int) -> None:
    async def story() -> None:
        bed = Bed()
        junk = rendezvous.write(bed.place(), rendezvous.Record(PUBLIC, 1), lambda data: bytes(64), bytes, seq=seq)
        bed.board.items[junk.target] = junk
        async with Scope("bed") as scope:
            scope.spawn("run", bed.own.run())
            await asyncio.sleep(60)
            item = bed.item()
            assert item is not None and item.seq == seq + 1 and bed.record().endpoints == (HERE,)

    sim(1).run(story())


def test_where_nothing_can_stand_above_it_says_so_and_goes_on() -> None:
    async def story() -> None:
        bed = Bed()
        junk = rendezvous.write(bed.place(), rendezvous.Record(PUBLIC, 1), lambda data: bytes(64), bytes, seq=LAST_SEQ)
        bed.board.items[junk.target] = junk
        async with Scope("bed") as scope:
            scope.spawn("run", bed.own.run())
            await asyncio.sleep(60)
            assert bed.item() == junk and bed.own.silent
            await asyncio.sleep(86400)
            assert bed.record(1).endpoints == (HERE,)  # tomorrow is another place

    sim(1, until=1e6).run(story())


def test_a_clock_that_was_ahead_does_not_hide_what_is_said_afterwards() -> None:
    async def story() -> None:
        bed = Bed()
        bed.off = 3 * 3600.0
        async with Scope("bed") as scope:
            run = scope.spawn("run", bed.own.run())
            await asyncio.sleep(60)
            ahead = bed.record().time
            run.cancel()
            # The next run has the right time, and perhaps does not remember the last.
            other = Bed()
            other.board.items = bed.board.items
            scope.spawn("again", other.own.run())
            await asyncio.sleep(60)
            assert other.record().time > ahead
            known = Bed(last=ahead)
            scope.spawn("known", known.own.run())
            await asyncio.sleep(60)
            assert known.record().time > ahead and known.own.time == known.record().time

    sim(1).run(story())
