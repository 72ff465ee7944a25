"""A kept folder on this disk: opened, checked to be the one that it was, looked through.

All of it blocks, and raises StorageError.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from wildbach.base.errors import FormatError, LimitError, StorageError
from wildbach.base.ids import FolderId
from wildbach.disk.folder import ignore, names
from wildbach.disk.folder import marker as markers
from wildbach.disk.folder.fs import RealFs
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.install import Installer
from wildbach.disk.folder.local import IGNORE, TMP
from wildbach.disk.folder.marker import Finding, Marker
from wildbach.disk.folder.scan import Scanner
from wildbach.disk.folder.staging import doing, partial
from wildbach.disk.folder.versions import Versions
from wildbach.disk.system import storage_error
from wildbach.services.sync.hands import Findings, Hands, Known
from wildbach.services.sync.planner import Names, Why
from wildbach.services.sync.store import FolderStore

_MARKER: Final = "marker"
_MOST: Final = "marker_most"
_COMING: Final = (Why.COMING, Why.NOWHERE, Why.NO_ROOM, Why.DISK, Why.NOT_SCANNED)
"Of what some may have come: the rest was not there, or could not be put in place."
_AHEAD_MS: Final = 3_600_000
"Sequences are milliseconds since 1970 or more; the marker is written for an hour of them."
_SOON_MS: Final = 60_000
GONE: Final = {
    Finding.GONE: "the folder is not there: was a disk unplugged? It goes on when the folder is back",
    Finding.MISSING: "the folder has no .wildbach/id: it is empty or another one, and nothing is taken for deleted. "
                     "If this is right, leave the folder and join it anew with this path",
    Finding.BROKEN: "the folder's .wildbach/id cannot be read; leave the folder and join it anew with this path",
    Finding.OTHER_FOLDER: "another folder stands at this path",
}


class DiskNames(Names):
    """Which names this disk takes."""

    def storable(self, path: str) -> bool:
        return not names.refusal(path)


class Place:
    """The directory of one folder, open."""

    def __init__(self, path: Path, folder: FolderId, store: FolderStore) -> None:
        self.path = path
        self._folder = folder
        self._store = store
        try:
            self.fs = RealFs(str(path))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StorageError(GONE[Finding.GONE], path=str(path), code="folder_gone") from error
        except OSError as error:
            raise storage_error(error, "open", str(path)) from error
        self.versions = Versions(self.fs, time.time_ns)
        self.installer = Installer(self.fs, self.versions)
        self.hands = Hands(self.fs, self.installer)
        self.ignores = Ignores()
        self.ignore_problem = ""
        self._ignores_read = False
        self._marker = Marker(folder, bytes(markers.EPOCH_BYTES))

    @property
    def capacity(self) -> int:
        """Bytes that the whole disk has: no file is longer. Raises StorageError."""
        with doing("look at", str(self.path)):
            return self.fs.space().total

    def close(self) -> None:
        self.fs.close_root()

    def begin(self, *, new: bool) -> Finding:
        """What its marker says, beside what the data base says. `new`: it was not kept before, and is marked now."""
        known = self._known()
        if new or known is None:
            found = markers.read(self.fs) if os.path.lexists(self.path / markers.PLACE) else None
            if found is not None and found.folder == self._folder and known is None and not new:
                finding = Finding.OTHER_DATABASE
            else:
                finding = Finding.SAME
            self.installer.staging.prepare()
            self._write(Marker.fresh(self._folder, self._device()))
        else:
            self._marker = known
            finding = markers.compare(
                self.fs, known, used=self._store.number("sequence"), most=self._store.number(_MOST))
            if finding in GONE:
                return finding
            if finding is not Finding.SAME:
                self._write(replace(known, device=self._device()))
        self.installer.staging.recover(keep=self._coming())
        with doing("try out what names take", str(self.path)):
            self.installer.traits = names.probe(self.fs)
        self._store.folds = not self.installer.traits.exact
        self.read_ignores()
        return finding

    def _device(self) -> int:
        with doing("look at", str(self.path)):
            return self.fs.lstat("").dev

    def sweep(self, busy: Iterable[str]) -> int:
        """Remove what came of large files that nobody wants any more; `busy`: names of those that are at work."""
        return self.installer.staging.sweep(self._coming() | set(busy))

    def _coming(self) -> set[str]:
        """Names of large files of which some came: they are gone on with."""
        return {partial(each.root, each.size) for path in self._store.held(*_COMING)
                for each in self._store.world.get(path) if each.root}

    def _known(self) -> Marker | None:
        raw = self._store.fact(_MARKER)
        if raw is None:
            return None
        fields = json.loads(raw)
        return Marker(self._folder, bytes.fromhex(fields["epoch"]), fields["sequence"], fields["device"])

    def _write(self, marker: Marker) -> None:
        markers.write(self.fs, marker)
        self._keep(marker)

    def _keep(self, marker: Marker) -> None:
        self._marker = marker
        fields = {"epoch": marker.epoch.hex(), "sequence": marker.sequence, "device": marker.device}
        self._store.put_fact(_MARKER, json.dumps(fields).encode())
        self._store.commit()

    def reserve(self, now: float) -> None:
        """Before anything is signed: an old copy of the data base will be told by the marker in the folder."""
        due = max(int(now * 1000), self._store.number("sequence")) + _SOON_MS
        if due > self._marker.sequence:
            most = due + _AHEAD_MS
            self._store.set_number(_MOST, most)
            self._store.commit()
            self._keep(markers.reserve(self.fs, self._marker, most))

    def check(self) -> None:
        """Raises StorageError, code `missing`, unless the folder is there and is this one."""
        markers.verify(self.fs, self._marker)

    def read_ignores(self) -> None:
        """What is left out, by the two files of patterns."""
        try:
            self.ignores = ignore.read(self.fs)
        except (StorageError, LimitError) as error:
            # Without them what should stay here would be sent: those of before hold.
            self.ignore_problem = error.message
        else:
            self.ignore_problem, self._ignores_read = "", True

    def patterns(self, name: str) -> bytes:
        """One of the two files of patterns; empty where there is none. Raises StorageError."""
        return ignore.text(self.fs, name)

    def look(self, paths: Iterable[str], stop: Callable[[], bool]) -> Findings:
        """Scan at and below these paths. Raises StorageError, also where patterns could never be read: nothing is
        looked at then, for it could send what should stay here.
        """
        if self.ignore_problem and not self._ignores_read:
            raise StorageError(self.ignore_problem, code="patterns")
        scanner = Scanner(
            self.fs, Known(self._store), now_ns=time.time_ns, pause=time.sleep, verify=self.check,
            ignores=self.ignores, stop=stop, executable=self.installer.traits.executable)
        return self.hands.look(scanner, paths)

    def read(self, path: str, size: int) -> bytes:
        """A small file whole; empty where it is not as long any more."""
        handle = self.fs.open_read(path)
        try:
            view = memoryview(bytearray(size + 1))
            if self.fs.read_into(handle, 0, view) != size:
                return b""
        finally:
            self.fs.close(handle)
        return bytes(view[:size])


def write_text(place: Place, name: str, text: str) -> None:
    """A file at the top of the folder, such as that of patterns; empty: it goes."""
    with doing("write", name):
        with contextlib.suppress(FileNotFoundError):
            if not text:
                place.fs.unlink(name)
                return
        beside = f"{TMP}/text-{secrets.token_hex(4)}"
        handle = place.fs.open_new(beside)
        try:
            place.fs.write(handle, 0, text.encode())
            place.fs.fsync(handle)
        finally:
            place.fs.close(handle)
        place.fs.rename(beside, name)
        place.fs.fsync_dir("")


def folder_at(path: Path) -> FolderId | None:
    """Which folder stands at a path, by what it says itself; None where it says nothing that can be read. Raises
    StorageError.
    """
    try:
        fs = RealFs(str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, "open", str(path)) from error
    try:
        found = markers.read(fs)
    except FormatError:
        return None
    finally:
        fs.close_root()
    return found.folder if found is not None else None


def first_patterns(path: Path, text: str) -> None:
    """What a folder that is not kept so far leaves out from its first look on; patterns that are there stay. Raises
    StorageError.
    """
    try:
        with contextlib.suppress(FileExistsError), (path / IGNORE).open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", path=str(path), errno=error.errno or 0) from error


def make_directory(path: Path) -> None:
    """Where a folder is to be. Raises StorageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", path=str(path), errno=error.errno or 0) from error
