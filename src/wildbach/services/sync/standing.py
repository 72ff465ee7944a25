"""How a folder stands, for people: counted from its data base, and what happened lately."""

from __future__ import annotations

from dataclasses import dataclass, field

from wildbach.base.ids import DeviceId
from wildbach.services.sync.core import Core
from wildbach.services.sync.planner import Why
from wildbach.services.sync.store import FolderStore


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a folder. `at`: seconds since 1970."""

    at: float
    what: str
    path: str
    by: str = ""
    size: int = 0


@dataclass(slots=True)
class Standing:
    """From the last look at the data base."""

    files: int = 0
    size: int = 0
    need_files: int = 0
    need_bytes: int = 0
    conflicts: int = 0
    held: dict[str, int] = field(default_factory=dict)
    "Name of `Why` → paths."
    paused: bool = False
    "Deletions made here wait for an answer."
    gone: int = 0
    "Those of the same hour that the others were told of before."
    authors: tuple[DeviceId, ...] = ()
    "Whose changes wait for one."
    asked: int = 0
    "Files that are missing here, or would go, by what an answer is waited for."
    known: int = 0
    "Of so many."
    versions: int = 0
    "Bytes of old ones."


def counted(store: FolderStore, core: Core, versions: int) -> Standing:
    """In the folder's thread. `versions`: bytes of old versions."""
    files, size = store.totals()
    held = dict(store.read("SELECT why, count(*) FROM holds GROUP BY why"))
    need_files, need_bytes = _needed(store, held)
    authors = tuple(core.paused_authors())
    asked = store.missing() if core.paused else store.guarded_files() if authors else 0
    return Standing(
        files, size, need_files, need_bytes, store.open_conflicts(), held, core.paused, core.gone_before, authors,
        asked, store.files(), versions)


def _needed(store: FolderStore, held: dict[str, int]) -> tuple[int, int]:
    """Files whose content is still to come, and their bytes."""
    if not held and not store.marked(1):
        return 0, 0
    files = octets = 0
    for path in store.held(Why.COMING, Why.NOWHERE, Why.NO_ROOM, Why.DISK):
        entry = next((each for each in store.world.get(path) if not each.deleted), None)
        if entry is not None:
            files += 1
            octets += entry.size
    return files, octets
