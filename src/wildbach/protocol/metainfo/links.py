"""Symlinks of BEP 47: kept where they lead to a file or directory of the same torrent, dropped otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from wildbach.protocol.metainfo.filetree import Entry
from wildbach.protocol.metainfo.paths import Names, SafePath


def resolve(entries: Sequence[Entry], names: Names) -> dict[int, SafePath]:
    """The target of each symlink that is kept, by file index.

    A target is a path from the torrent's root. It may be another symlink, but the chain must end at a file or a
    directory of the torrent that does not hold the link itself. So no link leads outside, none dangles, and none loops.
    """
    links = {number: entry.target for number, entry in enumerate(entries) if entry.target is not None}
    if not links:
        return {}
    files: dict[tuple[bytes, ...], int] = {}
    folders: set[tuple[bytes, ...]] = set()
    for number, entry in enumerate(entries):
        if not entry.pad:
            files.setdefault(entry.raw, number)
            folder = entry.raw[:-1]
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder[:-1]
    # Where a chain ends: a file's index, a directory's raw path, or None for nowhere.
    ends: dict[int, int | tuple[bytes, ...] | None] = {}
    for start in links:
        chain: list[int] = []
        seen: set[int] = set()
        at: int | tuple[bytes, ...] | None = start
        while isinstance(at, int) and at in links and at not in ends:
            if at in seen:
                at = None
                break
            seen.add(at)
            chain.append(at)
            target = links[at]
            at = files.get(target, target if target in folders else None)
        end = ends.get(at, at) if isinstance(at, int) else at
        for link in chain:
            ends[link] = end
    out: dict[int, SafePath] = {}
    for number, target in links.items():
        end = ends[number]
        if end is None or (isinstance(end, tuple) and entries[number].raw[: len(end)] == end):
            continue
        direct = files.get(target)
        path = names.paths[direct] if direct is not None else SafePath(names.directory(target))
        if path is not None:
            out[number] = path
    return out
