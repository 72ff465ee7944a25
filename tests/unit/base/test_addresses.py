import pytest

from wildbach.base.addresses import Reach, classify, networks, parse


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
