"""Where the paths that another client wrote down are on this machine.

A path of Windows is one with a drive letter or a server; it means something here only where a pair says what.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.metainfo.paths import printable

_WINDOWS = re.compile(r"(?:[A-Za-z]:(?:[\\/]|\Z))|\\\\")
_PATH_CHARS = 4 * limits.PATH_BYTES


def is_windows(text: str) -> bool:
    """True for a path with a drive letter or of a server, as Windows has them."""
    return _WINDOWS.match(text) is not None


def _parts(text: str) -> tuple[str, ...]:
    """The components, for comparing: without case where Windows wrote it. Raises UsageError for a relative path."""
    if is_windows(text):
        text = text.replace("\\", "/").removeprefix("//?/")
        parts = [part for part in text.split("/") if part not in ("", ".")]
    elif text.startswith("/"):
        parts = ["/", *(part for part in text.split("/") if part not in ("", "."))]
    else:
        raise UsageError(f"{text!r} is not an absolute path")
    if ".." in parts:
        raise UsageError(f"{text!r} has '..' in it")
    return tuple(parts)


def _key(text: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts) if is_windows(text) else parts


class PathMap:
    """Replaces the beginning of paths. Where several pairs fit, the longest old beginning counts."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        """Pairs of an old beginning and what it is here. Raises UsageError for a path that is not absolute."""
        self._pairs: list[tuple[tuple[str, ...], Path]] = []
        for old, new in pairs:
            if not os.path.isabs(new) or "\0" in new:
                raise UsageError(f"{new!r} is not an absolute path")
            self._pairs.append((_key(old, _parts(old)), Path(os.path.normpath(new))))
        self._pairs.sort(key=lambda pair: -len(pair[0]))

    def here(self, text: str) -> Path:
        """The path on this machine. Raises FormatError with what the user can do."""
        shown = printable(text[:200].encode("utf-8", "replace"))
        if len(text) > _PATH_CHARS:
            raise FormatError("it is longer than a path may be", where=shown)
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise FormatError("it is not a path in UTF-8", where=shown)
        try:
            parts = _parts(text)
        except UsageError:
            raise FormatError("it is not a full path, so nobody knows where it is", where=shown) from None
        key = _key(text, parts)
        for old, new in self._pairs:
            if key[: len(old)] == old:
                return new.joinpath(*parts[len(old) :])
        if is_windows(text) and os.name != "nt":
            raise FormatError("it is a path of Windows; say with a mapping what it is here", where=shown)
        return Path(os.path.normpath(text))


def place(paths: PathMap, text: str, lost: list[str], what: str) -> Path | None:
    """The path here; None, and a line more in `lost`, where it means nothing."""
    try:
        return paths.here(text)
    except FormatError as error:
        lost.append(f"{what} {error}")
        return None
