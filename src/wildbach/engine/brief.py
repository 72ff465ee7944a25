"""What the database remembers so that a torrent can be listed, announced and called without its metainfo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.disk.resume import ResumeRecord
from wildbach.engine.trackerlist import TrackerList
from wildbach.protocol.metainfo.info import Info

FIELD = "engine"
"The option of a `ResumeRecord` that holds it."


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

    def to_json(self, hashes: InfoHashes) -> dict[str, Any]:
        return {
            "v1": hashes.v1.hex() if hashes.v1 is not None else "",
            "v2": hashes.v2.hex() if hashes.v2 is not None else "",
            "size": self.size, "pieces": self.pieces, "paused": self.paused, "private": self.private,
            "tiers": [list(tier) for tier in self.tiers], "priorities": list(self.priorities),
        }


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
