"""What is remembered of a torrent between two runs, and the seam that keeps it.

Pieces are in one of two states. *Written*: handed to the operating system; it survives the death of the process, so
it is noted at once, but never trusted: a restart hashes it again. *Durable*: the data, its file's length and every
new folder entry were synced before the claim was; a restart believes it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Protocol

import msgspec

from wildbach.base import bitfield
from wildbach.base.errors import FormatError


@dataclass(slots=True)
class Progress:
    """The pieces of one torrent, as sets (see `base.bitfield`) of `piece_count` pieces."""

    piece_count: int = 0
    durable: int = 0
    written: int = 0
    "Written and not durable."
    partial: dict[int, int] = field(default_factory=dict)
    "Blocks on disk of pieces that are not complete: bit *b* is block *b*. Not verified by any hash."
    check: bool = False
    "Nothing is known for sure: the whole torrent is to be hashed."

    @property
    def complete(self) -> bool:
        """True where every piece is durable."""
        return not self.check and bool(self.piece_count) and self.durable == bitfield.full(self.piece_count)


@dataclass(slots=True)
class Note:
    """A change of progress, noted without a sync."""

    piece_count: int
    written: list[int] = field(default_factory=list)
    partial: dict[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.written or self.partial)


@dataclass(slots=True)
class ResumeRecord:
    """One torrent: where its files are and what was asked for. Seconds are of wall clock time."""

    key: str
    name: str = ""
    source: str = ""
    "The magnet link, while there is no metainfo yet."
    added_at: float = 0.0
    completed_at: float = 0.0
    save_path: str = ""
    incomplete_path: str = ""
    "The folder the files are in until they are complete and move to `save_path`; empty once they have."
    layout: str = "original"
    suffix: str = ""
    renames: dict[int, tuple[str, ...]] = field(default_factory=dict)
    moving: dict[str, Any] = field(default_factory=dict)
    "The layout being moved from, while files are on their way (see `disk.moving`)."
    options: dict[str, Any] = field(default_factory=dict)
    "What the engine wants to find again: JSON values under names of its own."
    unknown: dict[str, Any] = field(default_factory=dict)
    "Fields that a newer version wrote; they are kept."
    progress: Progress = field(default_factory=Progress)

    def to_json(self) -> dict[str, Any]:
        """All but the progress, as JSON values."""
        out = dict(self.unknown)
        for item in fields(self):
            if item.name not in ("unknown", "progress", "renames"):
                out[item.name] = getattr(self, item.name)
        out["renames"] = {str(number): list(parts) for number, parts in self.renames.items()}
        return out

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ResumeRecord:
        """Read `to_json`'s result of this or another version. Raises FormatError where a field has a wrong type."""
        record = cls(key="")
        for name, value in raw.items():
            wanted = _WANTED.get(name)
            if name == "renames":
                record.renames = _renames(value)
            elif wanted is not None:
                if not isinstance(value, wanted):
                    raise FormatError(f"is a {type(value).__name__}", where=name)
                setattr(record, name, value)
            elif name not in _GONE:
                record.unknown[name] = value
        return record

    @classmethod
    def listed(cls, raw: bytes) -> ResumeRecord:
        """The same from JSON text, without `unknown`, for lists: five times as fast. Raises FormatError, ValueError."""
        try:
            record = _decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            record = None  # a path that is no text is none to msgspec; and what is wrong is told below
        if record is None or record.renames or record.unknown:
            values = json.loads(raw)
            if not isinstance(values, dict):
                raise FormatError("is no record", where="record")
            record = cls.from_json(values)
        return record


_WANTED: Final[dict[str, tuple[type, ...]]] = {
    item.name: (int, float) if item.type == "float" else (type(getattr(ResumeRecord(""), item.name)),)
    for item in fields(ResumeRecord) if item.name not in ("unknown", "progress", "renames")
}
"The JSON types of the fields: made once, because a list of a hundred thousand is read at the start."
_GONE: Final = frozenset(("uploaded", "downloaded", "wasted", "active_seconds", "seeding_seconds"))
"Fields that older versions wrote and nobody reads: totals are the library's."
_decoder: Final = msgspec.json.Decoder(ResumeRecord)


def _renames(value: Any) -> dict[int, tuple[str, ...]]:
    try:
        renames = {int(number): tuple(parts) for number, parts in value.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise FormatError("is not a table of paths", where="renames") from error
    if not all(parts and all(isinstance(part, str) for part in parts) for parts in renames.values()):
        raise FormatError("holds something that is not a path", where="renames")
    return renames


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of torrents shows without opening one."""

    record: ResumeRecord
    "Its progress holds `piece_count` and `durable` only where the torrent is complete."
    complete: bool


class ResumeStore(Protocol):
    """Remembers torrents. Blocking and thread-safe; failures are StorageErrors.

    `save` and `commit` are durable when they return; `note` survives the process, not a power cut.
    """

    def summaries(self) -> Iterator[Summary]:
        """All torrents in the order they were added, without touching their files."""

    def load(self, key: str) -> ResumeRecord | None:
        """Everything about one torrent, progress with all notes applied."""

    def save(self, record: ResumeRecord, metainfo: bytes | None = None) -> None:
        """Write all but the progress; the progress too where the torrent is new. Keeps metainfo that is known."""

    def metainfo(self, key: str) -> bytes | None:
        """The torrent file, where it is known."""

    def note(self, key: str, note: Note) -> None:
        """Add to the written pieces and the blocks of partial ones."""

    def commit(self, key: str, progress: Progress) -> None:
        """Replace the progress. What it claims as durable was synced before."""

    def remove(self, *keys: str) -> None:
        """Forget torrents, all or none."""

    def change(self, name: str, values: Mapping[str, Any]) -> None:
        """Give torrents another value of one of their options, by key; all or none, and durable when it returns."""

    def offer(self, key: str, marks: Mapping[int, bytes]) -> None:
        """The files of a torrent that are complete on disk, by number, each with a mark others know it by (its v2
        `pieces root`); numbers below 0 are for marks of the torrent itself. Replaces all.
        """

    def holders(self, mark: bytes) -> list[tuple[str, int]]:
        """Who has this mark, as (torrent, file). A hint: what is adopted is hashed."""

    def statistics(self) -> dict[str, int]:
        """Totals over all time and torrents."""

    def count(self, **amounts: int) -> None:
        """Add to the totals."""

    def setting(self, name: str) -> str | None:
        """A saved settings patch (JSON text)."""

    def set_setting(self, name: str, value: str | None) -> None:
        """Save a settings patch, or forget it."""

    def kept(self, area: str) -> dict[str, bytes]:
        """What a part of the engine keeps for the next run: values by name, in the order of the names."""

    def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        """Change some of these values, all or none; None takes one out. `durable`: not even a power cut undoes it."""

    def close(self) -> None: ...


def apply(progress: Progress, note: Note) -> None:
    """Bring a progress up to date with a note."""
    progress.piece_count = progress.piece_count or note.piece_count
    width = bitfield.width_of(progress.piece_count)
    fresh = bitfield.of([i for i in note.written if 0 <= i < progress.piece_count], width)
    progress.written |= fresh & ~progress.durable
    for piece, blocks in note.partial.items():
        progress.partial[piece] = blocks
    for piece in note.written:
        progress.partial.pop(piece, None)
    for piece in [p for p, blocks in progress.partial.items() if not blocks]:
        del progress.partial[piece]


class MemoryResume:
    """A store in memory that can lose its unsynced tail, as a file without fsync would."""

    def __init__(self) -> None:
        self._records: dict[str, ResumeRecord] = {}
        self._metainfo: dict[str, bytes] = {}
        self._statistics: dict[str, int] = {}
        self._settings: dict[str, str] = {}
        self._offers: dict[str, dict[int, bytes]] = {}
        self._kept: dict[str, dict[str, bytes]] = {}
        self._kept_synced: dict[str, dict[str, bytes]] | None = None
        "What the last sync has of these, where they changed since."
        self._synced: dict[str, Progress] = {}
        "What the last sync has of the progresses that changed since."
        self._counted: dict[str, int] | None = None
        "The totals at the last sync, where they changed since."
        self._tail: list[Callable[[], None]] = []
        "Changes since the last sync, oldest first."

    def _sync(self) -> None:
        self._synced = {}
        self._counted = None
        self._kept_synced = None
        self._tail = []

    def lose_unsynced(self, keep: int = 0) -> None:
        """A power cut: of the changes since the last sync the first `keep` got out in time."""
        tail = self._tail
        for key, progress in self._synced.items():
            self._records[key].progress = progress
        if self._counted is not None:
            self._statistics = self._counted
        if self._kept_synced is not None:
            self._kept = self._kept_synced
        self._sync()
        for change in tail[:keep]:
            self._do(change)

    @property
    def unsynced(self) -> int:
        """Changes that a power cut may take."""
        return len(self._tail)

    def _do(self, change: Callable[[], None]) -> None:
        change()
        self._tail.append(change)

    def summaries(self) -> Iterator[Summary]:
        for record in list(self._records.values()):
            yield Summary(_copy(record, record.progress), record.progress.complete)

    def load(self, key: str) -> ResumeRecord | None:
        record = self._records.get(key)
        return _copy(record, record.progress) if record is not None else None

    def save(self, record: ResumeRecord, metainfo: bytes | None = None) -> None:
        old = self._records.get(record.key)
        self._records[record.key] = _copy(record, old.progress if old is not None else record.progress)
        if metainfo is not None:
            self._metainfo[record.key] = metainfo
        self._sync()

    def metainfo(self, key: str) -> bytes | None:
        return self._metainfo.get(key)

    def note(self, key: str, note: Note) -> None:
        kept = Note(note.piece_count, list(note.written), dict(note.partial))

        def change() -> None:
            record = self._records.get(key)
            if record is not None:
                if key not in self._synced:
                    self._synced[key] = _copy_progress(record.progress)
                apply(record.progress, kept)

        self._do(change)

    def commit(self, key: str, progress: Progress) -> None:
        record = self._records.get(key)
        if record is not None:
            record.progress = _copy_progress(progress)
        self._sync()

    def remove(self, *keys: str) -> None:
        for key in keys:
            self._records.pop(key, None)
            self._metainfo.pop(key, None)
            self._offers.pop(key, None)
        self._sync()

    def change(self, name: str, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if key in self._records:
                self._records[key].options[name] = copy.deepcopy(value)
        self._sync()

    def offer(self, key: str, marks: Mapping[int, bytes]) -> None:
        self._offers[key] = dict(marks)

    def holders(self, mark: bytes) -> list[tuple[str, int]]:
        return [(k, f) for k, marks in sorted(self._offers.items()) for f, m in sorted(marks.items()) if m == mark]

    def statistics(self) -> dict[str, int]:
        return dict(self._statistics)

    def count(self, **amounts: int) -> None:
        def change() -> None:
            if self._counted is None:
                self._counted = dict(self._statistics)
            for name, amount in amounts.items():
                self._statistics[name] = self._statistics.get(name, 0) + amount

        self._do(change)

    def setting(self, name: str) -> str | None:
        return self._settings.get(name)

    def set_setting(self, name: str, value: str | None) -> None:
        if value is None:
            self._settings.pop(name, None)
        else:
            self._settings[name] = value
        self._sync()

    def kept(self, area: str) -> dict[str, bytes]:
        return dict(sorted(self._kept.get(area, {}).items()))

    def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        kept = dict(changes)

        def change() -> None:
            if self._kept_synced is None:
                self._kept_synced = {name: dict(values) for name, values in self._kept.items()}
            values = self._kept.setdefault(area, {})
            for name, data in kept.items():
                if data is None:
                    values.pop(name, None)
                else:
                    values[name] = data

        self._do(change)
        if durable:
            self._sync()

    def close(self) -> None:
        return


def _copy_progress(progress: Progress) -> Progress:
    return replace(progress, partial=dict(progress.partial))


def _copy(record: ResumeRecord, progress: Progress) -> ResumeRecord:
    """A record of its own, with a copy of this progress."""
    return replace(
        record, renames=dict(record.renames), moving=copy.deepcopy(record.moving),
        options=copy.deepcopy(record.options), unknown=copy.deepcopy(record.unknown),
        progress=_copy_progress(progress),
    )
