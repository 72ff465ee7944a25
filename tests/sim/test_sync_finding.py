"""Devices of a folder on simulated machines: each way by which they find each other, and what happens to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import combinations_with_replacement

import pytest

from syncbed import LINK, PORT, SECRET, TOKEN, WALL, Bed, Device
from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection
from wildbach.protocol.sync import rendezvous, tags
from wildbach.runtime.tasks import Scope
from wildbach.services.relay.server import RelayServer
from wildbach.services.sync import sought
from wildbach.testing.loop import sim
from wildbach.testing.nat import NatKind

PAIRS = list(combinations_with_replacement(NatKind, 2))
BLOCKED = {(NatKind.PORT_RESTRICTED, NatKind.SYMMETRIC), (NatKind.SYMMETRIC, NatKind.SYMMETRIC)}
"No packet of one side fits what the other side's router expects."
YEARS = 10 * 365.25 * 86400
DAY = 86400.0


def play(story: Callable[[Bed], Awaitable[None]], seed: int = 1) -> None:
    async def whole() -> None:
        async with Scope("bed") as scope:
            bed = Bed(scope, seed)
            await story(bed)
            await bed.close()

    sim(seed, until=1e6).run(whole())


async def two(bed: Bed, one: NatKind | None, other: NatKind | None, **options: float) -> tuple[Device, Device]:
    a = await bed.device(1, one)
    b = await bed.device(2, other, **options)  # type: ignore[arg-type]  # only the clock is given
    bed.introduce(a, b)
    bed.introduce(b, a)
    return a, b


@pytest.mark.parametrize("waits", [0.0, 5000.0], ids=["both at once", "one waits long"])
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_homes_meet_without_a_third_where_their_routers_can(one: NatKind, other: NatKind, waits: float) -> None:
    async def story(bed: Bed) -> None:
        a, b = await two(bed, one, other)
        a.finder.start()
        await asyncio.sleep(waits)
        b.finder.start()
        met = await bed.until_met(a, b, seconds=900)
        assert met is ((one, other) not in BLOCKED)
        if not met:
            assert "does not answer" in a.finder.view()[0].reason or a.finder.view()[0].reason.startswith("both")

    play(story)


@pytest.mark.parametrize("off", [7.0, -3600.0, 20 * 3600.0])
def test_clocks_need_not_agree_to_the_second_nor_to_the_hour(off: float) -> None:
    async def story(bed: Bed) -> None:
        a, b = await two(bed, NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED, clock_off=off)
        a.finder.start()
        await asyncio.sleep(2000)
        b.finder.start()
        assert await bed.until_met(a, b, seconds=900)

    play(story)


def test_they_meet_again_after_both_moved() -> None:
    async def story(bed: Bed) -> None:
        a, b = await two(bed, NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED)
        a.finder.start()
        b.finder.start()
        assert await bed.until_met(a, b, seconds=900)
        await asyncio.sleep(3000)  # the routers forget
        a.lose()
        b.lose()
        assert await bed.until_met(a, b, seconds=900)

    play(story)


@pytest.mark.parametrize("away", ["", "silent", "eclipsed"])
@pytest.mark.parametrize(("one", "other"), sorted(BLOCKED))
def test_a_relay_is_the_last_way(one: NatKind, other: NatKind, away: str) -> None:
    async def story(bed: Bed) -> None:
        bed.board.mood = away or "fine"
        middle = bed.network.host()
        async with RelayServer(transport=middle.transport) as relay:
            at = await relay.start("0.0.0.0", 6990)
            there = (Endpoint(middle.address, at.port),)
            a = await bed.device(1, one, relays=lambda: there)
            b = await bed.device(2, other, relays=lambda: there)
            bed.introduce(a, b)
            bed.introduce(b, a)
            a.finder.start()
            await asyncio.sleep(500)
            b.finder.start()
            assert await bed.until_met(a, b, seconds=900)
            assert {kind for _, kind, _ in a.meetings} == {"relay"} and a.finder.view()[0].relayed
            assert relay.stats().pairs == 1

    play(story)


def test_where_one_waits_at_a_relay_its_record_says_so() -> None:
    async def story(bed: Bed) -> None:
        middle = bed.network.host()
        async with RelayServer(transport=middle.transport) as relay:
            await relay.start("0.0.0.0", 6990)
            a = await bed.device(1, NatKind.SYMMETRIC, relays=lambda: (Endpoint(middle.address, 6990),))
            b = await bed.device(2, NatKind.SYMMETRIC)
            bed.introduce(a, b)
            bed.introduce(b, a)
            a.finder.start()
            b.finder.start()
            assert await bed.until_met(a, b, seconds=1200)
            assert relay.stats().joined == 1

    play(story)


def test_a_relay_is_left_when_a_direct_way_is_found() -> None:
    async def story(bed: Bed) -> None:
        bed.board.mood = "silent"
        middle = bed.network.host()
        async with RelayServer(transport=middle.transport) as relay:
            await relay.start("0.0.0.0", 6990)
            there = (Endpoint(middle.address, 6990),)
            a = await bed.device(1, NatKind.PORT_RESTRICTED, relays=lambda: there)
            b = await bed.device(2, NatKind.PORT_RESTRICTED, relays=lambda: there)
            bed.introduce(a, b)
            bed.introduce(b, a)
            a.finder.start()
            b.finder.start()
            assert await bed.until_met(a, b, seconds=900) and not a.direct
            bed.board.mood = "fine"
            await asyncio.sleep(3600)
            assert a.direct and b.direct and not a.finder.view()[0].relayed

    play(story)


@pytest.mark.parametrize("mood", ["silent", "eclipsed", "none"])
@pytest.mark.parametrize("off", [0.0, YEARS, -YEARS])
def test_known_endpoints_and_neighbours_need_neither_the_dht_nor_the_date(mood: str, off: float) -> None:
    async def story(bed: Bed) -> None:
        bed.board.mood = mood
        a = await bed.device(1, dht=mood != "none")
        b = await bed.device(2, clock_off=off, dht=mood != "none")
        bed.introduce(a, b, Endpoint(b.host.address, PORT))
        bed.introduce(b, a)
        began = bed.network.loop.time()
        a.finder.start()
        b.finder.start()
        assert await bed.until_met(a, b, seconds=60)
        assert bed.network.loop.time() - began < 2.0
        a.lose()
        b.lose()
        began = bed.network.loop.time()
        assert await bed.until_met(a, b, seconds=60)
        assert bed.network.loop.time() - began < 2.0
        c = await bed.device(3, clock_off=off, dht=mood != "none")
        bed.introduce(a, c)
        bed.introduce(c, a)
        c.finder.start()
        c.finder.near(Endpoint(a.host.address, PORT))
        assert await bed.until_met(c, seconds=60)

    play(story)


def test_a_clock_that_is_put_right_leads_to_the_dht() -> None:
    async def story(bed: Bed) -> None:
        a, b = await two(bed, NatKind.PORT_RESTRICTED, NatKind.FULL_CONE, clock_off=YEARS)
        a.finder.start()
        b.finder.start()
        assert not await bed.until_met(a, b, seconds=3600)
        off = YEARS
        b.finder._wall = lambda: WALL + off + bed.network.loop.time()
        assert b.finder._own is not None
        b.finder._own._wall = b.finder._wall
        off = 0.0
        assert await bed.until_met(a, b, seconds=7200)

    play(story)


def test_a_blanked_record_is_put_above_and_the_one_that_cannot_be_hides_nobody() -> None:
    async def story(bed: Bed) -> None:
        a, b = await two(bed, NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED)
        places = [
            rendezvous.member_place(SECRET, device.name, day)
            for device in (a, b) for day in tags.days_around(WALL)
        ]
        bed.board.blank(places)
        for place in places:
            there = bed.board.items[place.target]
            assert there.seq < 1 << 62
        bed.board.items.clear()
        high = rendezvous.Record(a.public, 1)
        for place in places:  # a member that has the secret, with a number far ahead
            bed.board.items[place.target] = rendezvous.write(
                place, high, lambda data: bytes(64), bytes, seq=1 << 61)
        a.finder.start()
        b.finder.start()
        assert await bed.until_met(a, b, seconds=900)

    play(story)


def test_a_member_that_blanks_for_good_is_no_match_for_other_members() -> None:
    """The third passes on what it got of each: signed records, whatever the DHT says."""
    async def story(bed: Bed) -> None:
        a, b = await two(bed, NatKind.PORT_RESTRICTED, NatKind.FULL_CONE)
        for device in (a, b):
            for day in tags.days_around(WALL):
                place = rendezvous.member_place(SECRET, device.name, day)
                bed.board.items[place.target] = rendezvous.write(
                    place, rendezvous.Record(device.public, 1), lambda data: bytes(64), bytes, seq=(1 << 63) - 1)
        a.finder.start()
        b.finder.start()
        assert not await bed.until_met(a, b, seconds=600)
        (of_a,), (of_b,) = a.finder.passing(), b.finder.passing()
        assert b.finder.passed(of_a) and a.finder.passed(of_b)
        assert not b.finder.passed(of_a)  # known by now
        assert not b.finder.passed(of_b)  # its own
        assert await bed.until_met(a, b, seconds=300)

    play(story)


def test_a_record_cannot_make_a_device_knock_at_many_doors() -> None:
    """A member names somebody who never answers, and renews it every minute for hours."""
    async def story(bed: Bed) -> None:
        victim = bed.network.host()
        packets = 0

        def count(source: Endpoint, to: Endpoint, data: bytes) -> None:
            nonlocal packets
            packets += to.host == victim.address

        deliver = bed.network._datagram
        bed.network._datagram = lambda source, to, data: (count(source, to, data), deliver(source, to, data))[1]  # type: ignore[method-assign]  # listens in
        a = await bed.device(1)
        b = await bed.device(2)  # stays away; its record is renewed by hand
        bed.introduce(a, b)
        a.finder.start()
        for minute in range(180):
            place = rendezvous.member_place(SECRET, b.name, tags.day_of(WALL))
            record = rendezvous.Record(b.public, 1000 + minute, (Endpoint(victim.address, 7000),))
            bed.board.items[place.target] = rendezvous.write(place, record, b.key.sign, bytes)
            await asyncio.sleep(60)
        assert 0 < packets < 180 * 6
        assert bed.board.asked < 180 * 3

    play(story)


def test_many_that_are_away_cost_no_more_than_a_few() -> None:
    async def story(bed: Bed) -> None:
        a = await bed.device(1)
        others = [await bed.device(number) for number in range(2, 42)]
        for other in others:
            bed.introduce(a, other)
        a.finder.start()
        await asyncio.sleep(3600)
        asked, bed.board.asked = bed.board.asked, 0
        await asyncio.sleep(3600)
        # Forty that are away: fewer than a look every three seconds, each of three days.
        assert bed.board.asked < 3 * 1200 and asked
        assert a.finder._calling <= limits.SYNC_CALLS_AT_ONCE

    play(story)


@pytest.mark.parametrize("kind", [NatKind.PORT_RESTRICTED, NatKind.SYMMETRIC])
def test_the_two_sides_of_a_link_meet_where_nothing_else_is_known(kind: NatKind) -> None:
    async def story(bed: Bed) -> None:
        middle = bed.network.host()
        async with RelayServer(transport=middle.transport) as relay:
            await relay.start("0.0.0.0", 6990)
            there = (Endpoint(middle.address, 6990),)
            gave = await bed.device(1, kind, link="inviter", relays=lambda: there)
            joins = await bed.device(2, kind, link="joiner")
            gave.finder.seek(sought.joiner(TOKEN, LINK))
            joins.finder.seek(sought.inviter(TOKEN, LINK, [gave.public]))
            gave.finder.start()
            await asyncio.sleep(4000)
            joins.finder.start()
            assert await bed.until_met(gave, joins, seconds=900)
            await asyncio.sleep(1800)
            assert joins.direct is (kind is not NatKind.SYMMETRIC)  # at a relay first, perhaps

    play(story)


def test_who_has_another_link_or_secret_meets_nobody() -> None:
    async def story(bed: Bed) -> None:
        gave = await bed.device(1, link="inviter")
        joins = await bed.device(2, link="joiner")
        gave.finder.seek(sought.joiner(TOKEN, LINK))
        joins.finder.seek(sought.inviter(bytes(32), LINK, [gave.public]))
        joins.finder.speak_as(sought.of_joiner(joins.public, joins.key.sign, bytes(32)))
        other = await bed.device(3)
        other.finder.seek(sought.member([bytes(32)], other.name, gave.name, gave.public))
        for device in (gave, joins, other):
            device.finder.start()
        assert not await bed.until_met(gave, seconds=3600)
        assert not joins.dialled and not other.dialled

    play(story)


def test_a_run_is_a_function_of_its_seed() -> None:
    def once() -> str:
        async def story() -> None:
            async with Scope("bed") as scope:
                bed = Bed(scope, 5)
                a, b = await two(bed, NatKind.PORT_RESTRICTED, NatKind.ADDRESS_RESTRICTED)
                a.finder.start()
                b.finder.start()
                assert await bed.until_met(a, b, seconds=900)
                await bed.close()

        run = sim(5)
        run.run(story())
        return run.trace

    assert once() == once()


class BadRelay:
    """Says what its mood is: `waits` for ever, has `joined` and holds what it gets, says `noise`, or nothing (`mute`).
    A `net.transport.Sink` of each caller.
    """

    missing = 0

    def __init__(self, mood: str) -> None:
        self.mood = mood
        self.calls = 0

    def accept(self, connection: Connection) -> None:
        self.calls += 1
        connection.start(self)
        said = {"waits": b"\0", "joined": b"\1", "noise": b"\1" + b"noise" * 1000, "mute": b""}[self.mood]
        if said:
            connection.send(said)
        if self.mood == "waits":
            self._wait(connection)

    def _wait(self, connection: Connection) -> None:
        if not connection.closing:
            connection.send(b"\0")
            asyncio.get_running_loop().call_later(20.0, self._wait, connection)

    def received(self, data: memoryview) -> int:
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        pass


@pytest.mark.parametrize("mood", ["waits", "joined", "noise", "mute"])
def test_a_relay_that_means_harm_is_left_for_the_next_one(mood: str) -> None:
    async def story(bed: Bed) -> None:
        first, middle = bed.network.host(), bed.network.host()
        bad = BadRelay(mood)
        await first.transport.listen(Endpoint("0.0.0.0", 6990), bad.accept)
        async with RelayServer(transport=middle.transport) as relay:
            await relay.start("0.0.0.0", 6990)
            there = (Endpoint(first.address, 6990), Endpoint(middle.address, 6990))
            a = await bed.device(1, NatKind.SYMMETRIC, relays=lambda: there)
            b = await bed.device(2, NatKind.SYMMETRIC, relays=lambda: there)
            bed.introduce(a, b)
            bed.introduce(b, a)
            a.finder.start()
            await asyncio.sleep(100)
            b.finder.start()
            assert await bed.until_met(a, b, seconds=1500)
            assert bad.calls and relay.stats().joined >= 1

    play(story)
