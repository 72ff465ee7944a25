"""Bad pieces of a v2 torrent whose leaves are being fetched (BEP 52): only the false blocks are asked for again.

Such a piece stays open with all its blocks, asked of nobody, until its leaves tell which are false, or for a moment
only. A piece of one chunk keeps its memory; what is longer lies on the disk and comes back from there.
"""

from __future__ import annotations

from typing import Final, Protocol

from wildbach.base.geometry import BLOCK
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.partials import Partials
from wildbach.engine.picker import Picker

_DOUBT_SECONDS: Final = 2.5
"Leaves that take longer are not waited for: the whole piece is fetched again."


class DoubtsOwner(Protocol):
    def abandon(self, piece: OpenPiece) -> None:
        """Fetch all of it again."""

    def wait_over(self) -> None:
        """Peers that found nothing to do may find something now."""


class Doubts:
    """The doubtful pieces of one torrent."""

    def __init__(self, owner: DoubtsOwner, picker: Picker, partials: Partials) -> None:
        self._owner = owner
        self._picker = picker
        self._partials = partials
        self._held: dict[int, tuple[OpenPiece, float]] = {}
        "By index, with the time until which to wait."

    def hold(self, piece: OpenPiece, now: float) -> None:
        piece.doubtful = True
        piece.sole = None
        piece.saved = 0
        self._partials.note(piece.index, 0)
        self._held[piece.index] = (piece, now + _DOUBT_SECONDS)

    def forget(self, piece: OpenPiece) -> None:
        """It is given up."""
        if piece.doubtful:
            self._held.pop(piece.index, None)

    def mend(self, index: int, false: int) -> int:
        """The false blocks of a piece are known: ask for them again. Returns the bytes that need not be."""
        held = self._held.pop(index, None)
        if held is None:
            return 0
        piece = held[0]
        piece.doubtful = False
        good = piece.all & ~false
        if not false or not good or self._picker.open.get(index) is not piece:
            self._owner.abandon(piece)
            good = 0
        elif len(piece.chunks) == 1:
            piece.refetch(false)
            self._picker.note_asked(piece)
        else:
            senders = piece.from_
            self._picker.again(index)
            self._partials.restore({index: good}, senders)
        self._owner.wait_over()
        return good.bit_count() * BLOCK

    def tick(self, now: float) -> None:
        for piece in [piece for piece, until in self._held.values() if until <= now]:
            self._owner.abandon(piece)

    def clear(self) -> None:
        """Wait for nothing more."""
        for piece, _ in list(self._held.values()):
            self._owner.abandon(piece)
