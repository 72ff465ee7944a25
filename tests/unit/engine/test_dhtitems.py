"""Items of the DHT that are kept alive."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.engine.dhtitems import DhtItems
from wildbach.protocol.dht.items import Item, immutable, signed
from wildbach.protocol.heads import pack, unpack

SECRET = bytes(range(32))
ONE, TWO = signed(SECRET, b"one", 1, b"salt"), signed(SECRET, b"two", 2, b"salt")


class Kept:
    def __init__(self) -> None:
        self.store: dict[str, bytes] = {}
        self.items = DhtItems(Random(1), lambda: 3600.0, self.save)

    def save(self, changes: dict[str, bytes | None]) -> None:
        for name, raw in changes.items():
            if raw is None:
                del self.store[name]
            else:
                self.store[name] = raw


def test_an_item_is_stored_at_once_and_then_every_hour() -> None:
    items = Kept().items
    assert items.keep(ONE, 5.0)
    kept = items.due(5.0)
    assert kept is not None and kept.item == ONE and items.due(5.0) is None
    items.stored(kept, 8, 6.0)
    assert 6 + 3200 < items.soonest() <= 6 + 3600
    again = items.due(5000.0)
    assert again is kept


def test_what_is_in_the_dht_already_waits_an_hour() -> None:
    items = Kept().items
    items.keep(ONE, 5.0, soon=False)
    assert items.soonest() == 3605.0


def test_what_no_node_took_is_tried_again_soon_with_back_off() -> None:
    items = Kept().items
    items.keep(ONE, 0.0)
    now, waits = 0.0, []
    for _ in range(8):
        kept = items.due(now)
        assert kept is not None
        items.stored(kept, 0, now)
        waits.append(items.soonest() - now)
        now = items.soonest()
    assert waits[0] == 15.0 and waits[-1] == 600.0


def test_a_newer_item_replaces_an_older_one_and_never_the_other_way() -> None:
    kept = Kept()
    assert kept.items.keep(TWO, 0.0)
    assert not kept.items.keep(ONE, 0.0)
    assert kept.items.get(ONE.target) == TWO
    assert list(kept.store) == [TWO.target.hex()]


def test_one_that_changed_while_it_was_stored_is_stored_again_at_once() -> None:
    items = Kept().items
    items.keep(ONE, 0.0)
    flying = items.due(0.0)
    assert flying is not None
    items.keep(TWO, 1.0)
    assert items.due(1.0) is None
    items.stored(flying, 8, 2.0, sent=ONE)
    again = items.due(2.0)
    assert again is not None and again.item == TWO


def test_what_is_forgotten_is_not_stored_and_not_remembered() -> None:
    kept = Kept()
    kept.items.keep(ONE, 0.0)
    flying = kept.items.due(0.0)
    assert flying is not None
    kept.items.forget(ONE.target)
    kept.items.stored(flying, 8, 1.0)
    assert (kept.items.soonest(), len(kept.items), kept.store, kept.items.flying) == (math.inf, 0, {}, 0)


def test_what_was_remembered_is_stored_within_a_minute_of_the_start() -> None:
    first = Kept()
    for number in range(20):
        first.items.keep(immutable(number), 0.0)
    damaged = {**first.store, "00" * 20: pack(ONE), "x": b"x", "y": b"d1:vi1ee"}
    second = Kept()
    second.items.load(damaged, 100.0)
    assert len(second.items) == 20 and 100 <= second.items.soonest() < 130
    now = 160.0
    assert sum(1 for _ in iter(lambda: second.items.due(now), None)) == 20


def test_there_are_not_too_many() -> None:
    items = Kept().items
    for number in range(limits.DHT_ITEMS_KEPT):
        items.keep(immutable(number), 0.0)
    with pytest.raises(UsageError):
        items.keep(immutable(b"one more"), 0.0)
    assert items.keep(immutable(5), 0.0)  # one that is there


def test_what_is_packed_is_read_again_and_a_wrong_signature_is_not() -> None:
    for item in (ONE, immutable([1, b"x"])):
        assert unpack(pack(item)) == item
    forged = Item(TWO.raw, ONE.key, ONE.salt, ONE.seq, ONE.signature)
    with pytest.raises(FormatError):
        unpack(pack(forged))


@given(st.binary(max_size=200))
def test_nothing_but_a_format_error_comes_of_reading_nonsense(raw: bytes) -> None:
    try:
        unpack(raw)
    except FormatError:
        return
