"""The command as a process of its own, for tests from end to end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wildbach

SOURCE = Path(wildbach.__file__).parents[1]
CODE = "from wildbach.interfaces.cli.main import main; main()"


class Command:
    """Runs `wildbach` with its state below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("WILDBACH_")} | {
            "PYTHONPATH": str(SOURCE), "WILDBACH_STATE": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "WILDBACH_DHT_BOOTSTRAP": "",  # nobody outside is asked
            "SSL_CERT_FILE": os.devnull,  # so nobody has to be believed: reading whom takes a tenth of a start
        }
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            self.env.pop(name, None)

    def run(
        self, *args: object, stdin: bytes = b"", timeout: float = 60, through: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `through` is a program that starts it."""
        done = subprocess.run(
            [*through, sys.executable, "-c", CODE, *map(str, args)], input=stdin, capture_output=True, timeout=timeout,
            env=self.env, cwd=self.folder,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        )

    @contextmanager
    def start(self, *args: object) -> Iterator[subprocess.Popen[str]]:
        """A process that is stopped by Ctrl-C at the end."""
        with subprocess.Popen(
            [sys.executable, "-c", CODE, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, encoding="utf-8", env=self.env, cwd=self.folder,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise

    @contextmanager
    def seed(self, torrent: Path, data: Path, *args: object) -> Iterator[str]:
        """A seed on a free port; gives its HOST:PORT once it is ready."""
        with self.start("seed", torrent, "--data", data, "--listen", "127.0.0.1:0", "--json", *args) as process:
            at = next_event(process, "listening")["at"][0]
            next_event(process, "torrent_complete")
            yield str(at)


def next_event(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """The next JSON line of that name; those before are passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == name:
            return event
    assert process.stderr is not None
    raise AssertionError(f"no event {name}; stderr: {process.stderr.read()}")


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def in_terminal(
    command: Command, *args: object, replies: Sequence[tuple[str, str]] = (), columns: int = 90, rows: int = 30,
    **env: str,
) -> tuple[int, str]:
    """Exit code and everything shown. Each of `replies` is typed once its words were shown."""
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.chdir(command.folder)
        # Not os.environ: readline puts COLUMNS into the environment behind its back.
        os.execve(
            sys.executable, [sys.executable, "-c", CODE, *map(str, args)],
            command.env | {"TERM": "xterm-256color"} | env)
    shown = b""
    seen = 0
    left = list(replies)
    try:
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # Linux says EIO when the other side is gone
                break
            if not chunk:
                break
            shown += chunk
            if left and left[0][0].encode() in shown[seen:]:
                seen = len(shown)
                os.write(master, left.pop(0)[1].encode())
    finally:
        os.close(master)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode()
