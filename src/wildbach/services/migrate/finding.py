"""Finding the state folders of other clients, and reading them: what callers use.

All of it blocks, so a session calls it in a thread. Nothing is written to these folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.services.migrate import deluge, qbittorrent, rtorrent, transmission
from wildbach.services.migrate.folders import Names, listed
from wildbach.services.migrate.found import Client, Found, General, State, Unreadable
from wildbach.services.migrate.placing import PathMap


class _Reader(Protocol):
    def look(self, folder: Path, names: Names) -> list[State]: ...
    def general(self, state: State, paths: PathMap) -> General: ...
    def torrents(self, state: State, paths: PathMap) -> Iterator[Found | Unreadable]: ...


_READERS: Final[Mapping[Client, _Reader]] = {
    Client.QBITTORRENT: qbittorrent, Client.TRANSMISSION: transmission, Client.DELUGE: deluge,
    Client.RTORRENT: rtorrent,
}

_HOME: Final = (
    ".local/share/qBittorrent", ".config/qBittorrent", ".local/share/data/qBittorrent",
    ".var/app/org.qbittorrent.qBittorrent/data/qBittorrent",
    "snap/qbittorrent-arnatious/current/.local/share/qBittorrent",
    "snap/qbittorrent-arnatious/current/.config/qBittorrent", "Library/Application Support/qBittorrent",
    "AppData/Local/qBittorrent",
    ".config/transmission", ".config/transmission-daemon", ".config/transmission-cli",
    ".var/app/com.transmissionbt.Transmission/config/transmission", "snap/transmission/current/.config/transmission",
    "Library/Application Support/Transmission", "AppData/Local/transmission", "AppData/Local/transmission-daemon",
    ".config/deluge", ".var/app/org.deluge_torrent.deluge/config/deluge", "AppData/Roaming/deluge",
    ".session", ".rtorrent/session", ".rtorrent/.session", "rtorrent/.session", "rtorrent/session",
    ".local/share/rtorrent/session", ".local/share/rtorrent/.session", "download/.session",
)
_SYSTEM: Final = (
    "/config/qBittorrent", "/config", "/var/lib/qbittorrent", "/var/lib/transmission-daemon",
    "/var/lib/transmission/.config/transmission-daemon", "/var/lib/deluge", "/var/lib/deluged", "/var/lib/rtorrent",
)


def places(home: Path, system: Sequence[str] = _SYSTEM) -> tuple[Path, ...]:
    """Folders where clients keep their state usually, those that are there."""
    candidates = [home / name for name in _HOME] + [Path(name) for name in system]
    return tuple(path for path in candidates if path.is_dir())


def find(path: Path) -> list[State]:
    """The states of clients at `path`: a state folder itself, a folder that has some not too deep below it, or a file
    of one. Symlinks below it are not followed.

    Raises UsageError where there is nothing to look into.
    """
    start = path if path.is_dir() else path.parent
    if not path.exists() or not start.is_dir():
        raise UsageError(f"there is no folder {path}")
    found: list[State] = []
    seen: set[tuple[Client, Path]] = set()
    level = [start.resolve()]
    looked = 0
    for _ in range(limits.IMPORT_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            looked += 1
            if looked > limits.IMPORT_FOLDERS:
                return found
            names = listed(folder)
            states = [state for reader in _READERS.values() for state in reader.look(folder, names)]
            for state in states:
                if (state.client, state.path) not in seen:
                    seen.add((state.client, state.path))
                    found.append(state)
            if not any(state.path == folder for state in states):
                below += [folder / name for name, inner in names.items() if inner]
        level = below
    if not found and start == path:
        # The user may have named a folder inside.
        found = [state for reader in _READERS.values() for state in reader.look(path.parent, listed(path.parent))
                 if path in (state.path / "torrents", state.path / "resume")]
    return found


def general(state: State, paths: PathMap | None = None) -> General:
    """Folders, suffix and categories of a client. What cannot be read stands in its notes."""
    return _READERS[state.client].general(state, paths or PathMap())


def torrents(state: State, paths: PathMap | None = None) -> Iterator[Found | Unreadable]:
    """The torrents of a client, one read at a time: a broken one does not stop the others.

    Raises StorageError or FormatError where the state as a whole cannot be read.
    """
    return _READERS[state.client].torrents(state, paths or PathMap())
