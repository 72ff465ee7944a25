from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import DeviceId
from wildbach.protocol import bencode
from wildbach.protocol.sync import messages
from wildbach.protocol.sync.messages import (
    Ack,
    Bundle,
    Bundled,
    Bye,
    Entries,
    Hello,
    Index,
    Message,
    PageSent,
    PageWanted,
    RosterHeads,
    Rosters,
    RosterWanted,
    Status,
    Whereabouts,
)
from wildbach.protocol.sync.vectors import VersionVector

TAG = b"tag45678"
DEVICE = DeviceId(b"d" * 16)
ALL: list[Message] = [
    Hello((b"p" * 32,) * 8, "laptop", "wildbach 1"), RosterHeads(TAG, (b"h" * 32,)), RosterWanted(TAG, ()),
    Rosters(TAG, (b"raw", b"")), Index(TAG, b"i" * 8, 7, bytes(8), 0),
    Entries(TAG, 3, 9, (b"one", b"two"), whole=False),
    Ack(TAG, DEVICE, 1, VersionVector({DEVICE: 5}), b"s" * 64), Whereabouts(TAG, (b"sealed",)),
    Status(TAG, "syncing", 3, 1 << 40, "no room"), Bye("unfollowed"), Bundled(TAG, 4, ((b"r" * 32, 100),)),
    Bundle(4, (b"content", b"")), PageWanted(TAG, 5, b"r" * 32, 40_000, 1), PageSent(5, b"h" * 64, b"hashes"),
]


@pytest.mark.parametrize("message", ALL, ids=lambda each: type(each).__name__)
def test_a_message_survives_the_wire(message: Message) -> None:
    assert messages.decode(messages.encode(message)) == message


def test_every_kind_is_read_back() -> None:
    assert {type(each) for each in ALL} == set(Message.__args__)  # type: ignore[attr-defined]  # of a union


def test_an_unknown_kind_is_passed_over() -> None:
    assert messages.decode(bencode.encode({b"t": b"later", b"x": 1})) is None


def test_unknown_keys_are_passed_over() -> None:
    value = bencode.decode(messages.encode(ALL[-1]))
    assert isinstance(value, dict)
    assert messages.decode(bencode.encode({**value, b"zz": [1]})) == ALL[-1]


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_refused(raw: bytes) -> None:
    try:
        found = messages.decode(raw)
    except FormatError:
        return
    assert found is None or messages.decode(messages.encode(found)) == found


@pytest.mark.parametrize("fields", [
    {b"t": b"hello", b"p": [b"p" * 32], b"n": b"", b"c": b""},
    {b"t": b"hello", b"p": [b"p" * 31] * 8, b"n": b"", b"c": b""},
    {b"t": b"heads", b"f": b"short", b"h": []},
    {b"t": b"heads", b"f": TAG, b"h": [1]},
    {b"t": b"index", b"f": TAG, b"i": bytes(8), b"l": -1, b"j": bytes(8), b"m": 0},
    {b"t": b"entries", b"f": TAG, b"a": 5, b"u": 4, b"e": []},
    {b"t": b"get", b"f": TAG, b"n": 1, b"r": []},
    {b"t": b"get", b"f": TAG, b"n": 1, b"r": [bytes(32) + (limits.SYNC_BUNDLE_BYTES + 1).to_bytes(8, "big")]},
    {b"t": b"got", b"n": 1 << 62, b"b": []},
    {b"t": b"list", b"f": TAG, b"n": 1, b"r": bytes(32), b"c": 0, b"p": 0},
    {b"t": b"list", b"f": TAG, b"n": 1, b"r": bytes(32), b"c": 32_768, b"p": 1},
    {b"t": b"list", b"f": TAG, b"n": 1, b"r": bytes(32), b"c": limits.SYNC_CUT_ENTRIES + 1, b"p": 0},
    {b"t": b"list", b"f": TAG, b"n": 1, b"r": bytes(31), b"c": 1, b"p": 0},
    {b"t": b"page", b"n": 1, b"h": bytes(32 * 200), b"b": b""},
    {b"t": b"page", b"n": 1, b"h": b"", b"b": bytes(limits.MIB + 1)},
    {b"x": 1},
])
def test_what_breaks_a_rule_is_refused(fields: dict[bytes, bencode.Value]) -> None:
    with pytest.raises(FormatError):
        messages.decode(bencode.encode(fields))


def test_a_message_has_a_longest_form() -> None:
    with pytest.raises(LimitError):
        messages.encode(Bundle(1, (bytes(limits.SYNC_MESSAGE_BYTES),)))
    with pytest.raises(LimitError):
        messages.decode(bytes(limits.SYNC_MESSAGE_BYTES + 1))


def test_names_are_made_fit_for_people() -> None:
    raw = bencode.encode({b"t": b"hello", b"p": [], b"n": b"a\x1b[31m\xff" + b"x" * 100, b"c": b""})
    found = messages.decode(raw)
    assert isinstance(found, Hello)
    assert "\x1b" not in found.name
    assert len(found.name) == limits.SYNC_NAME_CHARS


@given(st.lists(st.binary(max_size=50), max_size=30))
def test_batches_keep_all_rows_in_order(rows: list[bytes]) -> None:
    found = messages.batches(rows, 60)
    assert [row for batch in found for row in batch] == rows
    assert all(len(batch) == 1 or sum(map(len, batch)) <= 60 for batch in found)
    assert all(found)
