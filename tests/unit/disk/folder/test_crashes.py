"""Long random play: changes of others and of the user, crashes and errors in any call. No saved byte is ever lost."""

from __future__ import annotations

import errno
import random

import pytest

from folderbed import Bed
from wildbach.base.errors import StorageError
from wildbach.disk.folder.local import parent_of
from wildbach.disk.folder.names import Traits
from wildbach.protocol.sync.entries import EntryKind
from wildbach.testing.fakefs import Crash

NAMES = ["a", "b", "c"]
SHAPES = [
    ({}, Traits()),
    ({"reuse_inodes": True}, Traits()),
    ({"hard_links": False}, Traits(hard_links=False)),
    ({"hard_links": False, "exchanges": False}, Traits(hard_links=False, exchanges=False, no_replace=False)),
]


class Play:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        kinds, traits = SHAPES[seed % len(SHAPES)]
        self.bed = Bed(traits=traits, share=1.0, **kinds)
        self.saved: set[bytes] = set()
        "Contents that must be somewhere."
        self.count = 0
        self.bed.scan()
        self.bed.fs.sync_all()

    def path(self) -> str:
        return "/".join(self.rng.choice(NAMES) for _ in range(self.rng.randrange(1, 4)))

    def content(self) -> bytes:
        self.count += 1
        return b"content %d" % self.count

    def user(self) -> None:
        """The user writes a file, or renames something, and it is on the disk, but not what else was done."""
        fs = self.bed.fs
        path = self.path()
        try:
            if self.rng.random() < 0.6:
                before = fs.tree().get(path)
                data = self.content()
                fs.put(path, data)
                self.sync(path)
                self.saved.add(data)
                if isinstance(before, bytes) and before not in self.bed.contents():
                    self.saved.discard(before)
            elif path in self.bed.visible():
                to = self.path()
                with fs.quietly():
                    fs.rename(path, to) if to not in self.bed.visible() else None
                self.sync(to)
                self.sync(path)
        except OSError:
            pass

    def sync(self, path: str) -> None:
        fs = self.bed.fs
        with fs.quietly():
            if isinstance(fs.tree().get(path), bytes):
                handle = fs.open_write(path)
                fs.fsync(handle)
                fs.close(handle)
            while path:
                path = parent_of(path)
                if path in fs.tree() or not path:
                    fs.fsync_dir(path)

    def remote(self) -> None:
        """One change of another device, as far as the disk permits it."""
        bed, path = self.bed, self.path()
        known = bed.table.get(path)
        installer = bed.installer
        match self.rng.randrange(6):
            case 0 | 1:
                if known is None or known.kind is not EntryKind.DIR:
                    data = self.content()
                    aside = f"{path} (conflict {self.count})" if self.rng.random() < 0.3 else ""
                    bed.table.put(bed.install(path, data, known, aside=aside))
                    self.saved.add(data)
            case 2:
                if known is not None and known.kind is not EntryKind.DIR:
                    installer.delete(known)
                    bed.table.remove(path)
            case 3:
                bed.table.put(installer.make_dir(path))
            case 4:
                if known is not None and not self.path().startswith(path):
                    installer.move(known, self.path())
            case 5:
                if known is not None and known.kind is EntryKind.FILE:
                    installer.set_meta(known, mtime_ns=self.count, executable=self.rng.random() < 0.5)
                elif known is not None and installer.remove_dir(path):
                    bed.table.remove(path)

    def step(self) -> None:
        bed, rng = self.bed, self.rng
        if rng.random() < 0.4:
            self.user()
            return
        if rng.random() < 0.7:
            bed.scan()
        fault = rng.random()
        if fault < 0.6:
            bed.fs.fail_at(rng.randrange(40), None if fault < 0.4 else rng.choice([errno.ENOSPC, errno.EIO]))
        try:
            self.remote()
        except Crash:
            if rng.random() < 0.5:
                bed.fs.kill()
            else:
                bed.fs.power_cut(rng if rng.random() < 0.7 else None)
            bed.start()
        except StorageError:
            bed.fs.fault = None
            bed.scan()
        else:
            bed.fs.fault = None
        bed.fs.fault = None
        lost = self.saved - set(bed.contents())
        assert not lost, f"{lost} lost"

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
        self.bed.start()
        assert self.bed.left() == []
        self.bed.scan()
        assert set(self.bed.table.files) == set(self.bed.visible())
        assert all(parent_of(path) in ("", *self.bed.table.files) for path in self.bed.table.files)


@pytest.mark.parametrize("seed", range(40))
def test_no_saved_byte_is_lost(seed):
    Play(seed).run(60)


@pytest.mark.goal
def test_ten_thousand_crashes_lose_nothing():
    for seed in range(1000, 1500):
        Play(seed).run(60)
