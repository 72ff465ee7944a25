"""Where every byte of a torrent lies: pieces, blocks and files in one linear address space.

The address space is the one of the pieces: piece *i* begins at `i * piece_length`. In v1 files follow each other
without gaps. In v2 (and in hybrids, whose pad files say the same) every file begins on a piece boundary and the rest
of its last piece does not exist: `piece_size` is short there, and no block ever covers it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from wildbach.base import bitfield

BLOCK = 16384
"Bytes in a block, the unit of requests (BEP 3) and of v2 leaves (BEP 52)."


class FileSpan(NamedTuple):
    """One file's place: bytes `offset` to `offset + length` of the address space."""

    offset: int
    length: int
    pad: bool = False


class Extent(NamedTuple):
    """A part of one file: `length` bytes at `offset` of file number `file`."""

    file: int
    offset: int
    length: int


class Geometry:
    """The layout of one torrent, checked once; immutable by agreement."""

    __slots__ = (
        "_ends", "_missing", "_short", "_starts", "_tails", "files", "piece_count", "piece_length", "size", "v1_size",
    )

    def __init__(
        self, piece_length: int, files: Sequence[FileSpan], piece_count: int, short: dict[int, int],
        v1_tails: dict[int, int] | None = None,
    ) -> None:
        self.piece_length = piece_length
        self.files = tuple(files)
        self.piece_count = piece_count
        self._short = short
        self._tails = v1_tails or {}
        self._missing: bitfield.Sums | None = None
        "What the short pieces have less than the others; made when it is first asked for."
        self.size = sum(f.length for f in self.files if not f.pad)
        "Bytes of content, pad files not counted."
        self.v1_size = sum(self.v1_piece_size(i) for i in self._short) + piece_length * (piece_count - len(short))
        "Bytes the v1 swarm counts (pad files included)."
        # Empty files share their start with the next one; only files with bytes are looked up by address.
        self._starts = [f.offset for f in self.files if f.length]
        self._ends = [i for i, f in enumerate(self.files) if f.length]

    @classmethod
    def packed(cls, piece_length: int, lengths: Sequence[int], pads: Sequence[bool] = ()) -> Geometry:
        """v1: files back to back (BEP 3), pad files among them (BEP 47)."""
        spans, at = [], 0
        for i, length in enumerate(lengths):
            spans.append(FileSpan(at, length, bool(pads) and pads[i]))
            at += length
        count = -(-at // piece_length)
        rest = at % piece_length
        return cls(piece_length, spans, count, {count - 1: rest} if rest else {})

    @classmethod
    def aligned(
        cls, piece_length: int, lengths: Sequence[int], *, hybrid: bool = False, last_pad: int = 0
    ) -> Geometry:
        """v2: every file on a piece boundary (BEP 52). A hybrid's v1 swarm also counts the padding between them.

        Some creators of hybrids also pad the last file: `last_pad` says by how many bytes, less than a piece.
        """
        spans, short, tails, at = [], {}, {}, 0
        last = max((i for i, n in enumerate(lengths) if n), default=-1)
        for i, length in enumerate(lengths):
            start = at * piece_length
            spans.append(FileSpan(start, length))
            pieces = -(-length // piece_length)
            at += pieces
            rest = length % piece_length
            if rest:
                short[at - 1] = rest
                tail = piece_length - rest if i != last else last_pad
                if hybrid and tail:
                    tails[at - 1] = tail
        return cls(piece_length, spans, at, short, tails)

    def piece_size(self, index: int) -> int:
        """Bytes of content in a piece."""
        return self._short.get(index, self.piece_length)

    def shortages(self) -> array[int]:
        """How many bytes each piece has less than most, as `base.bitfield.Sums` takes them."""
        missing = array("I", bytes(4 * self.piece_count))
        for piece, size in self._short.items():
            missing[piece] = self.piece_length - size
        return missing

    def bytes_in(self, pieces: int) -> int:
        """Bytes of content in a set of pieces (see `base.bitfield`)."""
        if self._missing is None:
            self._missing = bitfield.Sums(self.shortages())
        return pieces.bit_count() * self.piece_length - self._missing.over(pieces)

    def file_bytes_in(self, file: int, pieces: int) -> int:
        """Bytes of a file in a set of pieces."""
        own = self.file_pieces(file)
        if not own or not pieces:
            return 0
        span, width = self.files[file], bitfield.width_of(self.piece_count)
        there = bitfield.span(own.start, own.stop, width) & pieces
        # All are full pieces of this file but, it may be, the first and the last.
        total = there.bit_count() * self.piece_length
        for piece in (own.start, own.stop - 1)[: len(own)]:
            if bitfield.has(there, piece, width):
                begin = piece * self.piece_length
                end = begin + self.piece_size(piece)
                total -= self.piece_length - (min(end, span.offset + span.length) - max(begin, span.offset))
        return total

    def v1_piece_size(self, index: int) -> int:
        """Bytes the v1 hash of a piece covers: a hybrid's short pieces are filled up with zeros."""
        return self._short.get(index, self.piece_length) + self._tails.get(index, 0)

    def v1_tail(self, index: int) -> int:
        """Zeros a v1 peer expects after the content of a hybrid's piece."""
        return self._tails.get(index, 0)

    def block_count(self, index: int) -> int:
        return -(-self._short.get(index, self.piece_length) // BLOCK)

    def file_pieces(self, file: int) -> range:
        """The pieces that hold bytes of a file."""
        span = self.files[file]
        if not span.length:
            first = min(span.offset // self.piece_length, self.piece_count)
            return range(first, first)
        return range(span.offset // self.piece_length, (span.offset + span.length - 1) // self.piece_length + 1)

    def extents(self, offset: int, length: int) -> list[Extent]:
        """The file parts behind `length` bytes at `offset`. Raises IndexError where no file lies there."""
        out: list[Extent] = []
        at = bisect_right(self._starts, offset) - 1
        while length:
            if at < 0 or at >= len(self._ends):
                raise IndexError(f"no file at byte {offset}")
            number = self._ends[at]
            span = self.files[number]
            inner = offset - span.offset
            take = min(length, span.length - inner)
            if inner < 0 or take <= 0:
                raise IndexError(f"no file at byte {offset}")
            out.append(Extent(number, inner, take))
            offset += take
            length -= take
            at += 1
        return out
