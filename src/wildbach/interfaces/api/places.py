"""Which folders of the machine the Api may touch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from wildbach.base.errors import UsageError


def home(text: str | Path) -> Path:
    """A path with `~` as the home folder. Raises UsageError."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(f"{text}: nobody here has this home folder", code="bad_path") from None


def resolve(text: str) -> Path:
    """A path as typed, absolute and without `..`. Raises UsageError."""
    if "\0" in text or not text.strip():
        raise UsageError(f"{text!r} is no path", code="bad_path")
    path = home(text)
    if not path.is_absolute():
        raise UsageError(f"{text}: a path from the root is needed", code="bad_path")
    return Path(os.path.normpath(path))


def judge(text: str, allowed: Sequence[str | Path], *, own: Sequence[Path] = (), whole: bool = False) -> Path:
    """The path, where it is below one of the folders, also once symbolic links are followed. `own`: folders and
    files of wildbach itself, which nobody else works in. `whole`: all that is below it may be read or written, so
    nothing that may not be used can be there either. Blocks. Raises UsageError, code `forbidden_path`,
    that names the setting.
    """
    path = resolve(text)
    roots = [Path(os.path.normpath(home(root))) for root in allowed]
    roots += [Path(os.path.realpath(root)) for root in roots]
    user = Path(os.path.normpath(Path.home()))
    for seen in (path, Path(os.path.realpath(path))):
        if not any(seen == root or root in seen.parents for root in roots):
            raise UsageError(
                f"{path} is in none of the folders that may be used; downloads.allowed names them",
                code="forbidden_path", path=str(path))
        if user in seen.parents and seen.relative_to(user).parts[0].startswith("."):
            raise UsageError(
                f"{path} is in a hidden folder of the home folder, where programs keep their settings",
                code="forbidden_path", path=str(path))
        if whole and (seen == user or seen in user.parents):
            raise UsageError(
                f"{path} holds the hidden folders of the home folder, where programs keep their settings: choose a "
                "folder below it", code="forbidden_path", path=str(path))
    keep_apart(path, own, whole=whole)
    return path


def keep_apart(path: Path, own: Sequence[Path], *, whole: bool = True) -> None:
    """Raises UsageError, code `forbidden_path`, for a path that is one of wildbach's own folders and files, or in one,
    or, where `whole`, around one: what a torrent brings could take its place. Blocks.
    """
    for seen in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):
        for mine in (*own, *(Path(os.path.realpath(folder)) for folder in own)):
            if seen == mine or mine in seen.parents or (whole and seen in mine.parents):
                raise UsageError(
                    f"{path} has what wildbach itself remembers, or its configuration ({mine}): choose another folder",
                    code="forbidden_path", path=str(path))
