"""What a seed suggests (BEP 6), so that the only copy of a piece leaves it once and not to everybody at a time.

Peers that choose among the rarest pieces on their own choose the same ones while these are still on their way. A seed
sees all of them: it suggests to each a few pieces that nobody has and that it suggested to nobody else. When the swarm
has every piece there is nothing left to suggest.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from random import Random
from typing import Final, Generic, TypeVar

from wildbach.base import bitfield

K = TypeVar("K", bound=Hashable)
_AHEAD: Final = 4
"Suggestions a peer has not taken up yet."


class Suggestions(Generic[K]):
    """Who was told to take which piece. Sets of pieces are masks of `base.bitfield`."""

    __slots__ = ("_open", "_rng", "_taken", "_width")

    def __init__(self, pieces: int, rng: Random) -> None:
        self._width = bitfield.width_of(pieces)
        self._rng = rng
        self._open: dict[K, dict[int, None]] = {}
        "By peer: what it was told and did not ask for so far."
        self._taken: dict[K, int] = {}
        "By peer: all that it was told."

    def open(self, peer: K) -> bool:
        """The peer has suggestions that it did not take up."""
        return bool(self._open.get(peer))

    def asked(self, peer: K, pieces: Iterable[int]) -> bool:
        """The peer asks for these pieces. True where one of them was suggested: then it is time for `more`."""
        waiting = self._open.get(peer)
        taken = [piece for piece in pieces if waiting.pop(piece, 0) is None] if waiting else []
        return bool(taken)

    def gone(self, peer: K) -> None:
        """The peer left: what it was told may be told to others."""
        self._open.pop(peer, None)
        self._taken.pop(peer, None)

    def more(self, peer: K, nobody: int) -> list[int]:
        """The pieces to suggest now. `nobody`: those that no peer has."""
        waiting = self._open.setdefault(peer, {})
        if waiting:
            for piece in [piece for piece in waiting if not bitfield.has(nobody, piece, self._width)]:
                del waiting[piece]  # it came to the swarm some other way
        if len(waiting) >= _AHEAD or not nobody:
            return []
        free = nobody
        for taken in self._taken.values():
            free &= ~taken
        out = []
        while free and len(waiting) < _AHEAD:
            piece = bitfield.first_from(free, self._rng.randrange(self._width), self._width)
            if piece < 0:
                piece = bitfield.first(free, self._width)
            mark = bitfield.bit(piece, self._width)
            free ^= mark
            self._taken[peer] = self._taken.get(peer, 0) | mark
            waiting[piece] = None
            out.append(piece)
        return out
