"""Where the bytes of files nobody wants live: those that share a piece with a wanted file.

Every piece that holds bytes of two files or more has a slot, by its rank among such pieces. That depends on the
torrent alone, so the part file needs no header, no index and no repair: a crash can only lose its latest bytes, as
in any other file. Files of v2 and hybrid torrents share no pieces and never need one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from wildbach.base.geometry import Extent, Geometry
from wildbach.protocol.metainfo.paths import PARTS_SUFFIX


def parts_name(key: str) -> str:
    """The name of a torrent's part file, from the torrent's key."""
    return f".{key[:40]}{PARTS_SUFFIX}"


class Slots:
    """The arithmetic of one torrent's part file."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        owners: dict[int, int] = {}
        for number, span in enumerate(geometry.files):
            if span.length and not span.pad:
                pieces = geometry.file_pieces(number)
                for piece in {pieces[0], pieces[-1]}:
                    owners[piece] = owners.get(piece, 0) + 1
        self._slots = {p: rank for rank, p in enumerate(sorted(p for p, files in owners.items() if files > 1))}

    def __len__(self) -> int:
        return len(self._slots)

    def shared(self, piece: int) -> bool:
        """True where a piece holds bytes of more than one file."""
        return piece in self._slots

    def place(self, file: int, offset: int, length: int) -> list[Extent] | None:
        """Where bytes of a file stand in the part file, `file` kept in the extents; None where some have no slot."""
        piece_length = self._geometry.piece_length
        at = self._geometry.files[file].offset + offset
        out = []
        while length:
            piece, inner = divmod(at, piece_length)
            slot = self._slots.get(piece)
            if slot is None:
                return None
            take = min(length, piece_length - inner)
            out.append(Extent(file, slot * piece_length + inner, take))
            at += take
            length -= take
        return out

    def of_file(self, file: int) -> Iterator[tuple[int, int, int]]:
        """The parts of a file that have a slot, as (offset in the part file, offset in the file, length)."""
        span = self._geometry.files[file]
        pieces = self._geometry.file_pieces(file)
        for piece in sorted({pieces[0], pieces[-1]}) if span.length else ():
            slot = self._slots.get(piece)
            if slot is None:
                continue
            begin = max(span.offset, piece * self._geometry.piece_length)
            end = min(span.offset + span.length, (piece + 1) * self._geometry.piece_length)
            inner = begin - piece * self._geometry.piece_length
            yield slot * self._geometry.piece_length + inner, begin - span.offset, end - begin


def data_ranges(fd: int, offset: int, length: int) -> Iterator[tuple[int, int]]:
    """The parts of a range of a file that are not holes, as (offset, length); all of it where nobody can tell."""
    end = min(offset + length, os.fstat(fd).st_size)
    if not hasattr(os, "SEEK_DATA"):
        if offset < end:
            yield offset, end - offset
        return
    while offset < end:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
            stop = os.lseek(fd, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            if error.errno != errno.EINVAL:
                raise
            start, stop = offset, end
        if start >= end:
            return
        yield start, min(stop, end) - start
        offset = stop
