"""Disks that refuse, vanish or never rest, as real daemons of one folder meet them. Nothing is lost, and why something
is not the same is said.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncdaemons import Daemon, Group, tree, until
from wildbach.interfaces.api import syncmodels as sy

pytestmark = pytest.mark.slow
_BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"Root without the right to pass over permissions."


def _obedient() -> tuple[str, ...] | None:
    """A program that starts another one which obeys permissions; None where there is none."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        return None
    done = subprocess.run([*_BOUND, "true"], capture_output=True, check=False)
    return _BOUND if done.returncode == 0 else None


OBEDIENT = _obedient()
obeys = pytest.mark.skipif(OBEDIENT is None, reason="root passes over permissions, and setpriv cannot take that away")


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    found = Group(tmp_path)
    try:
        yield found
    finally:
        for each in tmp_path.rglob("*"):
            if each.is_dir() and not each.is_symlink():
                each.chmod(0o755)
        found.end()


def troubles(of: Daemon) -> dict[str, tuple[str, str]]:
    """Path → what is wrong, and why."""
    return {each.path: (each.what, each.reason) for each in of.ask("sync_troubles", "f", sy.SyncQuery()).troubles}


def missing(of: Daemon) -> str:
    """As a person is told."""
    return of.command.run("sync", "missing", "f").stdout


@obeys
def test_what_may_not_be_read_is_no_deletion_and_is_said(group: Group) -> None:
    a = group.add("a", through=OBEDIENT or ())
    b = group.add("b")
    (a.files / "shut" / "deeper").mkdir(parents=True)
    for name in ("secret", "open", "shut/in", "shut/deeper/most"):
        (a.files / name).write_text(name)
    group.pair()
    before = group.same()
    # A file that cannot be read any more, and changed; a directory that cannot be listed any more.
    (a.files / "secret").write_text("changed")
    (a.files / "secret").chmod(0)
    (a.files / "shut").chmod(0)
    (a.files / "new").write_text("goes on")
    a.ask("scan_synced", "f")
    until((b.files / "new").exists, "the others come")
    until(lambda: {"secret", "shut"} <= set(troubles(a)), f"both are said: {troubles(a)}", 10)
    for path in ("secret", "shut"):
        what, why = troubles(a)[path]
        assert what == "unreadable" and "ermission" in why, (path, what, why)
        assert path in missing(a)
    assert a.folder.problems == 2
    there = tree(b.files)
    assert {path: there[path] for path in before} == before
    # b changes what a may not read: a's content is not overwritten by it.
    (b.files / "secret").write_text("by b")
    (b.files / "shut" / "in").write_text("by b")
    until(lambda: {"secret", "shut/in"} <= set(troubles(a)), f"a says that they wait: {troubles(a)}", 20)
    (a.files / "shut").chmod(0o755)
    (a.files / "secret").chmod(0o644)
    a.ask("scan_synced", "f")
    there = group.same()
    copies = [path for path in there if path.startswith("secret (conflict ")]
    assert len(copies) == 1
    assert {there["secret"], there[copies[0]]} == {("file", b"changed", False), ("file", b"by b", False)}
    assert there["shut/in"] == ("file", b"by b", False) and there["shut/deeper/most"] == before["shut/deeper/most"]
    assert not troubles(a)


@obeys
def test_a_directory_that_may_not_be_written_keeps_what_it_has_and_takes_the_rest_later(group: Group) -> None:
    a = group.add("a")
    b = group.add("b", through=OBEDIENT or ())
    (a.files / "fixed").mkdir(parents=True)
    for name in ("fixed/old", "fixed/gone", "fixed/moved"):
        (a.files / name).write_text(name)
    group.pair()
    group.same()
    (b.files / "fixed").chmod(0o555)
    (a.files / "fixed" / "old").write_text("newer")
    (a.files / "fixed" / "new").write_text("new")
    (a.files / "fixed" / "gone").unlink()
    (a.files / "fixed" / "moved").rename(a.files / "elsewhere")
    (a.files / "other").write_text("goes on")
    until((b.files / "other").exists, "the others come")
    held = ("fixed/old", "fixed/new", "fixed/gone", "fixed/moved")
    until(lambda: all("ermission" in troubles(b).get(path, ("", ""))[1] for path in held), "it is said why", 20)
    assert "fixed/new" in missing(b)
    assert (b.files / "fixed" / "old").read_text() == "fixed/old" and (b.files / "fixed" / "gone").exists()
    assert b.folder.state != "idle" and b.folder.need_files >= 2
    (b.files / "fixed").chmod(0o755)
    there = group.same(seconds=60)
    assert there["fixed/old"] == ("file", b"newer", False) and "fixed/gone" not in there and "elsewhere" in there
    assert not troubles(b)


def test_a_log_that_is_written_all_the_time_holds_up_nothing_and_comes_when_it_rests(group: Group) -> None:
    a, b = group.pair()
    over = threading.Event()

    def write() -> None:
        with (a.files / "log").open("ab", buffering=0) as log:
            while not over.is_set():
                log.write(b"line " * 20)
                time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        (a.files / "beside").write_text("x")
        until((b.files / "beside").exists, "the others come", 20)
        until(lambda: troubles(a).get("log", ("", ""))[0] == "changing", f"it is said: {troubles(a)}", 60)
        assert "log" in missing(a)
        (a.files / "beside 2").write_text("x")
        until((b.files / "beside 2").exists, "and go on coming", 20)
    finally:
        over.set()
        writer.join()
    assert group.same(seconds=60)["log"] == ("file", (a.files / "log").read_bytes(), False)
    assert not troubles(a)


@contextmanager
def bound(disk: Path, at: Path) -> Iterator[Callable[[], None]]:
    """`disk` is mounted at `at`; gives what pulls it out."""
    subprocess.run(["mount", "--bind", str(disk), str(at)], check=True)
    there = True

    def pull() -> None:
        nonlocal there
        if there:
            there = False
            subprocess.run(["umount", "--lazy", str(at)], check=True)

    try:
        yield pull
    finally:
        pull()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_disk_that_is_pulled_out_costs_nothing_and_goes_on_when_it_is_back(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    disk = b.home / "disk"
    for each in (a.files, b.files, disk):
        each.mkdir()
    with bound(disk, b.files) as pull:
        group.pair()
        for number in range(20):
            (a.files / f"{number}").write_text(f"{number}")
        before = group.same()
        pull()
        (a.files / "meanwhile").write_text("x")
        until(lambda: b.folder.state == "stopped", "b says that it is away", 20)
        assert "not there" in b.folder.reason or "unplugged" in b.folder.reason or ".wildbach/id" in b.folder.reason
        assert "stopped" in b.command.run("sync", "status", "f").stdout
        (a.files / "0").write_text("changed")
        b.ask("scan_synced", "f")
        until(lambda: b.folder.state == "stopped", "it stays away", 20)
        # Nothing is written below the mount point, nothing of the disk is touched, and a has lost nothing.
        assert not list(b.files.iterdir()) and tree(disk) == before
        assert set(tree(a.files)) == {*before, "meanwhile"}
    # Away with its mount point when the daemon starts, and put in again while it runs.
    b.stop()
    b.files.rmdir()
    b.start()
    until(lambda: b.folder.state == "stopped" and "unplugged" in b.folder.reason, "it is still away", 20)
    b.files.mkdir()
    with bound(disk, b.files):
        there = group.same(seconds=40)
        assert set(there) == {*before, "meanwhile"} and there["0"] == ("file", b"changed", False)
        b.ask("leave_synced", "f", sy.SyncLeaving())
        b.stop()


def test_names_that_cannot_be_kept_are_said_and_hold_up_nothing(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    long = "n" * 251 + ".txt"
    for each in (a, b):
        each.files.mkdir()
        # In conflict, and no byte of the name is left for the words of the copy.
        (each.files / long).write_text(each.name)
    (a.files / os.fsdecode(b"not Unicode \xff")).write_text("x")
    (a.files / ("d/" * 102)).mkdir(parents=True)
    (a.files / ("d/" * 101) / "deep").write_text("x")
    (a.files / "line\nbreak").write_text("x")
    (a.files / "A").write_text("upper")
    (a.files / "a").write_text("lower")
    # In the form of a Mac: it is renamed, as every device has one name for it.
    (a.files / "u\u0308").write_text("composed")
    group.pair()
    until(lambda: b.folder.files >= 6 and b.idle(), f"the others come: {b.folder}")
    said = troubles(a)
    assert said["not Unicode \ufffd"][0] == "unsupported", said
    assert any(path.startswith("d/d/d/") and what == "unsupported" and why for path, (what, why) in said.items())
    assert "unsupported" in missing(a)
    there = tree(b.files)
    assert there["\xfc"] == ("file", b"composed", False) and there["line\nbreak"] == ("file", b"x", False)
    assert {there["A"], there["a"]} == {("file", b"upper", False), ("file", b"lower", False)}
    kept = [value for path, value in there.items() if path == long or "conflict" in path]
    assert sorted(str(each) for each in kept) == [str(("file", each, False)) for each in (b"a", b"b")]
    # Nothing of what is not kept the same was touched.
    assert (a.files / os.fsdecode(b"not Unicode \xff")).read_text() == "x"
    assert (a.files / ("d/" * 101) / "deep").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_disk_that_fills_while_a_large_file_comes_is_said_and_nothing_is_lost(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    b.files.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(b.files)], check=True)
    try:
        group.pair()
        (b.files / "mine").write_bytes(os.urandom(1 << 20))
        before = group.same()
        # Somebody else uses the disk, so the file would fit on it, and does not now.
        filler = b.files / ".wildbach" / "filler"
        filler.write_bytes(bytes(12 << 20))
        large = os.urandom(16 << 20)
        (a.files / "large").write_bytes(large)
        until(lambda: "No space left" in troubles(b).get("large", ("", ""))[1], f"it is said: {troubles(b)}", 40)
        assert troubles(b)["large"][0] == "no_room" and "large" in missing(b)
        assert {path: tree(b.files)[path] for path in before} == before and not (b.files / "large").exists()
        filler.unlink()
        assert group.same(seconds=60)["large"] == ("file", large, False)
        assert not troubles(b)
        b.ask("leave_synced", "f", sy.SyncLeaving())
    finally:
        b.stop()
        subprocess.run(["umount", str(b.files)], check=True)
