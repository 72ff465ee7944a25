"""Torrents made of files: what `wildbach create` and the Api have in common."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
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
) -> Metainfo:
    """The same of content that is already laid out. Raises StorageError."""
    with contextlib.ExitStack() as stack:
        threads = Threads(os.cpu_count() or 1)
        stack.callback(threads.close)
        hasher = Hasher(threads)
        stack.callback(hasher.close)

        def tell(at: int, total: int, _good: int) -> None:
            progress(at, total)

        digests = await hasher.digest(plan.geometry, storage, v1=plan.has_v1, v2=plan.has_v2, progress=tell)
    plan.add(range(plan.geometry.piece_count), digests.v1, digests.v2)
    return plan.finish(
        trackers=recipe.trackers, web_seeds=recipe.web_seeds, private=recipe.private, source=recipe.source,
        comment=recipe.comment, created_by="wildbach", creation_date=recipe.date,
    )
