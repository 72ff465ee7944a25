"""Whole files in a folder of the data directory, each replaced in one step: there is the old one or the new one.

For what is too long for the database and can be had again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from wildbach.base.errors import StorageError
from wildbach.disk import system


@dataclass(frozen=True, slots=True)
class Kept:
    data: bytes
    when: float
    "The time that was last given for it."


class Shelf:
    """One such folder, made when something is put there. Names are the caller's, and safe; times are seconds since
    1970. Blocks; raises StorageError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, most: int) -> Kept | None:
        """What is kept under a name; None where nothing is, or more than `most` bytes."""
        try:
            with open(self.folder / name, "rb") as file:
                data = file.read(most + 1)
                return Kept(data, os.fstat(file.fileno()).st_mtime) if len(data) <= most else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error, "read", name) from error

    def put(self, name: str, data: bytes, when: float) -> None:
        """Written beside its place, synced, and only then given its name."""
        beside = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            for grown in system.make_root(str(self.folder)):
                system.sync_path(grown)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.utime(beside, (when, when))
                    os.fsync(file.fileno())
                os.replace(beside, self.folder / name)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(beside)
                raise
            system.sync_path(str(self.folder))
        except OSError as error:
            raise self._error(error, "write", name) from error

    def touch(self, name: str, when: float) -> None:
        """Give what is kept another time; nothing happens where it is gone."""
        try:
            os.utime(self.folder / name, (when, when))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._error(error, "touch", name) from error

    def remove(self, name: str) -> None:
        """Idempotent."""
        try:
            os.unlink(self.folder / name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._error(error, "remove", name) from error

    def _error(self, error: OSError, doing: str, name: str) -> StorageError:
        return system.storage_error(error, doing, str(self.folder / name))
