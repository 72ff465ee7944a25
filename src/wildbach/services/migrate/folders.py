"""Reading in folders of other programs. Nothing is ever written there; only regular files are read, never through a
symlink, and never more than a limit permits.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, StorageError
from wildbach.disk.system import storage_error

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

Names = dict[str, bool]
"What a folder holds: regular files (False) and folders (True)."


def listed(folder: Path) -> Names:
    """The regular files and folders in `folder`, sorted by name; empty where it cannot be read. Symlinks and all else
    are left out, and so is what goes beyond IMPORT_ENTRIES.
    """
    found: Names = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) >= limits.IMPORT_ENTRIES:
                    break
                if entry.is_dir(follow_symlinks=False):
                    found[entry.name] = True
                elif entry.is_file(follow_symlinks=False):
                    found[entry.name] = False
    except OSError:
        return {}
    return {name: found[name] for name in sorted(found)}


def read(path: Path, most: int) -> bytes:
    """A regular file of at most `most` bytes.

    Raises StorageError where it cannot be read, LimitError where it is longer, FormatError where it is no regular file.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if path.is_symlink():
            raise FormatError("is a symlink, which is not followed", where=path.name) from error
        raise storage_error(error, "read", str(path)) from error
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise FormatError("is no regular file", where=path.name)
        if state.st_size > most:
            raise LimitError(f"has {state.st_size} bytes, over {most}", where=path.name)
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise storage_error(error, "read", str(path)) from error
    finally:
        os.close(handle)
    if len(data) > most:
        raise LimitError(f"has more than {most} bytes", where=path.name)
    return data


def read_or_none(path: Path, most: int) -> bytes | None:
    """The same; None where there is no such file."""
    try:
        return read(path, most)
    except StorageError:
        if os.path.lexists(path):
            raise
        return None


def read_json(path: Path, most: int) -> dict[str, object] | None:
    """A JSON object; None where there is no such file. Raises as `read`."""
    data = read_or_none(path, most)
    return None if data is None else json_object(data, path.name)


def json_object(data: bytes, where: str) -> dict[str, object]:
    """Raises FormatError for what is no JSON object."""
    return json_objects(data, where)[-1]


def json_objects(data: bytes, where: str) -> list[dict[str, object]]:
    """One or more JSON objects one after the other, as Deluge writes them (the first has the version)."""
    try:
        text = data.decode("utf-8-sig")
        decoder = json.JSONDecoder()
        found: list[dict[str, object]] = []
        at = 0
        while at < len(text):
            while at < len(text) and text[at] in " \t\r\n\0":
                at += 1
            if at == len(text):
                break
            value, at = decoder.raw_decode(text, at)
            if not isinstance(value, dict) or len(found) > 3:
                raise FormatError("is no JSON object", where=where)
            found.append(value)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"is not JSON: {error}", where=where) from None
    if not found:
        raise FormatError("is empty", where=where)
    return found
