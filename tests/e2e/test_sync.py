"""Folders that real daemons keep the same."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncdaemons import Group, tree, until
from wildbach.interfaces.api import syncmodels as sy

MIB = 1 << 20


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    found = Group(tmp_path)
    try:
        yield found
    finally:
        found.end()


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def moved_bytes(pid: int) -> int:
    """That a process wrote to files and sockets."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["wchar"])


def test_what_is_done_in_a_folder_is_done_on_the_other_device(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    put(a.files / "equal", "the same")
    put(b.files / "equal", "the same")
    put(a.files / "differs", "a's")
    time.sleep(0.02)
    put(b.files / "differs", "b's")
    put(b.files / "only b", "b")
    a.create()
    b.join(a.share())
    there = group.same()
    copies = [path for path in there if path.startswith("differs (conflict ")]
    assert len(copies) == 1
    assert {there["differs"][1], there[copies[0]][1]} == {b"a's", b"b's"}  # type: ignore[index]  # files
    assert there["equal"][1] == b"the same" and there["only b"][1] == b"b"  # type: ignore[index]  # files
    assert len([path for path in there if "conflict" in path]) == 1

    # Kinds of things.
    put(a.files / "empty", "")
    put(a.files / "tool", "#!/bin/sh\n").chmod(0o755)
    (a.files / "link").symlink_to("nowhere/at all")
    (a.files / "void").mkdir()
    put(a.files / "deep/er/and/deeper", os.urandom(300_000))
    there = group.same()
    assert there["empty"] == ("file", b"", False) and there["link"] == ("link", "nowhere/at all")
    assert there["void"] == "dir" and there["tool"] == ("file", b"#!/bin/sh\n", True)

    # Renames and edits, from the other side.
    (b.files / "deep").rename(b.files / "shallow")
    (b.files / "tool").chmod(0o644)
    (b.files / "empty").unlink()
    put(b.files / "only b", "b, edited")
    there = group.same()
    assert "deep" not in there and "shallow/er/and/deeper" in there and "empty" not in there
    assert there["tool"] == ("file", b"#!/bin/sh\n", False)

    # A file becomes a directory and the other way round.
    (a.files / "only b").unlink()
    put(a.files / "only b/within", "now a directory")
    shutil.rmtree(a.files / "void")
    put(a.files / "void", "now a file")
    (a.files / "link").unlink()
    put(a.files / "link", "no link any more")
    there = group.same()
    assert there["void"] == ("file", b"now a file", False) and there["link"] == ("file", b"no link any more", False)

    # What a remote change replaced is a version, and comes back.
    until(lambda: any(each.path == "only b" for each in b.ask("sync_versions", "f", sy.SyncQuery()).versions),
          "the old file is a version")
    version = next(each for each in b.ask("sync_versions", "f", sy.SyncQuery()).versions if each.path == "only b")
    b.ask("restore_synced", "f", sy.SyncRestoring(version.id, "back"))
    assert group.same()["back"] == ("file", b"b, edited", False)


def test_what_changed_while_a_device_was_off_is_made_when_it_is_back(group: Group) -> None:
    a, b = group.pair()
    put(a.files / "both", "before")
    put(a.files / "gone", "x")
    put(a.files / "kept", "x")
    group.same()
    b.stop()
    put(b.files / "both", "b's words")
    put(b.files / "new of b", "b")
    (b.files / "gone").unlink()
    time.sleep(0.02)
    put(a.files / "both", "a's words")
    put(a.files / "new of a", "a")
    (a.files / "kept").rename(a.files / "renamed")
    until(lambda: a.folder.files == 4, "a has seen it")
    b.start()
    there = group.same()
    assert {"new of a", "new of b", "renamed"} <= set(there) and not {"gone", "kept"} & set(there)
    until(lambda: a.ask("sync_conflicts", "f").conflicts, "there is a conflict")
    conflict, = a.ask("sync_conflicts", "f").conflicts
    assert {there["both"][1], there[conflict.copy][1]} == {b"a's words", b"b's words"}  # type: ignore[index]  # files
    b.ask("resolve_sync_conflict", "f", sy.SyncResolving(conflict.copy, "copy"))
    until(lambda: not a.ask("sync_conflicts", "f").conflicts, "it is resolved")
    there = group.same()
    assert conflict.copy not in there

    # Killed, it begins anew as well.
    b.kill()
    put(a.files / "after the kill", "x" * 100)
    b.start()
    assert "after the kill" in group.same()
