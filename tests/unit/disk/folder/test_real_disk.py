"""On a real disk: what is installed is what a scan finds, and a process that is killed leaves nothing behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from folderbed import root_of
from wildbach.base import limits
from wildbach.base.ids import FolderId
from wildbach.disk.folder import marker, names
from wildbach.disk.folder.fs import RealFs
from wildbach.disk.folder.install import Installer
from wildbach.disk.folder.scan import Scanner
from wildbach.disk.folder.staging import Range
from wildbach.disk.folder.versions import Versions
from wildbach.testing.foldertable import MemoryTable

BLOCK = 16384
WHEN = 1_600_000_000_123_456_789


class Real:
    def __init__(self, path: Path) -> None:
        self.fs = RealFs(str(path))
        self.table = MemoryTable()
        self.versions = Versions(self.fs, time.time_ns, share=1.0)
        self.installer = Installer(self.fs, self.versions)
        self.installer.staging.recover()
        self.installer.traits = names.probe(self.fs)
        self.marker = marker.reserve(self.fs, marker.Marker.fresh(FolderId(bytes(32)), self.fs.lstat("").dev), 1)

    def scan(self) -> list:
        scanner = Scanner(
            self.fs, self.table, now_ns=time.time_ns, pause=time.sleep,
            verify=lambda: marker.verify(self.fs, self.marker),
        )
        found = []
        for each in scanner.scan():
            found.append(each)
            self.table.take(each)
        return found

    def install(self, path: str, data: bytes) -> None:
        with self.installer.staging.file() as staged:
            staged.write(0, data)
            self.table.put(self.installer.install(
                staged, path, self.table.get(path), root=root_of(data), size=len(data), mtime_ns=WHEN,
                executable=len(data) % 2 == 0,
            ))


@pytest.fixture
def real(tmp_path):
    made = Real(tmp_path)
    yield made
    made.fs.close_root()


def test_each_change_leaves_what_the_table_says(real, tmp_path):
    with real.installer.batch():
        for folder in ("d", "d/e"):
            real.table.put(real.installer.make_dir(folder))
        real.install("d/e/f", b"first")
        real.install("empty", b"")
    assert real.scan() == []
    real.install("d/e/f", b"second!!")
    assert os.access(tmp_path / "d/e/f", os.X_OK) and (tmp_path / "d/e/f").read_bytes() == b"second!!"
    assert os.stat(tmp_path / "d/e/f").st_mtime_ns == WHEN
    with real.installer.staging.link("/etc/passwd") as staged:
        real.table.put(real.installer.install(staged, "link", None))
    with real.installer.staging.link("e") as staged:
        real.table.put(real.installer.install(staged, "link", real.table.get("link")))
    moved = real.installer.move(real.table.get("d/e/f"), "f")
    real.table.remove("d/e/f")
    real.table.put(moved)
    real.installer.delete(real.table.get("empty"))
    real.table.remove("empty")
    assert real.installer.remove_dir("d/e")
    real.table.remove("d/e")
    assert real.scan() == []
    assert sorted(os.listdir(tmp_path)) == [".wildbach", "d", "f", "link"]
    assert [(version.path, version.size) for version in real.versions.history()] == [
        ("d/e/f", 5), ("empty", 0), ("link", 11),
    ]
    [first] = real.versions.history("d/e/f")
    real.table.put(real.installer.restore(first, "f", real.table.get("f")))
    assert (tmp_path / "f").read_bytes() == b"first" and real.scan() == []
    assert os.listdir(tmp_path / ".wildbach" / "tmp") == []


def test_a_large_file_is_made_from_the_blocks_of_the_old_one(real, tmp_path):
    old = random.Random(1).randbytes(40 * BLOCK + 77)
    new = old[: 8 * BLOCK] + b"x" * BLOCK + old[9 * BLOCK :] + b"appended"
    real.install("image", old)
    known = real.table.get("image")
    with real.installer.staging.file() as staged:
        staged.copy(known, [Range(0, 0, 8 * BLOCK), Range(9 * BLOCK, 9 * BLOCK, len(old) - 9 * BLOCK)])
        staged.write(8 * BLOCK, b"x" * BLOCK)
        staged.write(len(old), b"appended")
        real.table.put(real.installer.install(staged, "image", known, root=root_of(new), size=len(new)))
    assert (tmp_path / "image").read_bytes() == new and real.scan() == []


def test_times_of_the_far_future_and_past_fit_into_an_entry(real, tmp_path):
    for name, year in (("future", 2300), ("past", 1900)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (0, (year - 1970) * 365.2425 * 86400))
    found = {each.path: each.new for each in real.scan()}
    assert found["future"].mtime_ns <= limits.SYNC_MTIME_NS and found["past"].mtime_ns < 0
    assert real.scan() == []


CHILD = """
import sys
sys.path[:0] = [{here!r}]
from pathlib import Path
from tests.unit.disk.folder.test_real_disk import churn
churn(Path(sys.argv[1]))
"""


def churn(path: Path) -> None:
    """Replace one file again and again, until killed."""
    real = Real(path)
    real.scan()
    print("ready", flush=True)
    number = 0
    while True:
        number += 1
        real.install("file", b"%d " % number * 5000)


def test_a_process_that_is_killed_leaves_an_old_or_a_new_file(tmp_path):
    home = tmp_path / "folder"
    home.mkdir()
    (home / "file").write_bytes(b"0 " * 5000)
    root = Path(__file__).parents[4]
    for kill in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD.format(here=str(root)), str(home)], stdout=subprocess.PIPE, cwd=root,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(str(root / each) for each in ("src", "tests", "."))},
        )
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        before = len(list((home / ".wildbach").rglob("*Z")))
        while len(list((home / ".wildbach").rglob("*Z"))) < before + 3 + 2 * kill:
            assert child.poll() is None
        child.kill()
        child.wait()
        child.stdout.close()
        data = (home / "file").read_bytes()
        assert data == data[: data.index(b" ") + 1] * 5000
        real = Real(home)
        assert os.listdir(home / ".wildbach" / "tmp") == []
        kept = [path.read_bytes() for path in (home / ".wildbach" / "versions" / "file").iterdir()]
        assert all(each == each[: each.index(b" ") + 1] * 5000 for each in kept)
        assert b"0 " * 5000 in kept and len(kept) >= before + 3 + 2 * kill
        real.fs.close_root()
