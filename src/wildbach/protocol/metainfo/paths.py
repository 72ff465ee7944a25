"""Names from a torrent, made safe once.

A path that comes out of here is relative, has no element that leaves its folder, no control or direction character,
no name that Windows or wildbach reserves, fits the limits, and differs from every other path of the torrent on file
systems that ignore case or Unicode normal form. The result depends on the metainfo alone, so every start finds the same
files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from hashlib import sha256
from unicodedata import normalize

from wildbach.base import limits
from wildbach.base.errors import LimitError

WINDOWS = sys.platform == "win32"

# Controls, separators of lines, paths and directions. The joiners U+200C and U+200D stay: scripts and emoji need them.
_UNSAFE = "\x00-\x1f\x7f-\x9f/\\\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_BAD = re.compile(f"[{_UNSAFE}]")
_BAD_ON_WINDOWS = re.compile(f'[{_UNSAFE}<>:"|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|\Z)", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

TEMPORARY_SUFFIX = ".~wb"
"Ends the name of a file on its way to its place; what a crash leaves under such a name is of no use."
PARTS_SUFFIX = ".wbparts"
"Ends the name of a file with what belongs to files nobody wants."
_OURS = (TEMPORARY_SUFFIX, PARTS_SUFFIX)

_EXTENSION_BYTES = 24


class SafePath:
    """A path inside the torrent's folder; immutable by agreement. Made by `Names`, or from names known to be safe."""

    __slots__ = ("parts", "received")

    def __init__(self, parts: tuple[str, ...], received: tuple[bytes, ...] | None = None) -> None:
        self.parts = parts
        self.received = received
        "The elements as they stood in the metainfo, None where they are just `parts` in UTF-8."

    @property
    def changed(self) -> bool:
        """True where the metainfo asked for another name."""
        return self.received is not None

    @property
    def raw(self) -> tuple[bytes, ...]:
        """The elements as they stood in the metainfo (URLs of web seeds are built from these)."""
        return self.received if self.received is not None else tuple(part.encode() for part in self.parts)

    @property
    def name(self) -> str:
        return self.parts[-1]

    def __str__(self) -> str:
        return "/".join(self.parts)

    def __repr__(self) -> str:
        return f"SafePath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SafePath):
            return NotImplemented
        return self.parts == other.parts and self.received == other.received

    def __hash__(self) -> int:
        return hash(self.parts)


def printable(raw: bytes, limit: int = 10_000) -> str:
    """Text for people: UTF-8 as far as it is, without what steers a terminal, at most `limit` characters."""
    return _CONTROLS.sub("\ufffd", raw.decode("utf-8", "replace"))[:limit]


def safe_element(raw: bytes, *, windows: bool = WINDOWS) -> str:
    """One element of a path made safe; empty for an element that names nothing (empty or a single dot).

    Equal to `raw` in UTF-8 where that was safe already.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace").replace("\ufffd", "_")
    bad = _BAD_ON_WINDOWS if windows else _BAD
    if bad.search(text) is not None:
        text = bad.sub("_", text)
    if text in ("", "."):
        return ""
    if text == "..":
        return "_"
    if windows and text[-1] in " .":
        text = text[:-1] + "_"
    if text[-1] in "BbSs" and text.lower().endswith(_OURS):
        text += "_"  # wildbach makes such names itself, and removes them
    if text[0] in "CcPpAaNnLl" and _RESERVED.match(text) is not None:
        text = "_" + text
    if len(raw) > limits.PATH_ELEMENT_BYTES or len(text) > limits.PATH_ELEMENT_BYTES:
        text = _fit(text, "", limits.PATH_ELEMENT_BYTES)
        if windows and text[-1] in " .":
            text = text[:-1] + "_"  # where it was cut
    return text


def fold(text: str) -> str:
    """Two names with the same fold may be one file on some file systems."""
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).casefold())


def _fit(text: str, suffix: str, size: int) -> str:
    """`text` with `suffix` before its extension, cut to `size` bytes; the extension stays."""
    stem, dot, extension = text.rpartition(".")
    if not stem or len(extension.encode()) > _EXTENSION_BYTES:
        stem, dot, extension = text, "", ""
    tail = suffix + dot + extension
    room = size - len(tail.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + tail


class Names:
    """The safe paths of all files of a torrent.

    Directories and files share one space of names: directories keep theirs, a file that clashes with one or with an
    earlier file gets a number before its extension.
    """

    def __init__(self, raws: Sequence[tuple[bytes, ...] | None], where: str) -> None:
        """Name the files `raws`, each a path of at least one element, or None for a file that needs no name.

        Raises LimitError for too many equal names or too deep a path, at `where` and the file's index.
        """
        # For each directory, by number: the folds of names taken in it, and how often each was asked for again.
        self._taken: list[dict[str, int]] = [{}]
        self._numbers: dict[tuple[int, str], int] = {}  # (directory, fold of a directory in it) -> number of that
        self._folders: dict[tuple[bytes, ...], tuple[tuple[str, ...], int, bool]] = {(): ((), 0, False)}
        for number, raw in enumerate(raws):
            if raw is not None:
                if len(raw) > limits.PATH_DEPTH:
                    reason = f"a path of more than PATH_DEPTH = {limits.PATH_DEPTH} elements"
                    raise LimitError(reason, where=f"{where}[{number}].path")
                self._folder(raw[:-1])
        self.paths: list[SafePath | None] = []
        "In the order of `raws`, None for None."
        for number, raw in enumerate(raws):
            self.paths.append(None if raw is None else self._file(raw, where, number))

    def directory(self, raw: tuple[bytes, ...]) -> tuple[str, ...]:
        """The safe elements of a directory, which must be the parent of a file or an ancestor of one."""
        return self._folder(raw)[0]

    def _folder(self, raw: tuple[bytes, ...]) -> tuple[tuple[str, ...], int, bool]:
        """The safe parts of a directory, its number, and whether a part was changed. Memoised."""
        known = self._folders.get(raw)
        if known is not None:
            return known
        names = [safe_element(part) for part in raw]
        parts = tuple([name for name in names if name])
        changed = len(parts) != len(raw) or any(a.encode() != b for a, b in zip(parts, raw, strict=True))
        room = limits.PATH_BYTES - 2 * (limits.PATH_ELEMENT_BYTES + 1)
        if sum(len(part.encode()) + 1 for part in parts) > room:
            parts = ("_" + sha256(b"\0".join(raw)).hexdigest()[:24],)
            changed = True
        number = 0
        for part in parts:
            key = (number, fold(part))
            self._taken[number].setdefault(key[1], 0)
            number = self._numbers.setdefault(key, len(self._taken))
            if number == len(self._taken):
                self._taken.append({})
        self._folders[raw] = parts, number, changed
        return parts, number, changed

    def _file(self, raw: tuple[bytes, ...], where: str, index: int) -> SafePath:
        parts, number, changed = self._folder(raw[:-1])
        last = raw[-1]
        name = safe_element(last) or "_"
        taken = self._taken[number]
        key = fold(name)
        if key in taken:
            name = _other(name, key, taken, f"{where}[{index}].path")
            changed = True
        else:
            taken[key] = 0
        if changed or name.encode() != last:
            return SafePath((*parts, name), raw)
        return SafePath((*parts, name))


def _other(name: str, key: str, taken: dict[str, int], where: str) -> str:
    """A free name like `name`. The counter of each name only grows, so all names together cost linear time."""
    count = taken[key]
    while True:
        count += 1
        if count > limits.SAME_NAME:
            raise LimitError(f"more than SAME_NAME = {limits.SAME_NAME} files share a name", where=where)
        other = _fit(name, f".{count}", limits.PATH_ELEMENT_BYTES)
        if fold(other) not in taken:
            taken[key] = count
            taken[fold(other)] = 0
            return other
