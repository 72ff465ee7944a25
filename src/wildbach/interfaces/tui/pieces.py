"""The map of pieces: two rows a line in half blocks. A cell stands for a run of pieces where they are many."""

from __future__ import annotations

from typing import Literal

Cell = Literal["none", "some", "now", "all"]


def cells(pieces: str, count: int) -> list[Cell]:
    """`count` cells for a string of pieces; fewer where there are fewer pieces. `all` and `none` are exact."""
    total = len(pieces)
    count = min(count, total)
    out: list[Cell] = []
    for cell in range(count):
        run = pieces[cell * total // count : max(cell * total // count + 1, (cell + 1) * total // count)]
        have = run.count("#")
        out.append("all" if have == len(run) else "now" if ">" in run else "some" if have else "none")
    return out


def grid(pieces: str, width: int, height: int) -> list[list[Cell]]:
    """Rows of at most `width` cells, at most `height` of them, an even number."""
    height -= height % 2
    if not pieces or width <= 0 or height <= 0:
        return []
    made = cells(pieces, width * height)
    rows = [made[at : at + width] for at in range(0, len(made), width)]
    return rows if len(rows) % 2 == 0 else [*rows, []]
