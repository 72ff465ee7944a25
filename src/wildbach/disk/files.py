"""Storage in ordinary files: sparse, opened safely below the download folder, a bounded number at a time.

A file is created by its first write, at its full length and without blocks, so later writes change no metadata. What
belongs to files nobody wants goes to the part file (`disk.parts`).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from wildbach.base.errors import StorageError
from wildbach.base.geometry import Extent
from wildbach.disk import system
from wildbach.disk.handles import Handle, OpenFiles
from wildbach.disk.layout import Layout
from wildbach.disk.links import make_links
from wildbach.disk.parts import Slots, data_ranges
from wildbach.disk.storage import PAD, PARTS, Content, Target
from wildbach.disk.system import cut, storage_error
from wildbach.disk.table import FileOptions, FileTable
from wildbach.protocol.metainfo.paths import TEMPORARY_SUFFIX

__all__ = ["FileOptions", "FileStorage"]


class FileStorage(FileTable):
    """One torrent's bytes in files. See `disk.storage.Storage` for what the methods promise."""

    def __init__(
        self, content: Content, root: Path | str | Layout, *, options: FileOptions | None = None,
        files: OpenFiles | None = None, mounts: system.Mounts | None = None,
    ) -> None:
        options = options or FileOptions()
        if not isinstance(root, Layout):
            root = Layout(os.path.abspath(root), options.layout, {}, options.suffix)
        super().__init__(content, root, options, files or OpenFiles(), mounts or system.Mounts())
        self._geometry = content.geometry
        self._lent: dict[int, Handle] = {}
        self._parted: set[int] = set()
        self._slots: Slots | None = None
        self._plain = not any(f.pad for f in content.files)

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
            self._mark(place.file, place.offset, place.length)

    def targets(self, offset: int, length: int) -> list[Target] | None:
        self._make_way(offset, length)
        if not self._gate.enter(wait=False):
            return None
        out: list[Target] = []
        lent = False
        try:
            places = self.places(offset, length)
            if any(place.file == PARTS or (place.file != PAD and self.has_other_names(place.file)) for place in places):
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
                self._mark(handle.index, target.offset, target.length)
                self._pool.unpin(handle)

    def found(self, offset: int, length: int) -> None:
        for file in dict.fromkeys(place.file for place in self.places(offset, length) if place.file != PAD):
            if file not in self._dirty:
                self.touch(file)

    def shrunk(self) -> list[tuple[int, int]]:
        """Files with a place of their own that hold fewer bytes than they should, and how many they hold."""
        out = []
        for file, entry in enumerate(self.content.files):
            if entry.pad or not entry.length or entry.symlink is not None or file in self._parted:
                continue
            found = self.locate(file)
            try:
                size = os.lstat(os.path.join(found[0], *found[1])).st_size if found is not None else 0
            except OSError:
                size = 0
            if size < entry.length:
                out.append((file, size))
        return out

    # before the first write, and after the last

    def prepare(self) -> None:
        files = [i for i, f in enumerate(self.content.files) if not f.pad and f.symlink is None]
        try:
            if self.options.preallocate:
                self._reserve([i for i in files if i not in self._parted])
            for file in files:
                if self.content.files[file].length:
                    continue
                if self.exists(file):
                    self.touch(file)
                else:
                    os.close(self.create(self.layout.root, self.layout.parts(self.content, file)))
        except OSError as error:
            raise storage_error(error, "prepare", self.layout.root) from error

    def _reserve(self, files: Sequence[int]) -> None:
        need = 0
        for file in files:
            found = self.locate(file)
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
            root, parts = self.place_for_new(file)
            temporary = (*parts[:-1], parts[-1] + TEMPORARY_SUFFIX)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(root, *temporary))
            fd = self.create(root, temporary)
            try:
                os.ftruncate(fd, self.content.files[file].length)
                for begin, inner, length in ranges:
                    system.copy_range(source.fd, begin, fd, inner, length)
                system.fdatasync(fd)
            finally:
                os.close(fd)
            self.rename((root, temporary), (root, parts))
        finally:
            self._pool.unpin(source)

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
            if self.options.claims is not None:
                self.options.claims.release(self.options.key, self.path(file))
        try:
            self._mark_folders(make_links(self.content, self.layout))
        except OSError as error:
            raise storage_error(error, "link", self.layout.root) from error

    def _finish(self, file: int, executable: bool) -> None:
        if self.layout.suffix:
            found = self.locate(file)
            parts = self.layout.parts(self.content, file)
            if found is not None and found[0] == self.layout.root and found[1][-1] == parts[-1] + self.layout.suffix:
                self.rename(found, (self.layout.root, parts))
        if executable:
            handle = self._pin(file, write=False)
            try:
                mode = os.fstat(handle.fd).st_mode
                os.fchmod(handle.fd, mode | (mode & 0o444) >> 2)
            finally:
                self._pool.unpin(handle)

    # places and names

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

def _groups(places: Sequence[Extent], buffers: Sequence[memoryview]) -> list[list[memoryview]]:
    if len(places) == 1:
        return [list(buffers)]
    return cut(buffers, [place.length for place in places])


def _zero(group: Sequence[memoryview]) -> None:
    for view in group:
        view[:] = bytes(view.nbytes)
