from __future__ import annotations

import io

import pytest
from rich.console import Console

from wildbach.interfaces.cli import board
from wildbach.interfaces.cli.board import Row


def row(**changes: object) -> Row:
    values: dict[str, object] = {
        "name": "film.mkv", "state": "downloading", "done": 12 << 20, "wanted": 1 << 30, "down": 3 << 20, "up": 1024.0,
        "peers": 5, "eta": 342.0, "complete": False, "why": "",
    }
    return Row(**(values | changes))  # type: ignore[arg-type]  # the test names the fields


def drawn(rows: list[Row], width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=False).print(board.picture(rows))
    return stream.getvalue()


def test_a_plain_line_has_everything_in_it() -> None:
    assert board.plain(row()) == (
        "film.mkv: downloading 1.1 % · 12.0 MiB of 1.0 GiB · ↓ 3.0 MiB/s · ↑ 1.0 KiB/s · 5 peers · 5:42 left"
    )


def test_why_nothing_moves_is_said() -> None:
    still = row(down=0, eta=None, why="no peers: tracker x says gone")
    assert board.plain(still).endswith("· 5 peers · no peers: tracker x says gone")
    assert "no peers: tracker x says gone" in drawn([still])


def test_what_is_stopped_has_a_reason_and_no_speed() -> None:
    stopped = row(state="stopped", why="the disk is full")
    assert board.plain(stopped) == "film.mkv: stopped at 1.1 %: the disk is full"
    assert board.plain(row(state="stopped", done=0, wanted=0, why="no")) == "film.mkv: stopped: no"


def test_a_hundred_per_cent_is_said_only_of_what_is_complete() -> None:
    assert "99.9 %" in drawn([row(done=(1 << 30) - 1)])
    assert "100.0 %" in drawn([row(done=1 << 30, complete=True, state="complete")])


def test_escape_sequences_never_reach_the_terminal() -> None:
    evil = row(name="a\x1b[2J\x07b", why="tracker says \x1b]0;owned\x07")
    for shown in (drawn([evil]), board.plain(evil)):
        assert "\x1b" not in shown and "\x07" not in shown
        assert "\\x1b" in shown


def test_names_are_no_markup() -> None:
    assert "[red]x[/red]" in drawn([row(name="[red]x[/red]")])


def test_many_torrents_are_summed_up_and_the_open_ones_come_first() -> None:
    rows = [row(name=f"done{i}", complete=True, state="complete") for i in range(20)] + [row(name="open")]
    shown = drawn(rows)
    assert shown.lstrip().startswith("open")
    assert "… and 9 more, 9 of them complete" in shown


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, drawn([row(name="n" * 300)], width).splitlines())) <= width


def test_lines_come_when_the_state_changes_or_time_has_passed(capsys: pytest.CaptureFixture[str]) -> None:
    with board.Board(every=5.0) as shown:
        shown.show([row()], 0.0)
        shown.show([row()], 1.0)
        shown.show([row(state="stopped")], 2.0)
        shown.show([row(state="stopped")], 6.9)
        shown.show([row(state="stopped")], 7.0)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with board.Board(quiet=True) as shown:
        shown.show([row()], 0.0)
    assert capsys.readouterr().out == ""
