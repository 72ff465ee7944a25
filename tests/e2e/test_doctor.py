"""`wildbach doctor` as a process: what it says of this machine, of trackers that answer and of those that do not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cli_process import Command, events, next_event
from cli_torrents import torrent_of


@pytest.fixture
def cli(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_a_look_at_this_machine_names_each_part(cli: Command) -> None:
    done = cli.run("doctor", "--listen", "127.0.0.1:0", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    for part in ("machine: ", "disk: downloads in ", "disk: state in ", "ports: listening at 127.0.0.1:"):
        assert part in done.stdout
    assert "\x1b" not in done.stdout, "no colours where nobody looks"


def test_the_tracker_that_answers_is_good_and_the_other_is_named(cli: Command, tmp_path: Path) -> None:
    with cli.start("tracker", "--listen", "127.0.0.1:0", "--json") as tracker:
        http, udp = next_event(tracker, "listening")["urls"]
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))  # nobody listens behind it
            closed = f"http://127.0.0.1:{silent.getsockname()[1]}/announce"
            torrent = tmp_path / "a.torrent"
            torrent.write_bytes(torrent_of(trackers=[[http], [udp], [closed]]).to_bytes())
            done = cli.run("doctor", torrent, "--listen", "127.0.0.1:0", "--json")
    found = [event for event in events(done.stdout) if event["area"] == "trackers"]
    assert [(one["level"], one["text"].partition(": ")[0]) for one in found] == [
        ("good", http), ("good", udp), ("warning", closed)]
    assert done.returncode == 0 and list(tmp_path.glob("things*")) == []


def test_a_port_that_is_taken_is_a_fault_with_advice(cli: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli.run("doctor", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--json")
    assert done.returncode == 1
    (fault,) = [event for event in events(done.stdout) if event["level"] == "fault"]
    assert fault["area"] == "ports" and "--listen" in fault["advice"]
