"""G9: folders on 2-5 devices, 20 runs of 1,000 acts of users, with all that can go wrong: equal, and nothing lost."""

from __future__ import annotations

import os

import pytest
from tests.syncsim.__main__ import one

pytestmark = [pytest.mark.goal, pytest.mark.timeout(900)]

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
COUNT = int(os.environ.get("WILDBACH_RUNS", "20"))
ACTS = 1000


def test_folders_end_equal_and_nothing_that_was_saved_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    saved = crashes = 0
    for seed in range(SEED, SEED + COUNT):
        world = one(seed, ACTS)
        saved += len(world.user.saved)
        crashes += sum(each.crashes for each in world.devices)
    assert crashes > COUNT, "nothing went wrong, so nothing was shown"
    with capsys.disabled():
        print(
            f"\nG9: {COUNT} runs of {ACTS} acts, {saved} contents saved, {crashes} kills: all trees equal, none lost, "
            f"at rest  (Syncthing's own test: 100 files, no kill, no file↔directory or upward rename)")
