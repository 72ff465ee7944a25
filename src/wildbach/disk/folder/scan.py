"""What changed in a folder: it is walked once and compared, directory by directory, with the table of the last scan.

Only what changed is read. Memory follows the largest directory and what vanished, not the folder. What could not be
looked at is no deletion: a path that is unreadable, of another kind, ignored or on another file system stays as it is
known, with a reason. Vanished paths come last, after the folder proved to be still there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from wildbach.base import limits
from wildbach.disk.folder import names
from wildbach.disk.folder.fs import Fs, Kind, Stat
from wildbach.disk.folder.hashing import Hashed, Hashing, hash_file
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.local import IGNORE, Known, LocalFile, parent_of, under
from wildbach.disk.system import storage_error
from wildbach.protocol.sync.entries import EntryKind

PAUSES: Final = (0.03, 0.1, 0.4, 1.0)
"Seconds before a file that changes while it is read is tried again."
YOUNG_NS: Final = 20_000_000
"A file that changed so shortly ago can change again without a trace in its times: the ticks of file systems."


class Why(Enum):
    """Why a path is left as it is known."""

    CHANGING = "changing"
    "It changes all the time: look again later."
    NO_PERMISSION = "no_permission"
    IO_ERROR = "io_error"
    SPECIAL = "special"
    "A socket, a device, a pipe."
    BAD_NAME = "bad_name"
    OTHER_DEVICE = "other_device"
    "Another file system is mounted there."
    CLASH = "clash"
    "Two names that are the same in Unicode's form NFC."
    IGNORED = "ignored"
    "It was known, and a pattern names it now: forget it; it is no deletion."
    DISK = "disk"
    "Anything else that the system said."


@dataclass(frozen=True, slots=True)
class Change:
    """A path that is not as it is known. `old` None: it is new; `new` None: it is gone.

    With `renamed` the new one stood at `old.path` before, and that path is gone (or holds something else, told apart).
    """

    path: str
    old: LocalFile | None
    new: LocalFile | None
    layer: bytes = b""
    "The piece layer of what was hashed, where it has one."
    renamed: bool = False

    @property
    def touched(self) -> bool:
        """Only the stat differs, or the time: there is nothing to send but perhaps the time."""
        return (
            self.old is not None and self.new is not None and not self.renamed
            and (self.old.kind, self.old.size, self.old.root, self.old.target, self.old.executable)
            == (self.new.kind, self.new.size, self.new.root, self.new.target, self.new.executable)
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path, and all below it, that stays as it is known."""

    path: str
    why: Why
    detail: str = ""


@dataclass
class Tally:
    """How a scan went."""

    files: int = 0
    folders: int = 0
    hashed: int = 0
    hashed_bytes: int = 0
    skipped: int = 0
    vanished: int = 0
    stopped: bool = False


Found = Change | Skipped


class _Stopped(Exception):
    pass


@dataclass
class _Pass:
    """What one scan has in hand."""

    gone: list[LocalFile] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    "Paths whose file was found elsewhere."
    later: list[tuple[str, LocalFile | None]] = field(default_factory=list)
    device: int = 0


class Scanner:
    """Scans one folder; for one thread at a time. Blocks.

    `verify` raises where the folder is no longer there (a disk that was unplugged); it is called before anything is
    said to be gone. `pause` waits some seconds, `now_ns` is nanoseconds since 1970. The caller may write each finding
    to the table as it comes. Names that are not in NFC are renamed with `rename_names`, else skipped.
    """

    def __init__(
        self, fs: Fs, known: Known, *, now_ns: Callable[[], int], pause: Callable[[float], None],
        verify: Callable[[], None], ignores: Ignores | None = None, hashing: Hashing = hash_file,
        stop: Callable[[], bool] = lambda: False, young_ns: int = YOUNG_NS, rename_names: bool = True,
        executable: bool = True,
    ) -> None:
        self.tally = Tally()
        "Of the last scan."
        self._fs = fs
        self._known = known
        self._now_ns = now_ns
        self._pause = pause
        self._verify = verify
        self._ignores = ignores if ignores is not None else Ignores()
        self._hashing = hashing
        self._stop = stop
        self._young_ns = young_ns
        self._rename_names = rename_names
        self._executable = executable

    def scan(self, paths: Iterable[str] = ("",)) -> Iterator[Found]:
        """Findings below each of `paths` (`""` is the top: all). Directories come before what they hold.

        Raises StorageError where the top cannot be read, and what `verify` raises. Where `stop` says so it ends early
        and names nothing as gone.
        """
        self.tally = Tally()
        held = _Pass()
        try:
            held.device = self._fs.lstat("").dev
            for path in self._tops(paths):
                if path:
                    yield from self._dirty(path, held)
                else:
                    yield from self._folder("", held)
            yield from self._again(held)
        except _Stopped:
            self.tally.stopped = True
            return
        except OSError as error:
            raise storage_error(error, "read", "the folder") from error
        if held.gone:
            self._verify()
        for known in held.gone:
            if known.path not in held.moved:
                self.tally.vanished += 1
                yield Change(known.path, known, None)

    # what is looked at

    def _tops(self, paths: Iterable[str]) -> list[str]:
        """The paths of a wish, without those that others cover. Where a directory above is new, that one."""
        chosen: set[str] = set()
        for path in paths:
            at = ""
            for part in path.split("/") if path else ():
                at = f"{at}/{part}" if at else part
                if at != path and self._known.get(at) is None:
                    break
            chosen.add(at)
        if "" in chosen:
            return [""]
        out: list[str] = []
        for path in sorted(chosen, key=lambda path: path.split("/")):
            if not out or not (path == out[-1] or under(path, out[-1])):
                out.append(path)
        return out

    def _dirty(self, path: str, held: _Pass) -> Iterator[Found]:
        """One path of the watcher."""
        if names.reserved(path) or path == IGNORE:
            return
        known = self._known.get(path)
        holder = parent_of(path)
        try:
            stat = self._fs.lstat(path)
            if holder and self._fs.lstat(holder).dev != held.device:
                yield self._skip(path, Why.OTHER_DEVICE)
                return
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                yield self._failed(path, error)
            else:
                for file in [known] if known is not None else self._known.children(path):
                    self._vanish(file, held)
            return
        if holder and self._ignores.ignored(holder, folder=True):
            return
        yield from self._path(path, stat, known, held)

    def _folder(self, path: str, held: _Pass) -> Iterator[Found]:
        """What stands in a directory."""
        self._check_stop()
        self.tally.folders += 1
        known = {file.path: file for file in self._known.children(path)}
        try:
            found = list(self._fs.scandir(path))
        except OSError as error:
            if not path:
                raise
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                # It vanished between two looks: what it held is gone with it.
                for file in known.values():
                    self._vanish(file, held)
                return
            yield self._failed(path, error)
            return
        if not all(name.isascii() for name, _ in found):
            found, skipped = self._composed(path, found)
            for name, why in skipped:
                whole = f"{path}/{name}" if path else name
                known.pop(whole, None)
                yield self._skip(names.printable(whole), why)
        below: list[tuple[str, LocalFile | None]] = []
        rules = bool(self._ignores.rules)
        above = f"{path}/" if path else ""
        for name, stat in found:
            if not path and name[0] == "." and (names.reserved(name) or name == IGNORE):
                continue
            whole = above + name
            before = known.pop(whole, None)
            if stat.kind is Kind.DIR:
                below.append((whole, before))
            elif (
                before is not None and before.matches(stat) and self._bit(before, stat)
                and not (rules and self._ignores.here(whole, folder=False))
            ):
                self.tally.files += 1
            else:
                yield from self._path(whole, stat, before, held)
        for file in known.values():
            self._vanish(file, held)
        del known, found
        below.sort(key=lambda entry: entry[0])
        for whole, before in below:
            try:
                stat = self._fs.lstat(whole)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    yield self._failed(whole, error)
                elif before is not None:
                    self._vanish(before, held)
                continue
            yield from self._path(whole, stat, before, held)

    def _path(self, path: str, stat: Stat, known: LocalFile | None, held: _Pass) -> Iterator[Found]:
        refusal = names.refusal(path)
        if refusal:
            yield self._skip(names.printable(path), Why.BAD_NAME, refusal)
            return
        folder = stat.kind is Kind.DIR
        if self._ignores.rules and self._ignores.here(path, folder=folder):
            if known is not None:
                yield self._skip(path, Why.IGNORED)
            return
        if stat.dev != held.device:
            yield self._skip(path, Why.OTHER_DEVICE)
            return
        if stat.kind is Kind.OTHER:
            yield self._skip(path, Why.SPECIAL)
            return
        if known is not None and known.kind is EntryKind.DIR and not folder:
            for file in list(self._known.children(path)):
                self._vanish(file, held)
        if folder:
            if known is None or not known.matches(stat):
                yield self._named(LocalFile.made(path, stat), known, held, b"")
            yield from self._folder(path, held)
            return
        self.tally.files += 1
        if known is not None and known.matches(stat) and self._bit(known, stat):
            return
        if stat.kind is Kind.LINK:
            yield from self._link(path, stat, known, held)
            return
        yield from self._file(path, known, held)

    def _bit(self, known: LocalFile, stat: Stat) -> bool:
        return not self._executable or known.kind is not EntryKind.FILE or known.executable == bool(stat.mode & 0o100)

    # files

    def _file(self, path: str, known: LocalFile | None, held: _Pass) -> Iterator[Found]:
        try:
            made = self._read(path)
        except OSError as error:
            yield from self._unread(path, known, held, error)
            return
        if made is None:
            held.later.append((path, known))
            return
        stat, hashed = made
        yield self._named(self._made(path, stat, hashed.root, known), known, held, hashed.layer)

    def _made(self, path: str, stat: Stat, root: bytes, known: LocalFile | None) -> LocalFile:
        if not self._executable:
            stat = stat._replace(mode=0o100 if known is not None and known.executable else 0)
        return LocalFile.made(path, stat, root=root)

    def _read(self, path: str) -> tuple[Stat, Hashed] | None:
        """The hashes of a file that stood still meanwhile; None where it did not."""
        self._check_stop()
        handle = self._fs.open_read(path)
        try:
            before = self._fs.fstat(handle)
            if before.kind is not Kind.FILE or before.size > limits.SYNC_FILE_BYTES:
                return None
            try:
                hashed = self._hashing(self._fs, handle, before.size)
            except EOFError:
                return None
            after = self._fs.fstat(handle)
        finally:
            self._fs.close(handle)
        self.tally.hashed += 1
        self.tally.hashed_bytes += before.size
        if after != before or abs(self._now_ns() - after.ctime_ns) < self._young_ns:
            return None
        return (after, hashed) if self._fs.lstat(path) == after else None

    def _again(self, held: _Pass) -> Iterator[Found]:
        """Files that changed while they were read, with longer and longer pauses."""
        for seconds in PAUSES:
            if not held.later:
                return
            self._pause(seconds)
            waiting, held.later = held.later, []
            for path, known in waiting:
                yield from self._path_again(path, known, held)
        for path, _ in held.later:
            yield self._skip(path, Why.CHANGING)

    def _path_again(self, path: str, known: LocalFile | None, held: _Pass) -> Iterator[Found]:
        try:
            stat = self._fs.lstat(path)
        except OSError as error:
            yield from self._unread(path, known, held, error)
            return
        self.tally.files -= stat.kind in (Kind.FILE, Kind.LINK)
        yield from self._path(path, stat, known, held)

    def _unread(self, path: str, known: LocalFile | None, held: _Pass, error: OSError) -> Iterator[Found]:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            if known is not None:
                self._vanish(known, held)
        elif error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            # It became something else between two looks.
            held.later.append((path, known))
        else:
            yield self._failed(path, error)

    def _link(self, path: str, stat: Stat, known: LocalFile | None, held: _Pass) -> Iterator[Found]:
        try:
            target = self._fs.readlink(path)
            stood = self._fs.lstat(path) == stat
        except OSError as error:
            if error.errno == errno.EINVAL:
                held.later.append((path, known))
            else:
                yield from self._unread(path, known, held, error)
            return
        if not stood:
            held.later.append((path, known))
        elif not names.sendable(target):
            yield self._skip(path, Why.BAD_NAME, "where the link points is not Unicode, or too long")
        else:
            yield self._named(LocalFile.made(path, stat, target=target), known, held, b"")

    # renames and what is gone

    def _named(self, new: LocalFile, known: LocalFile | None, held: _Pass, layer: bytes) -> Change:
        """A change at a path; where it is new, perhaps something that stood elsewhere."""
        held.moved.discard(new.path)
        if known is None:
            for old in self._known.by_inode(new.ino):
                if old.path not in held.moved and self._came_from(old, new):
                    held.moved.add(old.path)
                    return Change(new.path, old, new, layer, renamed=True)
        return Change(new.path, known, new, layer)

    def _came_from(self, old: LocalFile, new: LocalFile) -> bool:
        """True where `new` is what stood at `old.path`, and stands there no longer."""
        if (old.kind, old.size, old.root, old.target) != (new.kind, new.size, new.root, new.target):
            return False
        if old.kind is not EntryKind.DIR and old.mtime_ns != new.mtime_ns:
            return False
        if old.path == new.path:
            return False
        try:
            there = self._fs.lstat(old.path)
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        if there.ino != old.ino:
            return True
        # On a file system that folds case the old name still leads to it.
        folder = parent_of(old.path)
        name = old.path.rpartition("/")[2]
        return all(names.composed(found) != name for found, _ in self._fs.scandir(folder))

    def _vanish(self, known: LocalFile, held: _Pass) -> None:
        """A path and all below it is gone, unless it is found elsewhere."""
        waiting = [known]
        while waiting:
            file = waiting.pop()
            if self._ignores.rules and self._ignores.ignored(file.path, folder=file.kind is EntryKind.DIR):
                continue
            held.gone.append(file)
            if file.kind is EntryKind.DIR:
                waiting.extend(self._known.children(file.path))

    # names

    def _composed(
        self, folder: str, found: list[tuple[str, Stat]]
    ) -> tuple[list[tuple[str, Stat]], list[tuple[str, Why]]]:
        """Names in NFC; those that are not get it on the disk, unless the file system does so by itself."""
        taken = {name for name, _ in found}
        out: list[tuple[str, Stat]] = []
        skipped: list[tuple[str, Why]] = []
        for name, stat in found:
            wanted = names.composed(name)
            if wanted == name:
                out.append((name, stat))
            elif wanted in taken:
                skipped.append((name, Why.CLASH))
            else:
                taken.add(wanted)
                if self._rename(folder, name, wanted, stat):
                    out.append((wanted, stat))
                else:
                    skipped.append((name, Why.BAD_NAME))
        return out, skipped

    def _rename(self, folder: str, name: str, wanted: str, stat: Stat) -> bool:
        path, to = (f"{folder}/{name}", f"{folder}/{wanted}") if folder else (name, wanted)
        try:
            return self._fs.lstat(to).ino == stat.ino
        except FileNotFoundError:
            pass
        if not self._rename_names:
            return False
        try:
            self._fs.rename_new(path, to)
        except OSError:
            return False
        return True

    # reasons

    def _check_stop(self) -> None:
        if self._stop():
            raise _Stopped

    def _skip(self, path: str, why: Why, detail: str = "") -> Skipped:
        self.tally.skipped += 1
        return Skipped(path, why, detail)

    def _failed(self, path: str, error: OSError) -> Skipped:
        why = {
            errno.EACCES: Why.NO_PERMISSION, errno.EPERM: Why.NO_PERMISSION, errno.EIO: Why.IO_ERROR,
            errno.ENAMETOOLONG: Why.BAD_NAME,
        }.get(error.errno or 0, Why.DISK)
        return self._skip(path, why, error.strerror or "")
