"""Widgets that draw their cells themselves: a list of which only the visible lines are made, and a line with places to
click. Text goes to the screen as segments, so nothing in it is ever read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from wildbach.interfaces.tui.ink import COLOURS, NO_COLOURS, Ink
from wildbach.interfaces.tui.words import harmless


def ink_of(widget: Widget) -> Ink:
    return NO_COLOURS if widget.app.no_color else COLOURS


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """A list with a cursor. `line` makes one line of it."""

    DEFAULT_CSS = """
    Lines { overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; background: $background; }
    """
    has_cursor: ClassVar[bool] = True

    class Twice(Message):
        """A line was clicked twice."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

    class Moved(Message):
        """The cursor is elsewhere, or another part of the list is seen."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.count = 0
        self.cursor = 0
        self.live = True
        "It is how it is now; else all of it is faint."

    # -- what is drawn

    @property
    def room(self) -> int:
        """Cells of a line."""
        return self.scrollable_content_region.width

    def line(self, index: int, width: int) -> list[Segment]:
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        index = y + int(self.scroll_offset.y)
        width = self.room
        ground = self.rich_style
        if index >= self.count:
            return Strip.blank(width, ground)
        segments = self.line(index, width)
        if not self.live:
            faint = ink_of(self).faint
            return Strip([Segment(part.text, faint) for part in segments]).adjust_cell_length(width).apply_style(ground)
        strip = Strip(segments).adjust_cell_length(width)
        under = self.under(index)
        return strip.apply_style(under).apply_style(ground) if under else strip.apply_style(ground)

    def under(self, index: int) -> Style | None:
        """What lies under a line."""
        if not self.has_cursor or index != self.cursor:
            return None
        ink = ink_of(self)
        return ink.cursor if self.has_focus else ink.away

    def resize(self, count: int) -> None:
        """There are so many lines now."""
        self.cursor = max(0, min(self.cursor, count - 1))
        if count != self.count:
            self.count = count
            self.virtual_size = Size(0, count)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved(self))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # -- where the cursor is

    @property
    def page(self) -> int:
        return max(1, self.size.height)

    def move(self, steps: int) -> None:
        self.go(self.cursor + steps)

    def go(self, index: int) -> None:
        """Move the cursor there, and show it. A list without one is scrolled."""
        index = max(0, min(index, self.count - 1))
        if not self.has_cursor:
            step = index - self.cursor
            self.scroll_to(y=self.scroll_offset.y + step, animate=False, immediate=True)
            self.cursor = max(0, min(int(self.scroll_offset.y), self.count - 1))
            return
        changed = index != self.cursor
        self.cursor = index
        self.reveal()
        self.refresh()
        if changed:
            self.post_message(self.Moved(self))

    def reveal(self) -> None:
        top = int(self.scroll_offset.y)
        height = self.page
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True, force=True)

    def at(self, event: events.Click) -> int | None:
        index = event.y + int(self.scroll_offset.y)
        return index if 0 <= index < self.count and event.x < self.room else None

    def on_click(self, event: events.Click) -> None:
        index = self.at(event)
        if index is None:
            return
        self.clicked(index, event)
        if event.chain == 2:
            self.post_message(self.Twice(self))

    def clicked(self, index: int, event: events.Click) -> None:
        self.go(index)


@dataclass(frozen=True, slots=True)
class Span:
    words: str
    style: Style
    act: str = ""
    "What a click on it does."


class Bar(Widget):
    """A line of spans."""

    DEFAULT_CSS = "Bar { height: 1; background: $background; }"

    class Chosen(Message):
        def __init__(self, bar: Bar, act: str) -> None:
            super().__init__()
            self.bar = bar
            self.act = act

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._spans: tuple[Span, ...] = ()

    def put(self, spans: Sequence[Span]) -> None:
        """What is cut off at the right is what does not fit."""
        new = tuple(spans)
        if new != self._spans:
            self._spans = new
            self.refresh()

    @property
    def words(self) -> str:
        return "".join(span.words for span in self._spans)

    def render_line(self, y: int) -> Strip:
        segments = [Segment(harmless(span.words), span.style) for span in self._spans]
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def on_click(self, event: events.Click) -> None:
        left = 0
        for span in self._spans:
            size = cell_len(harmless(span.words))
            if left <= event.x < left + size:
                if span.act:
                    self.post_message(self.Chosen(self, span.act))
                return
            left += size
