"""Whose turn it is in the DHT."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from wildbach.base.ids import Endpoint
from wildbach.engine.dhtqueue import DhtQueue, Entry, Findings, Turn, Wish

FOUND = Findings(replied=8, peers=3)


class Want:
    """A torrent."""

    def __init__(self, turn: Turn = Turn.REST, *, lonely: bool = False) -> None:
        self.wish = Wish(turn, 6881, turn is not Turn.DOWNLOAD, lonely)

    def dht_wish(self) -> Wish:
        return self.wish

    def dht_peers(self, peers: Sequence[Endpoint]) -> None:
        raise NotImplementedError


@pytest.fixture
def queue() -> DhtQueue:
    return DhtQueue(Random(1), lambda: 900.0)


def add(queue: DhtQueue, turn: Turn = Turn.REST, now: float = 0.0, *, lonely: bool = False) -> Entry:
    return queue.add(Want(turn, lonely=lonely), (bytes(20),), now)


def take(queue: DhtQueue, now: float, most: int = 1000, hurried: int = 1000) -> list[Entry]:
    out = []
    while (entry := queue.due(now, most=most, hurried=hurried)) is not None:
        out.append(entry)
    return out


def test_downloads_come_first_then_those_without_a_tracker_then_the_longest_due(queue: DhtQueue) -> None:
    late = add(queue, Turn.REST, 5.0)
    early = add(queue, Turn.REST, 1.0)
    alone = add(queue, Turn.TRACKERLESS, 6.0)
    download = add(queue, Turn.DOWNLOAD, 7.0)
    assert queue.soonest() == 1.0
    assert take(queue, 10.0) == [download, alone, early, late]
    assert (queue.soonest(), queue.flying) == (math.inf, 4)


def test_nobody_is_asked_for_before_it_is_due(queue: DhtQueue) -> None:
    add(queue, now=5.0)
    assert queue.due(4.9, most=9, hurried=9) is None


def test_places_are_kept_free_for_downloads(queue: DhtQueue) -> None:
    for _ in range(5):
        add(queue)
    assert len(take(queue, 1.0, most=2, hurried=4)) == 2
    for _ in range(5):
        add(queue, Turn.DOWNLOAD)
    assert len(take(queue, 1.0, most=2, hurried=4)) == 2
    assert queue.waiting(1.0) == 6


def test_a_torrent_that_begins_or_ends_to_download_changes_its_place(queue: DhtQueue) -> None:
    want = Want(Turn.REST)
    entry = queue.add(want, (bytes(20),), 0.0)
    other = add(queue, Turn.TRACKERLESS)
    want.wish = want.wish._replace(turn=Turn.DOWNLOAD)
    queue.changed(entry, 1.0)
    assert queue.due(1.0, most=9, hurried=9) is entry
    queue.done(entry, FOUND, 2.0)
    want.wish = want.wish._replace(turn=Turn.REST)  # nobody said so: it is seen when its turn comes
    entry2 = add(queue, Turn.TRACKERLESS)
    assert take(queue, 5000.0) == [other, entry2, entry]


def test_who_was_asked_for_is_due_again_after_the_interval(queue: DhtQueue) -> None:
    entry = add(queue)
    assert take(queue, 0.0) == [entry]
    queue.done(entry, FOUND, 10.0)
    assert 10 + 810 <= queue.soonest() <= 10 + 990
    view = entry.view(20.0)
    assert (view.peers, view.replied, view.last, view.looking, view.waiting) == (3, 8, 10.0, False, False)
    assert view.next is not None and view.next > 700


def test_a_lonely_download_asks_again_soon_and_then_ever_more_rarely(queue: DhtQueue) -> None:
    entry = add(queue, Turn.DOWNLOAD, lonely=True)
    now, waits = 0.0, []
    for _ in range(8):
        assert queue.due(now, most=1, hurried=1) is entry
        queue.done(entry, FOUND, now)
        waits.append(queue.soonest() - now)
        now = queue.soonest()
    assert waits[0] < 17 and all(a < b for a, b in pairwise(waits[:-1])) and waits[-1] > 800


def test_where_no_node_answers_it_is_tried_again_with_back_off(queue: DhtQueue) -> None:
    entry = add(queue)
    now, waits = 0.0, []
    for _ in range(8):
        assert queue.due(now, most=1, hurried=1) is entry
        queue.done(entry, Findings(), now)
        waits.append(queue.soonest() - now)
        now = queue.soonest()
    assert waits[0] < 12 and 200 < waits[-1] < 340


def test_sooner_makes_it_due_now_and_does_not_double_it(queue: DhtQueue) -> None:
    entry = add(queue)
    take(queue, 0.0)
    queue.done(entry, FOUND, 0.0)
    queue.changed(entry, 5.0, sooner=True)
    queue.changed(entry, 5.0, sooner=True)
    assert take(queue, 5.0) == [entry]
    queue.changed(entry, 6.0, sooner=True)  # it is under way: that is soon enough
    assert take(queue, 6.0) == []


def test_who_was_removed_is_not_asked_for_and_what_was_under_way_ends_quietly(queue: DhtQueue) -> None:
    entry, flying = add(queue), add(queue, Turn.DOWNLOAD)
    assert queue.due(0.0, most=0, hurried=1) is flying
    queue.remove(entry)
    queue.remove(flying)
    queue.done(flying, FOUND, 1.0)
    assert take(queue, 5000.0) == []
    assert (queue.flying, queue.soonest(), len(queue.entries)) == (0, math.inf, 0)


def test_a_hundred_thousand_torrents_own_one_place_each(queue: DhtQueue) -> None:
    entries = [add(queue) for _ in range(100_000)]
    for entry in entries:
        queue.changed(entry, 0.0)  # nothing has changed: no further place
    assert sum(map(len, queue._heaps)) == 100_000
    assert queue.waiting(0.0) == 100_000
