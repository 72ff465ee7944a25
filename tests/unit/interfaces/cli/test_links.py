"""Start links as text and as QR codes."""

from __future__ import annotations

import pytest
import segno

from wildbach.interfaces.cli import links, output

PATH = "api/v1/start#" + "k" * 43
HERE, AWAY = "http://127.0.0.1:8080", "http://192.168.1.20:8080/"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "is_live", lambda: True)
    monkeypatch.setattr(links, "_takes_blocks", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


def matrix_of(picture: list[str]) -> list[list[int]]:
    """Dark and light, as somebody sees it on a dark screen: two rows a line, what is printed is light."""
    rows = []
    for line in picture:
        rows.append([0 if char in "█▀" else 1 for char in line])
        rows.append([0 if char in "█▄" else 1 for char in line])
    return rows


def test_a_phone_gets_the_link_that_leads_here_from_elsewhere(terminal: None) -> None:
    first, words, second, *picture = links.lines(HERE, AWAY, PATH)
    assert first == f"{HERE}/{PATH}" and "phone" in words and second == f"{AWAY}{PATH}"
    code = segno.make(second, error="l", micro=False)
    seen = matrix_of(picture)
    wanted = [[int(dark) for dark in row] for row in code.matrix_iter(border=2)]
    assert seen[:len(wanted)] == wanted
    assert "\x1b" not in "".join(picture)


def test_without_anywhere_else_to_read_it_only_the_link_is_printed(terminal: None) -> None:
    assert links.lines(HERE, "", PATH) == [f"{HERE}/{PATH}"]
    assert links.lines(HERE, AWAY, PATH, qr=False) == [f"{HERE}/{PATH}"]


def test_a_pipe_and_a_narrow_terminal_get_the_link_alone(monkeypatch: pytest.MonkeyPatch, terminal: None) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert links.lines(HERE, AWAY, PATH) == [f"{HERE}/{PATH}"]
    assert len(links.lines(HERE, AWAY, PATH, qr=True)) > 10
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(output, "is_live", lambda: False)
    assert links.lines(HERE, AWAY, PATH) == [f"{HERE}/{PATH}"]


def test_where_it_is_asked_for_the_picture_has_the_link_of_this_machine() -> None:
    first, *picture = links.lines(HERE, "", PATH, qr=True)
    assert first == f"{HERE}/{PATH}"
    code = segno.make(first, error="l", micro=False)
    assert matrix_of(picture)[:code.symbol_size(border=2)[1]] == [
        [int(dark) for dark in row] for row in code.matrix_iter(border=2)]
