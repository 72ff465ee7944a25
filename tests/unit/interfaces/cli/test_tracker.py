from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import wildbach
from wildbach.interfaces.cli import main
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
        with urllib.request.urlopen(urls[0] + query, timeout=10) as reply:
            answer = bencode.decode(reply.read())
        assert isinstance(answer, dict) and answer[b"interval"] == 1800
        for line in tracker.stdout:
            if json.loads(line)["peers"] == 1:
                break
        tracker.send_signal(number)
        assert tracker.wait(20) == 0
        assert tracker.stderr.read() == ""


def test_words_for_people() -> None:
    with start("--listen", "127.0.0.1:0", "--no-udp") as tracker:
        assert tracker.stdout is not None
        lines = [tracker.stdout.readline() for _ in range(3)]
        tracker.send_signal(signal.SIGINT)
        assert tracker.wait(20) == 0
    assert lines[0].startswith("http://127.0.0.1:") and "Only this machine" in lines[1] and "Ctrl-C" in lines[2]


def test_a_taken_port_is_a_network_error() -> None:
    with start("--listen", "127.0.0.1:0", "--json") as first:
        assert first.stdout is not None
        port = json.loads(first.stdout.readline())["urls"][0].split(":")[2].split("/")[0]
        with start("--listen", f"127.0.0.1:{port}") as second:
            assert second.stderr is not None
            assert second.wait(20) == 5
            assert "cannot listen" in second.stderr.read()
        first.send_signal(signal.SIGINT)
        assert first.wait(20) == 0


def test_nothing_to_run_is_a_wrong_command_line() -> None:
    assert main.run(["tracker", "--no-http", "--no-udp"]) == 2
    assert main.run(["tracker", "--listen", "localhost:1"]) == 2
