"""What changes of other devices replaced or deleted: `.wildbach/versions/<path>/<time>`.

A path is a directory there, and each of its versions a file (or symbolic link) whose name is the time at which it was
replaced, so a user can look without a tool. All is on the disk itself; only the sum of the sizes is remembered.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wildbach.disk.folder.fs import Fs, Kind
from wildbach.disk.folder.local import VERSIONS, Blocked
from wildbach.disk.folder.staging import doing

_STAMP: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{9})Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
MONTH: Final = 30 * DAY
SHARE: Final = 0.1
"Of the disk, that all versions of a folder may take."
_LATEST: Final = 253_402_300_799 * SECOND
"The end of the year 9999."
_LASTING: Final = 10_000


@dataclass(frozen=True, slots=True)
class Version:
    path: str
    when_ns: int
    "When it was replaced, in nanoseconds since 1970."
    kind: Kind
    size: int
    mtime_ns: int
    place: str
    "Where it stands, from the top of the folder."


def stamp(when_ns: int) -> str:
    when_ns = min(max(when_ns, 0), _LATEST)
    when = _EPOCH + timedelta(seconds=when_ns // SECOND)
    return f"{when.year:04}{when:%m%dT%H%M%S}.{when_ns % SECOND:09}Z"


def unstamp(name: str) -> int | None:
    """The time that `stamp` wrote; None for any other name."""
    found = _STAMP.fullmatch(name)
    if found is None or not name.isascii():
        return None
    year, month, day, hour, minute, second, nanos = map(int, found.groups())
    try:
        when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return ((when - _EPOCH) // timedelta(seconds=1)) * SECOND + nanos


def thinned(whens: Sequence[int], now_ns: int) -> list[int]:
    """Which versions of one path give way: all of the last hour stay, then one an hour for a day, one a day for a
    month, and one a week. Of each of these spans the oldest stays, and the newest of all always does.
    """
    if not whens:
        return []
    newest = max(whens)
    seen: set[tuple[int, int]] = set()
    gone = []
    for when in sorted(whens):
        age = now_ns - when
        if age < HOUR or when == newest:
            continue
        span = HOUR if age < DAY else DAY if age < MONTH else WEEK
        if (span, when // span) in seen:
            gone.append(when)
        seen.add((span, when // span))
    return gone


class Versions:
    """The versions of one folder. `share` is the part of the disk that they may take. Blocks; raises StorageError, and
    `prepare` OSError.
    """

    def __init__(self, fs: Fs, now_ns: Callable[[], int], *, share: float = SHARE) -> None:
        self.share = share
        self._lasting: set[str] = set()
        "Directories that are on the disk, as far as this process saw to it."
        self._fs = fs
        self._now_ns = now_ns
        self._total: int | None = None

    @property
    def total(self) -> int:
        """Bytes of all versions. The first time they are counted."""
        if self._total is None:
            self._total = sum(version.size for version in self.history())
        return self._total

    @property
    def cap(self) -> int:
        return int(self._fs.space().total * self.share)

    def history(self, path: str = "") -> Iterator[Version]:
        """Of a path and of all below it, in order of the paths, the oldest first; `""` for all."""
        with doing("read", VERSIONS), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            yield from self._walk(path)

    def _walk(self, path: str) -> Iterator[Version]:
        place = f"{VERSIONS}/{path}" if path else VERSIONS
        below = []
        found = []
        for name, stat in self._fs.scandir(place):
            when = unstamp(name)
            if stat.kind is Kind.DIR:
                below.append(name)
            elif path and when is not None and stat.kind in (Kind.FILE, Kind.LINK):
                found.append(Version(path, when, stat.kind, stat.size, stat.mtime_ns, f"{place}/{name}"))
        yield from sorted(found, key=lambda version: version.when_ns)
        for name in sorted(below):
            with contextlib.suppress(FileNotFoundError):
                yield from self._walk(f"{path}/{name}" if path else name)

    def prepare(self, path: str) -> str:
        """A free place for a version of `path`; its directory is there, and on the disk.

        Raises Blocked where something that is no directory is in the way.
        """
        made = VERSIONS
        parts = path.split("/")
        self._mkdir(made)
        for part in parts:
            made = f"{made}/{part}"
            self._mkdir(made)
        when = self._now_ns()
        while True:
            place = f"{made}/{stamp(when)}"
            try:
                self._fs.lstat(place)
            except FileNotFoundError:
                return place
            when += 1

    def _mkdir(self, path: str) -> None:
        try:
            stat = self._fs.lstat(path)
        except FileNotFoundError:
            self._fs.mkdir(path)
            self._lasting.discard(path)
        else:
            if stat.kind is not Kind.DIR:
                raise Blocked(f"{path} is in the way of the versions", path=path)
        if path not in self._lasting:
            # Also one that is there: whoever made it may have died before it was on the disk.
            self._fs.fsync_dir(path.rpartition("/")[0])
            if len(self._lasting) >= _LASTING:
                self._lasting.clear()
            self._lasting.add(path)

    def added(self, size: int) -> None:
        """A version of `size` bytes came."""
        if self._total is not None:
            self._total += size

    def room_for(self, size: int) -> bool:
        """True where a version of `size` bytes fits under the cap; the oldest give way for it.

        The last version of a path does not, for 7 days.
        """
        if self.total + size <= self.cap:
            return True
        self.thin(size)
        return self.total + size <= self.cap

    def thin(self, room: int = 0) -> int:
        """Remove what the schedule, and then the cap with `room` bytes below it, do not keep. How many went."""
        with doing("thin", VERSIONS):
            return self._thin(room)

    def _thin(self, room: int) -> int:
        now = self._now_ns()
        gone = 0
        total = 0
        left: list[Version] = []
        protected: set[str] = set()
        for versions in self._by_path():
            doomed = set(thinned([version.when_ns for version in versions], now))
            for version in versions:
                if version.when_ns in doomed:
                    self._remove(version)
                    gone += 1
                else:
                    total += version.size
                    left.append(version)
            last = versions[-1]
            if now - last.when_ns < WEEK:
                protected.add(last.place)
        cap = self.cap
        for version in sorted(left, key=lambda version: version.when_ns):
            if total + room <= cap:
                break
            if version.place not in protected:
                self._remove(version)
                total -= version.size
                gone += 1
        self._total = total
        return gone

    def _by_path(self) -> Iterator[list[Version]]:
        group: list[Version] = []
        for version in list(self.history()):
            if group and group[0].path != version.path:
                yield group
                group = []
            group.append(version)
        if group:
            yield group

    def erase(self) -> None:
        """Remove all of them."""
        for version in list(self.history()):
            self._remove(version)
        self._total = 0

    def _remove(self, version: Version) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.unlink(version.place)
        holder = version.place.rpartition("/")[0]
        while holder != VERSIONS:
            try:
                self._fs.rmdir(holder)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    return
                raise
            holder = holder.rpartition("/")[0]
