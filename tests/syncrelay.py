"""A real `wildbach relay`, and everything that it sees, for tests of synced folders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli_process import CODE, SOURCE

_TAP = Path(__file__).with_name("tap_child.py")


@dataclass(slots=True)
class Relay:
    at: str
    "HOST:PORT that devices are told of."
    kept: Path
    "All bytes that went to and from it."

    @property
    def moved(self) -> int:
        return self.kept.stat().st_size

    def saw(self, *secrets: bytes) -> list[bytes]:
        """Which of these went by in the clear, also as hex."""
        raw = self.kept.read_bytes()
        return [each for each in secrets if each in raw or each.hex().encode() in raw]


@contextmanager
def relay(home: Path, at: str, *, through: Sequence[str] = ()) -> Iterator[Relay]:
    """It listens at `at`, HOST:PORT; port 0 takes any. `through`: a program that starts it, as in a namespace."""
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    host = at.rpartition(":")[0]
    kept = home / "relayed"
    process = subprocess.Popen(
        [*through, sys.executable, "-c", CODE, "relay", "--json", "--listen", f"{host}:0"], env=env, cwd=home,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    tap: subprocess.Popen[bytes] | None = None
    try:
        assert process.stdout is not None
        inner = _place(json.loads(process.stdout.readline()))
        tap = subprocess.Popen(
            [*through, sys.executable, str(_TAP), at, inner, str(kept)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        assert tap.stdout is not None
        yield Relay(tap.stdout.readline().decode().strip(), kept)
    finally:
        for each in (tap, process):
            if each is not None:
                each.send_signal(signal.SIGTERM)
        for each in (tap, process):
            if each is not None:
                each.communicate(timeout=20)
    assert process.returncode == 0


def _place(said: dict[str, object]) -> str:
    at = said["relays"]
    assert isinstance(at, list) and isinstance(at[0], str)
    return at[0]
