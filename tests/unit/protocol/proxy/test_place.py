from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.proxy import ProxyAddress, Unreachable
from wildbach.protocol.proxy.place import judge


@pytest.mark.parametrize(("host", "spelled"), [
    ("25.1.2.3", "25.1.2.3:80"), ("2001:DB8:0::1", "[2001:db8::1]:80"), ("::ffff:25.1.2.3", "25.1.2.3:80"),
    ("T.Example.", "t.example:80"),
])
def test_a_place_has_one_spelling(host: str, spelled: str) -> None:
    place = judge(host, 80)
    assert str(place) == spelled
    assert place.address == (None if "example" in spelled else ip_address(place.host))


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize("host", [
    "", "a\r\nX: y", "a b", "a\0b", "mün.example", "a" * 64, f"{'a.' * 130}b", "a..b", "[::1]", "fe80::1%eth0",
    "anna@h", "h:80", "2130706433", "127.1",
])
def test_a_host_that_is_neither_address_nor_name_is_refused_before_a_byte_is_sent(kind: str, host: str) -> None:
    with pytest.raises(Unreachable, match="neither an address nor a name"):
        ProxyAddress(kind, "proxy.example", 1080).tunnel(host, 80)


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize("port", [-1, 0, 65536, 1 << 32])
def test_a_port_that_nobody_has_is_refused(kind: str, port: int) -> None:
    with pytest.raises(Unreachable, match="no port"):
        ProxyAddress(kind, "proxy.example", 1080).tunnel("t.example", port)


@given(st.one_of(st.text(max_size=300), st.ip_addresses().map(str)), st.integers(-10, 70_000))
def test_whatever_a_host_is_no_request_can_be_taken_for_another(host: str, port: int) -> None:
    said = []
    for kind in ("socks5", "http"):
        try:
            tunnel = ProxyAddress(kind, "proxy.example", 1080).tunnel(host, port)
        except Unreachable:
            continue
        if kind == "http":
            said.append(tunnel.begin())
            assert said[-1].count(b"\r\n") == 3 and said[-1].count(b" ") == 3
        else:
            tunnel.begin()
            said.append(tunnel.received(b"\5\0"))
            size = {1: 10, 4: 22}.get(said[-1][3]) or 7 + said[-1][4]
            assert len(said[-1]) == size
    assert len(said) in (0, 2)
