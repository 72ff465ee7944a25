import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.published import published

from wildbach.base.ids import Endpoint
from wildbach.protocol.peer_priority import crc32c, peer_priority

HOSTS = st.one_of(st.ip_addresses().map(str))
ENDPOINTS = st.builds(Endpoint, HOSTS, st.integers(0, 65535))


def test_crc32c_has_its_published_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.vector(40)
def test_the_vectors_of_bep_40_hold() -> None:
    given_ = published(40)
    ours = Endpoint(given_["ours"], 0)
    for theirs, priority in given_["crc32c"].items():
        assert f"{peer_priority(ours, Endpoint(theirs, 0)):08x}" == priority


def test_one_address_is_ranked_by_its_ports() -> None:
    a, b = Endpoint("10.0.0.1", 6881), Endpoint("10.0.0.1", 80)
    assert peer_priority(a, b) == peer_priority(b, a) == crc32c((80).to_bytes(2, "big") + (6881).to_bytes(2, "big"))


def test_ipv6_beneath_one_prefix_is_masked_less() -> None:
    ours = Endpoint("2001:db8:1:100::1", 1)
    far, further = Endpoint("2001:db9:1::1", 1), Endpoint("2001:db9:1::8001", 1)
    assert peer_priority(ours, far) == peer_priority(ours, Endpoint("2001:db9:1::3", 1))  # 0x55 hides bits 1 and 15
    assert peer_priority(ours, far) == peer_priority(ours, further)
    near = Endpoint("2001:db8:1:200::1", 1)
    assert peer_priority(ours, near) != peer_priority(ours, Endpoint("2001:db8:1:a00::1", 1))


def test_a_mapped_address_counts_as_ipv4() -> None:
    ours = Endpoint("123.213.32.10", 0)
    assert peer_priority(ours, Endpoint("::ffff:98.76.54.32", 0)) == 0xEC2D7224


@given(ENDPOINTS, ENDPOINTS)
def test_both_ends_compute_the_same(a: Endpoint, b: Endpoint) -> None:
    assert peer_priority(a, b) == peer_priority(b, a)
    assert 0 <= peer_priority(a, b) < 1 << 32
