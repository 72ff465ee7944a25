"""The files of a torrent as folders that are opened one at a time.

What does not change (which folder has what, and how large) is made once; what changes is looked up for the entries that
are shown. Files of a folder mostly follow each other in the torrent, so a folder is a few rows of file numbers: its
priorities are one slice of a list for each row, and its verified bytes one sum over a set of pieces.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress
from typing import Final

from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.disk.layout import Layout
from wildbach.interfaces.api.models import Kind, Tree, TreeEntry, TreeQuery
from wildbach.protocol.metainfo import Info

ORIGINAL: Final = Layout("")
"As torrents were made."
_DIGITS: Final = re.compile(r"[0-9]+")
_SORTED: Final = 4096
"Names that are sorted at once: sorting holds up all threads."
_SEARCHES: Final = 8
"Results that a tree remembers, for those who look at them again each second."

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


def paths_of(info: Info, layout: Layout) -> list[str]:
    """Where each file lies below the folder of the torrent, its own folder included; by number."""
    return ["/".join(layout.parts(info, index)) for index in range(len(info.files))]


@dataclass(frozen=True, slots=True)
class Now:
    """What of a torrent changes."""

    held: int = 0
    "The pieces that are verified (see base.bitfield)."
    priorities: Sequence[int] = ()
    "Of all files; none: all are wanted."
    around: int | None = None
    "The pieces that connected peers have; None while that is not known."


class FileTree:
    """Of one torrent, with the paths that files have in a layout. With many of them all takes a while: use a thread."""

    def __init__(self, info: Info, layout: Layout = ORIGINAL) -> None:
        self._geometry = geometry = info.geometry
        self.info = info
        self.kind, self.renames = layout.kind, layout.renames
        "What the paths were made of."
        self.paths = paths_of(info, layout)
        self._sizes = array("Q", (0 if file.pad else file.length for file in info.files))
        self._before = array("Q", accumulate(self._sizes, initial=0))
        "Bytes of content in the files before each one; pad files are none."
        self._content = bytes(not file.pad for file in info.files) if any(file.pad for file in info.files) else b""
        "Which files are no pad files, where there are some."
        self._offsets = [span.offset for span in geometry.files]
        self._other: bitfield.Sums | None = None
        self._top = _Folder("", "")
        self._folders: dict[str, _Folder] = {"": self._top}
        self._searches: dict[tuple[str, str, Kind], array[int]] = {}
        for index, file in enumerate(info.files):
            if not file.pad:
                self._put(index, self.paths[index], file.length)

    def _put(self, index: int, path: str, size: int) -> None:
        folder = self._top
        self._take(folder, index, size)
        *parents, _ = path.split("/")
        for name in parents:
            below = folder.folders.get(name)
            if below is None:
                below = _Folder(f"{folder.path}/{name}" if folder.path else name, name)
                folder.folders[name] = self._folders[below.path] = below
            folder = below
            self._take(folder, index, size)
        folder.own.append(index)

    def _take(self, folder: _Folder, index: int, size: int) -> None:
        folder.size += size
        folder.files += 1
        runs = folder.runs
        # Pad files between two of its files do not end a row.
        if runs and (runs[-1].stop == index or (self._content and not any(self._content[runs[-1].stop : index]))):
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))

    def page(self, query: TreeQuery, now: Now) -> Tree:
        """Raises UsageError, code `not_found`."""
        under = self._folder(query.under)
        words = tuple(query.search.casefold().split())
        found: Sequence[_Folder | int] = (
            self._found(under, words, query.kind) if words or query.kind else self._ordered(under))
        entries = tuple(
            self._of_folder(one, now) if isinstance(one, _Folder) else self._of_file(one, now)
            for one in found[query.offset : query.offset + query.limit]
        )
        return Tree(under.path, len(found), under.size, self._wanted(under, now), under.files, entries)

    def numbers(self, under: str, offset: int, limit: int) -> tuple[int, list[int]]:
        """How many files there are below a folder, and the numbers of some of them, in the order of the torrent."""
        folder = self._folders.get(under.strip("/"))
        if folder is None:
            return 0, []
        found: list[int] = []
        skip = offset
        for run in folder.runs:
            own = list(compress(run, self._content[run.start : run.stop])) if self._content else run
            found += own[skip : skip + limit - len(found)]
            if len(found) == limit:
                break
            skip = max(0, skip - len(own))
        return folder.files, found

    def chosen(self, paths: Mapping[str, int]) -> dict[int, int]:
        """Priorities by path as priorities by number: of several that fit, the longest path counts. Raises
        UsageError, code `not_found`.
        """
        files: dict[str, int] = {}
        out: dict[int, int] = {}
        named = {path.strip("/"): priority for path, priority in paths.items()}
        for path in sorted(named, key=lambda path: path.count("/") + bool(path)):
            folder = self._folders.get(path)
            if folder is not None:
                for run in folder.runs:
                    below = compress(run, self._content[run.start : run.stop]) if self._content else run
                    out.update(dict.fromkeys(below, named[path]))
                continue
            if not files:
                files = {own: index for index, own in enumerate(self.paths) if not self.info.files[index].pad}
            index = files.get(path)
            if index is None:
                raise UsageError(f"there is no file or folder {path!r} in this torrent", code="not_found")
            out[index] = named[path]
        return out

    def _folder(self, path: str) -> _Folder:
        folder = self._folders.get(path.strip("/"))
        if folder is None:
            raise UsageError(f"there is no folder {path!r} in this torrent", code="not_found")
        return folder

    def _ordered(self, folder: _Folder) -> list[_Folder | int]:
        if folder.order is None:
            folders = list(folder.folders.values())
            folder.order = [
                *(folders[at] for at in in_order([below.name for below in folders])),
                *(folder.own[at] for at in in_order([self.paths[index].rpartition("/")[2] for index in folder.own])),
            ]
        return folder.order

    def _found(self, under: _Folder, words: tuple[str, ...], kind: Kind) -> Sequence[int]:
        asked = (under.path, " ".join(words), kind)
        found = self._searches.pop(asked, None)
        if found is None:
            found = self._search(under, words, kind)
        self._searches[asked] = found
        while len(self._searches) > _SEARCHES:
            self._searches.pop(next(iter(self._searches), asked), None)
        return found

    def _search(self, under: _Folder, words: tuple[str, ...], kind: Kind) -> array[int]:
        endings = KINDS.get(kind)
        start = len(under.path) + 1 if under.path else 0
        found = array("I")
        for run in under.runs:
            for index in run:
                path = self.paths[index]
                if endings is not None and path.rpartition(".")[2].casefold() not in endings:
                    continue
                if words:
                    below = path[start:].casefold()
                    if not all(word in below for word in words):
                        continue
                if not self.info.files[index].pad:
                    found.append(index)
        return found

    def _priorities(self, run: range, now: Now) -> Iterable[int]:
        if not now.priorities:
            return (1,)
        chosen = now.priorities[run.start : run.stop]
        return compress(chosen, self._content[run.start : run.stop]) if self._content else chosen

    def _wanted(self, folder: _Folder, now: Now) -> int:
        if not now.priorities:
            return folder.size
        return sum(
            sum(compress(self._sizes[run.start : run.stop], now.priorities[run.start : run.stop]))
            for run in folder.runs)

    def _of_folder(self, folder: _Folder, now: Now) -> TreeEntry:
        priorities: set[int] = set()
        for run in folder.runs:
            priorities.update(self._priorities(run, now))
        mixed = len(priorities) > 1
        return TreeEntry(
            path=folder.path, name=folder.name, folder=True, index=-1, files=folder.files, size=folder.size,
            have=sum(self._have(run, now.held) for run in folder.runs),
            wanted=self._wanted(folder, now) if mixed else folder.size if any(priorities) else 0,
            priority=-1 if mixed else priorities.pop(), availability=self._copies(folder.runs, now),
        )

    def _of_file(self, index: int, now: Now) -> TreeEntry:
        path = self.paths[index]
        size = self._sizes[index]
        priority = now.priorities[index] if now.priorities else 1
        run = range(index, index + 1)
        return TreeEntry(
            path=path, name=path.rpartition("/")[2], folder=False, index=index, files=1, size=size,
            have=self._have(run, now.held), wanted=size if priority else 0, priority=priority,
            availability=self._copies((run,), now),
        )

    def _pieces(self, run: range) -> range:
        """The pieces that hold bytes of a row of files."""
        length, last = self._geometry.piece_length, self._geometry.files[run.stop - 1]
        begin, end = self._offsets[run.start], last.offset + last.length
        return range(begin // length, -(-end // length)) if end > begin else range(0)

    def _among(self, pieces: range, mask: int) -> int:
        """Which of the pieces are in a set, the last one as the lowest bit."""
        width = bitfield.width_of(self._geometry.piece_count)
        return mask >> (width - pieces.stop) & (1 << len(pieces)) - 1

    def _have(self, run: range, held: int) -> int:
        """Verified bytes of a row of files: those of the pieces they lie in, without what the first and the last of
        these have of other files.
        """
        size = self._before[run.stop] - self._before[run.start]
        pieces = self._pieces(run)
        there = self._among(pieces, held) if held else 0
        if not there or not size:
            return 0
        if there == (1 << len(pieces)) - 1:
            return size
        length = self._geometry.piece_length
        width = bitfield.width_of(self._geometry.piece_count)
        have = there.bit_count() * length - self._no_content().over(there << (width - pieces.stop))
        if there >> (len(pieces) - 1):
            have -= self._before[run.start] - self._content_before(pieces.start * length)
        if there & 1:
            have -= self._content_before(pieces.stop * length) - self._before[run.stop]
        return have

    def _content_before(self, address: int) -> int:
        """Bytes of content before an address."""
        at = bisect_right(self._offsets, address) - 1
        return self._before[at] + min(self._sizes[at], address - self._offsets[at]) if at >= 0 else 0

    def _no_content(self) -> bitfield.Sums:
        """What each piece has less of content than others: the last ones of files in v2, and pad files."""
        if self._other is None:
            geometry, length = self._geometry, self._geometry.piece_length
            less = geometry.shortages()
            for span in compress(geometry.files, (file.pad for file in self.info.files)):
                end = span.offset + span.length
                for piece in range(span.offset // length, -(-end // length)):
                    less[piece] += min(end, (piece + 1) * length) - max(span.offset, piece * length)
            self._other = bitfield.Sums(less)
        return self._other

    def _copies(self, runs: Iterable[range], now: Now) -> float:
        """The share of the pieces that connected peers have; -1 where that is not known."""
        if now.around is None:
            return -1.0
        there = total = 0
        for run in runs:
            pieces = self._pieces(run)
            if pieces:
                there += self._among(pieces, now.around).bit_count()
                total += len(pieces)
        return there / total if total else 1.0


def natural(name: str) -> str:
    """Sorts as people do: `2` before `10`, and whatever the case."""
    return _DIGITS.sub(_number, name.casefold())


def _number(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0")
    return f"{len(digits):03d}{digits}"


def in_order(names: Sequence[str]) -> list[int]:
    """The numbers of names, sorted; in parts, so that other threads get their turn."""
    keys = [f"{natural(name)}\0{name}" for name in names]
    numbers = range(len(keys))
    parts = [sorted(numbers[at : at + _SORTED], key=keys.__getitem__) for at in range(0, len(keys), _SORTED)]
    while len(parts) > 1:
        # Two sorted parts in one list are merged by sorting it, each member looked at once.
        parts = [
            sorted([at for part in parts[first : first + 2] for at in part], key=keys.__getitem__)
            for first in range(0, len(parts), 2)]
    return parts[0] if parts else []
