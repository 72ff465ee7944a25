"""What a torrent is as a site: which file answers for which path, and what changed between two versions.

Files are found by their names as published,
byte for byte. What the path rules of `protocol.sites` refuse is not in the map,
so no path can reach it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.protocol.metainfo.info import File, Info

INDEX: Final = "index.html"
MISSING: Final = "404.html"

Parts = tuple[str, ...]

_TEXT: Final = "; charset=utf-8"
TYPES: Final = {
    "html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "css": "text/css", "js":
    "text/javascript",
    "mjs": "text/javascript", "json": "application/json", "map": "application/json", "txt": "text/plain",
    "md": "text/markdown", "csv": "text/csv", "xml": "application/xml", "rss": "application/rss+xml",
    "atom": "application/atom+xml", "webmanifest": "application/manifest+json", "wasm": "application/wasm",
    "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
    "webp": "image/webp", "avif": "image/avif", "ico": "image/x-icon", "bmp": "image/bmp", "apng": "image/apng",
    "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "mkv": "video/x-matroska", "ogv": "video/ogg",
    "mov": "video/quicktime", "mp3": "audio/mpeg", "m4a": "audio/mp4", "ogg": "audio/ogg", "oga": "audio/ogg",
    "opus": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav", "vtt": "text/vtt", "srt": "application/x-subrip",
    "m3u8": "application/vnd.apple.mpegurl", "pdf": "application/pdf", "zip": "application/zip",
    "gz": "application/gzip", "zst": "application/zstd", "torrent": "application/x-bittorrent", "epub":
    "application/epub+zip",
}
"By the end of a name, in lower case."
UNKNOWN: Final = "application/octet-stream"


def type_of(name: str) -> str:
    """The Content-Type of a file. Text is UTF-8, as everything new is."""
    kind = TYPES.get(name.rpartition(".")[2].lower(), UNKNOWN) if "." in name else UNKNOWN
    return kind + _TEXT if kind.startswith("text/") else kind


@dataclass(frozen=True, slots=True)
class Place:
    """What answers for a path."""

    file: int | None = None
    "The number of a file."
    folder: Parts | None = None
    "A folder without an index."
    to: Parts | None = None
    "A folder that was asked for without the slash at the end: relative links of its page would miss."
    missing: bool = False
    "The file is the site's page for what is not there."


class SiteTree:
    """The files of one version, by path."""

    def __init__(self, info: Info) -> None:
        self.files: dict[Parts, int] = {}
        self.folders: dict[Parts, dict[str, bool]] = {(): {}}
        "What is in each folder: names, and whether each is a folder."
        self.size = info.size
        links: list[tuple[Parts, Parts]] = []
        for number, file in enumerate(info.files):
            parts = _parts(file)
            if parts is None or len(parts) > limits.PATH_DEPTH:
                continue
            if file.symlink is not None:
                links.append((parts, file.symlink.parts))
            else:
                self._add(parts, number)
        for parts, target in links:
            # A link to a file of the site is that file; one to another link or to a folder is nothing.
            if target in self.files and parts not in self.files:
                self._add(parts, self.files[target])

    def _add(self, parts: Parts, number: int) -> None:
        self.files[parts] = number
        for depth in range(len(parts)):
            self.folders.setdefault(parts[:depth], {}).setdefault(parts[depth], depth + 1 < len(parts))

    def find(self, parts: Parts, folder: bool) -> Place | None:
        """What answers for a path as `sites.parse_path` reads it. None: nothing, and there is no page that says so."""
        if not folder and parts in self.files:
            return Place(self.files[parts])
        if parts in self.folders:
            if not folder and parts:
                return Place(to=parts)
            index = self.files.get((*parts, INDEX))
            return Place(index) if index is not None else Place(folder=parts)
        missing = self.files.get((MISSING,))
        return Place(missing, missing=True) if missing is not None else None

    @property
    def has_start(self) -> bool:
        """There is a page to begin with."""
        return (INDEX,) in self.files


def _parts(file: File) -> Parts | None:
    """The path of a file as a URL can have it; None for what no site shows."""
    if file.pad or file.dropped:
        return None
    try:
        parts = tuple(part.decode() for part in file.path.raw)
    except UnicodeDecodeError:
        return None
    hidden = any(part.startswith(".") for part in (parts if parts[0] != ".well-known" else parts[1:]))
    return None if hidden else parts


@dataclass(frozen=True, slots=True)
class Difference:
    """What a version has that another one had not. Paths with slashes, in order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    fetch: int = 0
    "Bytes of files that are in no file of the old version, wherever they lie: what readers have to fetch at most."

    @property
    def same(self) -> bool:
        return not (self.added or self.changed or self.removed)


def difference(old: Info | None, new: Info) -> Difference:
    """By the roots of files, so what was only moved costs nothing."""
    before = dict(_marks(old)) if old is not None else {}
    after = dict(_marks(new))
    had = set(before.values())
    fresh = {mark: size for mark in after.values() if mark not in had and (size := mark[1])}
    return Difference(
        tuple(sorted(path for path in after if path not in before)),
        tuple(sorted(path for path, mark in after.items() if path in before and before[path] != mark)),
        tuple(sorted(path for path in before if path not in after)),
        sum(fresh.values()),
    )


def _marks(info: Info) -> Iterator[tuple[str, tuple[bytes, int]]]:
    """Each file with what says what is in it. v1 files have nothing of the kind, so each of them is new."""
    for number, file in enumerate(info.files):
        if file.written:
            root = file.root or (b"" if not file.length else info.hashes.key.encode() + b"%d" % number)
            yield str(file.path), (root, file.length)
