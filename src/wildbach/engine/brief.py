"""What the database remembers so that a torrent can be listed, announced and called without its metainfo."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from wildbach.base import limits
from wildbach.base.addresses import parse
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.disk.resume import ResumeRecord
from wildbach.engine.options import AddOptions
from wildbach.engine.trackerlist import TrackerList
from wildbach.protocol.metainfo.info import Info

FIELD = "engine"
"The option of a `ResumeRecord` that holds it."
UNOPENED = "unopened"
"The option of a `ResumeRecord` that says: nobody looked at the disk for it yet."


@dataclass(frozen=True, slots=True)
class Brief:
    name: str
    size: int
    "Bytes of content."
    pieces: int
    paused: bool = False
    private: bool = False
    tiers: tuple[tuple[str, ...], ...] = ()
    "Trackers; empty while the torrent is in a session, which knows better."
    priorities: tuple[int, ...] = ()
    "Of the files; empty where all are wanted."

    def to_json(self, hashes: InfoHashes, options: AddOptions | None = None) -> dict[str, Any]:
        """What is written down, with what was asked for in `options` and is not the default."""
        asked = {} if options is None else asked_of(options)
        return {
            "v1": hashes.v1.hex() if hashes.v1 is not None else "",
            "v2": hashes.v2.hex() if hashes.v2 is not None else "",
            "size": self.size, "pieces": self.pieces, "paused": self.paused, "private": self.private,
            "tiers": [list(tier) for tier in self.tiers], "priorities": list(self.priorities),
            **({"asked": asked} if asked else {}),
        }


_ASKED: Final = (
    "sequential", "ends_first", "seed_only", "metadata_only", "check_only", "super_seed", "down_limit", "up_limit",
    "exclude", "web_seeds", "http_seeds", "cache", "in_place",
)
"The options that a later run goes on with. Paths and names are in the record, files in the priorities."
_DEFAULTS: Final = {name: getattr(AddOptions(), name) for name in _ASKED}


def asked_of(options: AddOptions) -> dict[str, Any]:
    """What was asked for and is not the default, as JSON values."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in _ASKED if (value := getattr(options, name)) != _DEFAULTS[name]
    }


class OptionsReader:
    """Makes the options of remembered torrents; those that are alike share one object, as there may be very many."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str, bool, str], AddOptions] = {}

    def read(self, record: ResumeRecord) -> AddOptions:
        """Raises FormatError for nonsense."""
        brief = record.options.get(FIELD)
        asked = brief.get("asked", {}) if isinstance(brief, dict) else {}
        paused = isinstance(brief, dict) and brief.get("paused") is True
        usual = not asked and not record.suffix and record.layout == "original"
        rest = "" if usual else repr((record.layout, record.suffix, asked))
        key = (record.save_path, record.incomplete_path, paused, rest)
        options = self._made.get(key)
        if options is None:
            options = self._made[key] = AddOptions(
                Path(sys.intern(record.save_path)), paused=paused, suffix=record.suffix,
                incomplete_path=Path(record.incomplete_path) if record.incomplete_path else None, layout=record.layout,
                **_asked(asked),
            )
        return options


def _asked(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise FormatError("is not a table", where="asked")
    out: dict[str, Any] = {}
    for name, value in raw.items():
        default = _DEFAULTS.get(name)
        if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(item, str) for item in value):
            out[name] = tuple(value)
        elif type(value) is type(default) and not isinstance(value, tuple):
            out[name] = value
        elif name in _DEFAULTS:
            raise FormatError(f"is a {type(value).__name__}", where=f"asked.{name}")
    return out


def new_record(key: str, name: str, options: AddOptions) -> ResumeRecord:
    """What is remembered of a torrent from the moment it is added."""
    folder = options.incomplete_path
    return ResumeRecord(
        key, name=name, added_at=time.time(), save_path=str(options.save_path.absolute()), layout=options.layout,
        suffix=options.suffix, incomplete_path=str(folder.absolute()) if folder is not None else "",
        renames=dict(options.renames),
    )


def read(record: ResumeRecord) -> tuple[InfoHashes, Brief] | None:
    """None where an older version or another program wrote the record. Raises FormatError for nonsense."""
    raw = record.options.get(FIELD)
    if raw is None:
        return None
    try:
        v1, v2 = bytes.fromhex(raw["v1"]), bytes.fromhex(raw["v2"])
        return InfoHashes(v1 or None, v2 or None), Brief(
            record.name, int(raw["size"]), int(raw["pieces"]), bool(raw["paused"]), bool(raw["private"]),
            tuple([tuple([str(url) for url in tier]) for tier in raw["tiers"]]),
            tuple([int(priority) for priority in raw["priorities"]]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError) as error:
        raise FormatError(f"is not what was written: {error}", where=FIELD) from error


GIVEN: Final = "given"
"In FIELD: the peers that were named, of a torrent that is not complete."
Given = tuple[tuple[Endpoint, str], ...]
"Each with who named it: `user` or `magnet`."


def given_to_json(given: Given) -> list[list[Any]]:
    return [[endpoint.host, endpoint.port, source] for endpoint, source in given]


def given(record: ResumeRecord) -> Given:
    """The peers that the last run was given; what is nonsense is left out."""
    raw = record.options.get(FIELD)
    rows = raw.get(GIVEN) if isinstance(raw, dict) else None
    found = []
    for row in rows[:limits.GIVEN_PEERS] if isinstance(rows, list) else ():
        match row:
            case [str(host), int(port), "user" | "magnet" as source] if parse(host) is not None and 0 < port < 65536:
                found.append((Endpoint(host, port), str(source)))
    return tuple(found)


class Described(Protocol):
    """A torrent."""

    brief: Brief | None
    tracker_list: TrackerList | None

    @property
    def info(self) -> Info | None: ...


def brief_of(torrent: Described, priorities: Sequence[int], *, paused: bool) -> Brief:
    """What there is to remember of a torrent now."""
    known, info = torrent.brief, torrent.info
    trackers = torrent.tracker_list
    tiers = tuple([tuple([t.url for t in tier]) for tier in trackers.tiers]) if trackers is not None else ()
    if info is None:
        name, size, pieces = (known.name, known.size, known.pieces) if known is not None else ("", 0, 0)
        return Brief(
            name, size, pieces, paused, known is not None and known.private, tiers,
            known.priorities if known is not None else (),
        )
    chosen = any(
        priority != (0 if file.pad else 1) for priority, file in zip(priorities, info.files, strict=False)
    )
    return Brief(
        info.name, info.size, info.geometry.piece_count, paused, info.private, tiers,
        tuple(priorities) if chosen else (),
    )
