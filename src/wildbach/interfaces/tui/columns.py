"""The columns of the list: what each shows, how wide it is, and which go first where the screen is narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.segment import Segment
from rich.style import Style

from wildbach.interfaces.api import models as m
from wildbach.interfaces.cli import text
from wildbach.interfaces.tui import chart
from wildbach.interfaces.tui.ink import Ink
from wildbach.interfaces.tui.words import fit

GAP: Final = 2
MARK: Final = 2
"Cells before the name."
_NAME_LEAST: Final = 24
_NAME_SHARE: Final = 0.24
_BAR: Final = 6
_FIGURES: Final = 3
"Columns before those that have figures of what moves."

GLYPHS: Final[dict[str, str]] = {
    "metadata": "?", "checking": "≈", "moving": "→", "downloading": "↓", "seeding": "↑", "queued": "…",
    "stopped": "■", "error": "!",
}


def style_of_state(state: str, ink: Ink) -> Style:
    return {
        "downloading": ink.good, "seeding": ink.calm, "error": ink.bad, "checking": ink.warn, "moving": ink.warn,
        "metadata": ink.warn,
    }.get(state, ink.dim)


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    field: str
    "By which the list is sorted."
    width: int
    "0: what is left."
    cells: Callable[[m.TorrentRow, int, Ink], list[Segment]]
    right: bool = False
    rank: int = 0
    "Columns with the highest go first where the screen is narrow; those with 0 never."


def _words(of: Callable[[m.TorrentRow], str], *, right: bool = False, strong: bool = False) -> Callable[
    [m.TorrentRow, int, Ink], list[Segment]
]:
    def cells(row: m.TorrentRow, width: int, ink: Ink) -> list[Segment]:
        return [Segment(fit(of(row), width, right=right), ink.text if strong else ink.dim)]

    return cells


def _name(row: m.TorrentRow, width: int, ink: Ink) -> list[Segment]:
    return [Segment(fit(row.name, width), ink.dim if row.state in ("stopped", "queued") else ink.text)]


def _state(row: m.TorrentRow, width: int, ink: Ink) -> list[Segment]:
    words = f"{GLYPHS.get(row.state, '·')} {row.state}"
    still = row.state in ("downloading", "seeding") and row.down_rate < 1 and row.up_rate < 1
    return [Segment(fit(words, width), ink.dim if still else style_of_state(row.state, ink))]


def _done(row: m.TorrentRow, width: int, ink: Ink) -> list[Segment]:
    if not row.has_metadata:
        return [Segment(" " * width)]
    filled, rest = chart.bar(row.progress, _BAR)
    style = ink.calm if row.progress >= 1 else style_of_state(row.state, ink)
    percent = f"{int(row.progress * 100)}%"
    return [
        Segment(filled, style), Segment(rest, ink.track),
        Segment(percent.rjust(width - _BAR), ink.dim if row.progress >= 1 else ink.text)]


def _rate(of: Callable[[m.TorrentRow], float], good: Callable[[Ink], Style]) -> Callable[
    [m.TorrentRow, int, Ink], list[Segment]
]:
    def cells(row: m.TorrentRow, width: int, ink: Ink) -> list[Segment]:
        return [Segment(fit(text.short(of(row)), width, right=True), good(ink))]

    return cells


def _eta(row: m.TorrentRow) -> str:
    return text.duration(row.eta) if row.eta is not None and row.state == "downloading" else ""


COLUMNS: Final = (
    Column("NAME", "name", 0, _name),
    Column("STATE", "state", 13, _state),
    Column("DONE", "progress", 11, _done),
    Column("DOWN", "down_rate", 5, _rate(lambda row: row.down_rate, lambda ink: ink.good), right=True),
    Column("UP", "up_rate", 5, _rate(lambda row: row.up_rate, lambda ink: ink.calm), right=True),
    Column("ETA", "eta", 8, _words(_eta, right=True, strong=True), right=True),
    Column("RATIO", "ratio", 5, _words(lambda row: f"{row.ratio:.2f}" if row.uploaded else "", right=True),
           right=True, rank=1),
    Column("PEERS", "peers", 5, _words(lambda row: str(row.peers or ""), right=True), right=True, rank=2),
    Column("SEEDS", "seeds", 5, _words(lambda row: str(row.seeds or ""), right=True), right=True, rank=5),
    Column("SIZE", "size", 5, _words(lambda row: text.short(row.size), right=True), right=True, rank=3),
    Column("CATEGORY", "category", 12, _words(lambda row: row.category), rank=4),
    Column("TAGS", "tags", 14, _words(lambda row: ", ".join(row.tags)), rank=6),
    Column("ADDED", "added_at", 16, _words(lambda row: text.moment(row.added_at)), rank=7),
)
_TITLES: Final = {column.field: column.title.lower() for column in COLUMNS}


def shown(width: int) -> list[tuple[Column, int]]:
    """The columns that fit, each with its width."""
    least = max(_NAME_LEAST, int(width * _NAME_SHARE))
    columns = list(COLUMNS)
    while True:
        rest = width - MARK - sum(column.width for column in columns) - GAP * (len(columns) - 1) - 1
        rank = max(column.rank for column in columns)
        if rest >= least or rank == 0:
            return [(column, column.width or max(8, rest)) for column in columns]
        columns = [column for column in columns if column.rank != rank]


def head(
    columns: Sequence[tuple[Column, int]], sort: str, *, descending: bool, ink: Ink,
) -> list[tuple[str, Style, str]]:
    """Words, style and the field to sort by of each title and each gap."""
    spans: list[tuple[str, Style, str]] = [(" " * MARK, ink.dim, "")]
    arrow = "▾" if descending else "▴"
    absent = not any(column.field == sort for column, _ in columns)
    for number, (column, width) in enumerate(columns):
        sorted_by = column.field == sort
        words = f"{column.title}{arrow if sorted_by else ''}"
        if not column.width and absent:
            words += f" · by {_TITLES.get(sort, sort)} {arrow}"
        if number:
            # A title that is wider with its arrow takes from the gap.
            spans.append((" " * (GAP - max(0, len(words) - width)), ink.dim, ""))
        spans.append((fit(words, max(width, len(words)), right=column.right),
                      ink.accent if sorted_by else ink.faint, column.field))
    return spans


def line(row: m.TorrentRow, columns: Sequence[tuple[Column, int]], ink: Ink, *, trouble: str = "") -> list[Segment]:
    """The cells of a torrent. `trouble`: why what was asked of it was not done, in place of its figures."""
    if trouble:
        name, width = columns[0]
        rest = sum(width for _, width in columns[1:]) + GAP * (len(columns) - 2)
        return [*name.cells(row, width, ink), Segment(" " * GAP), Segment(fit(f"✗ {trouble}", rest), ink.bad)]
    out: list[Segment] = []
    broken = row.state == "error" and bool(row.reason)
    for number, (column, width) in enumerate(columns):
        if number:
            out.append(Segment(" " * GAP))
        if broken and number == _FIGURES:
            # It has no figures; what went wrong stands in their place.
            rest = sum(width for _, width in columns[number:]) + GAP * (len(columns) - number - 1)
            return [*out, Segment(fit(row.reason, rest), ink.bad)]
        out += column.cells(row, width, ink)
    return out
