"""The folder of a wallet, for its owner alone, and the keys in it that are used without a passphrase.

What is read was written by us and by nobody else: a file that others can read, a link and what is longer than it may be
are refused.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from wildbach.base.errors import StorageError
from wildbach.disk import system
from wildbach.disk.shelf import Shelf
from wildbach.protocol.tron.keys import BadKey, SecretKey

_KEY: Final = re.compile(rb"[0-9a-f]{64}\n")
_FLAGS: Final = os.O_RDONLY | system.CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class WalletFolder:
    """Blocks; raises StorageError. Names are the caller's, and safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shelf = Shelf(path)

    def make(self) -> None:
        """With its parents; only its owner can look into it."""
        try:
            for grown in system.make_root(str(self.path)):
                system.sync_path(grown)
            os.chmod(self.path, 0o700)
        except OSError as error:
            raise system.storage_error(error, "make", str(self.path)) from error

    def write(self, name: str, data: bytes, when: float) -> None:
        """Whole and durable, or not at all. `when`: seconds since 1970."""
        self.make()
        self._shelf.put(name, data, when)

    def read(self, name: str, most: int) -> bytes | None:
        """None where there is nothing."""
        path = str(self.path / name)
        try:
            descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise system.storage_error(error, "read", path) from error
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise StorageError(f"{path} is not a file", path=path, code="key_damaged")
            if os.name == "posix" and stat.S_IMODE(facts.st_mode) & 0o077:
                raise StorageError(
                    f"{path} can be read by others, so its key may not be secret any more: chmod 600 it, or make "
                    "another wallet and send the money there", path=path, code="key_not_secret",
                )
            if facts.st_size > most:
                raise StorageError(f"{path} is longer than it may be", path=path, code="key_damaged")
            return os.read(descriptor, most)
        except OSError as error:
            raise system.storage_error(error, "read", path) from error
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Overwritten first: file systems that write in place have nothing left to find. Idempotent."""
        path = self.path / name
        try:
            with path.open("r+b") as file:
                file.write(bytes(os.fstat(file.fileno()).st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            system.sync_path(str(self.path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise system.storage_error(error, "remove", str(path)) from error

    # -- keys without a passphrase

    def key(self, name: str) -> SecretKey | None:
        """None where there is none."""
        raw = self.read(name, 100)
        if raw is None:
            return None
        key = _key(raw)
        if key is None:
            path = str(self.path / name)
            raise StorageError(f"{path} holds no key", path=path, code="key_damaged")
        return key

    def new_key(self, name: str, when: float) -> SecretKey:
        """A fresh random one in place of any that was there."""
        key = SecretKey.random()
        self.write(name, key.secret.hex().encode() + b"\n", when)
        return key


def _key(raw: bytes) -> SecretKey | None:
    try:
        return SecretKey(bytes.fromhex(raw.decode())) if _KEY.fullmatch(raw) else None
    except BadKey:
        return None
