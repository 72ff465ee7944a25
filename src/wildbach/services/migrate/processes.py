"""Whether a client runs right now, as far as its lock files and the system tell."""

from __future__ import annotations

import os
from pathlib import Path

from wildbach.base import limits
from wildbach.base.errors import WildbachError
from wildbach.services.migrate.folders import read

_LOCKS = Path("/proc/locks")
_PROCESSES = Path("/proc")
_SMALL = 64 * limits.KIB


def is_locked(path: Path) -> bool:
    """Whether a process on this Linux holds a lock on the file; False where that cannot be known."""
    try:
        state = path.lstat()
        text = _LOCKS.read_text("ascii", "replace")
    except OSError:
        return False
    name = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"
    return any(name in line.split() for line in text.splitlines())


def command_of(process: int) -> str:
    """The name of a running program, at most 15 characters; empty where there is none, `?` where it runs unnamed."""
    if process <= 1 or process >= 1 << 31:
        return ""
    try:
        return (_PROCESSES / str(process) / "comm").read_text("utf-8", "replace").strip() or "?"
    except OSError:
        if _PROCESSES.joinpath("self").exists():
            return ""
    try:
        os.kill(process, 0)
    except OSError:
        return ""
    return "?"


def running(word: str) -> list[tuple[int, list[str]]]:
    """Processes whose name begins with `word`, with their arguments; empty where the system does not tell."""
    found = []
    try:
        names = [name for name in os.listdir(_PROCESSES) if name.isdigit()]
    except OSError:
        return []
    for name in names:
        if command_of(int(name)).startswith(word):
            try:
                raw = (_PROCESSES / name / "cmdline").read_bytes()[:_SMALL]
            except OSError:
                continue
            found.append((int(name), raw.decode("utf-8", "replace").split("\0")))
    return found


def first_number(path: Path, separator: str = ";") -> int:
    """The process id a lock file begins with (`pid;port`), or ends with for another separator (`host:+pid`)."""
    try:
        words = read(path, _SMALL).decode("ascii", "replace").strip().split(separator)
    except WildbachError:
        return 0
    word = words[0] if separator == ";" else words[-1]
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else 0
