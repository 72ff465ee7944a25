"""What the kernel tells of a real directory."""

import asyncio
import contextlib
import os
import resource
import shutil
from random import Random

import pytest

from wildbach.base import limits
from wildbach.base.errors import StorageError
from wildbach.disk.folder.fs import RealFs
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.watch import CLOSED_SECONDS, LONGEST_SECONDS, OPEN_SECONDS, Dirty, Event, Inotify
from wildbach.disk.folder.watching import FolderWatch
from wildbach.runtime.workers import Threads


@pytest.fixture
def fs(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / ".wildbach" / "tmp").mkdir(parents=True)
    made = RealFs(str(tmp_path))
    yield made
    made.close_root()


@pytest.fixture
def inotify(fs):
    made = Inotify(fs, ignores=Ignores.parse("build/"))
    made.add_tree()
    yield made
    made.close()


def heard(inotify: Inotify) -> dict[str, bool]:
    """Paths, each with whether the last word on it was that it is finished."""
    return {event.path: event.finished for event in inotify.read()}


def test_a_file_is_finished_when_it_is_closed(inotify, tmp_path):
    with open(tmp_path / "d" / "f", "wb", buffering=0) as file:
        file.write(b"x")
        assert heard(inotify) == {"d/f": False}
        file.write(b"y")
        assert heard(inotify) == {"d/f": False}
    assert heard(inotify) == {"d/f": True}
    with open(tmp_path / "d" / "f", "rb"):
        pass
    assert heard(inotify) == {}


def test_all_that_changes_a_folder_is_told(inotify, tmp_path):
    (tmp_path / "a").write_bytes(b"")
    assert heard(inotify) == {"a": True}
    os.chmod(tmp_path / "a", 0o755)
    assert heard(inotify) == {"a": True}
    os.rename(tmp_path / "a", tmp_path / "d" / "e" / "b")
    assert heard(inotify) == {"a": True, "d/e/b": True}
    os.symlink("x", tmp_path / "l")
    assert heard(inotify) == {"l": False}
    os.unlink(tmp_path / "d" / "e" / "b")
    assert heard(inotify) == {"d/e/b": True}


def test_new_and_renamed_directories_are_watched_under_their_names(inotify, tmp_path):
    os.makedirs(tmp_path / "n" / "m")
    assert "n" in heard(inotify)
    (tmp_path / "n" / "m" / "f").touch()
    assert heard(inotify) == {"n/m/f": True}
    os.rename(tmp_path / "n", tmp_path / "d" / "o")
    assert heard(inotify) == {"n": True, "d/o": True}
    (tmp_path / "d" / "o" / "m" / "f").write_bytes(b"1")
    assert heard(inotify) == {"d/o/m/f": True}
    watched = len(inotify)
    os.unlink(tmp_path / "d" / "o" / "m" / "f")
    os.rmdir(tmp_path / "d" / "o" / "m")
    os.rmdir(tmp_path / "d" / "o")
    assert heard(inotify)["d/o"]
    assert len(inotify) == watched - 2


def test_what_is_ours_ignored_or_behind_a_link_is_not_watched(inotify, tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "outside").mkdir()
    os.symlink("outside", tmp_path / "link")
    heard(inotify)
    (tmp_path / ".wildbach" / "tmp" / "x").touch()
    (tmp_path / "build" / "x").touch()
    assert heard(inotify) == {}
    (tmp_path / "link" / "x").touch()
    assert heard(inotify) == {"outside/x": True}


def test_too_many_directories_are_said(fs, tmp_path):
    inotify = Inotify(fs, most=2)
    inotify.add_tree()
    assert inotify.full and len(inotify) == 2
    inotify.close()


def test_a_folder_that_goes_away_is_told(inotify, tmp_path):
    os.rename(tmp_path, tmp_path.with_name("elsewhere"))
    assert heard(inotify) == {"": True}
    os.rename(tmp_path.with_name("elsewhere"), tmp_path)


def test_events_that_were_lost_make_all_of_it_dirty(inotify, tmp_path):
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        most = int(file.read())
    if most > 100_000:
        pytest.skip(f"this system queues {most} events")
    for number in range(most + 100):
        (tmp_path / "d" / f"{number % 50}").touch()
    seen = []
    while events := inotify.read():
        seen += events
    assert Event("", True) in seen


def test_a_path_is_due_when_it_was_quiet():
    dirty = Dirty()
    dirty.changed("closed", 0.0, finished=True)
    dirty.changed("open", 0.0, finished=False)
    assert dirty.due(CLOSED_SECONDS - 0.01) == []
    assert dirty.due(CLOSED_SECONDS) == ["closed"]
    assert dirty.due(OPEN_SECONDS) == ["open"]
    assert not dirty


def test_each_change_begins_the_wait_anew_but_not_for_ever():
    dirty = Dirty()
    at = 0.0
    while at < LONGEST_SECONDS:
        dirty.changed("a", at, finished=False)
        assert dirty.due(at) == []
        at += 1.0
    dirty.changed("a", at, finished=False)
    assert dirty.due(at) == ["a"]


def test_too_many_paths_become_the_whole_folder():
    dirty = Dirty()
    for number in range(limits.SYNC_DIRTY_PATHS + 1):
        dirty.changed(str(number), 0.0, finished=True)
    dirty.changed("more", 0.1, finished=True)
    assert dirty.due(5.0) == [""]


def test_on_the_loop_an_edit_is_told_soon_after_the_file_is_closed(fs, tmp_path, monkeypatch):
    monkeypatch.setattr("wildbach.disk.folder.watch.OPEN_SECONDS", 0.05)

    async def main():
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[list[str]] = asyncio.Queue()
        threads = Threads(1)
        watch = FolderWatch(Inotify(fs), threads, told.put_nowait)
        await watch.start()
        began = loop.time()
        (tmp_path / "d" / "f").write_bytes(b"x")
        async with asyncio.timeout(5):
            assert await told.get() == ["d/f"]
        took = loop.time() - began
        watch.again("d/f")
        async with asyncio.timeout(5):
            assert await told.get() == ["d/f"]
        await watch.close()
        await watch.close()
        threads.close()
        return took

    assert CLOSED_SECONDS <= asyncio.run(main()) < CLOSED_SECONDS + 0.6


def test_on_the_loop_a_limit_is_said_once(fs):
    async def main():
        said = []
        threads = Threads(1)
        watch = FolderWatch(Inotify(fs, most=1), threads, lambda paths: None, lambda: said.append(1))
        await watch.start()
        await watch.close()
        threads.close()
        return said

    assert asyncio.run(main()) == [1]


def test_where_there_are_no_instances_left_it_is_said(fs):
    # The descriptors of this process run out, and not the instances of its user, which others need meanwhile.
    left = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 3, left[1]))
    made = []
    try:
        with pytest.raises(StorageError) as error:
            for _ in range(20_000):
                made.append(Inotify(fs))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, left)
        for each in made:
            each.close()
    assert error.value.code == "watch_limit"


def test_a_directory_that_takes_the_place_of_an_empty_one_is_watched(inotify, tmp_path):
    (tmp_path / "new").mkdir()
    heard(inotify)
    os.rename(tmp_path / "new", tmp_path / "d" / "e")
    heard(inotify)
    (tmp_path / "d" / "e" / "f").touch()
    assert heard(inotify) == {"d/e/f": True}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_made_moved_and_removed_all_directories_are_watched_in_the_end(fs, tmp_path, seed):
    inotify, chance = Inotify(fs), Random(seed)
    inotify.add_tree()

    def there():
        return sorted(each for each in tmp_path.rglob("*") if each.is_dir() and ".wildbach" not in each.parts)

    for _ in range(chance.randrange(5, 40)):
        target = chance.choice([tmp_path, *there()]) / chance.choice("abc")
        act, some = chance.random(), there()
        with contextlib.suppress(OSError):
            if act < 0.45:
                target.mkdir()
            elif some and act < 0.8:
                os.rename(chance.choice(some), target)
            elif some:
                shutil.rmtree(chance.choice(some))
        if chance.random() < 0.3:
            inotify.read()
    while inotify.read():
        pass
    for each in there():
        (each / "probe").touch()
        assert heard(inotify) == {str((each / "probe").relative_to(tmp_path)): True}
    inotify.close()


def test_what_is_not_left_out_any_more_is_watched(inotify, tmp_path):
    (tmp_path / "build" / "x").mkdir(parents=True)
    heard(inotify)
    inotify.ignore(Ignores.parse("x/"))
    (tmp_path / "build" / "f").touch()
    (tmp_path / "build" / "x" / "f").touch()
    assert heard(inotify) == {"build/f": True}
