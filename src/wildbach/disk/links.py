"""Symbolic links a torrent contains (BEP 47): made last, and only to what is there, inside the torrent."""

from __future__ import annotations

import errno
import os

from wildbach.disk import system
from wildbach.disk.layout import Layout
from wildbach.disk.storage import Content


def make_links(content: Content, layout: Layout) -> list[str]:
    """Make the links whose target exists, as relative links; the folders that got a new entry. Raises OSError.

    What has the name of a link already is left alone.
    """
    links = [number for number, file in enumerate(content.files) if file.symlink is not None]
    if not links or not os.path.isdir(layout.root):
        return []
    changed: list[str] = []
    places = {file.path.parts: layout.parts(content, number) for number, file in enumerate(content.files)}
    base = system.open_folder(layout.root)
    try:
        for number in links:
            parts = layout.parts(content, number)
            named = content.files[number].symlink
            if named is None:
                continue
            above = parts[: len(parts) - len(content.files[number].path.parts)]
            target = places.get(named.parts, (*above, *named.parts))
            if target != parts and _is_there(base, target):
                changed += [os.path.join(layout.root, *p) for p in _link(base, parts, target)]
    finally:
        os.close(base)
    return changed


def _is_there(base: int, parts: tuple[str, ...]) -> bool:
    try:
        holder = system.walk(base, parts[:-1])
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise
    try:
        return system.has_entry(holder, parts[-1])
    finally:
        os.close(holder)


def _link(base: int, parts: tuple[str, ...], target: tuple[str, ...]) -> list[tuple[str, ...]]:
    common = 0
    while common < min(len(parts), len(target)) - 1 and parts[common] == target[common]:
        common += 1
    text = "/".join((*[".."] * (len(parts) - 1 - common), *target[common:]))
    grown: list[tuple[str, ...]] = []
    holder = system.walk(base, parts[:-1], create=grown)
    try:
        if system.has_entry(holder, parts[-1]):
            return grown
        os.symlink(text, parts[-1], dir_fd=holder)
    finally:
        os.close(holder)
    return [*grown, parts[:-1]]
