"""The table of qBittorrent's `torrents.db`, read without touching the folder it is in.

A database that nobody uses is opened as one that cannot change, so SQLite writes no lock or index beside it. Where its
program may be writing, or a crash left a journal, a copy is made in a private folder, and SQLite mends that.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, StorageError
from wildbach.disk.system import storage_error

Row = Mapping[str, object]

_BESIDE = ("-wal", "-journal")
_TRIES = 3
_NEEDED = ("torrent_id", "libtorrent_resume_data")
_COLUMNS = (
    "torrent_id", "queue_position", "name", "category", "tags", "target_save_path", "download_path", "ratio_limit",
    "seeding_time_limit", "inactive_seeding_time_limit", "share_limit_action", "has_outer_pieces_priority",
    "operating_mode", "stopped", "stop_condition", "libtorrent_resume_data", "metadata",
)


def rows(path: Path, *, busy: bool = False) -> Iterator[Row]:
    """Each torrent: those columns that this version of the table has. `busy`: its program may be writing.

    Raises FormatError for a file that is no such database, StorageError where it cannot be read, LimitError where a
    copy would be too large.
    """
    with _opened(path, busy) as base:
        try:
            there = {row[1] for row in base.execute("PRAGMA table_info(torrents)")}
            if not all(name in there for name in _NEEDED):
                raise FormatError("has no table of torrents", where=path.name)
            chosen = [name for name in _COLUMNS if name in there]
            for row in base.execute(f"SELECT {', '.join(chosen)} FROM torrents ORDER BY rowid"):
                yield dict(zip(chosen, row, strict=True))
        except sqlite3.Error as error:
            raise FormatError(f"is no sound database: {error}", where=path.name) from None


def count_rows(path: Path, *, busy: bool = False) -> int:
    """How many torrents there are. Raises as `rows`."""
    with _opened(path, busy) as base:
        try:
            return int(base.execute("SELECT count(*) FROM torrents").fetchone()[0])
        except sqlite3.Error as error:
            raise FormatError(f"is no sound database: {error}", where=path.name) from None


@contextmanager
def _opened(path: Path, busy: bool) -> Iterator[sqlite3.Connection]:
    if path.is_symlink() or not path.is_file():
        raise FormatError("is no regular file", where=path.name)
    if not busy and not any(os.path.lexists(f"{path}{end}") for end in _BESIDE):
        with _connected(path, "mode=ro&immutable=1") as base:
            yield base
        return
    with tempfile.TemporaryDirectory(prefix="wildbach-import-") as folder:
        copy = Path(folder) / "torrents.db"
        _copy(path, copy)
        with _connected(copy, "mode=rw") as base:
            yield base


@contextmanager
def _connected(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    try:
        base = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True)
    except sqlite3.Error as error:
        raise FormatError(f"is no sound database: {error}", where=path.name) from None
    with closing(base):
        base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.TORRENT_FILE_BYTES)
        # A hostile schema is not believed: no function, view or virtual table of it is run.
        try:
            base.execute("PRAGMA trusted_schema = OFF")
            kind = base.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'torrents' AND type = 'table' AND sql LIKE 'CREATE TABLE %'"
            ).fetchone()
        except sqlite3.Error as error:
            raise FormatError(f"is no sound database: {error}", where=path.name) from None
        if kind is None:
            raise FormatError("has no table of torrents", where=path.name)
        yield base


def _copy(path: Path, target: Path) -> None:
    """Copy the database and what belongs to it until nothing changed meanwhile."""
    for _ in range(_TRIES):
        before = _stamps(path)
        total = sum(size for _, size, _ in before)
        if total > limits.IMPORT_DATABASE_BYTES:
            raise LimitError(
                f"has {total} bytes, over IMPORT_DATABASE_BYTES: end qBittorrent first", where=path.name)
        try:
            for end in ("", *_BESIDE):
                Path(f"{target}{end}").unlink(missing_ok=True)
                if os.path.isfile(f"{path}{end}") and not os.path.islink(f"{path}{end}"):
                    shutil.copyfile(f"{path}{end}", f"{target}{end}", follow_symlinks=False)
        except OSError as error:
            raise storage_error(error, "copy", str(path)) from error
        if _stamps(path) == before:
            return
    raise StorageError(f"{path} changes all the time: end qBittorrent first", path=str(path), code="busy")


def _stamps(path: Path) -> list[tuple[str, int, int]]:
    found = []
    for end in ("", *_BESIDE):
        try:
            state = os.lstat(f"{path}{end}")
        except OSError:
            continue
        found.append((end, state.st_size, state.st_mtime_ns))
    return found
