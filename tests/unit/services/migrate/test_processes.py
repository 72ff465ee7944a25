"""Whether a client runs."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wildbach.services.migrate.processes import command_of, first_number, is_locked, running

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="no /proc/locks")


def test_a_lock_that_a_process_holds_is_seen_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lockfile"
    path.touch()
    assert not is_locked(path) and not is_locked(tmp_path / "none")
    with path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert is_locked(path)
    assert not is_locked(path)


def test_a_process_has_a_name_while_it_runs() -> None:
    assert command_of(os.getpid()) != ""
    assert [command_of(process) for process in (0, 1, -1, 999_999_999, 1 << 40)] == [""] * 5
    program = "print('here', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "marked"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"here\n"
        name = command_of(child.pid)
        assert any(process == child.pid and "marked" in words for process, words in running(name))
        child.communicate(b"\n")
    assert command_of(child.pid) == ""


@pytest.mark.parametrize(("data", "separator", "expected"), [
    (b"123;58846", ";", 123), (b"123", ";", 123), (b"host:+77\n", "+", 77), (b"", ";", 0), (b"-5;1", ";", 0),
    (b"x;1", ";", 0), ("٣;1".encode(), ";", 0), (b"9" * 30, ";", 0), (b"a+b:+7", "+", 7), (b"\xff+1", "+", 1),
])
def test_the_number_in_a_lock_file(tmp_path: Path, data: bytes, separator: str, expected: int) -> None:
    (tmp_path / "lock").write_bytes(data)
    assert first_number(tmp_path / "lock", separator) == expected
    assert first_number(tmp_path / "none", separator) == 0
