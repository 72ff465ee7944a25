"""Text of strangers as cells of the screen: of known width whatever the terminal is, and on one line.

`cli.text.clean` writes out what could move the cursor or turn the reading direction. Here goes what terminals give
different widths to, as a row that is wider than was counted pushes all that stands beside it: joined and coloured
emoji, flags, piles of accents, characters that nobody knows yet.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from rich.cells import cell_len, set_cell_size

from wildbach.interfaces.cli import text

_LONGEST: Final = 2000
"Characters of a text that are looked at; no screen is wider."
_ACCENTS: Final = 2
"On one letter."
_UNKNOWN: Final = "\ufffd"
_ODD: Final = frozenset("\ufdfa\ufdfb\ufdfd\u2e3a\u2e3b\U0001242b\u115f\u1160\u3164\uffa0")
"As wide as a word on some terminals, or with nothing to see."
_FLAG_A: Final = 0x1F1E6
_SKINS: Final = range(0x1F3FB, 0x1F400)


@lru_cache(4096)
def harmless(words: str) -> str:
    """One line that no terminal shows wider than `rich.cells` counts."""
    if words.isascii() and words.isprintable():
        return words[:_LONGEST]
    out: list[str] = []
    accents = 0
    for char in text.clean(unicodedata.normalize("NFC", words[:_LONGEST])):
        code, kind = ord(char), unicodedata.category(char)
        if kind in ("Mn", "Me", "Mc"):
            accents += 1
            if not out or accents > _ACCENTS or kind == "Me" or 0xFE00 <= code < 0xFE10 or code >= 0xE0100:
                continue
        else:
            accents = 0
        if char == "\u200d":
            # It makes one of several, and not every terminal knows of which.
            continue
        if kind == "Zs":
            char = " "
        elif kind == "Cn" or char in _ODD:
            char = _UNKNOWN
        elif _FLAG_A <= code < _FLAG_A + 26:
            char = chr(code - _FLAG_A + ord("A"))
        elif code in _SKINS or (cell_len(char) == 0 and kind[0] != "M" and char != "\u200c"):
            continue
        out.append(char)
    return "".join(out)


def fit(words: str, width: int, *, right: bool = False) -> str:
    """Harmless words in exactly `width` cells, cut with an ellipsis where there are more."""
    if width <= 0:
        return ""
    words = harmless(words)
    size = cell_len(words)
    if size > width:
        words = set_cell_size(words, width - 1) + "…"
        size = cell_len(words)
    pad = " " * (width - size)
    return pad + words if right else words + pad


def wrap(words: str, width: int) -> list[str]:
    """Harmless words as lines of at most `width` cells, cut between words where that can be."""
    width = max(8, width)
    lines: list[str] = []
    left = harmless(words)
    while cell_len(left) > width:
        head = set_cell_size(left, width).rstrip()
        at = len(head)
        if at < len(left) and left[at] != " " and " " in head[at // 2 :]:
            at = head.rindex(" ")
        lines.append(left[:at])
        left = left[at:].lstrip(" ")
    return [*lines, left] if left or not lines else lines
