"""The files of a torrent as folders that are opened one at a time.

What does not change (which folder has what, and how large) is made once and in a thread; what changes is looked up for
the entries that are shown. Files of a folder mostly follow each other in the torrent, so a folder is a few rows of file
numbers, and asking for its priorities is one slice of a list for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.interfaces.api.models import Kind, Tree, TreeEntry, TreeQuery
from wildbach.protocol.metainfo import Info

_EXACT: Final = 500
"Files of a folder up to which bytes that are there are counted file by file; above it, by its share of pieces."
_DIGITS: Final = re.compile(r"(\d+)")

_ENDINGS: Final = {
    "video": "mkv mp4 avi mov webm m4v mpg mpeg ts m2ts vob wmv flv ogv 3gp",
    "audio": "mp3 flac ogg opus m4a m4b aac wav wma aiff ape alac mka",
    "image": "jpg jpeg png gif webp bmp tif tiff svg heic avif jxl",
    "text": "txt md pdf epub mobi azw3 djvu doc docx odt rtf htm html nfo srt sub ass vtt cbz cbr",
    "archive": "zip rar 7z tar gz xz bz2 zst tgz iso img cab",
}
KINDS: Final = {kind: frozenset(endings.split()) for kind, endings in _ENDINGS.items()}
"By which endings files are of a kind."


@dataclass(slots=True)
class _Folder:
    path: str
    name: str
    size: int = 0
    files: int = 0
    runs: list[range] = field(default_factory=list)
    "Numbers of all files below it, in rows."
    folders: dict[str, _Folder] = field(default_factory=dict)
    own: list[int] = field(default_factory=list)
    "Files that lie in it."
    order: list[_Folder | int] | None = None
    "Its folders, then its files, by name; made when it is first shown."

    def take(self, index: int, size: int) -> None:
        self.size += size
        self.files += 1
        if self.runs and self.runs[-1].stop == index:
            self.runs[-1] = range(self.runs[-1].start, index + 1)
        else:
            self.runs.append(range(index, index + 1))


@dataclass(frozen=True, slots=True)
class Now:
    """What of a torrent changes."""

    held: int = 0
    "The pieces that are verified (see base.bitfield)."
    priorities: Sequence[int] = ()
    "Of all files; none: all are wanted."
    counts: Sequence[int] = ()
    "Of connected peers, by piece; empty while that is not known."


class FileTree:
    """Of one torrent, with the paths its files have now."""

    def __init__(self, info: Info, paths: Sequence[str]) -> None:
        self._info = info
        self.paths = paths
        self._sizes = [0 if file.pad else file.length for file in info.files]
        self._top = _Folder("", "")
        self._folders: dict[str, _Folder] = {"": self._top}
        for index, file in enumerate(info.files):
            if not file.pad:
                self._put(index, paths[index], file.length)

    def _put(self, index: int, path: str, size: int) -> None:
        folder = self._top
        folder.take(index, size)
        *parents, _ = path.split("/")
        for name in parents:
            below = folder.folders.get(name)
            if below is None:
                below = _Folder(f"{folder.path}/{name}" if folder.path else name, name)
                folder.folders[name] = self._folders[below.path] = below
            folder = below
            folder.take(index, size)
        folder.own.append(index)

    def page(self, query: TreeQuery, now: Now) -> Tree:
        """Raises UsageError, code `not_found`."""
        under = self._folder(query.under)
        flat = query.search.strip() or query.kind
        found: Sequence[_Folder | int] = (
            self._search(under, query.search, query.kind) if flat else self._ordered(under))
        entries = tuple(
            self._of_folder(one, now) if isinstance(one, _Folder) else self._of_file(one, now)
            for one in found[query.offset : query.offset + query.limit]
        )
        return Tree(under.path, len(found), under.size, self._wanted(under, now), under.files, entries)

    def chosen(self, paths: dict[str, int]) -> dict[int, int]:
        """Priorities by path as priorities by number: of several that fit, the longest path counts. Raises
        UsageError, code `not_found`.
        """
        files: dict[str, int] = {}
        out: dict[int, int] = {}
        for path in sorted(paths, key=lambda path: path.count("/") + bool(path)):
            priority = paths[path]
            folder = self._folders.get(path.rstrip("/"))
            if folder is not None:
                for run in folder.runs:
                    out.update(dict.fromkeys(run, priority))
                continue
            if not files:
                files = {own: index for index, own in enumerate(self.paths)}
            index = files.get(path)
            if index is None:
                raise UsageError(f"there is no file {path!r} in this torrent", code="not_found")
            out[index] = priority
        return {index: priority for index, priority in out.items() if not self._info.files[index].pad}

    def _folder(self, path: str) -> _Folder:
        folder = self._folders.get(path.strip("/"))
        if folder is None:
            raise UsageError(f"there is no folder {path!r} in this torrent", code="not_found")
        return folder

    def _ordered(self, folder: _Folder) -> list[_Folder | int]:
        if folder.order is None:
            names = {index: self.paths[index].rpartition("/")[2] for index in folder.own}
            folder.order = [
                *sorted(folder.folders.values(), key=lambda below: natural(below.name)),
                *sorted(folder.own, key=lambda index: natural(names[index])),
            ]
        return folder.order

    def _search(self, under: _Folder, text: str, kind: Kind) -> list[int]:
        words = text.casefold().split()
        endings = KINDS.get(kind)
        start = len(under.path) + 1 if under.path else 0
        found = []
        for run in under.runs:
            for index in run:
                path = self.paths[index]
                if endings is not None and path.rpartition(".")[2].casefold() not in endings:
                    continue
                if words:
                    below = path[start:].casefold()
                    if not all(word in below for word in words):
                        continue
                if not self._info.files[index].pad:
                    found.append(index)
        return found

    def _wanted(self, folder: _Folder, now: Now) -> int:
        if not now.priorities:
            return folder.size
        total = 0
        for run in folder.runs:
            total += sum(compress(self._sizes[run.start : run.stop], now.priorities[run.start : run.stop]))
        return total

    def _of_folder(self, folder: _Folder, now: Now) -> TreeEntry:
        priorities: set[int] = set()
        for run in folder.runs:
            priorities.update(now.priorities[run.start : run.stop] if now.priorities else (1,))
        return TreeEntry(
            path=folder.path, name=folder.name, folder=True, index=-1, files=folder.files, size=folder.size,
            have=self._have_of(folder, now), wanted=self._wanted(folder, now) if len(priorities) > 1
            else folder.size if any(priorities) else 0,
            priority=priorities.pop() if len(priorities) == 1 else -1,
            availability=self._copies((self._pieces(run) for run in folder.runs), now),
        )

    def _of_file(self, index: int, now: Now) -> TreeEntry:
        path = self.paths[index]
        size = self._sizes[index]
        priority = now.priorities[index] if now.priorities else 1
        return TreeEntry(
            path=path, name=path.rpartition("/")[2], folder=False, index=index, files=1, size=size,
            have=self.have(index, now.held), wanted=size if priority else 0, priority=priority,
            availability=self._copies((self._info.geometry.file_pieces(index),), now),
        )

    def have(self, index: int, held: int) -> int:
        """Verified bytes of a file."""
        geometry = self._info.geometry
        span = geometry.files[index]
        pieces = geometry.file_pieces(index)
        if not pieces or not held:
            return 0
        width = bitfield.width_of(geometry.piece_count)
        there = bitfield.span(pieces.start, pieces.stop, width) & held
        # All are full pieces of this file but, it may be, the first and the last.
        have = there.bit_count() * geometry.piece_length
        for piece in {pieces.start, pieces.stop - 1}:
            if bitfield.has(there, piece, width):
                begin = piece * geometry.piece_length
                end = begin + geometry.piece_size(piece)
                have -= geometry.piece_length - (min(end, span.offset + span.length) - max(begin, span.offset))
        return have

    def _have_of(self, folder: _Folder, now: Now) -> int:
        if not now.held:
            return 0
        if folder.files <= _EXACT:
            return sum(self.have(index, now.held) for run in folder.runs for index in run if self._sizes[index])
        width = bitfield.width_of(self._info.geometry.piece_count)
        mask = 0
        for run in folder.runs:
            pieces = self._pieces(run)
            mask |= bitfield.span(pieces.start, pieces.stop, width)
        there, all_of_it = (mask & now.held).bit_count(), mask.bit_count()
        return folder.size if there == all_of_it else folder.size * there // all_of_it

    def _pieces(self, run: range) -> range:
        geometry = self._info.geometry
        return range(geometry.file_pieces(run.start).start, geometry.file_pieces(run.stop - 1).stop)

    def _copies(self, rows: Iterable[range], now: Now) -> float:
        """The share of the pieces that connected peers have; -1 where that is not known."""
        if not now.counts:
            return -1.0
        there = total = 0
        for pieces in rows:
            counts = now.counts[pieces.start : pieces.stop]
            there += len(counts) - counts.count(0)
            total += len(counts)
        return there / total if total else 1.0


def original_paths(info: Info) -> list[str]:
    """The paths of all files as the torrent was made, its own folder included."""
    top = (info.name,) if info.multi_file else ()
    return ["/".join((*top, *file.path.parts)) for file in info.files]


def natural(name: str) -> tuple[list[tuple[int, int | str]], str]:
    """Sorts as people do: `2` before `10`, and whatever the case."""
    return [_part(part) for part in _DIGITS.split(name.casefold())], name


def _part(text: str) -> tuple[int, int | str]:
    return (0, int(text)) if text.isascii() and text.isdecimal() and len(text) < 19 else (1, text)


class Trees:
    """Those that were looked at lately."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: dict[str, tuple[object, FileTree]] = {}

    def kept(self, key: str, state: object) -> FileTree | None:
        """`state` is what it was made of: another one is another tree."""
        found = self._kept.get(key)
        if found is None or found[0] != state:
            return None
        self._kept[key] = self._kept.pop(key)
        return found[1]

    def keep(self, key: str, state: object, tree: FileTree) -> FileTree:
        self._kept.pop(key, None)
        self._kept[key] = (state, tree)
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return tree


