"""A file system in memory, for kept folders: it forgets what was not synced, and fails where it is told to.

What fsync made durable is kept apart from what can be seen: bytes, times and mode of a file by `fsync`, names of a
directory by `fsync_dir`, neither by the other. A rename is one step in both directories. Nothing here is random or
reads a clock unless it is given one.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import os
import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wildbach.disk.folder.fs import Kind, Space, Stat

NAME_BYTES = 255
_UNLIMITED = 1 << 50


class Crash(BaseException):
    """The process, or the machine, ended in this call. Nothing that handles errors catches it."""


@dataclass(eq=False)
class _Node:
    ino: int
    kind: Kind
    mtime_ns: int
    ctime_ns: int
    mode: int
    data: bytearray = field(default_factory=bytearray)
    target: str = ""
    entries: dict[str, tuple[str, _Node]] = field(default_factory=dict)
    durable: tuple[bytes, int, int] = (b"", 0, 0)
    "Bytes, mtime and mode of a file at its last fsync."
    durable_entries: dict[str, tuple[str, _Node]] = field(default_factory=dict)
    nlink: int = 0
    opens: int = 0


_Edit = tuple[_Node, str, "tuple[str, _Node] | None"]
"A directory, the key of a name in it, and what stands there now."


class FakeFs:
    """See the module and `disk.folder.fs.Fs`. `now_ns` gives the time; each change is at least 1 ns after the last.

    `folds` and `decomposes` make a file system to which case, or Unicode's forms, are the same; the second keeps names
    in NFD. `capacity` is in bytes of file data, 0 for no end.
    """

    def __init__(
        self, now_ns: Callable[[], int], *, folds: bool = False, decomposes: bool = False, hard_links: bool = True,
        exchanges: bool = True, reuse_inodes: bool = False, capacity: int = 0, device: int = 1,
    ) -> None:
        self.folds = folds
        self.decomposes = decomposes
        self.hard_links = hard_links
        self.exchanges = exchanges
        self.reuse_inodes = reuse_inodes
        self.capacity = capacity
        self.device = device
        self.read_only = False
        self.calls = 0
        "Calls of the seam so far; those made `quietly` do not count."
        self.fault: Callable[[int, str, str], None] | None = None
        "Called before each with its number, its name and its first path; what it raises is what the call does."
        self._now_ns = now_ns
        self._last_ns = 0
        self._quiet = 0
        self._dead = False
        self._used = 0
        self._next_ino = 2
        self._free_inos: list[int] = []
        self._handles: dict[int, _Node] = {}
        self._next_handle = 3
        self._pending: list[list[_Edit]] = []
        self._root = _Node(1, Kind.DIR, now_ns(), now_ns(), 0o755, nlink=1)
        self._mounted: tuple[_Node, int] | None = None

    # faults

    def fail_at(self, call: int, number: int | None = None) -> None:
        """The `call`-th call from now on, counted from 0, fails with that errno, or is a Crash."""
        wanted = self.calls + call

        def fault(at: int, name: str, path: str) -> None:
            if at == wanted:
                raise Crash if number is None else OSError(number, os.strerror(number), path)

        self.fault = fault

    @contextlib.contextmanager
    def quietly(self) -> Iterator[None]:
        """What is done inside is somebody else's doing: not counted, and without faults."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def kill(self) -> None:
        """The process ended: open files are closed, nothing is lost."""
        for handle in list(self._handles):
            self._drop(handle)
        self._dead = False
        self.fault = None

    def power_cut(self, chances: random.Random | None = None) -> None:
        """The machine lost its power: what was not synced is gone, or with `chances` some of it."""
        for change in self._pending[:] if chances is not None else ():
            if chances is not None and change in self._pending and chances.random() < 0.5:
                self._persist([change])
        self._pending.clear()
        self._handles.clear()
        seen: dict[_Node, None] = {}
        self._revert(self._root, seen, chances)
        self._used = sum(len(node.data) for node in seen)
        self._dead = False
        self.fault = None

    def _revert(self, node: _Node, seen: dict[_Node, None], chances: random.Random | None) -> None:
        node.nlink += 1
        if node in seen:
            return
        seen[node] = None
        node.nlink, node.opens = 1, 0
        if node.kind is Kind.FILE:
            kept = chances is not None and chances.random() < 0.5
            if not kept:
                data, node.mtime_ns, node.mode = node.durable
                node.data = bytearray(data)
            node.durable = (bytes(node.data), node.mtime_ns, node.mode)
        node.entries = dict(node.durable_entries)
        for _, below in node.entries.values():
            self._revert(below, seen, chances)

    def unmount(self) -> None:
        """The disk is gone: the directory where it was mounted is empty, and on another device."""
        self._mounted = self._root, self.device
        self._root = _Node(1, Kind.DIR, 0, 0, 0o755, nlink=1)
        self.device += 1000
        self._handles.clear()

    def mount(self) -> None:
        if self._mounted is not None:
            self._root, self.device = self._mounted
            self._mounted = None

    def _call(self, name: str, path: str = "", *, writes: bool = False) -> None:
        if self._dead:
            raise Crash
        if not self._quiet:
            at = self.calls
            self.calls += 1
            if self.fault is not None:
                try:
                    self.fault(at, name, path)
                except Crash:
                    self._dead = True
                    raise
        if writes and self.read_only:
            raise _error(errno.EROFS, path)

    # names

    def _key(self, name: str) -> str:
        if self.decomposes:
            name = unicodedata.normalize("NFD", name)
        if self.folds:
            name = unicodedata.normalize("NFD", name.casefold()) if self.decomposes else name.casefold()
        return name

    def _spelt(self, name: str) -> str:
        return unicodedata.normalize("NFD", name) if self.decomposes else name

    def _dir(self, parts: list[str], path: str) -> _Node:
        node = self._root
        for part in parts:
            found = node.entries.get(self._key(part))
            if found is None:
                raise _error(errno.ENOENT, path)
            node = found[1]
            if node.kind is not Kind.DIR:
                raise _error(errno.ELOOP if node.kind is Kind.LINK else errno.ENOTDIR, path)
        return node

    def _held(self, path: str) -> tuple[_Node, str, str]:
        """The directory of a path, the key of its last name, and that name."""
        *above, name = path.split("/")
        if name in ("", ".", "..") or any(part in ("", ".", "..") for part in above):
            raise _error(errno.EINVAL, path)
        if any(len(os.fsencode(part)) > NAME_BYTES for part in (name, *above)):
            raise _error(errno.ENAMETOOLONG, path)
        return self._dir(above, path), self._key(name), name

    def _find(self, path: str) -> _Node:
        if not path:
            return self._root
        holder, key, _ = self._held(path)
        found = holder.entries.get(key)
        if found is None:
            raise _error(errno.ENOENT, path)
        return found[1]

    def _tick(self) -> int:
        self._last_ns = max(self._now_ns(), self._last_ns + 1)
        return self._last_ns

    def _new(self, kind: Kind, mode: int) -> _Node:
        if self.reuse_inodes and self._free_inos:
            ino = heapq.heappop(self._free_inos)
        else:
            ino = self._next_ino
            self._next_ino += 1
        now = self._tick()
        return _Node(ino, kind, now, now, mode, durable=(b"", now, mode))

    def _edit(self, *edits: _Edit) -> None:
        now = self._tick()
        for holder, key, entry in edits:
            before = holder.entries.get(key)
            if entry is not None:
                entry[1].nlink += 1
                entry[1].ctime_ns = now
                holder.entries[key] = entry
            else:
                holder.entries.pop(key, None)
            if before is not None:
                before[1].nlink -= 1
                before[1].ctime_ns = now
            holder.mtime_ns = holder.ctime_ns = now
        for _, _, entry in edits:
            if entry is not None:
                entry[1].ctime_ns = now
        self._pending.append(list(edits))

    def _freed(self, node: _Node) -> None:
        if node.nlink <= 0 and not node.opens:
            self._used -= len(node.data)
            if node.ino:
                heapq.heappush(self._free_inos, node.ino)

    def _persist(self, changes: list[list[_Edit]]) -> None:
        """Make changes durable, with the earlier ones of the same names, in their order."""
        names = {(id(holder), key) for change in changes for holder, key, _ in change}
        chosen = {id(change) for change in changes}
        for change in reversed(self._pending):
            if id(change) in chosen or any((id(holder), key) in names for holder, key, _ in change):
                chosen.add(id(change))
                names |= {(id(holder), key) for holder, key, _ in change}
        for change in self._pending:
            if id(change) not in chosen:
                continue
            for holder, key, entry in change:
                if entry is None:
                    holder.durable_entries.pop(key, None)
                else:
                    holder.durable_entries[key] = entry
        self._pending = [change for change in self._pending if id(change) not in chosen]

    # the seam

    def attached(self) -> bool:
        self._call("attached")
        return True

    def _stat(self, node: _Node) -> Stat:
        size = len(node.data) if node.kind is Kind.FILE else len(node.target)
        return Stat(
            node.kind, size, node.mtime_ns, node.ctime_ns, self.device, node.ino, node.mode, max(node.nlink, 0),
        )

    def scandir(self, path: str) -> Iterator[tuple[str, Stat]]:
        self._call("scandir", path)
        node = self._dir(path.split("/") if path else [], path)
        for name, below in list(node.entries.values()):
            yield name, self._stat(below)

    def lstat(self, path: str) -> Stat:
        self._call("lstat", path)
        return self._stat(self._find(path))

    def _opened(self, node: _Node, path: str) -> int:
        if node.kind in (Kind.LINK, Kind.DIR):
            raise _error(errno.ELOOP if node.kind is Kind.LINK else errno.EISDIR, path)
        node.opens += 1
        handle = self._next_handle
        self._next_handle += 1
        self._handles[handle] = node
        return handle

    def open_read(self, path: str) -> int:
        self._call("open_read", path)
        return self._opened(self._find(path), path)

    def open_write(self, path: str) -> int:
        self._call("open_write", path, writes=True)
        return self._opened(self._find(path), path)

    def open_new(self, path: str) -> int:
        self._call("open_new", path, writes=True)
        return self._opened(self._make(path, Kind.FILE, 0o644), path)

    def _make(self, path: str, kind: Kind, mode: int) -> _Node:
        holder, key, name = self._held(path)
        if key in holder.entries:
            raise _error(errno.EEXIST, path)
        node = self._new(kind, mode)
        self._edit((holder, key, (self._spelt(name), node)))
        return node

    def _open(self, handle: int) -> _Node:
        if handle not in self._handles:
            raise _error(errno.EBADF, "")
        return self._handles[handle]

    def close(self, handle: int) -> None:
        if self._dead:
            raise Crash
        self._open(handle)
        self._drop(handle)

    def _drop(self, handle: int) -> None:
        node = self._handles.pop(handle)
        node.opens -= 1
        self._freed(node)

    def fstat(self, handle: int) -> Stat:
        self._call("fstat")
        return self._stat(self._open(handle))

    def read_into(self, handle: int, offset: int, view: memoryview) -> int:
        self._call("read")
        data = self._open(handle).data[offset : offset + view.nbytes]
        view[: len(data)] = data
        return len(data)

    def write(self, handle: int, offset: int, data: bytes | memoryview) -> None:
        self._call("write", writes=True)
        self._put(self._open(handle), offset, bytes(data))

    def _put(self, node: _Node, offset: int, data: bytes) -> None:
        grown = max(0, offset + len(data) - len(node.data))
        if self.capacity and self._used + grown > self.capacity:
            raise _error(errno.ENOSPC, "")
        self._used += grown
        node.data.extend(bytes(max(0, offset - len(node.data))))
        node.data[offset : offset + len(data)] = data
        node.mtime_ns = node.ctime_ns = self._tick()

    def truncate(self, handle: int, size: int) -> None:
        self._call("truncate", writes=True)
        node = self._open(handle)
        if size <= len(node.data):
            self._used -= len(node.data) - size
            del node.data[size:]
            node.mtime_ns = node.ctime_ns = self._tick()
        else:
            self._put(node, len(node.data), bytes(size - len(node.data)))

    def copy_range(self, source: int, begin: int, target: int, to: int, length: int) -> None:
        self._call("copy_range", writes=True)
        data = bytes(self._open(source).data[begin : begin + length])
        if len(data) != length:
            raise _error(errno.EIO, "")
        self._put(self._open(target), to, data)

    def set_times(self, handle: int, mtime_ns: int) -> None:
        self._call("set_times", writes=True)
        node = self._open(handle)
        node.mtime_ns, node.ctime_ns = mtime_ns, self._tick()

    def set_mode(self, handle: int, mode: int) -> None:
        self._call("set_mode", writes=True)
        node = self._open(handle)
        node.mode, node.ctime_ns = mode & 0o777, self._tick()

    def fsync(self, handle: int) -> None:
        self._call("fsync", writes=True)
        node = self._open(handle)
        node.durable = (bytes(node.data), node.mtime_ns, node.mode)

    def fsync_dir(self, path: str) -> None:
        self._call("fsync_dir", path)
        node = self._dir(path.split("/") if path else [], path)
        self._persist([change for change in self._pending if any(holder is node for holder, _, _ in change)])

    def rename(self, path: str, to: str) -> None:
        self._call("rename", path, writes=True)
        self._rename(path, to, replace=True)

    def rename_new(self, path: str, to: str) -> None:
        self._call("rename_new", path, writes=True)
        if not self.exchanges:
            raise _error(errno.EINVAL, path)
        self._rename(path, to, replace=False)

    def _rename(self, path: str, to: str, *, replace: bool) -> None:
        node = self._find(path)
        holder, key, _ = self._held(path)
        other, other_key, other_name = self._held(to)
        if node.kind is Kind.DIR and (to + "/").startswith(path + "/") and to != path:
            raise _error(errno.EINVAL, path)
        there = other.entries.get(other_key)
        same_name = holder is other and key == other_key
        if there is not None and not same_name:
            if not replace:
                raise _error(errno.EEXIST, to)
            if there[1] is node:
                return
            if there[1].kind is Kind.DIR:
                if node.kind is not Kind.DIR:
                    raise _error(errno.EISDIR, to)
                if there[1].entries:
                    raise _error(errno.ENOTEMPTY, to)
            elif node.kind is Kind.DIR:
                raise _error(errno.ENOTDIR, to)
        elif same_name and not replace:
            raise _error(errno.EEXIST, to)
        self._edit((holder, key, None), (other, other_key, (self._spelt(other_name), node)))
        if there is not None and not same_name:
            self._freed(there[1])

    def exchange(self, path: str, other: str) -> None:
        self._call("exchange", path, writes=True)
        if not self.exchanges:
            raise _error(errno.EINVAL, path)
        one, two = self._find(path), self._find(other)
        holder, key, _ = self._held(path)
        beside, beside_key, _ = self._held(other)
        name, other_name = holder.entries[key][0], beside.entries[beside_key][0]
        self._edit((holder, key, (name, two)), (beside, beside_key, (other_name, one)))

    def link(self, path: str, to: str) -> None:
        self._call("link", path, writes=True)
        node = self._find(path)
        if not self.hard_links or node.kind is Kind.DIR:
            raise _error(errno.EPERM, path)
        holder, key, name = self._held(to)
        if key in holder.entries:
            raise _error(errno.EEXIST, to)
        self._edit((holder, key, (self._spelt(name), node)))

    def symlink(self, target: str, path: str) -> None:
        self._call("symlink", path, writes=True)
        self._make(path, Kind.LINK, 0o777).target = target

    def readlink(self, path: str) -> str:
        self._call("readlink", path)
        node = self._find(path)
        if node.kind is not Kind.LINK:
            raise _error(errno.EINVAL, path)
        return node.target

    def unlink(self, path: str) -> None:
        self._call("unlink", path, writes=True)
        node = self._find(path)
        if node.kind is Kind.DIR:
            raise _error(errno.EISDIR, path)
        holder, key, _ = self._held(path)
        self._edit((holder, key, None))
        self._freed(node)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self._call("mkdir", path, writes=True)
        self._make(path, Kind.DIR, mode & 0o755)

    def rmdir(self, path: str) -> None:
        self._call("rmdir", path, writes=True)
        node = self._find(path)
        if node.kind is not Kind.DIR:
            raise _error(errno.ENOTDIR, path)
        if node.entries:
            raise _error(errno.ENOTEMPTY, path)
        holder, key, _ = self._held(path)
        self._edit((holder, key, None))
        self._freed(node)

    def space(self) -> Space:
        self._call("space")
        total = self.capacity or _UNLIMITED
        return Space(total, max(0, total - self._used))

    # what a user does, and sees; neither is counted or fails

    def put(self, path: str, data: bytes, *, mtime_ns: int | None = None) -> None:
        """Write a file, in place where there is one; the directories above are made."""
        with self.quietly():
            above = path.split("/")[:-1]
            for depth in range(len(above)):
                with contextlib.suppress(FileExistsError):
                    self.mkdir("/".join(above[: depth + 1]))
            try:
                handle = self.open_new(path)
            except FileExistsError:
                handle = self.open_write(path)
            try:
                self.truncate(handle, 0)
                self.write(handle, 0, data)
                if mtime_ns is not None:
                    self.set_times(handle, mtime_ns)
            finally:
                self.close(handle)

    def read(self, path: str) -> bytes:
        node = self._find(path)
        if node.kind is not Kind.FILE:
            raise _error(errno.EISDIR, path)
        return bytes(node.data)

    def special(self, path: str) -> None:
        """A pipe, or the like."""
        self._make(path, Kind.OTHER, 0o644)

    def sync_all(self) -> None:
        """What `sync` does: all that there is becomes durable."""
        self._pending.clear()
        self._settle(self._root)

    def _settle(self, node: _Node) -> None:
        node.durable = (bytes(node.data), node.mtime_ns, node.mode)
        node.durable_entries = dict(node.entries)
        for _, below in node.entries.values():
            self._settle(below)

    def tree(self, path: str = "") -> dict[str, bytes | str | None]:
        """All below a directory: bytes of files, targets of links, None for directories and the rest."""
        found: dict[str, bytes | str | None] = {}
        node = self._dir(path.split("/") if path else [], path)
        for name, below in sorted(node.entries.values(), key=lambda entry: entry[0]):
            at = f"{path}/{name}" if path else name
            if below.kind is Kind.FILE:
                found[at] = bytes(below.data)
            else:
                found[at] = below.target if below.kind is Kind.LINK else None
            if below.kind is Kind.DIR:
                found.update(self.tree(at))
        return found


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
