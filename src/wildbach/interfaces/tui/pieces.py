"""The map of pieces: two rows a line in half blocks, from the cells of a PieceMap."""

from __future__ import annotations


def grid(cells: str, width: int, height: int) -> list[str]:
    """Rows of `width` cells, an even number of at most `height`; what has no room is left out."""
    height -= height % 2
    if not cells or width <= 0 or height <= 0:
        return []
    rows = [cells[at : at + width] for at in range(0, min(len(cells), width * height), width)]
    return rows if len(rows) % 2 == 0 else [*rows, ""]


def full(cell: str) -> bool:
    """All of it is there."""
    return cell == "#"


def begun(cell: str) -> bool:
    """Some of it is there, or comes."""
    return cell not in ("-", "#", "")
