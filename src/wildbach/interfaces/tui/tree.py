"""The files of a torrent as a tree, of which only open folders are read.

Plain values without a widget: what was read of each folder, which are open, and the lines that come of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from wildbach.interfaces.api import models as m

Want = Literal["all", "some", "none"]
PAGE: Final = 1000
"Entries of a folder that are read at first, and that one more line brings."
OPEN_AT_FIRST: Final = 30
"Of torrents with no more files all folders are open at first."
_STEPS: Final = (0, 1, 6, 7)
"Priorities that people choose: not wanted, usual, high, highest."


@dataclass(frozen=True, slots=True)
class Line:
    depth: int
    entry: m.TreeEntry | None
    "None: there are more in the folder than were read."
    folder: str
    "In which it is."
    open: bool = False
    more: int = 0


def want_of(entry: m.TreeEntry) -> Want:
    if entry.priority >= 0:
        return "all" if entry.priority else "none"
    return "all" if entry.size and entry.wanted == entry.size else "some"


def share_of(entry: m.TreeEntry) -> float:
    return entry.have / entry.size if entry.size else 1.0


def lines(folders: Mapping[str, m.Tree], opened: Mapping[str, int]) -> list[Line]:
    """From the top down. Of a folder that is open and not here yet there is nothing below it."""
    out: list[Line] = []
    stack: list[Line] = _below(folders, opened, "", 0)
    while stack:
        line = stack.pop()
        out.append(line)
        if line.open and line.entry is not None:
            stack += _below(folders, opened, line.entry.path, line.depth + 1)
    return out


def _below(folders: Mapping[str, m.Tree], opened: Mapping[str, int], folder: str, depth: int) -> list[Line]:
    """Last first, for a stack."""
    found = folders.get(folder)
    if found is None:
        return []
    out = [
        Line(depth, entry, folder, open=entry.folder and entry.path in opened) for entry in found.entries]
    if len(found.entries) < found.total:
        out.append(Line(depth, None, folder, more=found.total - len(found.entries)))
    return out[::-1]


def to_open(folders: Mapping[str, m.Tree], opened: Mapping[str, int], shut: set[str]) -> list[str]:
    """Folders that open by themselves: the only one of the top, and all of small torrents; none that was shut."""
    top = folders.get("")
    if top is None:
        return []
    found = []
    for folder, tree in folders.items():
        if top.files > OPEN_AT_FIRST and (folder or tree.total > 1):
            continue
        found += [entry.path for entry in tree.entries if entry.folder]
    return [path for path in found if path not in opened and path not in shut]


def toggled(entry: m.TreeEntry) -> m.FilePriorities:
    """It is wanted where it was not wholly, else not."""
    return _priorities(entry, 0 if want_of(entry) == "all" else 1)


def stepped(entry: m.TreeEntry, up: int) -> m.FilePriorities | None:
    """One step higher (1) or lower (-1); None where there is no other."""
    now = entry.priority if entry.priority >= 0 else 1
    at = max(place for place, step in enumerate(_STEPS) if step <= now)
    new = _STEPS[max(0, min(len(_STEPS) - 1, at + up))]
    return _priorities(entry, new) if new != entry.priority else None


def _priorities(entry: m.TreeEntry, priority: int) -> m.FilePriorities:
    if entry.folder:
        return m.FilePriorities(paths={entry.path: priority})
    return m.FilePriorities({str(entry.index): priority})
