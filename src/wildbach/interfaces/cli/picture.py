"""Pieces as a row of block characters: one character for a run of pieces, darker where more of them are there."""

from __future__ import annotations

from wildbach.base import bitfield

_SHADES = "·░▒▓█"
_SHADES_ASCII = ".-=*#"


def piece_row(mask: int, count: int, width: int, *, ascii_only: bool = False) -> str:
    """`width` characters for `count` pieces of the set `mask` (see `base.bitfield`).

    The first and the last shade are exact: nothing there, everything there.
    """
    shades = _SHADES_ASCII if ascii_only else _SHADES
    if count == 0 or width <= 0:
        return shades[-1] * max(width, 0)
    total = bitfield.width_of(count)
    cells = []
    for cell in range(width):
        start = cell * count // width
        stop = max(start + 1, (cell + 1) * count // width)
        held = (mask & bitfield.span(start, stop, total)).bit_count()
        cells.append(shades[_shade(held, stop - start, len(shades) - 1)])
    return "".join(cells)


def _shade(held: int, size: int, top: int) -> int:
    if held == size:
        return top
    return 0 if held == 0 else max(1, min(top - 1, held * top // size))


def row_of_states(pieces: str, width: int, *, ascii_only: bool = False) -> str:
    """The same for a string of pieces, of which `#` are there."""
    total = bitfield.width_of(len(pieces))
    mask = bitfield.of((index for index, state in enumerate(pieces) if state == "#"), total)
    return piece_row(mask, len(pieces), min(width, len(pieces)), ascii_only=ascii_only)
