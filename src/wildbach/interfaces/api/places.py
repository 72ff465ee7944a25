"""Which folders of the machine the Api may touch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from wildbach.base.errors import UsageError


def home(text: str) -> Path:
    """A path with `~` as the home folder."""
    return Path(text).expanduser()


def resolve(text: str) -> Path:
    """A path as typed, absolute and without `..`. Raises UsageError."""
    if "\0" in text or not text.strip():
        raise UsageError(f"{text!r} is no path", code="bad_path")
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise UsageError(f"{text}: a path from the root is needed", code="bad_path")
    return Path(os.path.normpath(path))


def judge(text: str, allowed: Sequence[str | Path]) -> Path:
    """The path, where it is below one of the folders, also once symbolic links are followed. Blocks. Raises UsageError,
    code `forbidden_path`, that names the setting.
    """
    path = resolve(text)
    roots = [Path(os.path.normpath(Path(root).expanduser())) for root in allowed]
    roots += [Path(os.path.realpath(root)) for root in roots]
    home = Path.home()
    for seen in (path, Path(os.path.realpath(path))):
        if not any(seen == root or root in seen.parents for root in roots):
            raise UsageError(
                f"{path} is in none of the folders that may be used; downloads.allowed names them",
                code="forbidden_path", path=str(path))
        if home in seen.parents and seen.relative_to(home).parts[0].startswith("."):
            raise UsageError(
                f"{path} is in a hidden folder of the home folder, where programs keep their settings",
                code="forbidden_path", path=str(path))
    return path
