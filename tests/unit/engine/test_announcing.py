import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from wildbach.base.addresses import Reach
from wildbach.base.errors import FormatError, NetworkError, UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.engine.announcing import Announcing
from wildbach.engine.settings import TrackerSettings
from wildbach.engine.trackerlist import Identity, TrackerState, TrackerView
from wildbach.net.resolve import ForbiddenURL
from wildbach.protocol.tracker.announce import AnnounceReply, AnnounceRequest, Event, TrackerFailure
from wildbach.runtime.rng import seeded
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim
from wildbach.testing.trackers import FakeTracker

HASH = b"h" * 20
A, B, C, D = (f"http://{name}.example/announce" for name in "abcd")


class Swarm:
    """A torrent as announcing sees it."""

    def __init__(self, left: int = 100, port: int = 6881) -> None:
        self.now = Identity(b"-WB0100-abcdefghijkl", port, 0, 0, left)
        self.peers: list[Endpoint] = []
        self.views: list[TrackerView] = []
        self.switches = 0

    def identity(self) -> Identity:
        return self.now

    def on_peers(self, peers: list[Endpoint]) -> None:
        self.peers += peers

    def on_tracker(self, view: TrackerView) -> None:
        self.views.append(view)

    def on_tracker_switch(self) -> None:
        self.switches += 1


class World:
    def __init__(self, settings: TrackerSettings, interval: float, families: tuple[int, ...]) -> None:
        self.tracker = FakeTracker(interval=interval)
        self.settings = settings
        self.families = families

    @asynccontextmanager
    async def announcing(self) -> AsyncIterator[Announcing]:
        async with Scope("test") as scope:
            loop = asyncio.get_running_loop()
            announcing = Announcing(
                [self.tracker.announcer("10.0.0.1")], scope, clock=loop.time, rng=seeded(1),
                settings=lambda: self.settings, families=lambda: self.families, secret=b"secret",
            )
            yield announcing
            await announcing.close()

    def fail(self, url: str, error: WildbachError | None = None) -> None:
        failure = error or NetworkError("the connection was refused")
        self.tracker.behaviours[url] = lambda _: failure


Story = Callable[[World, Announcing], Awaitable[None]]


def play(story: Story, *, settings: TrackerSettings | None = None, interval: float = 1800.0,
         families: tuple[int, ...] = (0,)) -> World:
    world = World(settings or TrackerSettings(), interval, families)

    async def main() -> None:
        async with world.announcing() as announcing:
            await story(world, announcing)

    sim(3, until=1e9).run(main())
    return world


def urls(world: World) -> list[str]:
    return [request.url for request in world.tracker.announces]


def test_started_then_silence_until_the_interval_then_stopped() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(1799)
        assert world.tracker.events() == ["started"]
        await asyncio.sleep(100)
        assert world.tracker.events() == ["started", "none"]
        announcing.stop(trackers)
        await asyncio.sleep(10_000)

    assert play(story).tracker.events() == ["started", "none", "stopped"]


def test_completed_is_said_once_to_each_tracker_that_counts_us_in() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        swarm = Swarm()
        trackers = announcing.add(swarm, (HASH,), [[A], [B]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        swarm.now = swarm.now._replace(left=0)
        announcing.completed(trackers)
        await asyncio.sleep(4000)
        assert world.tracker.events(A)[:2] == ["started", "completed"]
        assert world.tracker.events().count("completed") == 1
        assert world.tracker.events(B) == []

    assert play(story).tracker.completed == {HASH: 1}


def test_completed_is_repeated_until_it_is_heard() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        world.fail(A)
        announcing.completed(trackers)
        await asyncio.sleep(10)
        del world.tracker.behaviours[A]
        await asyncio.sleep(1000)
        assert world.tracker.events() == ["started", "completed", "completed"]

    assert play(story).tracker.completed == {HASH: 1}


def test_completing_and_leaving_at_once_says_both() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        world.tracker.delay = 0.2
        announcing.completed(trackers)
        announcing.remove(trackers)

    assert play(story).tracker.events() == ["started", "completed", "stopped"]


def test_a_torrent_complete_from_the_start_says_no_completed() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(left=0), (HASH,), [[A]])
        announcing.completed(trackers)
        announcing.start(trackers)
        await asyncio.sleep(4000)

    assert "completed" not in play(story).tracker.events()


def test_both_swarms_of_a_hybrid_are_announced() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        announcing.start(announcing.add(Swarm(), (HASH, b"2" * 20), [[A]]))
        await asyncio.sleep(10)

    requests = play(story).tracker.announces
    assert [(r.info_hash, r.event.name) for r in requests] == [
        (HASH, "STARTED"), (b"2" * 20, "STARTED"), (HASH, "STOPPED"), (b"2" * 20, "STOPPED")]
    assert len({r.key for r in requests}) == 1


def test_the_key_differs_between_hosts() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        announcing.start(announcing.add(Swarm(), (HASH,), [[A, B]]))
        await asyncio.sleep(10)

    requests = play(story, settings=TrackerSettings(announce_all_trackers=True)).tracker.announces
    assert len({r.key for r in requests}) == 2


def test_each_ip_version_is_announced_on_its_own() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        world.tracker.behaviours[A] = lambda r: (
            NetworkError("no IPv6 address") if r.family == 6 else world.tracker.answer("10.0.0.1", r))
        announcing.start(trackers)
        await asyncio.sleep(10)
        assert [r.family for r in world.tracker.announces] == [4, 6]
        (view,) = trackers.views(10.0)
        assert (view.state, view.message) == (TrackerState.WORKING, "")

    play(story, families=(4, 6))


@pytest.mark.parametrize(("url", "family"), [("http://1.2.3.4:80/announce", 4), ("http://[2606::1]:80/announce", 6)])
def test_a_tracker_without_a_name_is_asked_over_its_own_ip_version_only(url: str, family: int) -> None:
    async def story(world: World, announcing: Announcing) -> None:
        announcing.start(announcing.add(Swarm(), (HASH,), [[url]]))
        await asyncio.sleep(10)
        assert [r.family for r in world.tracker.announces] == [family]

    play(story, families=(4, 6))


def test_one_tracker_of_a_tier_is_used_and_promoted() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A, B, C], [D]])
        first, second, third = (tracker.url for tracker in trackers.tiers[0])
        world.fail(first)
        announcing.start(trackers)
        await asyncio.sleep(10)
        assert urls(world) == [first, second]
        assert [tracker.url for tracker in trackers.tiers[0]] == [second, first, third]
        await asyncio.sleep(10_000)
        assert set(urls(world)) == {first, second}

    play(story)


def test_tiers_are_shuffled_inside_only() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        orders = set()
        for _ in range(50):
            trackers = announcing.add(Swarm(), (HASH,), [[A, B], [C, D]])
            orders.add(tuple(tracker.url for tracker in trackers.all()))
        assert len(orders) == 4
        assert {order[:2] for order in orders} == {(A, B), (B, A)}

    play(story)


def test_the_next_tier_helps_out_until_the_first_works_again() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A], [B]])
        world.fail(A)
        announcing.start(trackers)
        await asyncio.sleep(1)
        assert urls(world) == [A, B]
        await asyncio.sleep(100)
        assert urls(world).count(A) >= 2
        del world.tracker.behaviours[A]
        await asyncio.sleep(1000)
        del world.tracker.announces[:]
        await asyncio.sleep(20_000)
        assert set(urls(world)) == {A}

    play(story)


def test_all_tiers_and_all_trackers_can_be_asked_at_once() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        announcing.start(announcing.add(Swarm(), (HASH,), [[A, B], [C]]))
        await asyncio.sleep(10)

    def asked(**chosen: bool) -> list[str]:
        return sorted(urls(play(story, settings=TrackerSettings(**chosen)))[:-1])

    assert len(set(asked())) == 1
    assert len(set(asked(announce_all_tiers=True))) == 2
    assert set(asked(announce_all_trackers=True)) == {A, B}
    assert set(asked(announce_all_tiers=True, announce_all_trackers=True)) == {A, B, C}


def test_a_private_torrent_uses_one_tracker_at_a_time() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        swarm = Swarm()
        trackers = announcing.add(swarm, (HASH,), [[A], [B]], private=True)
        announcing.start(trackers)
        await asyncio.sleep(10)
        assert urls(world) == [A]
        world.fail(A)
        await asyncio.sleep(2000)
        assert urls(world)[:4] == [A, A, B, A]
        assert world.tracker.events(A)[:3] == ["started", "none", "stopped"]
        assert swarm.switches == 1

    play(story, settings=TrackerSettings(announce_all_tiers=True, announce_all_trackers=True))


def test_a_failing_tracker_is_asked_ever_more_rarely_and_then_once_a_day() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        loop = asyncio.get_running_loop()
        asked: list[float] = []

        def refuse(_: AnnounceRequest) -> WildbachError:
            asked.append(loop.time())
            return TrackerFailure("not registered")

        world.tracker.behaviours[A] = refuse
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(60)
        (view,) = trackers.views(loop.time())
        assert (view.state, view.message, view.fails) == (TrackerState.FAILING, "not registered", 2)
        assert trackers.reason(loop.time()).startswith("no tracker answers (a.example: not registered; next try in ")
        await asyncio.sleep(40_000)
        gaps = [b - a for a, b in pairwise(asked)]
        assert all(later > earlier * 1.5 for earlier, later in pairwise(gaps[:7]))
        assert len(asked) == 10
        assert trackers.views(loop.time())[0].state is TrackerState.DEAD
        await asyncio.sleep(24 * 3600)
        assert len(asked) == 11

    play(story)


def test_dead_is_not_said_while_nothing_at_all_answers() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.fail(A)
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(7 * 24 * 3600)
        asked = len(world.tracker.announces)
        await asyncio.sleep(4000)
        assert len(world.tracker.announces) > asked

    play(story)


@pytest.mark.parametrize(("error", "state", "wait"), [
    (TrackerFailure("busy", retry_in=600.0), TrackerState.FAILING, 600.0),
    (TrackerFailure("go away", retry_in=math.inf), TrackerState.DEAD, None),
    (ForbiddenURL("leads to this machine"), TrackerState.DEAD, None),
    (FormatError("the reply is not a tracker's"), TrackerState.FAILING, 30.0),
])
def test_each_failure_has_its_state(error: WildbachError, state: TrackerState, wait: float | None) -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.fail(A, error)
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(1)
        (view,) = trackers.views(asyncio.get_running_loop().time())
        assert view.state is state
        assert view.message == error.message
        if wait is None:
            assert view.next_announce is None
            await asyncio.sleep(100_000)
            assert len(world.tracker.announces) == 1
            del world.tracker.behaviours[A]
            announcing.reannounce(trackers, force=True)
            await asyncio.sleep(1)
            assert trackers.views(0.0)[0].state is TrackerState.WORKING
        else:
            assert view.next_announce == pytest.approx(wait, rel=0.15)

    play(story)


def test_a_scheme_nobody_speaks_is_shown_as_dead() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [["wss://t.example", "http://[bad/", A]])
        announcing.start(trackers)
        await asyncio.sleep(1)
        states = {view.url: (view.state, view.message) for view in trackers.views(1.0)}
        assert states["wss://t.example"] == (TrackerState.DEAD, "no tracker is reached by wss")
        assert states["http://[bad/"] == (TrackerState.DEAD, "not a URL")
        assert states[A][0] is TrackerState.WORKING

    play(story)


def test_peers_nearer_than_their_tracker_are_left_out() -> None:
    peers = tuple(Endpoint(host, 1) for host in ("8.8.8.8", "10.0.0.9", "127.0.0.1", "224.0.0.1", "::1", "2606::1"))

    def told(reach: Reach) -> list[str]:
        swarm = Swarm()

        async def story(world: World, announcing: Announcing) -> None:
            world.tracker.behaviours[A] = lambda _: AnnounceReply(peers, reach=reach, external_ip="5.5.5.5")
            announcing.start(announcing.add(swarm, (HASH,), [[A]]))
            await asyncio.sleep(1)
            assert announcing.external.get(4) == "5.5.5.5"

        play(story)
        return [peer.host for peer in swarm.peers]

    assert told(Reach.GLOBAL) == ["8.8.8.8", "2606::1"]
    assert told(Reach.PRIVATE) == ["8.8.8.8", "10.0.0.9", "2606::1"]
    assert told(Reach.LOCAL) == ["8.8.8.8", "10.0.0.9", "127.0.0.1", "::1", "2606::1"]


def test_the_users_wish_waits_for_the_minimum_unless_forced() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.behaviours[A] = lambda _: AnnounceReply(interval=1800.0, min_interval=300.0, tracker_id=b"tid")
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        announcing.reannounce(trackers)
        await asyncio.sleep(200)
        assert len(world.tracker.announces) == 1
        await asyncio.sleep(100)
        assert len(world.tracker.announces) == 2
        assert world.tracker.announces[1].tracker_id == b"tid"
        announcing.reannounce(trackers, A, force=True)
        await asyncio.sleep(1)
        assert len(world.tracker.announces) == 3

    play(story)


@pytest.mark.parametrize(("said", "wait"), [
    (TrackerFailure("busy", retry_in=600.0), 600.0), (AnnounceReply(interval=1800.0, min_interval=900.0), 900.0),
    (AnnounceReply(interval=1800.0), 60.0), (NetworkError("no route"), 0.0),
])
def test_when_the_network_is_back_a_tracker_is_asked_as_soon_as_it_permits(
    said: AnnounceReply | WildbachError, wait: float,
) -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.behaviours[A] = lambda _: said
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(1)
        announcing.resume()
        if wait:
            await asyncio.sleep(wait - 3)
            announcing.resume()
            assert len(world.tracker.announces) == 1, "not before"
        await asyncio.sleep(5)
        assert len(world.tracker.announces) == 2, "and then at once"

    play(story)


def test_a_tracker_that_failed_while_the_network_was_away_keeps_what_it_said_before() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.behaviours[A] = lambda _: AnnounceReply(interval=1800.0, min_interval=900.0)
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        world.fail(A)
        announcing.reannounce(trackers, A, force=True)
        await asyncio.sleep(1)
        asked = len(world.tracker.announces)
        announcing.resume()
        await asyncio.sleep(5)
        assert len(world.tracker.announces) == asked == 2

    play(story)


def test_a_tracker_that_wants_no_more_of_us_is_not_asked_when_the_network_is_back() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.fail(A, TrackerFailure("go away", retry_in=math.inf))
        announcing.start(announcing.add(Swarm(), (HASH,), [[A]]))
        await asyncio.sleep(1)
        announcing.resume()
        await asyncio.sleep(100_000)
        assert len(world.tracker.announces) == 1

    play(story)


def test_a_partial_seed_says_so() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        swarm = Swarm()
        trackers = announcing.add(swarm, (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        swarm.now = swarm.now._replace(partial=True)
        announcing.reannounce(trackers, force=True)
        await asyncio.sleep(10)
        assert world.tracker.announces[-1].event is Event.PAUSED

    play(story)


def test_trackers_come_and_go_while_running() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        announcing.add_tracker(trackers, B, 0)
        announcing.add_tracker(trackers, " " + B + " ")
        announcing.add_tracker(trackers, C)
        assert [[t.url for t in tier] for tier in trackers.tiers] == [[A, B], [C]]
        announcing.remove_tracker(trackers, A)
        await asyncio.sleep(10)
        assert world.tracker.events(A) == ["started", "stopped"]
        assert world.tracker.events(B) == ["started"]
        announcing.set_tiers(trackers, [[C], [B]])
        await asyncio.sleep(10)
        assert world.tracker.events(C) == ["started"]
        assert [view.tier for view in trackers.views(0.0)] == [0, 1]
        for bad in ("wss://x", "", "nonsense"):
            with pytest.raises(UsageError):
                announcing.add_tracker(trackers, bad)
        with pytest.raises(UsageError):
            announcing.remove_tracker(trackers, A)

    world = play(story)
    assert world.tracker.events(B) == ["started", "stopped"]
    assert world.tracker.events(C) == ["started", "stopped"]


def test_scraping_fills_the_numbers_also_while_stopped() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.swarms[HASH] = {Endpoint("10.0.0.7", 1): 0, Endpoint("10.0.0.8", 1): 5}
        trackers = announcing.add(Swarm(), (HASH, b"2" * 20), [[A]])
        announcing.scrape(trackers)
        announcing.scrape(trackers)
        await asyncio.sleep(1)
        (view,) = trackers.views(1.0)
        assert (view.seeds, view.leeches, view.downloaded) == (1, 1, 0)
        assert len(world.tracker.scrapes) == 1
        assert world.tracker.announces == []

    play(story)


def test_pausing_and_resuming_while_a_reply_is_out_ends_well() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.delay = 5.0
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(1)
        announcing.stop(trackers)
        await asyncio.sleep(1)
        announcing.start(trackers)
        await asyncio.sleep(20)
        assert world.tracker.events() == ["started"]
        announcing.stop(trackers)
        await asyncio.sleep(1)
        announcing.start(trackers)
        await asyncio.sleep(20)
        assert world.tracker.events() == ["started", "stopped", "started"]
        announcing.stop(trackers)
        announcing.start(trackers)
        announcing.stop(trackers)
        await asyncio.sleep(30)

    events = play(story).tracker.events()
    assert events[:3] == ["started", "stopped", "started"]
    assert events[-1] == "stopped"


def test_leaving_while_the_first_announce_is_out_still_says_good_bye() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.delay = 1.0
        announcing.start(announcing.add(Swarm(), (HASH,), [[A]]))
        await asyncio.sleep(0.5)

    assert play(story).tracker.events() == ["started", "stopped"]


def test_a_hanging_tracker_delays_the_end_by_the_seconds_allowed_only() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        loop = asyncio.get_running_loop()
        swarms = [announcing.add(Swarm(), (number.to_bytes(20, "big"),), [[A], [B]]) for number in range(50)]
        for trackers in swarms:
            announcing.start(trackers)
        await asyncio.sleep(10)
        world.tracker.hang.append(A)
        begun = loop.time()
        await announcing.close()
        assert loop.time() - begun == 3.0

    play(story)


def test_requests_to_one_host_are_bounded() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.delay = 1.0
        for number in range(200):
            announcing.start(announcing.add(Swarm(), (number.to_bytes(20, "big"),), [[A]]))
        await asyncio.sleep(200)
        assert world.tracker.events().count("started") == 200
        # The fake speaks UDP too, and over UDP five times as much may be under way.
        assert world.tracker.most_at_once == 4 * 5

    play(story, settings=TrackerSettings(per_host=4))


def test_a_dead_host_is_asked_for_one_torrent_not_for_each() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.fail(A)
        swarms = [announcing.add(Swarm(), (n.to_bytes(20, "big"),), [[A], [B]]) for n in range(1000)]
        for trackers in swarms:
            announcing.start(trackers)
        await asyncio.sleep(60)
        assert len(world.tracker.events(A)) < 20
        assert len(world.tracker.events(B)) == 1000
        assert all(trackers.views(60.0)[0].message == "the connection was refused" for trackers in swarms)

    play(story)


def test_thousands_of_hanging_trackers_do_not_keep_a_living_one_waiting() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        def hang(number: int) -> str:
            url = f"http://dead{number}.example/announce"
            world.tracker.behaviours[url] = lambda _: NetworkError("no reply within 15 seconds")
            return url

        world.tracker.delay = 15.0
        for number in range(2000):
            announcing.start(announcing.add(Swarm(left=0), (number.to_bytes(20, "big"),), [[hang(number)]]))
        swarm = Swarm(left=5)
        trackers = announcing.add(swarm, (HASH,), [[A]])
        announcing.start(trackers)
        await asyncio.sleep(31)
        assert trackers.views(31.0)[0].state is TrackerState.WORKING
        assert world.tracker.most_at_once <= 500

    play(story, settings=TrackerSettings(at_once=100))


def test_a_completed_download_is_told_before_idle_seeds() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        world.tracker.delay = 1.0
        for number in range(300):
            announcing.start(announcing.add(Swarm(left=0), (number.to_bytes(20, "big"),), [[A]]))
        announcing.start(announcing.add(Swarm(left=9), (HASH,), [[A]]))
        await asyncio.sleep(10)
        place = [request.info_hash for request in world.tracker.announces].index(HASH)
        assert place < 30

    play(story)


def test_the_same_seed_gives_the_same_course() -> None:
    def course() -> list[tuple[str, bytes, Event]]:
        async def story(world: World, announcing: Announcing) -> None:
            world.fail(B)
            for number in range(30):
                announcing.start(announcing.add(Swarm(), (number.to_bytes(20, "big"),), [[A, B, C], [D]]))
            await asyncio.sleep(5000)

        return [(r.url, r.info_hash, r.event) for r in play(story).tracker.announces]

    assert course() == course()


def test_reasons_are_in_plain_words() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        now = asyncio.get_running_loop().time
        assert announcing.add(Swarm(), (HASH,), []).reason(0.0) == "there is no tracker"
        trackers = announcing.add(Swarm(), (HASH,), [[A]])
        assert trackers.reason(now()) == "the torrent is stopped"
        world.tracker.delay = 1.0
        announcing.start(trackers)
        assert trackers.reason(now()) == "waiting for a tracker's reply"
        await asyncio.sleep(5)
        assert trackers.reason(now()) == "tracker a.example knows no other peers"
        world.tracker.swarms[HASH][Endpoint("10.0.0.9", 1)] = 1
        announcing.reannounce(trackers, force=True)
        await asyncio.sleep(5)
        assert trackers.reason(now()) == ""

    play(story)


def test_an_idle_torrent_costs_neither_task_nor_timer() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        for number in range(500):
            announcing.start(announcing.add(Swarm(left=0), (number.to_bytes(20, "big"),), [[A]]))
        await asyncio.sleep(60)
        assert len(asyncio.all_tasks()) == 1
        assert len(announcing._heap) == 500

    play(story)


def test_a_reply_changes_with_live_settings() -> None:
    async def story(world: World, announcing: Announcing) -> None:
        trackers = announcing.add(Swarm(), (HASH,), [[A], [B]])
        announcing.start(trackers)
        await asyncio.sleep(10)
        world.settings = replace(world.settings, announce_all_tiers=True, want_peers=7)
        announcing.reannounce(trackers, force=True)
        await asyncio.sleep(10)
        assert world.tracker.events(B) == ["started"]
        assert world.tracker.announces[-1].numwant == 7

    play(story)



@pytest.mark.parametrize("seed", range(40))
def test_any_course_tells_each_tracker_each_event_once(seed: int) -> None:
    rng = seeded(seed)
    heard: list[tuple[str, Event]] = []

    async def story(world: World, announcing: Announcing) -> None:
        def hear(request: AnnounceRequest) -> AnnounceReply | WildbachError:
            if rng.random() < 0.3:
                if request.event is Event.STOPPED:
                    heard.append((request.url, request.event))
                return TrackerFailure("busy")
            heard.append((request.url, request.event))
            return AnnounceReply(interval=300.0, reach=Reach.LOCAL)

        for url in (A, B, C):
            world.tracker.behaviours[url] = hear
        world.tracker.delay = 3.0
        trackers = announcing.add(Swarm(), (HASH,), [[A, B], [C]])
        finished = False
        for _ in range(60):
            await asyncio.sleep(rng.choice([0.0, 1.0, 2.0, 10.0, 400.0]))
            match rng.randrange(6):
                case 0:
                    announcing.start(trackers)
                case 1:
                    announcing.stop(trackers)
                case 2 if not finished and trackers.running:
                    finished = True
                    announcing.completed(trackers)
                case 3:
                    announcing.reannounce(trackers, force=rng.random() < 0.5)
                case 4:
                    tiers = [[A, B], [C]] if rng.random() < 0.5 else [[C]]
                    announcing.set_tiers(trackers, tiers)
                case _:
                    announcing.start(trackers)

    play(story, settings=TrackerSettings(announce_all_tiers=rng.random() < 0.5))
    for url in (A, B, C):
        events = [event for where, event in heard if where == url]
        inside = False
        for event in events:
            if event is Event.STARTED:
                assert not inside, events
                inside = True
            else:
                assert inside, events
                inside = event is not Event.STOPPED
        assert events.count(Event.COMPLETED) <= 1
