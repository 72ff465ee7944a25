"""Which piece to fetch next.

Every piece is in exactly one of these sets: had, unwanted, open (some block asked), or waiting. `waiting` is kept by
priority. Peers finish pieces that are open before they open others, the rarest first; sequential torrents take the
lowest, and pieces with a deadline go before all, then those that are `warm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from wildbach.base import bitfield
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.engine.availability import Availability
from wildbach.engine.openpiece import OpenPiece

_TAIL_SECONDS: Final = 0.3
"Who ends a piece so much later than all others together may help with it: they are not quite that fast."


@dataclass(frozen=True, slots=True)
class Focus:
    """What readers wait for, or soon will. Sets of blocks are bits, block 0 the lowest."""

    deadlines: Mapping[int, float] = field(default_factory=dict)
    "By piece: when the first byte of it that is read is due."
    first: Mapping[int, int] = field(default_factory=dict)
    """Of a piece whose blocks can be verified one by one: those that are read, the lowest first. A piece that is not
    named is of use once all of it is here."""
    pressing: Mapping[int, int] = field(default_factory=dict)
    "Of such a piece the blocks that are due within moments: worth asking two peers for."
    warm: int = 0
    "Pieces that are read after those: the rarest first, before all others."
    rate: float = 0.0
    "Bytes a second that are read."


NO_FOCUS = Focus()


class Picker:
    """The order of one torrent's pieces. Sets are integers as in `base.bitfield`."""

    def __init__(self, geometry: Geometry, have: int, rng: Random) -> None:
        self.geometry = geometry
        self.count = geometry.piece_count
        self.width = bitfield.width_of(self.count)
        self.full = bitfield.full(self.count)
        self.have = have
        self.availability = Availability(self.count)
        self.sequential = False
        self.open: dict[int, OpenPiece] = {}
        self.unasked = 0
        "Open pieces with blocks nobody was asked for."
        self.rng = rng
        self._levels: list[int] = [self.full & ~have]
        "Wanted, not had, not open: highest priority first."
        self._chosen: list[int] = [self.full]
        self.wanted = self.full
        self._held = 0
        self._asked: dict[int, float] = {}
        "Deadlines that were set one by one."
        self._deadlines: dict[int, float] = {}
        "All that hold, the earliest first."
        self.focus = NO_FOCUS

    # -- what is wanted

    def set_levels(self, levels: list[int], held: int = 0) -> None:
        """Choose priorities: disjoint sets, the most urgent first. Pieces in none of them are not wanted; those of
        `held` are, but somebody else says when they are opened.
        """
        self.wanted = self._held = held
        for level in levels:
            self.wanted |= level
        self._chosen = levels or [0]
        opened = bitfield.of(self.open, self.width)
        gone = self.have | opened
        self._levels = [level & ~gone for level in self._chosen]

    def set_deadline(self, piece: int, when: float | None) -> None:
        """Fetch a piece before all others, the earliest deadline first; None takes the deadline away."""
        if when is None or bitfield.has(self.have, piece, self.width):
            self._asked.pop(piece, None)
        else:
            self._asked[piece] = when
        self._order()

    def set_focus(self, focus: Focus) -> None:
        """Readers wait for this, in place of what they waited for before."""
        self.focus = focus
        self._order()

    def _order(self) -> None:
        both = dict(self._asked)
        for piece, when in self.focus.deadlines.items():
            both[piece] = min(when, both.get(piece, when))
        self._deadlines = {
            piece: when for piece, when in sorted(both.items(), key=lambda item: item[1])
            if not bitfield.has(self.have, piece, self.width)
        }

    def by_blocks(self, index: int) -> bool:
        """Blocks of this piece are of use before all of it is here."""
        return index in self.focus.first and index not in self._asked

    def pressing(self, piece: OpenPiece) -> int:
        """The blocks of a piece that is due soon which are due themselves and were asked for."""
        if not self.by_blocks(piece.index):
            due = piece.index in self._asked or self.focus.pressing.get(piece.index, 0)
            return piece.all if due and piece.asked == piece.all else 0
        due = self.focus.pressing.get(piece.index, 0) & piece.all
        free = due & ~piece.asked
        return due & (free & -free) - 1 if free else due

    def timing(self, piece: OpenPiece) -> tuple[float, int, float]:
        """When a piece is due, from which block on it is read, and how many seconds later each next one is due."""
        when = self._deadlines.get(piece.index, 0.0)
        first = self.focus.first.get(piece.index, 0)
        if not first or piece.index in self._asked or not self.focus.rate:
            return when, 0, 0.0
        return when, (first & -first).bit_length() - 1, BLOCK / self.focus.rate

    def deadline(self, index: int) -> float | None:
        return self._deadlines.get(index)

    @property
    def missing(self) -> int:
        """Wanted pieces that are not had."""
        return self.wanted & ~self.have

    def interesting(self, theirs: int) -> bool:
        wanted = self.wanted | bitfield.of(self._deadlines, self.width) if self._deadlines else self.wanted
        return bool(theirs & wanted & ~self.have)

    def due(self, by: float) -> list[OpenPiece]:
        """Open pieces whose deadline is before `by`, the earliest first."""
        return [self.open[index] for index, when in self._deadlines.items() if when <= by and index in self.open]

    @property
    def ending(self) -> bool:
        """Every wanted block was asked of somebody."""
        return not (self.unasked or any(self._levels) or self._held)

    # -- choosing

    def next_open(self, theirs: int, peer: int) -> OpenPiece | None:
        """An open piece with unasked blocks that this peer has."""
        able = self.unasked & theirs
        while able:
            index = bitfield.first(able, self.width)
            piece = self.open[index]
            if piece.sole is None or piece.sole == peer:
                return piece
            able ^= bitfield.bit(index, self.width)
        return None

    def untouched(self, theirs: int) -> OpenPiece | None:
        """An open piece of which nobody was asked anything so far (or any more)."""
        for piece in self.open.values():
            if not piece.asked and piece.sole is None and bitfield.has(theirs, piece.index, self.width):
                return piece
        return None

    def urgent(
        self, theirs: int, peer: int, arrives: float = 0.0, bound: float = 0.0, now: float = 0.0, pace: float = 0.0,
    ) -> tuple[OpenPiece, int] | None:
        """The earliest piece with a deadline that this peer can give in time, and the blocks to choose from, as bits.

        `arrives` is when a block would be here that is asked of the peer now, `bound` when the best peers could have
        one here: what is late already is left to those. All peers together give `pace` blocks a second, so who is slow
        may help with a piece that takes long anyway.
        """
        for index, when in self._deadlines.items():
            if not bitfield.has(theirs, index, self.width):
                continue
            piece = self.open.get(index)
            if piece is not None and (piece.asked == piece.all or piece.sole not in (None, peer)):
                continue
            blocks = (1 << -(-self.geometry.piece_size(index) // BLOCK)) - 1
            free = blocks if piece is None else blocks & ~piece.asked
            single = self.by_blocks(index)
            if single:
                free &= self.focus.first[index]
            if free and arrives > max(when, bound):
                if single:
                    first = self.focus.first[index]
                    skip = (first & -first).bit_length() - 1 + int((arrives - when) * self.focus.rate / BLOCK)
                    free = free >> skip << skip
                elif arrives > now + _TAIL_SECONDS + (
                    (blocks if piece is None else piece.missing).bit_count() / (pace or 1.0)
                ):
                    continue
            if free:
                return piece or self.start(index), free
        return None

    def next_warm(self, theirs: int, peer: int) -> OpenPiece | None:
        """A piece that readers come to soon: an open one, else the rarest."""
        able = self.focus.warm & theirs
        if not able:
            return None
        piece = self.next_open(able, peer)
        if piece is not None:
            return piece
        for level in self._levels:
            if level & able:
                return self.start(self._random(self.availability.rarest(level & able)))
        return None

    def next_new(self, theirs: int) -> OpenPiece | None:
        """Open the best waiting piece that this peer has."""
        for level in self._levels:
            able = level & theirs
            if able:
                if self.sequential:
                    return self.start(bitfield.first(able, self.width))
                return self.start(self._random(self.availability.rarest(able)))
        return None

    def onward(self, theirs: int, last: int) -> OpenPiece | None:
        """Open the waiting piece after `last`; else go where the longest row of waiting pieces lies."""
        for level in self._levels:
            able = level & theirs
            if able:
                if 0 <= last < self.count - 1 and bitfield.has(able, last + 1, self.width):
                    return self.start(last + 1)
                if self.sequential:
                    return self.start(bitfield.first(able, self.width))
                start, length = bitfield.longest_row(able, self.width)
                if start - 1 in self.open:
                    start += length // 2  # somebody is on the way through this row from its beginning
                return self.start(start)
        return None

    def suggested(self, theirs: int, pieces: list[int]) -> OpenPiece | None:
        """Open a waiting piece that its owner suggested, where it would be as good a choice as any."""
        if self.sequential:
            return None
        for level in self._levels:
            able = level & theirs
            if able:
                able = self.availability.rarest(able)
                for index in pieces:
                    if bitfield.has(able, index, self.width):
                        return self.start(index)
                return None
        return None

    def best(self, theirs: int, peer: int, *, crowded: bool) -> OpenPiece | None:
        """The rarest piece that this peer has; of equals an open one. `crowded`: finish open ones before all others."""
        able = self.unasked & theirs
        if crowded or self.sequential or not able:
            return self.next_open(theirs, peer) or self.next_new(theirs)
        for level in self._levels:
            fresh = level & theirs
            if fresh:
                rare = self.availability.rarest(fresh | able)
                return self.next_open(rare, peer) or self.next_new(rare & fresh or fresh)
        return self.next_open(theirs, peer)

    def _random(self, mask: int) -> int:
        start = self.rng.randrange(self.count)
        found = bitfield.first_from(mask, start, self.width)
        return found if found >= 0 else bitfield.first(mask, self.width)

    @property
    def has_deadlines(self) -> bool:
        return bool(self._deadlines)

    def start(self, index: int) -> OpenPiece:
        piece = OpenPiece(index, self.geometry.piece_size(index))
        self.open[index] = piece
        mark = bitfield.bit(index, self.width)
        self.unasked |= mark
        self._levels = [level & ~mark if level & mark else level for level in self._levels]
        return piece

    def note_asked(self, piece: OpenPiece) -> None:
        """Keep `unasked` true after blocks were asked or released."""
        mark = bitfield.bit(piece.index, self.width)
        if piece.asked == piece.all:
            self.unasked &= ~mark
        else:
            self.unasked |= mark

    # -- results

    def done(self, index: int) -> None:
        """The piece is had."""
        self.have |= bitfield.bit(index, self.width)
        self._close(index)
        self._deadlines.pop(index, None)
        self._asked.pop(index, None)
        mark = bitfield.bit(index, self.width)
        self._levels = [level & ~mark if level & mark else level for level in self._levels]

    def lost(self, indices: int) -> None:
        """Pieces that were had are not: the disk did not keep them."""
        self.have &= ~indices
        self._restore(indices)

    def again(self, index: int) -> None:
        """Fetch an open piece anew: it did not verify, or its memory was given up."""
        self._close(index)
        self._restore(bitfield.bit(index, self.width))

    def _close(self, index: int) -> None:
        self.open.pop(index, None)
        self.unasked &= ~bitfield.bit(index, self.width)

    def _restore(self, mask: int) -> None:
        self._levels = [level | (mask & want) for level, want in zip(self._levels, self._chosen, strict=True)]
