"""Conflicts: two contents of one path of which neither knew of the other.

The winner stays; each loser becomes a file beside it. The copy's name and lineage come from the losing entry alone, so
two devices make the same copy. A conflict is open while its copy is there: who deletes or renames it on any device has
resolved it on all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import DeviceId
from wildbach.protocol import bencode
from wildbach.protocol.sync.entries import LINEAGE_BYTES, Entry, check_path
from wildbach.services.sync.merge import same_bytes, winner
from wildbach.services.sync.trees import Base, Global

_OF: Final = b"c"
_BY: Final = b"w"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What the conflict centre shows."""

    path: str
    base: bytes
    "The root that both sides began with, as far as this device knows; empty where it does not."
    winner: bytes
    loser: bytes
    "Their roots."
    copy: str
    "Where the loser is kept."
    by: bytes = b""
    "The device that wrote the loser; empty in records of before."


def lineage(loser: Entry) -> bytes:
    """Of the copy of a loser: the same on every device, and of nothing else."""
    label = b"wildbach conflict\0" + loser.author + loser.seq.to_bytes(8, "big") + loser.root + loser.target.encode()
    return hashlib.sha256(label).digest()[:LINEAGE_BYTES]


def names(loser: Entry) -> Iterator[str]:
    """Paths of the copy: the first that nothing else has is taken."""
    stamp = f"{loser.author.hex()[:6].upper()} {_minute(loser.mtime_ns)}"
    yield _beside(loser.path, f" (conflict {stamp})")
    mark = lineage(loser).hex()
    yield _beside(loser.path, f" (conflict {stamp} {mark[:8]})")
    yield f"conflict {mark}"


def copy_path(tree: Global, loser: Entry) -> tuple[str, bool]:
    """Where the copy is or is to be, and True where it was already made (it may be deleted since, or edited)."""
    mine = lineage(loser)
    for path in names(loser):
        heads = tree.get(path)
        if any(each.lineage == mine or same_bytes(each, loser) for each in heads):
            return path, True
        if not heads and not tree.live_below(path):
            return path, False
    return path, False


def settled(tree: Global, loser: Entry) -> bool:
    """True where the loser has its copy, so that nothing is lost when it goes."""
    return copy_path(tree, loser)[1]


def record(tree: Global, path: str, loser: Entry, base: Base | None) -> Conflict:
    best = winner(tree.get(path))
    return Conflict(path, base.root if base else b"", best.root if best else b"", loser.root, copy_path(tree, loser)[0],
                    bytes(loser.author))


def marked(path: str, loser: Entry) -> dict[bytes, bencode.Value]:
    """What the entry of a copy says beside its content, so that devices know of the conflict that never saw both sides:
    of which path it is, and who wrote it.
    """
    return {_OF: path.encode(), _BY: bytes(loser.author)}


def told(copy: Entry) -> Conflict | None:
    """The conflict of which an entry says that it is the copy; None where it says nothing that can be."""
    of, by = copy.extra.get(_OF), copy.extra.get(_BY)
    if copy.deleted or not isinstance(of, bytes) or not isinstance(by, bytes) or len(by) != DeviceId.SIZE:
        return None
    try:
        path = check_path(of.decode())
    except (FormatError, UnicodeDecodeError):
        return None
    return Conflict(path, b"", b"", copy.root, copy.path, by)


def kept_names(conflict: Conflict, device: str) -> Iterator[str]:
    """Names for a copy that is to stay: another name says on all devices that the conflict is over."""
    who = "".join(char for char in device if char.isprintable() and char not in "/\\").strip(" .")[:40] or "other"
    yield _beside(conflict.path, f" ({who})")
    for number in range(2, 100):
        yield _beside(conflict.path, f" ({who} {number})")
    yield _beside(conflict.path, f" ({conflict.loser.hex()[:16]})")


def is_open(tree: Global, conflict: Conflict) -> bool:
    """True where nobody has resolved it yet: its copy still stands."""
    best = winner(tree.get(conflict.copy))
    return best is not None and not best.deleted


def _minute(mtime_ns: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=mtime_ns // 1000)).strftime("%Y-%m-%d %H%M")
    except OverflowError:
        return "no date"


def _beside(path: str, mark: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) > 16:
        stem, dot, suffix = name, "", ""
    tail = mark + dot + suffix
    room = min(limits.SYNC_NAME_BYTES, limits.SYNC_PATH_BYTES - len((folder + slash).encode())) - len(tail.encode())
    if room < 1:
        return f"conflict {hashlib.sha256(path.encode()).hexdigest()[:16]}{mark}"
    cut = stem.encode()[:room].decode(errors="ignore")
    return folder + slash + cut + tail
