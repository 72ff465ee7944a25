from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from wildbach.interfaces.tui.words import fit, harmless, wrap


@given(st.text(), st.integers(1, 60), st.booleans())
def test_any_text_fills_its_cells_exactly(words: str, width: int, right: bool) -> None:
    assert cell_len(fit(words, width, right=right)) == width


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me", "So", "Lo", "Ll", "Zs", "Zl"])))
def test_what_is_left_moves_no_cursor_and_no_direction(words: str) -> None:
    for char in harmless(words):
        assert unicodedata.category(char) not in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
        assert unicodedata.category(char) != "Cf" or char == "\u200c"


@given(st.text())
def test_cells_are_those_of_the_characters_one_by_one(words: str) -> None:
    """A terminal that joins nothing counts the same as one that joins all."""
    shown = harmless(words)
    assert cell_len(shown) == sum(cell_len(char) for char in shown)


@pytest.mark.parametrize(("given_text", "shown"), [
    ("a\x1b[2Jb", "a\\x1b[2Jb"), ("photo\u202egpj.exe", "photo\\u202egpj.exe"), ("[red]x[/]", "[red]x[/]"),
    ("👨\u200d👩\u200d👧", "👨👩👧"), ("👍\U0001f3fd", "👍"), ("❤\ufe0f", "❤"), ("\U0001f1e9\U0001f1ea", "DE"),
    ("a" + "\u0336" * 50, "a\u0336\u0336"), ("a\u3000b", "a b"), ("می\u200cخواهم", "می\u200cخواهم"),
])
def test_names_that_would_spoil_the_screen(given_text: str, shown: str) -> None:
    assert harmless(given_text) == shown


@given(st.text(), st.integers(8, 40))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(words: str, width: int) -> None:
    lines = wrap(words, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == harmless(words).replace(" ", "")
