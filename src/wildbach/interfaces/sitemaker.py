"""Folders as torrents of sites: hidden files stay out, and what has not changed since is not hashed again."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.disk.files import FileStorage
from wildbach.disk.layout import Layout
from wildbach.interfaces import maker, scan
from wildbach.protocol import payouts
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import BuildPlan, SourceFile, choose_piece_length
from wildbach.runtime.workers import Threads
from wildbach.services.sites.seams import Built, Stamps

_OPEN: Final = ".well-known"
_SPREAD: Final = 4
"A piece length stays while it is at most so many times longer or shorter than it would be chosen now."


class SiteMaker:
    """The `Maker` of sites."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def build(
        self, folder: Path, name: str, *, known: tuple[Metainfo, Stamps] | None, web_seeds: tuple[str, ...],
        hidden: bool, progress: Callable[[float], None],
    ) -> Built:
        found, stamps, passed = await self._threads.run(_scan, folder, hidden)
        size = sum(file.length for file in found.files)
        length = choose_piece_length(size)
        if known is not None and length <= _SPREAD * known[0].info.piece_length <= _SPREAD**2 * length:
            length = known[0].info.piece_length
        plan = BuildPlan(name, found.files, piece_length=length)
        hashes = _known(plan, stamps, *known) if known is not None else {}
        left = size - sum(plan.files[number].length for number in hashes)

        def tell(done: int, total: int) -> None:
            progress(done / total if total else 1.0)

        # The files lie in the folder itself, whatever the torrent is called.
        with contextlib.closing(FileStorage(scan.content_of(plan), Layout(str(folder), "none"))) as storage:
            made = await maker.assemble(plan, storage, maker.Recipe(web_seeds=web_seeds), tell, hashes)
        changed = await self.changed(folder, stamps)
        if changed:
            raise StorageError(
                f"{changed[0]} changed while it was hashed; publish again when the folder is at rest",
                path=str(folder / changed[0]), code="changed")
        return Built(made, stamps, passed, left)

    async def name_payout(self, folder: Path, payout: str) -> None:
        await self._threads.run(_name_payout, folder, payout)

    async def changed(self, folder: Path, stamps: Stamps) -> tuple[str, ...]:
        return await self._threads.run(_changed, folder, stamps)


def _scan(folder: Path, hidden: bool) -> tuple[scan.Found, Stamps, tuple[str, ...]]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: a site is made of a folder", code="not_found")
    patterns: list[str] = []
    if not hidden:
        try:
            at_top = sorted(name for name in os.listdir(folder) if name.startswith(".") and name != _OPEN)
        except OSError as error:
            raise StorageError(f"{folder}: {error.strerror}", path=str(folder), errno=error.errno or 0) from error
        patterns = [*map(glob.escape, at_top), "*/.*"]
    found = scan.scan(folder, patterns)
    stamps: dict[str, tuple[int, int]] = {}
    for file in found.files:
        if file.symlink is None:
            state = os.stat(folder.joinpath(*file.path), follow_symlinks=False)
            stamps["/".join(file.path)] = (state.st_size, state.st_mtime_ns)
    return found, stamps, (*(name for name in patterns if name != "*/.*"), *found.skipped)


def _name_payout(folder: Path, payout: str) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder}: a site is made of a folder", code="not_found")
    place = folder.joinpath(*payouts.PATH)
    if place.parent.is_symlink() or place.is_symlink():
        raise UsageError(f"{place} leads elsewhere: write the address for tips there yourself", code="symlink")
    try:
        raw: bytes | None = None
        with contextlib.suppress(FileNotFoundError), place.open("rb") as file:
            raw = file.read(limits.SITE_FACTS_BYTES + 1)
        made = payouts.with_payout(raw, payout)
        if made != raw:
            place.parent.mkdir(exist_ok=True)
            # As a hidden file it is in no torrent, should this stop between the two.
            beside = place.with_name(".wildbach.json.new")
            beside.unlink(missing_ok=True)
            with beside.open("xb") as file:
                file.write(made)
                os.fsync(file.fileno())
            beside.replace(place)
    except OSError as error:
        raise StorageError(f"{place}: {error.strerror}", path=str(place), errno=error.errno or 0) from error


def _changed(folder: Path, stamps: Stamps) -> tuple[str, ...]:
    out = []
    for path, (size, moment) in stamps.items():
        try:
            state = os.stat(folder / path, follow_symlinks=False)
        except OSError:
            out.append(path)
            continue
        if (state.st_size, state.st_mtime_ns) != (size, moment):
            out.append(path)
    return tuple(out)


def _known(plan: BuildPlan, now: Stamps, before: Metainfo, then: Stamps) -> dict[int, tuple[bytes, bytes]]:
    """The hashes of files that are as they were when the last torrent was made of them."""
    info = before.info
    if info.piece_length != plan.piece_length or info.pieces is None or not info.has_v2:
        return {}
    old = {"/".join(file.path.parts): number for number, file in enumerate(info.files) if file.root is not None}
    out: dict[int, tuple[bytes, bytes]] = {}
    for number, file in enumerate(plan.files):
        path = "/".join(file.path)
        theirs = old.get(path)
        if theirs is None or not file.length or then.get(path) != now.get(path) or _odd(file):
            continue
        if info.files[theirs].length != file.length:
            continue
        mine, pieces = plan.geometry.file_pieces(number), info.geometry.file_pieces(theirs)
        root = info.files[theirs].root or b""
        layer = root if len(pieces) == 1 else before.piece_layers.get(root, b"")
        # In a hybrid, zeros after the end of all files but the last are part of the last piece's v1 hash.
        same_tail = plan.geometry.v1_tail(mine[-1]) == info.geometry.v1_tail(pieces[-1])
        if len(mine) == len(pieces) and len(layer) == 32 * len(pieces) and same_tail:
            out[number] = info.pieces[20 * pieces.start : 20 * pieces.stop], layer
    return out


def _odd(file: SourceFile) -> bool:
    return file.symlink is not None
