import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.protocol.tracker.announce import Event, ScrapeStats
from wildbach.services.tracker.store import Answer, Full, Store

SWARM = b"s" * 20


def store(**limits: float) -> Store:
    return Store(random.Random(1), **limits)  # type: ignore[arg-type]


def join(s: Store, number: int, *, left: int = 1, event: Event = Event.NONE, numwant: int = -1, now: float = 0.0,
         swarm: bytes = SWARM, size: int = 4, port: int = 6881) -> Answer:
    return s.announce(swarm, number.to_bytes(size, "big"), port, left=left, event=event, numwant=numwant, now=now)


def hosts(answer: Answer) -> list[int]:
    raw = answer.peers4
    return [int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw), 6)]


def test_peers_find_each_other() -> None:
    s = store()
    assert hosts(join(s, 1)) == []
    assert hosts(join(s, 2)) == [1]
    assert hosts(join(s, 1)) == [2]
    answer = join(s, 3, left=0)
    assert (answer.seeds, answer.leeches, sorted(hosts(answer))) == (1, 2, [1, 2])


def test_a_seed_is_not_told_of_seeds() -> None:
    s = store()
    join(s, 1, left=0)
    assert hosts(join(s, 2, left=0)) == []
    assert hosts(join(s, 3)) in ([1, 2], [2, 1])


def test_who_starts_without_knowing_the_size_is_told_of_seeds() -> None:
    s = store()
    join(s, 1, left=0)
    assert hosts(join(s, 2, left=0, event=Event.STARTED)) == [1]


def test_both_ip_versions_are_told() -> None:
    s = store()
    join(s, 1)
    join(s, 2, size=16)
    answer = join(s, 3)
    assert hosts(answer) == [1]
    assert answer.peers6 == (2).to_bytes(16, "big") + (6881).to_bytes(2, "big")


def test_a_peer_that_stops_is_gone() -> None:
    s = store()
    join(s, 1)
    join(s, 1, event=Event.STOPPED)
    assert hosts(join(s, 2)) == []
    assert s.peers == 1
    assert join(s, 9, event=Event.STOPPED, swarm=b"x" * 20) == Answer(0, 0, 0)
    assert s.torrents == 1


def test_completions_are_counted_once_for_who_was_here() -> None:
    s = store()
    join(s, 1, left=0, event=Event.COMPLETED)
    assert s.scrape(SWARM) == ScrapeStats(1, 0, 0)
    join(s, 2, event=Event.STARTED)
    join(s, 2, left=0, event=Event.COMPLETED)
    join(s, 2, left=0, event=Event.COMPLETED)
    assert s.scrape(SWARM) == ScrapeStats(2, 0, 1)
    assert s.scrape(b"?" * 20) is None


def test_a_peer_that_falls_silent_is_forgotten_and_so_is_its_swarm() -> None:
    s = store(expire_after=100.0)
    join(s, 1, now=0.0)
    join(s, 2, now=90.0)
    join(s, 3, now=120.0)
    assert s.peers == 2
    join(s, 4, now=250.0, swarm=b"t" * 20)
    assert (s.torrents, s.peers) == (1, 1)


def test_a_peer_without_a_port_is_answered_and_not_kept() -> None:
    s = store()
    join(s, 1)
    assert hosts(join(s, 2, port=0)) == [1]
    assert s.peers == 1


def test_nobody_gets_more_than_the_limit_nor_itself() -> None:
    s = store()
    for number in range(1000):
        join(s, number, left=number % 2)
    for number in range(0, 1000, 7):
        got = hosts(join(s, number, left=number % 2, numwant=10**9))
        assert len(got) == len(set(got)) == 200
        assert number not in got
    assert len(hosts(join(s, 1))) == 50
    assert hosts(join(s, 1, numwant=0)) == []


def test_memory_is_bounded() -> None:
    s = store(torrents=2, peers=5, peers_per_torrent=3)
    for number in range(10):
        join(s, number)
    assert s.peers == 3
    for number in range(10):
        join(s, number, swarm=b"t" * 20)
    assert s.peers == 5
    with pytest.raises(Full):
        join(s, 1, swarm=b"u" * 20)
    assert len(hosts(join(s, 99))) == 3


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1), st.sampled_from(list(Event)), st.integers(0, 30),
                          st.integers(-1, 20), st.sampled_from([4, 16]))))
def test_the_store_agrees_with_a_plain_model(steps: list[tuple[int, int, Event, int, int, int]]) -> None:
    s = store(expire_after=1e9)
    model: dict[tuple[int, int], int] = {}
    now = 0.0
    for number, left, event, passed, numwant, size in steps:
        now += passed
        answer = join(s, number, left=left, event=event, numwant=numwant, now=now, size=size)
        if event is Event.STOPPED:
            model.pop((number, size), None)
        else:
            model[number, size] = left
        assert (answer.seeds, answer.leeches) == (
            sum(not x for x in model.values()), sum(x for x in model.values()))
        assert s.peers == len(model)
        told4 = hosts(answer)
        told6 = [int.from_bytes(answer.peers6[at : at + 16], "big") for at in range(0, len(answer.peers6), 18)]
        for told, kind in ((told4, 4), (told6, 16)):
            seeds = left or event is Event.STARTED
            wanted = {n for (n, k), x in model.items() if k == kind and (seeds or x) and (n, k) != (number, size)}
            assert set(told) <= wanted
            cap = 50 if numwant < 0 else numwant
            assert len(told) == (0 if event is Event.STOPPED else min(cap, len(wanted)))
