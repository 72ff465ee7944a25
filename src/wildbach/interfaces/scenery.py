"""Made-up content for demonstrations: files with names in several scripts, whose bytes are the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from wildbach.base.limits import KIB, MIB
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.storage import Content
from wildbach.disk.system import cut

_FILES: Final[tuple[tuple[str, float], ...]] = (
    ("lies mich.txt", 0.0001),
    ("film/the stream.mkv", 0.55),
    ("film/the stream.srt", 0.0008),
    ("photos/above the weir.raw", 0.12),
    ("photos/Brücke im Nebel.raw", 0.1),
    ("photos/渓流.raw", 0.08),
    ("music/01 source.flac", 0.07),
    ("music/02 gorge.flac", 0.05),
    ("music/03 delta.flac", 0.03),
    ("empty.log", 0.0),
)
"Path and share of the size; one file has no bytes."
_BLOCK: Final = 128 * KIB


def files(size: int) -> list[tuple[tuple[str, ...], int]]:
    """Path and length of each, about `size` in all."""
    return [(tuple(name.split("/")), int(size * share)) for name, share in _FILES]


def noise(name: str, offset: int, length: int) -> bytes:
    """The bytes of a file: they compress badly and go by the name. One block of a long hash, turned differently each
    time it comes.
    """
    block = _block(name)
    parts = []
    while length > 0:
        turn, at = divmod(offset, _BLOCK)
        start = (turn * 4099) % _BLOCK + at
        part = block[start:start + min(length, _BLOCK - at)]
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


@lru_cache(maxsize=32)
def _block(name: str) -> bytes:
    return hashlib.shake_256(name.encode()).digest(_BLOCK) * 2


def make_content(folder: Path, size: int, tick: Callable[[], None] = lambda: None) -> None:
    """Write it below `folder`. Blocks."""
    for parts, length in files(size):
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in _chunks("/".join(parts), length):
                file.write(chunk)
                tick()


def _chunks(name: str, length: int) -> Iterator[bytes]:
    for offset in range(0, length, MIB):
        yield noise(name, offset, min(MIB, length - offset))


class Scenery(MemoryStorage):
    """The content of a torrent, made up while it is read: it takes no room. `salt` makes it another one."""

    def __init__(self, content: Content, salt: str) -> None:
        super().__init__(content)
        self._names = [
            None if file.pad else "/".join((salt, *file.path.parts)) for file in content.files]

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        extents = self._content.geometry.extents(offset, sum(view.nbytes for view in buffers))
        for extent, group in zip(extents, cut(buffers, [one.length for one in extents]), strict=True):
            name, at = self._names[extent.file], extent.offset
            for view in group:
                view[:] = bytes(view.nbytes) if name is None else noise(name, at, view.nbytes)
                at += view.nbytes
