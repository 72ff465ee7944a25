import pytest

from wildbach.base.ids import Endpoint
from wildbach.protocol.addresses import Reach, may_dial, reach


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", Reach.LOCAL), ("127.9.9.9", Reach.LOCAL), ("::1", Reach.LOCAL),
        ("::ffff:127.0.0.1", Reach.LOCAL), ("10.1.2.3", Reach.PRIVATE), ("172.16.0.1", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE), ("169.254.1.1", Reach.PRIVATE), ("100.64.0.1", Reach.PRIVATE),
        ("fe80::1%eth0", Reach.PRIVATE), ("fd00::1", Reach.PRIVATE), ("8.8.8.8", Reach.GLOBAL),
        ("2600::1", Reach.GLOBAL), ("0.0.0.0", Reach.NOWHERE), ("::", Reach.NOWHERE), ("224.0.0.1", Reach.NOWHERE),
        ("ff02::1", Reach.NOWHERE), ("255.255.255.255", Reach.NOWHERE), ("240.0.0.1", Reach.NOWHERE),
        ("192.0.2.1", Reach.NOWHERE), ("2001:db8::1", Reach.NOWHERE), ("example.org", Reach.NOWHERE),
        ("", Reach.NOWHERE),
    ],
)
def test_addresses_have_a_class(host: str, expected: Reach) -> None:
    assert reach(host) is expected


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
