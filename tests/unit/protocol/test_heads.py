"""Heads and rotations: what stands in items, and the numbers of those who publish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import Item, immutable, public_key, signed
from wildbach.protocol.heads import (
    LAST_SEQ,
    ROTATION,
    Head,
    Rotation,
    hashes_of,
    head_of,
    next_seq,
    pack,
    rotation_of,
    unpack,
    value_of,
)

SECRET, RECOVERY = bytes(range(32)), bytes(range(1, 33))
KEY = public_key(SECRET)
V1, V2 = bytes(range(20)), bytes(range(32))
KINDS = (InfoHashes(V1), InfoHashes(None, V2), InfoHashes(V1[::-1], V2))


@pytest.mark.parametrize("hashes", KINDS)
def test_a_head_reads_as_it_was_written_with_all_that_is_said_besides(hashes: InfoHashes) -> None:
    head = Head(hashes, KEY, {b"n": 7, b"ts": 1_800_000_000, b"later": [b"x", {b"y": 1}]})
    assert head_of(signed(SECRET, head.value(), 1)) == head
    assert hashes_of(signed(SECRET, value_of(hashes), 1)) == hashes


@pytest.mark.parametrize("key", [b"ih", b"ih2", b"rk"])
def test_what_is_said_besides_cannot_take_the_place_of_the_hashes(key: bytes) -> None:
    with pytest.raises(UsageError, match=key.decode()):
        Head(KINDS[0], extra={key: b"x"}).value()


@pytest.mark.parametrize("odd", [b"x", 1, [], {}, {b"ih": b"short"}, {b"ih": 1}, {b"ih2": bytes(32)}])
def test_an_item_that_leads_to_no_torrent_is_no_head(odd: bencode.Value) -> None:
    assert head_of(signed(SECRET, odd, 1)) is None
    assert rotation_of(signed(SECRET, odd, 1, ROTATION)) is None


def test_a_recovery_key_of_a_wrong_size_is_none() -> None:
    head = head_of(signed(SECRET, {**value_of(KINDS[0]), b"rk": b"short"}, 1))
    assert head is not None and (head.recovery, head.extra) == (b"", {})


def test_a_rotation_reads_as_it_was_written() -> None:
    rotation = Rotation(KEY, V2, V2[::-1], {b"": KINDS[1], b"wb-ch": KINDS[2]})
    assert rotation_of(signed(RECOVERY, rotation.value(), 1, ROTATION)) == rotation


@pytest.mark.parametrize("change", [
    {b"k": b"short"}, {b"next": KEY}, {b"next": 1}, {b"rk": b""}, {b"rk": public_key(RECOVERY)}, {b"k": [1]},
])
def test_what_leads_nowhere_or_back_to_itself_is_no_rotation(change: dict[bytes, bencode.Value]) -> None:
    value = {**Rotation(KEY, V2, V2[::-1]).value(), **change}
    assert rotation_of(signed(RECOVERY, value, 1, ROTATION)) is None


def test_a_rotation_stands_under_its_own_salt_only() -> None:
    assert rotation_of(signed(RECOVERY, Rotation(KEY, V2, V2[::-1]).value(), 1, b"")) is None


def test_a_good_head_that_is_none_is_passed_over() -> None:
    value: dict[bytes, bencode.Value] = {
        **Rotation(KEY, V2, V2[::-1]).value(),
        b"good": {b"": 5, b"a": {b"ih": b"x"}, b"b": dict(value_of(KINDS[0]))},
    }
    rotation = rotation_of(signed(RECOVERY, value, 1, ROTATION))
    assert rotation is not None and rotation.good == {b"b": KINDS[0]}


def test_numbers_are_the_time_and_always_more_than_what_was_seen() -> None:
    assert next_seq(-1, 1_800_000_000.9) == 1_800_000_000
    assert next_seq(1_800_000_000, 1_800_000_000.9) == 1_800_000_001
    assert next_seq(7, 3.0) == 8
    assert next_seq(LAST_SEQ - 1, 0.0) == LAST_SEQ


def test_after_the_highest_number_nothing_is_published() -> None:
    with pytest.raises(UsageError, match="rotate") as caught:
        next_seq(LAST_SEQ, 0.0)
    assert caught.value.code == "head_exhausted"


@pytest.mark.parametrize("item", [
    immutable([b"x"]), signed(SECRET, b"x", 0), signed(SECRET, value_of(KINDS[2]), LAST_SEQ, b"salt"),
])
def test_an_item_comes_back_as_it_was_packed(item: Item) -> None:
    assert unpack(pack(item)) == item


def test_an_item_whose_signature_is_of_another_value_is_refused() -> None:
    item = signed(SECRET, b"x", 1)
    for changed in (Item(b"1:y", KEY, b"", 1, item.signature), Item(item.raw, KEY, b"", 2, item.signature),
                    Item(item.raw, KEY, b"s", 1, item.signature), Item(item.raw, V2, b"", 1, item.signature)):
        with pytest.raises(FormatError):
            unpack(pack(changed))


values = st.recursive(
    st.integers(-(1 << 70), 1 << 70) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([b"ih", b"ih2", b"rk", b"k", b"next", b"good", b"x"]), inner, max_size=7), max_leaves=12)


@given(values, st.integers(0, LAST_SEQ), st.sampled_from([b"", ROTATION]))
def test_whatever_is_signed_is_read_or_is_none(value: bencode.Value, seq: int, salt: bytes) -> None:
    raw = bencode.encode(value)
    item = Item(raw, KEY, salt, seq, bytes(64))
    head, rotation = head_of(item), rotation_of(item)
    assert head is None or Head(head.hashes, head.recovery, head.extra).value() is not None
    assert rotation is None or rotation_of(Item(bencode.encode(rotation.value()), KEY, salt, seq)) == rotation


@given(st.binary(max_size=200))
def test_bytes_that_are_no_item_are_refused(raw: bytes) -> None:
    try:
        item = unpack(raw)
    except FormatError:
        return
    assert unpack(pack(item)) == item
