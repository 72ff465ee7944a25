"""The details of one torrent: a line of tabs, and what each of them shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.cli import table, text
from wildbach.interfaces.cli.remote import peers as peer_words
from wildbach.interfaces.cli.remote import show as facts
from wildbach.interfaces.cli.remote import trackers as tracker_words
from wildbach.interfaces.cli.table import Cell, Column, Row
from wildbach.interfaces.tui import chart, pieces, tree
from wildbach.interfaces.tui.columns import GLYPHS, style_of_state
from wildbach.interfaces.tui.ink import Ink
from wildbach.interfaces.tui.lines import Bar, Lines, Span, ink_of
from wildbach.interfaces.tui.source import PARTS, Details, News, Part
from wildbach.interfaces.tui.words import fit, harmless, wrap

_LABEL: Final = 15
_PRIORITIES: Final = {0: "-", 1: "", 6: "high", 7: "highest"}


class Overview(Lines):
    """Facts in words; first of all why nothing moves."""

    has_cursor: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="overview")
        self._facts: list[tuple[str, str]] = []
        self._state = ""
        self._lines: list[tuple[str, str, str]] = []
        self._width = 0

    def take(self, detail: m.TorrentDetail) -> None:
        row = detail.row
        self._state = row.state
        head = f"{GLYPHS.get(row.state, '·')} {row.state}" + (", forced" if row.forced else "")
        found = [("", row.name), ("state", head)]
        if row.reason:
            found.append(("why", row.reason))
        found += [(label, value) for label, value in facts.facts_of(detail) if value and label not in ("key", "state")]
        if found != self._facts:
            self._facts = found
            self._lay(self.room)

    def on_resize(self) -> None:
        self._lay(self.room)

    def _lay(self, width: int) -> None:
        lines = []
        for label, value in self._facts:
            room = width - 2 - (_LABEL if label else 0)
            for number, part in enumerate(wrap(value, room)):
                lines.append((label, "" if number else label, part))
        self._lines = lines
        self.resize(len(lines))

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        label, shown, words = self._lines[index]
        if not label:
            return [Segment(f"  {words}", ink.strong)]
        style = ink.text
        if label == "state":
            style = style_of_state(self._state, ink)
        elif label == "why":
            style = ink.bad if self._state == "error" else ink.warn
        return [Segment(f"  {shown:<{_LABEL}}", ink.faint), Segment(words, style)]


class Files(Lines):
    """The tree of files."""

    class Wished(Message):
        """Other priorities are wanted, by number of file."""

        def __init__(self, priorities: dict[str, int]) -> None:
            super().__init__()
            self.priorities = priorities

    def __init__(self) -> None:
        super().__init__(id="files")
        self._key = ""
        self._root = tree.build(())
        self._files: tuple[m.FileRow, ...] = ()
        self._shown: list[tree.Node] = []
        self._shut: set[str] = set()
        self._opened: set[str] = set()
        self._total = 0

    def take(self, key: str, files: tuple[m.FileRow, ...], total: int) -> None:
        if key != self._key:
            self._key, self._shut, self._opened, self.cursor = key, set(), set(), 0
        elif files == self._files:
            return
        self._files, self._total = files, total
        self._root = tree.build(files)
        self._lay()

    def _lay(self) -> None:
        self._shown = tree.visible(self._root, self._shut, self._opened)
        self.resize(len(self._shown) + (self._total > len(self._files)))

    @property
    def node(self) -> tree.Node | None:
        return self._shown[self.cursor] if self.cursor < len(self._shown) else None

    def toggle_want(self) -> None:
        if self.node is not None:
            self._wish(tree.toggled(self.node))
            self.move(1)

    def step(self, up: int) -> None:
        if self.node is not None:
            self._wish(tree.stepped(self.node, up))

    def _wish(self, priorities: dict[str, int]) -> None:
        if priorities:
            self.post_message(self.Wished(priorities))

    def open(self) -> None:
        node = self.node
        if node is not None and node.file is None:
            if tree.is_open(node, self._shut, self._opened, large=self._root.files > tree.OPEN_AT_FIRST):
                self.move(1)
                return
            self._shut.discard(node.path)
            self._opened.add(node.path)
            self._lay()

    def shut(self) -> bool:
        """False where there was nothing to shut: then the folder above is gone to, or there is none."""
        node = self.node
        if node is None:
            return False
        large = self._root.files > tree.OPEN_AT_FIRST
        if node.file is None and tree.is_open(node, self._shut, self._opened, large=large):
            self._opened.discard(node.path)
            self._shut.add(node.path)
            self._lay()
            return True
        above = next((at for at in range(self.cursor - 1, -1, -1) if self._shown[at].depth < node.depth), None)
        if above is None:
            return False
        self.go(above)
        return True

    def clicked(self, index: int, event: events.Click) -> None:
        self.go(index)
        node = self.node
        if node is None:
            return
        left = 2 + 2 * node.depth
        if left <= event.x < left + 4:
            self._wish(tree.toggled(node))

    def flip(self) -> None:
        """Open or shut the folder of the cursor."""
        if not self.shut_only():
            self.open()

    def shut_only(self) -> bool:
        node = self.node
        large = self._root.files > tree.OPEN_AT_FIRST
        if node is None or node.file is not None or not tree.is_open(node, self._shut, self._opened, large=large):
            return False
        return self.shut()

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        if index >= len(self._shown):
            return [Segment(f"  … and {plural(self._total - len(self._files), 'file')} more", ink.faint)]
        node = self._shown[index]
        box = {"all": "[x]", "some": "[~]", "none": "[ ]"}[node.want]
        large = self._root.files > tree.OPEN_AT_FIRST
        fold = "  "
        if node.file is None:
            fold = "▾ " if tree.is_open(node, self._shut, self._opened, large=large) else "▸ "
        priority = ""
        if node.file is not None:
            priority = _PRIORITIES.get(node.file.priority, str(node.file.priority))
        filled, rest = chart.bar(node.share, 6)
        lead = "  " + "  " * min(node.depth, max(0, (width - 50) // 2))
        room = max(4, width - len(lead) - 6 - 34)
        style = ink.dim if node.want == "none" else ink.text if node.file is not None else ink.strong
        return [
            Segment(lead), Segment(box + " ", ink.faint if node.want == "none" else ink.accent),
            Segment(fold, ink.faint), Segment(fit(node.name, room), style), Segment("  "),
            Segment(filled, ink.calm if node.share >= 1 else ink.good), Segment(rest, ink.track),
            Segment(f" {int(node.share * 100):>3}%", ink.dim), Segment("  "),
            Segment(fit(text.short(node.size) or "0", 6, right=True), ink.dim), Segment("  "),
            Segment(fit(priority, 8), ink.warn if priority != "-" else ink.faint)]


class Table(Lines):
    """Rows of cells below a head, as the commands print them."""

    def __init__(self, columns: Sequence[Column], nothing: str, *, id: str) -> None:
        super().__init__(id=id)
        self._columns = columns
        self._rows: list[Row] = []
        self._nothing = nothing
        self._notes: Sequence[str] = ()
        self._drawn: list[Text | str] = []

    def take(self, rows: Sequence[Row], nothing: str = "", notes: Sequence[str] = ()) -> None:
        """`notes`: what is said below each row; empty for nothing."""
        self._rows = [tuple(_harmless(cell) for cell in row) for row in rows]
        self._notes = notes
        self._nothing = nothing or self._nothing
        self._lay(self.room)

    def on_resize(self) -> None:
        self._lay(self.room)

    def _lay(self, width: int) -> None:
        room = max(20, width - 3)
        self._drawn = []
        for number, line in enumerate(table.lines(self._columns, self._rows, room) if self._rows else ()):
            self._drawn.append(line)
            note = self._notes[number - 1] if 0 < number <= len(self._notes) else ""
            self._drawn += [f"      {part}" for part in wrap(note, room - 6)] if note else []
        self.resize(max(1, len(self._drawn)))

    def under(self, index: int) -> Style | None:
        return super().under(index) if index and self._drawn else None

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        if not self._drawn:
            return [Segment(f"  {harmless(self._nothing)}", ink.dim)]
        drawn = self._drawn[index]
        if isinstance(drawn, str):
            return [Segment(drawn, ink.warn)]
        segments = list(drawn.render(self.app.console))
        if index == 0:
            return [Segment("  "), *(Segment(part.text, ink.faint) for part in segments if part.text != "\n")]
        return [Segment("  "), *(
            Segment(part.text, _inked(part.style, ink)) for part in segments if part.text != "\n")]


def _harmless(cell: str | Cell) -> str | Cell:
    return harmless(cell) if isinstance(cell, str) else Cell(harmless(cell.text), cell.style)


def _inked(style: object, ink: Ink) -> Style:
    """The colours of commands, which are those of the terminal, as those of the screen."""
    name = style.color.name if isinstance(style, Style) and style.color is not None else ""
    dim = isinstance(style, Style) and bool(style.dim)
    return {"green": ink.good, "cyan": ink.calm, "yellow": ink.warn, "red": ink.bad}.get(
        name, ink.dim if dim else ink.text)


class Pieces(Lines):
    """The map."""

    has_cursor: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="pieces")
        self._map = m.PieceMap(0, "", ())
        self._grid: list[list[pieces.Cell]] = []

    def take(self, found: m.PieceMap) -> None:
        if found != self._map:
            self._map = found
            self._lay(self.room, self.page)

    def on_resize(self) -> None:
        self._lay(self.room, self.page)

    def _lay(self, width: int, height: int) -> None:
        self._grid = pieces.grid(self._map.pieces, width - 4, 2 * max(1, height - 2))
        self.resize(2 + len(self._grid) // 2)

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        states = self._map.pieces
        if index == 0:
            if not states:
                return [Segment("  no pieces are known yet", ink.dim)]
            rarest = min(self._map.availability, default=None)
            words = f"  {states.count('#'):,} of {len(states):,} pieces of {text.size(self._map.length)}"
            coming = states.count(">")
            return [
                Segment(words, ink.text), Segment(f" · {coming:,} being fetched" if coming else "", ink.warn),
                Segment(f" · every piece at {plural(rarest, 'peer')} or more" if rarest is not None else "", ink.dim)]
        if index == 1:
            return []
        at = 2 * (index - 2)
        upper, lower = self._grid[at], self._grid[at + 1]
        out = [Segment("  ")]
        for place, cell in enumerate(upper):
            below = lower[place] if place < len(lower) else None
            out.append(_half(cell, below, ink, plain=self.app.no_color))
        return out


def _half(upper: pieces.Cell, lower: pieces.Cell | None, ink: Ink, *, plain: bool) -> Segment:
    if plain:
        full = (upper == "all", lower == "all")
        part = upper in ("some", "now") or lower in ("some", "now")
        return Segment({(True, True): "█", (True, False): "▀", (False, True): "▄"}.get(full, "░" if part else "·"))
    colours = {"all": ink.there, "now": ink.warn, "some": ink.good, "none": ink.track}
    above = colours[upper]
    if lower is None:
        return Segment("▀", above)
    return Segment("▀", Style(color=above.color, bgcolor=colours[lower].color))


class LogLines(Lines):
    """What happened, newest last."""

    def __init__(self) -> None:
        super().__init__(id="log")
        self._lines: tuple[m.LogLine, ...] = ()

    def take(self, lines: tuple[m.LogLine, ...]) -> None:
        if lines == self._lines:
            return
        at_end = self.cursor >= self.count - 1
        self._lines = lines
        self.resize(max(1, len(lines)))
        if at_end:
            self.go(self.count - 1)

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        if index >= len(self._lines):
            return [Segment("  nothing happened yet", ink.dim)]
        line = self._lines[index]
        style = {"warning": ink.warn, "error": ink.bad, "debug": ink.dim}.get(line.level, ink.text)
        return [Segment(f"  {text.moment(line.at)[-5:]}  ", ink.faint), Segment(fit(line.text, width - 10), style)]


class Detail(Vertical):
    """Tabs, and the part that is chosen."""

    DEFAULT_CSS = """
    Detail { height: 1fr; display: none; background: $background; }
    Detail Lines { height: 1fr; display: none; }
    """

    def __init__(self) -> None:
        super().__init__(id="detail")
        self.part: Part = "overview"
        self._key = ""

    def compose(self) -> ComposeResult:
        yield Bar(id="tabs")
        yield Overview()
        yield Files()
        yield Table(peer_words.COLUMNS, "no peers", id="peers")
        yield Table(tracker_words.COLUMNS[:-1], "no trackers", id="trackers")
        yield Pieces()
        yield LogLines()

    def on_mount(self) -> None:
        self.choose("overview")

    @property
    def lines(self) -> Lines:
        """The part that is chosen."""
        return self.query_one(f"#{self.part}", Lines)

    @property
    def files(self) -> Files:
        return self.query_one(Files)

    def choose(self, part: Part) -> None:
        self.part = part
        for one in PARTS:
            self.query_one(f"#{one}", Lines).display = one == part
        self.draw_tabs()

    def draw_tabs(self) -> None:
        ink = ink_of(self)
        spans = [Span("──", ink.track)]
        for number, part in enumerate(PARTS, 1):
            words = f" {number} {part} "
            spans.append(Span(words, ink.chosen if part == self.part else ink.dim, f"part:{part}"))
        used = sum(len(span.words) for span in spans)
        spans.append(Span("─" * max(0, self.size.width - used), ink.track))
        self.query_one("#tabs", Bar).put(spans)

    def on_resize(self) -> None:
        self.draw_tabs()

    def lose(self) -> None:
        """What is here is not how it is now."""
        for one in self.query(Lines):
            one.live = False
            one.refresh()

    def take(self, news: News) -> None:
        details = news.details
        for lines in self.query(Lines):
            if not lines.live:
                lines.live = True
                lines.refresh()
        self.query_one(LogLines).take(news.log)
        if details is None:
            return
        if details.key != self._key:
            self._key = details.key
            for one in PARTS:
                if one not in ("files", "log"):
                    lines = self.query_one(f"#{one}", Lines)
                    lines.cursor = 0
                    lines.scroll_to(y=0, animate=False, immediate=True)
        self._take(details)

    def _take(self, details: Details) -> None:
        row = details.torrent.row
        self.query_one(Overview).take(details.torrent)
        if details.files is not None:
            self.files.take(details.key, details.files, details.file_total)
        if details.peers is not None:
            self.query_one("#peers", Table).take(
                [peer_words.line_of(peer) for peer in details.peers],
                "no peers" + (f": {row.reason}" if row.reason else ""))
        if details.trackers is not None:
            rows = [tracker_words.line_of(one) for one in details.trackers]
            self.query_one("#trackers", Table).take(
                [row[:-1] for row in rows], notes=[one.message for one in details.trackers])
        if details.pieces is not None:
            self.query_one(Pieces).take(details.pieces)
