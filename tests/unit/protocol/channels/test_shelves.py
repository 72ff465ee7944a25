"""How versions follow from each other: every item in one place, sealed ones never touched again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.channels import files
from wildbach.protocol.channels.items import Item, Rendition
from wildbach.protocol.channels.shelves import Shelved, shelve


def item(number: int, text: str = "") -> Item:
    return Item(f"g{number}", f"Item {number}", text)


def test_the_oldest_are_sealed_when_the_head_has_four_hundred() -> None:
    before = shelve((), (item(number) for number in range(399)))
    assert not before.sealed and len(before.items) == 399
    after = shelve(before.items, [item(399)])
    assert len(after.items) == 200 and after.items[0].guid == "g200"
    (sealed,) = after.sealed
    assert [one.guid for one in files.read_archive(sealed)] == [f"g{number}" for number in range(200)]
    assert files.read_head(after.head) == after.items


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 3)), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_every_item_stands_in_one_place_and_the_newest_counts(rounds: list[tuple[int, int]]) -> None:
    shelved = Shelved(b"", (), ())
    archives: list[bytes] = []
    newest: dict[str, str] = {}
    for turn, (first, length) in enumerate(rounds):
        fresh = [item(number, f"turn {turn}") for number in range(first, first + 150 * length)]
        newest.update((one.guid, one.text) for one in fresh)
        shelved = shelve(shelved.items, fresh, len(archives))
        archives += shelved.sealed
    found: dict[str, str] = {}
    for packed in archives:
        kept = files.read_archive(packed)
        assert len(kept) <= limits.CHANNEL_SEALED
        found.update((one.guid, one.text) for one in kept)
    head = files.read_head(shelved.head)
    assert len(head) < limits.CHANNEL_HEAD_ITEMS
    found.update((one.guid, one.text) for one in head)
    assert found == newest


def test_long_items_are_sealed_earlier_so_that_an_update_stays_small() -> None:
    shelved = shelve((), (item(number, "ü" * 10_000) for number in range(150)))
    assert len(shelved.head) <= limits.CHANNEL_FULL_BYTES + 50
    places = [one.guid for packed in shelved.sealed for one in files.read_archive(packed)]
    assert places + [one.guid for one in shelved.items] == [f"g{number}" for number in range(150)]


def test_the_same_items_give_the_same_bytes() -> None:
    made = [shelve((), (item(number) for number in range(450))) for _ in range(2)]
    assert made[0] == made[1]


def test_a_full_channel_takes_no_more() -> None:
    with pytest.raises(UsageError, match="CHANNEL_ARCHIVES"):
        shelve((), (item(number) for number in range(400)), limits.CHANNEL_ARCHIVES)


def test_an_item_that_readers_would_refuse_is_refused_here() -> None:
    with pytest.raises(Exception, match="without an info hash"):
        shelve((), [Item("a", renditions=(Rendition(),))])
