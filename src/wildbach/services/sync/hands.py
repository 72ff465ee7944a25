"""What the core decides, done on the disk: operations of a plan by the installer, and scans for the core.

All of it blocks, and runs in the folder's own thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.disk.folder import names, scan
from wildbach.disk.folder.fs import Fs
from wildbach.disk.folder.install import Installer
from wildbach.disk.folder.local import BadName, Blocked, FolderError, LocalFile, NoRoom, Shadowed, Stale, parent_of
from wildbach.disk.folder.scan import Scanner
from wildbach.disk.folder.staging import Range, Staged
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.services.sync.planner import Act, Op, Why
from wildbach.services.sync.store import KIND, MASK, FolderStore
from wildbach.services.sync.trees import Seen

_WHYS: Final[tuple[tuple[type[StorageError], Why], ...]] = (
    (Stale, Why.NOT_SCANNED), (NoRoom, Why.NO_ROOM), (BadName, Why.UNSTORABLE), (Shadowed, Why.SHADOWED),
    (Blocked, Why.NOT_EMPTY),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an operation: it is done, and this is how the path lies now; or why not."""

    op: Op
    seen: Seen | None = None
    why: Why | None = None
    error: StorageError | None = None


@dataclass(slots=True)
class Findings:
    """What a scan found: paths that are not as they were known, layers of what was read, and what was passed over."""

    changes: dict[str, Seen | None] = field(default_factory=dict)
    layers: dict[bytes, bytes] = field(default_factory=dict)
    skipped: dict[str, scan.Skipped] = field(default_factory=dict)
    stopped: bool = False


class Known:
    """Local, as the scanner asks for it."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def get(self, path: str) -> LocalFile | None:
        # The watcher also names what is not Unicode; that is never known.
        if path and not names.sendable(path):
            return None
        seen = self._store.local.get(path)
        return file_of(path, seen) if seen is not None else None

    def children(self, folder: str) -> Iterable[LocalFile]:
        if folder and not names.sendable(folder):
            return []
        # Of each file that is in step nothing more is needed than this, so it is made in one go.
        return [
            LocalFile(path, KIND[kind], size, mtime, ctime, dev & MASK, ino & MASK, bool(executable), root, target)
            for path, kind, size, mtime, ctime, dev, ino, executable, root, target in self._store.read(
                "SELECT path, kind, size, mtime, ctime, dev, ino, exec, root, target FROM local"
                " WHERE parent = ? AND path <> ''", folder)]

    def by_inode(self, ino: int) -> Iterable[LocalFile]:
        return [file_of(path, seen) for path, seen in self._store.by_inode(ino)]


def file_of(path: str, seen: Seen) -> LocalFile:
    return LocalFile(
        path, seen.kind, seen.size, seen.mtime_ns, seen.ctime_ns, seen.device, seen.inode, seen.executable, seen.root,
        seen.target)


def seen_of(file: LocalFile) -> Seen:
    return Seen(
        file.kind, file.size, file.mtime_ns, file.executable, file.root, file.target, file.dev, file.ino,
        file.ctime_ns)


class Hands:
    """Of one folder."""

    def __init__(self, fs: Fs, installer: Installer) -> None:
        self._fs = fs
        self._installer = installer

    # -- looking

    def look(self, scanner: Scanner, paths: Iterable[str]) -> Findings:
        """Scan what lies at and below `paths`; `""` is all. Raises StorageError."""
        found = Findings()
        for each in scanner.scan(paths):
            if isinstance(each, scan.Skipped):
                found.skipped[each.path] = each
                continue
            if each.old is not None and each.renamed and each.old.path not in found.changes:
                found.changes[each.old.path] = None
            found.changes[each.path] = seen_of(each.new) if each.new is not None else None
            if each.layer and each.new is not None:
                found.layers[each.new.root] = each.layer
        found.stopped = scanner.tally.stopped
        return found

    def confirmed(self, found: Findings) -> list[str]:
        """Take out of `found` what is not so any more: somebody was at work since. Returns these paths."""
        moved: list[str] = []
        for path, seen in list(found.changes.items()):
            try:
                stat = self._fs.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                still = seen is None
            except OSError:
                still = False
            else:
                still = seen is not None and file_of(path, seen).matches(stat)
            if not still:
                del found.changes[path]
                moved.append(path)
        return moved

    # -- doing

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Names that change inside are on the disk at the end."""
        with self._installer.batch():
            yield

    def do(self, op: Op, staged: Staged | None = None) -> Outcome:
        """One operation. `staged`: the content of a file that is to be installed and lies nowhere here; its hash was
        checked. It is used up.
        """
        try:
            seen = self._done(op, staged)
        except StorageError as error:
            return failed(op, error)
        finally:
            if staged is not None:
                staged.discard()
        return Outcome(op, seen)

    def _done(self, op: Op, staged: Staged | None) -> Seen | None:
        installer, path = self._installer, op.path
        expected = file_of(path, op.expect) if op.expect is not None else None
        match op.act:
            case Act.MKDIR:
                if expected is not None and expected.kind is not EntryKind.DIR:
                    installer.delete(expected)
                return seen_of(installer.make_dir(path))
            case Act.DELETE:
                if expected is not None:
                    installer.delete(expected)
                return None
            case Act.RMDIR:
                self._empty(path)
                return None
            case Act.META:
                if expected is None or op.entry is None:
                    raise Stale(f"{path} is not there", path=path)
                return seen_of(installer.set_meta(
                    expected, mtime_ns=op.entry.mtime_ns, executable=op.entry.executable))
            case Act.RENAME:
                return self._renamed(op, expected)
            case _:
                return self._installed(op, expected, staged)

    def _empty(self, path: str) -> None:
        if not self._installer.remove_dir(path):
            raise Blocked(f"{path} has files that are not kept the same", path=path)

    def _renamed(self, op: Op, expected: LocalFile | None) -> Seen:
        entry, source = _entry(op), _source(op)
        if expected is not None and expected.kind is EntryKind.DIR:
            self._empty(op.path)
        elif expected is not None:
            # Something is at the path at every moment: a copy takes its place, then the other name goes.
            seen = self._installed(op, expected, None)
            self._installer.delete(source)
            return seen
        now = self._installer.move(source, op.path)
        if now.kind is EntryKind.FILE and (now.mtime_ns, now.executable) != (entry.mtime_ns, entry.executable):
            now = self._installer.set_meta(now, mtime_ns=entry.mtime_ns, executable=entry.executable)
        return seen_of(now)

    def _installed(self, op: Op, expected: LocalFile | None, staged: Staged | None) -> Seen:
        """A file or a link: INSTALL, and COPY of a loser."""
        entry, installer = _entry(op), self._installer
        if expected is not None and expected.kind is EntryKind.DIR:
            self._empty(op.path)
            expected = None
        self._parents(op)
        if entry.kind is EntryKind.LINK:
            with installer.staging.link(entry.target) as link:
                return seen_of(installer.install(link, op.path, expected))
        if staged is not None:
            return self._placed(op, entry, expected, staged, check=False)
        with installer.staging.file() as made:
            if entry.size:
                made.copy(_source(op), [Range(0, 0, entry.size)])
            return self._placed(op, entry, expected, made, check=bool(entry.size))

    def _placed(self, op: Op, entry: Entry, expected: LocalFile | None, staged: Staged, *, check: bool) -> Seen:
        return seen_of(self._installer.install(
            staged, op.path, expected, root=entry.root, size=entry.size, mtime_ns=entry.mtime_ns,
            executable=entry.executable, check=check))

    def _parents(self, op: Op) -> None:
        """The directory of a conflict copy is that of the path, and may have gone meanwhile."""
        if op.act is Act.COPY and (above := parent_of(op.path)):
            self._installer.make_dir(above)


def failed(op: Op, error: StorageError) -> Outcome:
    if isinstance(error, FolderError):
        return Outcome(op, None, next((why for kind, why in _WHYS if isinstance(error, kind)), Why.DISK), error)
    return Outcome(op, None, Why.NO_ROOM if error.code == "disk_full" else Why.DISK, error)


def _entry(op: Op) -> Entry:
    if op.entry is None:
        raise Stale(f"nothing says what {op.path} is to be", path=op.path)
    return op.entry


def _source(op: Op) -> LocalFile:
    if op.source is None or op.source_expect is None:
        raise Stale(f"the content of {op.path} is not here", path=op.path)
    return file_of(op.source, op.source_expect)
