"""`wildbach demo`: four real sessions and a tracker in one process."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from pathlib import Path

from cli_process import CODE, Command, events, next_event


def test_every_copy_is_compared_and_nothing_is_left(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.env["TMPDIR"] = str(tmp_path)
    done = command.run("demo", "--size", "8M", "--seconds", "0", "--json")
    assert done.returncode == 0, done.stderr
    lines = events(done.stdout)
    assert lines[-1]["event"] == "finished" and lines[-1]["wrong"] == []
    last = [line for line in lines if line["event"] == "frame"][-1]
    assert [client["share"] for client in last["clients"]] == [1.0] * 4
    assert list(tmp_path.iterdir()) == []
    assert done.stderr == ""


def test_a_folder_of_your_own_is_kept_as_it_is(tmp_path: Path) -> None:
    content = tmp_path / "mine"
    (content / "sub").mkdir(parents=True)
    (content / "a.bin").write_bytes(os.urandom(300_000))
    (content / "sub" / "b").write_bytes(b"b")
    done = Command(tmp_path).run(
        "demo", content, "--seconds", "0", "--downloaders", "2", "--keep", tmp_path / "stage"
    )
    assert done.returncode == 0, done.stderr
    assert "ada: 2 files, equal to the original" in done.stdout and "bob: 2 files" in done.stdout
    assert (tmp_path / "stage" / "ada" / "mine" / "a.bin").read_bytes() == (content / "a.bin").read_bytes()
    assert sorted(path.name for path in content.rglob("*")) == ["a.bin", "b", "sub"]


def test_a_terminal_gets_a_picture_that_is_redrawn(tmp_path: Path) -> None:
    pid, master = pty.fork()
    if pid == 0:
        os.environ |= Command(tmp_path).env | {"TERM": "xterm-256color"}
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-c", CODE, "demo", "--size", "4M", "--seconds", "1"])
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    shown = b""
    try:
        while chunk := _read(master):
            shown += chunk
    finally:
        os.close(master)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    text = shown.decode()
    assert "\x1b[1A" in text, "the picture is redrawn in place"
    assert "█" in text and "ada" in text and "equal to the original" in text
    assert text.rstrip().endswith("verified by SHA-256")
    assert "\x1b[?25h" in text, "the cursor is shown again"


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # Linux says EIO when the other side is gone
        return b""


def test_ctrl_c_ends_it_and_cleans_up(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.env["TMPDIR"] = str(tmp_path)
    with command.start("demo", "--size", "8M", "--seconds", "60", "--json") as process:
        next_event(process, "frame")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None and process.stderr.read() == ""
    assert list(tmp_path.iterdir()) == []
