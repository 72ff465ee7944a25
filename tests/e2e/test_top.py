"""`wildbach top` at a real terminal, with a daemon that downloads from a seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cli_process import Command, in_terminal
from cli_torrents import torrent_of, write_content
from e2e.test_daemon import FILES, cli, listed, serving

__all__ = ["cli"]


def test_files_are_chosen_and_it_is_watched_until_it_is_done_removed_and_had_back(cli: Command, tmp_path: Path) -> None:
    write_content(tmp_path / "src" / "things", FILES)
    (tmp_path / "x.torrent").write_bytes(torrent_of(FILES).to_bytes())
    with cli.seed(tmp_path / "x.torrent", tmp_path / "src") as peer, serving(cli):
        assert cli.run("add", "x.torrent", "--peer", peer, "--stopped").returncode == 0
        code, shown = in_terminal(cli, "top", columns=100, replies=[
            ("stopped", "2l"),  # the files, and into them
            ("small.txt", "j "),  # the folder `sub` is not wanted
            ("[~]", "\ts"),
            ("seeding", "d"),
            ("Remove things?", "\r"),
            ("removed; u has it back", "u"),
            ("back again", "q"),
        ])
        assert code == 0, shown[-3000:]
        assert "\x1b[?1049l" in shown, "the terminal is as it was"
        (row,) = listed(cli)
        assert (row["name"], row["state"], row["complete"]) == ("things", "seeding", True)
        assert (tmp_path / "downloads" / "things" / "big.bin").read_bytes() == FILES[("big.bin",)]
        assert row["wanted"] == len(FILES[("big.bin",)])


def test_where_no_daemon_runs_one_runs_within_and_ends_with_the_screen(cli: Command) -> None:
    code, shown = in_terminal(cli, "top", replies=[("a daemon within", "q")])
    assert code == 0 and "Stopping cleanly" in shown
    assert cli.run("ls").returncode == 5, "it is gone"


def test_a_daemon_that_runs_already_is_not_run_twice(cli: Command) -> None:
    with serving(cli):
        code, shown = in_terminal(cli, "top", "--alone")
        assert code == 4 and "another wildbach" in shown


def test_without_colours(cli: Command) -> None:
    with serving(cli):
        code, shown = in_terminal(cli, "top", replies=[("no torrents yet", "q")], NO_COLOR="1")
    assert code == 0
    assert "38;2" not in shown and "48;2" not in shown and "\x1b[31m" not in shown


def test_it_needs_a_terminal_and_its_extra(cli: Command) -> None:
    done = cli.run("top")
    assert done.returncode == 2 and "needs a terminal" in done.stderr
    code = "import sys; sys.modules['textual'] = None; from wildbach.interfaces.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "top"], capture_output=True, text=True, timeout=60, env=cli.env)
    assert done.returncode == 2 and "pip install 'wildbach[tui]'" in done.stderr


def test_its_library_is_loaded_by_it_alone(cli: Command) -> None:
    code = ("import sys; from wildbach.interfaces.cli.main import run; run(sys.argv[1:]);"
            "print('textual' in sys.modules, file=sys.stderr)")
    for args in (["--help"], ["top", "--help"], ["ls"], ["serve", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60,
                              env=cli.env)
        assert done.stderr.endswith("False\n"), args
