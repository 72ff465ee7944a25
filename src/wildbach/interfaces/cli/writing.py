"""Files that a person asked for."""

from __future__ import annotations

import os
from pathlib import Path

from wildbach.base.errors import StorageError, UsageError
from wildbach.interfaces.cli import text


def require_free(place: Path, *, force: bool) -> None:
    """Raises UsageError where a file is there that must not be replaced."""
    if place.exists() and not force:
        raise UsageError(f"{text.clean(str(place))} exists already; --force replaces it, -o writes elsewhere")


def write_durably(place: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part. Raises StorageError."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
        _sync_folder(place.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{place}: {error.strerror or error}", path=str(place), errno=error.errno or 0
        ) from error


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
