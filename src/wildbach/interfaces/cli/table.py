"""Tables for people: as wide as the terminal, where the columns that matter least go first; whole where no terminal
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from wildbach.interfaces.cli import output, text
from wildbach.interfaces.cli.paper import Paper

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    right: bool = False
    flexible: bool = False
    "Is cut where the line would be too long. One of a table is."
    rank: int = 0
    "Columns with the highest go first where the terminal is narrow; those with 0 never."
    style: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text with a colour of its own."""

    text: str
    style: str = ""


Row = Sequence[str | Cell]
MIN_FLEXIBLE = 20


def console() -> Console:
    return Paper(soft_wrap=True)


def lines(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[Text]:
    """The head and a line a row. `width` None: as wide as it takes."""
    widths = [
        max([cell_len(column.title), *(cell_len(_plain(row[at])) for row in rows)]) for at, column in enumerate(columns)
    ]
    shown = [at for at in range(len(columns)) if any(_plain(row[at]) for row in rows) or columns[at].rank == 0]
    flexible = next((at for at in shown if columns[at].flexible), None)
    if width is not None and flexible is not None:
        while True:
            rest = width - sum(widths[at] for at in shown if at != flexible) - _GAP * (len(shown) - 1)
            least = max((columns[at].rank for at in shown), default=0)
            if rest >= min(widths[flexible], MIN_FLEXIBLE) or least == 0:
                break
            shown.remove(max(shown, key=lambda at: columns[at].rank))
        widths[flexible] = max(1, min(widths[flexible], rest))
    head = [Cell(column.title, "bold") for column in columns]
    return [_line(columns, row, shown, widths) for row in (head, *rows)]


def _plain(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _line(columns: Sequence[Column], row: Row, shown: Sequence[int], widths: Sequence[int]) -> Text:
    out = Text(no_wrap=True)
    for number, at in enumerate(shown):
        column, words = columns[at], _plain(row[at])
        style = row[at].style if isinstance(row[at], Cell) else column.style  # type: ignore[union-attr]  # a Cell then
        size = cell_len(words)
        if size > widths[at]:
            words, size = set_cell_size(words, widths[at] - 1) + "…", widths[at]
        pad = " " * (widths[at] - size)
        if number:
            out.append(" " * _GAP)
        if column.right:
            out.append(pad)
        out.append(words, style)
        if not column.right and number < len(shown) - 1:
            out.append(pad)
    out.rstrip()
    return out


def show(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table."""
    at = console()
    for line in lines(columns, rows, at.width if output.is_live() else None):
        at.print(line)


def facts(at: Console, rows: Sequence[tuple[str, str | None]]) -> None:
    """Print a line for each label that has a value."""
    for label, value in rows:
        if value:
            at.print(Text.assemble((f"  {label:<13}", "dim"), text.clean(value)))
