"""`wb_head`: what peers tell each other of heads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import immutable, signed
from wildbach.protocol.ext.head import HeadMessage, decode, encode
from wildbach.protocol.heads import LAST_SEQ, fields

ITEM = signed(bytes(range(32)), {b"ih": bytes(20)}, 7, b"s")
FULL = HeadMessage({bytes(20): -1, bytes(range(20)): LAST_SEQ}, (ITEM, ITEM))


@pytest.mark.parametrize("message", [HeadMessage(), HeadMessage({bytes(20): 5}), HeadMessage(items=(ITEM,)), FULL])
def test_a_message_reads_as_it_was_written(message: HeadMessage) -> None:
    assert decode(encode(message)) == message


def test_the_largest_message_fits() -> None:
    items = tuple(signed(bytes(32), b"x" * 990, LAST_SEQ, bytes(64)) for _ in range(limits.HEAD_ITEMS))
    places = {bytes([number]) * 20: LAST_SEQ for number in range(limits.HEAD_PLACES)}
    message = HeadMessage(places, items)
    assert decode(encode(message)) == message


@pytest.mark.parametrize("value", [
    [], 1, {b"t": []}, {b"i": {}}, {b"t": {b"short": 1}}, {b"t": {bytes(20): b"x"}}, {b"t": {bytes(20): -2}},
    {b"t": {bytes(20): LAST_SEQ + 1}}, {b"i": [1]}, {b"i": [{}]}, {b"i": [fields(immutable(b"x"))]},
    {b"i": [{**fields(ITEM), b"k": bytes(31)}]}, {b"i": [{**fields(ITEM), b"sig": b""}]},
    {b"i": [{**fields(ITEM), b"seq": -1}]}, {b"i": [{**fields(ITEM), b"salt": bytes(65)}]},
])
def test_what_is_no_message_is_refused(value: bencode.Value) -> None:
    with pytest.raises(FormatError):
        decode(bencode.encode(value))


def test_more_than_the_limits_is_refused() -> None:
    places: dict[bytes, bencode.Value] = {
        number.to_bytes(20, "big"): 1 for number in range(limits.HEAD_PLACES + 1)}
    for raw in (
        bencode.encode({b"t": places}), bencode.encode({b"i": [fields(ITEM)] * (limits.HEAD_ITEMS + 1)}),
        bencode.encode({b"x": bytes(limits.HEAD_MESSAGE_BYTES)}), b"l" * 200,
    ):
        with pytest.raises(LimitError):
            decode(raw)


def test_a_later_version_may_say_more() -> None:
    assert decode(bencode.encode({b"t": {bytes(20): 1}, b"z": 5})) == HeadMessage({bytes(20): 1})


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    try:
        message = decode(raw)
    except FormatError:
        return
    assert decode(encode(message)) == message
