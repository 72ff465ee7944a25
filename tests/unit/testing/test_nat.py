import pytest

from wildbach.base.ids import Endpoint
from wildbach.testing.nat import Nat, NatKind

INSIDE = Endpoint("10.0.0.2", 6881)
ONE, SAME_HOST, OTHER = Endpoint("20.0.0.1", 1), Endpoint("20.0.0.1", 2), Endpoint("20.0.1.1", 1)


@pytest.mark.parametrize(("kind", "same_host", "other"), [
    (NatKind.FULL_CONE, True, True), (NatKind.ADDRESS_RESTRICTED, True, False),
    (NatKind.PORT_RESTRICTED, False, False), (NatKind.SYMMETRIC, False, False),
])
def test_who_may_answer_through_a_mapping(kind: NatKind, same_host: bool, other: bool) -> None:
    nat = Nat("30.0.0.1", kind)
    seen = nat.outward("udp", INSIDE, ONE, 0.0)
    assert nat.inward("udp", seen.port, ONE, 1.0) == INSIDE
    assert (nat.inward("udp", seen.port, SAME_HOST, 1.0) == INSIDE) is same_host
    assert (nat.inward("udp", seen.port, OTHER, 1.0) == INSIDE) is other
    assert nat.inward("tcp", seen.port, ONE, 1.0) is None


def test_only_a_symmetric_router_has_a_mapping_for_each_remote() -> None:
    for kind in NatKind:
        nat = Nat("30.0.0.1", kind)
        same = nat.outward("udp", INSIDE, ONE, 0.0) == nat.outward("udp", INSIDE, OTHER, 0.0)
        assert same is (kind is not NatKind.SYMMETRIC)


def test_a_quiet_mapping_ends_and_use_keeps_it() -> None:
    nat = Nat("30.0.0.1", NatKind.FULL_CONE, udp_seconds=30)
    seen = nat.outward("udp", INSIDE, ONE, 0.0)
    nat.outward("udp", INSIDE, ONE, 25.0)
    assert nat.inward("udp", seen.port, OTHER, 50.0) == INSIDE
    assert nat.inward("udp", seen.port, OTHER, 56.0) is None and nat.refused == 1
    assert nat.outward("udp", INSIDE, ONE, 60.0).port != seen.port


def test_a_mapped_port_is_open_for_good() -> None:
    nat = Nat("30.0.0.1", NatKind.SYMMETRIC)
    nat.forward("udp", 6881, INSIDE)
    assert nat.inward("udp", 6881, OTHER, 1e6) == INSIDE
    assert nat.outward("udp", INSIDE, OTHER, 1e6) == Endpoint("30.0.0.1", 6881)
