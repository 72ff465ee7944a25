import pytest

from wildbach.base.addresses import Reach, classify, crowding, may_dial, neighbourhood, networks, parse
from wildbach.base.ids import Endpoint


@pytest.mark.parametrize(("host", "reach"), [
    ("127.0.0.1", Reach.LOCAL), ("127.255.0.9", Reach.LOCAL), ("::1", Reach.LOCAL), ("::ffff:127.0.0.1", Reach.LOCAL),
    ("10.1.2.3", Reach.PRIVATE), ("172.16.0.1", Reach.PRIVATE), ("172.32.0.1", Reach.GLOBAL),
    ("192.168.1.1", Reach.PRIVATE), ("100.64.0.1", Reach.PRIVATE), ("100.128.0.1", Reach.GLOBAL),
    ("fd00::1", Reach.PRIVATE), ("8.8.8.8", Reach.GLOBAL), ("2606:4700::1", Reach.GLOBAL),
    ("169.254.169.254", Reach.FORBIDDEN), ("fe80::1", Reach.FORBIDDEN), ("0.0.0.0", Reach.FORBIDDEN),
    ("224.0.0.1", Reach.FORBIDDEN), ("255.255.255.255", Reach.FORBIDDEN), ("::", Reach.FORBIDDEN),
    ("ff02::1", Reach.FORBIDDEN), ("192.0.2.1", Reach.FORBIDDEN), ("2001:db8::1", Reach.FORBIDDEN),
    ("64:ff9b::7f00:1", Reach.LOCAL), ("64:ff9b::a00:1", Reach.PRIVATE), ("64:ff9b::808:808", Reach.GLOBAL),
    ("2002:7f00:1::", Reach.LOCAL), ("2002:a9fe:a9fe::1", Reach.FORBIDDEN), ("::7f00:1", Reach.FORBIDDEN),
    ("fe80::1%eth0", Reach.FORBIDDEN), ("example.org", Reach.FORBIDDEN), ("", Reach.FORBIDDEN),
    ("127.1", Reach.FORBIDDEN), ("0x7f.0.0.1", Reach.FORBIDDEN),
])
def test_every_address_has_one_reach(host: str, reach: Reach) -> None:
    assert classify(host) is reach


def test_named_networks_are_local() -> None:
    extra = networks(["10.9.0.0/16", "fd00:9::/32"])
    assert classify("10.9.1.2", extra) is Reach.LOCAL
    assert classify("fd00:9::1", extra) is Reach.LOCAL
    assert classify("10.8.1.2", extra) is Reach.PRIVATE


def test_a_wrapped_ipv4_address_is_unwrapped() -> None:
    assert str(parse("::ffff:1.2.3.4")) == "1.2.3.4"


def test_a_stranger_names_no_privileged_port_and_nothing_inside_our_network() -> None:
    assert may_dial(Endpoint("8.8.8.8", 6881), Reach.GLOBAL)
    for target in (
        Endpoint("8.8.8.8", 80), Endpoint("8.8.8.8", 0), Endpoint("192.168.0.1", 6881), Endpoint("127.0.0.1", 6881),
        Endpoint("224.0.0.1", 6881), Endpoint("router", 6881), Endpoint("8.8.8.8", 70000),
    ):
        assert not may_dial(target, Reach.GLOBAL), target


def test_a_neighbour_names_neighbours_and_strangers() -> None:
    assert may_dial(Endpoint("192.168.0.7", 6881), Reach.PRIVATE)
    assert may_dial(Endpoint("8.8.8.8", 6881), Reach.PRIVATE)
    assert not may_dial(Endpoint("192.168.0.7", 443), Reach.PRIVATE)
    assert not may_dial(Endpoint("127.0.0.1", 6881), Reach.PRIVATE)


def test_no_port_rule_applies_on_this_machine() -> None:
    assert may_dial(Endpoint("127.0.0.1", 80), Reach.LOCAL)
    assert not may_dial(Endpoint("8.8.8.8", 80), Reach.LOCAL)


def test_nothing_is_dialled_for_a_source_of_no_class() -> None:
    assert not may_dial(Endpoint("8.8.8.8", 6881), Reach.FORBIDDEN)


def test_neighbours_share_a_network() -> None:
    assert neighbourhood("8.8.8.8") == neighbourhood("8.8.8.250") == neighbourhood("::ffff:8.8.8.1")
    assert neighbourhood("8.8.8.8") != neighbourhood("8.8.9.8")
    assert neighbourhood("2600:1:2:3::4") == neighbourhood("2600:1:2:ffff::1") != neighbourhood("2600:1:3::1")
    assert neighbourhood("name") == "name"


def test_the_oldest_call_of_whoever_has_most_places_gives_way() -> None:
    assert crowding(["8.8.8.8"]) == 0
    assert crowding(["8.8.8.8", "9.9.9.9", "9.9.9.9", "8.8.4.4"]) == 1
    assert crowding(["8.8.8.8", "2600:1:2:3::1", "2600:1:2:3:ffff::2", "2600:1:2:4::1"]) == 1
    with pytest.raises(ValueError, match="empty"):
        crowding([])
