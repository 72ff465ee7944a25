import socket
from pathlib import Path

import pytest

from wildbach.net.interfaces import default_gateway, interfaces, parse_routes4, parse_routes6

V4 = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\tFE00090A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0000090A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
tun0\t00000000\t0100000A\t0003\t0\t0\t50\t00000080\t0\t0\t0
"""
V6 = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 "
    "00000001 00000000 00000003     eth0\n"
    "fd000009000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 "
    "00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff "
    "00000001 00000000 00200200       lo\n"
)


def test_the_gateway_of_the_best_default_route_is_found() -> None:
    assert parse_routes4(V4) == ("10.9.0.254", "eth0")
    assert parse_routes6(V6) == ("fe80::1", "eth0")


@pytest.mark.parametrize("text", ["", "nonsense", "Iface\nlo 1 2\n", "x" * 1000, "a b c d e f g h\n" * 3])
def test_a_table_without_one_has_none(text: str) -> None:
    assert parse_routes4(text) is None and parse_routes6(text) is None


def test_where_the_system_does_not_say_there_is_no_gateway(tmp_path: Path) -> None:
    assert default_gateway(4, tmp_path) is None
    (tmp_path / "route").write_text(V4.replace("eth0", "gone9"))
    assert default_gateway(4, tmp_path) is None


def test_loopback_is_among_the_interfaces_of_linux() -> None:
    found = {interface.name: interface for interface in interfaces()}
    if hasattr(socket, "AF_NETLINK"):
        assert found["lo"].loopback and "127.0.0.1" in {str(address.ip) for address in found["lo"].addresses}
    else:
        assert found == {}
