"""What a session does for devices: where it can be called, and meetings of two behind routers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from ipaddress import ip_interface
from random import Random

import pytest

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.devices import DeviceRoads, own_places
from wildbach.engine.lan import LocalDiscovery
from wildbach.engine.roads import Roads
from wildbach.engine.settings import Settings
from wildbach.net.interfaces import Interface
from wildbach.net.transport import Connection
from wildbach.net.utp import UtpTransport
from wildbach.protocol import lan
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.neighbours import Neighbours
from wildbach.testing.loop import sim
from wildbach.testing.nat import NatKind
from wildbach.testing.network import Host, MemoryDatagrams, Network

EVERYWHERE = (Endpoint("0.0.0.0", 6881), Endpoint("::", 6882))
LAN = Interface("eth0", 1, addresses=(ip_interface("192.168.1.2/24"), ip_interface("2a00::5/64")))
LOOPBACK = Interface("lo", 2, loopback=True, addresses=(ip_interface("127.0.0.1/8"),))


def places(
    listening: Iterable[Endpoint] = EVERYWHERE, external: dict[int, str] | None = None,
    mapped: dict[int, int] | None = None, seen: dict[int, int] | None = None,
) -> list[str]:
    found = own_places(
        tuple(listening), external=lambda family: (external or {}).get(family, ""), mapped=mapped or {},
        seen=lambda family: (seen or {}).get(family, 0), find=lambda: (LOOPBACK, LAN))
    return [str(endpoint) for endpoint in found]


def test_where_a_device_can_be_called() -> None:
    near = ["192.168.1.2:6881", "[2a00::5]:6882"]
    assert places() == near
    assert places(external={4: "9.9.9.9"}) == ["9.9.9.9:6881", *near]
    assert places(external={4: "9.9.9.9"}, seen={4: 40_001}) == ["9.9.9.9:40001", *near]
    assert places(external={4: "9.9.9.9"}, seen={4: 40_001}, mapped={4: 50_000}) == [
        "9.9.9.9:50000", "9.9.9.9:40001", *near]
    assert places(external={4: "9.9.9.9", 6: "2a00::5"}, mapped={4: 1}) == [
        "9.9.9.9:1", "[2a00::5]:6882", "192.168.1.2:6881"]
    assert places(external={4: "10.0.0.1"}) == near  # a router before ours: nobody can call that
    assert places([Endpoint("127.0.0.1", 6881)]) == places(()) == []
    assert places([Endpoint("192.168.1.2", 7000)], external={4: "9.9.9.9"}) == ["9.9.9.9:7000", "192.168.1.2:7000"]


def device(host: Host, seed: int, *, refuses: bool = False) -> tuple[DeviceRoads, UtpTransport]:
    datagrams = MemoryDatagrams(host)
    datagrams.open([Endpoint("0.0.0.0", 6881)])
    utp = UtpTransport(datagrams, rng=Random(seed))
    roads = Roads({"utp": utp}, Settings, Random(seed))
    return DeviceRoads(roads, utp=utp, tcp=None, refuses=lambda endpoint: refuses, places=tuple), utp


@pytest.mark.parametrize("late", [0.0, 12.0, 100.0, 160.0])
def test_two_that_call_in_the_same_minutes_meet_where_one_call_of_each_does_not(late: float) -> None:
    async def story(again: bool) -> int:
        network = Network()
        homes = [network.home(NatKind.PORT_RESTRICTED) for _ in range(2)]
        there: list[Endpoint] = []
        for home in homes:
            assert home.nat is not None
            there.append(Endpoint(home.nat.address, 40_000))  # the first that it gives
        met: list[Connection] = []
        made = [device(home, number) for number, home in enumerate(homes)]

        async def call(number: int) -> None:
            await asyncio.sleep(number * late)
            roads, utp = made[number]
            with_ = there[1 - number]
            with contextlib.suppress(NetworkError, TimeoutError):
                met.append(await (roads.meet(with_, 180.0) if again else asyncio.wait_for(utp.dial(with_), 8.0)))

        for _, utp in made:
            await utp.listen(Endpoint("0.0.0.0", 0), met.append)
        async with Scope("calls") as scope:
            await asyncio.wait([scope.spawn(str(number), call(number)) for number in range(2)])
        for _, utp in made:
            utp.close()
        return len(met)

    assert sim(1).run(story(again=True)) >= 1
    if late > 30.0:  # the router of the first has forgotten
        assert sim(1).run(story(again=False)) == 0


def test_a_meeting_with_nobody_ends_in_time_and_so_does_one_that_the_filter_forbids() -> None:
    async def story() -> float:
        network = Network()
        roads, utp = device(network.host(), 1)
        loop = asyncio.get_running_loop()
        with pytest.raises(NetworkError, match="nobody"):
            await roads.meet(Endpoint("99.9.9.9", 7000), 60.0)
        took = loop.time()
        assert utp.trains.endpoints
        utp.close()
        forbidden, other = device(network.host(), 2, refuses=True)
        for work in (
            forbidden.meet(Endpoint("99.9.9.9", 7000), 60.0), forbidden.dial(Endpoint("99.9.9.9", 7000)),
        ):
            with pytest.raises(NetworkError, match="filter"):
                await work
        with pytest.raises(NetworkError, match="TCP"):
            await forbidden.relay(Endpoint("99.9.9.9", 7000), [bytes(32)], 0)
        other.close()
        return took

    assert 40.0 < sim(1).run(story()) <= 60.0


def test_neighbours_are_told_of_all_folders_whenever_local_discovery_begins_anew() -> None:
    async def story() -> None:
        roads, utp = device(Network().host(), 1)
        folders = Neighbours(lambda: 0.0)
        folders.add("a", [bytes(32)], lambda at: None)
        folders.add("b", [bytes(31) + b"\1"], lambda at: None)
        roads.announce("a")
        roads.announce("b")
        roads.forget("b")
        roads.use_folders(folders)
        for _ in range(2):  # the network went, and came back
            spoken: list[int] = []
            found = LocalDiscovery(lambda key: None, lambda swarm: None, lambda family: 6881, lambda: 0.0, Random(1))
            found.use(Speaker(spoken))
            roads.attach(found)
            found.send(5.0)
            assert spoken == [4]
            roads.forget("a")
            found.send(1000.0)
            roads.announce("a")
            assert spoken == [4]
            roads.attach(None)
        utp.close()

    sim(1).run(story())


class Speaker:
    """Sockets that note how many tags were sent."""

    families = (4,)
    places = ("eth0 192.168.1.2",)

    def __init__(self, spoken: list[int]) -> None:
        self.spoken = spoken

    def near(self, host: str) -> bool:
        return True

    def refresh(self) -> bool:
        return False

    def send(self, family: int, data: bytes) -> int:
        self.spoken.append(len(lan.decode(data).hashes))
        return 1

    def close(self) -> None:
        pass
