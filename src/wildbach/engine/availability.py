"""How many peers have each piece, as a few integers.

The counts are bit-sliced: plane *k* holds bit *k* of every piece's count, in the piece order of `base.bitfield`.
Adding a whole bitfield is a carry that ripples through the planes, and the rarest pieces among any set fall out by
one pass from the top plane down; both cost a handful of operations on integers, whatever the number of pieces.
"""

from __future__ import annotations

from array import array
from sys import byteorder

from wildbach.base import bitfield

_SETTLE = 64
_ONES = bytes.maketrans(b"01", b"\0\1")


class Availability:
    """Counts for one torrent. Single `have`s wait in a small heap and are folded in together."""

    __slots__ = ("_pending", "_planes", "_seeds", "_width")

    def __init__(self, count: int) -> None:
        self._width = bitfield.width_of(count)
        self._planes: list[int] = []
        self._pending: list[int] = []
        self._seeds = 0
        "Peers that have everything: they make no piece rarer than another."

    def add(self, mask: int) -> None:
        planes = self._planes
        for k in range(len(planes)):
            if not mask:
                return
            plane = planes[k]
            planes[k] = plane ^ mask
            mask &= plane
        if mask:
            planes.append(mask)

    def remove(self, mask: int) -> None:
        """Take a peer's set out again; it must have been added."""
        self._settle()
        planes = self._planes
        for k in range(len(planes)):
            if not mask:
                break
            plane = planes[k]
            planes[k] = plane ^ mask
            mask &= ~plane
        while planes and not planes[-1]:
            planes.pop()

    def add_seed(self) -> None:
        self._seeds += 1

    def remove_seed(self) -> None:
        self._seeds -= 1

    def have(self, piece: int) -> None:
        """One more peer has `piece`."""
        self._pending.append(piece)
        if len(self._pending) >= _SETTLE:
            self._settle()

    def _settle(self) -> None:
        pending = self._pending
        if not pending:
            return
        self._pending = []
        pending.sort()
        while pending:
            # A piece that several peers announced goes in once a round.
            rest: list[int] = []
            once: list[int] = []
            last = -1
            for piece in pending:
                if piece == last:
                    rest.append(piece)
                else:
                    once.append(piece)
                    last = piece
            self.add(bitfield.of(once, self._width))
            pending = rest

    def rarest(self, mask: int) -> int:
        """The pieces of a set that is not empty which the fewest peers have."""
        if self._pending:
            self._settle()
        for plane in reversed(self._planes):
            common = mask & plane
            if common and common != mask:
                mask ^= common
        return mask

    def somebody(self) -> int:
        """The pieces that at least one peer has which is no seed."""
        self._settle()
        out = 0
        for plane in self._planes:
            out |= plane
        return out

    def count(self, piece: int) -> int:
        self._settle()
        shift = self._width - 1 - piece
        return self._seeds + sum(((plane >> shift) & 1) << k for k, plane in enumerate(self._planes))

    def counts(self, pieces: int) -> list[int]:
        """The count of every piece, for people to look at."""
        self._settle()
        # Each plane as lanes of 32 bits, so that all counts are added up at once.
        total = 0
        for k, plane in enumerate(self._planes):
            ones = bitfield.flags(plane, pieces).encode().translate(_ONES)
            total += int.from_bytes(ones.decode("latin-1").encode("utf-32-be"), "big") << k
        seeds = self._seeds
        if not total:
            return [seeds] * pieces
        lanes = array("I", total.to_bytes(4 * pieces, "big"))
        if byteorder == "little":
            lanes.byteswap()
        return [count + seeds for count in lanes] if seeds else lanes.tolist()

    def anywhere(self, pieces: int) -> int:
        """The pieces that at least one peer has, seeds included."""
        return bitfield.full(pieces) if self._seeds else self.somebody()

    def copies(self, pieces: int) -> float:
        """Distributed copies: whole copies in the swarm, and the share of pieces that have one more."""
        if not pieces:
            return 0.0
        fewest = self.rarest(bitfield.full(pieces))
        least = self.count(next(iter(bitfield.indices(fewest, self._width))))
        return least + (pieces - fewest.bit_count()) / pieces
