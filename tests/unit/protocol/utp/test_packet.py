"""Packets of uTP: written and read back, trains of them, and what is none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.utp import packet as wire

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)


@given(st.integers(0, 4), u16, u32, u32, u32, u16, u16, st.binary(max_size=50))
def test_a_packet_is_read_as_it_was_written(
    kind: int, id: int, stamp: int, difference: int, window: int, seq: int, ack: int, payload: bytes,
) -> None:
    found = wire.parse(wire.header(kind, id, stamp, difference, window, seq, ack) + payload)
    assert found[:8] == (kind, id, stamp, difference, window, seq, ack, 0)
    assert bytes(found.payload) == payload


@given(u16, st.integers(1, (1 << limits.UTP_SACK_BYTES * 8) - 1))
def test_a_selective_ack_says_which_packets_are_there(ack: int, sack: int) -> None:
    found = wire.parse(wire.state(1, 2, 3, 4, 5, ack, sack))
    assert found.kind == wire.STATE and found.ack == ack and found.sack == sack


@pytest.mark.parametrize("length", [1, 4, 6, 13, 64])
def test_a_selective_ack_of_any_length_is_read(length: int) -> None:
    """libtorrent does not fill up to a multiple of four bytes, as BEP 29 asks."""
    head = wire.header(wire.STATE, 1, 2, 3, 4, 5, 6, extension=wire.SACK)
    assert wire.parse(head + bytes([0, length]) + b"\xff" * length).sack == (1 << 8 * length) - 1


@pytest.mark.parametrize("data", [
    b"", b"\x01" * 19, b"\x02" + bytes(19), b"\x51" + bytes(19), b"\x01\x01" + bytes(18),
    b"\x21\x01" + bytes(18) + b"\x00\x00", b"\x21\x01" + bytes(18) + b"\x00\x09" + bytes(8),
    b"\x21\x07" + bytes(18) + b"\x07\x00" * 50 + b"\x00\x00",
])
def test_what_is_no_packet_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        wire.parse(data)


@given(st.binary(max_size=200))
def test_no_bytes_bring_it_to_fall(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        found = wire.parse(b"\x21\x01" + data)
        assert len(found.payload) <= len(data)


@given(st.integers(2, 20), st.integers(0, 65535), st.integers(1, 60))
def test_a_train_of_plain_packets_is_known_by_its_headers(count: int, first: int, last: int) -> None:
    segment = 20 + 80
    packets = [
        wire.header(wire.DATA, 7, 1, 2, 3, (first + at) & 0xFFFF, 9) + bytes(last if at + 1 == count else 80)
        for at in range(count)
    ]
    train = bytearray(b"".join(packets))
    assert wire.row(train, 0, len(train), segment) == count
    broken = bytearray(train)
    broken[segment] = wire.STATE << 4 | 1
    assert wire.row(broken, 0, len(broken), segment) == 0
