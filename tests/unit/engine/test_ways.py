from __future__ import annotations

import asyncio

import pytest

from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.engine.settings import NetworkSettings, Settings
from wildbach.engine.ways import Ways, name_servers, parse_listen, parse_ports


@pytest.mark.parametrize(("text", "host", "ports"), [
    ("0.0.0.0:6881", "0.0.0.0", range(6881, 6882)), ("[::]:6881-6891", "::", range(6881, 6892)),
    (":0", "0.0.0.0", range(1)),
])
def test_where_to_listen_is_a_host_and_one_port_or_several(text: str, host: str, ports: range) -> None:
    assert parse_listen(text) == (host, ports)


@pytest.mark.parametrize("text", ["", "6881", "h:", "h:x", "h:9-8", "h:0-5", "h:70000", "h:1-", "h:-1", "h:١"])
def test_what_is_no_place_to_listen_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_listen(text)


def test_ports_of_calls_are_a_range_or_nothing() -> None:
    assert parse_ports("x", "") is None
    assert parse_ports("x", "5-9") == (5, 9) and parse_ports("x", "5") == (5, 5)
    for text in ("0-5", "9-5", "x"):
        with pytest.raises(UsageError, match="FIRST-LAST"):
            parse_ports("x", text)


def test_name_servers_are_addresses_with_or_without_a_port() -> None:
    assert name_servers(["9.9.9.9", "fd00::1", "10.0.0.1:5353", "[fd00::1]:54"]) == (
        Endpoint("9.9.9.9", 53), Endpoint("fd00::1", 53), Endpoint("10.0.0.1", 5353), Endpoint("fd00::1", 54))
    for text in ("dns.example", "dns.example:53", "9.9.9.9:0", "9.9.9.9:1-2", ":53"):
        with pytest.raises(UsageError):
            name_servers([text])


@pytest.mark.parametrize(("chosen", "datagrams", "looked_up"), [
    (NetworkSettings(), True, True), (NetworkSettings(proxy="socks5://127.0.0.1:1"), True, False),
    (NetworkSettings(proxy="http://127.0.0.1:1"), False, False),
    (NetworkSettings(interface="lo", dns=("127.0.0.1",)), True, True),
])
def test_what_the_settings_leave(chosen: NetworkSettings, datagrams: bool, looked_up: bool) -> None:
    async def main() -> None:
        async with Ways(Settings(network=chosen)) as ways:
            assert ways.datagrams is datagrams
            assert (ways.resolver is not None) is looked_up and (ways.texts() is not None) is looked_up
            assert not ways.obstacle

    asyncio.run(main())


def test_an_interface_that_is_away_is_an_obstacle() -> None:
    async def main() -> None:
        async with Ways(Settings(network=NetworkSettings(interface="tun99"))) as ways:
            assert "tun99 is away" in ways.obstacle

    asyncio.run(main())
