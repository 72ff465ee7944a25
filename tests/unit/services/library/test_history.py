"""How fast it was."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.services.library.history import History, Ring

DAY = 86400


class Time:
    """A clock and a wall clock that a test moves on."""

    def __init__(self, clock: float = 1000.0, wall: float = 1_800_000_000.0) -> None:
        self.clock, self.wall = clock, wall

    def go(self, seconds: float) -> None:
        self.clock += seconds
        self.wall += seconds

    def history(self) -> History:
        return History(lambda: self.clock, lambda: self.wall)


def test_a_steady_speed_is_the_same_at_every_resolution() -> None:
    time = Time()
    history = time.history()
    for _ in range(7200):
        time.go(1.003)
        history.feed({"a": (1003 * 50, 0), "b": (1003 * 50, 1003 * 7)})
    for span, step in ((60, 1), (300, 1), (1800, 15)):
        found = history.read("", span)  # type: ignore[arg-type]
        assert found.step == step and len(found.down) == span // step
        assert set(found.down) == {100_000} and set(found.up) == {7000}, span
        assert time.wall - 1.1 * step - 1.01 <= found.until <= time.wall
        assert set(history.read("a", span).down) == {50_000}  # type: ignore[arg-type]
    for span, step in ((10800, 60), (86400, 300)):
        found = history.read("", span)  # type: ignore[arg-type]
        assert found.step == step and len(found.down) == span // step
        there = [value for value in found.down if value]
        assert set(there[1:]) == {100_000}, "the first slot is one that had begun"


@given(st.lists(st.tuples(st.floats(0.01, 400), st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=60))
def test_what_came_is_in_the_values_however_the_clock_ticks(ticks: list[tuple[float, int, int]]) -> None:
    ring, now = Ring(), 5000.0
    for seconds, down, up in ticks:
        ring.add(now, now + seconds, down, up)
        now += seconds
    now = math.ceil(now / 300) * 300.0  # every slot has ended
    whole = now - 5000.0
    found = ring.read(DAY, now)
    assert len(found.down) == 288 and found.until == now
    if whole < DAY:
        for values, wanted in ((found.down, sum(t[1] for t in ticks)), (found.up, sum(t[2] for t in ticks))):
            assert abs(sum(values) * 300 - wanted) <= 288 * 150 + wanted * 1e-6


def test_a_pause_is_zeros_and_a_long_one_empties_it() -> None:
    time = Time()
    history = time.history()
    for _ in range(10):
        time.go(1)
        history.feed({"a": (500, 0)})
    for _ in range(5):
        time.go(1)
        history.feed({})
    assert history.read("", 60).down[-16:] == (0,) + (500,) * 10 + (0,) * 5
    assert history.read("a", 60).down[-16:] == (0,) + (500,) * 10 + (0,) * 5, "nobody told it that time went by"
    for _ in range(2):
        time.go(50_000)
        history.feed({})
    for span in (60, 300, 1800, 10800, 86400):
        assert not any(history.read("", span).down) and not any(history.read("a", span).down)  # type: ignore[arg-type]


def test_one_who_never_moved_has_zeros_and_costs_nothing() -> None:
    time = Time()
    history = time.history()
    time.go(1)
    history.feed({"resting": (0, 0), "less": (-5, -5)})
    assert history._each == {} and set(history.read("resting", 60).down) == {0}
    assert history._each == {}


def test_those_that_moved_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HISTORIES", 3)
    time = Time()
    history = time.history()
    for key in "abcad":
        time.go(1)
        history.feed({key: (1000, 0)})
    assert list(history._each) == ["c", "a", "d"]
    history.forget("a")
    assert list(history._each) == ["c", "d"] and sum(history.read("a", 60).down) == 0


def test_it_goes_on_after_a_restart_with_zeros_for_the_time_between() -> None:
    time = Time()
    history = time.history()
    for _ in range(40):
        time.go(1)
        history.feed({"a": (9000, 30)})
    raw = history.save()
    again = Time(clock=0.3, wall=time.wall + 20)  # the machine has been started anew
    later = again.history()
    later.load(raw)
    assert later.read("", 60).down == (9000,) * 40 + (0,) * 20
    for _ in range(10):
        again.go(1)
        later.feed({"b": (70, 0)})
    values = later.read("", 60).down
    assert values[:50] == (9000,) * 30 + (0,) * 20 and values[51:] == (70,) * 9, "the first second had begun"
    assert sum(later.read("", 86400).down) > 0 and sum(later.read("a", 60).down) == 0
    much_later = Time(clock=50.0, wall=time.wall + 2 * DAY)
    empty = much_later.history()
    empty.load(raw)
    assert not any(empty.read("", 86400).down)
    back = Time(clock=5.0, wall=time.wall - DAY)
    then = back.history()
    then.load(raw)
    assert then.read("", 60).down == (0,) * 20 + (9000,) * 40


@given(st.binary(max_size=200))
def test_nonsense_that_was_saved_is_refused_or_harmless(raw: bytes) -> None:
    time = Time()
    history = time.history()
    with contextlib.suppress(FormatError):
        history.load(raw)
    assert len(history.read("", 86400).down) == 288


def test_a_ring_takes_a_few_kibibytes() -> None:
    ring = Ring()
    ring.add(0.0, 1.0, 1, 1)
    assert sum(level.down.itemsize * len(level.down) * 2 for level in ring._levels) < 8 * limits.KIB
    assert len(ring.save(1.0, 1.0)) < 8 * limits.KIB
