"""A program that speaks JSON lines, run as a child process and waited for by event, never by time."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests import encounters

Event = dict[str, Any]


class ChildError(AssertionError):
    """The program ended, or did not say what was waited for; the text has what it did say."""


class JsonProcess:
    """Start `argv`; events are the JSON objects it prints, one a line. Leaving the context ends it by its id."""

    def __init__(self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self.argv = list(argv)
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
            env=None if env is None else dict(env),
        )
        self.events: list[Event] = []
        self.errors = ""
        self._queue: queue.Queue[Event | None] = queue.Queue()
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._read_events, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "text", "text": line.decode("utf-8", "replace")}
            if isinstance(event, dict):
                self._queue.put(event)
        self._queue.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read().decode("utf-8", "replace")

    def send(self, **command: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def wait(
        self, *names: str, seconds: float = 60.0, fail: Sequence[str] = ("error",),
        where: Callable[[Event], bool] = lambda event: True, **match: object,
    ) -> Event:
        """The next event with one of these names (and these values). An event named in `fail` raises."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise ChildError(f"no {names} within {seconds:.0f} s from {self.story()}") from None
            if event is None:
                self._queue.put(None)
                raise ChildError(f"ended before {names}: {self.story()}")
            self.events.append(event)
            name = event.get("event")
            if "program" in event:
                encounters.note(event["program"])
            if name in names and where(event) and all(event.get(key) == value for key, value in match.items()):
                return event
            if name in fail and name not in names:
                raise ChildError(f"{event} while waiting for {names}: {self.story()}")

    def wait_all(self, *names: str, seconds: float = 60.0, **match: object) -> None:
        """Until each of these events came, in any order."""
        left = list(names)
        while left:
            left.remove(self.wait(*left, seconds=seconds, **match)["event"])

    def exit_code(self, seconds: float = 60.0) -> int:
        """Wait for the program to end by itself."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ChildError(f"still running after {seconds:.0f} s: {self.story()}") from None
        self._drain()
        return code

    def _drain(self) -> None:
        for reader in self._readers:
            reader.join(5)
        while True:
            try:
                event = self._queue.get_nowait()
            except queue.Empty:
                return
            if event is not None:
                self.events.append(event)

    def story(self) -> str:
        """What the program said, for the text of a failure."""
        if self.process.poll() is not None:
            self._readers[1].join(5)
        # What repeats (progress) says nothing; the last of it is enough.
        heard = [event for event in self.events[:-1] if event.get("event") not in ("progress", "stats")]
        tail = "\n".join(json.dumps(event)[:400] for event in [*heard[-25:], *self.events[-1:]])
        return f"{' '.join(self.argv)[:300]} (exit {self.process.poll()})\n{tail}\n{self.errors[-3000:]}"

    def close(self) -> None:
        stop(self.process)
        for reader in self._readers:
            reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()


def stop(process: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """End a child: ask first, then insist."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def lt_process(
    settings: Mapping[str, object] | None = None, *, log: bool = False, distant: bool = False,
    prefix: Sequence[str] = (),
) -> JsonProcess:
    """A libtorrent session in a process of its own; see lt_child.py for what it understands. `prefix`: words before
    the command, as those that run it in a network namespace.
    """
    program = Path(__file__).with_name("lt_child.py")
    config = {"settings": dict(settings or {}), "log": log, "distant": distant}
    return JsonProcess([*prefix, sys.executable, str(program), json.dumps(config)])
