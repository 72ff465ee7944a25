import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import RemoteError
from wildbach.protocol.wire.handshake import LENGTH, PREFIX, Handshake, parse, plausible

twenty = st.binary(min_size=20, max_size=20)


@given(twenty, twenty, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_what_is_written_is_read(
    info_hash: bytes, peer_id: bytes, extension: bool, fast: bool, v2: bool, dht: bool,
) -> None:
    sent = Handshake(info_hash, peer_id, extension=extension, fast=fast, v2=v2, dht=dht)
    raw = sent.to_bytes()
    assert len(raw) == LENGTH and parse(raw) == parse(memoryview(raw)) == sent


def test_the_flags_stand_where_the_beps_put_them() -> None:
    def reserved(**flags: bool) -> bytes:
        off = {"extension": False, "fast": False, "v2": False, "dht": False}
        return Handshake(bytes(20), bytes(20), **(off | flags)).to_bytes()[20:28]

    assert reserved() == bytes(8)
    assert reserved(extension=True) == bytes.fromhex("0000000000100000")  # BEP 10: bit 20 from the right
    assert reserved(fast=True) == bytes.fromhex("0000000000000004")  # BEP 6
    assert reserved(v2=True) == bytes.fromhex("0000000000000010")  # BEP 52: the 4th most significant bit of the last
    assert reserved(dht=True) == bytes.fromhex("0000000000000001")  # BEP 5


def test_unknown_flags_are_passed_over() -> None:
    assert parse(PREFIX + b"\xff" * 8 + bytes(40)) == Handshake(bytes(20), bytes(20), v2=True, dht=True)


@pytest.mark.parametrize("raw", [
    b"", PREFIX, PREFIX + bytes(47), PREFIX + bytes(49), b"\x12" + PREFIX[1:] + bytes(48),
    b"GET / HTTP/1.1\r\n" + bytes(52),
])
def test_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(RemoteError):
        parse(raw)


def test_a_wrong_beginning_is_seen_at_once() -> None:
    assert all(plausible(memoryview(PREFIX)[:n]) for n in range(20))
    assert plausible(PREFIX + b"anything")
    assert not plausible(b"G") and not plausible(PREFIX[:-1] + b"L")
