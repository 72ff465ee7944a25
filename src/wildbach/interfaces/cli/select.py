"""`--select`: which files of a torrent a person means, by number or by pattern."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from wildbach.base.errors import UsageError
from wildbach.interfaces.cli import text
from wildbach.protocol.metainfo import Info

_NUMBERS = re.compile(r"\d{1,9}(-\d{0,9})?(,\d{1,9}(-\d{0,9})?)*", re.ASCII)


def chosen(info: Info, words: Sequence[str]) -> tuple[int, ...]:
    """The numbers of the files that any of `words` names, ascending.

    A word is numbers as `info` prints them (`0-2,7`, `5-`) or a shell pattern, matched without regard to case against
    the path inside the torrent and against the file's own name; a folder's path takes all that is in it. Raises
    UsageError for a word that names nothing, because a wrong word must not look like a finished download.
    """
    found: dict[int, None] = {}
    for word in words:
        numbers = _numbered(info, word) if _NUMBERS.fullmatch(word) else _matching(info, word)
        if not numbers:
            raise UsageError(f"--select {text.clean(word)!r} names no file; `wildbach info` lists them with numbers")
        found.update(dict.fromkeys(numbers))
    return tuple(sorted(found))


def _numbered(info: Info, word: str) -> list[int]:
    out: list[int] = []
    for part in word.split(","):
        first, dash, last = part.partition("-")
        stop = int(last) if last else (len(info.files) - 1 if dash else int(first))
        out.extend(i for i in range(int(first), min(stop, len(info.files) - 1) + 1) if not info.files[i].pad)
    return out


def _matching(info: Info, word: str) -> list[int]:
    pattern = word.casefold().strip("/")
    folder = pattern + "/*"
    out = []
    for i, file in enumerate(info.files):
        if file.pad:
            continue
        path = "/".join(file.path.parts).casefold()
        full = f"{info.name.casefold()}/{path}"
        names = (path, file.path.parts[-1].casefold(), full)
        if any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, folder) for name in names):
            out.append(i)
    return out
