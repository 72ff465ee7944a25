"""Secret keys in the data directory: `keys/NAME.key`, 64 hex digits, readable by its owner only.

A key is made when it is first asked for and never changed: who has the file can publish in its name, and without it
nobody can.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from wildbach.base.errors import StorageError, UsageError
from wildbach.disk import system

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY: Final = re.compile(rb"[0-9a-f]{64}\n?")


class Keys:
    """The keys of one data directory. Blocks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "keys"

    def get(self, name: str, *, make: bool = True) -> bytes:
        """The 32 bytes of a key; a new one where there is none and `make`.

        Raises UsageError for a name that cannot be a file's, or that is unknown; StorageError where the key cannot be
        read or written, where others may read it, or where the file is no key.
        """
        if not _NAME.fullmatch(name):
            raise UsageError("a key's name has up to 64 letters, digits, dots, dashes and underscores")
        path = self.folder / f"{name}.key"
        try:
            return self._read(path)
        except FileNotFoundError:
            if not make:
                raise UsageError(f"there is no key {name}", path=str(path)) from None
        except OSError as error:
            raise system.storage_error(error, "read", str(path)) from error
        try:
            return self._make(path)
        except OSError as error:
            raise system.storage_error(error, "write", str(path)) from error

    def names(self) -> list[str]:
        """The keys there are."""
        try:
            return sorted(path.stem for path in self.folder.glob("*.key") if _NAME.fullmatch(path.stem))
        except OSError as error:
            raise system.storage_error(error, "read", str(self.folder)) from error

    @staticmethod
    def _read(path: Path) -> bytes:
        with path.open("rb") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise StorageError(
                    f"{path} can be read by others, so its key may not be secret any more: chmod 600 it, or make "
                    "another key", path=str(path), code="key_not_secret",
                )
            raw = file.read(100)
        if not _KEY.fullmatch(raw):
            raise StorageError(f"{path} holds no key", path=str(path), code="key_damaged")
        return bytes.fromhex(raw.decode())

    def _make(self, path: Path) -> bytes:
        """Written beside its place, synced, and only then given its name: half a key is never seen."""
        for grown in system.make_root(str(self.folder)):
            system.sync_path(grown)
        os.chmod(self.folder, 0o700)
        key = secrets.token_bytes(32)
        beside = self.folder / f".{path.name}.{secrets.token_hex(4)}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(key.hex().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(beside, path)
        finally:
            os.unlink(beside)
        system.sync_path(str(self.folder))
        return self._read(path)  # that of another process, where it was faster
