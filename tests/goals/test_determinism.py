"""G12: two hundred swarms in bad weather. The same seed gives the same run in any process, and all come to an end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.goal

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
COUNT = int(os.environ.get("WILDBACH_SWARMS", "200"))
CHILD = Path(__file__).with_name("swarm_child.py")


def _start(hash_seed: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": hash_seed}
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(SEED), str(COUNT)], env=env, stdout=subprocess.PIPE, text=True)


def test_the_same_seed_is_the_same_run_in_two_processes_and_every_torrent_finishes_or_says_why(
    capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = _start("1"), _start("2")
    with first, second:
        try:
            one = first.communicate(timeout=800)[0].splitlines()
            other = second.communicate(timeout=800)[0].splitlines()
        finally:
            first.kill()
            second.kill()
    failed = [line for line in one if " FAILED " in line]
    assert not failed, "\n".join(failed)
    assert len(one) == COUNT and first.returncode == second.returncode == 0
    different = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    assert not different, f"seeds that differ between processes: {different}"
    assert len({line.split()[1] for line in one}) == COUNT, "different seeds, the same run"
    stuck = sum(" wait: " in line for line in one)
    seconds = sum(float(line.split()[2]) for line in one)
    with capsys.disabled():
        print(
            f"\nG12: {COUNT} swarms with random faults, {seconds:.0f} virtual seconds: the same traces in two "
            f"processes, {COUNT - stuck} finished, {stuck} deserted ones say why they wait  "
            f"(libtorrent: 315 fixed scenarios)"
        )
