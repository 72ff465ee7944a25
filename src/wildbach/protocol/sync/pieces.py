"""How long the pieces of a file of a folder are: it follows from the size alone, so all devices agree."""

from __future__ import annotations

from typing import Final

from wildbach.base import limits

_LEAST: Final = 256 << 10
_PIECES: Final = 32768


def piece_length_for(size: int) -> int:
    """The piece length of a file of `size` bytes, the same on all devices: 256 KiB, doubled while there would be more
    than 32,768 pieces.

    Of what scattered edits change, the leaves of a piece of 256 KiB are a thirty-second, and the piece layer of 2 GiB
    is 256 KiB: larger pieces cost more of the first, smaller ones more of the second.
    """
    length = _LEAST
    while length * _PIECES < size and length < limits.PIECE_LENGTH:
        length *= 2
    return length
