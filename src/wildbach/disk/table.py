"""The files of one torrent: found, opened, made, renamed and synced.

A file may be found under several names: complete, with the incomplete suffix, and at the place it is being moved
from; the first that exists is the file. Everything is opened below the download folder, and no link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from wildbach.base.errors import StorageError
from wildbach.disk import system
from wildbach.disk.handles import Gate, Handle, OpenFiles
from wildbach.disk.layout import Layout
from wildbach.disk.parts import data_ranges, parts_name
from wildbach.disk.storage import CHANGED, PARTS, Content
from wildbach.disk.system import storage_error
from wildbach.protocol.metainfo.paths import TEMPORARY_SUFFIX

SYNC_FILES = 64
"Above this many files a batch, the whole file system is flushed at once."

_numbers = itertools.count(1)
Place = tuple[str, tuple[str, ...]]
"A folder the user chose, and the components of a path below it."


class WriteClaims(Protocol):
    """Who may write to a path: `disk.registry` is one."""

    def claim(self, path: str, key: str) -> None:
        """Raises StorageError, code `in_use`, where another torrent writes to it."""

    def release(self, key: str, path: str | None = None) -> None:
        """Give back one claim of a torrent, or all of them."""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How one torrent's files are kept."""

    layout: str = "original"
    suffix: str = ""
    "Appended to the names of files that are not complete."
    preallocate: bool = False
    "Reserve the space of wanted files before the first write, and refuse to start without it."
    key: str = ""
    "The torrent's key: names its part file and its claims."
    claims: WriteClaims | None = None
    retired: Callable[[int], None] | None = None
    "Told, from any thread, each `Target.file` number that must not be used again."


class FileTable:
    """What `FileStorage`, moves and adoptions do with single files."""

    def __init__(
        self, content: Content, layout: Layout, options: FileOptions, files: OpenFiles, mounts: system.Mounts
    ) -> None:
        self.content = content
        self.options = options
        self.layout = layout
        self.previous: Layout | None = None
        "Where files still are while the torrent is being moved."
        self._pool = files
        self._mounts = mounts
        self._table: dict[int, Handle] = {}
        self._numbers: dict[int, int] = {}
        self._opening = threading.RLock()
        self._gate = Gate()
        self._marks = threading.Lock()
        self._dirty: dict[int, None] = {}
        self._folders: dict[str, None] = {}
        "Folders with entries that are not durable yet."
        self._shrunk: dict[str, None] = {}
        "Folders that lost an entry to another: synced after the ones that gained it."
        self._moving: dict[int, list[tuple[int, int]]] = {}
        "Files being copied elsewhere, with the ranges written meanwhile."
        self._anchor = -1
        self._closed = False

    # names

    def path(self, file: int) -> str:
        """The absolute path of a file when it is complete (or of the part file)."""
        if file == PARTS:
            return os.path.join(self.layout.root, self._parts_name())
        return self.layout.path(self.content, file)

    def _parts_name(self) -> str:
        return parts_name(self.options.key or self.content.name)

    def _candidates(self, file: int) -> Iterator[Place]:
        """Where a file may be found, likeliest first."""
        yield from self._names(file, self.layout)
        if self.previous is not None:
            yield from self._names(file, self.previous)

    def _names(self, file: int, layout: Layout) -> Iterator[Place]:
        if file == PARTS:
            yield layout.root, (self._parts_name(),)
            return
        parts = layout.parts(self.content, file)
        if layout.suffix:
            yield layout.root, (*parts[:-1], parts[-1] + layout.suffix)
        yield layout.root, parts

    def place_for_new(self, file: int) -> Place:
        """Where a file is made when it is first written to."""
        return next(self._candidates(file))

    def place_after(self, file: int, old: Layout, source: Place) -> Place:
        """Where a file found at `source` under the layout `old` belongs now: complete or not, as it was."""
        if file == PARTS:
            return self.layout.root, (self._parts_name(),)
        complete = source[1] == old.parts(self.content, file)
        return self.layout.root, self.layout.parts(self.content, file) if complete else self.place_for_new(file)[1]

    def exists(self, file: int) -> bool:
        """True where a file is on disk under one of its names."""
        return self.locate(file) is not None

    def locate(self, file: int, layout: Layout | None = None) -> Place | None:
        """Where a file is, as (root, components); with `layout` only there."""
        for root, parts in self._candidates(file) if layout is None else self._names(file, layout):
            try:
                if os.path.lexists(os.path.join(root, *parts)):
                    return root, parts
            except ValueError as error:
                raise StorageError(f"not a usable name: {parts[-1]!r}", code="unsafe_path") from error
        return None

    # opening

    def _pin(self, file: int, *, write: bool) -> Handle:
        handle = self._pool.pin(self._table, file, write)
        if handle is not None:
            return handle
        with self._opening:
            handle = self._pool.pin(self._table, file, write)
            if handle is not None:
                return handle
            if self._closed:
                raise StorageError("the storage is closed", path=self.path(file), code="closed")
            try:
                fd = self._open(file, write)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._pool.make_room():
                    raise storage_error(error, "open", self.path(file)) from error
                try:
                    fd = self._open(file, write)
                except OSError as again:
                    raise storage_error(again, "open", self.path(file)) from again
            handle = Handle(self._table, file, fd, write, self._mounts.flags(fd))
            self._pool.add(handle)
            return handle

    def _open(self, file: int, write: bool) -> int:
        flags = (os.O_RDWR if write else os.O_RDONLY) | getattr(os, "O_NONBLOCK", 0)
        if write and self.options.claims is not None and file >= 0:
            self.options.claims.claim(self.path(file), self.options.key)
        for root, parts in self._candidates(file):
            try:
                folder = system.open_folder(root)
            except FileNotFoundError:
                continue
            try:
                fd = system.open_beneath(folder, parts, flags)
            except FileNotFoundError:
                continue
            finally:
                os.close(folder)
            return self._checked(self._unshare(fd, root, parts) if write else fd, file, write)
        if not write:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._checked(self.create(*self.place_for_new(file)), file, write)

    def has_other_names(self, file: int) -> bool:
        """It shares its bytes with another file (a hard link): a write makes a copy first, which takes time."""
        handle = self._table.get(file)
        if handle is not None and handle.writable:
            return False
        place = self.locate(file)
        try:
            return place is not None and os.lstat(os.path.join(place[0], *place[1])).st_nlink > 1
        except OSError:
            return False  # opening it tells

    def _unshare(self, fd: int, root: str, parts: tuple[str, ...]) -> int:
        """Before a file with several names is written to, a copy takes this name: the others keep what they have."""
        if os.fstat(fd).st_nlink < 2:
            return fd
        temporary = (*parts[:-1], parts[-1] + TEMPORARY_SUFFIX)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(root, *temporary))
            copy = self.create(root, temporary)
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, copy)
                undo.callback(os.unlink, os.path.join(root, *temporary))
                size = os.fstat(fd).st_size
                os.ftruncate(copy, size)
                for at, length in data_ranges(fd, 0, size):
                    system.copy_range(fd, at, copy, at, length)
                os.fchmod(copy, os.fstat(fd).st_mode & 0o777)
                system.fdatasync(copy)
                os.replace(os.path.join(root, *temporary), os.path.join(root, *parts))
                undo.pop_all()
        finally:
            os.close(fd)
        return copy

    def _checked(self, fd: int, file: int, write: bool) -> int:
        try:
            if not system.is_regular(fd):
                raise OSError(errno.EISDIR, "not a file")
            if write:
                if self._anchor < 0:
                    self._anchor = system.open_folder(self.layout.root)
                if file >= 0 and os.fstat(fd).st_size != self.content.files[file].length:
                    os.ftruncate(fd, self.content.files[file].length)
                    self._mark(file, 0, 0)
        except OSError:
            os.close(fd)
            raise
        return fd

    def create(self, root: str, parts: tuple[str, ...]) -> int:
        """A descriptor of a new file, made with its folders; remembers which folders must be synced. OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NONBLOCK", 0)
        made = system.make_root(root)
        folder = system.open_folder(root)
        try:
            grown: list[tuple[str, ...]] = []
            os.close(system.walk(folder, parts[:-1], create=grown))
            fd = system.open_beneath(folder, parts, flags)
        finally:
            os.close(folder)
        self._mark_folders(made)
        self._mark_folders(os.path.join(root, *g) for g in [*grown, parts[:-1]])
        return fd

    def _mark_folders(self, folders: Iterable[str]) -> None:
        with self._marks:
            for folder in folders:
                self._folders[folder] = None

    def rename(self, old: Place, new: Place) -> None:
        """Rename a file, links not followed, nothing replaced. Reads and writes go on. Raises OSError."""
        made = system.make_root(new[0]) if new[0] != old[0] else []
        grown: list[tuple[str, ...]] = []
        with self._opening, contextlib.ExitStack() as folders:
            source = _walk(folders, old[0], old[1][:-1])
            target = _walk(folders, new[0], new[1][:-1], grown)
            if system.has_entry(target, new[1][-1]):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(old[1][-1], new[1][-1], src_dir_fd=source, dst_dir_fd=target)
            self._mark_folders(made)
            self._mark_folders(os.path.join(new[0], *p) for p in (*grown, new[1][:-1]))
            if (old[0], old[1][:-1]) != (new[0], new[1][:-1]):
                with self._marks:
                    self._shrunk[os.path.join(old[0], *old[1][:-1])] = None

    # for moves

    def leave(self, old: Layout | None, new: Layout) -> None:
        """From now on files belong to `new`, and are looked for at `old` too."""
        with self._opening:
            self.layout, self.previous = new, old
            if self._anchor >= 0:
                os.close(self._anchor)
                self._anchor = -1

    def watch(self, file: int) -> list[tuple[int, int]]:
        """Ranges of a file that are written from now on, as (offset, length), until `unwatch`."""
        with self._marks:
            return self._moving.setdefault(file, [])

    def unwatch(self, file: int) -> None:
        with self._marks:
            self._moving.pop(file, None)

    @contextlib.contextmanager
    def exclusive(self, file: int) -> Iterator[None]:
        """Nobody writes or opens inside this block; after it the file is another one and is opened anew."""
        with self._gate.shut(), self._opening:
            yield
            self._pool.discard(self._table, file)
            self._retire(file)

    def touch(self, file: int) -> None:
        """A file was written behind the storage's back: the next sync covers it, and its name."""
        place = self.locate(file)
        if place is None:
            return
        root, parts = place
        self._mark(file, 0, 0)
        self._mark_folders([os.path.dirname(root), *(os.path.join(root, *parts[:d]) for d in range(len(parts)))])

    def drop(self, file: int) -> None:
        """Remove a file that holds nothing of use. Raises StorageError."""
        place = self.locate(file)
        if place is None:
            return
        with self.exclusive(file):
            try:
                os.unlink(os.path.join(place[0], *place[1]))
            except OSError as error:
                raise storage_error(error, "remove", self.path(file)) from error
            with self._marks:
                self._dirty.pop(file, None)

    def forget_folders(self, paths: list[str]) -> None:
        """These folders were removed on purpose: there is nothing in them to sync."""
        with self._marks:
            for path in paths:
                self._folders.pop(path, None)
                self._shrunk.pop(path, None)
                self._shrunk[os.path.dirname(path)] = None
            for path in paths:
                self._shrunk.pop(path, None)

    # syncing

    def _mark(self, file: int, offset: int, length: int) -> None:
        with self._marks:
            self._dirty[file] = None
            written = self._moving.get(file)
            if written is not None:
                written.append((offset, length))

    def _number(self, file: int) -> int:
        with self._marks:
            number = self._numbers.get(file)
            if number is None:
                number = self._numbers[file] = next(_numbers)
            return number

    def sync(self) -> None:
        with self._marks:
            dirty, self._dirty = self._dirty, {}
            folders, self._folders = self._folders, {}
            shrunk, self._shrunk = self._shrunk, {}
        try:
            if not (len(dirty) > SYNC_FILES and self._sync_all()):
                for file in dirty:
                    self._sync_file(file)
            for folder in [f for f in folders if f not in shrunk]:
                system.sync_path(folder)
            for folder in shrunk:
                with contextlib.suppress(FileNotFoundError):
                    system.sync_path(folder)
        except (OSError, StorageError) as error:
            with self._marks:
                self._dirty = dirty | self._dirty
                self._folders = folders | self._folders
                self._shrunk = shrunk | self._shrunk
            for file in dirty:
                self._forget_cache(file)
            if isinstance(error, StorageError):
                raise
            raise storage_error(error, "sync", self.layout.root) from error

    def _sync_all(self) -> bool:
        """Flush the file system the torrent lies on; False where it lies on two, or there is no such call."""
        return self._anchor >= 0 and self.previous is None and system.kernel.syncfs(self._anchor)

    def _sync_file(self, file: int) -> None:
        handle = self._pin(file, write=False)
        try:
            system.fdatasync(handle.fd)
            state = os.fstat(handle.fd)
            if not state.st_nlink:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            # To be written to, it was made as long as it is to be.
            if file >= 0 and handle.writable and state.st_size < self.content.files[file].length:
                raise StorageError(
                    f"{self.path(file)} became shorter while it was being written", path=self.path(file), code=CHANGED
                )
        except OSError as error:
            raise storage_error(error, "sync", self.path(file)) from error
        finally:
            self._pool.unpin(handle)

    def _forget_cache(self, file: int) -> None:
        """After a failed sync the page cache may hold bytes that the device never got: do not read those back."""
        with contextlib.suppress(OSError, StorageError):
            handle = self._pin(file, write=False)
            try:
                system.drop_cache(handle.fd)
            finally:
                self._pool.unpin(handle)

    def rest(self) -> None:
        """Close the files until they are needed again, and give back the right to write to them."""
        with self._opening:
            self._pool.discard_all(self._table)
            for file in list(self._numbers):
                self._retire(file)
            if self.options.claims is not None:
                self.options.claims.release(self.options.key)

    def close(self) -> None:
        with self._opening:
            self._closed = True
            self._pool.discard_all(self._table)
            for file in list(self._numbers):
                self._retire(file)
            if self._anchor >= 0:
                os.close(self._anchor)
                self._anchor = -1
            if self.options.claims is not None:
                self.options.claims.release(self.options.key)

    def _retire(self, file: int) -> None:
        with self._marks:
            number = self._numbers.pop(file, None)
        if number is not None and self.options.retired is not None:
            self.options.retired(number)


def _walk(
    folders: contextlib.ExitStack, root: str, parts: tuple[str, ...], create: list[tuple[str, ...]] | None = None
) -> int:
    """A descriptor of a folder that lives as long as `folders`."""
    base = system.open_folder(root)
    folders.callback(os.close, base)
    fd = system.walk(base, parts, create=create)
    folders.callback(os.close, fd)
    return fd
