"""Which blocks of an older file are blocks of a content too (BEP 52): piece layers first, leaves where those differ.

Blocks are compared where they lie: edits in place and what is appended are found, what was moved by an insertion is
not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.disk.hasher import Hasher
from wildbach.disk.storage import Storage
from wildbach.engine.contenthashes import leaves_of
from wildbach.engine.contentid import ContentId
from wildbach.protocol.layers import HASH
from wildbach.runtime.workers import Threads

_AT_ONCE: Final = 64
"Pieces whose leaves are asked for at a time."


@dataclass(frozen=True, slots=True)
class Delta:
    """What of an older file is right in a new one, at the same places."""

    same: bytes
    "A bit for each block of the content, the first the highest of the first byte."
    ranges: tuple[tuple[int, int], ...]
    "The same as rows of bytes to copy: where each begins in both files, and how long it is."
    missing: int
    "Bytes that have to come."


class HashSource(Protocol):
    """`engine.fetching.Fetch`."""

    @property
    def id(self) -> ContentId: ...

    async def layer(self) -> bytes: ...

    def leaves(self, piece: int) -> asyncio.Future[bytes]: ...


async def compare(
    source: HashSource, old: ContentId, storage: Storage, layer: bytes | None, hasher: Hasher, threads: Threads,
) -> Delta:
    """See `Fetch.compare`."""
    content = source.id
    theirs = await source.layer()
    if layer is None or old.piece_length != content.piece_length:
        geometry = ContentId(old.root, old.size, content.piece_length).info.geometry
        layer = (await hasher.digest(geometry, storage, v1=False, v2=True)).v2
    found: dict[int, int] = {}
    differ: list[int] = []
    for piece in range(content.pieces):
        at = piece * HASH
        if layer[at : at + HASH] == theirs[at : at + HASH]:
            found[piece] = content.whole(piece)
        elif piece * content.piece_length < old.size:
            differ.append(piece)
    for first in range(0, len(differ), _AT_ONCE):
        some = differ[first : first + _AT_ONCE]
        coming = [source.leaves(piece) for piece in some]
        ours = await threads.run(_leaves, storage, old.size, some, content.piece_length)
        for piece, mine, answer in zip(some, ours, coming, strict=True):
            right = await answer
            same = sum(
                1 << at // HASH for at in range(0, len(right), HASH) if right[at : at + HASH] == mine[at : at + HASH])
            if same:
                found[piece] = same
    blocks = content.joined(found)
    ranges = tuple(content.ranges(blocks))
    return Delta(blocks, ranges, content.size - sum(length for _, length in ranges))


def _leaves(storage: Storage, size: int, pieces: list[int], piece_length: int) -> list[bytes]:
    return [leaves_of(storage, size, piece, piece_length) for piece in pieces]
