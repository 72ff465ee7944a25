"""Moving, renaming, adopting and deleting a torrent's files.

A move is written down first (`ResumeRecord.moving` holds the layout being left), then each file goes on its own: by
a rename, or, to another file system, by a copy that is complete and durable before it gets its name and the original
goes. So a file that is found at the new place is whole, whatever happened; the move is taken up again by looking.
Reading goes on all the while, and so does writing but for the moment a copied file changes its place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from wildbach.base.errors import FormatError, StorageError
from wildbach.disk import system
from wildbach.disk.files import FileStorage
from wildbach.disk.layout import Layout
from wildbach.disk.links import make_links
from wildbach.disk.parts import data_ranges
from wildbach.disk.resume import ResumeRecord, ResumeStore
from wildbach.disk.storage import PARTS, Content, Runner
from wildbach.disk.system import storage_error
from wildbach.protocol.metainfo.paths import TEMPORARY_SUFFIX

if sys.platform == "linux":
    import fcntl

STEP_BYTES = 32 << 20
"Copied between two looks at whether to go on."
_FICLONE = 0x40049409

Progress = Callable[[int, int], None]
"Called on the loop with (bytes moved, bytes in all)."


def layout_to_json(layout: Layout) -> dict[str, Any]:
    """A layout as JSON values."""
    return {
        "root": layout.root, "kind": layout.kind, "suffix": layout.suffix,
        "renames": {str(number): list(parts) for number, parts in layout.renames.items()},
    }


def layout_from_json(raw: dict[str, Any]) -> Layout:
    """Read `layout_to_json`'s result. Raises FormatError."""
    try:
        renames = {int(number): tuple(str(part) for part in parts) for number, parts in raw["renames"].items()}
        return Layout(str(raw["root"]), str(raw["kind"]), renames, str(raw["suffix"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"not a layout: {error}", where="moving") from error


def layouts_of(record: ResumeRecord) -> list[Layout]:
    """Where the files of a torrent are: two places while they are being moved."""
    root = record.incomplete_path or record.save_path
    if not os.path.isabs(root):
        return []
    out = [Layout(root, record.layout, record.renames, record.suffix)]
    if record.moving:
        try:
            out.append(layout_from_json(record.moving))
        except FormatError:
            return out
    return out


async def move(
    storage: FileStorage, target: Layout, record: ResumeRecord, store: ResumeStore, runner: Runner, *,
    progress: Progress | None = None,
) -> None:
    """Bring all files of a torrent to `target`: another folder, other names, or both.

    Raises StorageError, code `target_exists`, before anything is touched where something is in the way. After an error
    on the way everything is brought back. Where that fails too, or it is cancelled, the move is unfinished:
    `resume_move` goes on with it, now or in another run, and so does the next move before it begins.
    """
    if storage.previous is not None:
        await resume_move(storage, record, store, runner)
    await runner.run(_check_free, storage, target)
    await runner.run(_make_root, target.root)
    old = storage.layout
    await _turn(storage, old, target, record, store, runner)
    try:
        await resume_move(storage, record, store, runner, progress=progress)
    except StorageError:
        await _turn(storage, target, old, record, store, runner)
        await resume_move(storage, record, store, runner)
        raise


async def _turn(
    storage: FileStorage, old: Layout, new: Layout, record: ResumeRecord, store: ResumeStore, runner: Runner,
) -> None:
    """From now on files move from `old` to `new`; the store knows it first."""
    record.moving = layout_to_json(old)
    _describe(record, new)
    await runner.run(store.save, record)
    storage.leave(old, new)


def _make_root(path: str) -> None:
    """The folder can be made: most of what is wrong with a target shows here, before anything moves."""
    try:
        for grown in system.make_root(path):
            system.sync_path(grown)
    except OSError as error:
        raise storage_error(error, "make the folder", path) from error


def take_up(storage: FileStorage, record: ResumeRecord) -> bool:
    """Tell a storage made for the record's layout where its files still are; False where no move is unfinished."""
    if not record.moving:
        return False
    storage.leave(layout_from_json(record.moving), storage.layout)
    return True


async def resume_move(
    storage: FileStorage, record: ResumeRecord, store: ResumeStore, runner: Runner, *, progress: Progress | None = None,
) -> None:
    """Go on with a move, after `take_up`."""
    old = storage.previous
    if old is None:
        return
    files = [*_files(storage.content), PARTS]
    total = sum(storage.content.files[file].length for file in files if file != PARTS)
    done = 0
    for file in files:
        for step in _Relocation(storage, file, old).steps():
            done += await runner.run(step)
            if progress is not None:
                progress(min(done, total), total)
    await runner.run(_tidy, storage, old)
    await runner.run(storage.sync)
    storage.leave(None, storage.layout)
    record.moving = {}
    await runner.run(store.save, record)


def _describe(record: ResumeRecord, layout: Layout) -> None:
    record.save_path = layout.root
    record.incomplete_path = ""
    record.layout = layout.kind
    record.suffix = layout.suffix
    record.renames = dict(layout.renames)


def _files(content: Content) -> list[int]:
    return [i for i, file in enumerate(content.files) if not file.pad and file.symlink is None]


def _check_free(storage: FileStorage, target: Layout) -> None:
    taken: dict[tuple[str, ...], int] = {}
    for file in _files(storage.content):
        parts = target.parts(storage.content, file)
        if taken.setdefault(parts, file) != file:
            raise StorageError(f"two files would get the name {'/'.join(parts)}", code="target_exists")
        path = target.path(storage.content, file)
        for name in (path, path + target.suffix) if target.suffix else (path,):
            if os.path.lexists(name) and not _is_own(storage, file, name):
                raise StorageError(f"{name} exists", path=name, errno=errno.EEXIST, code="target_exists")


def _is_own(storage: FileStorage, file: int, name: str) -> bool:
    found = storage.locate(file)
    return found is not None and os.path.samefile(os.path.join(found[0], *found[1]), name)


class _Relocation:
    """One file on its way."""

    def __init__(self, storage: FileStorage, file: int, old: Layout) -> None:
        self._storage = storage
        self._file = file
        self._old = old
        self._source: tuple[str, tuple[str, ...]] = ("", ())
        self._target: tuple[str, tuple[str, ...]] = ("", ())
        self._fds: list[int] = []
        self._written: list[tuple[int, int]] = []

    def steps(self) -> Iterator[Callable[[], int]]:
        """Calls for a worker, each returning the bytes it moved."""
        state: dict[str, bool] = {}
        size = 0 if self._file == PARTS else self._storage.content.files[self._file].length

        def begin() -> int:
            state["copy"] = self._guarded(self._rename)
            return 0 if state["copy"] else size

        yield begin
        if not state["copy"]:
            return
        try:
            ranges: list[tuple[int, int]] = []
            yield lambda: self._guarded(lambda: self._begin_copy(ranges))
            for at, length in ranges:
                yield lambda at=at, length=length: self._guarded(lambda: self._copy(at, length))  # type: ignore[misc]  # bound at once
            yield lambda: self._guarded(self._switch)
        finally:
            self._storage.unwatch(self._file)
            for fd in self._fds:
                os.close(fd)

    def _guarded(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except OSError as error:
            raise storage_error(error, "move", os.path.join(self._source[0], *self._source[1])) from error

    def _rename(self) -> bool:
        """Find the file and try the cheap way; True where it must be copied."""
        storage = self._storage
        source = storage.locate(self._file, self._old)
        if source is None:
            return False
        self._source = source
        self._target = storage.place_after(self._file, self._old, source)
        if self._source == self._target:
            return False
        if os.path.lexists(os.path.join(self._target[0], *self._target[1])):
            # It was copied, made durable and named before; only the original was left to remove.
            _remove(*self._source)
            return False
        try:
            storage.rename(self._source, self._target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return True
        return False

    def _begin_copy(self, ranges: list[tuple[int, int]]) -> int:
        source = storage_open(*self._source, os.O_RDONLY)
        self._fds.append(source)
        root, parts = self._target
        temporary = (*parts[:-1], parts[-1] + TEMPORARY_SUFFIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(root, *temporary))
        self._written = self._storage.watch(self._file)
        copy = self._storage.create(root, temporary)
        self._fds.append(copy)
        size = os.fstat(source).st_size
        os.ftruncate(copy, size)
        if not _clone(source, copy):
            for at, length in data_ranges(source, 0, size):
                ranges += [(at + s, min(STEP_BYTES, length - s)) for s in range(0, length, STEP_BYTES)]
        return 0

    def _copy(self, at: int, length: int) -> int:
        system.copy_range(self._fds[0], at, self._fds[1], at, length)
        return length

    def _switch(self) -> int:
        source, copy = self._fds
        root, parts = self._target
        # Most of the data goes out before anybody has to wait for it.
        system.fdatasync(copy)
        with self._storage.exclusive(self._file):
            for at, length in self._written:
                system.copy_range(source, at, copy, at, length)
            os.fchmod(copy, stat.S_IMODE(os.fstat(source).st_mode))
            system.fdatasync(copy)
            self._storage.rename((root, (*parts[:-1], parts[-1] + TEMPORARY_SUFFIX)), self._target)
            system.sync_path(os.path.join(root, *parts[:-1]))
            _remove(*self._source)
        return 0


def storage_open(root: str, parts: tuple[str, ...], flags: int) -> int:
    """Open a file below `root`, links not followed. Raises OSError."""
    folder = system.open_folder(root)
    try:
        return system.open_beneath(folder, parts, flags | getattr(os, "O_NONBLOCK", 0))
    finally:
        os.close(folder)


def _clone(source: int, target: int) -> bool:
    """Share the blocks of one file with another, where the file system can."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _tidy(storage: FileStorage, old: Layout) -> None:
    """Links are made anew at the new place; folders left empty at the old one go."""
    content = storage.content
    try:
        links = [i for i, file in enumerate(content.files) if file.symlink is not None]
        for file in links:
            _remove(old.root, old.parts(content, file), links_only=True)
        if storage.layout.root != old.root or links:
            make_links(content, storage.layout)
        storage.forget_folders(_prune(old.root, [old.parts(content, file) for file in range(len(content.files))]))
    except OSError as error:
        raise storage_error(error, "tidy up", old.root) from error


def _remove(root: str, parts: tuple[str, ...], *, links_only: bool = False) -> bool:
    """Unlink a file (or link) below `root`; False where it, or a folder on the way, is not there or is a link."""
    try:
        base = system.open_folder(root)
    except FileNotFoundError:
        return False
    try:
        holder = system.walk(base, parts[:-1])
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise
    finally:
        os.close(base)
    try:
        mode = os.stat(parts[-1], dir_fd=holder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode) or (stat.S_ISREG(mode) and not links_only):
            os.unlink(parts[-1], dir_fd=holder)
            return True
    except FileNotFoundError:
        return False
    finally:
        os.close(holder)
    return False


def _prune(root: str, paths: Iterable[tuple[str, ...]]) -> list[str]:
    """Remove the folders on the way to `paths` that are empty, deepest first, never `root` itself; their paths."""
    gone: list[str] = []
    folders: dict[tuple[str, ...], None] = {}
    for parts in paths:
        for depth in range(1, len(parts)):
            folders[parts[:depth]] = None
    for folder in sorted(folders, key=len, reverse=True):
        try:
            base = system.open_folder(root)
        except FileNotFoundError:
            return gone
        try:
            holder = system.walk(base, folder[:-1])
            try:
                os.rmdir(folder[-1], dir_fd=holder)
                gone.append(os.path.join(root, *folder))
            finally:
                os.close(holder)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
                raise
        finally:
            os.close(base)
    return gone


def delete(
    content: Content, layouts: Iterable[Layout], others: Iterable[tuple[Content, Layout]] = (), *,
    parts_file: str = "",
) -> int:
    """Delete a torrent's files, with its links, part file and the folders that get empty; the number of files gone.

    `others` are the torrents that may share paths with it (`PathRegistry.neighbours`): what is theirs stays. Only
    the torrent's own paths are touched, and no link is followed. Blocks. Raises StorageError.
    """
    spared = {
        os.path.join(layout.root, *layout.parts(other, file)) for other, layout in others
        for file in range(len(other.files))
    }
    gone = 0
    for layout in layouts:
        places = [layout.parts(content, file) for file in range(len(content.files))]
        try:
            for parts in places:
                if os.path.join(layout.root, *parts) in spared:
                    continue
                for tail in dict.fromkeys(("", layout.suffix, TEMPORARY_SUFFIX)):
                    gone += _remove(layout.root, (*parts[:-1], parts[-1] + tail))
            if parts_file:
                _remove(layout.root, (parts_file,))
            _prune(layout.root, places)
        except OSError as error:
            raise storage_error(error, "delete", layout.root) from error
    return gone


def adopt(storage: FileStorage, file: int, source: str, *, link: bool = False) -> bool:
    """Give a file of the torrent the bytes of a file on disk that should be equal to it (same `pieces root`).

    Shares blocks where the file system can, else copies. With `link` (both files are written by wildbach alone, and
    complete) it is a second name for the same file. False where there is nothing suitable at `source`, or the torrent
    has the file already. What was adopted must be hashed before it is believed. Blocks. Raises StorageError.
    """
    length = storage.content.files[file].length
    if storage.locate(file) is not None:
        return False
    try:
        origin = os.open(source, os.O_RDONLY | system.NOFOLLOW | system.CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        if not system.is_regular(origin) or os.fstat(origin).st_size != length:
            return False
        root, parts = storage.place_for_new(file)
        temporary = (*parts[:-1], parts[-1] + TEMPORARY_SUFFIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(root, *temporary))
        copy = storage.create(root, temporary)
        with contextlib.ExitStack() as undo:
            undo.callback(os.unlink, os.path.join(root, *temporary))
            try:
                if not (link and _second_name(source, os.path.join(root, *temporary))) and not _clone(origin, copy):
                    os.ftruncate(copy, length)
                    for at, size in data_ranges(origin, 0, length):
                        system.copy_range(origin, at, copy, at, size)
            finally:
                os.close(copy)
            storage.rename((root, temporary), (root, parts))
            undo.pop_all()
        storage.touch(file)
    except OSError as error:
        raise storage_error(error, "adopt", source) from error
    finally:
        os.close(origin)
    return True


def _second_name(source: str, name: str) -> bool:
    """Replace the file `name` by a hard link to `source`; False where that cannot be."""
    beside = name + "l"
    try:
        os.link(source, beside, follow_symlinks=False)
    except OSError:
        return False
    os.replace(beside, name)
    return True
