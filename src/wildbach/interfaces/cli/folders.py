"""Folders that a person named for something new."""

from __future__ import annotations

import os
from pathlib import Path

from wildbach.base.errors import StorageError


def check(folder: Path) -> None:
    """A folder that can be made and written to, as far as can be told. Raises StorageError."""
    there = Path(os.path.abspath(folder))
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        raise StorageError(f"{there} is no folder, so nothing can be put into it", path=str(there), code="no_folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(f"cannot write to {there}: Permission denied", path=str(there), code="no_permission")
