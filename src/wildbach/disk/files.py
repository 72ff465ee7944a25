"""Storage in ordinary files: sparse, opened safely below the download folder, a bounded number at a time.

A file is created by its first write, at its full length and without blocks, so later writes change no metadata. What
belongs to files nobody wants goes to the part file (`disk.parts`). A file may be found under several names: complete,
with the incomplete suffix, and at the place it is being moved from; the first that exists is the file.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wildbach.base.errors import StorageError
from wildbach.base.geometry import Extent
from wildbach.disk import system
from wildbach.disk.handles import Gate, Handle, OpenFiles
from wildbach.disk.layout import TEMPORARY_SUFFIX, Layout
from wildbach.disk.links import make_links
from wildbach.disk.parts import PARTS_SUFFIX, Slots, data_ranges
from wildbach.disk.storage import PAD, PARTS, Content, Target
from wildbach.disk.system import cut, storage_error

SYNC_FILES = 64
"Above this many files a batch, the whole file system is flushed at once."

_numbers = itertools.count(1)


class WriteClaims(Protocol):
    """Who may write to a path: `disk.registry` is one."""

    def claim(self, path: str, key: str) -> None:
        """Raises StorageError, code `in_use`, where another torrent writes to it."""

    def release(self, key: str) -> None:
        """Give back all claims of a torrent."""


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


class FileStorage:
    """One torrent's bytes in files. See `disk.storage.Storage` for what the methods promise."""

    def __init__(
        self, content: Content, root: Path | str | Layout, *, options: FileOptions | None = None,
        files: OpenFiles | None = None, mounts: system.Mounts | None = None,
    ) -> None:
        self.content = content
        self.options = options or FileOptions()
        if not isinstance(root, Layout):
            root = Layout(os.path.abspath(root), self.options.layout, {}, self.options.suffix)
        self.layout = root
        self.previous: Layout | None = None
        "Where files still are while the torrent is being moved."
        self._geometry = content.geometry
        self._pool = files or OpenFiles()
        self._mounts = mounts or system.Mounts()
        self._table: dict[int, Handle] = {}
        self._numbers: dict[int, int] = {}
        self._lent: dict[int, Handle] = {}
        self._opening = threading.RLock()
        self._gate = Gate()
        self._marks = threading.Lock()
        self._dirty: dict[int, None] = {}
        self._folders: dict[str, None] = {}
        "Folders with entries that are not durable yet."
        self._moving: dict[int, list[tuple[int, int]]] = {}
        "Files being copied elsewhere, with the ranges written meanwhile."
        self._parted: set[int] = set()
        self._slots: Slots | None = None
        self._plain = not any(f.pad for f in content.files)
        self._anchor = -1
        self._closed = False

    # reading

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        places = self.places(offset, sum(b.nbytes for b in buffers))
        for place, group in zip(places, _groups(places, buffers), strict=True):
            if place.file == PAD:
                _zero(group)
                continue
            handle = self._pin(place.file, write=False)
            try:
                got = system.read_fully(handle.fd, group, place.offset)
            except OSError as error:
                raise storage_error(error, "read", self.path(place.file)) from error
            finally:
                self._pool.unpin(handle)
            if got != place.length:
                raise StorageError(
                    f"{self.path(place.file)} is shorter than it should be",
                    path=self.path(place.file), code="short_file",
                )

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        places = self.places(offset, sum(b.nbytes for b in buffers))
        for place, group in zip(places, _groups(places, buffers), strict=True):
            if place.file == PAD:
                _zero(group)
                continue
            handle = self._pool.pin(self._table, place.file, False)
            if handle is None:
                return False
            try:
                flags = handle.now_flags
                if flags is None or not system.read_now(handle.fd, group, place.offset, flags):
                    return False
            except OSError:
                return False  # the worker's read meets it again and reports it
            finally:
                self._pool.unpin(handle)
        return True

    def lend(self, file: int) -> int:
        handle = self._pin(file, write=False)
        try:
            return os.dup(handle.fd)
        except OSError as error:
            raise storage_error(error, "open", self.path(file)) from error
        finally:
            self._pool.unpin(handle)

    # writing

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        length = sum(b.nbytes for b in buffers)
        self._make_way(offset, length)
        self._gate.enter()
        try:
            places = self.places(offset, length)
            for place, group in zip(places, _groups(places, buffers), strict=True):
                if place.file != PAD:
                    self._write(place, group)
        finally:
            self._gate.leave()

    def _write(self, place: Extent, group: Sequence[memoryview]) -> None:
        handle = self._pin(place.file, write=True)
        try:
            system.write_fully(handle.fd, group, place.offset)
        except OSError as error:
            raise storage_error(error, "write", self.path(place.file)) from error
        finally:
            self._pool.unpin(handle)
            self._mark(place)

    def targets(self, offset: int, length: int) -> list[Target] | None:
        self._make_way(offset, length)
        if not self._gate.enter(wait=False):
            return None
        out: list[Target] = []
        lent = False
        try:
            places = self.places(offset, length)
            if any(place.file == PARTS for place in places):
                return None
            for place in places:
                if place.file == PAD:
                    out.append(Target(0, -1, place.offset, place.length))
                    continue
                handle = self._pin(place.file, write=True)
                number = self._number(place.file)
                self._lent[number] = handle
                out.append(Target(number, handle.fd, place.offset, place.length))
            lent = True
        finally:
            if not lent:
                self._unpin(out)
                self._gate.leave()
        return out

    def release(self, targets: Sequence[Target]) -> None:
        self._unpin(targets)
        self._gate.leave()

    def _unpin(self, targets: Sequence[Target]) -> None:
        for target in targets:
            handle = self._lent.get(target.file)
            if target.fd >= 0 and handle is not None:
                self._mark(Extent(handle.index, target.offset, target.length))
                self._pool.unpin(handle)

    def _number(self, file: int) -> int:
        with self._marks:
            number = self._numbers.get(file)
            if number is None:
                number = self._numbers[file] = next(_numbers)
            return number

    def _mark(self, place: Extent) -> None:
        with self._marks:
            self._dirty[place.file] = None
            written = self._moving.get(place.file)
            if written is not None:
                written.append((place.offset, place.length))

    # before the first write, and after the last

    def prepare(self) -> None:
        files = [i for i, f in enumerate(self.content.files) if not f.pad and f.symlink is None]
        try:
            if self.options.preallocate:
                self._reserve([i for i in files if i not in self._parted])
            for file in files:
                if not self.content.files[file].length and not self.exists(file):
                    os.close(self._create(self.layout.root, self.layout.parts(self.content, file)))
        except OSError as error:
            raise storage_error(error, "prepare", self.layout.root) from error

    def _reserve(self, files: Sequence[int]) -> None:
        need = 0
        for file in files:
            found = self._find(file)
            held = os.lstat(os.path.join(found[0], *found[1])).st_blocks * 512 if found is not None else 0
            need += max(0, self.content.files[file].length - held)
        self._mark_folders(system.make_root(self.layout.root))
        free = system.free_space(self.layout.root)
        if need > free:
            raise StorageError(
                f"{self.layout.root} has {free} bytes free, {need} are needed",
                path=self.layout.root, errno=errno.ENOSPC, code="disk_full",
            )
        for file in files:
            if not self.content.files[file].length or not hasattr(os, "posix_fallocate"):
                continue
            handle = self._pin(file, write=True)
            try:
                os.posix_fallocate(handle.fd, 0, self.content.files[file].length)
            finally:
                self._pool.unpin(handle)

    def select(self, wanted: Iterable[int]) -> None:
        chosen = frozenset(wanted)
        if not self._parted and len(chosen) == len(self.content.files) and not self.exists(PARTS):
            return
        if self._slots is None:
            self._slots = Slots(self._geometry)
        if not len(self._slots):
            return
        for file, entry in enumerate(self.content.files):
            if entry.pad or not entry.length or entry.symlink is not None:
                continue
            if file in chosen:
                if file in self._parted or not self.exists(file):
                    self._promote(file)
            elif not self.exists(file):
                with self._gate.shut():
                    self._parted.add(file)
        if not self._parted:
            self._drop_parts()

    def _promote(self, file: int) -> None:
        """Give a file of its own what the part file holds of it.

        The file gets its name only when it is complete in that sense and durable: a file that exists never lacks
        bytes that the part file has.
        """
        with self._gate.shut():
            try:
                self._promote_quietly(file)
            except OSError as error:
                raise storage_error(error, "keep", self.path(file)) from error
            self._parted.discard(file)

    def _promote_quietly(self, file: int) -> None:
        if not self.exists(PARTS) or self._slots is None:
            return
        source = self._pin(PARTS, write=False)
        try:
            ranges = [
                (start, start - begin + inner, length)
                for begin, inner, whole in self._slots.of_file(file)
                for start, length in data_ranges(source.fd, begin, whole)
            ]
            if not ranges:
                return
            root, parts = next(self._candidates(file))
            temporary = (*parts[:-1], parts[-1] + TEMPORARY_SUFFIX)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(root, *temporary))
            fd = self._create(root, temporary)
            try:
                os.ftruncate(fd, self.content.files[file].length)
                for begin, inner, length in ranges:
                    system.copy_range(source.fd, begin, fd, inner, length)
                system.fdatasync(fd)
            finally:
                os.close(fd)
            self._rename(root, temporary, parts)
        finally:
            self._pool.unpin(source)

    def _rename(self, root: str, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Rename below `root`, links not followed, nothing replaced."""
        base = system.open_folder(root)
        try:
            source = system.walk(base, old[:-1])
            try:
                grown: list[tuple[str, ...]] = []
                target = system.walk(base, new[:-1], create=grown)
                try:
                    if system.has_entry(target, new[-1]):
                        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                    os.rename(old[-1], new[-1], src_dir_fd=source, dst_dir_fd=target)
                finally:
                    os.close(target)
            finally:
                os.close(source)
        finally:
            os.close(base)
        self._mark_folders(os.path.join(root, *p) for p in (*grown, old[:-1], new[:-1]))

    def _drop_parts(self) -> None:
        """The part file is empty of anything that is still needed."""
        path = self.path(PARTS)
        if not os.path.lexists(path):
            return
        self.sync()
        self._pool.discard(self._table, PARTS)
        with self._marks:
            self._dirty.pop(PARTS, None)
        try:
            os.unlink(path)
        except OSError as error:
            raise storage_error(error, "remove", path) from error

    def finish(self, files: Iterable[int]) -> None:
        for file in files:
            entry = self.content.files[file]
            if entry.pad or entry.symlink is not None or file in self._parted:
                continue
            try:
                self._finish(file, entry.executable)
            except OSError as error:
                raise storage_error(error, "finish", self.path(file)) from error
        try:
            self._mark_folders(make_links(self.content, self.layout))
        except OSError as error:
            raise storage_error(error, "link", self.layout.root) from error

    def _finish(self, file: int, executable: bool) -> None:
        if self.layout.suffix:
            found = self._find(file)
            parts = self.layout.parts(self.content, file)
            if found is not None and found[0] == self.layout.root and found[1][-1] == parts[-1] + self.layout.suffix:
                with self._opening:
                    self._rename(self.layout.root, found[1], parts)
        if executable:
            handle = self._pin(file, write=False)
            try:
                mode = os.fstat(handle.fd).st_mode
                os.fchmod(handle.fd, mode | (mode & 0o444) >> 2)
            finally:
                self._pool.unpin(handle)

    # syncing

    def sync(self) -> None:
        with self._marks:
            dirty, self._dirty = self._dirty, {}
            folders, self._folders = self._folders, {}
        try:
            if not (len(dirty) > SYNC_FILES and self._sync_all()):
                for file in dirty:
                    self._sync_file(file)
            for folder in folders:
                system.sync_path(folder)
        except (OSError, StorageError) as error:
            with self._marks:
                self._dirty = dirty | self._dirty
                self._folders = folders | self._folders
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
            if not os.fstat(handle.fd).st_nlink:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
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

    # places and names

    def path(self, file: int) -> str:
        """The absolute path of a file when it is complete (or of the part file)."""
        if file == PARTS:
            return os.path.join(self.layout.root, self._parts_name())
        return self.layout.path(self.content, file)

    def _parts_name(self) -> str:
        return f".{self.options.key[:40] or self.content.name}{PARTS_SUFFIX}"

    def places(self, offset: int, length: int) -> list[Extent]:
        extents = self._geometry.extents(offset, length)
        if self._plain and not self._parted:
            return extents
        out = []
        for extent in extents:
            if self.content.files[extent.file].pad:
                out.append(Extent(PAD, 0, extent.length))
            elif extent.file in self._parted:
                out += self._parted_extents(extent)
            else:
                out.append(extent)
        return out

    def _parted_extents(self, extent: Extent) -> list[Extent]:
        slots = self._slots.place(*extent) if self._slots is not None else None
        if slots is None:
            return [extent]
        return [Extent(PARTS, slot.offset, slot.length) for slot in slots]

    def _make_way(self, offset: int, length: int) -> None:
        """Before a write into a piece that lies wholly inside an unwanted file: that file exists from now on.

        Such a piece was asked for before the file was given up.
        """
        for extent in self._geometry.extents(offset, length) if self._slots is not None else ():
            if extent.file in self._parted and self._slots is not None and self._slots.place(*extent) is None:
                self._promote(extent.file)

    def _candidates(self, file: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Where a file may be found, as (root, components), likeliest first."""
        if file == PARTS:
            yield self.layout.root, (self._parts_name(),)
            return
        for layout in (self.layout, self.previous):
            if layout is None:
                continue
            parts = layout.parts(self.content, file)
            if layout.suffix:
                yield layout.root, (*parts[:-1], parts[-1] + layout.suffix)
            yield layout.root, parts

    def shrunk(self) -> list[tuple[int, int]]:
        """Files with a place of their own that hold fewer bytes than they should, and how many they hold."""
        out = []
        for file, entry in enumerate(self.content.files):
            if entry.pad or not entry.length or entry.symlink is not None or file in self._parted:
                continue
            found = self._find(file)
            try:
                size = os.lstat(os.path.join(found[0], *found[1])).st_size if found is not None else 0
            except OSError:
                size = 0
            if size < entry.length:
                out.append((file, size))
        return out

    def exists(self, file: int) -> bool:
        """True where a file is on disk under one of its names."""
        return self._find(file) is not None

    def _find(self, file: int) -> tuple[str, tuple[str, ...]] | None:
        for root, parts in self._candidates(file):
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
            return self._checked(fd, file, write)
        if not write:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._checked(self._create(*next(self._candidates(file))), file, write)

    def _checked(self, fd: int, file: int, write: bool) -> int:
        try:
            if not system.is_regular(fd):
                raise OSError(errno.EISDIR, "not a file")
            if write:
                if self._anchor < 0:
                    self._anchor = system.open_folder(self.layout.root)
                if file >= 0 and os.fstat(fd).st_size != self.content.files[file].length:
                    os.ftruncate(fd, self.content.files[file].length)
                    self._mark(Extent(file, 0, 0))
        except OSError:
            os.close(fd)
            raise
        return fd

    def _create(self, root: str, parts: tuple[str, ...]) -> int:
        """Make a new file with its folders and remember which folders must be synced."""
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


def _groups(places: Sequence[Extent], buffers: Sequence[memoryview]) -> list[list[memoryview]]:
    if len(places) == 1:
        return [list(buffers)]
    return cut(buffers, [place.length for place in places])


def _zero(group: Sequence[memoryview]) -> None:
    for view in group:
        view[:] = bytes(view.nbytes)
