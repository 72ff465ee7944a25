"""Announces a second over UDP beside opentracker, at a small size: a fall of half is noticed, noise is not."""

import shutil

import pytest
from bench import tracker
from tests import encounters

RATIO = 0.3


@pytest.mark.goal
@pytest.mark.foreign("opentracker")
@pytest.mark.skipif(shutil.which("opentracker") is None, reason="opentracker is not installed (Debian: opentracker)")
def test_udp_announces_keep_pace_with_opentracker(capsys: pytest.CaptureFixture[str]) -> None:
    best = 0.0
    for _ in range(3):
        best = max(best, tracker.small(seconds=1.0, peers=5000))
        encounters.note("opentracker")
        if best >= RATIO:
            break
    with capsys.disabled():
        print(f"\nUDP announces per second of a core: {best:.2f} x opentracker")
    assert best >= RATIO
