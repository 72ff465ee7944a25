"""Streams that are closed, full, or have nobody who reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli_process import CODE, Command
from cli_torrents import torrent_of, write_content
from e2e.test_daemon import serving

FILES = {("a.bin",): b"a" * 100_000}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    write_content(tmp_path / "src" / "things", FILES)
    (tmp_path / "x.torrent").write_bytes(torrent_of(FILES).to_bytes())
    return Command(tmp_path)


def through_shell(command: Command, line: str, *args: object) -> tuple[int, str, str]:
    """Run a command line of bash, where `"$@"` stands for wildbach with these arguments."""
    done = subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; {line}", "bash", sys.executable, "-c", CODE, *map(str, args)],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=command.env, cwd=command.folder, text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing_but_what_is_said(command: Command, closed: str) -> None:
    verify = ("verify", "x.torrent", "src")
    assert through_shell(command, f'"$@" {closed}', *verify)[::2] == (0, "")
    with command.seed(command.folder / "x.torrent", command.folder / "src") as peer:
        get = ("get", "x.torrent", "-o", "out", "--peer", peer, "--listen", "127.0.0.1:0")
        assert through_shell(command, f'"$@" {closed}', *get)[::2] == (0, "")
    assert (command.folder / "out" / "things" / "a.bin").read_bytes() == FILES["a.bin",]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("args", [("info", "x.torrent"), ("verify", "x.torrent", "src"), ("magnet", "x.torrent"),
                                  ("get", "--help"), ("create", "src", "-o", "-")])
def test_a_full_output_is_a_fault_of_the_disk(command: Command, args: tuple[str, ...]) -> None:
    code, _, said = through_shell(command, '"$@" >/dev/full', *args)
    assert code == 4
    assert said.startswith("wildbach: cannot write to stdout: No space left on device\n")
    assert "fault in wildbach" not in said and "Exception" not in said


def test_a_get_whose_reader_goes_away_ends_cleanly_and_says_nothing(command: Command) -> None:
    with command.seed(command.folder / "x.torrent", command.folder / "src") as peer:
        get = ("get", "--json", "--seed", "x.torrent", "-o", "out", "--peer", peer, "--listen", "127.0.0.1:0")
        code, shown, said = through_shell(command, '"$@" | head -1', *get)
    assert (code, said) == (1, "")
    assert shown.startswith('{"event":')


def test_a_table_of_a_daemon_whose_reader_goes_away_says_nothing(command: Command) -> None:
    command.env |= {
        "WILDBACH_API_LISTEN": "127.0.0.1:0", "WILDBACH_CONNECTIONS_LISTEN": "127.0.0.1:0",
        "WILDBACH_DHT_ENABLED": "false", "WILDBACH_DISCOVERY_LSD": "false", "WILDBACH_DISCOVERY_UPNP": "false",
        "WILDBACH_DISCOVERY_NATPMP": "false", "WILDBACH_DOWNLOADS_FOLDER": str(command.folder / "downloads")}
    with serving(command):
        assert command.run("add", "x.torrent", "--stopped").returncode == 0
        code, shown, said = through_shell(command, '"$@" | true', "ls")
    assert (code, shown, said) == (1, "", "")
