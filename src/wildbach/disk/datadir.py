"""The data directory: where the state is, and which process may work on which torrent.

    state.db, state.db-wal, state.db-shm   the database; several processes may have it open
    state.db.lock                          held shared by each of them; alone by the one that repairs
    state.db.damaged-N                     what was put aside
    locks/KEY.lock                         held by the process that writes to a torrent
    filters/HASH.list                      lists of blocked addresses as their URLs gave them

A lock ends with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

from wildbach.base.errors import StorageError
from wildbach.disk import system
from wildbach.disk.database import Database


def default_data_dir() -> Path:
    """`$XDG_STATE_HOME/wildbach`, by default `~/.local/state/wildbach`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "wildbach"


class TorrentLock:
    """The right to write to a torrent, held until `release` or the end of the process."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path

    def release(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            # Whoever removed the folder may have made it anew: the name may be gone, or stand for the lock of another.
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(self._fd), os.stat(self._path)):
                    os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        # Whoever waited for it in a thread may have been cancelled: then nobody else lets go of it.
        self.release()

    def __enter__(self) -> TorrentLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class DataDir:
    """One data directory. Made with access for its owner only."""

    def __init__(self, path: Path | str) -> None:
        self.path = os.path.abspath(path)
        try:
            fresh = not os.path.isdir(self.path)
            for grown in system.make_root(os.path.join(self.path, "locks")):
                system.sync_path(grown)
            if fresh:
                os.chmod(self.path, 0o700)
        except OSError as error:
            raise system.storage_error(error, "make the data directory", self.path) from error

    def open_database(self) -> Database:
        """The state of all torrents. StorageError where it cannot be used; damage is repaired (see `Database`)."""
        return Database(os.path.join(self.path, "state.db"))

    def claim(self, key: str) -> TorrentLock:
        """The right to write to a torrent. StorageError, code `in_use`, where another process has it."""
        path = os.path.join(self.path, "locks", f"{key}.lock")
        try:
            while True:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | system.CLOEXEC, 0o600)
                if not system.lock(fd):
                    os.close(fd)
                    raise StorageError(f"another process works on torrent {key}", path=path, code="in_use")
                # The last holder may have unlinked the file between our open and our lock.
                if os.path.exists(path) and os.path.samestat(os.fstat(fd), os.stat(path)):
                    return TorrentLock(fd, path)
                os.close(fd)
        except OSError as error:
            raise system.storage_error(error, "lock", path) from error
