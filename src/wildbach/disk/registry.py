"""Which torrents of a session share paths: one writes, and deleting one spares what another needs."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from wildbach.base.errors import StorageError


class PathRegistry:
    """The paths of one session's torrents. Thread-safe.

    Torrents register the few top-level entries they make (`Layout.tops`), which is cheap to hold for very many
    torrents; only files open for writing are listed one by one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writers: dict[str, str] = {}
        self._written: dict[str, dict[str, None]] = {}
        self._tops: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, tuple[str, ...]] = {}

    def claim(self, path: str, key: str) -> None:
        """From now on only torrent `key` may write to `path`. StorageError, code `in_use`, where another one does."""
        with self._lock:
            holder = self._writers.setdefault(path, key)
            if holder != key:
                raise StorageError(f"{path} is being written by torrent {holder}", path=path, code="in_use")
            self._written.setdefault(key, {})[path] = None

    def release(self, key: str, path: str | None = None) -> None:
        """Give back one claim of a torrent, or all of them."""
        with self._lock:
            held = self._written.get(key, {})
            for name in list(held) if path is None else [path]:
                if held.pop(name, 0) is None:
                    del self._writers[name]
            if not held:
                self._written.pop(key, None)

    def register(self, key: str, tops: Iterable[str]) -> None:
        """A torrent's files lie at or below these paths; replaces what was said before."""
        self.unregister(key)
        with self._lock:
            self._tops[key] = tuple(tops)
            for top in self._tops[key]:
                self._owners[top] = (*self._owners.get(top, ()), key)

    def unregister(self, key: str) -> None:
        """A torrent is gone."""
        with self._lock:
            for top in self._tops.pop(key, ()):
                left = tuple(owner for owner in self._owners[top] if owner != key)
                if left:
                    self._owners[top] = left
                else:
                    del self._owners[top]

    def neighbours(self, key: str) -> tuple[str, ...]:
        """Other torrents that may share files with this one: those with an entry that is one of its own, in one of
        its own, or has one of its own in it. Looks at every entry there is.
        """
        with self._lock:
            places = Places(self._tops.get(key, ()))
            found: dict[str, None] = {}
            for top, owners in self._owners.items():
                if places.meet(top):
                    found.update(dict.fromkeys(owners))
            found.pop(key, None)
            return tuple(found)


class Places:
    """Some entries of file systems, as absolute paths, and whether others meet them."""

    def __init__(self, tops: Iterable[str]) -> None:
        self._tops = frozenset(tops)
        self._above = {folder for top in self._tops for folder in _folders(top)}

    def meet(self, path: str) -> bool:
        """Whether it is one of them, has one of them in it, or is in one."""
        return path in self._tops or path in self._above or any(folder in self._tops for folder in _folders(path))


def _folders(path: str) -> Iterable[str]:
    """Those it is in, from the nearest."""
    at = path.rfind("/")
    while at > 0:
        yield path[:at]
        at = path.rfind("/", 0, at)
