"""Which way of asking wins, what is renewed, and what is given back: with routers that are played."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.events import Event
from wildbach.engine import events
from wildbach.engine.portmap import PortMapping
from wildbach.net.portmap import Mapped, Mapper
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim


class Router:
    """One way of asking. `delay`: until it is found; `broken`: why it is not."""

    def __init__(self, method: str, delay: float = 0.1, *, lease: float = 600.0, taken: Sequence[int] = ()) -> None:
        self.method = method
        self.delay = delay
        self.lease = lease
        self.taken = taken
        self.missing = ""
        self.refuses = ""
        self.lost = False
        self.asked: list[tuple[str, int]] = []
        self.open: dict[tuple[str, int], int] = {}

    async def find(self) -> None:
        await asyncio.sleep(self.delay)
        if self.missing:
            raise NetworkError(self.missing)

    async def map(self, wanted: Mapped, seconds: int) -> Mapped:
        await asyncio.sleep(0.01)
        if self.refuses:
            raise RemoteError(self.refuses)
        external = wanted.external + 1000 if wanted.external in self.taken else wanted.external
        self.asked.append((wanted.protocol, external))
        self.open[wanted.protocol, external] = wanted.internal
        return Mapped(self.method, wanted.protocol, wanted.internal, external, self.lease, "9.9.9.1")

    async def unmap(self, mapped: Mapped) -> None:
        await asyncio.sleep(0.01)
        del self.open[mapped.protocol, mapped.external]


class Bed:
    def __init__(self, scope: Scope, routers: Mapping[str, Router], ports: Mapping[str, int] | None = None) -> None:
        self.events: list[Event] = []
        self.told: list[list[int]] = []
        mappers: dict[str, Mapper] = dict(routers)
        self.ports = PortMapping(
            self, scope, 4, ports or {"tcp": 6881, "udp": 6881}, mappers, lease=3600, report=self.events.append)  # type: ignore[arg-type]

    def publish(self, event: Event) -> None:
        self.events.append(event)

    def mapped(self, family: int, mappings: Sequence[Mapped]) -> None:
        self.told.append([m.external for m in mappings])


def play(routers: Mapping[str, Router], story: Callable[[Bed], Awaitable[None]]) -> Bed:
    async def main() -> Bed:
        async with Scope("test") as scope:
            bed = Bed(scope, routers)
            running = scope.spawn("run", bed.ports.run())
            await asyncio.sleep(5)
            await story(bed)
            running.cancel()
            await bed.ports.close()
        return bed

    return sim(1, until=1e6).run(main())


async def nothing(bed: Bed) -> None:
    pass


def test_the_first_that_answers_maps_and_the_others_keep_quiet() -> None:
    slow, fast = Router("upnp", 2.0), Router("pcp", 0.1)

    async def story(bed: Bed) -> None:
        view = bed.ports.view()
        assert view.state == "mapped" and [m.method for m in view.mappings] == ["pcp", "pcp"]
        assert sorted(fast.open) == [("tcp", 6881), ("udp", 6881)]

    bed = play({"upnp": slow, "pcp": fast}, story)
    assert slow.asked == [] and bed.told == [[6881, 6881]] and fast.open == {}
    assert [type(event) for event in bed.events] == [events.PortMapped] * 2


def test_where_the_first_refuses_the_next_is_asked() -> None:
    one, two = Router("pcp", 0.1), Router("upnp", 1.0)
    one.refuses = "the router refuses: not authorized"

    async def story(bed: Bed) -> None:
        assert [m.method for m in bed.ports.view().mappings] == ["upnp", "upnp"]
        assert bed.ports.view().errors == {"pcp": "the router refuses: not authorized"}

    play({"pcp": one, "upnp": two}, story)


def test_where_nobody_lets_us_in_it_is_said_once_and_tried_again() -> None:
    one, two = Router("pcp"), Router("upnp")
    one.missing = two.missing = "the router does not answer"

    async def story(bed: Bed) -> None:
        assert bed.ports.view().state == "failed"
        await asyncio.sleep(2000)
        assert len(bed.events) == 1
        one.missing = ""
        await asyncio.sleep(2000)
        assert bed.ports.view().state == "mapped"

    bed = play({"pcp": one, "upnp": two}, story)
    assert isinstance(bed.events[0], events.PortMappingFailed)
    assert bed.events[0].reason == "pcp: the router does not answer; upnp: the router does not answer"


def test_leases_are_renewed_before_they_end() -> None:
    router = Router("pcp", lease=600)

    async def story(bed: Bed) -> None:
        await asyncio.sleep(3600)
        assert 24 <= len(router.asked) <= 30

    assert len(play({"pcp": router}, story).told) == 1


def test_a_router_that_forgot_is_told_again_and_one_that_is_gone_is_searched_for() -> None:
    router = Router("pcp")

    async def story(bed: Bed) -> None:
        router.lost = True
        before = len(router.asked)
        await asyncio.sleep(310)
        assert len(router.asked) - before == 4
        router.lost = False
        router.refuses = router.missing = "gone"
        await asyncio.sleep(700)
        assert bed.ports.view().state == "failed" and bed.told[-1] == []
        router.refuses = router.missing = ""
        await asyncio.sleep(1000)
        assert bed.ports.view().state == "mapped"

    play({"pcp": router}, story)


def test_what_was_mapped_when_the_session_ended_half_way_is_given_back_too() -> None:
    router = Router("pcp", 0.0)

    async def main() -> None:
        async with Scope("test") as scope:
            bed = Bed(scope, {"pcp": router})
            running = scope.spawn("run", bed.ports.run())
            while not router.open:
                await asyncio.sleep(0.001)
            running.cancel()
            await bed.ports.close()

    sim(1).run(main())
    assert len(router.asked) == 1 and router.open == {}


def test_udp_is_asked_for_the_port_that_tcp_got() -> None:
    router = Router("pcp", taken=[6881])
    bed = play({"pcp": router}, nothing)
    assert bed.told == [[7881, 7881]]


def test_a_router_behind_another_is_told_apart() -> None:
    async def story(bed: Bed) -> None:
        assert not bed.ports.view().behind_another

    play({"pcp": Router("pcp")}, story)
