"""New files in the making, in `.wildbach/tmp`: not part of the folder until they are installed."""

from __future__ import annotations

import contextlib
import errno
import re
import secrets
from collections.abc import Container, Iterable, Iterator
from typing import Final, NamedTuple

from wildbach.disk.folder.fs import Fs, Kind, Stat
from wildbach.disk.folder.hashing import Hashing
from wildbach.disk.folder.local import HOME, TMP, BadName, Blocked, LocalFile, NoRoom, Stale, WrongContent
from wildbach.disk.system import storage_error


class Range(NamedTuple):
    """Bytes that an old file and the new one share."""

    begin: int
    "In the old file."
    to: int
    "In the new file."
    length: int


_PARTIAL: Final = re.compile(r"[0-9a-f]{64}-[0-9]{1,20}")
_TYPED: dict[int, type[NoRoom] | type[BadName] | type[Blocked] | type[Stale]] = {
    errno.ENOSPC: NoRoom,
    errno.EDQUOT: NoRoom,
    errno.ENAMETOOLONG: BadName,
    errno.EILSEQ: BadName,
    errno.ENOENT: Stale,
    errno.EEXIST: Stale,
    errno.ENOTDIR: Blocked,
    errno.ELOOP: Blocked,
    errno.EISDIR: Blocked,
    errno.ENOTEMPTY: Blocked,
}


@contextlib.contextmanager
def doing(what: str, path: str) -> Iterator[None]:
    """OSError of the calls inside becomes a FolderError where the number says enough, else a StorageError."""
    try:
        yield
    except OSError as error:
        made = storage_error(error, what, path)
        kind = _TYPED.get(error.errno or 0)
        if kind is None:
            raise made from error
        raise kind(made.message, path=path, errno=made.errno) from error


class Staged:
    """A file or symbolic link in the making. As a context manager it goes away at the end unless it was installed.

    Methods block; they raise FolderError or StorageError.
    """

    def __init__(self, fs: Fs, name: str, *, target: str = "") -> None:
        self.name = name
        self.place = f"{TMP}/{name}"
        self.target = target
        "Of a symbolic link; empty for a file."
        self._fs = fs
        self.sealed = False
        "Everything but its name is on the disk."
        self._handle: int | None = None
        self._installed = False

    def __enter__(self) -> Staged:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @property
    def handle(self) -> int:
        if self._handle is None:
            with doing("open", self.place):
                self._handle = self._fs.open_write(self.place)
        return self._handle

    def create(self) -> None:
        with doing("write", self.place):
            if self.target:
                self._fs.symlink(self.target, self.place)
            else:
                self._handle = self._fs.open_new(self.place)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        with doing("write", self.place):
            self._fs.write(self.handle, offset, data)

    def copy(self, old: LocalFile, ranges: Iterable[Range]) -> None:
        """Take over what did not change from the file at `old`. Raises Stale where that is not what is known."""
        with doing("copy", old.path):
            self.copy_place(old.path, ranges, old)

    def copy_place(self, place: str, ranges: Iterable[Range], old: LocalFile | None = None) -> None:
        """The same from any file below the top. Raises OSError."""
        source = self._fs.open_read(place)
        try:
            if old is not None and not old.matches(self._fs.fstat(source)):
                raise Stale(f"{old.path} changed", path=old.path)
            for begin, to, length in ranges:
                self._fs.copy_range(source, begin, self.handle, to, length)
        finally:
            self._fs.close(source)

    def seal(self, root: bytes, size: int, mtime_ns: int, mode: int, hashing: Hashing | None) -> None:
        """Everything that is not its name: checked, set, and on the disk. With `hashing` it is read again.

        `mode` 0 leaves it. What could not be synced is discarded: the system may have dropped its bytes, and would not
        say so a second time.
        """
        with doing("write", self.place):
            stat = self._fs.fstat(self.handle)
            if stat.size > size:
                # Storage that was made in whole blocks may be longer.
                self._fs.truncate(self.handle, size)
            if stat.size < size:
                raise WrongContent(f"{stat.size} of {size} bytes are there", path=self.place)
            if hashing is not None and hashing(self._fs, self.handle, size).root != root:
                raise WrongContent("the new file does not have its hash", path=self.place)
            if mode and mode != stat.mode:
                self._fs.set_mode(self.handle, mode)
            self._fs.set_times(self.handle, mtime_ns)
            try:
                self._fs.fsync(self.handle)
            except OSError:
                self.discard()
                raise
        self._close()
        self.sealed = True

    def _close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._fs.close(handle)

    def installed(self) -> None:
        """It has its name in the folder."""
        self._installed = True

    def returned(self) -> None:
        """It has lost it again."""
        self._installed = False

    def keep(self) -> None:
        """Close it, and leave it for later."""
        self._close()
        self._installed = True

    def discard(self) -> None:
        """Idempotent. What cannot be removed now is removed at the next start."""
        with contextlib.suppress(OSError):
            self._close()
        if self._installed:
            return
        self._installed = True
        with contextlib.suppress(OSError):
            self._fs.unlink(self.place)


def partial(root: bytes, size: int) -> str:
    """What a large file is called while it comes, in this process and in those after it."""
    return f"{root.hex()}-{size}"


def _ours(stat: Stat) -> bool:
    """A file that has no other name."""
    return stat.kind is Kind.FILE and stat.nlink <= 1


class Staging:
    """`.wildbach/tmp` of one folder."""

    def __init__(self, fs: Fs) -> None:
        self._fs = fs

    def prepare(self) -> None:
        """Make the directories. Raises StorageError."""
        with doing("make", HOME):
            for path in (HOME, TMP):
                try:
                    # Only for its owner: it has copies of what may stand in directories that others cannot enter.
                    self._fs.mkdir(path, 0o700)
                except FileExistsError:
                    if self._fs.lstat(path).kind is not Kind.DIR:
                        raise Blocked(f"{path} is not a directory", path=path) from None
                self._fs.fsync_dir(path.rpartition("/")[0])

    def recover(self, keep: Container[str] = ()) -> int:
        """At start: remove what an earlier process left, but for the names of downloads that go on. How many went."""
        self.prepare()
        gone = 0
        with doing("clean", TMP):
            for name, stat in list(self._fs.scandir(TMP)):
                if name in keep and _ours(stat):
                    continue
                # One that the system does not let go costs room, and is no reason to do nothing in the folder.
                with contextlib.suppress(OSError):
                    (self._fs.rmdir if stat.kind is Kind.DIR else self._fs.unlink)(f"{TMP}/{name}")
                    gone += stat.kind is not Kind.DIR
        return gone

    def sweep(self, keep: Container[str]) -> int:
        """Meanwhile: remove downloads that are not wanted any more (`partial` gave them their names). How many went."""
        gone = 0
        with doing("clean", TMP):
            for name, stat in list(self._fs.scandir(TMP)):
                if name not in keep and stat.kind is Kind.FILE and _PARTIAL.fullmatch(name):
                    with contextlib.suppress(FileNotFoundError):
                        self._fs.unlink(f"{TMP}/{name}")
                        gone += 1
        return gone

    def begun(self, name: str) -> int:
        """Make the file of a download, unless an earlier one left it: the bytes that are in it."""
        staged = self.existing(name)
        try:
            staged.create()
        except Stale:
            with doing("look at", staged.place):
                stat = self._fs.lstat(staged.place)
                if _ours(stat):
                    return stat.size
                # It is what a file that came like this replaced, and has a name among the versions: what is written
                # into it would be written there.
                self._fs.unlink(staged.place)
            staged.create()
        staged.keep()
        return 0

    def file(self, name: str = "") -> Staged:
        """A new empty file; its name is random unless one is given."""
        staged = Staged(self._fs, name or secrets.token_hex(8))
        staged.create()
        return staged

    def link(self, target: str) -> Staged:
        """A new symbolic link."""
        if not target or "\0" in target:
            raise BadName("is no target of a link", path=target)
        staged = Staged(self._fs, secrets.token_hex(8), target=target)
        staged.create()
        return staged

    def existing(self, name: str) -> Staged:
        """One that was written by other means, below `.wildbach/tmp`."""
        return Staged(self._fs, name)


