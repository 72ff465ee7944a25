"""Torrents' content for the disk tests: names, lengths and bytes, without metainfo."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from wildbach.base.geometry import Geometry


@dataclass(frozen=True)
class Path:
    parts: tuple[str, ...]


@dataclass(frozen=True)
class File:
    path: Path
    length: int
    pad: bool = False
    executable: bool = False
    symlink: Path | None = None


@dataclass(frozen=True)
class Content:
    name: str
    geometry: Geometry
    files: tuple[File, ...]
    multi_file: bool = True
    data: tuple[bytes, ...] = field(default=(), repr=False)

    def linear(self, offset: int, length: int) -> bytes:
        """The right bytes of a range of the address space."""
        return b"".join(
            bytes(e.length) if self.files[e.file].pad else self.data[e.file][e.offset : e.offset + e.length]
            for e in self.geometry.extents(offset, length)
        )

    def piece(self, index: int) -> tuple[int, bytes]:
        offset = index * self.geometry.piece_length
        return offset, self.linear(offset, self.geometry.piece_size(index))


def content(
    *files: tuple[str, int] | File, piece_length: int = 16384, name: str = "thing", v2: bool = False,
    multi_file: bool = True, seed: int = 1, hybrid: bool = False,
) -> Content:
    entries = tuple(f if isinstance(f, File) else File(Path(tuple(f[0].split("/"))), f[1]) for f in files)
    lengths = [f.length for f in entries]
    if v2 or hybrid:
        geometry = Geometry.aligned(piece_length, lengths, hybrid=hybrid)
    else:
        geometry = Geometry.packed(piece_length, lengths, [f.pad for f in entries])
    rng = random.Random(seed)
    data = tuple(b"" if f.pad else rng.randbytes(f.length) for f in entries)
    return Content(name, geometry, entries, multi_file, data)


def fill(storage: object, what: Content, pieces: range | list[int] | None = None) -> None:
    for index in pieces if pieces is not None else range(what.geometry.piece_count):
        offset, data = what.piece(index)
        storage.write(offset, [memoryview(data)])  # type: ignore[attr-defined]


def read(storage: object, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    storage.read_into(offset, [memoryview(buffer)])  # type: ignore[attr-defined]
    return bytes(buffer)
