"""Which files of a torrent a person means, by number or by pattern."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence

from wildbach.base.errors import UsageError
from wildbach.protocol.metainfo import File, Info

_NUMBERS = re.compile(r"\d{1,9}(-\d{0,9})?(,\d{1,9}(-\d{0,9})?)*", re.ASCII)

_Test = Callable[[int, str], bool]


class Selection:
    """The words of `--select`. A file is wanted where any of them names it; without words, every file is.

    A word is numbers as `info` prints them (`0-2,7`, `5-`) or a shell pattern, matched without regard to case against
    the path inside the torrent and against the file's own name; a folder's path takes all that is in it.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._tests = [(word, _numbered(word) if _NUMBERS.fullmatch(word) else _matching(word)) for word in words]

    def __bool__(self) -> bool:
        return bool(self._tests)

    def names(self, index: int, path: str) -> bool:
        """Whether one of the words means this file."""
        return any(test(index, path) for _, test in self._tests)

    def wants(self, index: int, file: File) -> bool:
        return not self._tests or (not file.pad and self.names(index, str(file.path)))

    def check(self, info: Info) -> None:
        """Raises UsageError for a word that names nothing: it must not look like a finished download."""
        for word, test in self._tests:
            if not any(not file.pad and test(index, str(file.path)) for index, file in enumerate(info.files)):
                raise UsageError(f"{word!r} names no file of {info.name}; `wildbach info` lists them with numbers")


def _numbered(word: str) -> _Test:
    ranges = []
    for part in word.split(","):
        first, dash, last = part.partition("-")
        ranges.append((int(first), int(last) if last else (None if dash else int(first))))
    return lambda index, _: any(first <= index and (last is None or index <= last) for first, last in ranges)


def _matching(word: str) -> _Test:
    pattern = word.casefold().strip("/")
    folder = pattern + "/*"

    def test(_: int, path: str) -> bool:
        whole = path.casefold()
        return any(
            fnmatch.fnmatchcase(name, wanted)
            for name in (whole, whole.rpartition("/")[2]) for wanted in (pattern, folder)
        )

    return test
