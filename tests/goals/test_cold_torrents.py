"""G8: a complete torrent that nobody asks for costs next to nothing. Measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests import pace

pytestmark = pytest.mark.goal

TORRENTS = 2000
BYTES_EACH = 3 * 1024
CHILD = Path(__file__).with_name("cold_child.py")


def hold(folder: Path, *how: str) -> dict[str, float]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, str(CHILD), str(folder / "state"), str(TORRENTS), *how],
        env=env, capture_output=True, text=True, timeout=100, check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, float] = json.loads(ran.stdout)
    return found


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_thousands_of_dead_trackers_cost_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = hold(tmp_path, "dead")
    with capsys.disabled():
        print(
            f"\n{TORRENTS} cold torrents with dead trackers: {found['bytes_each']:.0f} bytes each, idle CPU "
            f"{100 * found['idle']:.2f} %  (libtorrent: 10.0 KiB each, 0.8 % CPU, with trackers that answer)"
        )
    assert found["announced"] >= TORRENTS
    # Each has a host of its own to remember, and what that said.
    assert found["bytes_each"] <= BYTES_EACH + 2048
    assert found["idle"] <= 0.02 * pace.factor() and found["awake"] == 0


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_thousands_of_cold_torrents_cost_little_and_no_clock_looks_at_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = hold(tmp_path)
    with capsys.disabled():
        print(
            f"\n{TORRENTS} cold torrents: {found['bytes_each']:.0f} bytes each, restored in {found['seconds']:.2f} s "
            f"({found['cpu']:.2f} s CPU), idle CPU {100 * found['idle']:.2f} %  (libtorrent: 10.0 KiB each)"
        )
    assert found["restored"] == TORRENTS and found["announced"] == TORRENTS
    assert found["bytes_each"] <= BYTES_EACH
    assert found["idle"] <= 0.02 * pace.factor()
    assert found["awake"] == 0 and found["tasks"] <= 3
