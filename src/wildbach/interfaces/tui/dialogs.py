"""What asks a person: some lines to fill in, one of several ways, and the help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from wildbach.interfaces.tui import keys
from wildbach.interfaces.tui.lines import Bar, Lines, Span, ink_of
from wildbach.interfaces.tui.words import harmless

CSS: Final = """
ModalScreen { align: center middle; background: $background 70%; }
.box { width: 72; max-width: 96%; height: auto; max-height: 90%; background: $surface; padding: 1 2;
       border: round #3a4653; }
.box Static { width: 100%; height: auto; background: $surface; }
.title { text-style: bold; }
.hint { color: #8b97a5; }
.box Input { border: none; height: 1; padding: 0 1; background: #10141a; margin: 0 0 1 0; }
.box Input:focus { background: #26384c; }
.box Lines { height: auto; background: $surface; }
.box Options { overflow-y: hidden; }
.box Bar { background: $surface; }
Help .box { height: 96%; max-height: 64; width: 66; padding: 0 2; }
Help #keys { height: 1fr; }
Input:nocolor > .input--cursor { text-style: reverse; }
"""


def _static(words: str, classes: str = "") -> Static:
    """Words of anybody: nothing in them is markup."""
    return Static(Content("\n".join(map(harmless, words.split("\n")))), classes=classes, markup=False)


@dataclass(frozen=True, slots=True)
class Field:
    label: str
    value: str = ""
    hint: str = ""
    "Stands there while nothing is typed."


class Ask(ModalScreen[tuple[str, ...] | None]):
    """Some lines to fill in; None where it was left."""

    AUTO_FOCUS = "Input"

    def __init__(self, title: str, fields: Sequence[Field], *, hint: str = "") -> None:
        super().__init__()
        self._title = title
        self._fields = tuple(fields)
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield _static(self._title, "title")
            yield _static(self._hint + "\n" if self._hint else "", "hint")
            for field in self._fields:
                yield _static(field.label, "hint")
                yield Input(value=harmless(field.value), placeholder=harmless(field.hint), select_on_focus=False)
            yield Bar(id="buttons")

    def on_mount(self) -> None:
        ink = ink_of(self)
        self.query_one("#buttons", Bar).put((
            Span(" Enter ", ink.accent, "ok"), Span("do it   ", ink.dim, "ok"),
            Span(" Esc ", ink.accent, "no"), Span("leave it   ", ink.dim, "no"),
            *((Span(" Tab ", ink.accent), Span("next line", ink.dim)) if len(self._fields) > 1 else ())))

    def _done(self) -> None:
        self.dismiss(tuple(one.value for one in self.query(Input)))

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        self._done()

    def on_bar_chosen(self, message: Bar.Chosen) -> None:
        if message.act == "ok":
            self._done()
        else:
            self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.dismiss(None)


class Options(Lines):
    """Ways to choose from."""

    def __init__(self, options: Sequence[tuple[str, str]]) -> None:
        super().__init__(id="options")
        self.options = options
        self.resize(len(options))

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        name, words = self.options[index]
        return [Segment(f" {index + 1}  ", ink.accent), Segment(harmless(name), ink.text),
                Segment(f"  {harmless(words)}" if words else "", ink.dim)]


class Choose(ModalScreen[int | None]):
    """One of several ways, by its number; None where it was left."""

    AUTO_FOCUS = "#options"

    def __init__(self, title: str, options: Sequence[tuple[str, str]], *, hint: str = "") -> None:
        super().__init__()
        self._title = title
        self._options = tuple(options)
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield _static(self._title, "title")
            yield _static(self._hint + "\n" if self._hint else "", "hint")
            options = Options(self._options)
            options.styles.height = len(self._options)
            yield options
            yield _static("\nEnter or its number · Esc leaves it", "hint")

    def on_lines_twice(self, message: Lines.Twice) -> None:
        self.dismiss(message.lines.cursor)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        options = self.query_one(Options)
        if event.key in ("escape", "q"):
            self.dismiss(None)
        elif event.key == "enter":
            self.dismiss(options.cursor)
        elif event.key in ("down", "j", "tab"):
            options.move(1)
        elif event.key in ("up", "k", "shift+tab"):
            options.move(-1)
        elif event.key.isdecimal() and 0 < int(event.key) <= len(self._options):
            self.dismiss(int(event.key) - 1)


class _HelpLines(Lines):
    has_cursor: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._lines: list[tuple[str, str]] = []
        for group, listed in keys.GROUPS:
            if self._lines:
                self._lines.append(("", ""))
            self._lines.append((group, ""))
            self._lines += [(f"  {key.shown}", key.words) for key in listed]
        self.resize(len(self._lines))

    def line(self, index: int, width: int) -> list[Segment]:
        ink = ink_of(self)
        left, words = self._lines[index]
        if not words:
            return [Segment(left, ink.strong)]
        return [Segment(left + " " * max(1, 14 - cell_len(left)), ink.accent), Segment(words, ink.text)]


class Help(ModalScreen[None]):
    """All keys."""

    AUTO_FOCUS = "#keys"

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield _static("Keys\n", "title")
            yield _HelpLines()
            yield _static("\nThe mouse works too. Esc leaves.", "hint")

    def on_key(self, event: events.Key) -> None:
        event.stop()
        lines = self.query_one(_HelpLines)
        step = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": lines.page, "pageup": -lines.page,
                "ctrl+d": lines.page // 2, "ctrl+u": -(lines.page // 2), "space": lines.page}.get(event.key)
        if step is None:
            self.dismiss(None)
        else:
            lines.move(step)
