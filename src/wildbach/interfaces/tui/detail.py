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
_OPEN_FOLDERS: Final = 40
"At a time; each is asked for."
_CELLS: Final = 10_000
"Of the map of pieces; the Api gives no more."
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
        """Other priorities are wanted."""

        def __init__(self, priorities: m.FilePriorities) -> None:
            super().__init__()
            self.priorities = priorities

    class Opened(Message):
        """Other folders are open, or more of one is to be seen."""

    def __init__(self) -> None:
        super().__init__(id="files")
        self._key = ""
        self._folders: dict[str, m.Tree] = {}
        self.opened: dict[str, int] = {"": tree.PAGE}
        "Open folders, and how many entries of each are asked for."
        self._shut: set[str] = set()
        self._shown: list[tree.Line] = []

    def begin(self, key: str) -> None:
        """The files of another torrent are looked at."""
        if key != self._key:
            self._key, self.cursor = key, 0
            self._folders, self.opened, self._shut = {}, {"": tree.PAGE}, set()
            self._lay()

    def take(self, folders: dict[str, m.Tree]) -> None:
        if folders == self._folders:
            return
        self._folders = folders
        more = tree.to_open(folders, self.opened, self._shut)[:_OPEN_FOLDERS]
        self.opened |= dict.fromkeys(more, tree.PAGE)
        self._lay()
        if more:
            self.post_message(self.Opened())

    def _lay(self) -> None:
        self._shown = tree.lines(self._folders, self.opened)
        self.resize(len(self._shown))

    @property
    def at_cursor(self) -> tree.Line | None:
        return self._shown[self.cursor] if self.cursor < len(self._shown) else None

    @property
    def _entry(self) -> m.TreeEntry | None:
        line = self.at_cursor
        return line.entry if line is not None else None

    def toggle_want(self) -> None:
        entry = self._entry
        if entry is not None:
            self.post_message(self.Wished(tree.toggled(entry)))
            self.move(1)

    def step(self, up: int) -> None:
        entry = self._entry
        wished = tree.stepped(entry, up) if entry is not None else None
        if wished is not None:
            self.post_message(self.Wished(wished))

    def open(self) -> None:
        """Open the folder, or go into it; more of a long one."""
        line = self.at_cursor
        if line is None:
            return
        if line.entry is None:
            self.opened[line.folder] += tree.PAGE
        elif not line.entry.folder:
            return
        elif line.open:
            self.move(1)
            return
        else:
            self._shut.discard(line.entry.path)
            self.opened[line.entry.path] = tree.PAGE
            while len(self.opened) > _OPEN_FOLDERS:
                self.opened.pop(next(path for path in self.opened if path and path != line.entry.path))
        self._lay()
        self.post_message(self.Opened())

    def shut(self) -> bool:
        """Shut the folder, or go to the one it is in; False where there is none."""
        if self._shut_here():
            return True
        line = self.at_cursor
        if line is None:
            return False
        above = next((at for at in range(self.cursor - 1, -1, -1) if self._shown[at].depth < line.depth), None)
        if above is None:
            return False
        self.go(above)
        return True

    def _shut_here(self) -> bool:
        line = self.at_cursor
        if line is None or line.entry is None or not line.open:
            return False
        self.opened.pop(line.entry.path, None)
        self._shut.add(line.entry.path)
        self._lay()
        self.post_message(self.Opened())
        return True

    def flip(self) -> None:
        """Open or shut the folder of the cursor."""
        if not self._shut_here():
            self.open()

    def clicked(self, index: int, event: events.Click) -> None:
        self.go(index)
        line = self.at_cursor
        if line is None or line.entry is None:
            return
        left = self._lead(line.depth, self.room)
        if left <= event.x < left + 3:
            self.post_message(self.Wished(tree.toggled(line.entry)))
        elif left + 4 <= event.x < left + 6 and event.chain == 1:
            self.flip()

    @staticmethod
    def _lead(depth: int, width: int) -> int:
        return 2 + 2 * min(depth, max(0, (width - 50) // 2))

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        line = self._shown[index]
        lead = Segment(" " * self._lead(line.depth, width))
        entry = line.entry
        if entry is None:
            return [lead, Segment(f"… {line.more:,} more; Enter brings them", ink.faint)]
        want = tree.want_of(entry)
        box = {"all": "[x]", "some": "[~]", "none": "[ ]"}[want]
        fold = ("▾ " if line.open else "▸ ") if entry.folder else "  "
        priority = "mixed" if entry.priority < 0 and want == "all" else _PRIORITIES.get(
            entry.priority, str(entry.priority) if entry.priority > 0 else "")
        share = tree.share_of(entry)
        filled, rest = chart.bar(share, 6)
        room = max(4, width - len(lead.text) - 6 - 34)
        style = ink.dim if want == "none" else ink.strong if entry.folder else ink.text
        return [
            lead, Segment(box + " ", ink.faint if want == "none" else ink.accent),
            Segment(fold, ink.faint), Segment(fit(entry.name, room), style), Segment("  "),
            Segment(filled, ink.calm if share >= 1 else ink.good), Segment(rest, ink.track),
            Segment(f" {int(share * 100):>3}%", ink.dim), Segment("  "),
            Segment(fit(text.short(entry.size) or "0", 6, right=True), ink.dim), Segment("  "),
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
        self._have = 0
        self._grid: list[str] = []

    @property
    def cells(self) -> int:
        """How many there is room for."""
        return max(1, min(_CELLS, (self.room - 4) * 2 * (self.page - 2)))

    def take(self, found: m.PieceMap, have: int) -> None:
        """`have`: how many of all are there."""
        if (found, have) != (self._map, self._have):
            self._map, self._have = found, have
            self._lay()

    def on_resize(self) -> None:
        self._lay()
        # There is room for another number of cells.
        self.post_message(self.Moved(self))

    def _lay(self) -> None:
        self._grid = pieces.grid(self._map.pieces, self.room - 4, 2 * max(1, self.page - 2))
        self.resize(2 + len(self._grid) // 2)

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        found = self._map
        if index == 0:
            if not found.pieces:
                return [Segment("  no pieces are known yet", ink.dim)]
            rarest = min(found.availability, default=None)
            each = f" · a cell is {plural(found.per_cell, 'piece')}" if found.per_cell > 1 else ""
            words = f"  {self._have:,} of {plural(found.count, 'piece')} of {text.size(found.length)}{each}"
            return [
                Segment(words, ink.text),
                Segment(" · ", ink.faint), Segment("there", ink.there), Segment(" · ", ink.faint),
                Segment("coming", ink.warn), Segment(" · ", ink.faint), Segment("begun", ink.good),
                Segment(f" · every piece at {plural(rarest, 'peer')} or more" if rarest is not None else "", ink.dim)]
        if index == 1:
            return []
        at = 2 * (index - 2)
        upper, lower = self._grid[at], self._grid[at + 1]
        return [Segment("  "), *(
            _half(cell, lower[place] if place < len(lower) else "", ink, plain=self.app.no_color)
            for place, cell in enumerate(upper))]


def _half(upper: str, lower: str, ink: Ink, *, plain: bool) -> Segment:
    if plain:
        full = (pieces.full(upper), pieces.full(lower))
        begun = pieces.begun(upper) or pieces.begun(lower)
        return Segment({(True, True): "█", (True, False): "▀", (False, True): "▄"}.get(full, "░" if begun else "·"))
    above = _colour(upper, ink)
    return Segment("▀", Style(color=above.color, bgcolor=_colour(lower, ink).color) if lower else above)


def _colour(cell: str, ink: Ink) -> Style:
    if pieces.full(cell):
        return ink.there
    return ink.warn if cell == ">" else ink.good if pieces.begun(cell) else ink.track


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

    @property
    def pieces(self) -> Pieces:
        return self.query_one(Pieces)

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
            self.files.begin(details.key)
            for one in PARTS:
                if one not in ("files", "log"):
                    lines = self.query_one(f"#{one}", Lines)
                    lines.cursor = 0
                    lines.scroll_to(y=0, animate=False, immediate=True)
        self._take(details)

    def _take(self, details: Details) -> None:
        row = details.torrent.row
        self.query_one(Overview).take(details.torrent)
        if details.folders is not None:
            self.files.take(details.folders)
        if details.peers is not None:
            self.query_one("#peers", Table).take(
                [peer_words.line_of(peer) for peer in details.peers],
                "no peers" + (f": {row.reason}" if row.reason else ""))
        if details.trackers is not None:
            rows = [tracker_words.line_of(one) for one in details.trackers]
            self.query_one("#trackers", Table).take(
                [row[:-1] for row in rows], notes=[one.message for one in details.trackers])
        if details.pieces is not None:
            self.pieces.take(details.pieces, details.torrent.pieces_have)
