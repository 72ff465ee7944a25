"""Where the command keeps what it must remember between runs: which pieces are durable."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from wildbach.disk.datadir import default_data_dir


def state_folder(explicit: Path | None = None) -> Path:
    """`--state`, else `$WILDBACH_STATE`, else wildbach's place below the user's state folder."""
    if explicit is not None:
        return explicit
    given = os.environ.get("WILDBACH_STATE")
    if given:
        return Path(given)
    return default_data_dir()


def folder_for(content: Path, explicit: Path | None = None) -> Path:
    """The state of the downloads into one folder: those into another never meet it."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(content))).hexdigest()[:24]
    return state_folder(explicit) / "folders" / name


def daemon_folder(explicit: Path | None = None) -> Path:
    """Where the daemon remembers everything."""
    return state_folder(explicit) / "daemon"
