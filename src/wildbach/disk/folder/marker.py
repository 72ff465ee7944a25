"""`.wildbach/id`: which folder this is, and which database knows it.

It stands inside the folder, so it is missing where the disk is, and it is old where the disk was brought back from a
copy. The database has the same three values; where they differ, one of the two is not what it was, and nothing that
the other lacks may be taken for deleted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import msgspec

from wildbach.base.errors import FormatError, StorageError
from wildbach.base.ids import FolderId
from wildbach.disk.folder.fs import Fs
from wildbach.disk.folder.local import HOME, TMP
from wildbach.disk.folder.staging import doing

PLACE: Final = f"{HOME}/id"
EPOCH_BYTES: Final = 16
_MOST: Final = 4096
_SEQUENCE: Final = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class Marker:
    folder: FolderId
    epoch: bytes
    "16 random bytes: of the database that was made with the folder."
    sequence: int = 0
    "No entry of this device has a greater one. It is written ahead, before the sequences below it are used."
    device: int = 0
    "`st_dev` of the folder when it was last opened; it says little, as some systems number devices anew."

    @classmethod
    def fresh(cls, folder: FolderId, device: int = 0) -> Marker:
        return cls(folder, secrets.token_bytes(EPOCH_BYTES), 0, device)


class Finding(Enum):
    """What the marker says, beside what the database says. All but SAME: join again, and delete nothing."""

    SAME = "same"
    GONE = "gone"
    "The directory is not there, or not the one that was opened: a disk that was unplugged."
    MISSING = "missing"
    "The directory has no marker: an empty mount point, or a directory made anew."
    BROKEN = "broken"
    "There is one, and it is none."
    OTHER_FOLDER = "other_folder"
    OTHER_DATABASE = "other_database"
    "It was kept by another database: this one was made anew, or the directory is a copy of another device's."
    DATABASE_IS_OLDER = "database_is_older"
    "The database was brought back from a copy: it has used fewer sequences than the folder saw."
    DISK_IS_OLDER = "disk_is_older"
    "The folder was brought back from a copy, or stands on another disk and is older."
    OTHER_DEVICE = "other_device"
    "All is as it was, on another file system: moved, or mounted otherwise. The inodes are new; all is hashed again."


class _Raw(msgspec.Struct, forbid_unknown_fields=False):
    folder: str
    epoch: str
    sequence: int
    device: int = 0


def write(fs: Fs, marker: Marker) -> None:
    """In one step; it is on the disk afterwards. `.wildbach/tmp` is there. Raises FolderError or StorageError."""
    data = msgspec.json.encode(_Raw(marker.folder.hex(), marker.epoch.hex(), marker.sequence, marker.device))
    beside = f"{TMP}/id-{secrets.token_hex(4)}"
    with doing("write", PLACE):
        handle = fs.open_new(beside)
        try:
            fs.write(handle, 0, data + b"\n")
            fs.fsync(handle)
        finally:
            fs.close(handle)
        fs.rename(beside, PLACE)
        fs.fsync_dir(HOME)


def read(fs: Fs) -> Marker | None:
    """What stands there; None where nothing does. Raises FormatError for what is no marker, and StorageError."""
    with doing("read", PLACE):
        try:
            handle = fs.open_read(PLACE)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            view = memoryview(bytearray(_MOST + 1))
            size = fs.read_into(handle, 0, view)
        finally:
            fs.close(handle)
    return parse(bytes(view[:size]))


def parse(data: bytes) -> Marker:
    """Raises FormatError for what is no marker."""
    if len(data) > _MOST:
        raise FormatError("a marker is longer than it can be")
    try:
        raw = msgspec.json.decode(data, type=_Raw)
        folder, epoch = bytes.fromhex(raw.folder), bytes.fromhex(raw.epoch)
    except (msgspec.MsgspecError, ValueError) as error:
        raise FormatError(f"a marker is not what it should be: {error}") from error
    if len(folder) != FolderId.SIZE or len(epoch) != EPOCH_BYTES or not 0 <= raw.sequence <= _SEQUENCE:
        raise FormatError("a marker has values that cannot be")
    return Marker(FolderId(folder), epoch, raw.sequence, raw.device)


def compare(fs: Fs, known: Marker, *, used: int = 0, most: int = 0) -> Finding:
    """What the folder says to the database, which knows `known` to have been written, has used sequences up to `used`,
    and was perhaps about to write `most` (see `reserve`). Raises StorageError where the disk does not answer.
    """
    if not fs.attached():
        return Finding.GONE
    try:
        found = read(fs)
    except FormatError:
        return Finding.BROKEN
    except StorageError as error:
        if error.code in ("stale", "blocked"):
            return Finding.BROKEN
        raise
    if found is None:
        return Finding.MISSING
    if found.folder != known.folder:
        return Finding.OTHER_FOLDER
    if found.epoch != known.epoch:
        return Finding.OTHER_DATABASE
    if found.sequence > max(known.sequence, most):
        return Finding.DATABASE_IS_OLDER
    if found.sequence < max(known.sequence, used):
        return Finding.DISK_IS_OLDER
    with doing("look at", HOME):
        if fs.lstat("").dev != known.device:
            return Finding.OTHER_DEVICE
    return Finding.SAME


def verify(fs: Fs, known: Marker) -> None:
    """Raises StorageError with the code `missing` unless the folder is there and is this one: what a scan calls before
    it says that anything is gone.
    """
    finding = compare(fs, known)
    if finding in (Finding.SAME, Finding.DATABASE_IS_OLDER, Finding.DISK_IS_OLDER, Finding.OTHER_DEVICE):
        return
    raise StorageError(f"the folder is not there: {finding.value}", code="missing")


def reserve(fs: Fs, marker: Marker, up_to: int) -> Marker:
    """The marker with `up_to` as its sequence, written where that is greater.

    Commit `up_to` to the database as `most` before, and the marker after it; then the sequences may be used. A crash
    between is then told from a database that is older.
    """
    if up_to <= marker.sequence:
        return marker
    made = replace(marker, sequence=up_to)
    write(fs, made)
    return made
