"""Files that another torrent has on disk already (BEP 38, and the `pieces root` of BEP 52).

A torrent that has complete files puts marks into the store; one that is added looks for its own. A mark is a hint and
nothing more: what is taken over is a copy, and each of its pieces is hashed before it counts.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.base.errors import WildbachError
from wildbach.disk import moving
from wildbach.disk.resume import ResumeRecord, ResumeStore
from wildbach.engine.brief import FIELD
from wildbach.protocol.metainfo.document import Metainfo

OWN: Final = "own"
"The option of a `ResumeRecord` that says: no file of the torrent was there before it."
_TRIES: Final = 4
"Holders of a file that are tried."
_TORRENTS: Final = 16
"Torrents that are read to find the files of one."


@dataclass(frozen=True, slots=True)
class Place:
    """A file that should have the wanted bytes."""

    path: str
    torrent: str
    "The key of the torrent that has it."
    file: int
    own: bool
    "Only wildbach writes to it."
    cache: bool
    "So it is, and nobody else knows the folder."


def marks(metainfo: Metainfo, files: Iterable[int]) -> dict[int, bytes]:
    """By what others may find these files, by number; what names the torrent itself stands under numbers below 0."""
    out: dict[int, bytes] = {}
    for number in files:
        file = metainfo.info.files[number]
        mark = file.root or file.sha1
        if mark is not None and file.length and file.written:
            out[number] = mark
    names = [*_names(metainfo.info.hashes.swarms), *_collections(metainfo)]
    for at, mark in enumerate(dict.fromkeys(names), 1):
        out[-at] = mark
    return out


def find(
    store: ResumeStore, key: str, metainfo: Metainfo, files: Sequence[int], similar: Sequence[bytes] = (),
) -> dict[int, list[Place]]:
    """For each of the files that somebody may have, where it should be. `similar` are info hashes of torrents that
    may, besides those that the torrent itself names. Blocks. Raises StorageError.
    """
    library = _Library(store, key)
    out: dict[int, list[Place]] = {}
    for number in files:
        file = metainfo.info.files[number]
        if not file.length or not file.written:
            continue
        for mark in (file.root, file.sha1):
            for holder, theirs in store.holders(mark)[:_TRIES] if mark is not None else ():
                library.add(out, number, file.length, holder, theirs)
    hints = [*_names(similar), *_names(metainfo.similar), *_collections(metainfo)]
    for holder in dict.fromkeys(holder for mark in hints for holder, _ in store.holders(mark)[:_TORRENTS]):
        theirs_by_size = library.by_size(holder)
        for number in files:
            file = metainfo.info.files[number]
            if number in out or not file.length or not file.written:
                continue
            same = theirs_by_size.get(file.length, {})
            likeliest = sorted(same, key=lambda other: same[other] != file.path.parts[-1])
            for theirs in likeliest[:_TRIES]:
                library.add(out, number, file.length, holder, theirs)
    return out


def places(store: ResumeStore, mark: bytes) -> tuple[Place, ...]:
    """Where a file with this mark (its `pieces root`, or its SHA-1) is, as far as its name and size tell. Blocks.
    Raises StorageError.
    """
    library = _Library(store, "")
    found: dict[int, list[Place]] = {}
    for holder, theirs in store.holders(mark)[:_TORRENTS]:
        if theirs >= 0:
            library.add(found, 0, None, holder, theirs)
    return tuple(found.get(0, ()))


def _names(hashes: Iterable[bytes]) -> list[bytes]:
    return [b"torrent " + value[:20] for value in hashes]


def _collections(metainfo: Metainfo) -> list[bytes]:
    return [b"collection " + hashlib.sha256(name.encode()).digest() for name in metainfo.collections]


def is_cache(record: ResumeRecord) -> bool:
    """Whether the torrent is part of the cache."""
    written = record.options.get(FIELD)
    asked = written.get("asked") if isinstance(written, dict) else None
    return isinstance(asked, dict) and bool(asked.get("cache"))


def _is_whole(path: str, size: int) -> bool:
    try:
        state = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode) and state.st_size == size


class _Library:
    """The torrents of the store that were looked at."""

    def __init__(self, store: ResumeStore, key: str) -> None:
        self._store = store
        self._key = key
        self._read: dict[str, tuple[ResumeRecord, Metainfo] | None] = {}

    def add(self, out: dict[int, list[Place]], number: int, length: int | None, holder: str, theirs: int) -> None:
        """Note where a holder has the file, where that can be told; without a length, where it is there."""
        found = self._of(holder)
        if found is None or not 0 <= theirs < len(found[1].info.files):
            return
        record, metainfo = found
        size = metainfo.info.files[theirs].length
        if length is not None and size != length:
            return
        for layout in moving.layouts_of(record):
            path = layout.path(metainfo.info, theirs)
            if length is None and not _is_whole(path, size):
                continue
            known = out.setdefault(number, [])
            if all(path != place.path for place in known):
                own = record.options.get(OWN) is True
                known.append(Place(path, holder, theirs, own, own and is_cache(record)))

    def by_size(self, holder: str) -> dict[int, dict[int, str]]:
        """The files of a torrent by their length: number and name."""
        found = self._of(holder)
        out: dict[int, dict[int, str]] = {}
        for number, file in enumerate(found[1].info.files if found is not None else ()):
            if file.written and file.length:
                out.setdefault(file.length, {})[number] = file.path.parts[-1]
        return out

    def _of(self, holder: str) -> tuple[ResumeRecord, Metainfo] | None:
        if holder == self._key:
            return None
        if holder not in self._read:
            self._read[holder] = self._load(holder) if len(self._read) < _TORRENTS else None
        return self._read[holder]

    def _load(self, holder: str) -> tuple[ResumeRecord, Metainfo] | None:
        record, raw = self._store.load(holder), self._store.metainfo(holder)
        if record is None or raw is None:
            return None
        try:
            return record, Metainfo.parse(raw)
        except WildbachError:
            return None
