"""The command as a process of its own, for tests from end to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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
        }
        self.env.pop("NO_COLOR", None)

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
                    process.wait(30)
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
