from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import wildbach
from wildbach.interfaces.cli import main, trackerworkers
from wildbach.protocol import bencode

SOURCE = Path(wildbach.__file__).parents[1]


def start(*args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from wildbach.interfaces.cli.main import main; main()", "tracker", *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(number: signal.Signals) -> None:
    with start("--listen", "127.0.0.1:0", "--json") as tracker:
        assert tracker.stdout is not None and tracker.stderr is not None
        urls = json.loads(tracker.stdout.readline())["urls"]
        assert [url.split(":")[0] for url in urls] == ["http", "udp"]
        query = f"?info_hash={'%ab' * 20}&peer_id={'x' * 20}&port=5&uploaded=0&downloaded=0&left=1&compact=1"
        with urllib.request.urlopen(urls[0] + query, timeout=60) as reply:
            answer = bencode.decode(reply.read())
        assert isinstance(answer, dict) and answer[b"incomplete"] == 1
        for line in tracker.stdout:
            if json.loads(line)["peers"] == 1:
                break
        tracker.send_signal(number)
        assert tracker.wait(60) == 0
        assert tracker.stderr.read() == ""


def test_words_for_people() -> None:
    with start("--listen", "127.0.0.1:0", "--no-udp") as tracker:
        assert tracker.stdout is not None
        lines = [tracker.stdout.readline() for _ in range(3)]
        tracker.send_signal(signal.SIGINT)
        assert tracker.wait(60) == 0
    assert lines[0].startswith("http://127.0.0.1:") and "Only this machine" in lines[1] and "Ctrl-C" in lines[2]


def test_a_taken_port_is_a_network_error() -> None:
    with start("--listen", "127.0.0.1:0", "--json") as first:
        assert first.stdout is not None
        port = json.loads(first.stdout.readline())["urls"][0].split(":")[2].split("/")[0]
        with start("--listen", f"127.0.0.1:{port}") as second:
            assert second.stderr is not None
            assert second.wait(60) == 5
            assert "cannot listen" in second.stderr.read()
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 0


def test_workers_do_not_share_a_port_that_somebody_else_has(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        at = f"127.0.0.1:{other.getsockname()[1]}"
        assert main.run(["tracker", "--workers", "2", "--store", "redis://127.0.0.1:1", "--listen", at]) == 5
    assert "choose another one with --listen" in capsys.readouterr().err


def test_nothing_to_run_is_a_wrong_command_line() -> None:
    assert main.run(["tracker", "--no-http", "--no-udp"]) == 2
    assert main.run(["tracker", "--listen", "localhost:1"]) == 2
    assert main.run(["tracker", "--metrics", "localhost:1"]) == 2


@pytest.mark.parametrize(("flags", "words"), [
    (("--workers", "2"), "--workers needs --store"),
    (("--workers", "2", "--store", "redis://127.0.0.1", "--listen", "127.0.0.1:0"), "a port that is not 0"),
    (("--store", "http://127.0.0.1"), "a URL such as redis://"),
    (("--store", "redis://127.0.0.1:port"), "--store"),
    (("--allow", "nowhere"), "nowhere cannot be read"),
])
def test_what_cannot_be_is_said_with_a_way_out(
    flags: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.run(["tracker", *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_list_with_a_mistake_names_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "users").write_text("# mine\nx\n")
    assert main.run(["tracker", "--users", str(tmp_path / "users")]) == 2
    assert "users, line 2: a key has 8 to 128 letters" in capsys.readouterr().err


def test_a_list_that_breaks_later_is_said_and_the_old_one_used(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text("ab" * 20)
    with start("--listen", "127.0.0.1:0", "--no-udp", "--allow", str(allow)) as tracker:
        assert tracker.stdout is not None and tracker.stderr is not None
        tracker.stdout.readline()
        allow.write_text("rubbish")
        assert "line 1: not an info hash" in tracker.stderr.readline()
        tracker.send_signal(signal.SIGINT)
        assert tracker.wait(60) == 0


def test_a_worker_is_called_with_the_flags_that_are_for_it() -> None:
    called = trackerworkers.worker_command(["tracker", "--workers", "4", "--store=x", "--metrics=127.0.0.1:1"])
    assert called[3:] == ["tracker", "--store=x", "--worker", "--json"]
