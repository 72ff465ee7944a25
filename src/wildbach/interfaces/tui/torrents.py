"""The list: rows of the part that is seen, a cursor that stays with its torrent, and marks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from wildbach.interfaces.api import models as m
from wildbach.interfaces.cli import text
from wildbach.interfaces.tui import columns
from wildbach.interfaces.tui.lines import Lines, ink_of
from wildbach.interfaces.tui.words import harmless

_STEP: Final = 50
"Parts of the list that are asked for begin at multiples of it."
_MARGIN: Final = 50


class TorrentList(Lines):
    DEFAULT_CSS = "TorrentList { height: 1fr; }"

    class Extend(Message):
        """Rows between two places are to be marked, and not all of them are here."""

        def __init__(self, first: int, last: int) -> None:
            super().__init__()
            self.first = first
            self.last = last

    def __init__(self) -> None:
        super().__init__(id="torrents")
        self._rows: dict[int, m.TorrentRow] = {}
        self._key = ""
        "Where the cursor is."
        self._moved = False
        "Somebody moved the cursor: it stays with its torrent from then on."
        self.marks: dict[str, None] = {}
        self.pivot: int | None = None
        "Where the marking of a range began."
        self._before: dict[str, None] = {}
        self.troubles: dict[str, str] = {}
        "Why what was asked of a torrent was not done, by key."
        self.live = False
        self._sort = ""
        self._empty = ""

    # -- what is here

    def window(self) -> tuple[int, int]:
        """Offset and number of the rows to ask for."""
        top = max(0, int(self.scroll_offset.y) - _MARGIN)
        offset = top - top % _STEP
        count = self.page + 2 * _MARGIN + _STEP
        return offset, min(1000, count - count % -_STEP)

    def take(self, listing: m.Listing, page: m.TorrentPage, empty: str) -> None:
        """Show this page of the list."""
        rows = {page.offset + number: row for number, row in enumerate(page.torrents)}
        if self.live and (rows, page.total, empty) == (self._rows, self.count, self._empty):
            return
        self.live, self._empty, self._rows = True, empty, rows
        same = msgspec.structs.replace(listing, offset=0, limit=1)
        if self._sort != repr(same):
            self._sort = repr(same)
            self.pivot = None
        if self._moved and self._key:
            at = next((index for index, row in self._rows.items() if row.key == self._key), None)
            if at is not None and at != self.cursor:
                seen = 0 <= self.cursor - int(self.scroll_offset.y) < self.page
                self.cursor = at
                self.resize(page.total)
                if seen:
                    self.reveal()
        self.resize(page.total)
        row = self.row
        if row is not None:
            self._key = row.key
        elif not page.total:
            self._key = ""

    def begin(self) -> None:
        """Another list is looked at, from its beginning."""
        self._moved, self.cursor, self.pivot = False, 0, None
        self.scroll_to(y=0, animate=False, immediate=True, force=True)

    def lose(self) -> None:
        """What is here is not how it is now."""
        self.live = False
        self.refresh()

    @property
    def row(self) -> m.TorrentRow | None:
        """That of the cursor."""
        return self._rows.get(self.cursor)

    @property
    def rows(self) -> list[m.TorrentRow]:
        return list(self._rows.values())

    def targets(self) -> tuple[str, ...]:
        """The marked ones, else that of the cursor."""
        if self.marks:
            return tuple(self.marks)
        row = self.row
        return (row.key,) if row is not None else ()

    def trouble(self, key: str, words: str) -> None:
        """Why what was asked of it was not done; empty where it was, or is asked anew."""
        if words:
            self.troubles[key] = text.clean(words)
        else:
            self.troubles.pop(key, None)
        self.refresh()

    def name_of(self, key: str) -> str:
        return next((row.name for row in self._rows.values() if row.key == key), "")

    # -- marks

    def toggle(self) -> None:
        row = self.row
        if row is None:
            return
        if row.key in self.marks:
            del self.marks[row.key]
        else:
            self.marks[row.key] = None
        self.move(1)
        self.refresh()

    def begin_range(self) -> None:
        self.pivot = self.cursor
        self._before = dict(self.marks)
        self._extend()

    def end_range(self) -> None:
        self.pivot = None

    def forget_marks(self) -> None:
        self.marks, self.pivot = {}, None
        self.refresh()

    def mark(self, keys: Iterable[str]) -> None:
        self.marks = {**self._before, **dict.fromkeys(keys)} if self.pivot is not None else dict.fromkeys(keys)
        self.refresh()

    def go(self, index: int) -> None:
        self._moved = True
        super().go(index)
        row = self.row
        self._key = row.key if row is not None else ""
        if self.pivot is not None:
            self._extend()

    def _extend(self) -> None:
        if self.pivot is None:
            return
        first, last = sorted((self.pivot, self.cursor))
        rows = [self._rows.get(index) for index in range(first, min(last + 1, first + 1001))]
        if len(rows) <= 1000 and all(rows):
            self.mark(row.key for row in rows if row is not None)
        else:
            self.post_message(self.Extend(first, last))

    def clicked(self, index: int, event: events.Click) -> None:
        if event.shift and self.pivot is None:
            self.begin_range()
            self.go(index)
            self.end_range()
        elif event.ctrl:
            self.go(index)
            row = self.row
            if row is not None and row.key in self.marks:
                del self.marks[row.key]
            elif row is not None:
                self.marks[row.key] = None
            self.refresh()
        else:
            self.go(index)

    # -- what is drawn

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        row = self._rows.get(index)
        if row is None:
            return [Segment("  ·", ink.faint)]
        marked = row.key in self.marks
        mark = Segment("● " if marked else "  ", ink.accent)
        shown = columns.shown(width)
        if not self.live:
            still = msgspec.structs.replace(row, down_rate=0.0, up_rate=0.0, eta=None, peers=0, seeds=0)
            return [mark, *columns.line(still, shown, ink)]
        return [mark, *columns.line(row, shown, ink, trouble=self.troubles.get(row.key, ""))]

    def render_line(self, y: int) -> Strip:
        if self.count or y != 1 or not self._empty:
            return super().render_line(y)
        words = Segment("  " + harmless(self._empty), ink_of(self).dim)
        return Strip([words]).adjust_cell_length(self.room).apply_style(self.rich_style)
