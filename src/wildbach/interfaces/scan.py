"""What a folder holds, as files of a torrent to be made."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wildbach.base.errors import StorageError, UsageError
from wildbach.base.geometry import Geometry
from wildbach.protocol.metainfo import SafePath
from wildbach.protocol.metainfo.builder import BuildPlan, SourceFile


@dataclass
class Found:
    """The result of a scan."""

    root: Path
    "The folder above the content."
    name: str
    single: bool
    files: list[SourceFile] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    "Neither file, folder nor link: sockets, devices, pipes."


def scan(path: Path, exclude: Sequence[str] = (), leave_out: Path | None = None) -> Found:
    """Everything at `path` but what a pattern of `exclude` matches, by name or by path, and the file `leave_out`.

    Raises UsageError where there is nothing, or a link leads out of the folder; StorageError for what cannot be read.
    """
    whole = Path(os.path.abspath(path))
    try:
        state = whole.stat()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'cannot be read'}") from error
    if not whole.name:
        raise UsageError("a whole file system has no name to give to a torrent")
    found = Found(whole.parent, whole.name, not stat.S_ISDIR(state.st_mode))
    if found.single:
        if not stat.S_ISREG(state.st_mode):
            raise UsageError(f"{path} is neither a file nor a folder")
        found.files.append(SourceFile((whole.name,), state.st_size, executable=bool(state.st_mode & 0o100)))
        return found
    patterns = [pattern.strip("/") for pattern in exclude]
    for parts, entry in _walk(whole, (), patterns, os.path.abspath(leave_out) if leave_out else ""):
        if entry.is_symlink():
            found.files.append(SourceFile(parts, 0, symlink=_target(whole, parts)))
        elif entry.is_file(follow_symlinks=False):
            facts = entry.stat(follow_symlinks=False)
            found.files.append(SourceFile(parts, facts.st_size, executable=bool(facts.st_mode & 0o100)))
        else:
            found.skipped.append("/".join(parts))
    if not found.files:
        raise UsageError(f"{path}: there is no file to make a torrent of")
    return found


def _walk(
    whole: Path, above: tuple[str, ...], patterns: Sequence[str], leave_out: str
) -> Iterator[tuple[tuple[str, ...], os.DirEntry[str]]]:
    """Everything but folders. A stack rather than recursion, because folders can be nested without end."""
    stack = [above]
    while stack:
        parts = stack.pop()
        folder = os.path.join(whole, *parts)
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError as error:
            raise StorageError(
                f"{folder}: {error.strerror}; --exclude leaves it out", path=folder, errno=error.errno or 0
            ) from error
        for entry in listed:
            inner = (*parts, entry.name)
            if _excluded(inner, patterns) or entry.path == leave_out:
                continue
            if entry.is_dir(follow_symlinks=False):
                stack.append(inner)
            else:
                yield inner, entry


def _excluded(parts: tuple[str, ...], patterns: Sequence[str]) -> bool:
    path = "/".join(parts)
    return any(fnmatch.fnmatchcase(parts[-1], pattern) or fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _target(whole: Path, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Where a link leads, as a path inside the torrent (BEP 47)."""
    link = os.path.join(whole, *parts)
    target = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
    inside = os.path.relpath(target, whole)
    if inside == "." or inside.split(os.sep)[0] == ".." or not os.path.exists(target):
        raise UsageError(
            f"{'/'.join(parts)} is a link that leads to nothing inside the folder; --exclude leaves it out"
        )
    return tuple(inside.split(os.sep))


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A file of `Source`, as `disk.storage.ContentFile` wants it."""

    path: SafePath
    length: int
    pad: bool = False
    executable: bool = False
    symlink: SafePath | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The files of a plan, as `disk.storage.Content` wants them: their names are those on this disk."""

    name: str
    geometry: Geometry
    files: tuple[SourceEntry, ...]
    multi_file: bool


def content_of(plan: BuildPlan) -> Source:
    """The content that a plan is made of, for reading it through storage."""
    entries = tuple(
        SourceEntry(
            SafePath(file.path), file.length, executable=file.executable,
            symlink=None if file.symlink is None else SafePath(file.symlink),
        )
        for file in plan.files
    )
    return Source(plan.name, plan.geometry, entries, not plan.single)
