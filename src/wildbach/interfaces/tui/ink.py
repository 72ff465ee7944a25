"""The colours of the screen, by what they say. Without colours (NO_COLOR) the same is said by bold, dim and reverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.style import Style
from textual.theme import Theme

GROUND: Final = "#12161b"
RAISED: Final = "#1a2028"

THEME: Final = Theme(
    name="wildbach", primary="#61afef", secondary="#56c8d6", warning="#e5c07b", error="#e06c75", success="#62c584",
    accent="#61afef", foreground="#d8dee4", background=GROUND, surface=RAISED, panel=RAISED, dark=True,
    variables={
        "scrollbar": "#2a333d", "scrollbar-hover": "#3a4653", "scrollbar-active": "#4a5866",
        "scrollbar-background": GROUND, "scrollbar-background-hover": GROUND, "scrollbar-background-active": GROUND,
        "input-cursor-background": "#d8dee4", "input-selection-background": "#2d4a68",
    },
)
PLAIN: Final = "ansi-dark"
"The theme of the library that has the colours of the terminal, of which NO_COLOR leaves none."


@dataclass(frozen=True, slots=True)
class Ink:
    text: Style
    strong: Style
    dim: Style
    faint: Style
    good: Style
    calm: Style
    warn: Style
    bad: Style
    accent: Style
    cursor: Style
    "The line that keys are for; lies under the others."
    away: Style
    "That line while another part has the keys."
    chosen: Style
    "A tab, a chip."
    there: Style
    "A piece that is there."
    track: Style
    "What is not there yet of a bar."


def _of(color: str, *, bold: bool = False) -> Style:
    return Style(color=color, bold=bold or None)


COLOURS: Final = Ink(
    text=_of("#d8dee4"), strong=_of("#f0f4f8", bold=True), dim=_of("#8b97a5"), faint=_of("#5b6775"),
    good=_of("#62c584"), calm=_of("#56c8d6"), warn=_of("#e5c07b"), bad=_of("#e8747d"), accent=_of("#61afef"),
    cursor=Style(bgcolor="#26384c"), away=Style(bgcolor="#1c242e"), chosen=Style(color="#f0f4f8", bgcolor="#2f4a68"),
    there=_of("#3f8791"), track=_of("#333e4a"),
)
NO_COLOURS: Final = Ink(
    text=Style(), strong=Style(bold=True), dim=Style(dim=True), faint=Style(dim=True), good=Style(), calm=Style(),
    warn=Style(bold=True), bad=Style(bold=True), accent=Style(bold=True), cursor=Style(reverse=True),
    away=Style(underline=True), chosen=Style(reverse=True), there=Style(), track=Style(dim=True),
)
