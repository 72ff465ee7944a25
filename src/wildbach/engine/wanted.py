"""What one peer asked of us and did not get yet, in the order it asked.

Peers ask for row after row of full blocks, so that is how it is kept: two numbers say what sixty requests did. Anything
else is a row of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wildbach.base.geometry import BLOCK

Request = tuple[int, int, int]
"Piece, offset and length."


class Row(NamedTuple):
    """`length` bytes of a piece from `offset` on. More than a block: full blocks, one asked after the other."""

    piece: int
    offset: int
    length: int

    @property
    def blocks(self) -> int:
        return -(-self.length // BLOCK)


class Wanted:
    """A queue of requests; its length is their number."""

    __slots__ = ("_count", "_rows")

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Request]:
        """Each request on its own."""
        for piece, offset, length in self._rows:
            for at in range(0, length, BLOCK):
                yield piece, offset + at, min(BLOCK, length - at)

    @property
    def head(self) -> Row:
        """The first row; there must be one."""
        return self._rows[0]

    def add(self, piece: int, offset: int, length: int) -> None:
        """`length` may be that of several full blocks in a row."""
        rows = self._rows
        self._count += -(-length // BLOCK)
        if rows and not length % BLOCK:
            last = rows[-1]
            if last.piece == piece and last.offset + last.length == offset and not last.length % BLOCK:
                rows[-1] = Row(piece, last.offset, last.length + length)
                return
        rows.append(Row(piece, offset, length))

    def take(self, most: int) -> Row:
        """The first requests that are a row, at most so many of them; there must be one."""
        row = self._rows[0]
        if row.length > most * BLOCK:
            size = most * BLOCK
            self._rows[0] = Row(row.piece, row.offset + size, row.length - size)
            row = Row(row.piece, row.offset, size)
        else:
            self._rows.popleft()
        self._count -= row.blocks
        return row

    def remove(self, piece: int, offset: int, length: int) -> bool:
        """Take one request back; False where it is not there."""
        for at, row in enumerate(self._rows):
            before = offset - row.offset
            if row.piece != piece or not 0 <= before < row.length or before % BLOCK:
                continue
            if length != min(BLOCK, row.length - before):
                continue
            del self._rows[at]
            for part in (Row(piece, offset + length, row.length - before - length), Row(piece, row.offset, before)):
                if part.length:
                    self._rows.insert(at, part)
            self._count -= 1
            return True
        return False

    def drop(self, unwanted: Callable[[int], bool]) -> list[Request]:
        """Forget the requests for some pieces; returns them."""
        gone = [request for request in self if unwanted(request[0])]
        if gone:
            self._rows = deque(row for row in self._rows if not unwanted(row.piece))
            self._count -= len(gone)
        return gone

    def clear(self) -> None:
        self._rows.clear()
        self._count = 0
