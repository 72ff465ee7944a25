import random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.protocol.tracker.announce import Event, ScrapeStats
from wildbach.services.tracker.store import Full, Store

SWARM = b"s" * 20


class Answer(NamedTuple):
    seeds: int
    leeches: int
    completed: int
    peers4: bytes = b""
    peers6: bytes = b""


def store(**limits: float) -> Store:
    return Store(random.Random(1), **limits)  # type: ignore[arg-type]


def join(s: Store, number: int, *, left: int = 1, event: Event = Event.NONE, numwant: int = -1, now: float = 0.0,
         swarm: bytes = SWARM, size: int = 4, port: int = 6881) -> Answer:
    s.tick(now)
    key = number.to_bytes(size, "big") + port.to_bytes(2, "big")
    found = s.announce(swarm, key, seed=not left, event=event)
    giving = not left and event is not Event.STARTED
    told = [b"" if event is Event.STOPPED else s.pick(found, key, giving=giving, want=numwant, v6=v6)
            for v6 in (False, True)]
    return Answer(found.seeds, found.leeches, found.completed, *told)


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
    s = store(slot=10.0, keep=8)
    join(s, 1, now=0.0)
    join(s, 2, now=60.0)
    for now in range(60, 101, 5):
        s.tick(now)
    assert s.scrape(SWARM) == ScrapeStats(0, 1, 0)
    for now in range(100, 200, 5):
        join(s, 4, now=now, swarm=b"t" * 20)
    assert (s.torrents, s.peers) == (1, 1)
    assert s.scrape(SWARM) is None


def test_a_peer_that_comes_again_stays() -> None:
    s = store(slot=10.0, keep=8)
    for now in range(0, 1000, 70):
        join(s, 1, now=now)
        s.tick(now + 35)
    assert s.peers == 1


def test_peers_stay_longer_while_they_are_told_to_wait_longer() -> None:
    s = store(slot=10.0, keep=8)
    s.keep = 40
    join(s, 1, now=0.0)
    for now in range(0, 390, 10):
        s.tick(now)
    assert s.peers == 1
    for now in range(390, 450, 10):
        s.tick(now)
    assert s.peers == 0


def test_after_a_long_sleep_of_the_machine_nobody_is_left() -> None:
    s = store(slot=10.0, keep=8)
    join(s, 1, now=0.0)
    s.tick(256 * 10.0)
    assert (s.torrents, s.peers) == (0, 0)


def test_a_clock_that_goes_back_a_little_costs_nobody() -> None:
    s = store(slot=10.0, keep=8)
    join(s, 1, now=100.0)
    join(s, 1, now=99.0)
    assert s.peers == 1


def test_a_count_of_completions_outlives_its_peers_for_a_while_where_there_is_room() -> None:
    for torrents, left in ((10, True), (1, False)):
        s = store(slot=10.0, keep=2, torrents=torrents)
        join(s, 1)
        join(s, 1, left=0, event=Event.COMPLETED)
        for now in range(0, 200, 5):
            s.tick(now)
        assert (s.scrape(SWARM) == ScrapeStats(0, 0, 1)) is left
        for now in range(200, 4000, 5):
            s.tick(now)
        assert s.torrents == 0


def test_swarms_that_are_not_allowed_any_more_are_forgotten() -> None:
    s = store()
    join(s, 1)
    join(s, 2, swarm=b"t" * 20)
    s.retain(lambda info_hash: info_hash == SWARM)
    assert (s.torrents, s.peers) == (1, 1)
    assert hosts(join(s, 3)) == [1]


def test_a_flood_of_swarms_and_peers_ends_at_the_limits() -> None:
    s = store(torrents=1000, peers=5000, peers_per_torrent=2000)
    rng = random.Random(9)
    for number in range(20_000):
        try:
            join(s, number, swarm=SWARM if number % 2 else rng.randbytes(20), port=rng.randrange(1, 65536))
        except Full:
            continue
    assert s.torrents <= 1000 and s.peers <= 5000
    assert s.turned_away > 10_000
    assert sum(join(s, 1)[:2]) == 2000


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
    s = store(slot=1e9)
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
