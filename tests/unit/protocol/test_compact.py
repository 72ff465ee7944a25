import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.ids import Endpoint
from wildbach.protocol import compact

ports = st.integers(1, 65535)
v4 = st.builds(Endpoint, st.ip_addresses(v=4).map(str), ports)
v6 = st.builds(Endpoint, st.ip_addresses(v=6).filter(lambda a: a.ipv4_mapped is None).map(str), ports)


@given(st.lists(v4), st.lists(v6))
def test_endpoints_survive_the_compact_form(four: list[Endpoint], six: list[Endpoint]) -> None:
    raw4, raw6 = compact.encode_all(four + six)
    assert compact.decode_v4(raw4) == four
    assert compact.decode_v6(raw6) == six


@given(st.binary(max_size=200))
def test_any_bytes_decode_to_dialable_endpoints(raw: bytes) -> None:
    for endpoint in compact.decode_v4(raw) + compact.decode_v6(raw):
        assert 0 < endpoint.port < 65536
        compact.pack_host(endpoint.host)


def test_a_wrapped_address_becomes_ipv4() -> None:
    raw = bytes(10) + b"\xff\xff\x01\x02\x03\x04" + b"\x1a\xe1"
    assert compact.decode_v6(raw) == [Endpoint("1.2.3.4", 6881)]


def test_a_name_is_not_packed() -> None:
    with pytest.raises(ValueError, match="not an address"):
        compact.encode(Endpoint("localhost", 1))


@pytest.mark.parametrize("raw", [b"", b"abc", bytes(5), bytes(17)])
def test_only_addresses_are_unpacked(raw: bytes) -> None:
    assert compact.unpack_host(raw) is None
