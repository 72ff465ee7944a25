"""Names of files: what a file system takes for the same, and what a conflict copy is called.

Paths of a folder are in NFC. Two that differ, and are one on this disk, cannot both stand here: one of them is
*shadowed*, kept in the index and never written, and its absence is no deletion.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import unicodedata
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from wildbach.base import limits
from wildbach.disk.folder.fs import NOT_ABLE, Fs
from wildbach.disk.folder.local import TMP
from wildbach.protocol.sync.entries import RESERVED

_EXTENSION_BYTES: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC) - _EPOCH
_LATEST: Final = datetime(9999, 12, 31, 23, 59, tzinfo=UTC) - _EPOCH
_DEVICE_CHARS: Final = 7


@dataclass(frozen=True, slots=True)
class Traits:
    """What the file system of a folder does. The default is an ordinary one of Linux."""

    folds: bool = False
    "`A` and `a` are one name."
    decomposes: bool = False
    "Unicode's forms of a name are one name."
    hard_links: bool = True
    exchanges: bool = True
    "Two names can change places in one step."
    no_replace: bool = True
    "A rename can refuse to replace."
    executable: bool = True
    "The bit is kept."

    @property
    def exact(self) -> bool:
        """True where different names are different files."""
        return not self.folds and not self.decomposes

    def key(self, name: str) -> str:
        """Equal for names, or paths, that are one on this disk."""
        if self.folds:
            return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        return unicodedata.normalize("NFC", name) if self.decomposes else name


def probe(fs: Fs) -> Traits:
    """Try it out, in `.wildbach/tmp`, which is there. Raises OSError where nothing can be written."""
    token = secrets.token_hex(4)
    base = f"{TMP}/probe-{token}"
    made: list[str] = []

    def there(path: str) -> bool:
        try:
            fs.lstat(path)
        except FileNotFoundError:
            return False
        return True

    def new(path: str) -> None:
        handle = fs.open_new(path)
        made.append(path)
        fs.close(handle)

    try:
        new(f"{base}-a")
        folds = there(f"{TMP}/PROBE-{token}-a")
        new(f"{base}-b")
        # Some disks take no letters but those of English.
        decomposes = _able(lambda: new(f"{base}-\u00e9"), (*NOT_ABLE, errno.EILSEQ)) and there(f"{base}-e\u0301")
        made += [f"{base}-l", f"{base}-n"]
        hard_links = _able(lambda: fs.link(f"{base}-a", f"{base}-l"))
        exchanges = _able(lambda: fs.exchange(f"{base}-a", f"{base}-b"))
        no_replace = _able(lambda: fs.rename_new(f"{base}-a", f"{base}-n"))
        handle = fs.open_write(f"{base}-b")

        def takes(mode: int) -> bool:
            # FAT says that a mode is not permitted where it has no room for it.
            return _able(lambda: fs.set_mode(handle, mode)) and fs.fstat(handle).mode & 0o100 == mode & 0o100

        try:
            executable = takes(0o700) and takes(0o600)
        finally:
            fs.close(handle)
        return Traits(folds, decomposes, hard_links, exchanges, no_replace, executable)
    finally:
        for path in made:
            # What stays goes at the next start.
            with contextlib.suppress(OSError):
                fs.unlink(path)


def _able(call: Callable[[], None], numbers: Container[int] = NOT_ABLE) -> bool:
    try:
        call()
    except OSError as error:
        if error.errno not in numbers:
            raise
        return False
    return True


def refusal(path: str) -> str:
    """Why a name found on the disk cannot be a path of a folder; empty where it can. `path` is relative."""
    name = path.rpartition("/")[2]
    if any(0xD800 <= ord(char) < 0xE000 for char in name):
        return "the name is not Unicode"
    if len(path.encode("utf-8", "surrogateescape")) > limits.SYNC_PATH_BYTES:
        return f"the path is longer than {limits.SYNC_PATH_BYTES} bytes"
    if len(name.encode()) > limits.SYNC_NAME_BYTES:
        return f"the name is longer than {limits.SYNC_NAME_BYTES} bytes"
    if path.count("/") >= limits.SYNC_PATH_DEPTH:
        return f"more than {limits.SYNC_PATH_DEPTH} directories in each other"
    return ""


def reserved(path: str) -> bool:
    """True for `.wildbach` and what is below it, however it is spelt."""
    return path.partition("/")[0].casefold() == RESERVED


def composed(name: str) -> str:
    """In NFC, the form of all paths of a folder; what is not Unicode stays as it is."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def printable(path: str) -> str:
    """For people to read: what is not Unicode is shown as a replacement."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def sendable(target: str) -> bool:
    """True for where a symbolic link points, if an entry can say so."""
    return (
        bool(target) and "\0" not in target and not any(0xD800 <= ord(char) < 0xE000 for char in target)
        and len(target.encode()) <= limits.SYNC_PATH_BYTES
    )
