from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import removal_child
from clients import client, seed_content, until
from wildbach.base.errors import StorageError
from wildbach.disk.database import Database
from wildbach.engine import removals
from wildbach.interfaces.api import models as m

CHILD = Path(removal_child.__file__)


def removed(folder: Path, step: int) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(CHILD.parent), str(CHILD.parents[1] / "src")))}
    return subprocess.run(
        [sys.executable, str(CHILD), str(folder), str(step)], env=environ, capture_output=True, text=True, timeout=60)


def kept(folder: Path) -> dict[str, bytes]:
    store = Database(folder / "data" / "state.db")
    try:
        return store.kept(removals.AREA)
    finally:
        store.close()


async def look(folder: Path) -> tuple[int, bool]:
    """Torrents of the next run, and whether something of the content is there, once nothing is being removed."""
    async with client(folder) as api:
        async with asyncio.timeout(30):
            while await api.core.session.kept(removals.AREA):
                await asyncio.sleep(0)
        return (await api.list_torrents(m.Listing())).total, (folder / "downloads" / "things").exists()


def test_a_removal_that_a_kill_cut_off_is_finished_at_the_next_start(tmp_path: Path) -> None:
    """Before the first of the four files goes it is written down; after the second the other two go."""
    for step, (total, there) in ((0, (1, True)), (3, (0, False))):
        folder = tmp_path / str(step)
        assert removed(folder, step).returncode == -signal.SIGKILL
        assert bool(kept(folder)) is bool(step)
        assert asyncio.run(look(folder)) == (total, there)
        assert not kept(folder)


@pytest.mark.slow
def test_so_it_is_at_every_step(tmp_path: Path) -> None:
    whole = removed(tmp_path / "whole", 1000)
    assert whole.returncode == 0, whole.stderr
    steps = int(whole.stdout)
    assert steps >= 9, "the mark, four files, two folders, the torrent, the mark, its entry"
    for step in range(1, steps):
        folder = tmp_path / str(step)
        dead = removed(folder, step)
        assert dead.returncode == -signal.SIGKILL, (step, dead.stderr)
        assert asyncio.run(look(folder)) == (0, False), step
        assert not kept(folder)


def test_a_torrent_that_is_added_again_after_the_kill_is_a_new_one(tmp_path: Path) -> None:
    """What is being added must not lose its files to the removal of before."""
    dead = removed(tmp_path, 2)
    assert dead.returncode == -signal.SIGKILL and kept(tmp_path)

    # What is there before the start may go with what was cut off; what is added again must not.
    torrent = seed_content(tmp_path)

    async def again() -> None:
        async with client(tmp_path) as api:
            (added,) = (await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),)))).added
            assert not added.error
            seed_content(tmp_path)
            await api.act(m.Action("recheck", (added.key,)))
            await until(lambda: api.core.catalog.fresh(added.key).state == "seeding", api)

    asyncio.run(again())
    assert not kept(tmp_path)
    assert asyncio.run(look(tmp_path)) == (1, True)


def test_files_that_cannot_be_deleted_are_told_and_the_torrent_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            (added,) = (await api.add_torrents(m.AddRequest(files=(seed_content(tmp_path).to_bytes(),)))).added
            await until(lambda: api.core.catalog.fresh(added.key).state == "seeding", api)

            def refuse(*_: object, **__: object) -> int:
                raise StorageError("read-only", code="read_only", errno=errno.EROFS)

            monkeypatch.setattr(removals, "delete", refuse)
            outcome = await api.remove_torrents(m.Removal((added.key,), files=True, now=True))
            assert [one.code for one in outcome.failed] == ["read_only"]
            assert api.core.session.torrent(added.key) is None

    asyncio.run(work())
    assert not kept(tmp_path)
    assert asyncio.run(look(tmp_path)) == (0, True)
