"""Changes of other devices, done on the disk so that at every moment the old or the new is there.

A file is made in `.wildbach/tmp`, hashed, synced, and only then takes its name; what it replaces gets a second name
among the versions before that. Each step first makes sure that the disk still holds what the table knows, and raises
Stale where not. Nothing is in the database until `flush` returned: a crash before leaves a disk that a scan explains.

Not for two threads at once on the same path.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from wildbach.disk.folder import names
from wildbach.disk.folder.fs import NOT_ABLE, Fs, Kind, Stat, with_bit
from wildbach.disk.folder.hashing import Hashing, hash_file
from wildbach.disk.folder.local import BadName, Blocked, FolderError, LocalFile, NoRoom, Shadowed, Stale, parent_of
from wildbach.disk.folder.names import Traits
from wildbach.disk.folder.staging import Range, Staged, Staging, doing
from wildbach.disk.folder.versions import Version, Versions
from wildbach.protocol.sync.entries import EntryKind

_VERSION: Final = "\0version"
"In place of a path: the old one goes among the versions."


class Installer:
    """All that changes a kept folder. Methods block, and raise FolderError (nothing changed) or StorageError (a scan
    shows what changed).
    """

    def __init__(
        self, fs: Fs, versions: Versions, *, traits: Traits | None = None, hashing: Hashing = hash_file
    ) -> None:
        self.traits = traits if traits is not None else Traits()
        self.staging = Staging(fs)
        self.versions = versions
        self._fs = fs
        self._hashing = hashing
        self._grown: dict[str, None] = {}
        self._batches = 0
        self._spelt: dict[str, int] = {}

    # durability

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Directories that change inside are synced once, at the end. Commit to the database after it."""
        self._batches += 1
        try:
            yield
        finally:
            self._batches -= 1
        self._settle()

    def flush(self) -> None:
        """Make durable what was done: names of files, that is; their bytes are."""
        for folder in list(self._grown):
            with doing("sync", folder), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self._fs.fsync_dir(folder)
            del self._grown[folder]

    def _changed(self, *paths: str) -> None:
        for path in paths:
            self._grown[parent_of(path)] = None

    def _settle(self) -> None:
        if not self._batches:
            self.flush()

    # files and links

    def seal(self, staged: Staged, *, size: int, mtime_ns: int, executable: bool) -> None:
        """Put it on the disk ahead of `install`, which then only adds the mode of a file that it replaces. For several
        threads at once: the disk makes one of flushes that come together.
        """
        with doing("look at", staged.place):
            mode = with_bit(self._fs.fstat(staged.handle).mode, executable) if self.traits.executable else 0
        staged.seal(b"", size, mtime_ns, mode, None)

    def install(
        self, staged: Staged, path: str, expected: LocalFile | None, *, root: bytes = b"", size: int = 0,
        mtime_ns: int = 0, executable: bool = False, aside: str = "", keep: bool = True, check: bool = True,
    ) -> LocalFile:
        """Give a staged file or link its name.

        `expected` is what the table knows there, None for nothing. That goes among the versions, or with `aside` gets
        that path (a conflict copy), or with `keep` false goes. `check` reads the new file again and raises
        WrongContent where its hash is not `root`. After any error the staged file can be tried again or discarded.
        """
        now = self._check_target(path, expected)
        if not staged.target and not (staged.sealed and now is None):
            with doing("look at", path):
                # Who could not read the old file cannot read the new one.
                kept = now if now is not None and now.kind is Kind.FILE else self._fs.fstat(staged.handle)
            mode = with_bit(kept.mode, executable) if self.traits.executable else 0
            staged.seal(root, size, mtime_ns, mode, self._hashing if check else None)
        with doing("install", path):
            old = self._keep(path, expected, aside or (_VERSION if keep else ""), staged)
            try:
                self._swap(staged, path, expected, old)
            except (OSError, FolderError):
                if not old.swapped:
                    self._undo(old)
                raise
            staged.installed()
            self._changed(path)
            now = self._fs.lstat(path)
        if old.version and expected is not None:
            self.versions.added(expected.size)
        self._settle()
        return LocalFile.made(path, now, root=root, target=staged.target)

    def delete(self, expected: LocalFile) -> None:
        """A file or link goes among the versions. Needs no room."""
        path = expected.path
        self._check_target(path, expected)
        with doing("delete", path):
            place = self.versions.prepare(path)
            self._fs.rename(path, place)
            if not expected.same_inode(self._fs.lstat(place)):
                self._rename_new(place, path)
                raise Stale(f"{path} changed", path=path)
            self._fs.fsync_dir(parent_of(place))
            self._changed(path)
        self.versions.added(expected.size)
        self._settle()

    def move(self, expected: LocalFile, to: str) -> LocalFile:
        """Another name for a file, a link, or a directory with all that is in it. `to` is free."""
        path = expected.path
        self._check_target(path, expected)
        with doing("rename", to):
            same = self._lstat(to)
            if same is not None and self.traits.key(path) == self.traits.key(to) and same.ino == expected.ino:
                self._fs.rename(path, to)
            else:
                self._check_target(to, None)
                self._rename_new(path, to)
            self._changed(path, to)
            now = self._fs.lstat(to)
            if not expected.same_inode(now):
                self._rename_new(to, path)
                raise Stale(f"{path} changed", path=path)
        self._spelt.clear()
        self._settle()
        return LocalFile.made(to, now, root=expected.root, target=expected.target)

    def set_meta(self, expected: LocalFile, *, mtime_ns: int, executable: bool) -> LocalFile:
        """Time and exec bit of a file whose content stays."""
        path = expected.path
        with doing("change", path):
            handle = self._fs.open_read(path)
            try:
                if not expected.matches(self._fs.fstat(handle)):
                    raise Stale(f"{path} changed", path=path)
                if self.traits.executable:
                    self._fs.set_mode(handle, with_bit(self._fs.fstat(handle).mode, executable))
                self._fs.set_times(handle, mtime_ns)
                self._fs.fsync(handle)
                now = self._fs.fstat(handle)
            finally:
                self._fs.close(handle)
        return LocalFile.made(path, now, root=expected.root)

    def restore(self, version: Version, path: str, expected: LocalFile | None) -> LocalFile:
        """A version stands at `path` again; what is there becomes a version. The change is one of this device."""
        if version.kind is Kind.LINK:
            with doing("read", version.place):
                target = self._fs.readlink(version.place)
            with self.staging.link(target) as staged:
                return self.install(staged, path, expected)
        with self.staging.file() as staged:
            with doing("restore", path):
                executable = bool(self._fs.lstat(version.place).mode & 0o100)
                if version.size:
                    staged.copy_place(version.place, [Range(0, 0, version.size)])
                root = self._hashing(self._fs, staged.handle, version.size).root
            return self.install(
                staged, path, expected, root=root, size=version.size, mtime_ns=version.mtime_ns,
                executable=executable, check=False,
            )

    # directories

    def make_dir(self, path: str) -> LocalFile:
        """Also where it is there."""
        self._check_parent(path)
        with doing("make", path):
            now = self._lstat(path)
            if now is None:
                with _naming(path):
                    self._fs.mkdir(path)
                self._changed(path)
                now = self._fs.lstat(path)
            elif now.kind is not Kind.DIR:
                raise Stale(f"{path} is not a directory", path=path)
            else:
                self._check_spelling(path)
        self._settle()
        return LocalFile.made(path, now)

    def remove_dir(self, path: str) -> bool:
        """Remove an empty directory; False where something is in it, as a file that is ignored."""
        self._check_parent(path)
        try:
            with doing("remove", path):
                now = self._lstat(path)
                if now is None:
                    return True
                if now.kind is not Kind.DIR:
                    raise Stale(f"{path} is not a directory", path=path)
                self._fs.rmdir(path)
        except Blocked:
            return False
        self._changed(path)
        self._settle()
        return True

    # the parts of a change

    def _lstat(self, path: str) -> Stat | None:
        try:
            return self._fs.lstat(path)
        except FileNotFoundError:
            return None

    def _check_target(self, path: str, expected: LocalFile | None) -> Stat | None:
        self._check_parent(path)
        with doing("look at", path):
            now = self._lstat(path)
        if now is not None:
            with doing("look at", path):
                self._check_spelling(path)
        if expected is None:
            if now is not None:
                raise Stale(f"{path} is there", path=path)
        elif now is None or not expected.matches(now):
            raise Stale(f"{path} changed", path=path)
        return now

    def _check_parent(self, path: str) -> None:
        if names.reserved(path):
            raise BadName(f"{path} is wildbach's own", path=path)
        reason = names.refusal(path)
        if reason:
            raise BadName(f"{path}: {reason}", path=path)
        holder = parent_of(path)
        if not holder:
            return
        with doing("look at", holder):
            now = self._lstat(holder)
            if now is None or now.kind is not Kind.DIR:
                raise Blocked(f"{holder} is not a directory", path=holder)
            at = ""
            for part in holder.split("/") if not self.traits.exact else ():
                at = f"{at}/{part}" if at else part
                self._check_spelling(at)

    def _check_spelling(self, path: str) -> None:
        """On a file system where names fold: the name on the disk is this one, not another that is the same there."""
        if self.traits.exact:
            return
        ino = self._fs.lstat(path).ino
        if self._spelt.get(path) == ino:
            return
        wanted = path.rpartition("/")[2]
        key = self.traits.key
        for name, _ in self._fs.scandir(parent_of(path)):
            if key(name) == key(wanted):
                if names.composed(name) != wanted:
                    raise Shadowed(f"{path} is {name} here", path=path)
                break
        self._spelt[path] = ino

    def _keep(self, path: str, expected: LocalFile | None, to: str, staged: Staged) -> _Old:
        """The second name of what will be replaced, on the disk before it is."""
        old = _Old()
        if expected is None or not to:
            return old
        if expected.kind is EntryKind.DIR:
            raise Blocked(f"{path} is a directory", path=path)
        old.version = to == _VERSION
        if old.version:
            if not self.versions.room_for(expected.size):
                raise NoRoom(f"no room among the versions for what stands at {path}", path=path)
            to = self.versions.prepare(path)
        else:
            self._check_target(to, None)
        if self.traits.hard_links and self._link(path, to):
            old.place = to
            if not expected.same_inode(self._fs.lstat(to)):
                self._undo(old)
                raise Stale(f"{path} changed", path=path)
        elif self.traits.exchanges and old.version:
            # The new file waits under the name that the old one will have, then both change places in one step. A crash
            # between leaves a version too many, which a conflict copy must not be.
            self._rename_new(staged.place, to)
            old.place = old.made = to
            old.back = staged.place
        else:
            old.place = self._copy(expected, to)
        try:
            self._fs.fsync_dir(parent_of(to))
        except OSError:
            self._undo(old)
            raise
        if not old.version:
            self._changed(to)
        return old

    def _link(self, path: str, to: str) -> bool:
        try:
            self._fs.link(path, to)
        except OSError as error:
            if error.errno not in NOT_ABLE:
                raise
            return False
        return True

    def _copy(self, expected: LocalFile, to: str) -> str:
        """The slow way, which needs room: for file systems with neither hard links nor exchanges."""
        if expected.kind is EntryKind.LINK:
            self._fs.symlink(self._fs.readlink(expected.path), to)
            return to
        mode = self._fs.lstat(expected.path).mode if self.traits.executable else 0
        with self.staging.file() as copy:
            if expected.size:
                copy.copy(expected, [Range(0, 0, expected.size)])
            copy.seal(expected.root, expected.size, expected.mtime_ns, mode, self._hashing)
            self._rename_new(copy.place, to)
            copy.installed()
        return to

    def _swap(self, staged: Staged, path: str, expected: LocalFile | None, old: _Old) -> None:
        place = old.made or staged.place
        if expected is None:
            self._rename_new(place, path)
        elif self.traits.exchanges:
            self._fs.exchange(place, path)
            # From here on the old file stands in the place of the new one, and must not be discarded for it.
            old.swapped = True
            staged.installed()
            try:
                same = expected.same_inode(self._fs.lstat(place))
            except OSError:
                # What was replaced cannot be looked at: it gets its name back, and the new file is discarded.
                self._fs.exchange(place, path)
                old.swapped = False
                staged.returned()
                raise
            if not same:
                # Whoever replaced the file in the last moment finds it where it was.
                self._fs.exchange(place, path)
                old.swapped = False
                staged.returned()
                raise Stale(f"{path} changed", path=path)
            if not old.made:
                self._fs.unlink(place)
        else:
            self._fs.rename(place, path)

    def _rename_new(self, path: str, to: str) -> None:
        """Without replacing, where the system can promise that; else it is looked at right before."""
        if not self.traits.no_replace and self._lstat(to) is not None:
            raise Stale(f"{to} is there", path=to)
        with _naming(to):
            (self._fs.rename_new if self.traits.no_replace else self._fs.rename)(path, to)

    def _undo(self, old: _Old) -> None:
        with contextlib.suppress(OSError):
            if old.back:
                self._fs.rename(old.place, old.back)
            elif old.place:
                self._fs.unlink(old.place)


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """A path is made by the calls inside: a disk that does not take the name, as one with a colon, says "invalid"."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise BadName(f"{path}: this disk does not take the name", path=path, errno=errno.EINVAL) from error


class _Old:
    """Where the old file has its second name."""

    def __init__(self) -> None:
        self.place = ""
        self.made = ""
        "Where the new file waits, if not where it was staged."
        self.back = ""
        self.version = False
        self.swapped = False
        "The new file has its name, whatever else went wrong."


