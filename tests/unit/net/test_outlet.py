from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_interface

import pytest

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.interfaces import Changes, Interface, interfaces
from wildbach.net.outlet import AWAY, NO_SUCH_ADDRESS, Outlet
from wildbach.net.tcp import TcpTransport
from wildbach.net.udp import Datagrams


def tunnel(*addresses: str, name: str = "tun0", index: int = 7, up: bool = True) -> Interface:
    return Interface(name, index, up=up, addresses=tuple(ip_interface(text) for text in addresses))


ETH = tunnel("192.168.1.5/24", name="eth0", index=2)
TUN = tunnel("fe80::1/64", "10.8.0.2/24", "fd00::2/64")


class Machine:
    """Its interfaces as a test sets them."""

    def __init__(self, *there: Interface) -> None:
        self.there = there

    def __call__(self) -> tuple[Interface, ...]:
        return self.there


def test_without_a_choice_everything_is_open() -> None:
    outlet = Outlet(find=Machine())
    assert outlet.open and not outlet.bound and not outlet.reason and outlet.covers("eth0")
    assert outlet.place("0.0.0.0") == "0.0.0.0"


def test_an_interface_is_found_by_its_name_or_by_one_of_its_addresses() -> None:
    machine = Machine(ETH, TUN)
    named, addressed = Outlet("tun0", find=machine), Outlet("10.8.0.2", find=machine)
    assert named.way is not None and named.way.own == {4: "10.8.0.2", 6: "fd00::2"}
    assert addressed.way is not None and addressed.way.own == {4: "10.8.0.2"} and addressed.way.name == "tun0"
    assert not named.covers("eth0") and named.interfaces() == (TUN,)


@pytest.mark.parametrize(("wanted", "own"), [
    ("FD00:0:0::0002", {6: "fd00::2"}), ("fd00:0000:0000:0000:0000:0000:0000:0002", {6: "fd00::2"}),
    ("fd00::0.0.0.2", {6: "fd00::2"}), ("::ffff:10.8.0.2", {4: "10.8.0.2"}), ("::FFFF:0a08:0002", {4: "10.8.0.2"}),
])
def test_an_address_may_be_spelled_in_any_way(wanted: str, own: dict[int, str]) -> None:
    outlet = Outlet(wanted, find=Machine(ETH, TUN))
    assert outlet.way is not None and outlet.way.own == own and outlet.wanted in own.values()
    assert outlet.place(wanted) == outlet.wanted
    assert Outlet("tun0", find=Machine(ETH, TUN)).place(wanted) == outlet.wanted
    assert Outlet("tun0", find=Machine(TUN)).place("0:0:0:0:0:0:0:0") == "fd00::2"


@pytest.mark.parametrize("there", [(), (ETH,), (ETH, tunnel("10.8.0.2/24", up=False)), (ETH, tunnel("fe80::1/64"))])
def test_where_it_is_away_every_claim_fails(there: tuple[Interface, ...]) -> None:
    outlet = Outlet("tun0", find=Machine(*there))
    assert not outlet.open and "tun0 is away" in outlet.reason
    with socket.socket() as sock, pytest.raises(NetworkError) as caught:
        outlet.claim(sock, 4)
    assert caught.value.code == AWAY
    with pytest.raises(NetworkError):
        outlet.call_socket(4)
    with pytest.raises(NetworkError):
        outlet.place("0.0.0.0")


def test_who_subscribed_is_told_when_it_goes_and_comes_back_with_another_address() -> None:
    machine = Machine(ETH, TUN)
    outlet = Outlet("tun0", find=machine)
    seen: list[bool] = []
    outlet.subscribe(lambda: seen.append(outlet.open))
    outlet.refresh()
    machine.there = (ETH,)
    outlet.refresh()
    machine.there = (ETH, tunnel("10.8.0.9/24", index=9))
    outlet.refresh()
    outlet.refresh()
    assert seen == [False, True] and outlet.way is not None and outlet.way.own == {4: "10.8.0.9"}


def test_an_address_that_is_used_stays_ours_while_it_is_there() -> None:
    machine = Machine(tunnel("10.8.0.2/24", "fd00::2/64", "2a01:db::2/64"))
    outlet = Outlet("tun0", find=machine)
    told: list[tuple[int, ...]] = []
    outlet.subscribe(lambda: told.append(outlet.gained))
    assert outlet.way is not None and outlet.way.own == {4: "10.8.0.2", 6: "2a01:db::2"}  # the world can call it
    machine.there = (tunnel("10.8.0.7/24", "10.8.0.2/24", "2a01:db::9/64", "2a01:db::2/64"),)
    outlet.refresh()
    assert told == []
    machine.there = (tunnel("10.8.0.7/24", "2a01:db::9/64", "2a01:db::2/64"),)
    outlet.refresh()
    assert told == [()] and outlet.way.own == {4: "10.8.0.7", 6: "2a01:db::2"}


def test_an_ip_version_that_comes_is_told_apart_from_what_ends_all() -> None:
    machine = Machine(tunnel("10.8.0.2/24"))
    outlet = Outlet("tun0", find=machine)
    told: list[tuple[int, ...]] = []
    outlet.subscribe(lambda: told.append(outlet.gained))
    for there in (
        tunnel("10.8.0.2/24", "2a01:db::2/64"), tunnel("10.8.0.2/24"), tunnel("10.8.0.3/24", "2a01:db::2/64"),
        tunnel("10.8.0.3/24", "2a01:db::2/64", index=8),
    ):
        machine.there = (there,)
        outlet.refresh()
    assert told == [(6,), (), (), ()]


def test_where_any_interface_may_be_used_a_new_ip_version_is_told() -> None:
    async def main() -> None:
        machine = Machine(ETH, tunnel("::1/128", name="lo", index=1))
        machine.there = (ETH, replace(machine.there[1], loopback=True))
        outlet = Outlet(find=machine)
        told: list[tuple[int, ...]] = []
        outlet.subscribe(lambda: told.append(outlet.gained))
        outlet.watch()
        for there in (
            (ETH, tunnel("fe80::1/64")), (ETH, tunnel("2a01:db::2/64")), (ETH, tunnel("2a01:db::3/64")), (ETH,),
            (ETH, tunnel("2a01:db::3/64")),
        ):
            machine.there = there
            outlet.refresh()
        outlet.close()
        assert told == [(6,), (6,)]

    asyncio.run(main())


def test_an_ip_version_that_it_does_not_have_is_not_used() -> None:
    outlet = Outlet("tun0", find=Machine(tunnel("10.8.0.2/24")))
    with socket.socket(socket.AF_INET6) as sock, pytest.raises(NetworkError, match="no IPv6") as caught:
        outlet.claim(sock, 6)
    assert caught.value.code == NO_SUCH_ADDRESS


def test_one_listens_on_its_own_address_only() -> None:
    outlet = Outlet("tun0", find=Machine(ETH, TUN))
    assert [outlet.place(host) for host in ("0.0.0.0", "::", "10.8.0.2")] == ["10.8.0.2", "fd00::2", "10.8.0.2"]
    with pytest.raises(NetworkError, match="no address of tun0"):
        outlet.place("192.168.1.5")


def test_calls_leave_by_the_ports_that_are_chosen_one_after_the_other() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        outlet = Outlet(ports=(port, port))
        with pytest.raises(NetworkError, match="in use") as caught:
            outlet.call_socket(4)
        assert caught.value.code == "port_in_use"
    with outlet.call_socket(4) as sock:
        assert sock.getsockname()[1] == port


def test_the_kernel_ties_sockets_to_the_device_and_its_address() -> None:
    """On loopback, which is an interface like others."""
    outlet = Outlet("lo")
    assert outlet.way is not None and outlet.way.own[4] == "127.0.0.1"

    async def main() -> None:
        tcp, datagrams = TcpTransport(outlet), Datagrams(outlet=outlet)
        listener = await tcp.listen(Endpoint("0.0.0.0", 0), lambda connection: connection.close())
        assert listener.endpoint.host == "127.0.0.1"
        connection = await tcp.dial(listener.endpoint)
        assert connection.local.host == "127.0.0.1"
        datagrams.open([Endpoint("0.0.0.0", 0)])
        assert datagrams.endpoints[0].host == "127.0.0.1"
        connection.close()
        listener.close()
        datagrams.close()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_sockets_of_an_interface_that_went_are_kept_deaf_until_all_has_settled() -> None:
    machine = Machine(*interfaces())
    outlet = Outlet("lo", find=machine)

    async def main() -> None:
        datagrams = Datagrams(outlet=outlet)
        datagrams.open([Endpoint("0.0.0.0", 0)])
        machine.there = ()
        outlet.refresh()
        port = datagrams.endpoints[0].port
        datagrams.close()
        assert not datagrams.send(Endpoint("127.0.0.1", 9), b"x") and datagrams.endpoints == ()
        with pytest.raises(NetworkError):
            datagrams.open([Endpoint("0.0.0.0", 0)])
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
            outlet.settle()
            other.bind(("127.0.0.1", port))

    asyncio.run(main())


def test_the_kernel_is_asked_for_news_of_interfaces() -> None:
    async def main() -> None:
        changes = Changes.watch(lambda: None)
        assert changes is not None
        changes.close()
        changes.close()
        outlet = Outlet("lo")
        outlet.watch()
        outlet.watch()
        outlet.close()

    asyncio.run(main())


def test_where_nobody_can_tell_what_there_is_things_stay_as_they_were() -> None:
    outlet = Outlet("tun0", find=Machine(TUN))
    told: list[bool] = []
    outlet.subscribe(lambda: told.append(outlet.open))

    def fails() -> tuple[Interface, ...]:
        raise OSError("no descriptor is left")

    outlet._find = fails
    outlet.refresh()
    assert outlet.open and told == []
    outlet._find = Machine(ETH)
    outlet.refresh()
    assert told == [False]


def test_what_came_before_anybody_listened_is_seen_when_the_watch_begins() -> None:
    async def main() -> None:
        machine = Machine(ETH)
        outlet = Outlet("tun0", find=machine)
        machine.there = (ETH, TUN)
        outlet.watch()
        assert outlet.open
        outlet.close()

    asyncio.run(main())
