"""Where a torrent's files lie below the folder a person chose, and what is there already."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wildbach.base.errors import UsageError
from wildbach.disk.storage import Content
from wildbach.protocol.metainfo.paths import fold

LAYOUTS = ("original", "subfolder", "none")
INCOMPLETE_SUFFIX = ".!wb"
"The usual suffix of files that are not complete, where a person asks for one."


@dataclass(frozen=True, slots=True)
class Layout:
    """The place of every file: `root`, the way folders are made, and the files that were renamed.

    `original` puts the files of a multi-file torrent into a folder of its name; `subfolder` gives a single file one
    too; `none` leaves the folder of the torrent's name out. `renames` are components below `root` by file number.
    """

    root: str
    kind: str = "original"
    renames: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    suffix: str = ""

    def __post_init__(self) -> None:
        if self.kind not in LAYOUTS:
            raise UsageError(f"a content layout is one of {', '.join(LAYOUTS)}, not {self.kind!r}")

    def parts(self, content: Content, file: int) -> tuple[str, ...]:
        """The components of a complete file's path below `root`."""
        renamed = self.renames.get(file)
        if renamed is not None:
            return renamed
        parts = content.files[file].path.parts
        if content.multi_file:
            return parts if self.kind == "none" else (content.name, *parts)
        return (os.path.splitext(content.name)[0] or content.name, *parts) if self.kind == "subfolder" else parts

    def path(self, content: Content, file: int) -> str:
        """The absolute path of a complete file."""
        return os.path.join(self.root, *self.parts(content, file))

    def tops(self, content: Content) -> tuple[str, ...]:
        """The entries of `root` that the torrent makes, each once: what two torrents must share to share a file."""
        seen: dict[str, None] = {}
        for number, file in enumerate(content.files):
            if not file.pad:
                seen[self.parts(content, number)[0]] = None
        return tuple(os.path.join(self.root, top) for top in seen)


@dataclass(frozen=True, slots=True)
class Present:
    """What lies at the places of a torrent's files before anything is written."""

    existing: tuple[int, ...]
    "Files that are there, under their final or their incomplete name."
    filled: tuple[int, ...]
    "Those of them that are not empty and should not be: only these can verify, or be lost."
    obstacles: tuple[str, ...]
    "Paths where something other than a file is in the way."


def look(content: Content, layout: Layout) -> Present:
    """Which files of the torrent exist. One `lstat` a file: for adding a torrent, not for starting many."""
    existing, filled, obstacles = [], [], []
    for number, file in enumerate(content.files):
        if file.pad or file.symlink is not None:
            continue
        path = layout.path(content, number)
        for name in (path, path + layout.suffix) if layout.suffix else (path,):
            try:
                state = os.lstat(name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not _is_file(state.st_mode):
                obstacles.append(name)
                continue
            existing.append(number)
            if state.st_size and file.length:
                filled.append(number)
            break
    return Present(tuple(existing), tuple(filled), tuple(obstacles))


def free_suffix(content: Content, suffix: str) -> str:
    """`suffix` made longer until no name in the torrent ends with it: such a file or folder would be taken for another
    file that is not complete.
    """
    names = {fold(part) for file in content.files for part in file.path.parts} if suffix else ()
    while any(name.endswith(fold(suffix)) for name in names):
        suffix += "_"
    return suffix


def _is_file(mode: int) -> bool:
    return (mode & 0o170000) == 0o100000


def free_name(content: Content, layout: Layout) -> Layout:
    """A layout whose top-level entries do not exist yet: ` (1)`, ` (2)`, … is appended to their names."""
    if look(content, layout) == Present((), (), ()):
        return layout
    count = 1
    while True:
        renames = {}
        for number in range(len(content.files)):
            top, *rest = layout.parts(content, number)
            if rest:
                top = f"{top} ({count})"
            else:
                stem, extension = os.path.splitext(top)
                top = f"{stem} ({count}){extension}"
            renames[number] = (top, *rest)
        fresh = Layout(layout.root, layout.kind, renames, layout.suffix)
        if not any(os.path.lexists(top) for top in fresh.tops(content)):
            return fresh
        count += 1


def excluded(content: Content, patterns: Sequence[str]) -> tuple[int, ...]:
    """Files whose name, or path below the torrent's folder, matches a shell pattern; case does not matter."""
    lowered = [p.lower() for p in patterns]
    out = []
    for number, file in enumerate(content.files):
        if file.pad:
            continue
        names = (file.path.parts[-1].lower(), "/".join(file.path.parts).lower())
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in lowered for name in names):
            out.append(number)
    return tuple(out)
