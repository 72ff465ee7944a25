"""A device whose disk is the product's: its scan, its installer and its versions, on a file system that forgets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tests.syncsim.device import Device, Fetch
from tests.syncsim.disk import Disk, Node, fold, root_of

from wildbach.base.errors import StorageError
from wildbach.disk.folder.fs import Kind
from wildbach.disk.folder.install import Installer
from wildbach.disk.folder.local import HOME, BadName, FolderError, LocalFile, NoRoom, parent_of
from wildbach.disk.folder.names import Traits
from wildbach.disk.folder.scan import Change, Scanner
from wildbach.disk.folder.versions import Versions
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.services.sync.planner import Act, Op, Why
from wildbach.services.sync.trees import Seen
from wildbach.testing.fakefs import Crash, FakeFs

KINDS = {Kind.FILE: EntryKind.FILE, Kind.DIR: EntryKind.DIR, Kind.LINK: EntryKind.LINK}


def seen_of(file: LocalFile) -> Seen:
    return Seen(
        file.kind, file.size, file.mtime_ns, file.executable, file.root, file.target, file.dev, file.ino, file.ctime_ns)


def file_of(path: str, seen: Seen) -> LocalFile:
    return LocalFile(
        path, seen.kind, seen.size, seen.mtime_ns, seen.ctime_ns, seen.device, seen.inode, seen.executable, seen.root,
        seen.target)


class FolderDisk(Disk):
    """What users do and see; what the device does goes through the installer."""

    def __init__(self, *, folds: bool = False) -> None:
        super().__init__(folds=folds)
        self.ticks = 1_790_000_000_000_000_000
        self.fs = FakeFs(self._now, folds=folds)
        self.temporary = {}
        self.fs.mkdir(HOME)

    def _now(self) -> int:
        self.ticks += 1
        return self.ticks

    @property
    def versions(self) -> dict[bytes, bytes]:
        with self.fs.quietly():
            kept = [self.fs.read(each.place) for each in Versions(self.fs, self._now).history()
                    if each.kind is Kind.FILE]
        return {root_of(data): data for data in kept}

    @versions.setter
    def versions(self, value: dict[bytes, bytes]) -> None:
        """The versions lie on the disk alone."""

    def walk(self) -> Iterator[tuple[str, Node]]:
        with self.fs.quietly():
            return iter(sorted(self._walk(""), key=lambda each: each[0]))

    def _walk(self, folder: str) -> Iterator[tuple[str, Node]]:
        for name, stat in self.fs.scandir(folder):
            path = f"{folder}/{name}" if folder else name
            if path == HOME:
                continue
            kind = KINDS[stat.kind]
            yield path, Node(
                kind, self.fs.read(path) if kind is EntryKind.FILE else b"", stat.mtime_ns,
                kind is EntryKind.FILE and bool(stat.mode & 0o100),
                self.fs.readlink(path) if kind is EntryKind.LINK else "", stat.ino, stat.ctime_ns)
            if kind is EntryKind.DIR:
                yield from self._walk(path)

    def get(self, path: str) -> Node | None:
        return dict(self.walk()).get(path)

    def taken(self, path: str) -> bool:
        with self.fs.quietly(), contextlib.suppress(OSError):
            self.fs.lstat(path)
            return True
        return False

    def put(self, path: str, node: Node) -> None:
        with self.fs.quietly():
            there = self.get(path)
            if there is not None and there.kind is not EntryKind.FILE and there.kind is not EntryKind.DIR:
                self.fs.unlink(path)
            if node.kind is EntryKind.DIR:
                self.fs.mkdir(path)
            elif node.kind is EntryKind.LINK:
                if there is not None and there.kind is EntryKind.FILE:
                    self.fs.unlink(path)
                self.fs.symlink(node.target, path)
            else:
                self.fs.put(path, node.data, mtime_ns=node.mtime_ns)
                handle = self.fs.open_write(path)
                self.fs.set_mode(handle, 0o755 if node.executable else 0o644)
                self.fs.close(handle)
            self.fs.sync_all()

    def remove(self, path: str) -> None:
        with self.fs.quietly():
            if self.fs.lstat(path).kind is Kind.DIR:
                self.fs.rmdir(path)
            else:
                self.fs.unlink(path)
            self.fs.sync_all()

    def move(self, old: str, new: str) -> None:
        with self.fs.quietly():
            self.fs.rename(old, new)
            self.fs.sync_all()

    @property
    def left(self) -> list[str]:
        """Temporary files."""
        return [path for path in self.fs.tree() if path.startswith(f"{HOME}/tmp/")]


class _Known:
    """Local, as the scanner asks for it."""

    def __init__(self, device: FolderDevice) -> None:
        self._items: dict[str, Seen] = device.store.local.items

    def get(self, path: str) -> LocalFile | None:
        seen = self._items.get(path)
        return file_of(path, seen) if seen is not None else None

    def children(self, folder: str) -> Iterable[LocalFile]:
        return [file_of(path, seen) for path, seen in self._items.items() if parent_of(path) == folder]

    def by_inode(self, ino: int) -> Iterable[LocalFile]:
        return [file_of(path, seen) for path, seen in self._items.items() if seen.inode == ino]


class FolderDevice(Device):
    """Kills and errors strike any call of the file system; a kill may be a power cut."""

    disk: FolderDisk

    def _make_disk(self, folds: bool) -> Disk:
        disk = FolderDisk(folds=folds)
        self.fs = disk.fs
        self._open(disk)
        return disk

    def _open(self, disk: FolderDisk) -> None:
        self.traits = Traits(folds=True) if disk.folds else Traits()
        with disk.fs.quietly():
            self.installer = Installer(disk.fs, Versions(disk.fs, disk._now, share=1.0), traits=self.traits)
            self.installer.staging.recover()
            disk.fs.sync_all()
        disk.fs.fault = self._fault

    def _fault(self, number: int, name: str, path: str) -> None:
        if self.rng.random() < self.crash_chance:
            raise Crash
        if self.rng.random() < self.error_chance:
            raise OSError(self.rng.choice((5, 28)), name)

    def _recover(self) -> None:
        if self.rng.random() < 0.5:
            self.fs.power_cut(self.rng if self.rng.random() < 0.5 else None)
        else:
            self.fs.kill()
        self._open(self.disk)

    def _scanner(self) -> Scanner:
        return Scanner(
            self.fs, _Known(self), now_ns=self.disk._now, pause=lambda seconds: None, verify=lambda: None, young_ns=0)

    def scan(self, now: float, only: list[str] | None = None) -> bool:
        found: dict[str, Seen | None] = {}
        try:
            for each in self._scanner().scan(only if only is not None else ("",)):
                if isinstance(each, Change):
                    if each.renamed and each.old is not None:
                        found.setdefault(each.old.path, None)
                    found[each.path] = seen_of(each.new) if each.new is not None else None
        except StorageError:
            return False
        if found:
            self.core.saw(found.items(), self.clock(now))
        return bool(found)

    def look(self, path: str) -> Seen | None:
        node = self.disk.get(path)
        if node is None:
            return None
        return Seen(
            node.kind, len(node.data), node.mtime_ns, node.executable, root_of(node.data), node.target, 1, node.inode,
            node.ctime)

    def _do(self, op: Op, fetch: Fetch) -> Why | None:
        try:
            why = self._carry_out(op, fetch)
        except NoRoom:
            return Why.NO_ROOM
        except BadName:
            return Why.UNSTORABLE
        except FolderError:
            return Why.NOT_SCANNED
        except StorageError:
            # What became of it shows a scan.
            return Why.NOT_SCANNED
        self.disk.writes += why is None
        return why

    def _carry_out(self, op: Op, fetch: Fetch) -> Why | None:
        installer = self.installer
        expected = file_of(op.path, op.expect) if op.expect is not None else None
        if op.act is Act.DELETE:
            assert expected is not None
            installer.delete(expected)
        elif op.act is Act.RMDIR:
            return None if installer.remove_dir(op.path) else Why.NOT_EMPTY
        elif op.act is Act.MKDIR:
            if expected is not None:
                installer.delete(expected)
            elif fold(op.path) != op.path and self.disk.folds and self.disk.taken(op.path):
                return Why.SHADOWED
            installer.make_dir(op.path)
        elif op.act is Act.META:
            assert op.entry is not None and expected is not None
            installer.set_meta(expected, mtime_ns=op.entry.mtime_ns, executable=op.entry.executable)
        elif op.act is Act.RENAME:
            assert op.source is not None and op.source_expect is not None
            if expected is not None:
                installer.delete(expected)
            moved = installer.move(file_of(op.source, op.source_expect), op.path)
            if op.entry is not None and op.entry.kind is EntryKind.FILE:
                moved = replace(moved, root=op.entry.root)
                installer.set_meta(moved, mtime_ns=op.entry.mtime_ns, executable=op.entry.executable)
        else:
            assert op.entry is not None
            return self._place(op, op.entry, expected, fetch)
        return None

    def _place(self, op: Op, entry: Entry, expected: LocalFile | None, fetch: Fetch) -> Why | None:
        data = b""
        if entry.root:
            found = self.disk.get(op.source) if op.source is not None else None
            got = found.data if found is not None and root_of(found.data) == entry.root else None
            got = got if got is not None else self.disk.versions.get(entry.root)
            got = got if got is not None else fetch(entry.root)
            if got is None:
                return Why.NOWHERE
            data = got
        if expected is not None and expected.kind is EntryKind.DIR:
            if not self.installer.remove_dir(op.path):
                return Why.NOT_EMPTY
            expected = None
        if entry.kind is EntryKind.LINK:
            with self.installer.staging.link(entry.target) as staged:
                self.installer.install(staged, op.path, expected)
            return None
        with self.installer.staging.file() as staged:
            if data:
                staged.write(0, data)
            self.installer.install(
                staged, op.path, expected, root=entry.root, size=entry.size, mtime_ns=entry.mtime_ns,
                executable=entry.executable)
        return None
