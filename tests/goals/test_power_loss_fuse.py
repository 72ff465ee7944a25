"""G2 on the real store: files and database on a file system that forgets what was not synced (`powerfs.py`)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from disk_content import content
from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.disk.database import Database
from wildbach.disk.files import FileOptions, FileStorage
from wildbach.disk.hasher import Expected, Hasher
from wildbach.disk.journal import Journal
from wildbach.disk.layout import Layout
from wildbach.disk.moving import move, resume_move, take_up
from wildbach.disk.resume import ResumeRecord
from wildbach.disk.storage import Storage

pytestmark = [
    pytest.mark.goal,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="there is no /dev/fuse"),
]
pytest.importorskip("mfusepy", reason="mfusepy is not installed")

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
CUTS = int(os.environ.get("WILDBACH_G2_FUSE_CUTS", "20"))
WHAT = content(("a", 100_000), ("sub/b", 300_001), ("empty", 0), ("sub/deep/c", 77_777))
COUNT = WHAT.geometry.piece_count
WIDTH = bitfield.width_of(COUNT)
RIGHT = Expected(v1=b"".join(hashlib.sha1(WHAT.piece(i)[1]).digest() for i in range(COUNT)))
OPTIONS = FileOptions(suffix=".!wb", key="k")


class Inline:
    async def run(self, fn: Callable[..., Any], *args: object) -> Any:
        return fn(*args)


@contextlib.contextmanager
def powered(folder: Path, cut: int = 0) -> Iterator[Path]:
    """The file system, from power-on to the cut (or a clean unmount that forgets what was not synced)."""
    mount = folder / "mnt"
    mount.mkdir(exist_ok=True)
    program = Path(__file__).with_name("powerfs.py")
    process = subprocess.Popen([sys.executable, program, folder / "image", mount, str(cut)], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while not os.path.ismount(mount):
        if process.poll() is not None or time.monotonic() > until:
            pytest.skip("FUSE cannot be mounted here")
    try:
        yield mount
    finally:
        subprocess.run(["fusermount", "-u", "-z", mount], check=True)
        process.wait(20)


class Run:
    """One run of a program that fetches the torrent to a folder, its state beside it."""

    def __init__(self, mount: Path) -> None:
        self.database = Database(mount / "state" / "state.db")
        self.storage = FileStorage(WHAT, mount / "downloads", options=OPTIONS)
        self.tasks: list[asyncio.Task[None]] = []
        self.errors: list[StorageError] = []

    def close(self) -> None:
        self.storage.close()
        self.database.close()

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def settle(self) -> None:
        while self.tasks:
            await self.tasks.pop(0)
        if self.errors:
            raise self.errors.pop()

    async def go(self, rng: random.Random) -> None:
        record = self.database.load("k")
        if record is None:
            record = ResumeRecord("k")
            self.database.save(record, b"metainfo")
        journal = Journal(
            "k", WHAT.geometry, record.progress, self.storage, self.database, Inline(), self.spawn,
            on_error=self.errors.append,
        )
        self.storage.prepare()
        if journal.unchecked:
            found = await hashed(self.storage, journal.unchecked)
            journal.found(found)
            journal.checked(journal.unchecked)
        now = 0.0
        missing = list(bitfield.indices(bitfield.full(COUNT) & ~journal.claimed, WIDTH))
        rng.shuffle(missing)
        for piece in missing:
            offset, data = WHAT.piece(piece)
            self.storage.write(offset, [memoryview(data)])
            journal.written(piece, len(data))
            now += rng.choice((0.05, 0.9))
            journal.tick(now)
            await self.settle()
        await journal.flush()
        self.storage.finish(range(len(WHAT.files)))
        await journal.flush()


async def hashed(storage: Storage, pieces: int) -> int:
    found = await Hasher(Inline(), lanes=1, processes=False).check(WHAT.geometry, storage, RIGHT, pieces=pieces)
    return found.good


def check_claims(mount: Path) -> int:
    """Everything claimed is there; the state was readable. The number of claims, 0 where there is no record yet."""
    database = Database(mount / "state" / "state.db")
    storage = FileStorage(WHAT, mount / "downloads", options=OPTIONS)
    try:
        assert database.damaged == [], "the state was unreadable"
        record = database.load("k")
        if record is None:
            return 0
        claimed = record.progress.durable
        assert asyncio.run(hashed(storage, claimed)) == claimed, "a claimed piece is bad"
        return claimed.bit_count()
    finally:
        storage.close()
        database.close()


def attempt(mount: Path, rng: random.Random) -> bool:
    try:
        run = Run(mount)
    except StorageError:
        return False
    try:
        asyncio.run(run.go(rng))
    except StorageError:
        return False
    finally:
        run.close()
    return True


def test_no_power_cut_makes_a_false_claim_on_the_real_store(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    claims = 0
    for number in range(CUTS):
        rng = random.Random(SEED * 1000 + number)
        folder = tmp_path / str(number)
        folder.mkdir()
        with powered(folder, cut=rng.randrange(1, 260)) as mount:
            attempt(mount, rng)
        with powered(folder) as mount:
            claims += check_claims(mount)
        with powered(folder, cut=rng.randrange(20, 400)) as mount:
            attempt(mount, rng)
        with powered(folder) as mount:
            claims += check_claims(mount)
            assert attempt(mount, rng)
        with powered(folder) as mount:
            assert check_claims(mount) == COUNT, "a download that ended is complete after the power came back"
            for file, data in zip(WHAT.files, WHAT.data, strict=True):
                assert (mount / "downloads" / WHAT.name).joinpath(*file.path.parts).read_bytes() == data
    print(f"{2 * CUTS} power cuts on the real store: 0 of {claims} claims bad, 0 unreadable state files")
    assert claims


@pytest.mark.parametrize(("way", "calls"), [("rename", 62), ("copy", 212)])
def test_no_power_cut_during_a_move_loses_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, calls: int
) -> None:
    """Between two folders of one file system, and (as if they were two) by copies."""
    with powered(tmp_path) as mount:
        assert attempt(mount, random.Random(SEED))
    real = FileStorage.rename

    def rename(self: FileStorage, old: Any, new: Any) -> None:
        if old[0] != new[0]:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(self, old, new)

    if way == "copy":
        monkeypatch.setattr(FileStorage, "rename", rename)
    places = range(1, calls + 1)
    for cut in places if len(places) <= CUTS else sorted(random.Random(SEED).sample(places, CUTS)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        shutil.copy(tmp_path / "image", folder / "image")
        with powered(folder, cut=cut) as mount, contextlib.suppress(StorageError):
            move_on(mount)
        with powered(folder) as mount:
            move_on(mount)
        with powered(folder) as mount:
            for file, data in zip(WHAT.files, WHAT.data, strict=True):
                assert (mount / "elsewhere" / WHAT.name).joinpath(*file.path.parts).read_bytes() == data
            assert not (mount / "downloads" / WHAT.name).exists()
        shutil.rmtree(folder)


def move_on(mount: Path) -> None:
    """Begin the move, or go on with it; all of the content is there before and after."""
    database = Database(mount / "state" / "state.db")
    try:
        record = database.load("k")
        assert record is not None
        assert record.progress.complete
        layout = Layout(record.save_path or str(mount / "downloads"), suffix=".!wb")
        storage = FileStorage(WHAT, layout, options=OPTIONS)
        try:
            unfinished = take_up(storage, record)
            assert asyncio.run(hashed(storage, record.progress.durable)) == record.progress.durable, "bytes are gone"
            if unfinished:
                asyncio.run(resume_move(storage, record, database, Inline()))
            elif not record.save_path:
                target = Layout(str(mount / "elsewhere"), suffix=".!wb")
                asyncio.run(move(storage, target, record, database, Inline()))
            assert asyncio.run(hashed(storage, record.progress.durable)) == record.progress.durable
        finally:
            storage.close()
    finally:
        database.close()
