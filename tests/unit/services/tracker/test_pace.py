import random

from wildbach.services.tracker.pace import Pace


def run(pace: Pace, rate: float, seconds: int, start: int, begin: float) -> float:
    """Tell of so many announces a second; the last time."""
    for passed in range(seconds):
        pace.tick(int(start + rate * passed), begin + passed)
    return begin + seconds


def test_peers_that_came_together_do_not_return_together() -> None:
    pace = Pace(random.Random(1), interval=1000)
    told = [pace.interval() for _ in range(1000)]
    assert 900 <= min(told) < 920 and 1080 < max(told) <= 1100


def test_without_spread_all_are_told_the_same() -> None:
    pace = Pace(random.Random(1), interval=1000, spread=0.0)
    assert {pace.interval() for _ in range(100)} == {1000}


def test_the_interval_grows_with_the_load_and_comes_back() -> None:
    pace = Pace(random.Random(1), interval=1000, target=100.0, spread=0.0)
    now = run(pace, 50, 100, 0, 0.0)
    assert pace.current == 1000
    now = run(pace, 300, 100, 10_000, now)
    assert 2900 < pace.current <= 3010
    now = run(pace, 10_000, 200, 50_000, now)
    assert pace.current == 8000
    run(pace, 10, 200, 5_000_000, now)
    assert pace.current < 1200


def test_without_a_target_it_never_grows() -> None:
    pace = Pace(random.Random(1), interval=1000)
    run(pace, 1e6, 100, 0, 0.0)
    assert pace.current == 1000
    assert 9e5 < pace.rate < 1.1e6
