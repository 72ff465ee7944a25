"""A folder in memory with everything that works on it, for the tests beside this file."""

from __future__ import annotations

from wildbach.disk.folder.fs import Kind
from wildbach.disk.folder.hashing import hash_file
from wildbach.disk.folder.install import Installer
from wildbach.disk.folder.local import LocalFile
from wildbach.disk.folder.scan import Change, Scanner, Skipped
from wildbach.disk.folder.versions import Versions
from wildbach.testing.fakefs import FakeFs
from wildbach.testing.foldertable import MemoryTable

START = 1_770_000_000_000_000_000
SECOND = 1_000_000_000


class Bed:
    """`fs` may be given; the clock is `now`, in nanoseconds, and moves only by `pause`."""

    def __init__(self, fs: FakeFs | None = None, *, traits=None, share=0.1, **kinds) -> None:
        self.now = START
        self.pauses: list[float] = []
        self.fs = fs if fs is not None else FakeFs(lambda: self.now, **kinds)
        self.table = MemoryTable()
        self.verified = 0
        self.traits = traits
        self.share = share
        self.start()

    def start(self) -> None:
        """What a process does when it begins."""
        self.versions = Versions(self.fs, lambda: self.now, share=self.share)
        self.installer = Installer(self.fs, self.versions, traits=self.traits)
        self.installer.staging.recover()

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += int(seconds * SECOND)

    def verify(self) -> None:
        self.verified += 1

    def scanner(self, **options) -> Scanner:
        options = {"young_ns": 0, **options}
        return Scanner(
            self.fs, self.table, now_ns=lambda: self.now, pause=self.pause, verify=self.verify, **options,
        )

    def scan(self, *paths: str, **options) -> list[Change | Skipped]:
        """Scan, and take what was found into the table."""
        found = []
        for each in self.scanner(**options).scan(paths or ("",)):
            found.append(each)
            self.table.take(each)
        return found

    def known(self, path: str) -> LocalFile:
        file = self.table.get(path)
        assert file is not None
        return file

    def staged(self, data: bytes):
        staged = self.installer.staging.file()
        staged.write(0, data)
        return staged

    def install(self, path: str, data: bytes, expected: LocalFile | None = None, **options) -> LocalFile:
        with self.staged(data) as staged:
            return self.installer.install(
                staged, path, expected, root=root_of(data), size=len(data), mtime_ns=START, **options,
            )

    def contents(self) -> list[bytes]:
        """The bytes of all files, wherever they stand."""
        return [data for data in self.fs.tree().values() if isinstance(data, bytes)]

    def left(self) -> list[str]:
        """What is in `.wildbach/tmp`."""
        return [path for path in self.fs.tree() if path.startswith(".wildbach/tmp/")]

    def visible(self) -> dict[str, bytes | str | None]:
        return {path: data for path, data in self.fs.tree().items() if not path.startswith(".wildbach")}

    def kept(self) -> list[tuple[str, bytes | str]]:
        """Versions: (path, content)."""
        out = []
        for version in self.versions.history():
            link = version.kind is Kind.LINK
            out.append((version.path, self.fs.readlink(version.place) if link else self.fs.read(version.place)))
        return out


def root_of(data: bytes) -> bytes:
    fs = FakeFs(lambda: 1)
    fs.put("x", data)
    handle = fs.open_read("x")
    return hash_file(fs, handle, len(data)).root
