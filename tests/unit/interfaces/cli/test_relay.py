"""`wildbach relay` as a process: it joins two that call it, says what it did, and ends when asked to."""

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
from wildbach.interfaces.cli import main
from wildbach.protocol.sync import relay

SOURCE = Path(wildbach.__file__).parents[1]
TOKENS = [bytes([number]) * 32 for number in range(3)]


def start(*args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from wildbach.interfaces.cli.main import main; main()", "relay", *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )


def call(at: str, side: int) -> socket.socket:
    host, _, port = at.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=60)
    sock.sendall(relay.hello(TOKENS, side))
    return sock


def test_two_processes_worth_of_bytes_go_through_and_it_ends_cleanly() -> None:
    with start("--listen", "127.0.0.1:0", "--metrics", ":0", "--json") as process:
        assert process.stdout is not None and process.stderr is not None
        url = json.loads(process.stdout.readline())["url"]
        at = json.loads(process.stdout.readline())["relays"][0]
        with call(at, 0) as one:
            assert one.recv(1) == b"\0"
            with call(at, 1) as other:
                assert one.recv(1) == other.recv(1) == b"\1"
                one.sendall(b"to and ")
                assert other.recv(7, socket.MSG_WAITALL) == b"to and "
                other.sendall(b"fro")
                assert one.recv(3, socket.MSG_WAITALL) == b"fro"
                with urllib.request.urlopen(url, timeout=60) as reply:
                    assert "wildbach_relay_pairs 1\n" in reply.read().decode()
        for line in process.stdout:
            stats = json.loads(line)
            if stats["moved"] == 10 and not stats["connections"]:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


def test_words_for_people() -> None:
    with start("--listen", "127.0.0.1:0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert lines[0].startswith("Relay at 127.0.0.1:") and "Only this machine" in lines[1] and "Ctrl-C" in lines[2]


def test_what_cannot_be_is_a_wrong_command_line_or_a_network_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["relay", "--listen", "localhost:1"]) == 2
    assert main.run(["relay", "--limit", "much"]) == 2
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert main.run(["relay", "--listen", f"127.0.0.1:{other.getsockname()[1]}"]) == 5
    assert "cannot listen" in capsys.readouterr().err
