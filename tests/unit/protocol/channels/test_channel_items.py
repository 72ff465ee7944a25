"""A channel and its items in JSON: what is written is read again, and what strangers write is bounded."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.channels import items
from wildbach.protocol.channels.items import Channel, Item, Link, Rendition
from wildbach.protocol.tron.address import Address

ADDRESS = str(Address(bytes(range(20))))
FILM = Rendition(ih="ab" * 20, ih2="cd" * 32, root="ef" * 32, mime="video/mp4", height=720, length=10)
ITEM = Item(
    "g1", "A film", "About it", ("nature",), "de", "CC-BY-4.0", 61.5, 1_700_000_000,
    (items.Chapter(0, "In"), items.Chapter(30.5, "Out")), (items.Subtitle("12" * 32, "en", "text/vtt"),), "34" * 32,
    (FILM,))

titles = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
some = st.builds(
    Item, guid=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20), title=titles,
    text=titles, tags=st.lists(titles, max_size=4).map(tuple), lang=st.sampled_from(("", "de", "pt-BR")),
    duration=st.floats(0, 1e6), date=st.integers(0, 2**33 - 1), removed=st.booleans(),
    renditions=st.lists(st.just(FILM), max_size=3).map(tuple))


@given(some)
def test_an_item_is_read_as_it_was_written(item: Item) -> None:
    assert items.read_item(items.write_item(item)) == item


@given(st.lists(some, max_size=8))
def test_of_one_guid_the_last_item_counts_and_the_order_stays(many: list[Item]) -> None:
    raw = items.write_items([items.write_item(item) for item in many])
    found = items.read_items(raw, 8, "head.json")
    assert [item.guid for item in found] == list(dict.fromkeys(item.guid for item in reversed(many)))[::-1]
    assert all(item == next(one for one in reversed(many) if one.guid == item.guid) for item in found)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_anything_else_is_refused_in_words(raw: bytes) -> None:
    for read in (items.read_item, items.read_channel, lambda data: items.read_items(data, 5, "head.json")):
        try:
            read(raw)
        except FormatError as error:
            assert error.message


@pytest.mark.parametrize("wrong", [
    {}, [], {"guid": ""}, {"guid": 5}, {"guid": "a\nb"}, {"guid": "x\n"}, {"guid": "x" * 201},
    {"guid": "a", "title": None}, {"guid": "a", "title": "t" * 301}, {"guid": "a", "text": "t" * 10_001},
    {"guid": "a", "tags": ["t"] * 31}, {"guid": "a", "date": -1}, {"guid": "a", "date": 1 << 60},
    {"guid": "a", "date": "1"}, {"guid": "a", "duration": -1}, {"guid": "a", "duration": "long"},
    {"guid": "a", "lang": "../.."}, {"guid": "a", "thumbnail": "zz"}, {"guid": "a", "renditions": [{}]},
    {"guid": "a", "renditions": [{"ih": "AB" * 20}]},
    {"guid": "a", "renditions": [{"ih": "ab" * 20, "length": 1 << 60}]},
    {"guid": "a", "renditions": [{"ih": "ab" * 20, "ws": ["file:///etc/passwd"]}]},
    {"guid": "a", "renditions": [{"ih": "ab" * 20}] * 17}, {"guid": "a", "subtitles": [{"root": ""}]},
    {"guid": "a", "chapters": [{"start": 0}] * 301}, {"guid": "a", "removed": 1},
])
def test_a_wrong_item_is_refused(wrong: object) -> None:
    with pytest.raises(FormatError):
        items.read_item(json.dumps(wrong).encode())


def test_numbers_that_are_none_and_halves_of_characters_are_refused() -> None:
    for raw in (
        b'{"guid":"a","duration":NaN}', b'{"guid":"a","duration":1e999}', rb'{"guid":"\ud800"}', b'{"guid":"\xff"}',
    ):
        with pytest.raises(FormatError):
            items.read_item(raw)


def test_unknown_keys_are_passed_over() -> None:
    assert items.read_item(b'{"guid":"a","colour":{"x":[1]}}') == Item("a")


def test_what_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitError, match="CHANNEL_ITEM_BYTES"):
        items.read_item(b" " * (limits.CHANNEL_ITEM_BYTES + 1))
    with pytest.raises(LimitError, match="CHANNEL_INFO_BYTES"):
        items.read_channel(b" " * (limits.CHANNEL_INFO_BYTES + 1))
    with pytest.raises(LimitError, match="CHANNEL_HEAD_BYTES"):
        items.read_items(b" " * (limits.CHANNEL_HEAD_BYTES + 1), 5, "head.json")
    with pytest.raises(LimitError, match="6 items are more than 5"):
        items.read_items(b'{"items":[' + b",".join([b"1"] * 6) + b"]}", 5, "head.json")
    with pytest.raises(FormatError):
        items.read_items(b'{"items":' + b"[" * 100_000, 5, "head.json")


def test_a_later_version_of_the_format_is_not_guessed() -> None:
    with pytest.raises(FormatError):
        items.read_items(b'{"version":2,"items":[]}', 5, "head.json")


def test_a_channel_is_read_as_it_was_written() -> None:
    channel = Channel(
        "Birds", "of the garden", "en", "Ann", "ab" * 32, (Link("https://example.org/", "Home"),), ADDRESS, "cd" * 32)
    assert items.read_channel(items.write_channel(channel)) == channel


def test_a_payout_address_that_is_none_is_not_shown_and_not_written() -> None:
    channel = Channel("Birds", payout=ADDRESS[:-1] + "1")
    with pytest.raises(FormatError, match="no address of TRON"):
        items.write_channel(channel)
    assert items.read_channel(msgspec.json.encode(channel)).payout == ""


def test_the_kind_of_an_item_is_that_of_its_best_rendition() -> None:
    assert ITEM.kind == "video" and Item("a").kind == "other"
    assert Item("a", renditions=(Rendition(ih="ab" * 20, mime="<script>"),)).kind == "other"
