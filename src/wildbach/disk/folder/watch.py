"""What the kernel says changed in a folder (inotify), and when a path has been quiet long enough to be looked at.

Directly, and not by a library that hides what it is built on: a file that was *closed* after writing is finished and
can be read at once, and only inotify itself says so. Linux only. One watch a directory; where the system permits no
more, that is said, and what is not watched is found by the next scan.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import StorageError
from wildbach.disk import system
from wildbach.disk.folder.fs import Kind, RealFs
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.names import composed, reserved

CLOSED_SECONDS: Final = 0.3
"Quiet time after a file was closed, or after anything that is complete by itself."
OPEN_SECONDS: Final = 2.0
"The same for a file that is still being written, as far as one knows."
LONGEST_SECONDS: Final = 30.0
"A path that is never quiet is looked at after this."

_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x100, 0x200, 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED, _IS_DIR = 0x2000, 0x4000, 0x8000, 0x40000000
_ONLY_DIR, _EXCLUDE_UNLINKED = 0x01000000, 0x04000000
_WANTED: Final = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
    | _ONLY_DIR | _EXCLUDE_UNLINKED
)
_EVENT: Final = struct.Struct("=iIII")
_BUFFER: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Event:
    path: str
    "`\"\"` is the whole folder: events were lost, or the folder itself went."
    finished: bool
    "Nobody is in the middle of writing it, as far as the kernel knows."


class Inotify:
    """The watches of one folder. For one thread at a time. `fileno` is readable when there is something to `read`."""

    def __init__(self, fs: RealFs, *, ignores: Ignores | None = None, most: int = limits.SYNC_WATCHES) -> None:
        """Raises StorageError where the system has none left, or none at all."""
        self.full = False
        "True once a directory could not be watched because there are too many: `fs.inotify.max_user_watches`."
        self._fs = fs
        self._ignores = ignores if ignores is not None else Ignores()
        self._most = most
        self._paths: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform != "linux" or not hasattr(self._libc, "inotify_init1"):
            raise StorageError("this system cannot say what changes in a folder", code="not_supported")
        self._fd = int(self._libc.inotify_init1(os.O_NONBLOCK | system.CLOEXEC))
        if self._fd < 0:
            number = ctypes.get_errno()
            raise StorageError(
                f"the folder cannot be watched: {os.strerror(number)} (fs.inotify.max_user_instances)", errno=number,
                code="watch_limit",
            )

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)

    def __len__(self) -> int:
        return len(self._watches)

    def ignore(self, ignores: Ignores) -> None:
        """Other patterns hold; what they do not name any more is watched from now on. Raises as `add_tree`."""
        if ignores.rules != self._ignores.rules:
            self._ignores = ignores
            self.add_tree()

    def add_tree(self, path: str = "") -> None:
        """Watch a directory and all below it. Blocks; what vanishes or cannot be read meanwhile is left out.

        Raises StorageError where not even the top can be watched.
        """
        waiting = [path]
        device: int | None = None
        while waiting and not self.full:
            at = waiting.pop()
            # First the watch, then the look: what is made between is seen twice, and not never.
            if not self._add(at):
                continue
            try:
                if device is None:
                    device = self._fs.lstat("").dev
                for name, stat in self._fs.scandir(at):
                    if stat.kind is not Kind.DIR or stat.dev != device or (not at and reserved(name)):
                        continue
                    below = f"{at}/{name}" if at else name
                    if not self._ignores.here(below, folder=True):
                        waiting.append(below)
            except OSError:
                continue

    def _add(self, path: str) -> bool:
        known = self._watches.get(path)
        if known is None and len(self._watches) >= self._most:
            self.full = True
            return False
        try:
            fd = self._fs.open_dir(path)
        except OSError:
            return False
        try:
            watch = int(self._libc.inotify_add_watch(self._fd, b"/proc/self/fd/%d" % fd, _WANTED))
        finally:
            os.close(fd)
        if watch < 0:
            number = ctypes.get_errno()
            self.full = self.full or number == errno.ENOSPC
            if not path and not self.full:
                raise StorageError(f"the folder cannot be watched: {os.strerror(number)}", errno=number)
            return False
        if watch == known:
            return True
        if known is not None:
            # Another directory has its name now: one that was empty gives way to a rename.
            self._forget(known)
        before = self._paths.get(watch)
        if before is not None:
            # The same directory, seen under its new name before the news of its old one came.
            self._watches.pop(before, None)
        self._paths[watch] = path
        self._watches[path] = watch
        return True

    def _forget(self, watch: int) -> None:
        path = self._paths.pop(watch, None)
        if path is not None and self._watches.get(path) == watch:
            del self._watches[path]
        self._libc.inotify_rm_watch(self._fd, watch)

    def _drop(self, path: str) -> None:
        """No watches any more at a directory that went, and below it."""
        for at in [at for at in self._watches if at == path or at.startswith(path + "/")]:
            self._forget(self._watches[at])

    def read(self) -> list[Event]:
        """What happened since the last time, in order; new directories are watched from now on. Does not wait."""
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return []
        events: list[Event] = []
        at = 0
        while at + _EVENT.size <= len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
            at += _EVENT.size + length
            event = self._event(watch, mask, composed(os.fsdecode(name)))
            if event is not None:
                events.append(event)
        return events

    def _event(self, watch: int, mask: int, name: str) -> Event | None:
        if mask & _OVERFLOW:
            return Event("", True)
        folder = self._paths.get(watch)
        if mask & _IGNORED:
            if folder is not None:
                del self._paths[watch]
                if self._watches.get(folder) == watch:
                    del self._watches[folder]
            return None
        if folder is None:
            return None
        if mask & (_UNMOUNT | _DELETE_SELF | _MOVE_SELF) and not name:
            return None if folder else Event("", True)
        if not name:
            return None
        path = f"{folder}/{name}" if folder else name
        if reserved(path):
            return None
        if mask & _IS_DIR:
            if mask & (_MOVED_FROM | _DELETE):
                self._drop(path)
            elif mask & (_CREATE | _MOVED_TO) and not self._ignores.here(path, folder=True):
                self.add_tree(path)
            return Event(path, True)
        return Event(path, not mask & (_MODIFY | _CREATE))


class Dirty:
    """Paths that changed, each until it was quiet. `now` is in seconds of any clock that only goes forward."""

    def __init__(self, most: int = limits.SYNC_DIRTY_PATHS) -> None:
        self._most = most
        self._paths: dict[str, tuple[float, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._paths)

    def changed(self, path: str, now: float, *, finished: bool) -> None:
        """More than SYNC_DIRTY_PATHS at a time become one: the whole folder."""
        quiet = now + (CLOSED_SECONDS if finished else OPEN_SECONDS)
        if "" in self._paths:
            path = ""
        elif not path or (len(self._paths) >= self._most and path not in self._paths):
            path = ""
            first = min((latest for _, latest in self._paths.values()), default=now + LONGEST_SECONDS)
            self._paths = {"": (quiet, first)}
        _, latest = self._paths.get(path, (0.0, now + LONGEST_SECONDS))
        self._paths[path] = (quiet, latest)

    def due(self, now: float) -> list[str]:
        """The paths that have been quiet, in the order in which they first changed; they are no longer held."""
        found = [path for path, (quiet, latest) in self._paths.items() if min(quiet, latest) <= now]
        for path in found:
            del self._paths[path]
        return found
