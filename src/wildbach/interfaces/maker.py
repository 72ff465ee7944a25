"""Torrents made of files: what `wildbach create` and the Api have in common."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from wildbach.disk.files import FileStorage
from wildbach.disk.hasher import Hasher
from wildbach.disk.storage import Storage
from wildbach.interfaces.scan import Found, content_of
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import BuildPlan, Kind
from wildbach.runtime.workers import Threads


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into the torrent besides the files."""

    kind: Kind = "hybrid"
    piece_length: int = 0
    "0: chosen by size."
    trackers: tuple[tuple[str, ...], ...] = ()
    web_seeds: tuple[str, ...] = ()
    private: bool = False
    source: str = ""
    comment: str = ""
    date: int | None = None


async def make(found: Found, recipe: Recipe, progress: Callable[[int, int], None]) -> Metainfo:
    """Hash the files and put the torrent together; `progress` gets (bytes, of all). Raises StorageError."""
    plan = BuildPlan(
        found.name, found.files, kind=recipe.kind, piece_length=recipe.piece_length, single=found.single
    )
    with contextlib.closing(FileStorage(content_of(plan), found.root)) as storage:
        return await assemble(plan, storage, recipe, progress)


async def assemble(
    plan: BuildPlan, storage: Storage, recipe: Recipe, progress: Callable[[int, int], None],
    known: Mapping[int, tuple[bytes, bytes]] | None = None,
) -> Metainfo:
    """The same of content that is already laid out. `known`: the hashes of the pieces of some files (v1 and v2, as
    `BuildPlan.add` takes them), which are not hashed again. Raises StorageError.
    """
    with contextlib.ExitStack() as stack:
        threads = Threads(os.cpu_count() or 1)
        stack.callback(threads.close)
        hasher = Hasher(threads)
        stack.callback(hasher.close)

        for number, (v1, v2) in (known or {}).items():
            plan.add(plan.geometry.file_pieces(number), v1, v2)
        gaps = list(_unknown(plan, known or {}))
        sizes = [sum(plan.geometry.piece_size(piece) for piece in gap) for gap in gaps]
        done = 0

        def tell(at: int, _total: int, _good: int) -> None:
            progress(done + at, sum(sizes))

        for gap, size in zip(gaps, sizes, strict=True):
            found = await hasher.digest(
                plan.geometry, storage, v1=plan.has_v1, v2=plan.has_v2, progress=tell, pieces=gap)
            plan.add(gap, found.v1, found.v2)
            done += size
    return plan.finish(
        trackers=recipe.trackers, web_seeds=recipe.web_seeds, private=recipe.private, source=recipe.source,
        comment=recipe.comment, created_by="wildbach", creation_date=recipe.date,
    )


def _unknown(plan: BuildPlan, known: Mapping[int, tuple[bytes, bytes]]) -> Iterator[range]:
    """The runs of pieces whose hashes are not known. Where some are, every file begins with a piece."""
    if not known:
        yield range(plan.geometry.piece_count)
        return
    start = stop = 0
    for number in range(len(plan.files)):
        pieces = plan.geometry.file_pieces(number)
        if number in known or not pieces:
            continue
        if pieces.start != stop and stop > start:
            yield range(start, stop)
            start = pieces.start
        elif stop == start:
            start = pieces.start
        stop = pieces.stop
    if stop > start:
        yield range(start, stop)
