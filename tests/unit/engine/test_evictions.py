"""Evictions that a kill cuts off."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import eviction_child
from caches import settings
from wildbach.disk.database import Database
from wildbach.engine import content, removals
from wildbach.engine.session import Session

CHILD = Path(eviction_child.__file__)


def evicted(folder: Path, step: int) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(CHILD.parent), str(CHILD.parents[1] / "src")))}
    return subprocess.run(
        [sys.executable, str(CHILD), str(folder), str(step)], env=environ, capture_output=True, text=True, timeout=60)


def remembered(folder: Path) -> tuple[int, int, int]:
    """Torrents, removals under way, and cache torrents that the state knows of."""
    store = Database(folder / "data" / "state.db")
    try:
        return len(list(store.summaries())), len(store.kept(removals.AREA)), len(store.kept(content.AREA))
    finally:
        store.close()


async def again(folder: Path) -> None:
    """Another run, until nothing is being removed."""
    async with Session(settings(), data_dir=folder / "data") as session, asyncio.timeout(30):
        await session.restore()
        while await session.kept(removals.AREA):
            await asyncio.sleep(0)


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "data" / "cache").rglob("*"))


def check(folder: Path, step: int) -> None:
    """It is there as a whole, or it is gone without a trace."""
    dead = evicted(folder, step)
    assert dead.returncode == -signal.SIGKILL, (step, dead.stderr)
    for _ in range(2):
        asyncio.run(again(folder))
    if step:
        assert remembered(folder) == (0, 0, 0), step
        assert left(folder) == [], step
    else:
        assert remembered(folder) == (1, 0, 1)
        assert len([path for path in left(folder) if path.endswith(("a.bin", "b.txt", "zero"))]) == 3


@pytest.mark.parametrize("step", [0, 3])
def test_an_eviction_that_a_kill_cut_off_is_finished_at_the_next_start(tmp_path: Path, step: int) -> None:
    """Before the first file goes it is written down; after the second the others go."""
    check(tmp_path, step)


@pytest.mark.slow
def test_so_it_is_at_every_step(tmp_path: Path) -> None:
    whole = evicted(tmp_path / "whole", 1000)
    assert whole.returncode == 0, whole.stderr
    steps = int(whole.stdout)
    assert steps >= 9, "the mark, four files, three folders, the torrent, the mark, what was known of its use"
    for step in range(1, steps):
        check(tmp_path / str(step), step)
