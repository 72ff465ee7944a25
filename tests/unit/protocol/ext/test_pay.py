"""Messages of `wb_pay`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import bencode
from wildbach.protocol.ext import pay
from wildbach.protocol.tron.address import Address

NUMBERS = st.integers(0, (1 << 63) - 1)
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
IDS = st.binary(min_size=8, max_size=8)
SIGNATURES = st.binary(min_size=65, max_size=65)
MESSAGES = st.one_of(
    st.builds(pay.Offer, IDS, NUMBERS, NUMBERS, ADDRESSES, NUMBERS, NUMBERS),
    st.builds(pay.Accepted, IDS, ADDRESSES, NUMBERS, NUMBERS, SIGNATURES),
    st.builds(pay.Paid, NUMBERS, NUMBERS, SIGNATURES), st.builds(pay.Due, NUMBERS, NUMBERS),
    st.builds(pay.Held, NUMBERS, NUMBERS, SIGNATURES), st.builds(pay.Stop, NUMBERS, NUMBERS),
    st.builds(pay.Meter, st.booleans(), NUMBERS),
)
TERMS = st.builds(
    pay.Terms, st.integers(1, (1 << 32) - 1), ADDRESSES,
    st.lists(st.binary(min_size=1, max_size=16), max_size=16).map(tuple))


@given(MESSAGES)
def test_what_is_written_is_read_back(message: pay.Message) -> None:
    assert pay.decode(pay.encode(message)) == message


@given(TERMS)
def test_terms_are_read_back(terms: pay.Terms) -> None:
    assert pay.decode_terms(pay.encode_terms(terms)) == terms
    assert terms.fits == (b"vch1" in terms.schemes)


def test_a_voucher_is_as_small_as_the_protocol_says() -> None:
    assert len(pay.encode(pay.Paid(1_700_000_000_000, 123_456, bytes(65)))) == 109
    assert pay.encode(pay.Meter(True, 7)) == b"d2:ati7e2:oni1e1:ti6ee"


@given(MESSAGES, st.data())
def test_a_field_that_is_missing_or_odd_is_refused(message: pay.Message, data: st.DataObject) -> None:
    value = bencode.decode(pay.encode(message))
    assert isinstance(value, dict)
    key = data.draw(st.sampled_from(sorted(value)))
    odd = data.draw(st.sampled_from([None, -1, 1 << 63, b"short", [], {}]))
    changed = {**value, key: odd} if odd is not None else {k: v for k, v in value.items() if k != key}
    with pytest.raises(FormatError):
        pay.decode(bencode.encode(changed))


@given(MESSAGES, st.integers(7, 1 << 40))
def test_a_kind_or_a_key_that_is_unknown_says_nothing(message: pay.Message, kind: int) -> None:
    value = bencode.decode(pay.encode(message))
    assert isinstance(value, dict)
    assert pay.decode(bencode.encode({**value, b"zz": b"later"})) == message
    assert pay.decode(bencode.encode({**value, b"t": kind})) is None


def test_a_long_message_is_refused() -> None:
    with pytest.raises(LimitError):
        pay.decode(b"d1:x1100:" + bytes(1100) + b"e")


@pytest.mark.parametrize(
    "change",
    [
        {b"v": 2}, {b"v": b"1"}, {b"c": b"tron:0x0"}, {b"c": b"tron:0x00000000"}, {b"c": b"eth:0x01020304"},
        {b"c": b"tron:0xABCDEF01"}, {b"c": 5}, {b"x": bytes(21)}, {b"x": 1}, {b"s": b"vch1"}, {b"s": [b"x"] * 17},
    ],
)
def test_terms_that_are_none_make_a_peer_like_any_other(change: dict[bytes, bencode.Value]) -> None:
    good = pay.encode_terms(pay.Terms(0xCD8690DC, Address(bytes(20))))
    assert isinstance(good, dict)
    assert pay.decode_terms({**good, **change}) is None
    assert pay.decode_terms([]) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    try:
        message = pay.decode(data)
    except FormatError:
        return
    assert message is None or pay.decode(pay.encode(message)) == message
