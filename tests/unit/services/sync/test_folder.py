"""A folder at work goes on by itself after what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostile import until
from house import House, Work, housed
from wildbach.base.errors import StorageError
from wildbach.disk.folder.watch import Inotify
from wildbach.services.sync import folder as folders
from wildbach.services.sync import watched
from wildbach.services.sync.hands import Outcome
from wildbach.services.sync.planner import Op


@pytest.fixture
def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    return housed(tmp_path, caplog)


def test_a_folder_that_could_not_be_looked_at_is_looked_at_again_also_where_a_device_comes_meanwhile(
        house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_RETRY_SECONDS", 1.0)

    async def work(here: House) -> None:
        folder, place = here.folder, here.folder.place
        look, looks = place.look, 0

        def fails(*values: Any) -> Any:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise StorageError("the disk has a bad day")
            return look(*values)

        monkeypatch.setattr(place, "look", fails)
        folder.look()
        await until(lambda: folder.state == "stopped")
        here.friend.close()
        await here.friend.ready()
        await until(lambda: folder.state == "idle")
        assert looks == 2

    house(work)


def test_a_folder_for_which_the_system_has_no_watch_is_watched_when_it_has(
        house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "AGAIN_SECONDS", 0.2)
    full = True

    def some(*values: Any, **options: Any) -> Inotify:
        if full:
            raise StorageError("the folder cannot be watched: Too many open files", code="watch_limit")
        return Inotify(*values, **options)

    monkeypatch.setattr(watched, "Inotify", some)

    async def work(here: House) -> None:
        nonlocal full
        folder = here.folder
        before = folder.standing.files
        assert "Too many open files" in folder.watched.reason
        (here.path / "own a").write_bytes(b"a")
        full = False
        await until(lambda: folder.standing.files == before + 1)
        assert not folder.watched.reason
        (here.path / "own b").write_bytes(b"b")
        await until(lambda: folder.standing.files == before + 2)

    house(work)


def test_a_file_whose_source_here_changed_meanwhile_comes_at_once_from_elsewhere(
        house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(here: House) -> None:
        folder = here.folder
        do, failed = folder.place.hands.do, 0

        def slow(op: Op, *staged: Any) -> Outcome:
            nonlocal failed
            if op.path == "of friend copy" and op.source == "a.txt" and not failed:
                failed += 1
                # Somebody saves it in the moment before it is copied.
                (here.path / "a.txt").write_bytes(b"saved just now")
            return do(op, *staged)

        monkeypatch.setattr(folder.place.hands, "do", slow)
        here.friend.tell(here.friend.entry("of friend copy", b"one"))
        began = time.monotonic()
        await until((here.path / "of friend copy").exists)
        assert failed and time.monotonic() - began < 8.0
        assert (here.path / "of friend copy").read_bytes() == b"one"
        (here.path / "a.txt").write_bytes(b"one")
        folder.look()

    house(work)
